"""A position that nobody can tell now: who wants out is not turned away, and what ended long ago keeps nobody in."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotSent, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    SmartOrderRequest,
)
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import approvals, closing, orders, recovery, smart
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.lately import Lately
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.smart import NothingToDo
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

PROGRAM = Origin(source="api", strategy="test", request_id="r1")
OTHER = Origin(source="api", strategy="other", request_id="r2")
BY_HAND = Origin(source=PAGE, strategy="", request_id="p1")
SELL = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.SELL, quantity=10)
STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
TARGET = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
FLAT = SmartOrderRequest(order=replace(SELL, quantity=0), position_size=0)
SEEN = {("NSE", "RELIANCE", "MIS"): -10}


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    """Of those whose order book proves nothing absent, as all of today's live ones."""
    broker = ScriptedBroker(desk, reread_after=None)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def wish(desk: Desk, origin: Origin = PROGRAM) -> Held:
    held, _ = smart.place(desk, FLAT, origin)
    assert isinstance(held, Held)
    return held


@pytest.mark.parametrize("mode", OrderMode)
def test_where_the_broker_cannot_be_read_the_wish_waits_as_an_exit_does(
    scripted: Desk, broker: ScriptedBroker, mode: OrderMode
) -> None:
    scripted.store.preferences.set_order_mode(mode, by=TRADER)
    broker.unreadable = NotSent("the broker does not answer")
    held = wish(scripted)
    assert "the broker does not answer. Look at it now." in held.reason
    assert held.ticket.request == FLAT
    assert held.ticket.expires_at is not None
    assert held.ticket.expires_at - held.ticket.created_at > timedelta(hours=1), "an exit waits for the session's end"
    assert broker.calls == []


def test_a_wish_that_waited_unread_goes_when_the_person_lets_it(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.unreadable = NotSent("the broker does not answer")
    ticket = wish(scripted).ticket
    with pytest.raises(NotSent):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    broker.unreadable = None
    with pytest.raises(Conflict, match="The last price is 1000"):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    ticket = scripted.store.journal.ticket(ticket.id)
    report = approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    assert isinstance(report, Report)
    assert report.is_done
    assert [each.request.quantity for each in broker.book.values()] == [10]


def test_a_wish_that_waited_unread_is_an_exit_when_it_is_one_by_now(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, STOP, PROGRAM)
    broker.unreadable = NotSent("the broker does not answer")
    ticket = wish(scripted).ticket
    broker.unreadable, broker.fault = None, lambda: OutcomeUnknown("timed out")
    assert isinstance(orders.place(scripted, replace(SELL, action=Action.BUY, product=Product.CNC), OTHER), InDoubt)
    broker.fault = None
    with pytest.raises(Conflict, match="The last price is 1000"):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    ticket = scripted.store.journal.ticket(ticket.id)
    report = approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER, seen=SEEN)
    assert isinstance(report, Report)
    assert report.is_done, "a doubt keeps entries waiting"


def test_who_asks_again_while_it_waits_gets_the_same_ticket(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.unreadable = NotSent("the broker does not answer")
    first = wish(scripted)
    assert wish(scripted) == first
    assert wish(scripted, OTHER).ticket.id != first.ticket.id
    scripted.store.journal.reject(first.ticket.id, first.ticket.shown, "no", by=TRADER)
    assert wish(scripted).ticket.id != first.ticket.id


def test_entries_that_hang_keep_no_way_out_closed(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, replace(SELL, action=Action.BUY), PROGRAM)
    broker.book.clear()
    crowded = replace(scripted, budget=Budget(1), lately=Lately())
    results: list[object] = []
    with crowded.budget.slot():
        other = threading.Thread(target=lambda: results.append(smart.place(crowded, FLAT, PROGRAM)[0]))
        other.start()
        other.join()
    assert [type(each) for each in results] == [Sent]


def trailed(desk: Desk, broker: ScriptedBroker, to: OrderRequest) -> BrokerOrderId:
    """The id of a stop whose change became a doubt that only the person can answer."""
    stop = orders.place(desk, STOP, PROGRAM)
    assert isinstance(stop, Sent)
    broker.fault = lambda: OutcomeUnknown("timed out")
    assert isinstance(orders.modify(desk, stop.broker_order_id, to, PROGRAM), InDoubt)
    broker.fault = None
    return stop.broker_order_id


def test_a_change_in_doubt_of_an_order_that_is_cancelled_keeps_nobody_in(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    orders.cancel(scripted, trailed(scripted, broker, replace(STOP, trigger_price=Decimal(910))), PROGRAM)
    result, note = smart.place(scripted, FLAT, PROGRAM)
    assert isinstance(result, Sent)
    assert note == ""


def test_while_a_change_may_make_a_market_order_of_a_stop_the_exit_waits(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    trailed(scripted, broker, SELL)
    broker.book = {tag: replace(each, request=STOP) for tag, each in broker.book.items()}
    held = wish(scripted)
    assert held.reason.startswith("What a change makes of an order in RELIANCE is not known yet.")
    with pytest.raises(Conflict, match="not known yet"):
        approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=SEEN)
    assert len(broker.book) == 1


@pytest.fixture
def parked(scripted: Desk, broker: ScriptedBroker, clock: FixedClock) -> None:
    """An exit of a Monday that nobody can find, and that is not there."""
    clock.move(days=2)
    broker.fault = lambda: OutcomeUnknown("timed out")
    assert isinstance(orders.place(scripted, TARGET, PROGRAM), InDoubt)
    broker.fault = None
    recovery.look_up_all(scripted, recovery.Absences(scripted.clock))
    assert len(scripted.store.journal.parked()) == 1


@pytest.mark.usefixtures("parked")
def test_a_doubt_of_today_may_take_the_position_there(scripted: Desk) -> None:
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], NothingToDo)


@pytest.mark.usefixtures("parked")
def test_a_doubt_of_today_counts_after_the_close_too(scripted: Desk, clock: FixedClock) -> None:
    clock.move(hours=8)
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], NothingToDo)


@pytest.mark.usefixtures("parked")
@pytest.mark.parametrize("days", [1, 30])
def test_a_doubt_of_an_earlier_trading_day_keeps_nobody_in(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock, days: int
) -> None:
    clock.move(days=days)
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], Sent)
    assert [each.request.quantity for each in broker.book.values()] == [10]


@pytest.mark.usefixtures("parked")
def test_a_doubt_of_an_earlier_trading_day_keeps_no_order_and_no_closing_back(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    clock.move(days=1)
    assert isinstance(orders.place(scripted, replace(SELL, quantity=4), PROGRAM), Sent)
    closing.close(scripted, CloseRequest(), BY_HAND)
    assert sum(each.request.quantity for each in broker.book.values() if each.status.is_working) == 10


@pytest.mark.usefixtures("parked")
def test_of_what_an_earlier_day_left_in_doubt_the_book_knows_best(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    """A broker may carry an order over that the bridge calls one of its day."""
    (doubt,) = scripted.store.journal.parked()
    broker.book[doubt.ref] = BrokerOrder(
        id=BrokerOrderId("carried"),
        tag=doubt.ref,
        request=TARGET,
        status=OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=clock.now(),
    )
    clock.move(days=1)
    assert isinstance(orders.place(scripted, SELL, PROGRAM), Held)
