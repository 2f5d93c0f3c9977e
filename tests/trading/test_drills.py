"""A drill shows a bad day: in the paper account alone, for as long as it was asked for, and on record."""

from __future__ import annotations

import ast
from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Conflict, Invalid, NotSent, SessionExpired, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.drill import Drill, DrillKind, DrillLength
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange, OrderMode, OrderRequest, PriceType, TradingMode
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, drills, market, orders
from openalgo_bridge.trading.doors import DoorState
from openalgo_bridge.trading.drilled import DrilledBroker
from openalgo_bridge.trading.orders import Held, Submitted
from openalgo_bridge.trading.parked import handled, send_again
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.watch import Watch
from tests import timer
from tests.conftest import CHEAP, TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker
from tests.test_architecture import MODULES, name_of, parsed
from tests.web.conftest import an_order

MINUTES = DrillLength.FIVE_MINUTES
NEXT = DrillLength.NEXT_ORDER
ORIGIN = Origin(source="api", strategy="test", request_id="r1", may_trade_live=True)
PAPER = TradingMode.ANALYZE
BUY = an_order()
RESTING = replace(BUY, price_type=PriceType.LIMIT, price=Decimal("1200.00"))
OF_THE_WHOLE = {DrillKind.EMPTY_ANSWER, DrillKind.TOO_MANY_REQUESTS, DrillKind.SESSION_OVER}


def begin(desk: Desk, kind: DrillKind, length: DrillLength = MINUTES) -> Drill:
    return drills.start(desk, kind, length, by=TRADER)


def place(desk: Desk, order: OrderRequest = BUY) -> Submitted:
    return orders.place(desk, order, ORIGIN)


def state(desk: Desk, order_id: int = 1) -> OrderState:
    return desk.store.journal.order(order_id).state


def events(desk: Desk) -> list[tuple[str, str, str]]:
    """The lines about drills, oldest first: event, from, to."""
    told = {AuditEvent.DRILL_STARTED, AuditEvent.DRILL_ENDED}
    return [(each.event, each.before, each.after) for each in reversed(desk.store.audit.page()) if each.event in told]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    return timer.closed(desk)


@pytest.fixture(autouse=True)
def watch(desk: Desk) -> Watch:
    return timer.first_round(desk)


# -- what each does -----------------------------------------------------------------------------------------------


def test_a_time_out_that_arrived_is_in_doubt_and_found_and_traded_once(desk: Desk, watch: Watch) -> None:
    begin(desk, DrillKind.TIME_OUT_TAKEN)
    assert isinstance(place(desk), InDoubt)
    assert state(desk) is OrderState.UNKNOWN
    watch.round()
    assert state(desk) is OrderState.SENT
    assert [each.quantity for each in desk.broker(PAPER).trade_book()] == [10]


def test_a_time_out_that_was_lost_is_proven_absent_and_not_sent_again(desk: Desk, watch: Watch) -> None:
    begin(desk, DrillKind.TIME_OUT_LOST)
    assert isinstance(place(desk), InDoubt)
    watch.round()
    assert state(desk) is OrderState.NOT_PLACED
    assert list(desk.broker(PAPER).order_book()) == []


def test_where_nothing_is_proven_the_person_decides(desk: Desk, watch: Watch) -> None:
    begin(desk, DrillKind.TIME_OUT_UNTOLD)
    place(desk)
    watch.round()
    assert state(desk) is OrderState.PARKED
    assert isinstance(place(desk), Held), "until then new entries of the symbol wait"
    assert desk.drills.stop(running(desk).id) is not None
    assert isinstance(send_again(desk, 1, by=TRADER), Sent)
    assert (state(desk, 1), len(desk.broker(PAPER).order_book())) == (OrderState.NOT_PLACED, 1)


def test_sent_again_while_it_runs_it_is_in_doubt_again(desk: Desk, watch: Watch) -> None:
    begin(desk, DrillKind.TIME_OUT_UNTOLD)
    place(desk)
    watch.round()
    assert isinstance(send_again(desk, 1, by=TRADER), InDoubt)
    watch.round()
    assert state(desk, 2) is OrderState.PARKED
    handled(desk, 2, by=TRADER)
    assert state(desk, 2) is OrderState.NOT_PLACED


def test_a_change_and_a_cancel_that_time_out_are_looked_up_too(desk: Desk, watch: Watch) -> None:
    resting = place(desk, RESTING)
    assert isinstance(resting, Sent)
    begin(desk, DrillKind.TIME_OUT_TAKEN)
    changed = replace(RESTING, price=Decimal("1201.00"))
    assert isinstance(orders.modify(desk, resting.broker_order_id, changed, ORIGIN), InDoubt)
    assert isinstance(orders.cancel(desk, resting.broker_order_id, ORIGIN), InDoubt)
    watch.round()
    there = desk.broker(PAPER).order(resting.broker_order_id)
    assert there is not None
    assert (there.request.price, there.status) == (Decimal("1201.00"), "cancelled")
    assert state(desk, 3) is OrderState.SENT


