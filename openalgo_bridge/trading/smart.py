"""A position to be reached: read, compute and send in one turn per position, so that two requests make one order.

What is held is the wish and not the order: it is computed anew when the person lets it go (behaviour 2.4). What others
send for the position meanwhile makes the claim refuse; then it is computed anew, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy, Conflict, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import closing_action, is_on_same_side, is_same_position
from openalgo_bridge.model.expand import SmartOrder, Working, smart_order, within_freeze, working_of
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.legs import Arrival
from openalgo_bridge.model.order import BrokerRequest, OrderRequest, PriceType, SmartOrderRequest, TradingMode
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation, Origin, Ticket
from openalgo_bridge.store.claims import PositionMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import exits, guards, orders, routing, validation
from openalgo_bridge.trading.exits import Outlook
from openalgo_bridge.trading.guards import Case, Passage
from openalgo_bridge.trading.legs import Leg, PositionName, Report, drop
from openalgo_bridge.trading.orders import DECISIONS, Overtaken, Submitted, check_grant
from openalgo_bridge.trading.routing import Decision, Route, Rules
from openalgo_bridge.trading.sending import by_itself, carry_out, clearance

_DOUBTS = {OrderState.UNKNOWN, OrderState.PARKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToDo:
    """The position is as it was wanted, or will be, or an order in doubt may take it there; nothing was sent."""

    message: str
    trading_mode: TradingMode


Placed = Submitted | Report | NothingToDo
"""What became of it: a report where the exchange takes so much in several orders only."""


def place(desk: Desk, wanted: SmartOrderRequest, origin: Origin) -> tuple[Placed, str]:
    """Take a position to its size in the current trading mode. The text is a note for the caller, or empty.

    Raises as :func:`~openalgo_bridge.trading.orders.place`, Busy where others ask for the same position, and Conflict
    where the position cannot be told now.
    """
    mode = desk.store.standing.read().trading_mode
    if mode is None:
        raise StorageError("The trading mode cannot be read, so nothing is sent.")
    check_grant(mode, origin)
    desk.doors.admit(Operation.SMART)
    validation.check_wish(desk, _whole_lot(desk, wanted))
    with _turn(desk, wanted.order, mode):
        return _placed(desk, wanted, origin, mode)


def preview(desk: Desk, wanted: SmartOrderRequest, mode: TradingMode) -> tuple[OrderRequest, ...]:
    """What would be sent now, for a person who decides about it. Raises StorageError, Conflict, or a BrokerError."""
    step, _ = _step(desk, desk.broker(mode), wanted, mode)
    instrument = _instrument(desk, wanted)
    return () if step.order is None or instrument is None else within_freeze(step.order, instrument)


def approve(
    desk: Desk,
    held: Ticket,
    wanted: SmartOrderRequest,
    shown: str,
    seen: Mapping[PositionName, int],
    *,
    by: Actor,
) -> Report:
    """The person lets it go: what takes the position there now, on the side and no more than he saw.

    ``seen`` is the signed quantity of the order that the page named. Raises as :func:`place`, NotFound, Denied by a
    guard, and Conflict where it is another one by now; the ticket then is still held.
    """
    desk.doors.admit(Operation.SMART)
    mode = held.trading_mode
    broker = desk.broker(mode)
    with _turn(desk, wanted.order, mode):
        step, mark = _step(desk, broker, wanted, mode)
        if step.order is None:
            raise Conflict(f"{step.message} Nothing was sent. Reject it.")
        _check_seen(step.order, seen)
        validation.check(desk, step.order, mode)
        case = guards.case_of(desk, broker, step.order, held.origin, mode)
        return _let_go(replace(case, ticket=held, wish=wanted, mark=mark), held, shown, by)


def _placed(desk: Desk, wanted: SmartOrderRequest, origin: Origin, mode: TradingMode) -> tuple[Placed, str]:
    broker, changed = desk.broker(mode), ""
    for _ in range(DECISIONS):
        step, mark = _step(desk, broker, wanted, mode)
        if step.order is None:
            return NothingToDo(message=step.message, trading_mode=mode), ""
        validation.check(desk, step.order, mode)
        case = replace(guards.case_of(desk, broker, step.order, origin, mode), wish=wanted, mark=mark)
        rules = routing.rules(desk)
        outcome = _decide(case, rules)
        if not isinstance(outcome, Overtaken):
            return outcome, step.message
        changed = outcome.reason
    return orders.hold_overtaken(case, rules, changed), step.message


def _decide(case: Case, rules: Rules) -> Submitted | Report | Overtaken:
    """Sent as an order of its own, or as several of a ticket that names the wish; judged as one in any case."""
    if len(case.messages()) == 1:
        return orders.decide(case, rules)
    decision = routing.decide(case, rules)
    return _send_slices(case, decision, rules) if decision.route is Route.SEND else orders.stop(case, decision)


def _send_slices(case: Case, decision: Decision, rules: Rules) -> Report | Overtaken:
    """All go in the room that the whole was judged in: each claim takes off what went before it."""
    journal, way = case.desk.store.journal, Passage(reserve=decision.reserve, premises=decision.premises)
    draft = replace(orders.waiting(case, decision.order_mode), is_exit=way.reserve is not None)
    with clearance(case.desk, case.broker, Operation.PLACE, is_exit=_is_exit(case, way), limits=rules.limits):
        try:
            ticket, planned = journal.plan(draft, case.messages())
        except Conflict as refusal:
            return Overtaken(reason=refusal.message)
        first = _claimed(case, ticket, planned[0], way)
    return Report(ticket=ticket, legs=(first, *_further(case, ticket, planned[1:], way)))


def _let_go(case: Case, held: Ticket, shown: str, by: Actor) -> Report:
    """Up to the claim of the first order, which is in the commit of the approval, nothing has changed."""
    journal = case.desk.store.journal
    with clearance(case.desk, case.broker, Operation.PLACE, is_exit=_is_exit(case, Passage())):
        then = Arrival(price=held.price_then, is_exit=held.is_exit)
        way = guards.check_approved(case, then, case.desk.store.standing.read())
        ticket, permit = journal.approve(
            held.id, shown, by=by, reserve=way.reserve, premises=way.premises, legs=case.messages()
        )
        first = _carried_out(case, ticket, permit)
    planned = journal.orders_of([ticket.id])[1:] if len(case.messages()) > 1 else []
    return Report(ticket=ticket, legs=(first, *_further(case, ticket, planned, way)))


def _further(case: Case, ticket: Ticket, planned: Iterable[JournalOrder], way: Passage) -> Iterator[Leg]:
    for order in planned:
        is_exit = _is_exit(case, way)
        try:
            with clearance(case.desk, case.broker, Operation.PLACE, is_exit=is_exit, has_begun=True):
                yield _claimed(case, ticket, order, way)
        except Busy as refusal:
            yield drop(case.desk, order, refusal.message)


def _claimed(case: Case, ticket: Ticket, order: JournalOrder, way: Passage) -> Leg:
    is_approved = case.ticket is not None
    try:
        permit = case.desk.store.journal.claim(
            order.id, reserve=way.reserve, premises=way.premises, is_approved=is_approved
        )
    except BridgeError as refusal:
        return drop(case.desk, order, refusal.message)
    return _carried_out(case, ticket, permit)


def _carried_out(case: Case, ticket: Ticket, permit: SendPermit[BrokerRequest]) -> Leg:
    try:
        result = carry_out(case.desk, case.broker, ticket, permit)
    except BridgeError as refusal:
        return Leg(request=permit.request, refusal=refusal.message, ref=permit.ref)
    return Leg(request=permit.request, result=result, ref=permit.ref)


def _is_exit(case: Case, way: Passage) -> Callable[[], bool]:
    """For :func:`~openalgo_bridge.trading.sending.clearance`."""
    proven = partial(exits.is_proven, case.desk, case.broker, case.request, case.mode)
    return proven if way.reserve is None else by_itself


def _check_seen(order: OrderRequest, seen: Mapping[PositionName, int]) -> None:
    now, before = order.action.sign * order.quantity, seen.get((order.exchange, order.symbol, order.product), 0)
    if now * before <= 0 or abs(now) > abs(before):
        raise Conflict(f"It would {order.action} {order.quantity} {order.symbol} now, which is not what was shown.")


def _step(desk: Desk, broker: Broker, wanted: SmartOrderRequest, mode: TradingMode) -> tuple[SmartOrder, PositionMark]:
    """What is seen twice while it moves makes it too little that is sent, never too much."""
    with desk.budget.slot():
        there = exits.outlook(desk, broker, wanted.order, mode)
        last_price = _last_price(desk, broker, wanted, there)
    step = smart_order(
        wanted,
        position=there.net,
        working=(*working_of(there.working, wanted.order, last_price), *_in_flight(there, wanted.order)),
        settings=desk.store.preferences.smart_orders(),
        last_price=last_price,
    )
    return step, there.mark


def _in_flight(there: Outlook, order: OrderRequest) -> Iterator[Working]:
    for each in there.in_flight:
        if isinstance(each.request, OrderRequest) and is_same_position(each.request, order):
            doubt = each.ref if each.state in _DOUBTS else None
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
    return desk.turns.of((mode, order.exchange, order.symbol, order.product))
