"""Whether an order is an exit: from a freshly read position, never from the word of whoever sent it (design 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, Holding, OrderStatus, Position
from openalgo_bridge.model.exits import Effect
from openalgo_bridge.model.order import (
    BrokerOrderId,
    BrokerRequest,
    ModifyRequest,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.ticket import target_of
from openalgo_bridge.store.claims import OpenChange, Reservation, Watermark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.open_orders import as_sent, changed_order, less, watermark
from openalgo_bridge.trading.read_once import Books

_STOPS = {PriceType.SL, PriceType.SL_M}


def prove(
    desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, mode: TradingMode, books: Books | None = None
) -> Reservation | None:
    """The room in which ``request`` may be claimed as an exit, or None when it is none. Raises as :func:`measure`."""
    reserve = measure(desk, broker, request, mode, books)
    return reserve if _order(request).quantity <= reserve.room else None


def measure(
    desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, mode: TradingMode, books: Books | None = None
) -> Reservation:
    """How much ``request`` could close, by the broker's books of this moment, or by ``books``, which only judge.

    The order of the three readings is the proof: the journal, what works at the broker, what is held. Whatever moves
    from one to the next meanwhile is counted twice, never not at all. The claim then takes off what the journal sent
    since. Raises a BridgeError where something cannot be read: then it is no exit. What only closes positions is proven
    from ``PositionsAlone``.

    A position book may be behind the order book: what filled since the last proof and does not show yet is taken off.
    What remains: the fill of an order that needed no proof, in a position of which there was none lately, and books
    that disagree for longer than the broker's :attr:`~openalgo_bridge.brokers.base.Capabilities.positions_lag`.
    """
    order = _order(request)
    seen = _read(desk, broker, order, mode, books or broker)
    room = partial(
        exits.room,
        order,
        working=seen.working,
        positions=seen.positions,
        counted=seen.since.refs,
        replaces=target_of(request),
    )
    units = room()
    if order.quantity > units - seen.hidden and _still_rests(desk, broker, request, seen.working):
        units = room(still_rests=True)
    return Reservation(room=max(0, units - seen.hidden), since=seen.since)


def left(
    desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, mode: TradingMode, books: Books | None = None
) -> Reservation:
    """How much what waited as an exit may still close, whatever rests beside it. Raises as :func:`measure`.

    A target beside a stop may go, if the trader says so; that proves no exit, and lets nothing past what stops entries.
    What does not provably wait for its price is taken off: it may be filling now.
    """
    order, replaced = _order(request), target_of(request)
    seen = _read(desk, broker, order, mode, books or broker)
    beside = [each for each in seen.working if each.status.is_working and exits.is_on_same_side(each.request, order)]
    last_price = _last_price(desk, broker, order) if beside else None
    about_to_fill = [each for each in beside if each.id == replaced or not _waits(each, last_price)]
    units = exits.room(
        order, working=about_to_fill, positions=seen.positions, counted=seen.since.refs, replaces=replaced
    )
    return Reservation(room=max(0, units - seen.hidden), since=seen.since)


def is_provable(
    desk: Desk,
    broker: Broker,
    order: OrderRequest,
    mode: TradingMode,
    *,
    book: Sequence[BrokerOrder],
    positions: Sequence[Position],
    without: Collection[BrokerOrderId],
    ended: Iterable[JournalOrder] = (),
) -> bool:
    """Whether ``order`` would be an exit once the orders ``without`` work no more and those ``ended`` are on their way
    no more, as far as two books that were just read can tell: asked before these are withdrawn and given up. False
    where nobody can tell.
    """
    try:
        since = less(watermark(desk, broker, order, mode), ended)
        working = [each for each in as_sent(book, since.recent) if each.id not in without]
        growth = _growth(broker, [each for each in since.changes if each.target not in without], working)
    except BridgeError:
        return False
    room = exits.room(order, working=working, positions=positions, counted=since.refs)
    room -= growth + _not_shown(desk, broker, order, mode, book, positions)
    return order.quantity + since.units <= room


def effect(broker: Broker, request: OrderRequest | ModifyRequest) -> Effect:
    """What ``request`` does to its position alone: it marks what waits, and lets nothing go.

    Raises a BridgeError where the position cannot be read.
    """
    replaced = target_of(request)
    there = None if replaced is None else broker.order(replaced)
    order = _order(request)
    return exits.effect(order, holds(broker, [order]), 0 if there is None else there.filled_quantity)


def holds(books: Books, orders: Iterable[OrderRequest]) -> Sequence[Position | Holding]:
    """What ``orders`` may take something away from: the positions, and delivered shares where one of them may sell
    such. Raises a BridgeError where something cannot be read.
    """
    # Before the positions: what is delivered between the two readings must not count in both.
    delivered = books.holdings() if any(map(exits.sells_delivered, orders)) else ()
    return [*books.positions(), *delivered]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the three readings of a proof said.

    ``hidden`` is in units: fills that the positions do not show yet, and what open changes may add to what works.
    """

    since: Watermark
    working: Sequence[BrokerOrder]
    positions: Sequence[Position | Holding]
    hidden: int


