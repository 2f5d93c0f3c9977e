"""Place, modify, cancel: the one path of an order (design 4). Every front door joins here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, NotAsked, NotFound, StorageError
from openalgo_bridge.model.exits import is_on_same_side
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import (
    CancelRequest,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.permission import Permission, refusal
from openalgo_bridge.model.session import session_end
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft, new_ref, operation_of
from openalgo_bridge.trading import exits, guards, routing, targets, validation
from openalgo_bridge.trading.guards import Case
from openalgo_bridge.trading.routing import Decision, Route, Rules
from openalgo_bridge.trading.sending import InDoubt, Sent, by_itself, carry_out, clearance
from openalgo_bridge.trading.targets import Target

DECISIONS = 3
"""How often a request is decided before it is held, when the modes or the positions change each time meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Waits in the Action Center. ``reason`` is set when it is held although the mode is Auto."""

    ticket: Ticket
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A ticket that was held was taken back by whoever asked for it. Nothing was at a broker."""

    ticket: Ticket


Submitted = Held | Sent | InDoubt


def place(desk: Desk, order: OrderRequest, origin: Origin) -> Submitted:
    """Place one order in the current trading mode.

    Raises Invalid, NotAllowed where the sender may not trade live, Denied by a guard, a provable refusal of the
    broker, or StorageError when it could not be written down. In all of these nothing is at the broker.
    """
    standing = desk.store.standing.read()
    if standing.trading_mode is None:
        raise StorageError("The trading mode cannot be read, so nothing is sent.")
    return submit(desk, order, origin, standing.trading_mode, routing.rules_of(standing))


def modify(desk: Desk, wanted: str, order: OrderRequest, origin: Origin) -> Submitted:
    """Change one order so that it becomes ``order``. Raises as :func:`place`, NotFound and Conflict."""
    target = targets.find(desk, wanted)
    request = ModifyRequest(broker_order_id=target.broker_order_id, order=order)
    return submit(desk, request, origin, target.trading_mode, routing.rules(desk))


def cancel(desk: Desk, wanted: str, origin: Origin) -> Submitted | Withdrawn:
    """Withdraw one order: from the queue while it is held, else from the broker. Raises as :func:`modify`."""
    held = targets.held(desk, wanted)
    if held is not None and _withdrawn(desk, held):
        return Withdrawn(ticket=held)
    target = targets.find(desk, wanted)
    return withdraw(desk, target, origin)


def withdraw(desk: Desk, target: Target, origin: Origin) -> Sent | InDoubt:
    """Cancel one order at the broker, whatever the modes and the guards say: a cancel never waits (design 4)."""
    desk.doors.admit(Operation.CANCEL)
    broker = desk.broker(target.trading_mode)
    request = CancelRequest(broker_order_id=target.broker_order_id)
    draft = draft_of(desk, request, origin, target.trading_mode, routing.rules(desk).order_mode)
    with clearance(desk, broker, Operation.CANCEL, is_exit=by_itself):
        ticket, permit = desk.store.journal.release(draft)
        return carry_out(desk, broker, ticket, permit)


def check_grant(trading_mode: TradingMode, origin: Origin) -> None:
    """Real money is a grant of its own, for all but cancels. Raises NotAllowed."""
    if trading_mode is TradingMode.LIVE and not origin.may_trade_live:
        raise refusal(Permission.LIVE_TRADING)


def submit(
    desk: Desk,
    request: OrderRequest | ModifyRequest,
    origin: Origin,
    trading_mode: TradingMode,
    rules: Rules,
    *,
    asked: TicketRequest | None = None,
) -> Submitted:
    """Check, decide, write down, and carry out, hold or refuse.

    What the decision was based on may change before the claim, which then refuses; so it is decided again, by the
    ``rules`` of that moment. ``asked`` is what the person is to decide about where that is more than the order: it is
    made anew when he has. Raises as :func:`place`.
    """
    check_grant(trading_mode, origin)
    desk.doors.admit(operation_of(request))
    validation.check(desk.store.instruments, request, day_in_india(desk.clock.now()))
    broker = desk.broker(trading_mode)
    if isinstance(request, ModifyRequest):
        # It names an order that is there, so it may take a place that is kept back for exits.
        with desk.budget.slot(is_exit=True):
            check_target(broker, request)
    changed = ""
    for attempt in range(DECISIONS):
        if attempt:
            rules = routing.rules(desk)
        case = guards.case_of(desk, broker, request, origin, trading_mode)
        decision = routing.decide(case, rules)
        draft = draft_of(desk, request, origin, trading_mode, decision.order_mode)
        waiting = draft if asked is None else replace(draft, operation=operation_of(asked), request=asked)
        if decision.route is not Route.SEND:
            try:
                return _stop(desk, case, waiting, decision)
            except Conflict as refusal:
                changed = refusal.message
                continue
        looks_like_exit = partial(exits.is_proven, desk, broker, request, trading_mode)
        is_exit = looks_like_exit if decision.reserve is None else by_itself
        if decision.reserve is not None:
            # What went as an exit goes as one or not at all when the person sends it again.
            draft = replace(draft, is_exit=True)
        with clearance(desk, broker, draft.operation, is_exit=is_exit, limits=rules.limits):
            try:
                ticket, permit = desk.store.journal.release(draft, reserve=decision.reserve, premises=decision.premises)
            except Denied as refusal:
                changed = refusal.reason
                continue
            except Conflict as refusal:
                changed = refusal.message
                continue
            return carry_out(desk, broker, ticket, permit)
    return _hold(desk, case, waiting, changed)