def test_nobody_hears_whether_the_broker_refused_what_timed_out(desk: Desk, watch: Watch) -> None:
    begin(desk, DrillKind.TIME_OUT_TAKEN)
    too_much = replace(BUY, quantity=200_000)
    assert isinstance(place(desk, too_much), InDoubt)
    watch.round()
    assert "The broker refused it" in desk.store.journal.order(1).message


def test_after_empty_answers_the_order_is_in_doubt_to_the_end_and_no_book_is_empty(desk: Desk, watch: Watch) -> None:
    place(desk)
    drill = begin(desk, DrillKind.EMPTY_ANSWER)
    assert isinstance(place(desk, replace(BUY, symbol="INFY")), InDoubt)
    broker = desk.broker(PAPER)
    for read in (broker.order_book, broker.trade_book, broker.positions, broker.holdings, broker.funds):
        with pytest.raises(BrokerError, match=r"Drill: the broker's answer was empty\."):
            read()
    watch.round()
    assert state(desk, 2) is OrderState.UNKNOWN
    drills.stop(desk, drill.id, by=TRADER)
    watch.round()
    assert state(desk, 2) is OrderState.SENT


def test_why_an_order_waits_is_told_once(desk: Desk) -> None:
    begin(desk, DrillKind.EMPTY_ANSWER)
    held = place(desk, RESTING)
    assert isinstance(held, Held)
    assert held.reason == (
        "Whether this is an exit cannot be told, because the position or the price cannot be read: "
        "Drill: the broker's answer was empty. Look at it now."
    )


def test_in_a_storm_nothing_is_sent_a_second_time(desk: Desk, watch: Watch) -> None:
    limits = desk.store.guards.load()
    desk.store.guards.save(replace(limits, rehearse_rate=True), expected=limits, by=TRADER)
    begin(desk, DrillKind.TOO_MANY_REQUESTS)
    for _ in range(2):
        with pytest.raises(NotSent, match="429"):
            place(desk)
    watch.round()
    assert ([state(desk, each) for each in (1, 2)], running(desk).hit_count) == ([OrderState.REJECTED] * 2, 2)


def test_a_session_that_is_over_takes_nothing_and_tells_nothing(desk: Desk) -> None:
    drill = begin(desk, DrillKind.SESSION_OVER)
    with pytest.raises(SessionExpired, match="Log in to the broker again"):
        place(desk)
    with pytest.raises(SessionExpired):
        desk.broker(PAPER).funds()
    drills.stop(desk, drill.id, by=TRADER)
    assert isinstance(place(desk), Sent)


def test_without_a_login_at_the_start_orders_wait_until_the_broker_can_be_read(desk: Desk, watch: Watch) -> None:
    drill = begin(desk, DrillKind.NO_LOGIN_AT_START)
    held = place(desk)
    assert isinstance(held, Held)
    watch.round()
    assert (desk.doors.state, desk.doors.are_open_for(TradingMode.LIVE)) == (DoorState.SAFE, True)
    with pytest.raises(SessionExpired):
        approvals.approve(desk, held.ticket.id, held.ticket.shown, by=TRADER)
    waits = place(desk, replace(BUY, symbol="INFY"))
    drills.stop(desk, drill.id, by=TRADER)
    watch.round()
    assert desk.doors.state is DoorState.OPEN
    assert isinstance(waits, Held)
    assert desk.store.journal.ticket(waits.ticket.id).state is TicketState.HELD


def test_prices_stand_still_while_the_market_and_the_fills_move_on(desk: Desk, clock: FixedClock) -> None:
    infy = market.listed(desk, Exchange.NSE, "INFY")
    begin(desk, DrillKind.PRICES_STAND_STILL)
    quote, depth = market.quote(desk, Exchange.NSE, "INFY"), market.depth(desk, Exchange.NSE, "INFY")
    clock.move(minutes=4)
    assert market.quote(desk, Exchange.NSE, "INFY") == quote
    assert desk.broker(PAPER).quotes([infy]) == [quote]
    assert market.depth(desk, Exchange.NSE, "INFY") == depth
    place(desk, an_order("INFY"))
    (fill,) = desk.broker(PAPER).trade_book()
    assert fill.price != quote.ask
    clock.move(minutes=2)
    assert market.quote(desk, Exchange.NSE, "INFY") != quote


