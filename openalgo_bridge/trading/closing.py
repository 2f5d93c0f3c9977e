"""Out of everything: cancel all orders, close all positions or one, with a true word about each (design 4).

One ticket, and one order of it for each message. All are planned in one commit and then claimed one by one, so that a
crash in between leaves a ticket that says what was not sent. A cancel asks nobody. A closing order is claimed as an
exit, proven from a fresh reading: whatever fills meanwhile, it never takes a position past flat.

What works on the closing side of a position is withdrawn first, and only where nothing else is known to stand in the
way of its closing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Conflict, Invalid
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.exits import by_position, closing_action, is_on_same_side, is_within, position_of
from openalgo_bridge.model.expand import within_freeze
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    OrderMode,
    OrderRequest,
    PositionKey,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.stops import is_meant
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import routing
from openalgo_bridge.trading.exits import is_provable
from openalgo_bridge.trading.legs import CLOSING, NOT_NEEDED, Leg, Report, attempt
from openalgo_bridge.trading.orders import DECISIONS, Held, check_grant, draft_of, expires_at
from openalgo_bridge.trading.routing import Route
from openalgo_bridge.trading.stopping import (
    Before,
    has_moved,
    look,
    may_open,
    missing,
    report_of,
    still_in_doubt,
    unseen_leg,
    unsettled,
    without_needless,
)
from openalgo_bridge.trading.unwinding import Unwinding, WayOut, known_refusal, messages_of

__all__ = [
    "Leg",
    "Report",
    "WayOut",
    "approve",
    "cancel_all",
    "cancel_ticket",
    "close",
    "exit_of",
    "ways_out",
    "withdraw_all",
]

_UNREADABLE = "Nothing was withdrawn, because the broker cannot say what is working: {}"
_NOT_LOOKED_FOR = "What was just being sent may work, and could not be looked for: {}"
_PLANNED_ANEW = f"{NOT_NEEDED} planned anew, with what was just being sent."
_NOT_COUNTED = "What was just being sent may have changed the position: look at it again."


def cancel_all(desk: Desk, wanted: CancelAllRequest, origin: Origin, mode: TradingMode | None = None) -> Report:
    """Withdraw every order that is working at the broker, whatever the modes and the guards say.

    ``mode`` is the current trading mode unless it is given. Raises StorageError, and a BrokerError when the broker
    cannot say what is working; a withdrawal that fails is in the report, and so is, by our reference, an order that
    may still come to be there.
    """
    return without_needless(desk, withdraw_all(desk, wanted, origin, mode))


def withdraw_all(desk: Desk, wanted: CancelAllRequest, origin: Origin, mode: TradingMode | None = None) -> Report:
    """As :func:`cancel_all`, for whoever has more to stop before he asks the broker about single orders."""
    desk.doors.admit(Operation.CANCEL_ALL)
    mode = mode or desk.store.preferences.trading_mode()
    broker = desk.broker(mode)
    draft = draft_of(desk, wanted, origin, mode, routing.rules(desk).order_mode)
    journal, before = desk.store.journal, look(desk, wanted, mode)
    with desk.budget.slot(is_cancel=True):
        try:
            found = _working(desk, broker, wanted, mode)
        except BrokerError as fault:
            # What is planned is in our own hands. Nothing at the broker is withdrawn, and the caller hears it.
            journal.plan(draft, (), reason=_UNREADABLE.format(fault.message))
            raise
        ticket, planned = journal.plan(draft, found.withdrawals())
        unseen = [unseen_leg(wanted, each) for each in found.missing]
        if has_moved(desk, ticket, wanted, before):
            further, unseen = _looked_again(desk, broker, ticket, wanted, found)
            planned += further
        legs = [attempt(desk, broker, ticket, order) for order in planned]
    return report_of(desk, ticket, (*legs, *unseen))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What works and is meant, by its numbers, oldest first, and what is ``missing`` in the book and may be there."""

    working: Sequence[BrokerOrderId]
    missing: Sequence[JournalOrder]

    def withdrawals(self, but: _Found | None = None) -> list[CancelRequest]:
        """None for what another look found, too."""
        known = () if but is None else but.working
        return [CancelRequest(broker_order_id=each) for each in self.working if each not in known]


