"""A position to be reached: read, compute and send in one turn per position, so that two requests make one order.

What is held is the wish and not the order: it is computed anew when the person lets it go (behaviour 2.4). What others
send for the position meanwhile makes the claim refuse; then it is computed anew, too. Where nobody can tell the
position, the wish is held: it may be an exit that is needed badly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Conflict, Denied
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import (
    Effect,
    closing_action,
    is_on_same_side,
    is_same_position,
    is_within,
    position_of,
)
from openalgo_bridge.model.expand import Working, smart_order, within_freeze, working_of
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.legs import UNKNOWN, Arrival
from openalgo_bridge.model.order import OrderRequest, PositionKey, PriceType, SmartOrderRequest, TradingMode
from openalgo_bridge.model.states import IN_DOUBT, OrderState
from openalgo_bridge.model.ticket import Operation, Origin, Ticket
from openalgo_bridge.store.claims import JournalMark, PositionMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import exits, guards, orders, routing, validation, whole
from openalgo_bridge.trading.exits import Outlook
from openalgo_bridge.trading.guards import Case, Passage
from openalgo_bridge.trading.legs import CLOSING, NOT_NEEDED, Leg, Report, drop
from openalgo_bridge.trading.orders import DECISIONS, Held, Overtaken, Submitted, check_grant
from openalgo_bridge.trading.release import Release, entry, looks_like_exit
from openalgo_bridge.trading.routing import Decision, Route, Rules
from openalgo_bridge.trading.sending import clearance


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToDo:
    """The position is as it was wanted, or will be, or an order in doubt may take it there; nothing was sent."""

    message: str
    trading_mode: TradingMode


Placed = Submitted | Report | NothingToDo
"""What became of it: a report where the exchange takes so much in several orders only."""


def place(desk: Desk, wanted: SmartOrderRequest, origin: Origin) -> tuple[Placed, str]:
    """Take a position to its size in the current trading mode. The text is a note for the caller, or empty.

    Raises as :func:`~openalgo_bridge.trading.orders.place`, and Busy where others ask for the same position.
    """
    mode = routing.account_of(desk.store.standing.read())
    check_grant(mode, origin)
    desk.doors.admit(Operation.SMART)
    validation.check_wish(desk, _whole_lot(desk, wanted))
    after = desk.store.journal.mark()
    with _turn(desk, wanted.order, mode):
        return _placed(desk, wanted, origin, mode, after)


def preview(desk: Desk, wanted: SmartOrderRequest, mode: TradingMode) -> tuple[OrderRequest, ...]:
    """What would be sent now, for a person who decides about it. Raises StorageError, Conflict, or a BrokerError."""
    order = _step(desk, desk.broker(mode), wanted, mode).order
    instrument = _instrument(desk, wanted)
    return () if order is None or instrument is None else within_freeze(order, instrument)


def approve(
    desk: Desk,
    held: Ticket,
    wanted: SmartOrderRequest,
    shown: str,
    seen: Mapping[PositionKey, int],
    *,
    by: Actor,
) -> Report:
    """The person lets it go: what takes the position there now, on the side and no more than he saw.

    ``seen`` is the signed quantity of the order that the page named. Raises as :func:`place`, NotFound, Denied by a
    guard, and Conflict where it is another one by now; the ticket then is still held.
    """
    desk.doors.admit(Operation.SMART)
    mode = held.trading_mode
    broker, after = desk.broker(mode), desk.store.journal.mark()
    with _turn(desk, wanted.order, mode):
        step = _step(desk, broker, wanted, mode)
        if step.order is None:
            raise Conflict(f"{step.message} Nothing was sent. Reject it.")
        _check_seen(step.order, seen)
        validation.check(desk, step.order, mode)
        case = guards.case_of(desk, broker, step.order, held.origin, mode)
        then = Arrival(price=held.price_then, is_exit=held.is_exit or step.is_exit)
        return _let_go(replace(case, ticket=held, wish=wanted, mark=step.mark, after=after), then, held, shown, by)


def _placed(
    desk: Desk, wanted: SmartOrderRequest, origin: Origin, mode: TradingMode, after: JournalMark
) -> tuple[Placed, str]:
    broker, changed = desk.broker(mode), ""
    for _ in range(DECISIONS):
        try:
            step = _step(desk, broker, wanted, mode)
        except (BrokerError, Conflict) as fault:
            return _hold_untold(desk, broker, wanted, origin, mode, fault), ""
        if step.order is None:
            return NothingToDo(message=step.message, trading_mode=mode), ""
        validation.check(desk, step.order, mode)
        case = guards.case_of(desk, broker, step.order, origin, mode)
        case = replace(case, wish=wanted, mark=step.mark, after=after)
        rules = routing.rules(desk)
        outcome = _decide(case, rules)
        if not isinstance(outcome, Overtaken):
            return outcome, step.message
        # Also where a closing came first: it may have left nothing to do.
        changed = outcome.reason
    return orders.hold_overtaken(case, rules, changed), step.message


def _hold_untold(
    desk: Desk, broker: Broker, wanted: SmartOrderRequest, origin: Origin, mode: TradingMode, fault: BridgeError
) -> Held:
    """Who asks again while it waits gets the same ticket: a wish that is granted once needs no second."""
    now = desk.clock.now()
    for each in desk.store.journal.held():
        asked = (each.request, each.trading_mode, each.origin.source, each.origin.strategy)
        is_due = each.expires_at is None or each.expires_at > now
        if is_due and asked == (wanted, mode, origin.source, origin.strategy):
            return Held(ticket=each, reason=each.reason)
    case = guards.case_of(desk, broker, _whole_lot(desk, wanted), origin, mode)
    return orders.hold_untold(replace(case, wish=wanted), routing.rules(desk), fault)


def _decide(case: Case, rules: Rules) -> Submitted | Report | Overtaken:
    """Sent as an order of its own, or as several of a ticket that names the wish; judged as one in any case."""
    if len(case.messages()) == 1:
        return orders.decide(case, rules)
    decision = routing.decide(case, rules)
    return _send_slices(case, decision, rules) if decision.route is Route.SEND else orders.stop(case, decision)


def _send_slices(case: Case, decision: Decision, rules: Rules) -> Report | Overtaken:
    way = Passage(reserve=decision.reserve, premises=decision.premises)
    draft = replace(orders.waiting(case, decision.order_mode), is_exit=way.reserve is not None)
    with _clearance(case, way, rules.limits):
        try:
            ticket, permit = case.desk.store.journal.release(
                draft, reserve=way.reserve, premises=way.premises, legs=case.messages()
            )
        except Denied as refusal:
            return Overtaken(reason=refusal.reason)
        except Conflict as refusal:
            return Overtaken(reason=refusal.message)
        release = Release(desk=case.desk, broker=case.broker, ticket=ticket)
        first = release.carried_out(permit)
    return _reported(case, release, first, way, UNKNOWN)


def _let_go(case: Case, then: Arrival, held: Ticket, shown: str, by: Actor) -> Report:
    """Up to the claim of the first order, which is in the commit of the approval, nothing has changed."""
    journal = case.desk.store.journal
    with _clearance(case, Passage()):
        way = guards.check_approved(case, then, case.desk.store.standing.read())
        ticket, permit = journal.approve(
            held.id, shown, by=by, reserve=way.reserve, premises=way.premises, legs=case.messages()
        )
        release = Release(desk=case.desk, broker=case.broker, ticket=ticket, is_approved=True)
        first = release.carried_out(permit)
    return _reported(case, release, first, way, then)


def _clearance(case: Case, way: Passage, limits: GuardSettings | None = None) -> AbstractContextManager[None]:
    is_exit = looks_like_exit(case.desk, case.broker, case.order, case.mode, way)
    return clearance(case.desk, case.broker, Operation.PLACE, is_exit=is_exit, limits=limits)


def _reported(case: Case, release: Release, first: Leg, way: Passage, then: Arrival) -> Report:
    _, *further = case.messages()
    if case.wish is None or not further:
        return Report(ticket=release.ticket, legs=(first,))
    planned = case.desk.store.journal.orders_of([release.ticket.id])[1:]
    slices = _Slices(
        release=release, wanted=case.wish, then=then, way=way, missing=sum(each.quantity for each in further)
    )
    return Report(ticket=release.ticket, legs=(first, *map(slices.leg, planned)))


@dataclass(slots=True, kw_only=True)
class _Slices:
    """The further slices of a smart order whose first one went.

    They go in the room that the whole was judged in: each claim takes off what went before it. When a claim finds that
    others sent for the position, what is still ``missing`` is worked out and judged anew, and is never more than was
    let go.
    """

    release: Release
    wanted: SmartOrderRequest
    then: Arrival
    way: Passage
    missing: int
    done: str = f"{NOT_NEEDED} others sent for this position meanwhile."

    def leg(self, order: JournalOrder, *, is_anew: bool = False) -> Leg:
        """What became of one of them, whatever became of the others."""
        if not self.missing:
            return drop(self.release.desk, order, self.done, was_needless=self.done.startswith(NOT_NEEDED))
        try:
            order = self._cut(order)
            return self._sent(order)
        except Conflict as refusal:
            return drop(self.release.desk, order, refusal.message) if is_anew else self._anew(order)
        except BridgeError as refusal:
            return drop(self.release.desk, order, refusal.message)

    def _sent(self, order: JournalOrder) -> Leg:
        leg = self.release.send(order, self.way)
        if leg.result is not None:
            self.missing -= entry(order).quantity
        return leg

    def _cut(self, order: JournalOrder) -> JournalOrder:
        """No larger than what is missing. Raises Conflict where somebody gave it up meanwhile."""
        request = _at_most(entry(order), self.missing)
        if request == order.request:
            return order
        return self.release.desk.store.journal.replace_planned(
            order.id, request, f"Instead of it {request.quantity}: others sent for this position.", by=CLOSING
        )

    def _anew(self, order: JournalOrder) -> Leg:
        try:
            self._work_out(entry(order))
        except BridgeError as fault:
            return drop(self.release.desk, order, fault.message)
        return self.leg(order, is_anew=True)

    def _work_out(self, planned: OrderRequest) -> None:
        """Raises what stops it by now, and where nobody can tell."""
        desk, broker, ticket = self.release.desk, self.release.broker, self.release.ticket
        step = _step(desk, broker, self.wanted, ticket.trading_mode, apart_from=ticket)
        if step.order is None or step.order.action is not planned.action:
            self.missing = 0
            self.done = self.done if step.is_there else f"Not sent. {step.message}".rstrip()
            return
        self.missing = min(self.missing, step.order.quantity)
        case = whole.case(desk, broker, ticket, _at_most(step.order, self.missing))
        self.way = self.release.way(replace(case, mark=step.mark), self.then)


def _at_most(order: OrderRequest, quantity: int) -> OrderRequest:
    units = min(order.quantity, quantity)
    return replace(order, quantity=units, disclosed_quantity=min(order.disclosed_quantity, units))


def _check_seen(order: OrderRequest, seen: Mapping[PositionKey, int]) -> None:
    if not is_within(order.action.sign * order.quantity, seen.get(position_of(order), 0)):
        raise Conflict(f"It would {order.action} {order.quantity} {order.symbol} now, which is not what was shown.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What takes the position there now, or None and the ``message`` why not; the position was read at ``mark``.

    ``is_there``: the position is as it is wanted. ``is_exit``: what is wanted is less of it, and not the other side.
    """

    order: OrderRequest | None
    message: str
    mark: PositionMark
    is_there: bool
    is_exit: bool


