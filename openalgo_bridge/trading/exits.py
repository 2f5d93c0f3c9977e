"""Whether an order is an exit: from a freshly read position, never from the word of whoever sent it (design 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Unsettled
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, OrderStatus, Position
from openalgo_bridge.model.exits import Effect
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    BrokerRequest,
    CancelRequest,
    ModifyRequest,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.session import session_end
from openalgo_bridge.model.states import IN_DOUBT
from openalgo_bridge.model.ticket import order_of, target_of
from openalgo_bridge.store.claims import OpenChange, PositionMark, Reservation, Watermark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.read_once import Books

_STOPS = {PriceType.SL, PriceType.SL_M}

_LATE_S = 60.0
"""How late the order book of a broker that cannot prove an order absent is taken to be, at most."""


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

    The order of the three readings is the proof: the journal, what works at the broker, the positions. Whatever moves
    from one to the next meanwhile is counted twice, never not at all. The claim then takes off what the journal sent
    since. Raises a BridgeError where something cannot be read: then it is no exit.

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
        since = _less(_watermark(desk, broker, order, mode), ended)
        working = [each for each in _as_sent(book, since.recent) if each.id not in without]
        growth = _growth(broker, [each for each in since.changes if each.target not in without], working)
    except BridgeError:
        return False
    room = exits.room(order, working=working, positions=positions, counted=since.refs)
    room -= growth + _not_shown(desk, broker, order, mode, book, exits.net(positions, order))
    return order.quantity + since.units <= room


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A position: its signed ``net``, and what may still change it on either side.

    ``filled`` are the signed fills of it that the order book showed. ``in_flight`` is what the broker does not show and
    may have: in doubt since this trading day, being sent, and what other tickets have planned.
    """

    net: int
    filled: int
    working: Sequence[BrokerOrder]
    in_flight: Sequence[JournalOrder]
    mark: PositionMark


def outlook(
    desk: Desk,
    broker: Broker,
    order: OrderRequest,
    mode: TradingMode,
    since: Outlook | None = None,
    *,
    goes_on_from: Callable[[int], bool],
) -> Outlook:
    """The position of ``order``, for whoever computes from it what to send. Read in the order of a proof.

    ``since`` is an earlier one: then the net is what the order book has filled since, and the positions are not read.
    They tell of a later moment, and between the two an order that was just sent would be seen as working and as filled.
    ``goes_on_from`` says of a net whether this one may become such an earlier one: then nothing may have filled between
    the two books, or the next would take it off once more.

    Raises Unsettled where it can be told in a moment: a change is just being sent, or the positions do not show the
    last fills yet. Raises Conflict where nobody knows what a change makes of an order; a BridgeError where something
    cannot be read.
    """
    sides = [_watermark(desk, broker, replace(order, action=side), mode) for side in Action]
    open_orders = [each for each in desk.store.journal.on_their_way() if each.trading_mode is mode]
    book = broker.order_book()
    working = _as_sent(book, [each for side in sides for each in side.recent])
    _check_unchanging(broker, order, [change for side in sides for change in side.changes], working, open_orders)
    filled = exits.filled(book, order)
    # Sent between the two looks at the journal: neither in flight nor, at a broker whose book is late, shown.
    uncounted = {each for side in sides for each in side.open_ids} - {each.id for each in open_orders}
    shown = {each.tag for each in book}
    moved = None if since is None else since.net + filled - since.filled
    over = {each.id for each in lapsed(desk, open_orders)}
    return Outlook(
        net=_settled_net(desk, broker, order, mode, book, goes_on_from) if moved is None else moved,
        filled=filled,
        working=working,
        in_flight=[each for each in open_orders if each.ref not in shown and each.id not in over],
        mark=PositionMark(last_order_id=sides[0].last_order_id, uncounted=tuple(sorted(uncounted))),
    )


def _check_unchanging(
    broker: Broker,
    order: OrderRequest,
    changes: Iterable[OpenChange],
    book: Iterable[BrokerOrder],
    open_orders: Iterable[JournalOrder],
) -> None:
    """In either form: a stop whose change to a market order is on its way does not wait beside an exit."""
    by_id = {each.id: each for each in book}
    changing = {change.target for change in changes if _changing(change, by_id, broker)}
    if not changing:
        return
    in_doubt = {target_of(each.request) for each in open_orders if each.state in IN_DOUBT}
    unknown = f"What a change makes of an order in {order.symbol} is not known yet. See the Orders page."
    raise Unsettled(unknown) if changing.isdisjoint(in_doubt) else Conflict(unknown)


def _settled_net(
    desk: Desk,
    broker: Broker,
    order: OrderRequest,
    mode: TradingMode,
    book: Sequence[BrokerOrder],
    goes_on_from: Callable[[int], bool],
) -> int:
    """As the positions say, once they show what ``book`` has filled. Raises Unsettled until then."""
    net = exits.net(broker.positions(), order)
    # Before the reading is remembered: the two books are not of one moment.
    if goes_on_from(net) and exits.filled(broker.order_book(), order) != exits.filled(book, order):
        raise Unsettled(f"The position in {order.symbol} is just changing.")
    now, lag = desk.clock.monotonic(), broker.capabilities.positions_lag
    if desk.readings.expected(order, mode, book, net, now=now, lag=lag) != net:
        raise Unsettled(f"The position in {order.symbol} does not show the last fills yet.")
    return net


