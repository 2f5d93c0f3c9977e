"""What happens to a request: sent, held for the person, or refused. Read from disk at every order, failing closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.ticket import Operation, operation_of
from openalgo_bridge.store.claims import Reservation
from openalgo_bridge.store.guards import Premises
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.standing import Standing
from openalgo_bridge.trading import guards
from openalgo_bridge.trading.guards import Case, Obstacle


class Route(StrEnum):
    """Send it now, hold it for the person, or refuse it."""

    SEND = "send"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The route, and the order mode that is stamped on the ticket.

    ``reason`` is set where a hold was not asked for, and with a refusal, which ``guard`` names. ``reserve`` says that
    it goes only because it is an exit; ``premises`` are what the claim must find true still, and ``limits`` those that
    were read, where they could be.
    """

    route: Route
    order_mode: OrderMode
    reason: str = ""
    guard: Guard | None = None
    reserve: Reservation | None = None
    premises: Premises | None = None
    limits: GuardSettings | None = None


ROUTES: dict[tuple[Operation, OrderMode], Route] = {
    (Operation.PLACE, OrderMode.AUTO): Route.SEND,
    (Operation.PLACE, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.MODIFY, OrderMode.AUTO): Route.SEND,
    (Operation.MODIFY, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.CLOSE, OrderMode.AUTO): Route.SEND,
    (Operation.CLOSE, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.SMART, OrderMode.AUTO): Route.SEND,
    (Operation.SMART, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.BASKET, OrderMode.AUTO): Route.SEND,
    (Operation.BASKET, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.SPLIT, OrderMode.AUTO): Route.SEND,
    (Operation.SPLIT, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.OPTIONS, OrderMode.AUTO): Route.SEND,
    (Operation.OPTIONS, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.MULTI_LEG, OrderMode.AUTO): Route.SEND,
    (Operation.MULTI_LEG, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.PLACE_GTT, OrderMode.AUTO): Route.SEND,
    (Operation.PLACE_GTT, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.MODIFY_GTT, OrderMode.AUTO): Route.SEND,
    (Operation.MODIFY_GTT, OrderMode.SEMI_AUTO): Route.HOLD,
    # A cancel is never refused and never waits (design 4).
    (Operation.CANCEL, OrderMode.AUTO): Route.SEND,
    (Operation.CANCEL, OrderMode.SEMI_AUTO): Route.SEND,
    (Operation.CANCEL_ALL, OrderMode.AUTO): Route.SEND,
    (Operation.CANCEL_ALL, OrderMode.SEMI_AUTO): Route.SEND,
    (Operation.CANCEL_GTT, OrderMode.AUTO): Route.SEND,
    (Operation.CANCEL_GTT, OrderMode.SEMI_AUTO): Route.SEND,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the trader's switches of one moment mean. ``unreadable`` says which could not be read: then nothing goes by
    itself. ``kill_switch`` is None where that one could not be.
    """

    order_mode: OrderMode
    limits: GuardSettings
    kill_switch: SwitchState | None
    unreadable: str = ""


def rules(desk: Desk) -> Rules:
    """As they stand on the disk. What cannot be read holds: Semi-Auto, and no exit let through."""
    try:
        return rules_of(desk.store.standing.read())
    except StorageError as fault:
        return _unreadable(fault.message)


def rules_of(standing: Standing) -> Rules:
    """The same of what was just read."""
    if standing.order_mode is None or standing.limits is None:
        return _unreadable("a value means nothing.", standing.kill_switch)
    return Rules(order_mode=standing.order_mode, limits=standing.limits, kill_switch=standing.kill_switch)


def _unreadable(why: str, kill_switch: SwitchState | None = None) -> Rules:
    reason = f"Held because the order mode or the guards cannot be read: {why}"
    return Rules(order_mode=OrderMode.SEMI_AUTO, limits=GuardSettings(), kill_switch=kill_switch, unreadable=reason)


def account_of(standing: Standing, chosen_in: TradingMode | None = None) -> TradingMode:
    """The account that is current. ``chosen_in`` is the one by whose prices the orders were chosen: the strike at the
    money of one account is not that of the other. Raises StorageError, and Conflict where it is another one by now.
    """
    if standing.trading_mode is None:
        raise StorageError("The trading mode cannot be read, so nothing is sent.")
    if chosen_in not in {None, standing.trading_mode}:
        raise Conflict("The trading mode was changed while the options were chosen. Nothing was sent.")
    return standing.trading_mode


def decide(case: Case, rules: Rules) -> Decision:
    """The route of an order or of a change; the same in analyze and live. Raises StorageError."""
    judged = guards.passage(case, rules.limits, _in_the_way(case, rules))
    if judged.stopped_by is not None:
        return _stopped(judged.stopped_by, rules)
    return Decision(route=Route.SEND, order_mode=rules.order_mode, reserve=judged.reserve, premises=judged.premises)


def decide_closing(desk: Desk, mode: TradingMode) -> Decision:
    """The route of a closing of positions: each of its orders is an exit, or it does not go."""
    standing = rules(desk)
    waits = ROUTES[Operation.CLOSE, standing.order_mode] is Route.HOLD and not standing.limits.let_exits_through
    reason = standing.unreadable or desk.doors.reason_for(mode)
    route = Route.HOLD if waits or reason else Route.SEND
    return Decision(route=route, order_mode=standing.order_mode, reason=reason)


def obstacles(case: Case, rules: Rules) -> Iterator[Obstacle]:
    """What stands in the way of an order whatever the order mode. Raises StorageError."""
    yield from guards.obstacles(case, rules.limits, rules.kill_switch)
    for reason in (rules.unreadable, case.desk.doors.reason_for(case.mode)):
        if reason:
            yield Obstacle(reason=reason, exits_pass=False)


def _in_the_way(case: Case, rules: Rules) -> Iterator[Obstacle]:
    yield from obstacles(case, rules)
    if ROUTES[operation_of(case.request), rules.order_mode] is Route.HOLD:
        yield Obstacle(reason="", exits_pass=rules.limits.let_exits_through)


def _stopped(by: Obstacle, rules: Rules) -> Decision:
    route = Route.HOLD if by.guard is None else Route.DENY
    limits = None if rules.unreadable else rules.limits
    return Decision(route=route, order_mode=rules.order_mode, reason=by.reason, guard=by.guard, limits=limits)
