"""A position that only a moment hides: it is looked at again, and held only where it stays hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied, NotSent, OutcomeUnknown
from openalgo_bridge.model.books import Position
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    ModifyRequest,
    OrderRequest,
    PriceType,
    SmartOrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, kill_switch, orders, smart
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.smart import NothingToDo
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, in_threads, taken, with_broker

PROGRAM = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
STOP = replace(BUY, action=Action.SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
FLAT = SmartOrderRequest(order=replace(BUY, action=Action.SELL, quantity=0), position_size=0)
MORE = SmartOrderRequest(order=BUY, position_size=20)
SEEN = {("NSE", "RELIANCE", "MIS"): -10}


class Lagging(ScriptedBroker):
    """Fills market orders at once; its positions show that from :meth:`catch_up` on."""

    lags = True

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        placed = super().place(permit)
        if permit.request.price_type is PriceType.MARKET:
            self.complete(permit.ref)
        return placed

    def catch_up(self) -> None:
        self.lags = False

    def positions(self) -> list[Position]:
        if not self.lags:
            self.held.clear()
            self.hold("RELIANCE", sum(each.filled_quantity * each.request.action.sign for each in self.book.values()))
        return super().positions()

    def sent(self) -> list[tuple[Action, int]]:
        return [(each.request.action, each.request.quantity) for each in self.book.values()]


@pytest.fixture
def broker(desk: Desk) -> Lagging:
    return Lagging(desk)


@pytest.fixture
def pauses() -> list[float]:
    """Every pause that was made."""
    return []


@pytest.fixture
def scripted(desk: Desk, broker: Lagging, pauses: list[float]) -> Desk:
    return replace(with_broker(desk, broker), wait=pauses.append)


@pytest.fixture
def entered(scripted: Desk) -> Desk:
    """Ten were bought a moment ago, and the positions do not show them yet."""
    assert isinstance(smart.place(scripted, SmartOrderRequest(order=BUY, position_size=10), PROGRAM)[0], Sent)
    return scripted


def at_the_first_pause(desk: Desk, act: Callable[[], object]) -> Desk:
    """The same desk, where ``act`` is done while the first who waits does so."""
    began: list[float] = []

    def wait(seconds: float) -> None:
        began.append(seconds)
        if len(began) == 1:
            act()

    return replace(desk, wait=wait)


def test_an_exit_right_after_its_entry_goes_as_soon_as_the_positions_show_that(entered: Desk, broker: Lagging) -> None:
    assert isinstance(smart.place(at_the_first_pause(entered, broker.catch_up), FLAT, PROGRAM)[0], Sent)
    assert broker.sent() == [(Action.BUY, 10), (Action.SELL, 10)]


def test_an_exit_beside_a_stop_that_is_just_being_moved_goes_when_that_is_through(desk: Desk) -> None:
    class Slow(Lagging):
        inside, answers = threading.Event(), threading.Event()

        def modify(self, permit: SendPermit[ModifyRequest]) -> None:
            self.inside.set()
            self.answers.wait(60)
            super().modify(permit)

    broker = Slow(desk)
    broker.hold("RELIANCE", 10)
    scripted = with_broker(desk, broker)
    stop = orders.place(scripted, STOP, PROGRAM)
    assert isinstance(stop, Sent)
    higher = replace(STOP, trigger_price=Decimal(950))
    trailing = threading.Thread(target=orders.modify, args=(scripted, stop.broker_order_id, higher, PROGRAM))
    trailing.start()
    assert broker.inside.wait(60)

    def get_through() -> None:
        broker.answers.set()
        trailing.join()

    assert isinstance(smart.place(at_the_first_pause(scripted, get_through), FLAT, PROGRAM)[0], Sent)
    assert broker.sent() == [(Action.SELL, 10), (Action.SELL, 10)]


def test_what_stays_hidden_for_ten_seconds_is_held(entered: Desk, broker: Lagging, pauses: list[float]) -> None:
    held, _ = smart.place(entered, FLAT, PROGRAM)
    assert isinstance(held, Held)
    assert "does not show the last fills yet" in held.reason
    assert 5 < sum(pauses) <= 10
    assert broker.sent() == [(Action.BUY, 10)]


def test_what_no_moment_can_tell_is_held_at_once(entered: Desk, broker: Lagging, pauses: list[float]) -> None:
    broker.unreadable = NotSent("the broker does not answer")
    assert isinstance(smart.place(entered, FLAT, PROGRAM)[0], Held)
    assert pauses == []


def test_a_change_in_doubt_is_not_waited_for(scripted: Desk, broker: Lagging, pauses: list[float]) -> None:
    broker.hold("RELIANCE", 10)
    stop = orders.place(scripted, STOP, PROGRAM)
    assert isinstance(stop, Sent)
    broker.fault = lambda: OutcomeUnknown("timed out")
    changed = orders.modify(scripted, stop.broker_order_id, replace(STOP, trigger_price=Decimal(950)), PROGRAM)
    assert isinstance(changed, InDoubt)
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], Held)
    assert pauses == []


def test_what_the_person_lets_go_is_looked_at_again_too(entered: Desk, broker: Lagging) -> None:
    held, _ = smart.place(entered, FLAT, PROGRAM)
    assert isinstance(held, Held)
    waiting = at_the_first_pause(entered, broker.catch_up)
    report = approvals.approve(waiting, held.ticket.id, held.ticket.shown, by=TRADER, seen=SEEN)
    assert isinstance(report, Report)
    assert report.is_done
    assert broker.sent() == [(Action.BUY, 10), (Action.SELL, 10)]


def test_a_second_wish_for_the_position_is_worked_out_after_the_first(entered: Desk, broker: Lagging) -> None:
    second: list[object] = []
    asking = threading.Thread(target=lambda: second.append(smart.place(entered, FLAT, PROGRAM)[0]))

    def both() -> None:
        asking.start()
        broker.catch_up()

    first, _ = smart.place(at_the_first_pause(entered, both), FLAT, PROGRAM)
    asking.join()
    assert isinstance(first, Sent)
    assert [type(each) for each in second] == [NothingToDo]
    assert broker.sent() == [(Action.BUY, 10), (Action.SELL, 10)]


@pytest.mark.parametrize("wish", [FLAT, MORE])
def test_the_kill_switch_does_not_wait_for_who_looks_again_and_stops_only_entries(
    entered: Desk, broker: Lagging, wish: SmartOrderRequest
) -> None:
    def press() -> None:
        person = threading.Thread(
            target=lambda: kill_switch.engage(entered, "stop", cancel_all=False, close_all=False, by=TRADER)
        )
        person.start()
        person.join()
        broker.catch_up()

    waiting = at_the_first_pause(entered, press)
    if wish is MORE:
        with pytest.raises(Denied):
            smart.place(waiting, wish, PROGRAM)
    else:
        assert isinstance(smart.place(waiting, wish, PROGRAM)[0], Sent)
    assert len(broker.calls) == (1 if wish is MORE else 2)


def test_who_looks_again_keeps_no_place_from_anybody(entered: Desk, broker: Lagging) -> None:
    crowded = replace(entered, budget=Budget(1, quick_s=0))
    found: list[object] = []

    def enter(*, is_exit: bool) -> str:
        with crowded.budget.slot(is_exit=is_exit):
            return "a place"

    def others_ask() -> None:
        found.extend(in_threads(1, lambda: enter(is_exit=False)) + in_threads(1, lambda: enter(is_exit=True)))
        broker.catch_up()

    assert isinstance(smart.place(at_the_first_pause(crowded, others_ask), FLAT, PROGRAM)[0], Sent)
    assert found == ["a place", "a place"]


def test_who_finds_enough_looking_again_already_is_held_at_once(entered: Desk, pauses: list[float]) -> None:
    with ExitStack() as others:
        assert [others.enter_context(entered.turns.patience()) for _ in range(2)] == [True, True]
        held, _ = smart.place(entered, FLAT, PROGRAM)
    assert isinstance(held, Held)
    assert "does not show the last fills yet" in held.reason
    assert pauses == []
    smart.place(entered, FLAT, PROGRAM)
    assert pauses, "who is through makes room for the next"


def test_what_the_person_lets_go_is_looked_at_again_however_many_others_are(entered: Desk, broker: Lagging) -> None:
    held, _ = smart.place(entered, FLAT, PROGRAM)
    assert isinstance(held, Held)
    with ExitStack() as others:
        assert [others.enter_context(entered.turns.patience()) for _ in range(3)] == [True, True, False]
        waiting = at_the_first_pause(entered, broker.catch_up)
        report = approvals.approve(waiting, held.ticket.id, held.ticket.shown, by=TRADER, seen=SEEN)
    assert isinstance(report, Report)
    assert broker.sent() == [(Action.BUY, 10), (Action.SELL, 10)]


def test_a_further_look_that_finds_no_place_holds_the_wish_and_calls_nobody_busy(
    entered: Desk, broker: Lagging
) -> None:
    crowded = replace(entered, budget=Budget(1, quick_s=0))
    others: list[threading.Event] = []

    def crowd() -> None:
        others.extend([taken(crowded.budget), taken(crowded.budget, is_exit=True)])

    held, _ = smart.place(at_the_first_pause(crowded, crowd), MORE, PROGRAM)
    for leave in others:
        leave.set()
    assert isinstance(held, Held)
    assert "does not show the last fills yet" in held.reason
    assert broker.sent() == [(Action.BUY, 10)]