def test_a_second_drill_stands_still_at_the_prices_of_its_own(desk: Desk, clock: FixedClock) -> None:
    def seen_in_a_drill() -> object:
        drill = begin(desk, DrillKind.PRICES_STAND_STILL)
        seen = market.quote(desk, Exchange.NSE, "INFY")
        drills.stop(desk, drill.id, by=TRADER)
        return seen

    first = seen_in_a_drill()
    clock.move(minutes=4)
    assert seen_in_a_drill() != first


def test_without_prices_a_market_order_goes_and_a_limit_waits(desk: Desk, clock: FixedClock) -> None:
    begin(desk, DrillKind.NO_PRICES)
    assert isinstance(place(desk), Sent)
    held = place(desk, RESTING)
    assert isinstance(held, Held)
    assert "Drill: the broker gives no prices." in held.reason
    for read in (market.quote, market.depth):
        with pytest.raises(BrokerError, match="no prices"):
            read(desk, Exchange.NSE, "INFY")
    today = clock.now().date()
    with pytest.raises(BrokerError, match="no prices"):
        market.history(desk, Exchange.NSE, "INFY", Interval.DAY, today, today)
    assert [each.symbol for each in desk.broker(PAPER).positions()] == ["RELIANCE"]


# -- for how long -------------------------------------------------------------------------------------------------


def running(desk: Desk) -> Drill:
    drill = desk.drills.running()
    assert drill is not None
    return drill


@pytest.mark.parametrize("length", [DrillLength.ONE_MINUTE, DrillLength.FIVE_MINUTES, DrillLength.FIFTEEN_MINUTES])
def test_it_ends_with_its_time(desk: Desk, clock: FixedClock, length: DrillLength) -> None:
    drill = begin(desk, DrillKind.TIME_OUT_LOST, length)
    clock.move(seconds=60 * int(length) - 1)
    assert desk.drills.running() == drill
    clock.move(seconds=1)
    assert desk.drills.running() is None
    assert isinstance(place(desk), Sent)


def test_setting_the_clock_back_makes_it_no_longer(desk: Desk, clock: FixedClock) -> None:
    begin(desk, DrillKind.TIME_OUT_LOST)
    clock.move(minutes=5)
    clock.moment = clock.moment.replace(year=2020)
    assert desk.drills.running() is None


def test_of_the_next_order_one_meets_it(desk: Desk) -> None:
    begin(desk, DrillKind.TIME_OUT_LOST, NEXT)
    assert [type(place(desk)) for _ in range(2)] == [InDoubt, Held], "the second waits for the doubt about the first"
    assert desk.drills.running() is None


def test_of_many_orders_at_once_one_is_the_next(desk: Desk) -> None:
    begin(desk, DrillKind.SESSION_OVER, NEXT)
    outcomes = in_threads(8, lambda: placed_or_refused(desk))
    assert sorted(outcomes, key=str) == ["refused", *["sent"] * 7]
    assert len(desk.broker(PAPER).trade_book()) == 7


def placed_or_refused(desk: Desk) -> str:
    try:
        place(desk)
    except SessionExpired:
        return "refused"
    return "sent"


@pytest.mark.parametrize("kind", sorted(OF_THE_WHOLE))
def test_a_drill_for_the_next_order_leaves_reading_alone(desk: Desk, kind: DrillKind) -> None:
    begin(desk, kind, NEXT)
    assert desk.broker(PAPER).positions() == []
    assert market.quote(desk, Exchange.NSE, "INFY").ltp > 0


def test_the_next_order_is_not_waited_for_for_ever(desk: Desk, clock: FixedClock) -> None:
    begin(desk, DrillKind.TIME_OUT_LOST, NEXT)
    clock.move(minutes=15)
    assert isinstance(place(desk), Sent)


@pytest.mark.parametrize("kind", [each for each in DrillKind if NEXT not in each.lengths])
def test_what_one_order_cannot_show_is_not_started_for_one(desk: Desk, kind: DrillKind) -> None:
    with pytest.raises(Invalid, match="cannot be shown for the next order"):
        begin(desk, kind, NEXT)
    assert desk.drills.running() is None


def test_one_runs_at_a_time(desk: Desk) -> None:
    first = begin(desk, DrillKind.NO_PRICES)
    with pytest.raises(Conflict, match=r"A drill runs already: No prices, until 10:35:00 IST .*\. Nothing was changed"):
        begin(desk, DrillKind.TIME_OUT_LOST)
    assert desk.drills.running() == first


def test_an_old_page_stops_no_later_drill(desk: Desk) -> None:
    first = begin(desk, DrillKind.NO_PRICES)
    assert drills.stop(desk, first.id, by=TRADER)
    second = begin(desk, DrillKind.NO_PRICES)
    assert not drills.stop(desk, first.id, by=TRADER)
    assert desk.drills.running() == second