def _working(desk: Desk, broker: Broker, wanted: CancelAllRequest, mode: TradingMode) -> _Found:
    # The journal first: what arrives between the two readings shows in the second.
    on_their_way = unsettled(desk, mode)
    book = broker.order_book()
    shown = [each.id for each in book if each.status.is_working and is_meant(wanted, each.request, each.tag)]
    unseen = missing(wanted, on_their_way, book)
    # What the broker took a moment ago has a number, and is withdrawn by it after what is known to work.
    taken = [each.broker_order_id for each in unseen if each.broker_order_id is not None]
    return _Found(
        working=[*reversed(shown), *taken],
        missing=[each for each in unseen if each.broker_order_id is None],
    )


def _looked_again(
    desk: Desk, broker: Broker, ticket: Ticket, wanted: CancelAllRequest, found: _Found
) -> tuple[list[JournalOrder], list[Leg]]:
    """The withdrawals of what works by now and was not ``found`` before, planned, and what is not seen. Where nobody
    can tell, what was found is withdrawn all the same, and it is not called done.
    """
    try:
        again = _working(desk, broker, wanted, ticket.trading_mode)
        further = desk.store.journal.plan_further(ticket.id, again.withdrawals(but=found), by=CLOSING)
    except BridgeError as fault:
        untold = CancelRequest(broker_order_id=BrokerOrderId(ticket.ref))
        return [], [Leg(request=untold, refusal=_NOT_LOOKED_FOR.format(fault.message))]
    return further, [unseen_leg(wanted, each) for each in again.missing]


def cancel_ticket(desk: Desk, of: Ticket, origin: Origin) -> Report:
    """Withdraw all that a ticket of several orders has sent and that works, and send nothing more of it.

    Raises as :func:`cancel_all`. The report has no legs where nothing was left to withdraw.
    """
    return cancel_all(desk, CancelAllRequest(ticket=of.ref), origin, of.trading_mode)


def close(
    desk: Desk,
    wanted: CloseRequest,
    origin: Origin,
    mode: TradingMode | None = None,
    *,
    seen: Mapping[PositionKey, int] | None = None,
) -> Report | Held:
    """Close every position, those of one symbol, or one. Orders that work on the closing side are withdrawn first:
    they would open a position again once it is flat.

    In Semi-Auto a program's request waits for the person, unless exits are let through; what the trader himself
    clicks is never held. ``seen`` are the positions that a page named beside its button, signed: no other is closed.
    Raises as :func:`cancel_all`, and Conflict when one of these is on the other side by now, or larger.
    """
    desk.doors.admit(Operation.CLOSE)
    mode = mode or desk.store.preferences.trading_mode()
    check_grant(mode, origin)
    broker = desk.broker(mode)
    reason = ""
    for _ in range(DECISIONS):
        decision = routing.decide_closing(desk, mode)
        reason = decision.reason or reason
        if decision.route is Route.HOLD and not origin.is_by_hand:
            break
        draft = draft_of(desk, wanted, origin, mode, decision.order_mode)
        before = look(desk, wanted, mode)
        with desk.budget.slot(is_exit=True):
            plan = _plan(desk, broker, wanted, mode, seen)
            try:
                ticket, planned = desk.store.journal.plan(draft, messages_of(plan.ways), spares=plan.spared)
            except Conflict as refusal:
                reason = refusal.message
                continue
            closing = _Closing(desk=desk, broker=broker, ticket=ticket, wanted=wanted, seen=seen)
            underway = closing.begun(before, plan, planned)
        return closing.finished(*underway)
    return _hold(desk, draft_of(desk, wanted, origin, mode, OrderMode.SEMI_AUTO), reason)


def ways_out(desk: Desk, wanted: CloseRequest, mode: TradingMode) -> Sequence[WayOut]:
    """How each position would be closed now, in order, for a person who decides about it. Sends and writes nothing.

    Raises StorageError, and a BrokerError when the broker cannot be read.
    """
    return _plan(desk, desk.broker(mode), wanted, mode).ways


