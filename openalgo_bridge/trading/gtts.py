"""GTTs: orders that wait for their price over days. Judged, written down and sent as orders are (design 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Invalid, NotAsked, NotFound, NotOffered
from openalgo_bridge.model import gtt
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.legs import Arrival
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    GttRequest,
    ModifyGttRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, gtt_of, operation_of
from openalgo_bridge.trading import exits, gtt_cases, guards, orders, routing, targets, validation
from openalgo_bridge.trading.gtt_cases import Asked, GttCase, cases_of
from openalgo_bridge.trading.guards import Obstacle, Passage
from openalgo_bridge.trading.orders import DECISIONS, Held, Overtaken, Submitted, Withdrawn
from openalgo_bridge.trading.routing import ROUTES, Route, Rules
from openalgo_bridge.trading.sending import InDoubt, Sent, carry_out, clearance
from openalgo_bridge.trading.targets import Target

_Cases = Sequence[GttCase]


def place(desk: Desk, wanted: GttRequest, origin: Origin) -> Submitted:
    """Let one order wait for its price in the current trading mode. Raises as :func:`orders.place`, and NotOffered
    where its broker keeps none.
    """
    standing = desk.store.standing.read()
    return _submit(desk, wanted, origin, routing.account_of(standing), routing.rules_of(standing))


def modify(desk: Desk, wanted: str, becomes: GttRequest, origin: Origin) -> Submitted:
    """Change one that waits so that it becomes ``becomes``. Raises as :func:`place`, NotFound and Conflict."""
    target = find(desk, wanted)
    request = ModifyGttRequest(trigger_id=target.broker_order_id, gtt=becomes)
    return _submit(desk, request, origin, target.trading_mode, routing.rules(desk))


def cancel(desk: Desk, wanted: str, origin: Origin) -> Sent | InDoubt | Withdrawn:
    """Withdraw one: from the queue while it is held, else from the broker, whatever the modes and the guards say."""
    held = targets.held(desk, wanted)
    if held is not None and held.operation is Operation.PLACE_GTT and orders.take_back(desk, held):
        return Withdrawn(ticket=held)
    return withdraw(desk, find(desk, wanted), origin)


def withdraw(desk: Desk, target: Target, origin: Origin) -> Sent | InDoubt:
    """The same of one that is at its broker. Raises as :func:`orders.withdraw`, and NotOffered."""
    keeper(desk, target.trading_mode)
    request = CancelGttRequest(trigger_id=target.broker_order_id)
    return orders.send_withdrawal(desk, request, origin, target.trading_mode)


def approve(desk: Desk, held: Ticket, asked: Asked, shown: str, *, by: Actor) -> Sent | InDoubt:
    """The person lets a held one go. Raises as :func:`approvals.approve`."""
    desk.doors.admit(held.operation)
    broker, after = keeper(desk, held.trading_mode), desk.store.journal.mark()
    _check(desk, broker, asked, held.trading_mode)
    cases = cases_of(desk, broker, asked, held.origin, held.trading_mode, after=after, ticket=held)
    with clearance(desk, broker, held.operation, is_exit=partial(_is_proven, cases[0])):
        judged = _check_approval(cases, held)
        approved, permit = desk.store.journal.approve(
            held.id, shown, by=by, reserve=judged.reserve, premises=judged.premises
        )
        return carry_out(desk, broker, approved, permit)


def keeper(desk: Desk, mode: TradingMode) -> Broker:
    """The broker of an account, which keeps such orders. Raises NotOffered where it does not, and NotSent."""
    broker = desk.broker(mode)
    if not broker.capabilities.keeps_gtt_orders:
        raise NotOffered(f"GTT orders are not supported for broker '{broker.name}' yet")
    return broker


def find(desk: Desk, wanted: str) -> Target:
    """The GTT at the broker, by its id or by our reference. Raises NotFound, Invalid when it never was at the broker,
    and Conflict while nobody knows.
    """
    message = desk.store.journal.order_by_ref(wanted)
    if message is None:
        ticket = desk.store.journal.ticket_by_ref(wanted)
        if ticket is not None:
            raise Invalid(f"{wanted} is a {ticket.operation} that was never sent: it is {ticket.state}.")
        return targets.by_number(desk, BrokerOrderId(wanted), Operation.PLACE_GTT)
    if message.operation is not Operation.PLACE_GTT:
        raise NotFound(f"{wanted} is a {message.operation}, not a GTT order.")
    return Target(broker_order_id=targets.number_of(desk, message), trading_mode=message.trading_mode)


def _submit(desk: Desk, asked: Asked, origin: Origin, mode: TradingMode, rules: Rules) -> Submitted:
    """Check, decide, write down, and carry out, hold or refuse, as :func:`orders.submit` does with an order."""
    orders.check_grant(mode, origin)
    desk.doors.admit(operation_of(asked))
    broker, after = keeper(desk, mode), desk.store.journal.mark()
    _check(desk, broker, asked, mode)
    changed = ""
    for attempt in range(DECISIONS):
        if attempt:
            rules = routing.rules(desk)
        cases = cases_of(desk, broker, asked, origin, mode, after=after)
        outcome = _decide(cases, rules)
        if not isinstance(outcome, Overtaken):
            return outcome
        changed = outcome.reason
        if outcome.is_stopped:
            break
    return _hold(cases[0], rules, changed)


def _check(desk: Desk, broker: Broker, asked: Asked, mode: TradingMode) -> None:
    """Whether it makes sense, the broker would take its order, and there is something to change. Sends nothing."""
    validation.check_gtt(desk, gtt_of(asked), mode)
    if isinstance(asked, ModifyGttRequest):
        # It names one that is there, so it may take a place that is kept back for exits.
        with desk.budget.slot(is_exit=True):
            _check_target(broker, asked)
    # After that: whoever names none that waits need not be told of prices.
    with suppress(NotAsked):
        broker.check_gtt(gtt_of(asked))


def _check_target(broker: Broker, asked: ModifyGttRequest) -> None:
    there = broker.gtt(asked.trigger_id)
    if there is None or there.state is not GttState.ACTIVE:
        raise NotFound(f"No active GTT with trigger_id '{asked.trigger_id}'")
    if gtt.identity(there.request) != gtt.identity(asked.gtt):
        told = " ".join(gtt.identity(there.request))
        raise Invalid(f"GTT {there.id} is {told}. That part of it cannot be changed: cancel it and place another.")


def _decide(cases: _Cases, rules: Rules) -> Submitted | Overtaken:
    case = cases[0]
    judged = guards.passage(case, rules.limits, chain(gtt_cases.obstacles(cases, rules), _mode_in_the_way(case, rules)))
    stopped = judged.stopped_by
    if stopped is None:
        return _send(case, judged, rules)
    if stopped.guard is not None:
        draft = orders.waiting(case, rules.order_mode)
        raise orders.denied(case.desk, draft, stopped.guard, stopped.reason)
    try:
        return _hold(case, rules, stopped.reason, compares_signal=not rules.unreadable)
    except Conflict as refusal:
        return Overtaken(reason=refusal.message)


def _mode_in_the_way(case: GttCase, rules: Rules) -> Iterator[Obstacle]:
    """A new one is held in Semi-Auto though it may close now: on the day of its price it may open."""
    if ROUTES[operation_of(case.asked_for), rules.order_mode] is Route.HOLD:
        yield Obstacle(reason="", exits_pass=case.is_change and rules.limits.let_exits_through)


def _send(case: GttCase, judged: Passage, rules: Rules) -> Submitted | Overtaken:
    draft = replace(orders.waiting(case, rules.order_mode), is_exit=judged.reserve is not None)
    is_exit = partial(_is_proven, case)
    return orders.claim(
        case.desk, case.broker, draft, judged.reserve, judged.premises, is_exit=is_exit, limits=rules.limits
    )


def _hold(case: GttCase, rules: Rules, reason: str, *, compares_signal: bool = False) -> Held:
    """What came to close a position waits as long as an exit, and is never approved for more than there is. Raises
    Conflict where the same signal was held a moment ago.
    """
    desk, draft = case.desk, orders.waiting(case, rules.order_mode)
    with suppress(BridgeError):
        draft = replace(draft, is_exit=exits.effect(case.broker, case.order).is_exit)
    with suppress(BridgeError):
        draft = replace(draft, price_then=case.broker.quote(case.instrument).ltp)
    limits = rules.limits if compares_signal else None
    ticket = desk.store.journal.hold(draft, expires_at=orders.expires_at(desk, draft), reason=reason, limits=limits)
    return Held(ticket=ticket, reason=reason)


def _check_approval(cases: _Cases, held: Ticket) -> Passage:
    """As of an order. How far the price moved while it waited is no matter: it waits for a price."""
    standing = cases[0].desk.store.standing.read()
    further = chain.from_iterable(
        guards.obstacles(each, standing.limits, standing.kill_switch) for each in cases[1:] if standing.limits
    )
    return guards.check_approved(cases[0], Arrival(price=None, is_exit=held.is_exit), standing, further)


def _is_proven(case: GttCase) -> bool:
    """Where that decides only how soon it goes. False where nobody can tell."""
    try:
        return case.as_exit() is not None
    except BridgeError:
        return False
