"""What keeps a ticket of several orders back as a whole: before any of it is sent or held, and when it is let go.

After that each order is judged once more at its own claim (``trading/several.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, StorageError
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.legs import UNKNOWN, Arrival, sides, wholes
from openalgo_bridge.model.order import LegsKind, LegsRequest, OrderRequest, TradingMode
from openalgo_bridge.model.ticket import Origin, Ticket, TicketDraft
from openalgo_bridge.store.guards import Signal
from openalgo_bridge.store.standing import Standing
from openalgo_bridge.trading import guards
from openalgo_bridge.trading.guards import Case, Obstacle, Passage
from openalgo_bridge.trading.routing import Rules


def is_proven_exit(desk: Desk, broker: Broker, request: LegsRequest, origin: Origin, mode: TradingMode) -> bool:
    """Whether all of it is provably an exit, each order beside the others. False where nobody can tell."""
    try:
        found = [guards.case_of(desk, broker, side, origin, mode).as_exit() for side in sides(request.orders)]
    except BridgeError:
        return False
    return None not in found


def obstacle(
    desk: Desk, broker: Broker, draft: TicketDraft, request: LegsRequest, rules: Rules, *, waits: bool
) -> Obstacle | None:
    """What keeps all of it back when it arrives. Raises StorageError.

    Whether any of its orders may go is asked where it ``waits`` for the person, and of an option strategy, which goes
    whole or, but for its exits, not at all. Of others each has its own word when its turn comes.
    """
    stops = next(_of_all(desk, broker, draft, request, rules.limits), None)
    if stops is not None or not (waits or request.kind is LegsKind.MULTI_LEG):
        return stops
    judged = [_arriving(desk, broker, draft, order, rules) for order in dict.fromkeys(request.orders)]
    stopped = [each.stopped_by for each in judged if each.stopped_by is not None]
    return stopped[0] if stopped and not _may_go_alone(request, judged) else None


def _arriving(desk: Desk, broker: Broker, draft: TicketDraft, order: OrderRequest, rules: Rules) -> Passage:
    found = case(desk, broker, draft, order)
    return guards.passage(found, rules.limits, guards.obstacles(found, rules.limits, rules.kill_switch))


def check_approval(desk: Desk, broker: Broker, held: Ticket, request: LegsRequest, standing: Standing) -> None:
    """Raises what stops it where nothing of it could go, or not all of an option strategy; Conflict where less is left
    to close than came to be closed. The ticket then is still held.
    """
    limits = standing.limits
    if limits is None:
        raise StorageError("The guards cannot be read, so nothing is sent.")
    for stops in _of_all(desk, broker, held, request, limits):
        raise guards.refused(stops)
    arrivals = arrivals_of(held, request)
    came_to_close = [order for order, then in zip(request.orders, arrivals, strict=True) if then.is_exit]
    for side in sides(came_to_close):
        guards.left(case(desk, broker, held, side))
    going: list[Passage] = []
    refusals: list[BridgeError] = []
    for order, then in dict.fromkeys(zip(request.orders, arrivals, strict=True)):
        try:
            going.append(guards.check_approved(case(desk, broker, held, order), then, standing))
        except BridgeError as refusal:
            refusals.append(refusal)
    if refusals and not _may_go_alone(request, going):
        raise refusals[0]


def arrivals_of(held: Ticket, request: LegsRequest) -> Sequence[Arrival]:
    """What each order was when it came; of a ticket of an earlier version nothing was noted."""
    return held.arrivals or [UNKNOWN] * len(request.orders)


def case(desk: Desk, broker: Broker, ticket: TicketDraft | Ticket, order: OrderRequest) -> Case:
    """The case of one order of a ticket, whose signal is compared as a whole."""
    found = guards.case_of(desk, broker, order, ticket.origin, ticket.trading_mode)
    return replace(found, ticket=ticket if isinstance(ticket, Ticket) else None, is_leg=True)


def _of_all(
    desk: Desk, broker: Broker, ticket: TicketDraft | Ticket, request: LegsRequest, limits: GuardSettings
) -> Iterator[Obstacle]:
    """What no order shows alone: that the same was asked for a moment ago, and the size of what is sliced."""
    yield from _repeat(desk, ticket, limits)
    for order in wholes(request):
        if order not in request.orders:
            found = case(desk, broker, ticket, order)
            judged = guards.passage(found, limits, guards.whole_obstacles(found, limits))
            if judged.stopped_by is not None:
                yield judged.stopped_by


def _repeat(desk: Desk, ticket: TicketDraft | Ticket, limits: GuardSettings) -> Iterator[Obstacle]:
    window = limits.duplicate_window_of(ticket.origin.source)
    if window is None or ticket.origin.is_by_hand or not ticket.signal:
        return
    signal = Signal.of(ticket, desk.clock.now())
    if desk.store.guards.has_equal_signal(signal, timedelta(seconds=window)):
        reason = f"The same source asked for exactly the same less than {window} s ago."
        yield Obstacle(reason=reason, guard=Guard.DUPLICATE_SIGNAL, exits_pass=False)


def _may_go_alone(request: LegsRequest, judged: Iterable[Passage]) -> bool:
    """Whether any of these is worth sending without those that may not go."""
    needs_all = request.kind is LegsKind.MULTI_LEG
    return any(each.stopped_by is None and (each.reserve is not None or not needs_all) for each in judged)