def effect(broker: Broker, request: OrderRequest | ModifyRequest) -> Effect:
    """What ``request`` does to its position alone: it marks what waits, and lets nothing go.

    Raises a BridgeError where the position cannot be read.
    """
    replaced = target_of(request)
    there = None if replaced is None else broker.order(replaced)
    return exits.effect(_order(request), broker.positions(), 0 if there is None else there.filled_quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the three readings of a proof said.

    ``hidden`` is in units: fills that the positions do not show yet, and what open changes may add to what works.
    """

    since: Watermark
    working: Sequence[BrokerOrder]
    positions: Sequence[Position]
    hidden: int


def _read(desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode, books: Books) -> _Seen:
    since = _watermark(desk, broker, order, mode)
    book = books.order_book()
    working = _as_sent(book, since.recent)
    growth = _growth(broker, since.changes, working)
    positions = books.positions()
    hidden = growth + _not_shown(desk, broker, order, mode, book, exits.net(positions, order))
    return _Seen(since=since, working=working, positions=positions, hidden=hidden)


def _growth(broker: Broker, changes: Iterable[OpenChange], book: Iterable[BrokerOrder]) -> int:
    """How many units more than ``book`` says may be worked for if the broker makes every open change.

    None by a change of what works no more: the broker has refused it, or will.
    """
    shown = {each.id: each for each in book}
    return sum(_added(change, shown, broker) for change in changes)


def _added(change: OpenChange, shown: Mapping[BrokerOrderId, BrokerOrder], broker: Broker) -> int:
    there = _changing(change, shown, broker)
    if there is None:
        return 0
    counted = there.request.quantity if there.id in shown else there.filled_quantity
    return max(change.quantity, there.request.quantity) - counted


def _changing(change: OpenChange, shown: Mapping[BrokerOrderId, BrokerOrder], broker: Broker) -> BrokerOrder | None:
    """What ``change`` names, while it works: after that the change counts for nothing."""
    there = shown.get(change.target) or broker.order(change.target)
    return there if there is not None and there.status.is_working else None


def _without_lapsed(desk: Desk, since: Watermark) -> Watermark:
    """Less what was in doubt and is over. Where the broker's book shows it all the same, it counts as the book says."""
    if not since.open_ids:
        return since
    return _less(since, lapsed(desk, (each for each in desk.store.journal.doubts() if each.id in since.open_ids)))


def _less(since: Watermark, orders: Iterable[JournalOrder]) -> Watermark:
    """Without these orders, as far as it counts them."""
    gone = [each for each in orders if each.id in since.open_ids]
    placed = (each.request for each in gone if isinstance(each.request, OrderRequest))
    return replace(
        since,
        open_ids=tuple(sorted(set(since.open_ids) - {each.id for each in gone})),
        refs=since.refs - {each.ref for each in gone},
        units=since.units - sum(order.quantity for order in placed),
    )


def lapsed(desk: Desk, orders: Iterable[JournalOrder]) -> list[JournalOrder]:
    """Those in doubt whose trading day is over: an order is good for its day, so none of it can fill any more. What it
    filled then is in the position.
    """
    in_doubt = [each for each in orders if each.state in IN_DOUBT]
    if not in_doubt:
        return []
    calendar, today = desk.store.calendar.load(), day_in_india(desk.clock.now())

    def last_day(each: JournalOrder) -> date:
        order = order_of(each.request)
        exchange = None if order is None else order.exchange
        return day_in_india(session_end(calendar, exchange, each.created_at, timedelta()))

    return [each for each in in_doubt if last_day(each) < today]


def _watermark(desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode) -> Watermark:
    return _without_lapsed(desk, desk.store.journal.watermark(order, mode, recent=lately_sent(desk, broker)))


def lately_sent(desk: Desk, broker: Broker) -> tuple[int, ...]:
    """The ids of what was sent so short a time ago that the order book of ``broker`` may not show it yet."""
    late = broker.capabilities.reread_after
    return desk.lately.sent(within=_LATE_S if late is None else late, now=desk.clock.monotonic())


def _as_sent(book: Sequence[BrokerOrder], recent: Sequence[BrokerOrder]) -> list[BrokerOrder]:
    """The book, with what the broker took so short a time ago that it may not show there yet."""
    newest = {each.id: each for each in recent}
    shown = {each.id for each in book}
    unseen = [each for each in newest.values() if each.id not in shown]
    return [_at_most(each, newest.get(each.id)) for each in book] + unseen


def _at_most(there: BrokerOrder, sent: BrokerOrder | None) -> BrokerOrder:
    """An order in the form it was sent in last. Of two quantities the larger counts: the book may show either form."""
    if sent is None:
        return there
    quantity = max(there.request.quantity, sent.request.quantity)
    return replace(there, request=replace(sent.request, quantity=quantity))


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