def approve(desk: Desk, ticket: Ticket, shown: str, seen: Mapping[PositionKey, int], *, by: Actor) -> Report:
    """The trader lets a held closing go, for the positions that its page named. Raises as :func:`close`, NotFound and
    Conflict.
    """
    if not isinstance(ticket.request, CloseRequest):
        raise Invalid(f"Ticket {ticket.id} is no closing of positions.")
    desk.doors.admit(Operation.CLOSE)
    if ticket.state is not TicketState.HELD or ticket.shown != shown:
        raise Conflict(f"Ticket {ticket.id} is not what was shown. Look at it again.")
    broker, wanted = desk.broker(ticket.trading_mode), ticket.request
    before = look(desk, wanted, ticket.trading_mode)
    with desk.budget.slot(is_exit=True):
        plan = _plan(desk, broker, wanted, ticket.trading_mode, seen)
        approved, planned = desk.store.journal.approve_plan(
            ticket.id, shown, messages_of(plan.ways), by=by, spares=plan.spared
        )
        closing = _Closing(desk=desk, broker=broker, ticket=approved, wanted=wanted, seen=seen)
        underway = closing.begun(before, plan, planned)
    return closing.finished(*underway)


def _hold(desk: Desk, draft: TicketDraft, reason: str) -> Held:
    draft = replace(draft, is_exit=True)
    return Held(ticket=desk.store.journal.hold(draft, expires_at=expires_at(desk, draft), reason=reason), reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How each position that is meant is closed, and what did not show in the book and may open one after that.

    ``spared`` are the exits of those that it does not close, each as one order: what is planned on their sides goes on.
    ``uncounted`` are the legs of positions that may have changed since.
    """

    ways: tuple[WayOut, ...]
    spared: tuple[OrderRequest, ...]
    unseen: tuple[JournalOrder, ...]
    uncounted: tuple[Leg, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closing:
    """A closing that is written down: whatever it means and was planned is given up."""

    desk: Desk
    broker: Broker
    ticket: Ticket
    wanted: CloseRequest
    seen: Mapping[PositionKey, int] | None

    def begun(self, before: Before, plan: _Plan, planned: Sequence[JournalOrder]) -> tuple[Unwinding, _Plan]:
        """Under way, by the plan that counts. Planned anew where something went while the broker was read."""
        if has_moved(self.desk, self.ticket, self.wanted, before):
            plan, planned = self._planned_anew(plan, planned)
        unwinding = Unwinding(self.desk, self.broker, self.ticket, plan.ways, planned)
        unwinding.begin()
        return unwinding, plan

    def finished(self, unwinding: Unwinding, plan: _Plan) -> Report:
        """What became of it. The broker is asked about single orders last: no position waits for their report."""
        legs = unwinding.finish()
        in_doubt = still_in_doubt(self.desk, self.ticket.trading_mode, plan.unseen)
        unseen = (unseen_leg(self.wanted, each) for each in in_doubt)
        return report_of(self.desk, self.ticket, (*legs, *unseen, *plan.uncounted))

    def _planned_anew(self, plan: _Plan, planned: Sequence[JournalOrder]) -> tuple[_Plan, Sequence[JournalOrder]]:
        """Where that cannot be done the first plan goes on, each order of it proven anew, and is not called done."""
        try:
            again = _plan(self.desk, self.broker, self.wanted, self.ticket.trading_mode, self.seen)
            if messages_of(again.ways) != [each.request for each in planned]:
                planned = self.desk.store.journal.plan_anew(
                    self.ticket.id, messages_of(again.ways), _PLANNED_ANEW, by=CLOSING
                )
        except BridgeError:
            uncounted = tuple(Leg(request=way.orders[0], refusal=_NOT_COUNTED) for way in plan.ways)
            return replace(plan, uncounted=uncounted), planned
        return again, planned


def _plan(
    desk: Desk,
    broker: Broker,
    wanted: CloseRequest,
    mode: TradingMode,
    seen: Mapping[PositionKey, int] | None = None,
) -> _Plan:
    """Short positions first: they are the larger risk, and buying back needs no margin."""
    # The journal first: what arrives between the readings shows in the later one.
    sent, moving = unsettled(desk, mode), desk.store.journal.on_their_way()
    book = broker.order_book()
    positions = broker.positions()
    now = _Reading(desk=desk, broker=broker, mode=mode, moving=moving, book=by_position(book), positions=positions)
    open_now = [each for each in positions if each.quantity and is_meant(wanted, each)]
    exits = [exit_of(each) for each in open_now]
    meant = [exit_of(each) for each in sorted(_as_seen(open_now, seen), key=lambda each: each.quantity > 0)]
    ways = tuple(map(now.way_out, meant))
    closed = [order for order, way in zip(meant, ways, strict=True) if now.is_closed_by(way, order)]
    return _Plan(
        ways=ways,
        spared=tuple(order for order in exits if order not in closed),
        unseen=tuple(each for each in missing(wanted, sent, book) if may_open(each, exits)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """An account at the moment for which a closing is planned; ``moving`` is what the journal has on its way.

    Each position has a ``book`` of its own: to look for it among all the orders of a day takes longer than to close it.
    """

    desk: Desk
    broker: Broker
    mode: TradingMode
    moving: Sequence[JournalOrder]
    book: Mapping[PositionKey, Sequence[BrokerOrder]]
    positions: Sequence[Position]

    def way_out(self, order: OrderRequest) -> WayOut:
        """How ``order`` is carried out."""
        beside, parts = self._working_beside(order), _slices(self.desk, order)
        if not beside:
            return WayOut(beside=(), orders=parts)
        refusal = known_refusal(self.broker, parts)
        # Nobody's stop is taken away for a closing that something else keeps from being made.
        can_go = not refusal and self._is_provable(order, {OrderState.PLANNED})
        return WayOut(beside=beside if can_go else (), orders=parts, refusal=refusal)

    def is_closed_by(self, way: WayOut, order: OrderRequest) -> bool:
        """Whether ``way`` closes the position of ``order`` as far as can be known: then nothing else need close it.

        What is just being sent ends in a moment, and is waited for.
        """
        return not way.refusal and self._is_provable(order, {OrderState.PLANNED, OrderState.SENDING})

    def _working_beside(self, order: OrderRequest) -> tuple[BrokerOrder, ...]:
        """What works on the side of a closing order, oldest first."""
        book = self.book.get(position_of(order), ())
        return tuple(each for each in reversed(book) if each.status.is_working and is_on_same_side(each.request, order))

    def _is_provable(self, order: OrderRequest, ended: Collection[OrderState]) -> bool:
        return is_provable(
            self.desk,
            self.broker,
            order,
            self.mode,
            book=self.book.get(position_of(order), ()),
            positions=self.positions,
            without={each.id for each in self._working_beside(order)},
            ended=[each for each in self.moving if each.state in ended],
        )


def _as_seen(positions: Sequence[Position], seen: Mapping[PositionKey, int] | None) -> Sequence[Position]:
    """Those that the person saw, none of them turned or grown since. Raises Conflict."""
    if seen is None:
        return positions
    known = [each for each in positions if position_of(each) in seen]
    for each in known:
        before = seen[position_of(each)]
        if not is_within(each.quantity, before):
            raise Conflict(f"{each.symbol} is {each.quantity} now, and was {before} when you looked. Nothing was sent.")
    return known


def exit_of(position: Position) -> OrderRequest:
    """What closes an open position: a MARKET order for all of it."""
    return OrderRequest(
        symbol=position.symbol,
        exchange=position.exchange,
        action=closing_action(position.quantity),
        quantity=abs(position.quantity),
        product=position.product,
    )


def _slices(desk: Desk, order: OrderRequest) -> tuple[OrderRequest, ...]:
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    return (order,) if instrument is None else within_freeze(order, instrument)