def test_a_restart_ends_it(desk: Desk, clock: FixedClock) -> None:
    begin(desk, DrillKind.SESSION_OVER)
    desk.close()
    again = open_desk(desk.settings, clock, CHEAP)
    again.doors.open()
    assert (again.drills.running(), type(place(again))) == (None, Sent)
    again.close()


# -- what is written down -----------------------------------------------------------------------------------------


def test_start_and_stop_stand_in_the_audit_list(desk: Desk) -> None:
    drill = begin(desk, DrillKind.TIME_OUT_LOST)
    place(desk)
    drills.stop(desk, drill.id, by=TRADER)
    drills.stop(desk, drill.id, by=TRADER)
    name = "Time-out, and the order was lost"
    assert events(desk) == [
        ("drill started", "", f"{name}, for 5 minutes"),
        ("drill ended", name, "stopped; it met 1 message"),
    ]


@pytest.mark.parametrize(("length", "why"), [(NEXT, "its order was sent"), (MINUTES, "its time was over")])
def test_an_end_by_itself_is_written_down_once(
    desk: Desk, watch: Watch, clock: FixedClock, length: DrillLength, why: str
) -> None:
    begin(desk, DrillKind.TIME_OUT_LOST, length)
    place(desk)
    clock.move(minutes=5)
    for _ in range(2):
        watch.round()
    assert [told for event, _, told in events(desk) if event == "drill ended"] == [f"{why}; it met 1 message"]


def full(desk: Desk) -> None:
    desk.store.files[0].write("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")


@pytest.mark.parametrize("kind", [DrillKind.NO_PRICES, DrillKind.NO_LOGIN_AT_START])
def test_a_drill_whose_line_cannot_be_written_does_not_run(desk: Desk, watch: Watch, kind: DrillKind) -> None:
    full(desk)
    with pytest.raises(StorageError):
        begin(desk, kind)
    watch.round()
    assert (desk.drills.running(), desk.doors.state) == (None, DoorState.OPEN)


def test_an_end_that_cannot_be_written_is_an_end_all_the_same(desk: Desk) -> None:
    drill = begin(desk, DrillKind.TIME_OUT_LOST)
    full(desk)
    assert drills.stop(desk, drill.id, by=TRADER)
    assert isinstance(place(desk), Sent)


def test_an_end_by_itself_is_written_once_it_can_be(desk: Desk, watch: Watch, clock: FixedClock) -> None:
    begin(desk, DrillKind.NO_PRICES)
    full(desk)
    clock.move(minutes=5)
    watch.round()
    desk.store.files[0].write("DROP TRIGGER full")
    watch.round()
    assert [event for event, _, _ in events(desk)] == ["drill started", "drill ended"]


# -- never with real money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DrillKind)
def test_no_drill_touches_the_live_account(desk: Desk, watch: Watch, kind: DrillKind) -> None:
    """Even one that runs on after the switch: the timer ends it a moment later."""
    broker = ScriptedBroker(desk)
    both = with_broker(desk, broker, TradingMode.LIVE)
    begin(both, kind)
    both.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    assert isinstance(place(both), Sent)
    assert (len(broker.book), list(both.broker(TradingMode.LIVE).positions())) == (1, [])
    assert running(desk).hit_count == 0
    watch.round()
    assert desk.drills.running() is None
    assert events(desk)[-1][2] == "live trading is on; it met 0 messages"


def test_none_is_started_beside_live_trading(desk: Desk) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    with pytest.raises(Conflict, match="live trading is on"):
        begin(desk, DrillKind.NO_PRICES)
    assert (desk.drills.running(), events(desk)) == (None, [])


def test_only_the_paper_exchange_is_ever_wrapped(desk: Desk) -> None:
    """By construction: there is one place that makes a drilled broker, and it names the paper account."""
    makers = {
        name_of(path): node
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("DrilledBroker")
    }
    assert set(makers) == {"app.py"}
    assert ast.unparse(makers["app.py"].args[0]) == "BROKERS['paper'](surroundings)"
    drilled = {mode for mode, broker in desk.brokers.items() if isinstance(broker, DrilledBroker)}
    assert drilled == {TradingMode.ANALYZE}


def test_orders_that_are_held_already_hold_no_drill_of_that(desk: Desk) -> None:
    desk.doors.keep_safe("The broker cannot be read.")
    with pytest.raises(Conflict, match="held already"):
        begin(desk, DrillKind.NO_LOGIN_AT_START)
    assert (desk.drills.running(), desk.doors.reason) == (None, "The broker cannot be read.")


def test_semi_auto_holds_as_ever(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    begin(desk, DrillKind.TIME_OUT_LOST, NEXT)
    held = place(desk)
    assert isinstance(held, Held)
    assert running(desk).hit_count == 0
    assert isinstance(approvals.approve(desk, held.ticket.id, held.ticket.shown, by=TRADER), InDoubt)
    assert desk.drills.running() is None
