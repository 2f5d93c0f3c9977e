"""Whether an order is an exit: from a freshly read position, never from the word of whoever sent it (design 4)."""

from __future__ import annotations

from collections.abc import Sequence

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import (
    BrokerOrderId,
    BrokerRequest,
    CancelRequest,
    ModifyRequest,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.store.claims import Reservation


def prove(desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, mode: TradingMode) -> Reservation | None:
    """The room in which ``request`` may be claimed as an exit, or None when it is none. Raises as :func:`measure`."""
    order = request.order if isinstance(request, ModifyRequest) else request
    reserve = measure(desk, broker, request, mode)
    return reserve if order.quantity <= reserve.room else None


def measure(desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, mode: TradingMode) -> Reservation:
    """How much ``request`` could close.

    The order of the three readings is the proof: the journal, what works at the broker, the positions. Whatever moves
    from one to the next meanwhile is counted twice, never not at all. The claim then takes off what the journal sent
    since. Raises a BridgeError where something cannot be read: then it is no exit.

    A position book may be behind the order book: what filled since the last proof and does not show yet is taken off.
    What remains: the fill of an order that needed no proof, in a position of which there was none lately, and books
    that disagree for longer than the broker's :attr:`~openalgo_bridge.brokers.base.Capabilities.positions_lag`.
    """
    order = request.order if isinstance(request, ModifyRequest) else request
    since = desk.store.journal.watermark(order, mode)
    book, positions = broker.order_book(), broker.positions()
    room = exits.room(
        order,
        working=book,
        positions=positions,
        counted=since.refs,
        replaces=_replaced(request),
    )
    room -= _not_shown(desk, broker, order, mode, book, exits.net(positions, order))
    return Reservation(room=room, since=since)


def _not_shown(
    desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode, book: Sequence[BrokerOrder], net: int
) -> int:
    """How much less there is to close than ``net`` says, in units. Where the books disagree, the smaller one counts."""
    now, lag = desk.clock.monotonic(), broker.capabilities.positions_lag
    expected = desk.readings.expected(order, mode, book, net, now=now, lag=lag)
    return max(0, exits.reducible(net, order.action) - exits.reducible(expected, order.action))


def is_proven(desk: Desk, broker: Broker, request: BrokerRequest, mode: TradingMode) -> bool:
    """Whether ``request`` is an exit, where that decides only how soon it goes. False where nobody can tell, and of a
    position that the bridge did not open.
    """
    if isinstance(request, CancelRequest):
        return False
    order = request.order if isinstance(request, ModifyRequest) else request
    try:
        # A crowd of entries must not read the books for each of them.
        if not desk.store.journal.has_other_side(order, mode):
            return False
        # The reads may take the place that is kept back for what they may prove.
        with desk.budget.slot(is_exit=True):
            return prove(desk, broker, request, mode) is not None
    except BridgeError:
        return False


def reduces(broker: Broker, request: OrderRequest | ModifyRequest) -> bool:
    """Whether ``request`` looks like an exit beside what works at the broker: it marks what waits, and lets nothing go.

    A target beside a working stop is none (design 4). Raises a BridgeError where the books cannot be read.
    """
    order = request.order if isinstance(request, ModifyRequest) else request
    working = broker.order_book()
    room = exits.room(order, working=working, positions=broker.positions(), counted=(), replaces=_replaced(request))
    return order.quantity <= room


def _replaced(request: OrderRequest | ModifyRequest) -> BrokerOrderId | None:
    return request.broker_order_id if isinstance(request, ModifyRequest) else None
