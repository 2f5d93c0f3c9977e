"""A sale of delivered shares is an exit, as far as they go; what closes positions never sells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, Invalid, NotSent
from openalgo_bridge.model.books import Holding, OrderStatus
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    CloseRequest,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    SmartOrderRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import approvals, closing, gtts, orders, several, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.smart import NothingToDo
from tests import gtt_requests
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BY_HAND = replace(ORIGIN, source=PAGE)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10, product=Product.CNC)
SELL = replace(BUY, action=Action.SELL)
RESTING = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
LOADED = {"positions", "holdings"}


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk, keeps_gtts=True)


@pytest.fixture
def stopped(desk: Desk, broker: ScriptedBroker) -> Desk:
    """In Auto, with the kill switch on."""
    desk.store.kill_switch.engage("feed is wrong", by=TRADER)
    return with_broker(desk, broker)


@pytest.fixture
def semi_auto(desk: Desk, broker: ScriptedBroker) -> Desk:
    """With exits let through."""
    desk.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return with_broker(desk, broker)


@pytest.fixture
def delivered(desk: Desk, clock: FixedClock) -> Desk:
    """The paper account, with ten shares that were bought on Friday and delivered on Monday."""
    clock.moment = datetime(2026, 11, 20, 10, tzinfo=IST)
    orders.place(desk, BUY, ORIGIN)
    clock.moment = datetime(2026, 11, 25, 10, tzinfo=IST)
    return desk


def paper(desk: Desk) -> Broker:
    return desk.broker(TradingMode.ANALYZE)


def shares(quantity: int, symbol: str = "RELIANCE", exchange: Exchange = Exchange.NSE) -> Holding:
    return Holding(symbol=symbol, exchange=exchange, quantity=quantity, average_price=Decimal(900), ltp=Decimal(1000))


def of(order: OrderRequest, quantity: int) -> OrderRequest:
    return replace(order, quantity=quantity)


def to(size: int, order: OrderRequest = SELL) -> SmartOrderRequest:
    return SmartOrderRequest(order=order, position_size=size)


def at_the_second_reading(broker: ScriptedBroker, what: set[str], happens: Callable[[], None]) -> None:
    def look() -> None:
        if broker.reads[-1] in what and sum(each in what for each in broker.reads) == 2:
            happens()

    broker.while_reading = look


# -- how much is an exit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "holding", "most"),
    [(0, 10, 10), (5, 10, 15), (-4, 10, 6), (-10, 10, 0), (5, 0, 5)],
    ids=["delivered", "and bought today", "sold of them today", "sold them all today", "not delivered yet"],
)
def test_the_kill_switch_lets_a_sale_through_up_to_what_is_held(
    stopped: Desk, broker: ScriptedBroker, position: int, holding: int, most: int
) -> None:
    broker.hold("RELIANCE", position, Product.CNC)
    broker.shares = [shares(holding)]
    with pytest.raises(Denied):
        orders.place(stopped, of(SELL, most + 1), ORIGIN)
    assert broker.calls == []
    if most:
        assert isinstance(orders.place(stopped, of(SELL, most), ORIGIN), Sent)


@pytest.mark.parametrize(
    "order",
    [BUY, replace(SELL, product=Product.MIS), replace(SELL, symbol="TCS")],
    ids=["a purchase", "an intraday sale", "another share"],
)
def test_delivered_shares_make_nothing_else_an_exit(stopped: Desk, broker: ScriptedBroker, order: OrderRequest) -> None:
    broker.shares = [shares(10), shares(10, symbol="TCS", exchange=Exchange.BSE)]
    with pytest.raises(Denied):
        orders.place(stopped, order, ORIGIN)
    assert broker.calls == []


def test_a_purchase_closes_a_short_position_whatever_is_held(stopped: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", -4, Product.CNC)
    broker.shares = [shares(10)]
    assert isinstance(orders.place(stopped, of(BUY, 4), ORIGIN), Sent)
    assert "holdings" not in broker.reads


def test_holdings_are_read_only_where_something_stands_in_the_way(desk: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    assert isinstance(orders.place(with_broker(desk, broker), SELL, ORIGIN), Sent)
    assert LOADED.isdisjoint(broker.reads)


def test_what_works_already_counts(stopped: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    sent = orders.place(stopped, of(RESTING, 7), ORIGIN)
    assert isinstance(sent, Sent)
    with pytest.raises(Denied):
        orders.place(stopped, of(SELL, 4), ORIGIN)
    assert isinstance(orders.modify(stopped, sent.broker_order_id, of(RESTING, 10), ORIGIN), Sent)
    with pytest.raises(Denied):
        orders.modify(stopped, sent.broker_order_id, of(RESTING, 11), ORIGIN)


def test_of_two_sales_at_once_one_is_an_exit(semi_auto: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    outcomes = in_threads(2, lambda: orders.place(semi_auto, SELL, ORIGIN))
    assert sorted(type(each).__name__ for each in outcomes) == ["Held", "Sent"]
    assert len(broker.calls) == 1


def test_what_is_delivered_between_two_readings_counts_once(semi_auto: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10, Product.CNC)

    def deliver() -> None:
        broker.held, broker.shares = [], [shares(10)]

    at_the_second_reading(broker, LOADED, deliver)
    assert isinstance(orders.place(semi_auto, of(SELL, 20), ORIGIN), Held)
    assert broker.calls == []


def test_a_sale_that_the_positions_do_not_show_yet_counts(semi_auto: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    first = orders.place(semi_auto, of(SELL, 6), ORIGIN)
    broker.complete(first.ticket.ref)
    assert isinstance(orders.place(semi_auto, of(SELL, 5), ORIGIN), Held)
    broker.hold("RELIANCE", -6, Product.CNC)
    assert isinstance(orders.place(semi_auto, of(SELL, 5), ORIGIN), Held)
    assert isinstance(orders.place(semi_auto, of(SELL, 4), ORIGIN), Sent)


def test_where_holdings_cannot_be_read_it_is_held_with_the_alarm(stopped: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]

    def fail() -> None:
        if broker.reads[-1] == "holdings":
            raise NotSent("no connection")

    broker.while_reading = fail
    held = orders.place(stopped, SELL, ORIGIN)
    assert isinstance(held, Held)
    assert held.ticket.is_unread
    assert "cannot be read: no connection" in held.reason
    assert broker.calls == []


# -- what waits, goes together, or waits for its price -----------------------------------------------------------


def test_a_sale_that_waits_is_an_exit_and_is_approved_for_no_more_than_is_left(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    semi_auto.store.guards.save(GuardSettings(), by=TRADER)
    broker.shares = [shares(10)]
    held = orders.place(semi_auto, SELL, ORIGIN)
    assert isinstance(held, Held)
    assert held.ticket.is_exit
    broker.shares = [shares(4)]
    with pytest.raises(Conflict, match="only 4 are left"):
        approvals.approve(semi_auto, held.ticket.id, held.ticket.shown, by=TRADER)
    broker.shares = [shares(10)]
    assert isinstance(approvals.approve(semi_auto, held.ticket.id, held.ticket.shown, by=TRADER), Sent)


@pytest.mark.parametrize(("quantity", "passes"), [(4, True), (5, False)])
def test_a_basket_of_sales_passes_where_all_of_it_is_held(
    semi_auto: Desk, broker: ScriptedBroker, quantity: int, *, passes: bool
) -> None:
    broker.shares = [shares(10), shares(4, symbol="TCS")]
    basket = (of(SELL, 6), of(RESTING, 4), replace(SELL, symbol="TCS", quantity=quantity))
    outcome = several.place(semi_auto, LegsRequest(kind=LegsKind.BASKET, orders=basket), ORIGIN)
    assert isinstance(outcome, Report) is passes
    assert len(broker.calls) == (3 if passes else 0)


def test_of_a_basket_that_waits_each_sale_is_known_for_an_exit(semi_auto: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    basket = LegsRequest(kind=LegsKind.BASKET, orders=(of(BUY, 1), of(SELL, 10)))
    held = several.place(semi_auto, basket, ORIGIN)
    assert isinstance(held, Held)
    assert [(order.action, then.is_exit) for order, then in zip(basket.orders, held.ticket.arrivals, strict=True)] == [
        (Action.BUY, False),
        (Action.SELL, True),
    ]


def test_what_could_not_be_told_of_a_basket_of_sales_is_told_when_it_is_approved(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    broker.shares, broker.unreadable = [shares(10)], NotSent("no connection")
    basket = LegsRequest(kind=LegsKind.BASKET, orders=(of(SELL, 6), of(RESTING, 4)))
    held = several.place(semi_auto, basket, ORIGIN)
    assert isinstance(held, Held)
    assert held.ticket.is_unread
    broker.unreadable = None
    assert isinstance(approvals.approve(semi_auto, held.ticket.id, held.ticket.shown, by=TRADER), Report)
    assert len(broker.calls) == 2


def test_a_gtt_that_sells_what_is_held_passes_the_kill_switch(stopped: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    with pytest.raises(Denied):
        gtts.place(stopped, replace(gtt_requests.SELL, quantity=11), ORIGIN)
    assert isinstance(gtts.place(stopped, gtt_requests.SELL, ORIGIN), Sent)


# -- what closes positions -----------------------------------------------------------------------------------------


def test_a_closing_leaves_delivered_shares_alone(semi_auto: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 5, Product.CNC)
    broker.shares = [shares(10), shares(10, symbol="TCS")]
    closing.close(semi_auto, CloseRequest(), BY_HAND)
    assert [(each.request.symbol, each.request.quantity) for each in broker.book.values()] == [("RELIANCE", 5)]


def test_a_closing_whose_position_is_gone_sells_nothing_else(semi_auto: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 5, Product.CNC)
    broker.shares = [shares(10)]
    at_the_second_reading(broker, {"positions"}, broker.held.clear)
    report = closing.close(semi_auto, CloseRequest(), BY_HAND)
    assert isinstance(report, Report)
    assert not report.is_done
    assert broker.calls == []


def test_a_smart_order_reaches_a_position_and_sells_nothing_else(stopped: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 5, Product.CNC)
    broker.shares = [shares(10)]
    smart.place(stopped, to(0), ORIGIN)
    assert [each.request.quantity for each in broker.book.values()] == [5]


def test_a_smart_order_whose_position_is_gone_sells_nothing_else(stopped: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 5, Product.CNC)
    broker.shares = [shares(10)]
    at_the_second_reading(broker, {"positions"}, broker.held.clear)
    with pytest.raises(Denied):
        smart.place(stopped, to(0), ORIGIN)
    assert broker.calls == []


def test_an_approved_smart_order_whose_position_is_gone_sells_nothing_else(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    semi_auto.store.guards.save(GuardSettings(), by=TRADER)
    broker.hold("RELIANCE", 5, Product.CNC)
    broker.shares = [shares(10)]
    held, _ = smart.place(semi_auto, to(0), ORIGIN)
    assert isinstance(held, Held)
    broker.reads.clear()
    at_the_second_reading(broker, {"positions"}, broker.held.clear)
    with pytest.raises(Conflict, match="only 0 are left"):
        smart.approve(
            semi_auto, held.ticket, to(0), held.ticket.shown, {(Exchange.NSE, "RELIANCE", Product.CNC): -5}, by=TRADER
        )
    assert broker.calls == []


def test_a_smart_order_for_delivery_goes_to_no_short_position(desk: Desk, broker: ScriptedBroker) -> None:
    broker.shares = [shares(10)]
    with pytest.raises(Invalid) as refusal:
        smart.place(with_broker(desk, broker), to(-5), ORIGIN)
    assert list(refusal.value.faults) == ["position_size"]
    assert broker.calls == []


def test_a_smart_order_from_flat_sells_no_delivered_shares(desk: Desk, broker: ScriptedBroker) -> None:
    desk.store.preferences.set_smart_orders(SmartOrderSettings(opens_while_flat=True), by=TRADER)
    broker.shares = [shares(10)]
    outcome, _ = smart.place(with_broker(desk, broker), to(0), ORIGIN)
    assert isinstance(outcome, NothingToDo)
    assert outcome.message.endswith("A smart order leaves delivered shares alone.")
    assert broker.calls == []


# -- at the paper exchange ---------------------------------------------------------------------------------------


def test_what_paper_delivered_is_sold_with_the_kill_switch_on(delivered: Desk) -> None:
    delivered.store.kill_switch.engage("feed is wrong", by=TRADER)
    with pytest.raises(Denied):
        orders.place(delivered, of(SELL, 11), ORIGIN)
    assert isinstance(orders.place(delivered, of(SELL, 4), ORIGIN), Sent)
    with pytest.raises(Denied):
        orders.place(delivered, of(SELL, 7), ORIGIN)
    assert isinstance(orders.place(delivered, of(SELL, 6), ORIGIN), Sent)
    assert [each.status for each in paper(delivered).order_book()] == [OrderStatus.COMPLETE] * 2
    assert [each.quantity for each in paper(delivered).holdings()] == []


def test_sales_at_once_never_sell_more_than_paper_delivered(delivered: Desk) -> None:
    delivered.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    delivered.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    outcomes = in_threads(8, lambda: orders.place(delivered, of(SELL, 4), ORIGIN))
    assert 1 <= len([each for each in outcomes if isinstance(each, Sent)]) <= 2
    assert {each.status for each in paper(delivered).order_book()} == {OrderStatus.COMPLETE}
    assert not any(each.quantity for each in paper(delivered).positions())


def test_close_all_leaves_what_paper_delivered(delivered: Desk) -> None:
    orders.place(delivered, of(BUY, 5), ORIGIN)
    closing.close(delivered, CloseRequest(), BY_HAND)
    smart.place(delivered, to(0), ORIGIN)
    assert not any(each.quantity for each in paper(delivered).positions())
    assert [each.quantity for each in paper(delivered).holdings()] == [10]
