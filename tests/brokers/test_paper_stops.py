"""SL and SL-M: they wait for their trigger, and work from then on. SBIN stands at 1000.00."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, OrderRequest, PriceType, Product
from tests.brokers.desk import Floor, order

CRORE = Decimal(10_000_000)


def stop(action: Action, trigger: str, limit: str | None = None, quantity: int = 10) -> OrderRequest:
    """An SL with ``limit``, an SL-M without."""
    asked = replace(order(action, quantity), price_type=PriceType.SL_M, trigger_price=Decimal(trigger))
    return asked if limit is None else replace(asked, price_type=PriceType.SL, price=Decimal(limit))


BUY_AT_1010 = stop(Action.BUY, "1010.00")
BUY_AT_1010_TO_1012 = stop(Action.BUY, "1010.00", "1012.00")


@pytest.mark.parametrize("request_", [BUY_AT_1010, BUY_AT_1010_TO_1012], ids=["SL-M", "SL"])
def test_a_stop_waits_for_its_trigger(floor: Floor, request_: OrderRequest) -> None:
    order_id = floor.send(request_)
    for price in ("1009.95", "990.00"):
        floor.market.last = Decimal(price)
        assert floor.order(order_id).status is OrderStatus.TRIGGER_PENDING
    assert floor.rows("paper_trade") == 0


@pytest.mark.parametrize(
    ("request_", "last", "fill"),
    [
        (BUY_AT_1010, "1010.00", "1010.05"),
        (BUY_AT_1010, "1050.00", "1050.05"),
        (stop(Action.SELL, "990.00"), "990.00", "989.95"),
        (stop(Action.SELL, "990.00"), "950.00", "949.95"),
        (BUY_AT_1010_TO_1012, "1010.00", "1010.05"),
        (BUY_AT_1010_TO_1012, "1011.95", "1012"),
        (stop(Action.SELL, "990.00", "988.00"), "990.00", "989.95"),
    ],
)
def test_a_stop_that_is_triggered_gets_the_market(floor: Floor, request_: OrderRequest, last: str, fill: str) -> None:
    order_id = floor.send(request_)
    floor.market.last = Decimal(last)
    done = floor.order(order_id)
    assert (done.status, done.average_price) == (OrderStatus.COMPLETE, Decimal(fill))
    assert floor.position().quantity == request_.action.sign * 10


def test_a_price_that_jumps_over_the_limit_leaves_an_open_order(floor: Floor) -> None:
    order_id = floor.send(BUY_AT_1010_TO_1012)
    floor.market.last = Decimal("1012.00")
    assert floor.order(order_id).status is OrderStatus.OPEN
    floor.market.last = Decimal("1000.00")
    filled = floor.order(order_id)
    assert (filled.status, filled.average_price) == (OrderStatus.COMPLETE, Decimal(1012)), "at its limit, as it rested"


def test_what_was_triggered_stays_so_whatever_the_price_does(floor: Floor) -> None:
    order_id = floor.send(stop(Action.BUY, "1010.00", "1010.00"))
    floor.market.last = Decimal("1010.00")  # asked 1010.05: triggered, and beyond the limit
    assert floor.order(order_id).status is OrderStatus.OPEN
    floor.market.last = Decimal("1200.00")
    assert floor.order(order_id).status is OrderStatus.OPEN


def test_a_trigger_at_the_last_price_is_reached(floor: Floor) -> None:
    assert floor.order(floor.send(stop(Action.BUY, "1000.00"))).status is OrderStatus.COMPLETE


@pytest.mark.parametrize(
    ("request_", "blocked"),
    [
        (BUY_AT_1010_TO_1012, "2024"),  # a fifth of 10 at the limit
        (BUY_AT_1010, "2030.1"),  # a fifth of 10 at 1015.05, half a percent beyond the trigger
        (stop(Action.SELL, "990.00", "988.00"), "1976"),
        (stop(Action.SELL, "990.00"), "1980"),
    ],
    ids=["SL buy", "SL-M buy", "SL sell", "SL-M sell"],
)
def test_a_stop_sets_aside_what_it_may_cost(floor: Floor, request_: OrderRequest, blocked: str) -> None:
    assert floor.exchange.margin(request_) == Decimal(blocked)
    order_id = floor.send(request_)
    assert floor.exchange.funds().used == Decimal(blocked)
    floor.cancel(order_id)
    assert (floor.exchange.funds().used, floor.order(order_id).status) == (0, OrderStatus.CANCELLED)


def test_the_stop_of_a_position_costs_nothing_and_closes_it(floor: Floor) -> None:
    floor.buy()
    used = floor.exchange.funds().used
    order_id = floor.send(stop(Action.SELL, "990.00"))
    assert floor.exchange.funds().used == used
    floor.market.last = Decimal("989.00")
    assert floor.order(order_id).status is OrderStatus.COMPLETE
    assert (floor.position().quantity, floor.exchange.funds().used) == (0, 0)


def test_shares_behind_a_stop_are_promised(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    floor.send(replace(stop(Action.SELL, "990.00"), product=Product.CNC))
    with pytest.raises(Rejected, match="0 are free to sell"):
        floor.sell(1, Product.CNC)


def test_a_stop_the_account_cannot_carry_any_more_is_cancelled_in_words(floor: Floor) -> None:
    order_id = floor.send(stop(Action.BUY, "1010.00", quantity=49_000))
    floor.market.last = Decimal("1200.00")
    ended = floor.order(order_id)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELLED, 0)
    assert "Insufficient funds. Needed: 1,17,60,490.00 rupees" in ended.rejection_reason
    assert floor.exchange.funds().available == CRORE


def test_a_stop_lapses_with_its_day(floor: Floor) -> None:
    order_id = floor.send(replace(BUY_AT_1010, product=Product.CNC))
    floor.clock.move(days=1)
    ended = floor.order(order_id)
    assert (ended.status, floor.exchange.funds().used) == (OrderStatus.CANCELLED, 0)
    assert ended.rejection_reason == "Not filled on its trading day: the order lapsed."


def test_a_waiting_stop_can_be_changed_in_every_part_that_may(floor: Floor) -> None:
    order_id = floor.send(BUY_AT_1010)
    floor.modify(order_id, stop(Action.BUY, "1020.00", "1022.00", quantity=20))
    changed = floor.order(order_id)
    assert (changed.status, changed.request.quantity) == (OrderStatus.TRIGGER_PENDING, 20)
    assert (changed.request.trigger_price, changed.request.price) == (Decimal(1020), Decimal(1022))
    assert floor.exchange.funds().used == Decimal(4_088)
    floor.market.last = Decimal("1010.00")
    assert floor.order(order_id).status is OrderStatus.TRIGGER_PENDING, "the former trigger is gone"


def test_a_stop_may_become_a_limit_and_a_limit_a_stop(floor: Floor) -> None:
    order_id = floor.send(BUY_AT_1010)
    floor.modify(order_id, order(Action.BUY, 10, limit="980.00"))
    assert floor.order(order_id).status is OrderStatus.OPEN
    floor.modify(order_id, BUY_AT_1010)
    assert floor.order(order_id).status is OrderStatus.TRIGGER_PENDING
    floor.modify(order_id, order(Action.BUY, 10))
    assert floor.order(order_id).status is OrderStatus.COMPLETE


def test_of_a_triggered_stop_the_limit_can_be_changed_and_the_trigger_not(floor: Floor) -> None:
    order_id = floor.send(BUY_AT_1010_TO_1012)
    floor.market.last = Decimal("1030.00")
    assert floor.order(order_id).status is OrderStatus.OPEN
    with pytest.raises(Rejected) as refused:
        floor.modify(order_id, stop(Action.BUY, "1040.00", "1045.00"))
    assert refused.value.message == "The trigger was reached already and cannot be changed any more."
    floor.modify(order_id, stop(Action.BUY, "1010.00", "1020.00"))
    assert floor.order(order_id).status is OrderStatus.OPEN, "its trigger is behind the market, and was reached before"
    floor.modify(order_id, stop(Action.BUY, "1010.00", "1035.00"))
    assert floor.order(order_id).average_price == Decimal("1030.05")


def test_a_restart_finds_stops_as_they_were(floor: Floor) -> None:
    waiting, triggered = floor.send(BUY_AT_1010), floor.send(stop(Action.SELL, "995.00", "995.00"))
    floor.market.last = Decimal("994.00")
    before = floor.order(waiting), floor.order(triggered)
    assert [each.status for each in before] == [OrderStatus.TRIGGER_PENDING, OrderStatus.OPEN]
    floor.db.close()
    assert (floor.order(waiting), floor.order(triggered)) == before
