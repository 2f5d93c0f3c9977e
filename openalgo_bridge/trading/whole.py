"""What keeps a ticket of several orders back as a whole: before any of it is sent or held, and when it is let go.

After that each order is judged once more at its own claim (``trading/several.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, StorageError
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.guards import GuardSettings, repeat
from openalgo_bridge.model.legs import UNKNOWN, Arrival, Side, side_of, sides, wholes
from openalgo_bridge.model.order import LegsKind, LegsRequest, OrderRequest, PositionKey, TradingMode
from openalgo_bridge.model.ticket import Origin, Ticket, TicketDraft
from openalgo_bridge.store.guards import Premises, Signal
from openalgo_bridge.store.standing import Standing
from openalgo_bridge.trading import guards
from openalgo_bridge.trading.guards import Case, Obstacle, Passage
from openalgo_bridge.trading.read_once import ReadOnce
from openalgo_bridge.trading.routing import Rules


def is_proven_exit(desk: Desk, broker: Broker, request: LegsRequest, origin: Origin, mode: TradingMode) -> bool:
    """Whether all of it is provably an exit, each order beside the others. False where nobody can tell."""
    books = ReadOnce(broker)
    try:
        cases = (guards.case_of(desk, broker, side, origin, mode) for side in sides(request.orders))
        return all(replace(each, books=books).as_exit() is not None for each in cases)
    except BridgeError:
        return False


def passage(
    desk: Desk, broker: Broker, draft: TicketDraft, request: LegsRequest, rules: Rules, *, waits: bool
) -> Passage:
    """Whether anything keeps all of it back when it arrives. What must go whole has ``premises``, for the commit that
    plans it. Raises StorageError.

    Whether any of its orders may go is asked where it ``waits`` for the person, and of an option strategy, which goes
    whole or, but for its exits, not at all. Of others each has its own word when its turn comes.
    """
    judged = _Judgement(desk=desk, broker=broker, ticket=draft, request=request, books=ReadOnce(broker))
    stops = next(_of_all(judged, rules.limits), None)
    if stops is not None or not (waits or request.kind is LegsKind.MULTI_LEG):
        return Passage(stopped_by=stops)
    going = [_arriving(judged.case(order), rules) for order in dict.fromkeys(request.orders)]
    stopped = [each.stopped_by for each in going if each.stopped_by is not None]
    if stopped and not _may_go_alone(request, going):
        return Passage(stopped_by=stopped[0])
    return Passage(premises=None if stopped else _of_whole(request, going))


def _arriving(found: Case, rules: Rules) -> Passage:
    return guards.passage(found, rules.limits, guards.obstacles(found, rules.limits, rules.kill_switch))


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """How what waited may go. Of ``stopped`` sides less is left to close than came to be closed: nothing of these may,
    for :func:`among`; the rest may. What must go whole has ``premises``, as :func:`passage` makes them.
    """

    stopped: Mapping[Side, Obstacle]
    premises: Premises | None


def check_approval(desk: Desk, broker: Broker, held: Ticket, request: LegsRequest, standing: Standing) -> Approval:
    """Raises what stops it where nothing of it could go, or not all of an option strategy, and a BridgeError where
    nobody can tell. The ticket then is still held.
    """
    limits = standing.limits
    if limits is None:
        raise StorageError("The guards cannot be read, so nothing is sent.")
    judged = _Judgement(desk=desk, broker=broker, ticket=held, request=request, books=ReadOnce(broker))
    for stops in _of_all(judged, limits):
        raise guards.refused(stops)
    stopped = _closing_too_much(judged, held)
    going: list[Passage] = []
    refusals: list[BridgeError] = []
    for order, then in dict.fromkeys(zip(request.orders, arrivals_of(held, request), strict=True)):
        try:
            going.append(guards.check_rules(judged.case(order), then, standing, among(stopped, order, then)))
        except BridgeError as refusal:
            refusals.append(refusal)
    if refusals and not _may_go_alone(request, going):
        raise refusals[0]
    return Approval(stopped=stopped, premises=None if refusals else _of_whole(request, going))


def _closing_too_much(judged: _Judgement, held: Ticket) -> Mapping[Side, Obstacle]:
    """Raises a BridgeError where nobody can tell."""
    arrivals = zip(judged.request.orders, arrivals_of(held, judged.request), strict=True)
    found: dict[Side, Obstacle] = {}
    for side in sides(order for order, then in arrivals if then.is_exit):
        try:
            guards.left(judged.case(side))
        except Conflict as refusal:
            found[side_of(side)] = Obstacle(reason=refusal.message, exits_pass=False)
    return found


def among(stopped: Mapping[Side, Obstacle], order: OrderRequest, then: Arrival) -> list[Obstacle]:
    """What stops one order of a ticket with its whole side; only what came to close is counted there."""
    found = stopped.get(side_of(order)) if then.is_exit else None
    return [] if found is None else [found]


def arrivals_of(held: Ticket, request: LegsRequest) -> Sequence[Arrival]:
    """What each order was when it came; of a ticket of an earlier version nothing was noted."""
    return held.arrivals or [UNKNOWN] * len(request.orders)


def case(desk: Desk, broker: Broker, ticket: TicketDraft | Ticket, order: OrderRequest) -> Case:
    """The case of one order of a ticket, whose signal is compared as a whole."""
    found = guards.case_of(desk, broker, order, ticket.origin, ticket.trading_mode)
    return replace(found, ticket=ticket if isinstance(ticket, Ticket) else None, is_leg=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    """All orders of a ticket, judged at one moment and by one look at the broker's books. Nothing is claimed by it."""

    desk: Desk
    broker: Broker
    ticket: TicketDraft | Ticket
    request: LegsRequest
    books: ReadOnce

    def case(self, order: OrderRequest) -> Case:
        found = case(self.desk, self.broker, self.ticket, order)
        return replace(found, books=self.books, beside=self._beside(order))

    def _beside(self, order: OrderRequest) -> tuple[PositionKey, ...]:
        """An option strategy goes whole or not at all: limits that count need room for all of it."""
        if self.request.kind is not LegsKind.MULTI_LEG:
            return ()
        others = list(self.request.orders)
        if order in others:
            others.remove(order)
        return tuple(position_of(each) for each in others)


