"""A ticket of several entries: a basket, the slices of a split, the legs of an option strategy, a smart order.

Each order is judged, claimed and carried out by itself, in the order in which they were planned, so that each gets a
true word. The whole is held while the person decides, and is the same ticket again when he has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Invalid, NotAsked, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import Action, BrokerRequest, LegsRequest, OrderRequest
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft
from openalgo_bridge.store.guards import Signal
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import exits, guards, routing, validation
from openalgo_bridge.trading.guards import Obstacle, Passage
from openalgo_bridge.trading.legs import Leg, Report, drop
from openalgo_bridge.trading.orders import DECISIONS, Held, check_grant, denied, draft_of
from openalgo_bridge.trading.routing import ROUTES, Route, Rules
from openalgo_bridge.trading.sending import by_itself, carry_out, clearance

_UNCOVERED = "Not sent, because a leg that buys is not at the broker: what is sold would stand alone."


def place(desk: Desk, request: LegsRequest, origin: Origin) -> Report | Held:
    """Place several orders in the current trading mode; the report has a true word for each.

    Raises Invalid, which names the order, NotAllowed, Denied where the same came a moment ago, or StorageError: in all
    of these nothing of it is at the broker.
    """
    standing = desk.store.standing.read()
    mode = standing.trading_mode
    if mode is None:
        raise StorageError("The trading mode cannot be read, so nothing is sent.")
    check_grant(mode, origin)
    desk.doors.admit(Operation(request.kind))
    check(desk, request)
    broker, rules, changed = desk.broker(mode), routing.rules_of(standing), ""
    for attempt in range(DECISIONS):
        if attempt:
            rules = routing.rules(desk)
        draft = draft_of(desk, request, origin, mode, rules.order_mode)
        _refuse_repeat(desk, draft, rules.limits)
        reason = rules.unreadable or desk.doors.reason
        if reason or ROUTES[draft.operation, rules.order_mode] is Route.HOLD:
            return _hold(desk, broker, draft, reason)
        try:
            ticket, planned = desk.store.journal.plan(draft, request.orders)
        except Conflict as refusal:
            changed = refusal.message
            continue
        return Report(ticket=ticket, legs=tuple(_sent(desk, broker, ticket, planned)))
    return _hold(desk, broker, draft, changed)


def approve(desk: Desk, held: Ticket, request: LegsRequest, shown: str, *, by: Actor) -> Report:
    """The person lets all of it go. Raises as :func:`place`, NotFound and Conflict; the ticket then is still held."""
    desk.doors.admit(held.operation)
    check(desk, request)
    broker = desk.broker(held.trading_mode)
    approved, planned = desk.store.journal.approve_plan(held.id, shown, request.orders, by=by)
    return Report(ticket=approved, legs=tuple(_sent(desk, broker, approved, planned, is_approved=True)))


def check(desk: Desk, request: LegsRequest) -> None:
    """Raises Invalid naming every fault of every order, by its place in the request."""
    faults: dict[str, list[str]] = {}
    for index, order in enumerate(request.orders):
        try:
            check_order(desk, order)
        except Invalid as refusal:
            named = refusal.faults or {"order": [refusal.message]}
            faults |= {f"orders[{index}].{field}": texts for field, texts in named.items()}
    if faults:
        raise Invalid.of(faults)


def check_order(desk: Desk, order: OrderRequest) -> None:
    """Raises Invalid for an order that makes no sense."""
    validation.check(desk.store.instruments, order, day_in_india(desk.clock.now()))


def send(
    desk: Desk,
    broker: Broker,
    ticket: Ticket,
    order: JournalOrder,
    *,
    is_approved: bool,
    passage: Passage | None = None,
) -> Leg:
    """Judge one planned order, claim it and carry it out; dropped with its reason where it may not go.

    ``passage`` is how it may go where that was judged already.
    """
    request = order.request
    if not isinstance(request, OrderRequest):
        raise RuntimeError(f"order {order.ref} is no entry")
    try:
        way = passage or _judged(desk, broker, ticket, request)
        proven = partial(exits.is_proven, desk, broker, request, ticket.trading_mode)
        is_exit = proven if way.reserve is None else by_itself
        with clearance(desk, broker, Operation.PLACE, is_exit=is_exit):
            permit = desk.store.journal.claim(
                order.id, reserve=way.reserve, premises=way.premises, is_approved=is_approved
            )
            return _carried_out(desk, broker, ticket, permit, request)
    except BridgeError as refusal:
        return drop(desk, order, refusal.message)


def _sent(
    desk: Desk, broker: Broker, ticket: Ticket, planned: Sequence[JournalOrder], *, is_approved: bool = False
) -> Iterator[Leg]:
    """Of an option strategy nothing is sold once a leg that buys is missing: alone, its loss has no end."""
    is_uncovered = False
    for order in planned:
        request = order.request
        sells = isinstance(request, OrderRequest) and request.action is Action.SELL
        if is_uncovered and sells:
            yield drop(desk, order, _UNCOVERED)
            continue
        leg = send(desk, broker, ticket, order, is_approved=is_approved)
        is_uncovered |= ticket.operation is Operation.MULTI_LEG and not sells and not leg.is_done
        yield leg


def _carried_out(
    desk: Desk, broker: Broker, ticket: Ticket, permit: SendPermit[BrokerRequest], request: OrderRequest
) -> Leg:
    try:
        return Leg(request=request, result=carry_out(desk, broker, ticket, permit), ref=permit.ref)
    except BridgeError as refusal:
        return Leg(request=request, refusal=refusal.message, ref=permit.ref)


def _judged(desk: Desk, broker: Broker, ticket: Ticket, order: OrderRequest) -> Passage:
    """By the switches and limits of this moment. Raises Denied by a guard, or Conflict with the reason."""
    rules = routing.rules(desk)
    case = guards.case_of(desk, broker, order, ticket.origin, ticket.trading_mode)
    case = replace(case, ticket=ticket, is_leg=True)
    judged = guards.passage(case, rules.limits, _in_the_way(desk, case, rules))
    if judged.stopped_by is not None:
        raise guards.refused(judged.stopped_by)
    return judged


def _in_the_way(desk: Desk, case: guards.Case, rules: Rules) -> Iterator[Obstacle]:
    yield from guards.obstacles(case, rules.limits, rules.kill_switch)
    for reason in (rules.unreadable, desk.doors.reason):
        if reason:
            yield Obstacle(reason=reason, exits_pass=False)


def _refuse_repeat(desk: Desk, draft: TicketDraft, limits: GuardSettings) -> None:
    """Raises Denied where the same source asked for the same a moment ago; of what it sends each order is judged."""
    window = limits.duplicate_window_of(draft.origin.source)
    if window is None or draft.origin.is_by_hand or not draft.signal:
        return
    signal = Signal.of(draft, desk.clock.now())
    if desk.store.guards.has_equal_signal(signal, timedelta(seconds=window)):
        reason = f"The same source asked for exactly the same less than {window} s ago."
        raise denied(desk, draft, Guard.DUPLICATE_SIGNAL, reason)


def _hold(desk: Desk, broker: Broker, draft: TicketDraft, reason: str) -> Held:
    """Only what the broker would take, as far as that can be known, is worth the person's time."""
    if isinstance(draft.request, LegsRequest):
        for order in draft.request.orders:
            with suppress(NotAsked):
                broker.check(order)
    expires_at = desk.clock.now() + desk.store.guards.held_for(draft.origin.source)
    return Held(ticket=desk.store.journal.hold(draft, expires_at=expires_at, reason=reason), reason=reason)
