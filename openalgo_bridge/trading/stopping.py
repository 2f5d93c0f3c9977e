"""When everything is cancelled or closed: what is being sent may arrive, and what was stopped is told.

The commit that writes down the stop gives up what is planned and meant by it, and nothing that it means goes after it.
It comes after the first reading of the broker, so that a stop which cannot be carried out ends nobody's exit. What went
between that reading and the commit, or was just being sent, shows in a second one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, StorageError
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.exits import is_on_same_side, net, position_of
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    OrderRequest,
    PositionKey,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.stops import Stop, actor_of
from openalgo_bridge.model.ticket import Ticket, order_of, target_of
from openalgo_bridge.store.claims import JournalMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.stops import means
from openalgo_bridge.trading.legs import Leg, Report
from openalgo_bridge.trading.open_orders import lapsed, lately_sent

LANDING_S = (0.05, 0.1, 0.2)
"""Seconds between two looks at whether the broker has answered what is being sent. In all no longer than a person who
stops everything may be kept waiting by a broker that hangs."""

NOT_WITHDRAWN = "Not withdrawn: nobody knows yet whether it is there."
_FILLED = "Not withdrawn: it is over, and {} of it filled."
_MAY_OPEN = "Order {} may still open a position: nobody knows yet whether it is there."
_JUST_TAKEN = "The broker took order {} a moment ago and does not show it yet: it may still open a position."

_log = logging.getLogger(__name__)

_ASKED_S = 5.0
"""How long a report may ask about single orders. The others are told as in doubt."""

_JUST_NOW = timedelta(seconds=1)
"""What is being sent for longer is not waited for: the broker hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The journal before the broker was read for a stop. ``was_moving``: something that it means was on its way."""

    mark: JournalMark
    was_moving: bool


def look(desk: Desk, wanted: Stop, mode: TradingMode) -> Before:
    """To be called before the broker is read. Raises StorageError."""
    mark = desk.store.journal.mark()
    moving = (each for each in desk.store.journal.on_their_way() if each.state in _MOVING)
    return Before(mark=mark, was_moving=any(_is_meant_order(wanted, each, mode) for each in moving))


def has_moved(desk: Desk, stop: Ticket, wanted: Stop, before: Before) -> bool:
    """Whether what was read before ``stop`` was written down may lack something that went meanwhile. Waits a moment
    for what is just being sent. True where nobody can tell: the stop is written down, and must be carried out.
    """
    try:
        if not before.was_moving and not _is_passed(desk, stop, wanted, before.mark):
            return False
        _let_land(desk, wanted, stop.trading_mode)
    except StorageError:
        _log.exception("ticket %s: what went while the broker was read cannot be told", stop.ref)
    return True


def _is_passed(desk: Desk, stop: Ticket, wanted: Stop, mark: JournalMark) -> bool:
    newer = desk.store.journal.placed_since(mark, stop.trading_mode)
    others = (each for each in newer if each.ticket_id != stop.id)
    return any(_is_meant_order(wanted, each, stop.trading_mode) for each in others)


def unsettled(desk: Desk, mode: TradingMode) -> list[JournalOrder]:
    """What may be at the broker and not be shown by its order book: in doubt since this trading day, being sent, and
    taken a moment ago. To be read before the book. Raises StorageError.
    """
    doubts = [each for each in desk.store.journal.doubts() if each.trading_mode is mode]
    over = {each.id for each in lapsed(desk, doubts)}
    found = {each.id: each for each in doubts if each.id not in over}
    broker = desk.brokers.get(mode)
    if broker is not None and (recent := lately_sent(desk, broker)):
        found |= {each.id: each for each in desk.store.journal.taken(recent) if each.trading_mode is mode}
    return list(found.values())


def missing(wanted: Stop, sent: Iterable[JournalOrder], book: Iterable[BrokerOrder] = ()) -> list[JournalOrder]:
    """Which of the orders ``sent`` are meant and are not in ``book``. Asks nobody: a stop must not wait for it."""
    shown = {each.tag for each in book}
    return [each for each in sent if each.ref not in shown and means(wanted, each)]


def without_needless(desk: Desk, report: Report) -> Report:
    """A "cancel all" that was carried out, less refused withdrawals of what is over, filled nothing and does not show:
    by its number alone nobody could know that nothing of it was to be withdrawn. What has filled is told so.
    """
    try:
        messages = desk.store.journal.orders_of([report.ticket.id])
    except StorageError:
        _log.exception("ticket %s: which withdrawals were refused cannot be told", report.ticket.ref)
        return report
    refused = [each.request for each in messages if each.state is OrderState.REJECTED]
    numbers = [each.broker_order_id for each in refused if isinstance(each, CancelRequest)]
    over = _over(desk, report.ticket.trading_mode, numbers, if_shown=False)
    told = (_as_found(leg, over) for leg in report.legs)
    return replace(report, legs=tuple(leg for leg in told if leg is not None))


def _as_found(leg: Leg, over: Mapping[BrokerOrderId, BrokerOrder]) -> Leg | None:
    number = target_of(leg.request)
    there = None if number is None else over.get(number)
    if there is None:
        return leg
    return replace(leg, refusal=_FILLED.format(there.filled_quantity)) if there.filled_quantity else None


def still_in_doubt(desk: Desk, mode: TradingMode, unseen: Sequence[JournalOrder]) -> list[JournalOrder]:
    """Which of the orders that a closing did not see may still open a position, or have opened one that is there: they
    may have filled after the positions were read. To be asked once the closing is carried out.

    What filled is harmless where its position is flat, at a broker whose positions show that at once.
    """
    over = _over(desk, mode, [each.broker_order_id for each in unseen if each.broker_order_id is not None])
    filled = [each.request for each in over.values() if each.filled_quantity]
    flat: set[PositionKey] = set()
    try:
        broker = desk.broker(mode)
        if filled and not broker.capabilities.positions_lag:
            positions = broker.positions()
            flat = {position_of(each) for each in filled if not net(positions, each)}
    except BridgeError as fault:
        _log.warning("whether what filled is closed cannot be told: %s", fault.message)
    harmless = {each.id for each in over.values() if not each.filled_quantity or position_of(each.request) in flat}
    return [each for each in unseen if each.broker_order_id not in harmless]


def _over(
    desk: Desk, mode: TradingMode, numbers: Sequence[BrokerOrderId], *, if_shown: bool = True
) -> dict[BrokerOrderId, BrokerOrder]:
    """Which of these orders the broker says work no more; unless ``if_shown``, of those that its book does not show.

    What its book does not show is asked for one by one, until that took too long: a broker that hangs must not be
    waited for as often as there are orders. One that it cannot tell of says nothing about the others.
    """
    over: dict[BrokerOrderId, BrokerOrder] = {}
    if not numbers:
        return over
    until = desk.clock.monotonic() + _ASKED_S
    try:
        broker = desk.broker(mode)
        shown = {each.id: each for each in broker.order_book()}
    except BridgeError as fault:
        _log.warning("what became of each order cannot be told: %s", fault.message)
        return over
    for number in numbers if if_shown else [each for each in numbers if each not in shown]:
        if desk.clock.monotonic() > until:
            break
        there = shown.get(number) or _named(broker, number)
        if there is not None and not there.status.is_working:
            over[number] = there
    return over


def _named(broker: Broker, number: BrokerOrderId) -> BrokerOrder | None:
    try:
        return broker.order(number)
    except BridgeError as fault:
        _log.warning("order %s: what became of it cannot be told: %s", number, fault.message)
        return None


def may_open(sent: JournalOrder, exits: Iterable[OrderRequest]) -> bool:
    """Whether it may open a position, once ``exits`` have closed those that are open. What is on the side of one of
    them, and no larger, keeps that one waiting or from being sent: its own leg says so.
    """
    order = order_of(sent.request)
    if order is None:
        return False
    return not any(is_on_same_side(order, each) and order.quantity <= each.quantity for each in exits)


def unseen(desk: Desk, ticket: Ticket) -> list[JournalOrder]:
    """What was sent before a ticket that cancels or closes many, is meant by it, and may still come to be there, or to
    open a position. Raises StorageError.
    """
    wanted = ticket.request
    if not isinstance(wanted, CancelAllRequest | CloseRequest):
        return []
    found = missing(wanted, (each for each in unsettled(desk, ticket.trading_mode) if each.ticket_id < ticket.id))
    if isinstance(wanted, CancelAllRequest):
        # What the broker took a moment before was withdrawn by its number.
        return [each for each in found if each.broker_order_id is None]
    exits = [each.request for each in desk.store.journal.orders_of([ticket.id])]
    closing = [each for each in exits if isinstance(each, OrderRequest)]
    return still_in_doubt(desk, ticket.trading_mode, [each for each in found if may_open(each, closing)])


def unseen_legs(desk: Desk, ticket: Ticket) -> list[Leg]:
    """What :func:`unseen` finds, as a report tells it. Raises StorageError."""
    return [unseen_leg(ticket.request, each) for each in unseen(desk, ticket)]


def unseen_leg(wanted: TicketRequest, order: JournalOrder) -> Leg:
    """What is not seen, as a report tells it: an order to be withdrawn, or one that may open a position."""
    if isinstance(wanted, CancelAllRequest):
        return Leg(request=CancelRequest(broker_order_id=BrokerOrderId(order.ref)), refusal=NOT_WITHDRAWN)
    why = _JUST_TAKEN if order.state is OrderState.SENT else _MAY_OPEN
    return Leg(request=order.request, refusal=why.format(order.ref))


def stopped_by(desk: Desk, ticket: Ticket) -> list[JournalOrder]:
    """What a ticket that cancels or closes kept from being sent. Raises StorageError."""
    if not isinstance(ticket.request, CancelAllRequest | CloseRequest):
        return []
    return desk.store.journal.given_up(actor_of(ticket))


def report_of(desk: Desk, stop: Ticket, legs: Sequence[Leg]) -> Report:
    """What became of a stop that was carried out: its own messages, and what it kept from being sent. Where that cannot
    be read the messages are told without it.
    """
    try:
        return Report(ticket=stop, legs=(*stopped_legs(desk, stop), *legs))
    except StorageError:
        _log.exception("ticket %s: what it kept from being sent cannot be told", stop.ref)
        return Report(ticket=stop, legs=tuple(legs))


def stopped_legs(desk: Desk, ticket: Ticket) -> tuple[Leg, ...]:
    """What :func:`stopped_by` finds, as a report tells it. Raises StorageError."""
    return tuple(map(_leg, stopped_by(desk, ticket)))


_MOVING = {OrderState.PLANNED, OrderState.SENDING}


def _let_land(desk: Desk, wanted: Stop, mode: TradingMode) -> None:
    for pause in LANDING_S:
        being_sent = [each for each in desk.store.journal.doubts() if each.state is OrderState.SENDING]
        since = desk.clock.now() - _JUST_NOW
        if not any(each.changed_at > since and _is_meant_order(wanted, each, mode) for each in being_sent):
            return
        desk.wait(pause)


def _is_meant_order(wanted: Stop, order: JournalOrder, mode: TradingMode) -> bool:
    return order.trading_mode is mode and means(wanted, order)


def _leg(order: JournalOrder) -> Leg:
    """A withdrawal that needed no message."""
    withdrawn = CancelRequest(broker_order_id=BrokerOrderId(order.ref))
    return Leg(request=withdrawn, refusal=order.message, was_needless=True, ref=order.ref)
