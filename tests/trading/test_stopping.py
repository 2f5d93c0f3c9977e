"""Cancel all and close all beside a basket or a split on its way: nothing of it goes on after the stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.api import answers
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotSent, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CloseRequest,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    SmartOrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import approvals, closing, kill_switch, orders, several, smart, stopping
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BY_HAND = replace(ORIGIN, source=PAGE)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900), quantity=100)
RESTING = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(900))


def split(order: OrderRequest, slices: int = 10) -> LegsRequest:
    return LegsRequest(kind=LegsKind.SPLIT, orders=(order,) * slices)


@dataclass
class Filling(ScriptedBroker):
    """Fills MARKET orders at once. ``while_placing`` is called inside the broker's call. ``is_dumb``: it does
    not tell its orders; ``looks`` says so for each of the next looks.
    """

    while_placing: Callable[[], None] = lambda: None
    is_dumb: bool = False
    looks: Iterator[bool] = field(default_factory=lambda: iter(()))

    def order_book(self) -> list[BrokerOrder]:
        if next(self.looks, self.is_dumb):
            raise NotSent("timeout")
        return super().order_book()

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        order_id, order = super().place(permit), permit.request
        self.while_placing()
        if order.price_type is PriceType.MARKET:
            self.complete(permit.ref)
            self.stand_at(self.net_of(order.symbol) + order.action.sign * order.quantity, order.symbol)
        return order_id

    def stand_at(self, net: int, symbol: str = "RELIANCE") -> None:
        self.held[:] = [each for each in self.held if each.symbol != symbol]
        self.hold(symbol, net)

    def net_of(self, symbol: str) -> int:
        return sum(each.quantity for each in self.held if each.symbol == symbol)

    @property
    def net(self) -> int:
        return self.net_of("RELIANCE")

    @property
    def working(self) -> int:
        return sum(each.status.is_working for each in self.book.values())


@pytest.fixture
def broker(desk: Desk) -> Filling:
    return Filling(desk)


@pytest.fixture
def scripted(desk: Desk, broker: Filling) -> Desk:
    # A limit makes every order read its price: the moment between two orders of a ticket.
    desk.store.guards.save(GuardSettings(order_value=Decimal(10**9)), by=TRADER)
    return with_broker(desk, broker)


def interrupted(desk: Desk, broker: Filling, request: LegsRequest, act: Callable[[], Any]) -> tuple[Report, Any]:
    """What becomes of ``request`` and of ``act``, which is done after its third order went, before its fourth."""
    outcomes: list[Any] = []

    def between() -> None:
        if len(broker.calls) == 3:
            broker.while_reading = lambda: None
            outcomes.append(act())

    broker.while_reading = between
    report = several.place(desk, request, ORIGIN)
    assert isinstance(report, Report)
    (outcome,) = outcomes
    return report, outcome


def close_all(desk: Desk, origin: Origin = BY_HAND) -> Report:
    report = closing.close(desk, CloseRequest(), origin)
    assert isinstance(report, Report)
    return report


def test_after_cancel_all_nothing_more_of_a_split_is_sent(scripted: Desk, broker: Filling) -> None:
    sent, stop = interrupted(
        scripted, broker, split(RESTING), lambda: closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    )
    assert (broker.working, len(broker.book)) == (0, 3)
    assert stop.is_done
    assert len(stop.legs) == 10, "each order of it has its line"
    assert [leg.is_done for leg in sent.legs] == [True] * 3 + [False] * 7
    assert sent.legs[9].refusal == f"Not sent any more: the cancelling of {stop.ticket.ref} came first."
    told = scripted.store.journal.ticket(sent.ticket.id).reason
    assert told == f"7 of its orders were not sent. {sent.legs[9].refusal}"


def test_cancel_all_tells_the_program_what_it_kept_from_being_sent(scripted: Desk, broker: Filling) -> None:
    sent, stop = interrupted(
        scripted, broker, split(RESTING), lambda: closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    )
    answer = answers.cancelled_all(stop)
    assert (answer["status"], answer["message"]) == ("success", "Canceled 10 orders.")
    orders = scripted.store.journal.orders_of([sent.ticket.id])
    assert set(answer["canceled_orders"]) == {"S1", "S2", "S3", *(each.ref for each in orders[3:])}


def test_cancel_all_of_one_symbol_leaves_the_rest_of_a_basket_alone(scripted: Desk, broker: Filling) -> None:
    other = replace(RESTING, symbol="TCS")
    basket = LegsRequest(kind=LegsKind.BASKET, orders=(RESTING, RESTING, RESTING, RESTING, other))
    wanted = CancelAllRequest(symbol="RELIANCE", exchange=Exchange.NSE)
    interrupted(scripted, broker, basket, lambda: closing.cancel_all(scripted, wanted, ORIGIN))
    assert [each.request.symbol for each in broker.book.values() if each.status.is_working] == ["TCS"]


def test_a_position_that_was_closed_is_not_opened_again_by_the_rest_of_a_split(scripted: Desk, broker: Filling) -> None:
    _, stop = interrupted(scripted, broker, split(BUY), lambda: close_all(scripted))
    assert (broker.net, stop.is_done) == (0, True)


def test_a_position_is_closed_by_hand_in_the_middle_of_a_split_that_closes_it(scripted: Desk, broker: Filling) -> None:
    broker.stand_at(100)
    _, stop = interrupted(scripted, broker, split(SELL), lambda: close_all(scripted))
    assert (broker.net, stop.is_done) == (0, True)
    assert [each.request.quantity for each in broker.book.values()] == [10, 10, 10, 70]


def test_a_slice_that_is_just_being_sent_is_waited_for_and_closed_too(scripted: Desk, broker: Filling) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        if len(broker.calls) == 3:
            inside.set()
            go_on.wait()

    broker.while_placing = hang
    running = threading.Thread(target=several.place, args=(scripted, split(BUY), ORIGIN), daemon=True)
    running.start()
    inside.wait()

    def pass_time(_: float) -> None:
        go_on.set()
        running.join()

    stop = close_all(replace(scripted, wait=pass_time))
    assert (broker.net, stop.is_done) == (0, True)


def test_a_broker_that_hangs_keeps_nobody_from_cancelling_what_works(scripted: Desk, broker: Filling) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        if len(broker.calls) == 3:
            inside.set()
            go_on.wait()

    broker.while_placing = hang
    running = threading.Thread(target=several.place, args=(scripted, split(RESTING), ORIGIN), daemon=True)
    running.start()
    inside.wait()
    hidden = broker.book.popitem()
    waited: list[float] = []
    stop = closing.cancel_all(replace(scripted, wait=waited.append), CancelAllRequest(), ORIGIN)
    assert (tuple(waited), broker.working) == (stopping.LANDING_S, 0)
    assert [leg.why_not for leg in stop.legs if not leg.is_done] == [stopping.NOT_WITHDRAWN]
    broker.book.update([hidden])
    go_on.set()
    running.join()


def test_a_closing_that_waits_for_the_person_stops_nothing(scripted: Desk, broker: Filling) -> None:
    def ask() -> object:
        scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
        held = closing.close(scripted, CloseRequest(), ORIGIN)
        scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
        return held

    sent, held = interrupted(scripted, broker, split(BUY), ask)
    assert isinstance(held, Held)
    assert sent.is_done


def test_a_closing_that_was_decided_already_stops_nothing_either(scripted: Desk, broker: Filling) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = closing.close(scripted, CloseRequest(), ORIGIN)
    assert isinstance(held, Held)
    approvals.reject(scripted, held.ticket.id, held.ticket.shown, "", by=TRADER)
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)

    def approve() -> None:
        with pytest.raises(Conflict):
            approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen={})

    sent, _ = interrupted(scripted, broker, split(BUY), approve)
    assert sent.is_done


def test_an_approved_closing_stops_what_is_planned_too(scripted: Desk, broker: Filling) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = closing.close(scripted, CloseRequest(), ORIGIN)
    assert isinstance(held, Held)
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    seen = {("NSE", "RELIANCE", "MIS"): 30}
    interrupted(
        scripted,
        broker,
        split(BUY),
        lambda: approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=seen),
    )
    assert broker.net == 0


def test_the_kill_switch_with_close_all_ends_a_split_for_good(scripted: Desk, broker: Filling) -> None:
    _, engaged = interrupted(
        scripted,
        broker,
        split(BUY),
        lambda: kill_switch.engage(scripted, "stop", cancel_all=True, close_all=True, by=TRADER),
    )
    assert (broker.net, engaged.is_done) == (0, True)


def test_what_a_stop_kept_from_being_sent_is_found_by_its_ticket(scripted: Desk, broker: Filling) -> None:
    sent, stop = interrupted(
        scripted, broker, split(RESTING), lambda: closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    )
    stopped = stopping.stopped_by(scripted, stop.ticket)
    assert [(each.ticket_id, each.state) for each in stopped] == [(sent.ticket.id, OrderState.DROPPED)] * 7


def test_a_smart_order_beside_a_split_counts_what_that_will_still_send(scripted: Desk, broker: Filling) -> None:
    to_100 = SmartOrderRequest(order=replace(BUY, quantity=100), position_size=100)
    interrupted(scripted, broker, split(BUY), lambda: smart.place(scripted, to_100, ORIGIN))
    assert broker.net == 100


def test_a_closing_that_cannot_be_made_leaves_the_exit_under_way_alone(scripted: Desk, broker: Filling) -> None:
    broker.stand_at(100)

    def fail() -> None:
        broker.is_dumb = True
        with pytest.raises(NotSent):
            close_all(scripted)
        broker.is_dumb = False

    sent, _ = interrupted(scripted, broker, split(SELL), fail)
    assert (broker.net, sent.is_done) == (0, True)


def test_a_closing_of_less_than_is_open_stops_nothing(scripted: Desk, broker: Filling) -> None:
    broker.stand_at(-20)

    def refused() -> None:
        with pytest.raises(Conflict, match="was -20 when you looked"):
            closing.close(scripted, CloseRequest(), BY_HAND, seen={("NSE", "RELIANCE", "MIS"): -20})

    sent, _ = interrupted(scripted, broker, split(SELL), refused)
    assert (broker.net, sent.is_done) == (-120, True)


def test_an_exit_that_begins_while_a_closing_that_cannot_go_is_read_for_goes_on(
    scripted: Desk, broker: Filling
) -> None:
    broker.stand_at(100)
    broker.fault = lambda: OutcomeUnknown("timed out")
    assert isinstance(orders.place(scripted, replace(SELL, quantity=1), ORIGIN), InDoubt)
    broker.fault = None
    inside, go_on = threading.Event(), threading.Event()
    outcomes: list[Any] = []

    def hang() -> None:
        inside.set()
        go_on.wait()

    def begin() -> None:
        if broker.reads[-1] == "positions":
            broker.while_reading = lambda: None
            running.start()
            inside.wait()

    broker.while_placing, broker.while_reading = hang, begin
    running = threading.Thread(
        target=lambda: outcomes.append(several.place(scripted, split(replace(SELL, quantity=25), 2), ORIGIN))
    )

    def pass_time(_: float) -> None:
        go_on.set()
        running.join()

    assert not close_all(replace(scripted, wait=pass_time)).is_done
    pass_time(0)
    assert [leg.is_done for leg in outcomes[0].legs] == [True, True]
    assert broker.net == 50


def test_a_closing_waits_for_a_slice_that_is_longer_under_way_and_closes_the_rest(
    scripted: Desk, broker: Filling
) -> None:
    broker.stand_at(100)
    inside, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        if len(broker.calls) == 3:
            inside.set()
            go_on.wait()

    broker.while_placing = hang
    running = threading.Thread(target=several.place, args=(scripted, split(SELL), ORIGIN), daemon=True)
    running.start()
    inside.wait()
    waited: list[float] = []

    def pass_time(pause: float) -> None:
        waited.append(pause)
        if len(waited) == len(stopping.LANDING_S) + 2:
            go_on.set()
            running.join()

    stop = close_all(replace(scripted, wait=pass_time))
    assert (broker.net, stop.is_done) == (0, True)
    assert [each.request.quantity for each in broker.book.values()] == [10, 10, 10, 70]


def test_a_broker_that_hangs_on_a_slice_keeps_its_position_open_and_the_report_says_so(
    scripted: Desk, broker: Filling
) -> None:
    broker.stand_at(100)
    inside, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        go_on.wait()

    broker.while_placing = hang
    running = threading.Thread(target=several.place, args=(scripted, split(SELL), ORIGIN), daemon=True)
    running.start()
    inside.wait()
    stop = close_all(scripted)
    assert [leg.request.quantity for leg in stop.legs if isinstance(leg.request, OrderRequest) and leg.why_not] == [100]
    go_on.set()
    running.join()
    assert broker.net == 90


def test_cancel_all_stops_what_is_planned_even_where_the_broker_cannot_be_read(scripted: Desk, broker: Filling) -> None:
    def fail() -> None:
        broker.is_dumb = True
        with pytest.raises(NotSent):
            closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
        broker.is_dumb = False

    sent, _ = interrupted(scripted, broker, split(RESTING), fail)
    stop = scripted.store.journal.tickets()[0]
    assert stop.reason == "Nothing was withdrawn, because the broker cannot say what is working: timeout"
    assert [leg.is_done for leg in sent.legs] == [True] * 3 + [False] * 7
    assert len(stopping.stopped_by(scripted, stop)) == 7


def test_what_lands_while_the_broker_cannot_be_read_again_keeps_cancel_all_from_being_done(
    scripted: Desk, broker: Filling
) -> None:
    def fail_later() -> Report:
        broker.looks = iter([False, True])
        return closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)

    _, stop = interrupted(scripted, broker, split(RESTING), fail_later)
    assert [leg.why_not for leg in stop.legs if not leg.is_done] == [
        "What was just being sent may work, and could not be looked for: timeout"
    ]
    assert broker.working == 0


def test_a_closing_that_cannot_be_planned_anew_closes_what_it_had_read_and_is_not_called_done(
    scripted: Desk, broker: Filling
) -> None:
    def fail_later() -> Report:
        broker.looks = iter([False, True])
        return close_all(scripted)

    _, stop = interrupted(scripted, broker, split(BUY), fail_later)
    assert (broker.net, stop.is_done) == (0, False)


# -- an exit under way that the closing does not make ----------------------------------------------------------------

OF_TCS = {("NSE", "TCS", "MIS"): 20}
"""What a page named: another position than that of the basket on its way."""


def close_tcs(desk: Desk, broker: Filling) -> Report:
    broker.stand_at(20, "TCS")
    report = closing.close(desk, CloseRequest(), BY_HAND, seen=OF_TCS)
    assert isinstance(report, Report)
    return report


def test_a_closing_of_what_a_page_named_leaves_the_exit_of_another_position_alone(
    scripted: Desk, broker: Filling
) -> None:
    broker.stand_at(100)
    sent, stop = interrupted(scripted, broker, split(SELL), lambda: close_tcs(scripted, broker))
    assert (broker.net, broker.net_of("TCS")) == (0, 0)
    assert (sent.is_done, stop.is_done) == (True, True)


def test_nothing_more_is_opened_beside_a_closing_of_what_a_page_named(scripted: Desk, broker: Filling) -> None:
    interrupted(scripted, broker, split(BUY), lambda: close_tcs(scripted, broker))
    assert (broker.net, broker.net_of("TCS")) == (30, 0)


def test_an_approved_closing_leaves_the_exit_of_a_position_that_its_page_did_not_name_alone(
    scripted: Desk, broker: Filling
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = closing.close(scripted, CloseRequest(), ORIGIN)
    assert isinstance(held, Held)
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    broker.stand_at(100)
    broker.stand_at(20, "TCS")
    sent, _ = interrupted(
        scripted,
        broker,
        split(SELL),
        lambda: approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=OF_TCS),
    )
    assert (broker.net, broker.net_of("TCS"), sent.is_done) == (0, 0, True)


def test_a_closing_that_cannot_be_proven_leaves_the_exit_under_way_alone(scripted: Desk, broker: Filling) -> None:
    broker.stand_at(105)
    broker.fault = lambda: OutcomeUnknown("timed out")
    doubt = orders.place(scripted, replace(STOP, quantity=5), ORIGIN)
    assert isinstance(doubt, InDoubt)
    broker.fault = None
    sent, stop = interrupted(scripted, broker, split(SELL), lambda: close_all(scripted))
    assert (broker.net, sent.is_done, stop.is_done) == (5, True, False)
    assert f"Order {doubt.ticket.ref} may already close this position" in stop.legs[0].why_not


def test_a_closing_that_the_broker_is_known_to_refuse_leaves_the_exit_under_way_alone(
    scripted: Desk, broker: Filling
) -> None:
    broker.stand_at(100)
    orders.place(scripted, STOP, ORIGIN)

    def refused() -> Report:
        broker.refuses = "Market orders are blocked"
        report = close_all(scripted)
        broker.refuses = ""
        return report

    sent, stop = interrupted(scripted, broker, split(SELL), refused)
    assert (broker.net, sent.is_done, stop.is_done) == (0, True, False)


def test_a_stop_beside_the_exit_that_a_closing_ends_is_withdrawn_too(scripted: Desk, broker: Filling) -> None:
    broker.stand_at(100)
    orders.place(scripted, STOP, ORIGIN)
    _, stop = interrupted(scripted, broker, split(SELL), lambda: close_all(scripted))
    assert (broker.net, broker.working, stop.is_done) == (0, 0, True)


# -- what arrived before the stop and waited for its turn ------------------------------------------------------------


def meanwhile(desk: Desk, broker: Filling, act: Callable[[], Any], request: Callable[[], Any]) -> Any:
    """What becomes of ``request`` when ``act`` is done between its arrival and its claim."""

    def between() -> None:
        broker.while_reading = lambda: None
        act()

    broker.while_reading = between
    return request()


@pytest.mark.parametrize("stop", [close_all, lambda desk: closing.cancel_all(desk, CancelAllRequest(), ORIGIN)])
def test_an_entry_that_waited_while_everything_was_stopped_is_held(
    scripted: Desk, broker: Filling, stop: Callable[[Desk], Report]
) -> None:
    to_10 = SmartOrderRequest(order=BUY, position_size=10)
    for place in (
        lambda: orders.place(scripted, BUY, ORIGIN),
        lambda: several.place(scripted, split(BUY), ORIGIN),
        lambda: smart.place(scripted, to_10, ORIGIN)[0],
    ):
        waiting = meanwhile(scripted, broker, lambda: stop(scripted), place)
        assert isinstance(waiting, Held)
        assert "came first" in waiting.reason
    assert broker.net == 0


def test_an_entry_of_another_symbol_goes_on(scripted: Desk, broker: Filling) -> None:
    of_tcs = CancelAllRequest(symbol="TCS", exchange=Exchange.NSE)
    meanwhile(
        scripted,
        broker,
        lambda: closing.cancel_all(scripted, of_tcs, ORIGIN),
        lambda: orders.place(scripted, BUY, ORIGIN),
    )
    assert broker.net == 10


def test_an_entry_that_came_after_the_stop_goes(scripted: Desk, broker: Filling) -> None:
    close_all(scripted)
    orders.place(scripted, BUY, ORIGIN)
    assert broker.net == 10


@pytest.mark.parametrize("request_", [BUY, split(BUY)])
def test_what_was_approved_before_the_stop_and_waited_stays_held(
    scripted: Desk, broker: Filling, request_: OrderRequest | LegsRequest
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    place = several.place if isinstance(request_, LegsRequest) else orders.place
    held = place(scripted, request_, ORIGIN)
    assert isinstance(held, Held)

    def approve() -> object:
        return approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)

    with pytest.raises(Conflict, match="came first"):
        meanwhile(scripted, broker, lambda: close_all(scripted), approve)
    assert scripted.store.journal.ticket(held.ticket.id).state is TicketState.HELD
    approve()
    assert broker.net == (100 if isinstance(request_, LegsRequest) else 10)


def test_a_held_closing_that_is_approved_stops_what_came_before_its_approval(scripted: Desk, broker: Filling) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = closing.close(scripted, CloseRequest(), ORIGIN)
    assert isinstance(held, Held)
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    broker.stand_at(5)
    seen = {("NSE", "RELIANCE", "MIS"): 5}
    waiting = meanwhile(
        scripted,
        broker,
        lambda: approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=seen),
        lambda: orders.place(scripted, BUY, ORIGIN),
    )
    assert isinstance(waiting, Held)
    assert broker.net == 0