def _step(
    desk: Desk, broker: Broker, wanted: SmartOrderRequest, mode: TradingMode, *, apart_from: Ticket | None = None
) -> _Step:
    """What is seen twice while it moves makes it too little that is sent, never too much.

    ``apart_from`` is a ticket whose planned orders are not counted. Raises Conflict where the position cannot be told,
    a BrokerError where it cannot be read, Busy, and StorageError.
    """
    # The way out may take a place that is kept back for it, as far as the wish alone tells that it is one.
    with desk.budget.slot(is_exit=wanted.position_size == 0):
        there = exits.outlook(desk, broker, wanted.order, mode)
        last_price = _last_price(desk, broker, wanted, there)
    in_flight = [each for each in there.in_flight if not _is_planned_of(apart_from, each)]
    found = smart_order(
        wanted,
        position=there.net,
        working=(*working_of(there.working, wanted.order, last_price), *_in_flight(in_flight, wanted.order)),
        settings=desk.store.preferences.smart_orders(),
        last_price=last_price,
    )
    return _Step(
        order=found.order,
        message=found.message,
        mark=there.mark,
        is_there=there.net == wanted.position_size,
        is_exit=Effect(before=there.net, after=wanted.position_size, was_open=True).is_exit,
    )


def _is_planned_of(ticket: Ticket | None, order: JournalOrder) -> bool:
    return ticket is not None and order.ticket_id == ticket.id and order.state is OrderState.PLANNED


