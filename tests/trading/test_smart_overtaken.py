"""A position that others trade while it is read: what was worked out from the reading does not go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from openalgo_bridge.api import several_answers
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy, Conflict, Denied
from openalgo_bridge.model.books import Position
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CloseRequest,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    Product,
    Ref,
    SmartOrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import PAGE, Operation, Origin, Ticket
from openalgo_bridge.trading import approvals, closing, orders, several, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.smart import NothingToDo
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker

PROGRAM = Origin(source="api", strategy="test", request_id="r1")
OTHER = Origin(source="api", strategy="other", request_id="r2")
BY_HAND = Origin(source=PAGE, strategy="", request_id="p1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
FLAT = SmartOrderRequest(order=SELL, position_size=0)
SEEN = {("NSE", "RELIANCE", "MIS"): -10}


class Filling(ScriptedBroker):
    """Fills what it takes at once. ``late`` is done while its answer about the positions is on its way."""

    late: Callable[[], object] | None = None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        order_id = super().place(permit)
        self.complete(permit.ref)
        self.hold(permit.request.symbol, permit.request.action.sign * permit.request.quantity, permit.request.product)
        return order_id

    def hold(self, symbol: str, quantity: int, product: Product = Product.MIS) -> None:
        net = quantity + self.net(symbol, product)
        self.held = [each for each in self.held if (each.symbol, each.product) != (symbol, product)]
        super().hold(symbol, net, product)

    def net(self, symbol: str = "RELIANCE", product: Product = Product.MIS) -> int:
        return sum(each.quantity for each in self.held if (each.symbol, each.product) == (symbol, product))

    def positions(self) -> list[Position]:
        answer, late = super().positions(), self.late
        self.late = None
        if late is not None:
            late()
        return answer


@pytest.fixture
def broker(desk: Desk) -> Filling:
    broker = Filling(desk)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: Filling) -> Desk:
    return with_broker(desk, broker)


def held(desk: Desk, wanted: SmartOrderRequest = FLAT) -> Ticket:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    result, _ = smart.place(desk, wanted, PROGRAM)
    assert isinstance(result, Held)
    return result.ticket


def by_the_page(desk: Desk) -> None:
    closing.close(desk, CloseRequest(), BY_HAND)


def by_another_program(desk: Desk) -> None:
    assert isinstance(orders.place(desk, SELL, OTHER), Sent)


def by_a_split(desk: Desk) -> None:
    half = replace(SELL, quantity=5)
    several.place(desk, LegsRequest(kind=LegsKind.SPLIT, orders=(half, half)), OTHER)


@pytest.mark.parametrize("closes", [by_the_page, by_another_program, by_a_split])
def test_what_was_closed_meanwhile_is_not_closed_again(
    scripted: Desk, broker: Filling, closes: Callable[[Desk], None]
) -> None:
    broker.late = lambda: closes(scripted)
    result, _ = smart.place(scripted, FLAT, PROGRAM)
    assert isinstance(result, NothingToDo)
    assert broker.net() == 0


def test_what_was_added_meanwhile_is_closed_too(scripted: Desk, broker: Filling) -> None:
    broker.late = lambda: orders.place(scripted, replace(BUY, quantity=4), OTHER)
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], Sent)
    assert broker.net() == 0
    assert [each.request.quantity for each in broker.book.values()] == [4, 14]


@pytest.mark.parametrize("other", [replace(SELL, symbol="TCS"), replace(SELL, product=Product.CNC)])
def test_what_goes_for_another_position_makes_nobody_read_again(
    scripted: Desk, broker: Filling, other: OrderRequest
) -> None:
    broker.late = lambda: orders.place(scripted, other, OTHER)
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], Sent)
    assert broker.reads.count("positions") == 1


def test_what_is_overtaken_every_time_waits_for_the_person(scripted: Desk, broker: Filling) -> None:
    def again() -> None:
        if broker.reads[-1] == "order_book":
            orders.place(scripted, replace(BUY, quantity=1), OTHER)

    broker.while_reading = again
    result, _ = smart.place(scripted, FLAT, PROGRAM)
    assert isinstance(result, Held)
    assert result.ticket.request == FLAT
    assert result.ticket.is_exit
    assert "for RELIANCE went out while its position was read" in result.reason
    assert {each.request.action for each in broker.book.values()} == {Action.BUY}


def test_an_approval_that_is_overtaken_sends_nothing_and_leaves_it_held(scripted: Desk, broker: Filling) -> None:
    ticket = held(scripted)
    broker.late = lambda: by_the_page(scripted)
    with pytest.raises(Conflict):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    assert broker.net() == 0
    assert scripted.store.journal.ticket(ticket.id).state is TicketState.HELD


def test_an_entry_that_is_overtaken_when_it_is_let_go_stays_held(scripted: Desk, broker: Filling) -> None:
    ticket = held(scripted, SmartOrderRequest(order=BUY, position_size=30))
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    broker.late = lambda: orders.place(scripted, replace(BUY, quantity=20), OTHER)
    with pytest.raises(Conflict):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen={("NSE", "RELIANCE", "MIS"): 20})
    assert broker.net() == 30
    assert scripted.store.journal.ticket(ticket.id).state is TicketState.HELD


def test_an_approval_at_a_busy_moment_leaves_it_held(scripted: Desk, broker: Filling) -> None:
    ticket = held(scripted)
    throttle = Throttle(8, monotonic=scripted.clock.monotonic, wait=lambda _: None)
    busy = replace(scripted, throttles={"scripted": throttle})
    while throttle.take_now():
        pass
    with throttle.line(), throttle.line(), throttle.line(), pytest.raises(Busy):
        approvals.approve(busy, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    assert broker.book == {}
    assert scripted.store.journal.ticket(ticket.id).state is TicketState.HELD
    assert isinstance(approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN), Report)
    assert broker.net() == 0


def test_an_approval_that_a_guard_stops_leaves_it_held_and_says_which(scripted: Desk, broker: Filling) -> None:
    ticket = held(scripted, SmartOrderRequest(order=BUY, position_size=30))
    scripted.store.guards.save(GuardSettings(maximum_quantity=5), by=TRADER)
    with pytest.raises(Denied):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen={("NSE", "RELIANCE", "MIS"): 20})
    assert scripted.store.journal.ticket(ticket.id).state is TicketState.HELD
    assert any("maximum_quantity" in event.by for event in scripted.store.journal.events(ticket.id))


# -- more than the exchange takes in one order ---------------------------------------------------


@pytest.fixture
def freeze(scripted: Desk, broker: Filling) -> int:
    """The freeze quantity, of which the position is a little more than two."""
    instrument = scripted.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert instrument is not None
    broker.hold("RELIANCE", 2 * instrument.freeze_quantity - 9)
    assert broker.net() == 2 * instrument.freeze_quantity + 1
    return instrument.freeze_quantity


def quantities(broker: Filling) -> list[int]:
    return [each.request.quantity for each in broker.book.values()]


def test_a_large_position_is_left_in_slices_under_one_ticket(scripted: Desk, broker: Filling, freeze: int) -> None:
    report, _ = smart.place(scripted, FLAT, PROGRAM)
    assert isinstance(report, Report)
    assert report.is_done
    assert (report.ticket.operation, report.ticket.request) == (Operation.SMART, FLAT)
    assert quantities(broker) == [freeze, freeze, 1]
    assert broker.net() == 0


def test_under_the_kill_switch_all_slices_of_an_exit_go(scripted: Desk, broker: Filling, freeze: int) -> None:
    scripted.store.kill_switch.engage("test", by=TRADER)
    report, _ = smart.place(scripted, FLAT, PROGRAM)
    assert isinstance(report, Report)
    assert broker.net() == 0, freeze


def test_a_limit_of_one_order_is_asked_about_all_slices_together(scripted: Desk, broker: Filling, freeze: int) -> None:
    scripted.store.guards.save(GuardSettings(maximum_quantity=freeze), by=TRADER)
    with pytest.raises(Denied):
        smart.place(scripted, SmartOrderRequest(order=BUY, position_size=5 * freeze), PROGRAM)
    assert broker.book == {}


def test_a_large_exit_waits_and_goes_in_slices_when_it_is_let_go(scripted: Desk, broker: Filling, freeze: int) -> None:
    ticket = held(scripted)
    assert ticket.is_exit
    seen = {("NSE", "RELIANCE", "MIS"): -2 * freeze - 1}
    report = approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=seen)
    assert isinstance(report, Report)
    assert quantities(broker) == [freeze, freeze, 1]
    assert broker.net() == 0


def test_a_large_exit_that_is_overtaken_before_it_begins_is_worked_out_anew(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    broker.late = lambda: by_another_program(scripted)
    report, _ = smart.place(scripted, FLAT, PROGRAM)
    assert isinstance(report, Report)
    assert report.is_done
    assert quantities(broker) == [10, freeze, freeze - 9]
    assert broker.net() == 0


def for_another_position(desk: Desk) -> None:
    orders.place(desk, replace(SELL, symbol="TCS"), OTHER)


@pytest.mark.parametrize("kill_switch", [False, True])
@pytest.mark.parametrize(("closes", "sent"), [(by_the_page, 1), (by_another_program, 2), (for_another_position, 3)])
def test_what_closes_between_two_slices_leaves_the_rest_of_it_to_go(
    scripted: Desk, broker: Filling, freeze: int, closes: Callable[[Desk], None], sent: int, kill_switch: bool
) -> None:
    if kill_switch:
        broker.hold("TCS", 10)
        scripted.store.kill_switch.engage("test", by=TRADER)
    report, _ = smart.place(after_the_first_order(scripted, broker, closes), FLAT, PROGRAM)
    assert isinstance(report, Report)
    assert report.is_done, [leg.why_not for leg in report.legs]
    assert [isinstance(leg.result, Sent) for leg in report.legs] == [each < sent for each in range(3)]
    assert broker.net() == 0
    told = several_answers.reached(report)
    assert told["status"] == "success"
    assert str(told["message"]).startswith(f"Sent as {sent} orders: ")
    assert "not taken" not in str(told["message"]), "nothing is to be asked for again"


def test_what_is_added_between_two_slices_is_left_for_the_next_request(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    def adds(desk: Desk) -> None:
        orders.place(desk, replace(BUY, quantity=4), OTHER)

    report, _ = smart.place(after_the_first_order(scripted, broker, adds), FLAT, PROGRAM)
    assert isinstance(report, Report)
    assert report.is_done
    assert broker.net() == 4, "no more goes than was let go"


def test_semi_auto_between_two_slices_keeps_the_rest_back_and_leaves_nothing_planned(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    def asks_first(desk: Desk) -> None:
        by_another_program(desk)
        desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)

    report, _ = smart.place(after_the_first_order(scripted, broker, asks_first), FLAT, PROGRAM)
    assert isinstance(report, Report)
    assert [leg.is_done for leg in report.legs] == [True, False, False]
    assert broker.net() == freeze + 1 - 10
    assert scripted.store.journal.on_their_way() == []


def after_the_first_order(desk: Desk, broker: Filling, act: Callable[[Desk], None]) -> Desk:
    """The same desk, where ``act`` is done once, when the order after the first asks whether it may go."""
    began: list[Ref] = []

    class Watching(Throttle):
        def take_now(self) -> bool:
            if not began and len(broker.calls) == 1:
                began.append(broker.calls[0])
                act(desk)
            return True

    throttle = Watching(8, monotonic=desk.clock.monotonic, wait=lambda _: None)
    return replace(desk, throttles={"scripted": throttle})
