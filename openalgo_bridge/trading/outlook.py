"""A position, and what may still change it: for whoever computes from it what to send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Unsettled
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import Action, OrderRequest, TradingMode
from openalgo_bridge.model.states import IN_DOUBT
from openalgo_bridge.model.ticket import target_of
from openalgo_bridge.store.claims import OpenChange, PositionMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.open_orders import as_sent, changed_order, lapsed, watermark

_LOOKS = 3
"""How often the books are read for two of one moment: an order that fills all the time never has such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A position: its signed ``net``, and what may still change it on either side.

    ``filled`` are the signed fills of the order book that ``net`` is taken to have. ``in_flight`` is what the broker
    does not show and may have: in doubt since this trading day, being sent, and what other tickets have planned.
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
    goes_on: Callable[[int], Action | None],
) -> Outlook:
    """The position of ``order``. Read in the order of a proof.

    ``since`` is an earlier one: then the net is what the order book has filled since, and the positions are not read.
    They tell of a later moment, and between the two an order that was just sent would be seen as working and as filled.
    ``goes_on`` says of a net on which side it is gone on from there, where this one may become such an earlier one.

    Raises Unsettled where it can be told in a moment: a change is just being sent, or the positions do not show the
    last fills yet. Raises Conflict where nobody knows what a change makes of an order; a BridgeError where something
    cannot be read.
    """
    sides = [watermark(desk, broker, replace(order, action=side), mode) for side in Action]
    open_orders = [each for each in desk.store.journal.on_their_way() if each.trading_mode is mode]
    book, net, filled = _books(broker, order, since, goes_on)
    working = as_sent(book, [each for side in sides for each in side.recent])
    _check_unchanging(broker, order, [change for side in sides for change in side.changes], working, open_orders)
    if since is None:
        _check_settled(desk, broker, order, mode, book, net)
    # Sent between the two looks at the journal: neither in flight nor, at a broker whose book is late, shown.
    uncounted = {each for side in sides for each in side.open_ids} - {each.id for each in open_orders}
    shown = {each.tag for each in book}
    over = {each.id for each in lapsed(desk, open_orders)}
    return Outlook(
        net=net,
        filled=filled,
        working=working,
        in_flight=[each for each in open_orders if each.ref not in shown and each.id not in over],
        mark=PositionMark(last_order_id=sides[0].last_order_id, uncounted=tuple(sorted(uncounted))),
    )


def _books(
    broker: Broker, order: OrderRequest, since: Outlook | None, goes_on: Callable[[int], Action | None]
) -> tuple[Sequence[BrokerOrder], int, int]:
    """The order book, the net by it or by the positions, and the fills that this net has for whoever goes on from it.

    What fills between the two may be in the net and not in the book, and would be counted once more: such books are
    read again. Where something fills all the time, the net is taken to have of the side that it is gone on on what the
    book before it shows, and of the other what the book after it does. What is wrong then makes it too little.
    """
    book = broker.order_book()
    if since is not None:
        filled = exits.filled(book, order)
        return book, since.net + filled - since.filled, filled
    for _ in range(_LOOKS):
        net = exits.net(broker.positions(), order)
        side = goes_on(net)
        later = book if side is None else broker.order_book()
        before, book = book, later
        if exits.filled(later, order) == exits.filled(before, order):
            break
    ours = [each for each in before if each.request.action is side]
    others = [each for each in later if each.request.action is not side]
    return before, net, exits.filled([*ours, *others], order)


def _check_unchanging(
    broker: Broker,
    order: OrderRequest,
    changes: Iterable[OpenChange],
    book: Iterable[BrokerOrder],
    open_orders: Iterable[JournalOrder],
) -> None:
    """In either form: a stop whose change to a market order is on its way does not wait beside an exit."""
    by_id = {each.id: each for each in book}
    changing = {change.target for change in changes if changed_order(change, by_id, broker)}
    if not changing:
        return
    in_doubt = {target_of(each.request) for each in open_orders if each.state in IN_DOUBT}
    unknown = f"What a change makes of an order in {order.symbol} is not known yet. See the Orders page."
    raise Unsettled(unknown) if changing.isdisjoint(in_doubt) else Conflict(unknown)


def _check_settled(
    desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode, book: Sequence[BrokerOrder], net: int
) -> None:
    """Raises Unsettled until the positions, which say ``net``, show what ``book`` has filled."""
    now, lag = desk.clock.monotonic(), broker.capabilities.positions_lag
    if desk.readings.expected(order, mode, book, net, now=now, lag=lag) != net:
        raise Unsettled(f"The position in {order.symbol} does not show the last fills yet.")