def draft_of(
    desk: Desk, request: TicketRequest, origin: Origin, trading_mode: TradingMode, order_mode: OrderMode
) -> TicketDraft:
    """A ticket for ``request``, with a reference of its own and the modes that it keeps."""
    return TicketDraft(
        ref=new_ref(desk.clock.now()),
        operation=operation_of(request),
        request=request,
        order_mode=order_mode,
        trading_mode=trading_mode,
        origin=origin,
    )


def denied(desk: Desk, draft: TicketDraft, guard: Guard, reason: str) -> Denied:
    """The refusal of a guard, once it is written down. Raises StorageError when it cannot be."""
    ticket = desk.store.journal.deny(draft, guard=guard, reason=reason)
    refusal = Denied(reason, guard)
    refusal.ticket_id, refusal.trading_mode = ticket.id, ticket.trading_mode
    return refusal


def _stop(desk: Desk, case: Case, draft: TicketDraft, decision: Decision) -> Held:
    """Raises Denied, and Conflict where the same signal was held a moment ago."""
    if decision.guard is not None:
        raise denied(desk, draft, decision.guard, decision.reason)
    return _hold(desk, case, draft, decision.reason, decision.limits)


def _hold(desk: Desk, case: Case, draft: TicketDraft, reason: str, limits: GuardSettings | None = None) -> Held:
    """Only what the broker would take, as far as that can be known, is worth the person's time."""
    with suppress(NotAsked):
        case.broker.check(case.order)
    now = desk.clock.now()
    held_for = desk.store.guards.held_for(draft.origin.source)
    # An exit waits as long as it can still be made: to let it lapse unseen would leave the position open.
    try:
        is_exit = may_be_exit = exits.effect(case.broker, case.request).is_exit
    except BridgeError as fault:
        is_exit, may_be_exit = False, True
        reason = f"{reason} {guards.ALARM.format(fault.message)}".strip()
    expires_at = now + held_for
    if may_be_exit:
        expires_at = session_end(desk.store.calendar.load(), case.order.exchange, now, held_for)
    draft = replace(draft, price_then=_known_price(case), is_exit=is_exit)
    ticket = desk.store.journal.hold(draft, expires_at=expires_at, reason=reason, limits=limits)
    return Held(ticket=ticket, reason=reason)


def _known_price(case: Case) -> Decimal | None:
    """For the person to compare with; nothing depends on it, so it may be missing."""
    try:
        return case.last_price()
    except BridgeError:
        return None


def _withdrawn(desk: Desk, held: Ticket) -> bool:
    try:
        desk.store.journal.withdraw(held.id)
    except Conflict:
        # Approved a moment ago: it is at the broker now, and is cancelled there. Or its time is over.
        desk.store.journal.expire_held()
        return False
    return True


def check_target(broker: Broker, request: ModifyRequest) -> None:
    """Whether there is something to change.

    A change is of the quantity, the prices and their type. Under another product it would be of another position, and
    what closes that one would let through what opens this one. Raises NotFound, Invalid, or a BrokerError.
    """
    there = broker.order(request.broker_order_id)
    if there is None:
        raise NotFound(f"Order {request.broker_order_id} not found")
    known = there.request
    if not is_on_same_side(request.order, known):
        raise Invalid(
            f"Order {there.id} is {known.action} {known.symbol} on {known.exchange}, product {known.product}."
        )
    if not there.status.is_working:
        raise Invalid(f"Cannot modify order in {there.status} status")
