"""Whether an order is an exit: from a freshly read position, never from the word of whoever sent it (design 4)."""

from __future__ import annotations

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.model import exits
from openalgo_bridge.model.order import ModifyRequest, OrderRequest, TradingMode
from openalgo_bridge.store.claims import Reservation


def prove(desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, mode: TradingMode) -> Reservation | None:
    """The room in which ``request`` may be claimed as an exit, or None when it is none.

    The order of the three readings is the proof: the journal, what works at the broker, the positions. Whatever moves
    from one to the next meanwhile is counted twice, never not at all. The claim then takes off what the journal sent
    since. Raises a BridgeError where something cannot be read: then it is no exit.
    """
    order = request.order if isinstance(request, ModifyRequest) else request
    since = desk.store.journal.watermark(order, mode)
    room = exits.room(
        order,
        working=broker.order_book(),
        positions=broker.positions(),
        counted=since.refs,
        replaces=request.broker_order_id if isinstance(request, ModifyRequest) else None,
    )
    return Reservation(room=room, since=since) if order.quantity <= room else None


def reduces(broker: Broker, order: OrderRequest) -> bool:
    """Whether ``order`` goes against a position and not past it, as far as one look tells. Sends nothing by itself.

    Raises a BridgeError where the position cannot be read.
    """
    return order.quantity <= exits.reducible(exits.net(broker.positions(), order), order.action)
