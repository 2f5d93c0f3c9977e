"""Cancel all, close all, the kill switch: a true word about each order, and never past flat."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import cycle

import pytest

from openalgo_bridge.api import answers
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import PAGE, Operation, Origin
from openalgo_bridge.settings import Settings
from openalgo_bridge.trading import approvals, closing, kill_switch, orders, stopping
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.watch import Watch
from tests.conftest import CHEAP, TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BY_HAND = replace(ORIGIN, source=PAGE)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
RESTING = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(900))
STOP = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
EVERYTHING = CloseRequest()


@dataclass
class PartlyStubborn(ScriptedBroker):
    """Refuses whatever concerns ``stubborn``: an order's id, or a symbol."""

    stubborn: str = ""
    while_placing: Callable[[], None] = lambda: None

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        if permit.request.broker_order_id == self.stubborn:
            raise Rejected("Cannot cancel order in complete status")
        super().cancel(permit)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        if permit.request.symbol == self.stubborn:
            raise Rejected("Margin exceeds available funds")
        self.while_placing()
        return super().place(permit)


@pytest.fixture
def broker(desk: Desk) -> PartlyStubborn:
    return PartlyStubborn(desk)


@pytest.fixture
def scripted(desk: Desk, broker: PartlyStubborn) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def semi_auto(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)


def rest(desk: Desk, *requests: OrderRequest) -> list[BrokerOrderId]:
    """The ids of orders that now work at the broker."""
    sent = [orders.place(desk, request, ORIGIN) for request in requests]
    return [result.broker_order_id for result in sent if isinstance(result, Sent)]


def closed(desk: Desk, wanted: CloseRequest = EVERYTHING, origin: Origin = ORIGIN) -> Report:
    report = closing.close(desk, wanted, origin)
    assert isinstance(report, Report)
    return report


def turn(desk: Desk, mode: OrderMode) -> None:
    desk.store.preferences.set_order_mode(mode, by=TRADER)


def pull(desk: Desk) -> None:
    desk.store.kill_switch.engage("now", by=TRADER)


def states(desk: Desk, report: Report) -> list[OrderState]:
    return [order.state for order in desk.store.journal.orders_of([report.ticket.id])]


# -- cancel all --------------------------------------------------------------------------------------------------


def test_cancel_all_withdraws_each_order_and_says_so(scripted: Desk, broker: PartlyStubborn) -> None:
    ids = rest(scripted, RESTING, replace(RESTING, symbol="TCS"))
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert report.is_done
    assert [request.broker_order_id for request, _ in report.cancels()] == ids
    assert not [order for order in broker.order_book() if order.status.is_working]
    assert states(scripted, report) == [OrderState.SENT, OrderState.SENT]


def test_cancel_all_says_which_withdrawal_failed_and_tries_the_others(scripted: Desk, broker: PartlyStubborn) -> None:
    ids = rest(scripted, RESTING, RESTING, RESTING)
    broker.stubborn = ids[1]
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert not report.is_done
    assert [leg.is_done for _, leg in report.cancels()] == [True, False, True]
    assert "complete status" in report.legs[1].why_not
    assert states(scripted, report) == [OrderState.SENT, OrderState.REJECTED, OrderState.SENT]


def test_a_withdrawal_in_doubt_is_not_called_done(scripted: Desk, broker: PartlyStubborn) -> None:
    rest(scripted, RESTING)
    broker.fault = lambda: OutcomeUnknown("timed out")
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert not report.is_done
    assert "unknown" in report.legs[0].why_not


def test_cancel_all_never_waits(scripted: Desk, desk: Desk) -> None:
    rest(scripted, RESTING)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    desk.store.kill_switch.engage("stop", by=TRADER)
    desk.doors.keep_safe("the broker cannot be read")
    assert len(closing.cancel_all(scripted, CancelAllRequest(), ORIGIN).legs) == 1


def test_cancel_all_of_one_symbol_leaves_the_others(scripted: Desk, broker: PartlyStubborn) -> None:
    rest(scripted, RESTING, replace(RESTING, symbol="TCS"))
    closing.cancel_all(scripted, CancelAllRequest(symbol="TCS", exchange=Exchange.NSE), ORIGIN)
    assert [order.request.symbol for order in broker.order_book() if order.status.is_working] == ["RELIANCE"]