def _read(desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode, books: Books) -> _Seen:
    since = watermark(desk, broker, order, mode)
    book = books.order_book()
    working = as_sent(book, since.recent)
    growth = _growth(broker, since.changes, working)
    positions = holds(books, [order])
    hidden = growth + _not_shown(desk, broker, order, mode, book, positions)
    return _Seen(since=since, working=working, positions=positions, hidden=hidden)


def _growth(broker: Broker, changes: Iterable[OpenChange], book: Iterable[BrokerOrder]) -> int:
    """How many units more than ``book`` says may be worked for if the broker makes every open change.

    None by a change of what works no more: the broker has refused it, or will.
    """
    shown = {each.id: each for each in book}
    return sum(_added(change, shown, broker) for change in changes)


def _added(change: OpenChange, shown: Mapping[BrokerOrderId, BrokerOrder], broker: Broker) -> int:
    there = changed_order(change, shown, broker)
    if there is None:
        return 0
    counted = there.request.quantity if there.id in shown else there.filled_quantity
    return max(change.quantity, there.request.quantity) - counted


def _still_rests(
    desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, working: Sequence[BrokerOrder]
) -> bool:
    """Whether a change leaves an order waiting for its price as before, of which only the broker's quote can tell."""
    order = _order(request)
    was = next((each.request for each in working if each.id == target_of(request)), None)
    if was is None or was.price_type is not order.price_type or order.price_type is PriceType.MARKET:
        return False
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    return instrument is not None and exits.rests(order, broker.quote(instrument).ltp)


def _waits(there: BrokerOrder, last_price: Decimal | None) -> bool:
    """Whether what works waits for its price. A stop that was triggered does not, nor what nobody can tell of."""
    if there.request.price_type in _STOPS and there.status is not OrderStatus.TRIGGER_PENDING:
        return False
    return last_price is not None and exits.rests(there.request, last_price)


def _last_price(desk: Desk, broker: Broker, order: OrderRequest) -> Decimal | None:
    """In rupees; None where nobody can tell."""
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    if instrument is None:
        return None
    try:
        return broker.quote(instrument).ltp
    except BridgeError:
        return None


def _not_shown(
    desk: Desk,
    broker: Broker,
    order: OrderRequest,
    mode: TradingMode,
    book: Sequence[BrokerOrder],
    held: Sequence[Position | Holding],
) -> int:
    """How much less there is to close than ``held`` says, in units. Where books disagree, the smaller one counts."""
    now, lag = desk.clock.monotonic(), broker.capabilities.positions_lag
    position = exits.net((each for each in held if isinstance(each, Position)), order)
    missing = position - desk.readings.expected(order, mode, book, position, now=now, lag=lag)
    net = exits.net(held, order)
    return max(0, exits.reducible(net, order.action) - exits.reducible(net - missing, order.action))


def is_proven(desk: Desk, broker: Broker, request: BrokerRequest, mode: TradingMode) -> bool:
    """Whether ``request`` is an exit, where that decides only how soon it goes. False where nobody can tell, and of a
    position that the bridge did not open.
    """
    if not isinstance(request, OrderRequest | ModifyRequest):
        return False
    try:
        # A crowd of entries must not read the books for each of them.
        if not desk.store.journal.has_other_side(_order(request), mode):
            return False
        # The reads may take the place that is kept back for what they may prove.
        with desk.budget.slot(is_exit=True):
            return prove(desk, broker, request, mode) is not None
    except BridgeError:
        return False


def _order(request: OrderRequest | ModifyRequest) -> OrderRequest:
    return request.order if isinstance(request, ModifyRequest) else request
