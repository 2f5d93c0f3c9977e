"""A ticket of several entries: a basket, the slices of a split, the legs of an option strategy.

Each order is judged, claimed and carried out by itself, in the order in which they were planned, so that each gets a
true word. The whole is held while the person decides, and is the same ticket again when he has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Invalid, NotAsked, Rejected, Stopped
from openalgo_bridge.model import expand
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.legs import UNKNOWN, Arrival, Side
from openalgo_bridge.model.order import Action, LegsKind, LegsRequest, OrderRequest, Ref, TradingMode
from openalgo_bridge.model.refs import child_refs
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft
from openalgo_bridge.store.claims import JournalMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import exits, guards, hedges, routing, validation, whole
from openalgo_bridge.trading.arrival import arrivals
from openalgo_bridge.trading.guards import Obstacle, Passage
from openalgo_bridge.trading.hedges import Cover
from openalgo_bridge.trading.legs import Leg, Report, drop
from openalgo_bridge.trading.orders import DECISIONS, Held, check_grant, denied, draft_of, expires_at
from openalgo_bridge.trading.release import Release, entry
from openalgo_bridge.trading.routing import ROUTES, Route, Rules
from openalgo_bridge.trading.sending import by_itself, clearance

_SLICED = {LegsKind.SPLIT, LegsKind.OPTIONS}
"""One order in pieces."""

_UNCOVERED = "Not sent, because a leg that buys is not at the broker: what is sold would stand alone."


def place(desk: Desk, request: LegsRequest, origin: Origin, chosen_in: TradingMode | None = None) -> Report | Held:
    """Place several orders in the current trading mode; the report has a true word for each.

    ``chosen_in`` is as :func:`~openalgo_bridge.trading.routing.account_of` takes it. Raises Invalid, which names the
    order, Conflict where that account is not current any more, NotAllowed, Denied by a guard that stops all of it,
    Busy, or StorageError: in all of these nothing of it is at the broker.
    """
    standing = desk.store.standing.read()
    mode = routing.account_of(standing, chosen_in)
    check_grant(mode, origin)
    desk.doors.admit(Operation(request.kind))
    check(desk, request, mode)
    request = _in_turn(request)
    broker, rules, changed = desk.broker(mode), routing.rules_of(standing), ""
    after = desk.store.journal.mark()
    for attempt in range(DECISIONS):
        if attempt:
            rules = routing.rules(desk)
        draft = draft_of(desk, request, origin, mode, rules.order_mode)
        try:
            return _decided(desk, broker, draft, request, rules, after)
        except Conflict as refusal:
            changed = refusal.message
            if isinstance(refusal, Stopped):
                break
    return _hold(desk, broker, draft, request, changed)


def _decided(
    desk: Desk, broker: Broker, draft: TicketDraft, request: LegsRequest, rules: Rules, after: JournalMark
) -> Report | Held:
    """Raises Conflict, before anything was written, where what it was decided on has changed meanwhile."""
    unsafe = rules.unreadable or desk.doors.reason_for(draft.trading_mode)
    is_asked_to_wait = ROUTES[draft.operation, rules.order_mode] is Route.HOLD
    way = whole.passage(desk, broker, draft, request, rules, waits=bool(unsafe) or is_asked_to_wait)
    stopped = way.stopped_by
    if stopped is not None and stopped.guard is not None:
        raise denied(desk, draft, stopped.guard, stopped.reason)
    is_exit = partial(whole.is_proven_exit, desk, broker, request, draft.origin, draft.trading_mode)
    reason = unsafe or ("" if stopped is None else stopped.reason)
    if reason or (is_asked_to_wait and not (rules.limits.let_exits_through and is_exit())):
        return _hold(desk, broker, draft, request, reason, rules.limits)
    # What passes Semi-Auto passes as an exit: each order of it goes as one or not at all.
    draft = replace(draft, is_exit=is_asked_to_wait)
    with clearance(desk, broker, draft.operation, is_exit=by_itself if draft.is_exit else is_exit, limits=rules.limits):
        ticket, planned = desk.store.journal.plan(
            draft, request.orders, limits=rules.limits, after=after, room=way.premises
        )
        return Report(ticket=ticket, legs=_Release(desk=desk, broker=broker, ticket=ticket).legs(planned))


def approve(desk: Desk, held: Ticket, request: LegsRequest, shown: str, *, by: Actor) -> Report:
    """The person lets all of it go. Raises as :func:`place`, NotFound and Conflict: nothing of it could go, or it is
    not what was shown. The ticket then is still held.
    """
    desk.doors.admit(held.operation)
    check(desk, request, held.trading_mode)
    broker = desk.broker(held.trading_mode)
    is_exit = partial(whole.is_proven_exit, desk, broker, request, held.origin, held.trading_mode)
    after = desk.store.journal.mark()
    with clearance(desk, broker, held.operation, is_exit=is_exit):
        standing = desk.store.standing.read()
        way = whole.check_approval(desk, broker, held, request, standing)
        approved, planned = desk.store.journal.approve_plan(
            held.id, shown, request.orders, by=by, limits=standing.limits, after=after, room=way.premises
        )
        release = _Release(desk=desk, broker=broker, ticket=approved, is_approved=True, stopped=way.stopped)
        return Report(ticket=approved, legs=release.legs(planned))


def _in_turn(request: LegsRequest) -> LegsRequest:
    """A basket buys first; faults were told by the places that its sender gave them."""
    if request.kind is not LegsKind.BASKET:
        return request
    return replace(request, orders=expand.buy_first(request.orders, lambda each: each.action))


def check(desk: Desk, request: LegsRequest, mode: TradingMode) -> None:
    """Raises Invalid naming every fault of every order, by its place in the request, or where they are more than a
    ticket has references for: it could never go. What is wrong with a slice is wrong with the order that was asked for.
    """
    child_refs(Ref(""), request.orders)
    faults: dict[str, list[str]] = {}
    for index, order in enumerate(request.orders):
        try:
            check_order(desk, order, mode)
        except Invalid as refusal:
            if request.kind in _SLICED:
                raise
            faults |= refusal.within(f"orders[{index}]")
    if faults:
        raise Invalid.of(faults)


def check_order(desk: Desk, order: OrderRequest, mode: TradingMode) -> None:
    """Raises Invalid, also for what the broker refuses whatever the account holds: the others would go without it."""
    validation.check(desk, order, mode)
    try:
        desk.broker(mode).check(order)
    except NotAsked:
        return
    except Rejected as refusal:
        raise Invalid(refusal.message) from refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release(Release):
    """Under the clearance of its first order. ``stopped`` are sides of which nothing may go, though the rest may."""

    stopped: Mapping[Side, Obstacle] = field(default_factory=dict)

    def legs(self, planned: Sequence[JournalOrder]) -> tuple[Leg, ...]:
        """Each in its turn, whatever became of the others.

        Of an option strategy nothing that opens is sold once a leg that buys is missing: alone, its loss has no end.
        """
        arrivals = self.ticket.arrivals or [UNKNOWN] * len(planned)
        legs: tuple[Leg, ...] = ()
        cover: Cover | None = None
        for order, then in zip(planned, arrivals, strict=True):
            if self.ticket.operation is Operation.MULTI_LEG and cover is None and entry(order).action is Action.SELL:
                cover = hedges.cover(self.desk, self.broker, legs)
                legs = cover.legs
            in_the_way = [] if cover is None or cover.is_whole else [Obstacle(reason=_UNCOVERED)]
            in_the_way += whole.among(self.stopped, entry(order), then)
            legs += (self._leg(order, then, in_the_way, is_first=not legs),)
        return legs

    def _leg(self, order: JournalOrder, then: Arrival, in_the_way: Sequence[Obstacle], *, is_first: bool) -> Leg:
        def judge() -> Passage:
            return self.way(whole.case(self.desk, self.broker, self.ticket, entry(order)), then, in_the_way)

        try:
            return self.go(order, judge, is_cleared=is_first)
        except BridgeError as refusal:
            return drop(self.desk, order, refusal.message)


def _hold(
    desk: Desk,
    broker: Broker,
    draft: TicketDraft,
    request: LegsRequest,
    reason: str,
    limits: GuardSettings | None = None,
) -> Held:
    """What only closes waits as long as it can still be made, and so does what nobody can tell of.

    Raises Conflict where ``limits`` stop the same signal from coming twice, and it came meanwhile.
    """
    draft, alarm = _arrived(desk, broker, draft, request)
    reason = f"{reason} {alarm}".strip()
    ticket = desk.store.journal.hold(draft, expires_at=expires_at(desk, draft), reason=reason, limits=limits)
    return Held(ticket=ticket, reason=reason)


def _arrived(desk: Desk, broker: Broker, draft: TicketDraft, request: LegsRequest) -> tuple[TicketDraft, str]:
    """The ticket with what each order is as it comes, and an alarm where nobody can tell what it closes."""
    try:
        positions = exits.holds(broker, request.orders)
    except BridgeError as fault:
        came = arrivals(desk, broker, request.orders, positions=[])
        return replace(draft, arrivals=came, is_unread=True), guards.alarm(fault)
    came = arrivals(desk, broker, request.orders, positions)
    return replace(draft, arrivals=came, is_exit=all(each.is_exit for each in came)), ""