def _of_all(judged: _Judgement, limits: GuardSettings) -> Iterator[Obstacle]:
    """What no order shows alone: that the same was asked for a moment ago, and the size of what is sliced."""
    yield from _repeat(judged.desk, judged.ticket, limits)
    for order in wholes(judged.request):
        if order not in judged.request.orders:
            found = judged.case(order)
            stopped_by = guards.passage(found, limits, guards.whole_obstacles(found, limits)).stopped_by
            if stopped_by is not None:
                yield stopped_by


def _repeat(desk: Desk, ticket: TicketDraft | Ticket, limits: GuardSettings) -> Iterator[Obstacle]:
    window = limits.duplicate_window_of(ticket.origin.source)
    if window is None or ticket.origin.is_by_hand or not ticket.signal:
        return
    signal = Signal.of(ticket, desk.clock.now())
    if desk.store.guards.has_equal_signal(signal, timedelta(seconds=window)):
        stopped = repeat(window)
        yield Obstacle(reason=stopped.sentence, guard=stopped.guard, exits_pass=False)


def _of_whole(request: LegsRequest, going: Iterable[Passage]) -> Premises | None:
    """Of an option strategy of which no order was stopped: another may plan before it does, and take a part of its
    room. What only closes needs none.
    """
    if request.kind is not LegsKind.MULTI_LEG or len(request.orders) == 1:
        return None
    return next((each.premises for each in going if each.reserve is None), None)


def _may_go_alone(request: LegsRequest, judged: Iterable[Passage]) -> bool:
    """Whether any of these is worth sending without those that may not go."""
    needs_all = request.kind is LegsKind.MULTI_LEG
    return any(each.stopped_by is None and (each.reserve is not None or not needs_all) for each in judged)
