"""Place, modify, cancel: the one path of an order (design 4). Every front door joins here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, NotAsked, NotFound, Stopped
from openalgo_bridge.model.exits import is_on_same_side
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import (
    CancelAllRequest,
    CancelGttRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    LegsRequest,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.permission import Permission, refusal
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.session import session_end
from openalgo_bridge.model.ticket import Origin, Ticket, TicketDraft, named_order, operation_of
from openalgo_bridge.store.claims import Reservation
from openalgo_bridge.store.guards import Premises
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaken:
    """What the decision was based on changed before the claim. Nothing was written: it is to be decided again, or held
    where it ``is_stopped``: somebody cancelled or closed everything meanwhile.
    """

    reason: str
    is_stopped: bool = False


Submitted = Held | Sent | InDoubt


def place(desk: Desk, order: OrderRequest, origin: Origin, chosen_in: TradingMode | None = None) -> Submitted:
    """Place one order in the current trading mode.

    ``chosen_in`` is as :func:`~openalgo_bridge.trading.routing.account_of` takes it. Raises Invalid, Conflict where
    that is not current any more, NotAllowed where the sender may not trade live, Denied by a guard, a provable refusal
    of the broker, or StorageError when it could not be written down. In all of these nothing is at the broker.
    """
    standing = desk.store.standing.read()
    mode = routing.account_of(standing, chosen_in)
    return submit(desk, order, origin, mode, routing.rules_of(standing))


def modify(desk: Desk, wanted: str, order: OrderRequest, origin: Origin) -> Submitted:
    """Change one order so that it becomes ``order``. Raises as :func:`place`, NotFound and Conflict."""
    target = targets.find(desk, wanted)
    request = ModifyRequest(broker_order_id=target.broker_order_id, order=order)
    return submit(desk, request, origin, target.trading_mode, routing.rules(desk))


def cancel(desk: Desk, wanted: str, origin: Origin) -> Submitted | Withdrawn:
    """Withdraw one order: from the queue while it is held, else from the broker. Raises as :func:`modify`."""
    held = targets.held(desk, wanted)
    if held is not None and take_back(desk, held):
        return Withdrawn(ticket=held)
    target = targets.find(desk, wanted)
    return withdraw(desk, target, origin)


def withdraw(desk: Desk, target: Target, origin: Origin) -> Sent | InDoubt:
    """Cancel one order at the broker, whatever the modes and the guards say: a cancel never waits (design 4)."""
    return send_withdrawal(desk, CancelRequest(broker_order_id=target.broker_order_id), origin, target.trading_mode)


def send_withdrawal(
    desk: Desk, request: CancelRequest | CancelGttRequest, origin: Origin, trading_mode: TradingMode
) -> Sent | InDoubt:
    """As :func:`withdraw`, of an order or of a GTT."""
    desk.doors.admit(operation_of(request))
    broker = desk.broker(trading_mode)
    draft = draft_of(desk, request, origin, trading_mode, routing.rules(desk).order_mode)
    with clearance(desk, broker, draft.operation, is_exit=by_itself):
        ticket, permit = desk.store.journal.release(draft)
        return carry_out(desk, broker, ticket, permit)


def check_grant(trading_mode: TradingMode, origin: Origin) -> None:
    """Real money is a grant of its own, for all but cancels. Raises NotAllowed."""
    if trading_mode is TradingMode.LIVE and not origin.may_trade_live:
        raise refusal(Permission.LIVE_TRADING)


def submit(
    desk: Desk, request: OrderRequest | ModifyRequest, origin: Origin, trading_mode: TradingMode, rules: Rules
) -> Submitted:
    """Check, decide, write down, and carry out, hold or refuse.

    What the decision was based on may change before the claim, which then refuses; so it is decided again, by the
    ``rules`` of that moment. Raises as :func:`place`.
    """
    check_grant(trading_mode, origin)
    desk.doors.admit(operation_of(request))
    validation.check(desk, request, trading_mode)
    broker = desk.broker(trading_mode)
    if isinstance(request, ModifyRequest):
        # It names an order that is there, so it may take a place that is kept back for exits.
        with desk.budget.slot(is_exit=True):
            check_target(broker, request)
    changed, after = "", desk.store.journal.mark()
    for attempt in range(DECISIONS):
        if attempt:
            rules = routing.rules(desk)
        case = replace(guards.case_of(desk, broker, request, origin, trading_mode), after=after)
        outcome = decide(case, rules)
        if not isinstance(outcome, Overtaken):
            return outcome
        changed = outcome.reason
        if outcome.is_stopped:
            break
    return hold_overtaken(case, rules, changed)


def decide(case: Case, rules: Rules) -> Submitted | Overtaken:
    """Decide about one order once, and send, hold or refuse it. Raises as :func:`place`, and Busy."""
    decision = routing.decide(case, rules)
    if decision.route is not Route.SEND:
        return stop(case, decision)
    return _send(case, decision, rules)


def stop(case: Case, decision: Decision) -> Held | Overtaken:
    """Hold or refuse what is not sent by itself. Raises Denied by a guard."""
    draft = waiting(case, decision.order_mode)
    if decision.guard is not None:
        raise denied(case.desk, draft, decision.guard, decision.reason)
    try:
        return _hold(case, draft, decision.reason, decision.limits)
    except Conflict as refusal:
        return Overtaken(reason=refusal.message)


def hold_overtaken(case: Case, rules: Rules, reason: str) -> Held:
    """What was overtaken each time waits for the person. Raises as :func:`place`."""
    return _hold(case, waiting(case, rules.order_mode), reason)


def hold_untold(case: Case, rules: Rules, fault: BridgeError) -> Held:
    """A wish whose order nobody can tell now waits as what may be an exit does. Raises StorageError, or a refusal of
    what the broker would never take.
    """
    reason = fault.message if isinstance(fault, Conflict) else guards.alarm(fault)
    return _wait(case, replace(waiting(case, rules.order_mode), is_unread=True), reason)


def _send(case: Case, decision: Decision, rules: Rules) -> Submitted | Overtaken:
    desk, broker = case.desk, case.broker
    draft = draft_of(desk, case.request, case.origin, case.mode, decision.order_mode)
    # What went as an exit goes as one or not at all when the person sends it again.
    draft = replace(draft, wish=case.wish, is_exit=decision.reserve is not None)
    looks_like_exit = partial(exits.is_proven, desk, broker, case.request, case.mode)
    is_exit = looks_like_exit if decision.reserve is None else by_itself
    return claim(desk, broker, draft, decision.reserve, decision.premises, is_exit=is_exit, limits=rules.limits)


def claim(
    desk: Desk,
    broker: Broker,
    draft: TicketDraft,
    reserve: Reservation | None,
    premises: Premises | None,
    *,
    is_exit: Callable[[], bool],
    limits: GuardSettings | None,
) -> Sent | InDoubt | Overtaken:
    """Take its place at the broker, write it down as sending where what it was judged on is true still, and send it.

    ``is_exit`` and ``limits`` are as :func:`clearance` takes them. Raises as that, and as :func:`carry_out`.
    """
    with clearance(desk, broker, draft.operation, is_exit=is_exit, limits=limits):
        try:
            ticket, permit = desk.store.journal.release(draft, reserve=reserve, premises=premises)
        except Denied as refusal:
            return Overtaken(reason=refusal.reason)
        except Conflict as refusal:
            return Overtaken(reason=refusal.message, is_stopped=isinstance(refusal, Stopped))
        return carry_out(desk, broker, ticket, permit)


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


def expires_at(desk: Desk, draft: TicketDraft) -> datetime:
    """Until when it waits for the person. What is or may be an exit waits as long as it can still be made: to let it
    lapse unseen would leave the position open.
    """
    now, held_for = desk.clock.now(), desk.store.guards.held_for(draft.origin.source)
    if not (draft.is_exit or draft.is_unread):
        return now + held_for
    calendar = desk.store.calendar.load()
    return max(session_end(calendar, each, now, held_for) for each in _exchanges(draft.request))


def _exchanges(request: TicketRequest) -> tuple[Exchange | None, ...]:
    """Where what it asks for is traded; None for every exchange."""
    if isinstance(request, LegsRequest):
        return tuple(each.exchange for each in request.orders)
    if isinstance(request, CancelAllRequest | CloseRequest):
        return (request.exchange,)
    order = named_order(request)
    return (None if order is None else order.exchange,)


def waiting(case: Case, order_mode: OrderMode) -> TicketDraft:
    """What the person is to decide about: the wish, where the order was worked out from one."""
    return draft_of(case.desk, case.wanted, case.origin, case.mode, order_mode)


def denied(desk: Desk, draft: TicketDraft, guard: Guard, reason: str) -> Denied:
    """The refusal of a guard, once it is written down. Raises StorageError when it cannot be."""
    ticket = desk.store.journal.deny(draft, guard=guard, reason=reason)
    refusal = Denied(reason, guard)
    refusal.ticket_id, refusal.trading_mode = ticket.id, ticket.trading_mode
    return refusal


def _hold(case: Case, draft: TicketDraft, reason: str, limits: GuardSettings | None = None) -> Held:
    """Raises as :func:`_wait`."""
    try:
        draft = replace(draft, is_exit=exits.effect(case.broker, case.request).is_exit)
    except BridgeError as fault:
        draft = replace(draft, is_unread=True)
        told = guards.alarm(fault)
        # The same read may have failed before, when the order was judged.
        reason = reason if told in reason else f"{reason} {told}".strip()
    return _wait(case, draft, reason, limits)


def _wait(case: Case, draft: TicketDraft, reason: str, limits: GuardSettings | None = None) -> Held:
    """Only what the broker would take, as far as that can be known, is worth the person's time. Raises Conflict where
    the same signal was held a moment ago.
    """
    desk = case.desk
    with suppress(NotAsked):
        case.broker.check(case.messages()[0])
    draft = replace(draft, price_then=_known_price(case))
    ticket = desk.store.journal.hold(draft, expires_at=expires_at(desk, draft), reason=reason, limits=limits)
    return Held(ticket=ticket, reason=reason)


def _known_price(case: Case) -> Decimal | None:
    """For the person to compare with. Where it is missing he is asked when it can be read."""
    try:
        return case.last_price()
    except BridgeError:
        return None


def take_back(desk: Desk, held: Ticket) -> bool:
    """Withdraw what waits for the person, for whoever asked for it; False where it does not wait any more."""
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