def _in_flight(in_flight: Iterable[JournalOrder], order: OrderRequest) -> Iterator[Working]:
    for each in in_flight:
        if isinstance(each.request, OrderRequest) and is_same_position(each.request, order):
            doubt = each.ref if each.state in IN_DOUBT else None
            yield Working(action=each.request.action, quantity=each.request.quantity, doubt=doubt)


def _last_price(desk: Desk, broker: Broker, wanted: SmartOrderRequest, there: Outlook) -> Decimal | None:
    """In rupees, where it decides whether a LIMIT stands in the way of an exit. Raises a BrokerError: an exit that may
    be needed badly is not answered with "no action needed" because a price cannot be read.
    """
    instrument = _instrument(desk, wanted)
    if instrument is None or there.net * (wanted.position_size - there.net) >= 0:
        return None
    closing = replace(wanted.order, action=closing_action(there.net))
    limits = (each for each in there.working if each.request.price_type is PriceType.LIMIT and each.pending_quantity)
    if not any(is_on_same_side(each.request, closing) for each in limits):
        return None
    return broker.quote(instrument).ltp


def _whole_lot(desk: Desk, wanted: SmartOrderRequest) -> OrderRequest:
    """The order with a quantity that can be judged before the position is known. Its own counts only while there is
    none, and is judged then: an exit must not fail for what it does not use.
    """
    if wanted.position_size:
        return replace(wanted.order, quantity=abs(wanted.position_size))
    instrument = _instrument(desk, wanted)
    return replace(wanted.order, quantity=1 if instrument is None else instrument.lot, disclosed_quantity=0)


def _instrument(desk: Desk, wanted: SmartOrderRequest) -> Instrument | None:
    return desk.store.instruments.find(wanted.order.exchange, wanted.order.symbol)


def _turn(desk: Desk, order: OrderRequest, mode: TradingMode) -> AbstractContextManager[None]:
    """One at a time for each position. Raises Busy: nothing was read or sent."""
    return desk.turns.of((mode, position_of(order)))