def test_nothing_to_cancel_is_a_ticket_all_the_same(scripted: Desk) -> None:
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert (report.is_done, report.legs) == (True, ())
    assert scripted.store.journal.ticket(report.ticket.id).state is TicketState.RELEASED


# -- close -------------------------------------------------------------------------------------------------------


def test_every_position_is_closed_at_market_the_short_ones_first(scripted: Desk, broker: PartlyStubborn) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", -5)
    broker.hold("INFY", 0)
    report = closed(scripted)
    assert report.is_done
    sent = [order.request for order in reversed(broker.order_book())]
    assert [(each.symbol, each.action, each.quantity, each.price_type) for each in sent] == [
        ("TCS", Action.BUY, 5, PriceType.MARKET),
        ("RELIANCE", Action.SELL, 10, PriceType.MARKET),
    ]


def test_what_works_on_the_closing_side_is_withdrawn_first_and_the_rest_is_left(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    stop, add = rest(scripted, STOP, RESTING)
    broker.hold("RELIANCE", 10)
    report = closed(scripted)
    assert report.is_done
    assert [request.broker_order_id for request, _ in report.cancels()] == [stop]
    assert add in {order.id for order in broker.order_book() if order.status.is_working}


def test_a_stop_that_cannot_be_withdrawn_keeps_its_position_from_being_closed_twice(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    (broker.stubborn,) = rest(scripted, STOP)
    broker.hold("RELIANCE", 10)
    report = closed(scripted)
    assert [leg.is_done for leg in report.legs] == [False, False]
    assert states(scripted, report) == [OrderState.REJECTED, OrderState.DROPPED]
    (ticket_order,) = [each for each in broker.order_book() if each.status.is_working]
    assert ticket_order.id == broker.stubborn


def test_one_failure_does_not_keep_the_others_open_nor_count_as_success(scripted: Desk, broker: PartlyStubborn) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 10)
    broker.stubborn = "TCS"
    report = closed(scripted)
    assert not report.is_done
    assert [all(leg.is_done for leg in legs) for legs in report.closures().values()] == [True, False, True]


def test_one_position_can_be_closed_alone(scripted: Desk, broker: PartlyStubborn) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("RELIANCE", 7, Product.CNC)
    broker.hold("TCS", 5)
    closed(scripted, CloseRequest(symbol="RELIANCE", exchange=Exchange.NSE, product=Product.CNC))
    (sent,) = broker.order_book()
    assert (sent.request.symbol, sent.request.product, sent.request.quantity) == ("RELIANCE", Product.CNC, 7)


def test_a_large_position_is_closed_in_slices_of_the_freeze_quantity(scripted: Desk, broker: PartlyStubborn) -> None:
    instrument = scripted.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert instrument is not None
    freeze = instrument.freeze_quantity
    broker.hold("RELIANCE", 2 * freeze + 1)
    report = closed(scripted)
    assert report.is_done
    assert [order.request.quantity for order in reversed(broker.order_book())] == [freeze, freeze, 1]
    assert len(report.closures()) == 1


def test_eight_closings_at_once_close_once(scripted: Desk, broker: PartlyStubborn) -> None:
    """Nothing fills: each sees the others' closing orders, in the book or in the journal."""
    broker.hold("RELIANCE", 10)
    in_threads(8, lambda: closing.close(scripted, EVERYTHING, ORIGIN))
    net = sum(order.pending_quantity for order in broker.order_book())
    assert net <= 10


def test_in_semi_auto_a_program_waits_and_the_trader_does_not(
    scripted: Desk, broker: PartlyStubborn, semi_auto: None
) -> None:
    broker.hold("RELIANCE", 10)
    assert isinstance(closing.close(scripted, EVERYTHING, ORIGIN), Held)
    assert broker.calls == []
    assert closed(scripted, origin=BY_HAND).is_done


def test_in_semi_auto_a_program_closes_at_once_when_exits_are_let_through(
    scripted: Desk, broker: PartlyStubborn, semi_auto: None, desk: Desk
) -> None:
    desk.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    broker.hold("RELIANCE", 10)
    assert closed(scripted).is_done


def test_what_the_trader_closes_goes_although_he_saves_semi_auto_meanwhile(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    broker.hold("RELIANCE", 10)
    broker.while_reading = lambda: turn(scripted, OrderMode.SEMI_AUTO)
    engaged = kill_switch.engage(scripted, "panic", cancel_all=True, close_all=True, by=TRADER)
    assert (engaged.is_done, len(engaged.closed[0].legs), len(broker.calls)) == (True, 1, 1)


def test_a_mode_saved_between_two_legs_keeps_none_of_the_traders_positions_open(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 10)
    broker.while_placing = lambda: turn(scripted, OrderMode.SEMI_AUTO)
    assert closed(scripted, origin=BY_HAND).is_done
    assert len(broker.calls) == 3


def test_a_programs_closing_is_held_when_the_trader_turns_to_semi_auto_meanwhile(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    broker.hold("RELIANCE", 10)
    broker.while_reading = lambda: turn(scripted, OrderMode.SEMI_AUTO)
    held = closing.close(scripted, EVERYTHING, ORIGIN)
    assert isinstance(held, Held)
    assert [ticket.id for ticket in scripted.store.journal.held()] == [held.ticket.id]
    assert (held.ticket.order_mode, broker.calls) == (OrderMode.SEMI_AUTO, [])


def test_a_closing_whose_mode_changes_at_every_look_is_held_and_says_why(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    scripted.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    broker.hold("RELIANCE", 10)
    modes = cycle((OrderMode.SEMI_AUTO, OrderMode.AUTO))
    broker.while_reading = lambda: turn(scripted, next(modes)) if broker.reads[-1] == "positions" else None
    assert closed(scripted, origin=BY_HAND).is_done, "what the trader clicks goes under either mode"
    broker.calls.clear()
    broker.book.clear()
    held = closing.close(scripted, EVERYTHING, ORIGIN)
    assert isinstance(held, Held)
    assert "mode was changed" in held.reason
    assert broker.calls == []


def test_a_held_closing_closes_what_is_open_when_it_is_approved_and_once(
    scripted: Desk, broker: PartlyStubborn, semi_auto: None
) -> None:
    held = closing.close(scripted, EVERYTHING, ORIGIN)
    assert isinstance(held, Held)
    broker.hold("RELIANCE", 4)
    seen = {("NSE", "RELIANCE", "MIS"): 4}
    report = closing.approve(scripted, held.ticket, held.ticket.shown, seen, by=TRADER)
    assert [order.request.quantity for order in broker.order_book()] == [4]
    assert report.is_done
    with pytest.raises(Conflict):
        closing.approve(scripted, held.ticket, held.ticket.shown, seen, by=TRADER)


def test_a_crash_between_the_legs_drops_the_rest_and_the_ticket_says_so(scripted: Desk, broker: PartlyStubborn) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", 5)
    draft = orders.draft_of(scripted, EVERYTHING, ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO)
    ticket, planned = scripted.store.journal.plan(draft, [SELL, replace(SELL, symbol="TCS", quantity=5)])
    scripted.store.journal.interrupt()
    assert [each.state for each in scripted.store.journal.orders_of([ticket.id])] == [OrderState.DROPPED] * 2
    assert "not sent" in scripted.store.journal.ticket(ticket.id).reason
    assert broker.calls == []
    assert len(planned) == 2


# -- the kill switch ---------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(scripted: Desk) -> Desk:
    scripted.store.kill_switch.engage("the feed is wrong", by=TRADER)
    return scripted


@pytest.mark.parametrize("mode", OrderMode)
def test_an_entry_is_refused_with_the_reason_and_written_down(
    stopped: Desk, broker: PartlyStubborn, mode: OrderMode
) -> None:
    stopped.store.preferences.set_order_mode(mode, by=TRADER)
    with pytest.raises(Denied) as refused:
        orders.place(stopped, BUY, ORIGIN)
    assert refused.value.guard is Guard.KILL_SWITCH
    assert "the feed is wrong" in refused.value.message
    (ticket,) = stopped.store.journal.tickets()
    assert (ticket.state, broker.calls) == (TicketState.DENIED, [])


def test_a_change_that_adds_is_refused_and_one_that_takes_away_is_not(scripted: Desk, broker: PartlyStubborn) -> None:
    adding, stop = rest(scripted, RESTING, STOP)
    broker.hold("RELIANCE", 10)
    scripted.store.kill_switch.engage("stop", by=TRADER)
    with pytest.raises(Denied):
        orders.modify(scripted, adding, replace(RESTING, quantity=20), ORIGIN)
    assert isinstance(orders.modify(scripted, stop, replace(STOP, quantity=5), ORIGIN), Sent)


def test_an_approval_of_an_entry_is_refused_and_the_ticket_stays(
    scripted: Desk, broker: PartlyStubborn, semi_auto: None
) -> None:
    held = orders.place(scripted, BUY, ORIGIN).ticket
    scripted.store.kill_switch.engage("stop", by=TRADER)
    with pytest.raises(Denied):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert (scripted.store.journal.ticket(held.id).state, broker.calls) == (TicketState.HELD, [])


def test_exits_and_cancels_pass(scripted: Desk, broker: PartlyStubborn) -> None:
    (resting,) = rest(scripted, RESTING)
    scripted.store.kill_switch.engage("stop", by=TRADER)
    broker.hold("TCS", 10)
    assert isinstance(orders.place(scripted, replace(SELL, symbol="TCS"), ORIGIN), Sent)
    assert isinstance(orders.cancel(scripted, resting, ORIGIN), Sent)


def test_what_may_be_an_exit_is_held_when_nobody_can_tell(stopped: Desk, broker: PartlyStubborn) -> None:
    broker.unreadable = NotSent("no connection")
    assert isinstance(orders.place(stopped, SELL, ORIGIN), Held)
    assert broker.calls == []


def test_nothing_is_claimed_after_it_whatever_was_decided_before(scripted: Desk, broker: PartlyStubborn) -> None:
    """The order has passed every check but the claim when the switch is pulled."""
    scripted.store.guards.save(GuardSettings(order_value=Decimal(10**9)), by=TRADER)
    broker.while_reading = lambda: pull(scripted)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, ORIGIN)
    assert (refused.value.guard, broker.calls) == (Guard.KILL_SWITCH, [])


def test_what_waits_for_the_claim_when_the_trader_turns_to_semi_auto_is_held(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    scripted.store.guards.save(GuardSettings(order_value=Decimal(10**9)), by=TRADER)
    preferences = scripted.store.preferences
    broker.while_reading = lambda: preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert (held.ticket.order_mode, broker.calls) == (OrderMode.SEMI_AUTO, [])


def test_it_survives_a_restart(stopped: Desk, settings: Settings, clock: FixedClock) -> None:
    stopped.close()
    again = open_desk(settings, clock, CHEAP)
    try:
        again.doors.open()
        with pytest.raises(Denied) as refused:
            orders.place(again, BUY, ORIGIN)
        assert refused.value.guard is Guard.KILL_SWITCH
    finally:
        again.close()


def test_engaging_with_everything_cancels_and_closes_and_reports_each(
    scripted: Desk, broker: PartlyStubborn, semi_auto: None
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    (resting,) = rest(scripted, RESTING)
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", 5)
    broker.stubborn = "TCS"
    engaged = kill_switch.engage(scripted, " feed ", cancel_all=True, close_all=True, by=TRADER)
    assert (engaged.state.is_on, engaged.state.reason) == (True, "feed")
    assert [request.broker_order_id for request, _ in engaged.cancelled[0].cancels()] == [resting]
    assert {name[1]: legs[0].is_done for name, legs in engaged.closed[0].closures().items()} == {
        "RELIANCE": True,
        "TCS": False,
    }
    assert not engaged.is_done


def test_engaging_alone_touches_no_order(scripted: Desk, broker: PartlyStubborn) -> None:
    rest(scripted, RESTING)
    engaged = kill_switch.engage(scripted, "", cancel_all=False, close_all=False, by=TRADER)
    assert (engaged.cancelled, engaged.closed, engaged.is_done) == ((), (), True)
    assert engaged.state.reason
    assert len(broker.calls) == 1


def test_it_is_on_although_the_broker_cannot_be_reached(scripted: Desk, broker: PartlyStubborn) -> None:
    broker.unreadable = NotSent("no connection")
    engaged = kill_switch.engage(scripted, "x", cancel_all=True, close_all=True, by=TRADER)
    assert engaged.state.is_on
    assert not engaged.is_done
    assert all("no connection" in fault for fault in engaged.faults)
    assert len(engaged.faults) == 2


class Panic(BaseException):
    """What a compiled SDK raises."""


@pytest.mark.parametrize("fault", [KeyError("net"), Panic()])
def test_an_adapters_own_exception_in_one_leg_is_told_and_the_others_have_their_turn(
    scripted: Desk, broker: PartlyStubborn, fault: BaseException
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 10)

    def break_down() -> None:
        # Two reads for the closing and two for each proof: these are the first of the second leg, and all its others.
        broker.unreadable = fault if len(broker.reads) == 5 or len(broker.reads) > 7 else None

    broker.while_reading = break_down
    report = closed(scripted)
    assert not report.is_done
    assert type(fault).__name__ in report.legs[1].why_not
    assert states(scripted, report) == [OrderState.SENT, OrderState.DROPPED, OrderState.SENT]


def test_an_exchange_whose_books_raise_anything_is_one_fault_and_the_others_are_emptied(desk: Desk) -> None:
    broken, sound = ScriptedBroker(desk, unreadable=RuntimeError("sdk bug")), ScriptedBroker(desk)
    sound.hold("RELIANCE", 10)
    both = replace(desk, brokers={TradingMode.LIVE: broken, TradingMode.ANALYZE: sound})
    engaged = kill_switch.engage(both, "x", cancel_all=True, close_all=True, by=TRADER)
    assert (engaged.state.is_on, len(sound.calls), len(engaged.faults)) == (True, 1, 2)
    assert all("RuntimeError" in fault for fault in engaged.faults)
    assert [each.orders for each in kill_switch.standing(both)] == [None, 1]


def test_one_account_that_cannot_be_reached_does_not_keep_the_other_open(desk: Desk) -> None:
    dead, alive = ScriptedBroker(desk, unreadable=NotSent("no connection")), ScriptedBroker(desk)
    alive.hold("RELIANCE", 10)
    both = replace(desk, brokers={TradingMode.LIVE: dead, TradingMode.ANALYZE: alive})
    engaged = kill_switch.engage(both, "x", cancel_all=False, close_all=True, by=TRADER)
    assert len(alive.calls) == 1
    assert engaged.faults == ("live: no connection",)


def test_entries_go_again_once_it_is_released(stopped: Desk) -> None:
    kill_switch.release(stopped, by=TRADER)
    assert isinstance(orders.place(stopped, BUY, ORIGIN), Sent)


# -- what is on its way while everything is cancelled ------------------------------------------------------------


@pytest.fixture
def on_its_way(scripted: Desk, broker: PartlyStubborn) -> Iterator[Callable[[], None]]:
    """An entry that is inside the broker's call, and shows in its book when it is let go, which waits for it."""
    entered, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        go_on.wait()

    broker.while_placing = wait
    entry = threading.Thread(target=orders.place, args=(scripted, RESTING, ORIGIN))
    entry.start()
    entered.wait()

    def land() -> None:
        go_on.set()
        entry.join()

    yield land
    land()


def test_an_order_that_may_still_come_to_be_there_is_not_called_withdrawn(
    scripted: Desk, on_its_way: Callable[[], None]
) -> None:
    engaged = kill_switch.engage(scripted, "stop", cancel_all=True, close_all=False, by=TRADER)
    assert not engaged.is_done
    ((request, leg),) = engaged.cancelled[0].cancels()
    assert request.broker_order_id == scripted.store.journal.order(1).ref, "the caller may ask for it by that"
    assert leg.why_not == "Not withdrawn: nobody knows yet whether it is there."
    (account,) = kill_switch.standing(scripted)
    assert (account.orders, account.unseen) == (0, 1)
    assert [each.id for each in stopping.unseen(scripted, engaged.cancelled[0].ticket)] == [1]


def test_a_doubt_of_an_earlier_trading_day_keeps_the_switch_from_nothing(
    scripted: Desk, broker: PartlyStubborn, clock: FixedClock
) -> None:
    broker.fault, broker.reread_after = lambda: OutcomeUnknown("timed out"), None
    orders.place(scripted, RESTING, ORIGIN)
    broker.fault = None
    done = []
    for days in (0, 3):
        clock.move(days=days)
        engaged = kill_switch.engage(scripted, "stop", cancel_all=True, close_all=True, by=TRADER)
        done.append([report.is_done for report in (*engaged.cancelled, *engaged.closed)])
    assert done == [[False, False], [True, True]]


def test_what_was_on_its_way_when_the_switch_cancelled_everything_is_withdrawn_when_it_shows(
    scripted: Desk, broker: PartlyStubborn, on_its_way: Callable[[], None]
) -> None:
    watch = Watch(replace(scripted, doors=Doors()))
    kill_switch.engage(scripted, "stop", cancel_all=True, close_all=False, by=TRADER)
    on_its_way()
    assert [each.status.is_working for each in broker.order_book()] == [True]
    kill_switch.withdraw_late(scripted)
    assert [each.status.is_working for each in broker.order_book()] == [False]
    tried = kill_switch.tried_since(scripted, scripted.store.kill_switch.state().since or scripted.clock.now())
    assert [each.operation for each in tried] == [Operation.CANCEL]
    watch.round()
    assert len(broker.calls) == 2, "once"


def test_the_timer_withdraws_what_is_found_after_the_switch_cancelled_everything(
    scripted: Desk, broker: PartlyStubborn
) -> None:
    watch = Watch(replace(scripted, doors=Doors()))
    watch.round()
    broker.fault, broker.reread_after = lambda: OutcomeUnknown("timed out"), None
    orders.place(scripted, RESTING, ORIGIN)
    broker.fault = None
    kill_switch.engage(scripted, "stop", cancel_all=True, close_all=False, by=TRADER)
    watch.round()
    ref = scripted.store.journal.order(1).ref
    broker.book[ref] = BrokerOrder(
        id=BrokerOrderId("S9"),
        tag=ref,
        request=RESTING,
        status=OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=scripted.clock.now(),
    )
    watch.round()
    assert broker.book[ref].status is OrderStatus.CANCELLED


def test_without_cancel_all_and_for_what_was_sent_later_the_timer_withdraws_nothing(
    scripted: Desk, broker: PartlyStubborn, on_its_way: Callable[[], None]
) -> None:
    kill_switch.engage(scripted, "stop", cancel_all=False, close_all=False, by=TRADER)
    on_its_way()
    kill_switch.withdraw_late(scripted)
    assert [each.status.is_working for each in broker.order_book()] == [True]
    kill_switch.engage(scripted, "stop", cancel_all=True, close_all=False, by=TRADER)
    broker.hold("TCS", 10)
    orders.place(scripted, replace(STOP, symbol="TCS"), ORIGIN)
    kill_switch.withdraw_late(scripted)
    assert [each.request.symbol for each in broker.order_book() if each.status.is_working] == ["TCS"]


def test_an_order_that_shows_already_is_withdrawn_and_not_called_unseen(scripted: Desk, broker: PartlyStubborn) -> None:
    """The broker has it and has not answered yet: its row is still being sent."""
    draft = orders.draft_of(scripted, RESTING, ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO)
    _, permit = scripted.store.journal.release(draft)
    broker.place(permit)  # type: ignore[arg-type]
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert report.is_done
    assert [request.broker_order_id for request, _ in report.cancels()] == ["S1"]


def test_a_program_is_told_by_our_reference_what_could_not_be_withdrawn(
    scripted: Desk, on_its_way: Callable[[], None]
) -> None:
    answer = answers.cancelled_all(closing.cancel_all(scripted, CancelAllRequest(), ORIGIN))
    (failed,) = answer["failures"]
    assert (answer["status"], failed["orderid"]) == ("error", scripted.store.journal.order(1).ref)
    assert answer["failed_cancellations"] == [failed["orderid"]]
    assert failed["orderid"] in answer["message"]
    assert failed["message"] in answer["message"]
