"""A ticket of several orders that waits: it keeps what an order keeps that waits alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy, Conflict, Denied, Invalid, NotSent
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
)
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import approvals, orders, several
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
OUT = replace(BUY, action=Action.SELL, quantity=5)
SPLIT_EXIT = LegsRequest(kind=LegsKind.SPLIT, orders=(OUT, OUT))
BASKET_EXIT = replace(SPLIT_EXIT, kind=LegsKind.BASKET)
BASKET = LegsRequest(kind=LegsKind.BASKET, orders=(BUY, replace(BUY, symbol="TCS")))


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    semi = with_broker(desk, broker)
    semi.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return semi


def held(desk: Desk, request: LegsRequest = BASKET) -> Ticket:
    outcome = several.place(desk, request, ORIGIN)
    assert isinstance(outcome, Held)
    return outcome.ticket


def approved(desk: Desk, ticket: Ticket) -> Report:
    outcome = approvals.approve(desk, ticket.id, ticket.shown, by=TRADER)
    assert isinstance(outcome, Report)
    return outcome


def state(desk: Desk, ticket: Ticket) -> TicketState:
    return desk.store.journal.ticket(ticket.id).state


# -- exits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [SPLIT_EXIT, BASKET_EXIT], ids=["split", "basket"])
def test_an_exit_in_several_orders_waits_as_long_as_one_in_one(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock, request_: LegsRequest
) -> None:
    clock.moment = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    broker.hold("RELIANCE", 10)
    ticket = held(scripted, request_)
    alone = orders.place(scripted, replace(OUT, quantity=10), ORIGIN)
    assert isinstance(alone, Held)
    assert ticket.is_exit
    assert ticket.expires_at == alone.ticket.expires_at
    clock.move(minutes=30)
    assert approvals.ticket(scripted, ticket.id).state is TicketState.HELD


def test_what_closes_together_more_than_there_is_waits_as_an_entry(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    broker.hold("RELIANCE", 8)
    ticket = held(scripted, SPLIT_EXIT)
    assert not ticket.is_exit
    assert ticket.expires_at == clock.now() + timedelta(minutes=5)


def test_what_cannot_be_told_apart_from_an_exit_waits_to_the_end_of_the_session_with_an_alarm(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    broker.unreadable = NotSent("no session")
    ticket = held(scripted, SPLIT_EXIT)
    assert "Look at it now" in ticket.reason
    assert not ticket.is_exit
    assert ticket.expires_at is not None
    assert ticket.expires_at > clock.now() + timedelta(minutes=5)


def test_what_came_to_close_is_not_approved_once_less_is_left(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    ticket = held(scripted, SPLIT_EXIT)
    broker.held.clear()
    broker.hold("RELIANCE", 7)
    with pytest.raises(Conflict, match="only 7 are left"):
        approved(scripted, ticket)
    assert broker.calls == []
    assert state(scripted, ticket) is TicketState.HELD


def test_targets_that_rest_do_not_close_more_between_them_than_is_left(scripted: Desk, broker: ScriptedBroker) -> None:
    """Each alone would fit: what rests is not counted against an exit that waited."""
    target = replace(OUT, price_type=PriceType.LIMIT, price=Decimal(1100))
    broker.hold("RELIANCE", 10)
    ticket = held(scripted, replace(SPLIT_EXIT, orders=(target, target)))
    broker.held.clear()
    broker.hold("RELIANCE", 5)
    with pytest.raises(Conflict, match="only 5 are left"):
        approved(scripted, ticket)
    assert broker.calls == []


def test_the_exit_of_a_mixed_basket_opens_nothing_later(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("TCS", 5)
    ticket = held(scripted, replace(BASKET, orders=(BUY, replace(OUT, symbol="TCS"))))
    assert not ticket.is_exit
    broker.held.clear()
    report = approved(scripted, ticket)
    assert [each.is_done for each in report.legs] == [True, False]
    assert "an exit of 5 TCS, but only 0 are left" in report.legs[1].refusal
    assert [each.request.symbol for each in broker.book.values()] == ["RELIANCE"]


def test_one_position_that_is_flat_by_now_keeps_the_other_exits_of_its_basket_from_nothing(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 5)
    ticket = held(scripted, replace(BASKET_EXIT, orders=(OUT, replace(OUT, symbol="TCS"), replace(OUT, symbol="INFY"))))
    broker.held = [each for each in broker.held if each.symbol != "TCS"]
    report = approved(scripted, ticket)
    assert [each.is_done for each in report.legs] == [True, False, True]
    assert [each.request.symbol for each in broker.book.values()] == ["RELIANCE", "INFY"]


def test_of_a_position_that_became_smaller_no_exit_of_a_basket_goes_but_those_of_others_do(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    """Targets that rest are not counted against each other: each alone would fit."""
    target = replace(OUT, price_type=PriceType.LIMIT, price=Decimal(1100))
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", 5)
    ticket = held(scripted, replace(BASKET_EXIT, orders=(target, target, replace(OUT, symbol="TCS"))))
    broker.held[0] = replace(broker.held[0], quantity=5)
    report = approved(scripted, ticket)
    assert [each.is_done for each in report.legs] == [False, False, True]


@pytest.mark.parametrize("kind", [LegsKind.BASKET, LegsKind.SPLIT])
def test_an_exit_beside_a_stop_goes_in_several_orders_while_another_order_of_its_symbol_is_in_doubt(
    scripted: Desk, broker: ScriptedBroker, kind: LegsKind
) -> None:
    broker.hold("RELIANCE", 10)
    ticket = held(scripted, replace(BASKET_EXIT, kind=kind))
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    stop = replace(OUT, quantity=10, price_type=PriceType.SL_M, trigger_price=Decimal(900))
    orders.place(scripted, stop, ORIGIN)
    broker.fault = TimeoutError
    orders.place(scripted, replace(BUY, product=Product.CNC), ORIGIN)
    broker.fault = None
    assert approved(scripted, ticket).is_done


def test_a_ticket_is_judged_as_a_whole_by_one_look_at_the_books(scripted: Desk, broker: ScriptedBroker) -> None:
    symbols = ("RELIANCE", "TCS", "INFY", "SBIN")
    for symbol in symbols:
        broker.hold(symbol, 5)
    basket = replace(BASKET_EXIT, orders=tuple(replace(OUT, symbol=each) for each in symbols))
    ticket = held(scripted, basket)
    broker.reads.clear()
    assert approved(scripted, ticket).is_done
    assert broker.reads.count("order_book") == len(symbols) + 1, "each order is proven again at its claim"
    assert broker.reads.count("positions") == len(symbols) + 1


def test_what_is_no_exit_is_seen_at_its_first_order(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    held(scripted)
    assert broker.reads.count("order_book") == 1


def test_a_broker_that_cannot_be_read_is_asked_once_about_a_ticket(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 5)
    broker.hold("TCS", 5)
    ticket = held(scripted, replace(BASKET_EXIT, orders=(OUT, replace(OUT, symbol="TCS"))))
    scripted.store.kill_switch.engage("test", by=TRADER)
    broker.reads.clear()
    broker.unreadable = NotSent("no session")
    with pytest.raises(BridgeError):
        approved(scripted, ticket)
    assert broker.reads.count("order_book") == 1


def test_an_approved_exit_goes_order_by_order(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    report = approved(scripted, held(scripted, SPLIT_EXIT))
    assert report.is_done
    assert [each.request.quantity for each in broker.book.values()] == [5, 5]


def test_exits_are_let_through_where_the_trader_said_so(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    broker.hold("RELIANCE", 10)
    report = several.place(scripted, SPLIT_EXIT, ORIGIN)
    assert isinstance(report, Report)
    assert report.is_done
    assert report.ticket.is_exit


def test_of_what_closes_and_what_opens_nothing_is_let_through(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    broker.hold("RELIANCE", 10)
    held(scripted, replace(BASKET, orders=(OUT, replace(BUY, symbol="TCS"))))
    held(scripted, replace(SPLIT_EXIT, orders=(OUT, OUT, OUT)))
    assert broker.calls == []


def test_what_passed_as_an_exit_stops_where_it_is_none_any_more(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    broker.hold("RELIANCE", 10)

    def closed_elsewhere() -> None:
        if broker.calls:
            broker.held.clear()

    broker.while_reading = closed_elsewhere
    report = several.place(scripted, SPLIT_EXIT, ORIGIN)
    assert isinstance(report, Report)
    assert [leg.is_done for leg in report.legs] == [True, False]
    assert "is none any more" in report.legs[1].refusal


# -- a crash after the approval ------------------------------------------------------------------


def test_what_was_approved_and_not_begun_when_the_bridge_stopped_waits_again_and_goes_once(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    ticket = held(scripted)
    scripted.store.journal.approve_plan(ticket.id, ticket.shown, BASKET.orders, by=TRADER)
    assert state(scripted, ticket) is TicketState.APPROVED
    found = scripted.store.journal.interrupt()
    again = scripted.store.journal.ticket(ticket.id)
    assert (found.held_again, found.dropped, again.state) == (1, 2, TicketState.HELD)
    assert again.reason == "The bridge stopped before it was sent. Decide again."
    assert approved(scripted, again).is_done
    assert len(broker.calls) == 2


def test_what_was_approved_and_begun_when_the_bridge_stopped_is_not_sent_again(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    ticket = held(scripted)
    _, (first, _) = scripted.store.journal.approve_plan(ticket.id, ticket.shown, BASKET.orders, by=TRADER)
    scripted.store.journal.claim(first.id, is_approved=True)
    assert scripted.store.journal.interrupt().held_again == 0
    assert state(scripted, ticket) is TicketState.RELEASED


def test_what_was_approved_and_all_given_up_is_not_held_again(scripted: Desk) -> None:
    ticket = held(scripted)
    _, planned = scripted.store.journal.approve_plan(ticket.id, ticket.shown, BASKET.orders, by=TRADER)
    for order in planned:
        dropped = Settlement(state=OrderState.DROPPED, message="because")
        scripted.store.journal.settle(order.id, dropped, was=OrderState.PLANNED)
    assert state(scripted, ticket) is TicketState.RELEASED
    assert scripted.store.journal.interrupt().held_again == 0


# -- what stops an approval leaves the ticket ----------------------------------------------------


def kill_switch_on(desk: Desk, broker: ScriptedBroker) -> None:
    desk.store.kill_switch.engage("test", by=TRADER)


def too_dear(desk: Desk, broker: ScriptedBroker) -> None:
    desk.store.guards.save(GuardSettings(order_value=Decimal(1)), by=TRADER)


def unreadable(desk: Desk, broker: ScriptedBroker) -> None:
    desk.store.guards.save(GuardSettings(order_value=Decimal(10**9)), by=TRADER)
    broker.unreadable = NotSent("no session")


@pytest.mark.parametrize("stop", [kill_switch_on, too_dear, unreadable])
def test_an_approval_of_which_nothing_can_go_leaves_it_held(
    scripted: Desk, broker: ScriptedBroker, stop: Callable[[Desk, ScriptedBroker], None]
) -> None:
    ticket = held(scripted)
    stop(scripted, broker)
    with pytest.raises(BridgeError):
        approved(scripted, ticket)
    assert broker.calls == []
    assert state(scripted, ticket) is TicketState.HELD


def test_an_approval_at_a_busy_moment_leaves_it_held(scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = held(scripted)
    full = replace(scripted, budget=Budget(0))
    with pytest.raises(Busy):
        approved(full, ticket)
    assert state(scripted, ticket) is TicketState.HELD
    assert approved(scripted, ticket).is_done


def test_an_approval_sends_what_may_go_and_drops_the_rest_of_a_basket(scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = held(scripted)
    scripted.store.guards.save(GuardSettings(allowed_symbols=frozenset({"NSE:TCS"})), by=TRADER)
    report = approved(scripted, ticket)
    assert [leg.is_done for leg in report.legs] == [False, True]


def test_which_guard_kept_it_back_is_in_its_story(scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = held(scripted)
    kill_switch_on(scripted, broker)
    with pytest.raises(Denied):
        approved(scripted, ticket)
    events = scripted.store.journal.events(ticket.id)
    assert any(each.by == f"guard {Guard.KILL_SWITCH}" for each in events)


def test_what_no_order_of_may_go_is_refused_when_it_comes(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(allowed_symbols=frozenset({"NSE:INFY"})), by=TRADER)
    with pytest.raises(Denied, match="RELIANCE"):
        several.place(scripted, BASKET, ORIGIN)
    assert scripted.store.journal.held() == []


def test_a_stale_signal_does_not_wait(scripted: Desk, broker: ScriptedBroker, clock: FixedClock) -> None:
    scripted.store.guards.save(GuardSettings(stale_after=60), by=TRADER)
    stale = replace(ORIGIN, signal_at=clock.now() - timedelta(seconds=90))
    with pytest.raises(Denied, match="90 s old"):
        several.place(scripted, BASKET, stale)
    assert scripted.store.journal.held() == []


# -- the price since -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(LegsKind))
def test_a_price_that_moved_too_far_while_it_waited_stops_it(
    scripted: Desk, broker: ScriptedBroker, kind: LegsKind
) -> None:
    scripted.store.guards.save(GuardSettings(price_drift=Decimal(2)), by=TRADER)
    ticket = held(scripted, replace(BASKET, kind=kind))
    broker.ltp = Decimal(1100)
    with pytest.raises(Denied, match="moved from 1000 to 1100"):
        approved(scripted, ticket)
    assert broker.calls == []
    assert state(scripted, ticket) is TicketState.HELD
    broker.ltp = Decimal(1010)
    assert approved(scripted, ticket).is_done


def test_the_prices_of_all_its_orders_are_one_question(scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = held(scripted, replace(BASKET, orders=(*BASKET.orders, BUY)))
    assert [each.price for each in ticket.arrivals] == [Decimal(1000)] * 3
    assert broker.reads.count("quote") == 2, "one for each symbol"
    assert scripted.store.journal.ticket(ticket.id).arrivals == ticket.arrivals


# -- repeats -------------------------------------------------------------------------------------


def test_the_same_basket_delivered_many_times_at_once_waits_once(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    outcomes = in_threads(6, lambda: several.place(scripted, BASKET, ORIGIN))
    assert len([each for each in outcomes if isinstance(each, Held)]) == 1
    assert all(isinstance(each, Held | Denied) for each in outcomes)
    assert len(scripted.store.journal.held()) == 1


def test_the_same_basket_delivered_many_times_at_once_is_sent_once(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    scripted.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    outcomes = in_threads(6, lambda: several.place(scripted, BASKET, ORIGIN))
    assert len([each for each in outcomes if isinstance(each, Report)]) == 1
    assert all(isinstance(each, Report | Denied) for each in outcomes)
    assert len(broker.calls) == 2


def test_of_two_equal_ones_that_waited_one_goes(scripted: Desk, broker: ScriptedBroker) -> None:
    first, second = held(scripted), held(scripted)
    scripted.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    approved(scripted, first)
    with pytest.raises(Denied, match="exactly the same"):
        approved(scripted, second)
    assert len(broker.calls) == 2
    assert state(scripted, second) is TicketState.HELD


# -- the size of what is sliced ------------------------------------------------------------------


@pytest.fixture
def auto(scripted: Desk) -> Desk:
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    return scripted


SLICED = [LegsKind.SPLIT, LegsKind.OPTIONS, LegsKind.MULTI_LEG]


@pytest.mark.parametrize("kind", SLICED)
@pytest.mark.parametrize("limits", [GuardSettings(maximum_quantity=10), GuardSettings(order_value=Decimal(10_000))])
def test_slices_are_one_order_to_the_limits_of_one(
    auto: Desk, broker: ScriptedBroker, kind: LegsKind, limits: GuardSettings
) -> None:
    auto.store.guards.save(limits, by=TRADER)
    with pytest.raises(Denied, match="above the"):
        several.place(auto, LegsRequest(kind=kind, orders=(BUY, BUY)), ORIGIN)
    assert broker.calls == []
    assert isinstance(several.place(auto, LegsRequest(kind=kind, orders=(BUY,)), ORIGIN), Report)


def test_the_orders_of_a_basket_are_as_many_to_these_limits(auto: Desk, broker: ScriptedBroker) -> None:
    auto.store.guards.save(GuardSettings(maximum_quantity=10), by=TRADER)
    report = several.place(auto, LegsRequest(kind=LegsKind.BASKET, orders=(BUY, BUY)), ORIGIN)
    assert isinstance(report, Report)
    assert report.is_done


def test_slices_keep_the_sanity_limit_together(auto: Desk, broker: ScriptedBroker) -> None:
    slice_ = replace(BUY, quantity=700_000)
    with pytest.raises(Denied, match="7700000 is above 7082000, more than any order of it can mean"):
        several.place(auto, LegsRequest(kind=LegsKind.SPLIT, orders=(slice_,) * 11), ORIGIN)
    assert broker.calls == []


def test_a_large_position_is_closed_in_slices_whatever_the_limits_of_entries(
    auto: Desk, broker: ScriptedBroker
) -> None:
    auto.store.guards.save(GuardSettings(maximum_quantity=5, order_value=Decimal(100)), by=TRADER)
    broker.hold("RELIANCE", 20)
    big = replace(OUT, quantity=10)
    report = several.place(auto, LegsRequest(kind=LegsKind.SPLIT, orders=(big, big)), ORIGIN)
    assert isinstance(report, Report)
    assert report.is_done


def test_a_limit_that_was_narrowed_while_it_waited_counts_the_slices_together(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    ticket = held(scripted, LegsRequest(kind=LegsKind.SPLIT, orders=(BUY, BUY)))
    scripted.store.guards.save(GuardSettings(maximum_quantity=10), by=TRADER)
    with pytest.raises(Denied, match="20 is above the 10"):
        approved(scripted, ticket)
    assert state(scripted, ticket) is TicketState.HELD


@pytest.mark.parametrize("mode", list(OrderMode))
def test_more_orders_than_a_ticket_has_references_for_are_refused_in_either_mode(
    scripted: Desk, broker: ScriptedBroker, mode: OrderMode
) -> None:
    scripted.store.preferences.set_order_mode(mode, by=TRADER)
    with pytest.raises(Invalid, match="1025 orders are too many"):
        several.place(scripted, LegsRequest(kind=LegsKind.MULTI_LEG, orders=(BUY,) * 1025), ORIGIN)
    assert scripted.store.journal.tickets() == []


def test_what_the_person_let_go_is_not_held_up_by_safe_mode(scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = held(scripted)
    scripted.doors.keep_safe("the broker could not be read")
    report = approved(scripted, ticket)
    states = [each.state for each in scripted.store.journal.orders_of([report.ticket.id])]
    assert states == [OrderState.SENT, OrderState.SENT]
