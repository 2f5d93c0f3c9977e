"""Several orders under one ticket: each is judged, claimed and told by itself, and none goes that may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, Invalid, OutcomeUnknown, Rejected
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    CancelAllRequest,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import PAGE, Operation, Origin
from openalgo_bridge.trading import approvals, closing, several
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held, draft_of
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BY_HAND = Origin(source=PAGE, strategy="", request_id="p1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, symbol="TCS", action=Action.SELL)
BASKET = LegsRequest(kind=LegsKind.BASKET, orders=(BUY, replace(BUY, symbol="INFY"), SELL))


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def placed(desk: Desk, request: LegsRequest = BASKET) -> Report:
    outcome = several.place(desk, request, ORIGIN)
    assert isinstance(outcome, Report)
    return outcome


def states(desk: Desk, report: Report) -> list[OrderState]:
    return [each.state for each in desk.store.journal.orders_of([report.ticket.id])]


def test_each_order_goes_once_in_its_turn_under_a_reference_of_its_own(scripted: Desk, broker: ScriptedBroker) -> None:
    report = placed(scripted)
    assert report.is_done
    assert [order.request.symbol for order in broker.book.values()] == ["RELIANCE", "INFY", "TCS"]
    assert broker.calls == [leg.ref for leg in report.legs]
    assert len(set(broker.calls)) == 3
    assert states(scripted, report) == [OrderState.SENT] * 3
    assert report.ticket.operation is Operation.BASKET


def test_what_the_broker_refuses_is_told_and_the_others_still_have_their_turn(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    def refuse_the_second() -> None:
        broker.fault = (lambda: Rejected("Insufficient funds")) if len(broker.calls) == 1 else None

    broker.while_reading = refuse_the_second
    scripted.store.guards.save(GuardSettings(order_value=Decimal(10**9)), by=TRADER)
    report = placed(scripted)
    assert [leg.is_done for leg in report.legs] == [True, False, True]
    assert report.legs[1].refusal == "Insufficient funds"
    assert states(scripted, report) == [OrderState.SENT, OrderState.REJECTED, OrderState.SENT]


def test_a_guard_refuses_one_order_of_a_basket_and_names_it_in_the_journal(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.guards.save(GuardSettings(allowed_symbols=frozenset({"NSE:RELIANCE", "NSE:TCS"})), by=TRADER)
    report = placed(scripted)
    assert [leg.is_done for leg in report.legs] == [True, False, True]
    assert "INFY on NSE is not among the symbols you allow" in report.legs[1].refusal
    assert states(scripted, report) == [OrderState.SENT, OrderState.DROPPED, OrderState.SENT]


def test_the_orders_of_a_basket_use_up_the_orders_of_the_day(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(orders_per_day=4), by=TRADER)
    assert placed(scripted).is_done
    second = placed(scripted, replace(BASKET, orders=(BUY, SELL)))
    assert [leg.is_done for leg in second.legs] == [True, False]
    assert "used up" in second.legs[1].refusal
    assert len(broker.calls) == 4


def test_under_the_kill_switch_only_what_is_an_exit_goes(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("TCS", 10)
    scripted.store.kill_switch.engage("test", by=TRADER)
    report = placed(scripted)
    assert [leg.is_done for leg in report.legs] == [False, False, True]
    assert "kill switch" in report.legs[0].refusal
    assert [order.request.symbol for order in broker.book.values()] == ["TCS"]


EXITS = LegsRequest(
    kind=LegsKind.BASKET, orders=tuple(replace(SELL, symbol=each) for each in ("RELIANCE", "INFY", "TCS"))
)


@pytest.fixture
def long(broker: ScriptedBroker) -> None:
    for order in EXITS.orders:
        broker.hold(order.symbol, 10)


def while_it_waits(desk: Desk, act: Callable[[], object]) -> Desk:
    """The same desk, where ``act`` is done while the second order of a ticket waits for its token."""
    passed = [0.0]

    def wait(seconds: float) -> None:
        if not passed[0]:
            act()
        passed[0] += seconds

    throttle = Throttle(1, monotonic=lambda: passed[0], wait=wait)
    return replace(desk, throttles={"scripted": throttle})


def engage(desk: Desk) -> None:
    desk.store.kill_switch.engage("test", by=TRADER)


@pytest.mark.usefixtures("long")
def test_the_kill_switch_lets_an_exit_through_that_waits_for_its_token(scripted: Desk, broker: ScriptedBroker) -> None:
    report = placed(while_it_waits(scripted, lambda: engage(scripted)), EXITS)
    assert report.is_done, [leg.refusal for leg in report.legs]
    assert len(broker.calls) == 3


@pytest.mark.usefixtures("long")
def test_the_kill_switch_stops_what_is_no_exit_when_its_turn_comes(scripted: Desk, broker: ScriptedBroker) -> None:
    """Its position was closed by hand while it waited."""

    def close_by_hand() -> None:
        broker.held[:] = [each for each in broker.held if each.symbol != "INFY"]
        engage(scripted)

    report = placed(while_it_waits(scripted, close_by_hand), EXITS)
    assert [leg.is_done for leg in report.legs] == [True, False, True]
    assert "kill_switch" in report.legs[1].refusal


def test_limits_that_are_changed_while_it_waits_are_asked_anew(scripted: Desk, broker: ScriptedBroker) -> None:
    limits = GuardSettings(allowed_symbols=frozenset({"NSE:RELIANCE", "NSE:TCS"}))
    report = placed(while_it_waits(scripted, lambda: scripted.store.guards.save(limits, by=TRADER)))
    assert [leg.is_done for leg in report.legs] == [True, False, True]
    assert "INFY on NSE is not among the symbols you allow" in report.legs[1].refusal


def test_an_outcome_in_doubt_keeps_the_rest_of_its_symbol_back(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    slices = LegsRequest(kind=LegsKind.SPLIT, orders=(BUY, BUY, BUY))
    report = placed(scripted, slices)
    assert len(broker.calls) == 1
    assert states(scripted, report) == [OrderState.UNKNOWN, OrderState.DROPPED, OrderState.DROPPED]
    assert "in doubt" in report.legs[1].refusal


def test_nothing_is_sold_once_a_leg_that_buys_is_missing(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault = lambda: Rejected("no margin")
    report = placed(scripted, replace(BASKET, kind=LegsKind.MULTI_LEG))
    assert len(broker.calls) == 2, "both that buy were tried, the one that sells was not"
    assert states(scripted, report)[2] is OrderState.DROPPED
    assert "stand alone" in report.legs[2].refusal


def test_a_fault_in_one_order_names_it_and_sends_none(scripted: Desk, broker: ScriptedBroker) -> None:
    wrong = replace(BASKET, orders=(BUY, replace(BUY, symbol="NOSUCH")))
    with pytest.raises(Invalid) as refusal:
        several.place(scripted, wrong, ORIGIN)
    assert list(refusal.value.faults) == ["orders[1].symbol"]
    assert broker.calls == []
    assert scripted.store.journal.tickets() == []


def test_semi_auto_holds_all_of_it_under_one_ticket_and_approval_sends_each_once(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = several.place(scripted, BASKET, ORIGIN)
    assert isinstance(held, Held)
    assert broker.calls == []
    results = in_threads(4, lambda: approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER))
    reports = [each for each in results if isinstance(each, Report)]
    assert len(reports) == 1, "of several clicks one decides"
    assert reports[0].is_done
    assert len(broker.calls) == 3


def test_what_was_changed_since_it_was_shown_is_not_approved(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = several.place(scripted, BASKET, ORIGIN).ticket
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, "0" * 64, by=TRADER)
    assert broker.calls == []


def test_an_approved_basket_goes_although_the_modes_were_changed_since(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.doors.keep_safe("the broker could not be read")
    held = several.place(scripted, BASKET, ORIGIN)
    assert isinstance(held, Held)
    assert "could not be read" in held.reason
    scripted.doors.open()
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    report = approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)
    assert isinstance(report, Report)
    assert report.is_done


def test_semi_auto_saved_in_the_middle_stops_the_orders_that_were_not_sent(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    def save_semi_auto() -> Exception:
        scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
        return Rejected("the first is refused, too")

    broker.fault = save_semi_auto
    report = placed(scripted)
    assert len(broker.calls) == 1
    assert states(scripted, report) == [OrderState.REJECTED, OrderState.DROPPED, OrderState.DROPPED]


def test_what_was_given_up_meanwhile_costs_the_broker_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    """The tokens of that moment are those that the withdrawals take."""
    pauses: list[float] = []
    throttled = replace(
        scripted, throttles={"scripted": Throttle(20, monotonic=lambda: sum(pauses), wait=pauses.append)}
    )
    resting = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(900))

    def cancel_all_after_the_third() -> None:
        if len(broker.book) == 3:
            broker.while_reading = lambda: None
            closing.cancel_all(throttled, CancelAllRequest(), BY_HAND)
            broker.reads.clear()

    broker.while_reading = cancel_all_after_the_third
    report = placed(throttled, LegsRequest(kind=LegsKind.SPLIT, orders=(resting,) * 30))
    assert [leg.result is not None for leg in report.legs] == [True] * 3 + [False] * 27
    assert all("ancel" in leg.refusal for leg in report.legs[3:]), "each says who gave it up"
    assert states(scripted, report)[3:] == [OrderState.DROPPED] * 27
    assert broker.reads == []
    assert pauses == []


def test_the_same_basket_again_is_a_repeat_inside_the_window(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    scripted.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    placed(scripted)
    with pytest.raises(Denied, match="exactly the same"):
        several.place(scripted, BASKET, ORIGIN)
    assert len(broker.calls) == 3
    placed(scripted, replace(BASKET, orders=(SELL, BUY)))
    clock.move(seconds=61)
    placed(scripted)
    assert len(broker.calls) == 8


def test_a_restart_in_the_middle_drops_what_was_not_sent_and_says_so(scripted: Desk, broker: ScriptedBroker) -> None:
    class Killed(BaseException):
        """As if the process ended there."""

    def die() -> BaseException:
        return Killed()

    broker.fault = die
    placed(scripted, LegsRequest(kind=LegsKind.BASKET, orders=(BUY,)))
    draft = draft_of(scripted, BASKET, ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO)
    ticket, _ = scripted.store.journal.plan(draft, BASKET.orders)
    broker.fault = None
    scripted.store.journal.interrupt()
    recover(scripted)
    after = scripted.store.journal.ticket(ticket.id)
    assert after.state is TicketState.RELEASED
    assert "3 of its orders were not sent" in after.reason
    assert len(broker.calls) == 1
