"""A position to be reached: computed from what is there, once for each request, however many come at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    OrderMode,
    OrderRequest,
    Product,
    Ref,
    SmartOrderRequest,
)
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Operation, Origin
from openalgo_bridge.trading import approvals, orders, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.smart import NothingToDo
from openalgo_bridge.trading.turns import Turns
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


SEEN = {("NSE", "RELIANCE", "MIS"): 10}


def to(size: int, quantity: int = 10) -> SmartOrderRequest:
    return SmartOrderRequest(order=replace(ORDER, quantity=quantity), position_size=size)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def buy_elsewhere(broker: ScriptedBroker, quantity: int) -> None:
    """The trader buys in the broker's own app: a fill of its order book, and the position."""
    broker.hold("RELIANCE", quantity)
    broker.book[Ref("")] = BrokerOrder(
        id=BrokerOrderId("elsewhere"),
        tag=Ref(""),
        request=replace(ORDER, quantity=quantity),
        status=OrderStatus.COMPLETE,
        filled_quantity=quantity,
        average_price=broker.ltp,
        placed_at=broker.desk.clock.now(),
    )


def net(desk: Desk) -> int:
    return sum(each.quantity for each in desk.broker(desk.store.preferences.trading_mode()).positions())


@pytest.mark.parametrize("path", [(10, 10, 0), (-10, 25, -5, 0), (5, -5, 5)])
def test_the_paper_account_goes_where_it_is_sent(desk: Desk, path: tuple[int, ...]) -> None:
    for size in path:
        smart.place(desk, to(size), ORIGIN)
        assert net(desk) == size


def test_the_order_is_sent_as_one_of_its_own(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 4)
    result, _ = smart.place(scripted, to(10), ORIGIN)
    assert isinstance(result, Sent)
    (order,) = broker.book.values()
    assert (order.request.action, order.request.quantity) == (Action.BUY, 6)
    assert result.ticket.operation is Operation.PLACE


def test_eight_at_once_for_one_position_send_one_order(scripted: Desk, broker: ScriptedBroker) -> None:
    patient = replace(scripted, turns=Turns(quick_s=60))
    results = in_threads(8, lambda: smart.place(patient, to(10), ORIGIN))
    assert len(broker.calls) == 1, results
    assert sum(isinstance(each, tuple) and isinstance(each[0], NothingToDo) for each in results) == 7


def test_an_exit_of_nothing_opens_nothing_unless_the_trader_allows_it(scripted: Desk, broker: ScriptedBroker) -> None:
    result, _ = smart.place(scripted, to(0), ORIGIN)
    assert isinstance(result, NothingToDo)
    assert result.message.startswith("No OpenPosition Found. Not placing Exit order.")
    assert broker.calls == []
    scripted.store.preferences.set_smart_orders(SmartOrderSettings(opens_while_flat=True), by=TRADER)
    assert isinstance(smart.place(scripted, to(0), ORIGIN)[0], Sent)


def test_what_is_in_doubt_is_not_sent_again(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault, broker.accepts_before_fault = (lambda: OutcomeUnknown("timed out")), False
    smart.place(scripted, to(10), ORIGIN)
    broker.fault = None
    result, _ = smart.place(scripted, to(10), ORIGIN)
    assert isinstance(result, NothingToDo), "the order in doubt may take the position there"
    (ref,) = broker.calls
    assert result.message.startswith(f"Nothing was sent. BUY 10, order {ref}, is in doubt: nobody knows yet")


def test_in_semi_auto_the_wish_waits_and_is_computed_when_it_is_let_go(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held, _ = smart.place(scripted, to(10), ORIGIN)
    assert isinstance(held, Held)
    assert held.ticket.request == to(10)
    buy_elsewhere(broker, 7)
    report = approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=SEEN)
    assert isinstance(report, Report)
    assert [each.request.quantity for each in broker.book.values() if each.tag] == [3]


@pytest.mark.parametrize("seen", [None, {}, {("NSE", "RELIANCE", "MIS"): -10}, {("NSE", "RELIANCE", "MIS"): 9}])
def test_an_order_that_was_not_shown_is_not_approved(
    scripted: Desk, broker: ScriptedBroker, seen: dict[tuple[str, str, str], int] | None
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = smart.place(scripted, to(10), ORIGIN)[0]
    assert isinstance(held, Held)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=seen)
    assert broker.calls == []
    assert scripted.store.journal.ticket(held.ticket.id).state is TicketState.HELD


def test_a_wish_that_has_come_true_is_not_approved(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = smart.place(scripted, to(10), ORIGIN)[0]
    assert isinstance(held, Held)
    buy_elsewhere(broker, 10)
    with pytest.raises(Conflict, match="Already Matched"):
        approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=SEEN)
    assert broker.calls == []
    assert scripted.store.journal.ticket(held.ticket.id).state is TicketState.HELD


def test_a_held_exit_that_would_open_a_position_now_is_not_approved(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    broker.hold("RELIANCE", 10)
    held = smart.place(scripted, to(0), ORIGIN)[0]
    assert isinstance(held, Held)
    assert held.ticket.is_exit
    broker.held.clear()
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=SEEN)
    assert broker.calls == []


def test_under_the_kill_switch_the_way_out_stays_open(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    scripted.store.kill_switch.engage("test", by=TRADER)
    assert isinstance(smart.place(scripted, to(0), ORIGIN)[0], Sent)
    assert len(broker.calls) == 1


def test_a_fill_that_the_positions_do_not_show_yet_lets_the_wish_wait(scripted: Desk, broker: ScriptedBroker) -> None:
    smart.place(scripted, to(10), ORIGIN)
    (tag,) = broker.book
    broker.complete(tag)
    held, _ = smart.place(scripted, to(10), ORIGIN)
    assert isinstance(held, Held)
    assert held.reason == "The position in RELIANCE does not show the last fills yet."
    assert len(broker.calls) == 1


def test_positions_of_another_product_do_not_count(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10, Product.CNC)
    smart.place(scripted, to(10), ORIGIN)
    (order,) = broker.book.values()
    assert order.request.quantity == 10


def test_an_order_by_hand_meanwhile_counts(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, replace(ORDER, quantity=4), ORIGIN)
    smart.place(scripted, to(10), ORIGIN)
    assert [each.request.quantity for each in broker.book.values()] == [4, 6]
