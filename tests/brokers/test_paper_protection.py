"""Market protection: a MARKET order fills inside a band and what the market shows; the rest stays open, as sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, PriceType, Product
from openalgo_bridge.model.paper_settings import PaperSettings
from tests.brokers.desk import Floor, order

CRORE = Decimal(10_000_000)


@pytest.fixture
def floor(floor: Floor) -> Floor:
    """Asked: 10 at 1000.05, 20 at 1003.00, 100 at 1006.00; bid: 10 at 999.95, 20 at 997.00, 100 at 994.00."""
    floor.settings = PaperSettings(protects_market_orders=True)
    floor.market.shown = ((Decimal("0.05"), 10), (Decimal(3), 20), (Decimal(6), 100))
    return floor


def fills(floor: Floor) -> list[tuple[int, Decimal]]:
    return [(trade.quantity, trade.price) for trade in reversed(floor.exchange.trade_book())]


def test_an_order_that_the_best_price_takes_fills_whole(floor: Floor) -> None:
    done = floor.order(floor.buy(10))
    assert (done.status, done.average_price, fills(floor)) == (
        "complete",
        Decimal("1000.05"),
        [(10, done.average_price)],
    )


@pytest.mark.parametrize(
    ("side", "prices"), [(Action.BUY, ("1000.05", "1003")), (Action.SELL, ("999.95", "997"))], ids=["buy", "sell"]
)
def test_a_larger_one_walks_the_depth_to_the_end_of_its_band(
    floor: Floor, side: Action, prices: tuple[str, str]
) -> None:
    """The band of 0.5 % around 1000.00 ends at 1005.00, or 995.00: the third price is outside."""
    waiting = floor.order(floor.send(order(side, 40)))
    assert fills(floor) == [(10, Decimal(prices[0])), (20, Decimal(prices[1]))]
    assert (waiting.status, waiting.filled_quantity, waiting.pending_quantity) == (OrderStatus.OPEN, 30, 10)
    assert waiting.average_price == (10 * Decimal(prices[0]) + 20 * Decimal(prices[1])) / 30
    assert (waiting.request.price_type, waiting.request.price) == (PriceType.MARKET, 0), "told as it was sent"
    assert floor.position().quantity == side.sign * 30


def test_what_it_needs_is_what_it_blocks_filled_and_open(floor: Floor) -> None:
    needed = floor.exchange.margin(order(Action.BUY, 40))
    assert needed == (10 * Decimal("1000.05") + 20 * Decimal(1003) + 10 * Decimal(1005)) / 5
    floor.buy(40)
    assert floor.exchange.funds().used == needed


def test_looking_again_in_the_same_second_fills_nothing_more(floor: Floor) -> None:
    order_id = floor.buy(80)
    floor.clock.move(milliseconds=500)
    assert floor.order(order_id).filled_quantity == 30
    floor.clock.move(milliseconds=500)
    assert floor.order(order_id).filled_quantity == 60
    assert floor.order(order_id).filled_quantity == 60
    floor.clock.move(seconds=1)
    assert floor.order(order_id).status is OrderStatus.COMPLETE
    assert sum(quantity for quantity, _ in fills(floor)) == 80 == floor.position().quantity


def test_a_market_that_runs_away_leaves_the_rest_open_until_it_comes_back(floor: Floor) -> None:
    order_id = floor.buy(40)
    floor.clock.move(seconds=1)
    floor.market.last = Decimal("1010.00")
    assert (floor.order(order_id).status, floor.order(order_id).filled_quantity) == (OrderStatus.OPEN, 30)
    floor.market.last = Decimal("1004.00")
    assert floor.order(order_id).status is OrderStatus.COMPLETE
    assert fills(floor)[-1] == (10, Decimal("1004.05"))


def test_withdrawing_the_rest_keeps_what_is_filled_and_frees_the_money(floor: Floor) -> None:
    order_id = floor.buy(40)
    floor.cancel(order_id)
    ended = floor.order(order_id)
    assert (ended.status, ended.filled_quantity, floor.position().quantity) == (OrderStatus.CANCELLED, 30, 30)
    assert floor.exchange.funds().used == (10 * Decimal("1000.05") + 20 * Decimal(1003)) / 5


def test_the_rest_lapses_with_its_day_and_the_position_stays(floor: Floor) -> None:
    order_id = floor.send(order(Action.BUY, 40, Product.CNC))
    floor.market.last = Decimal(1020)
    floor.clock.move(days=1)
    ended = floor.order(order_id)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELLED, 30)
    assert floor.exchange.funds().used + sum(h.quantity * h.average_price for h in floor.exchange.holdings()) == (
        10 * Decimal("1000.05") + 20 * Decimal(1003)
    )


def test_a_changed_quantity_counts_what_is_filled(floor: Floor) -> None:
    order_id = floor.buy(40)
    for too_few in (29, 30):
        with pytest.raises(Rejected) as refused:
            floor.modify(order_id, order(Action.BUY, too_few, limit="990.00"))
        assert refused.value.message == "30 are filled already. A changed quantity must be above that."
    floor.modify(order_id, order(Action.BUY, 35, limit="990.00"))
    assert floor.order(order_id).pending_quantity == 5
    floor.market.last = Decimal("989.00")
    assert floor.order(order_id).status is OrderStatus.COMPLETE
    assert fills(floor)[-1] == (5, Decimal(990))


def test_an_exit_in_parts_needs_no_money_even_after_a_loss(floor: Floor) -> None:
    floor.market.shown = ((Decimal("0.05"), 100_000),)
    floor.buy(49_990)
    floor.market.last = Decimal("850.00")
    floor.market.shown = ((Decimal("0.05"), 20_000),)
    order_id = floor.sell(49_990)
    for _ in range(2):
        floor.clock.move(seconds=1)
        floor.order(order_id)
    assert (floor.position().quantity, floor.exchange.funds().used) == (0, 0)


def test_a_triggered_stop_fills_inside_the_band_off_its_trigger(floor: Floor) -> None:
    request = replace(order(Action.SELL, 40), price_type=PriceType.SL_M, trigger_price=Decimal("990.00"))
    order_id = floor.send(request)
    floor.market.last = Decimal("989.00")  # the band ends at 985.05: bid 988.95, 986.00, and 983.00 outside
    stopped = floor.order(order_id)
    assert (stopped.status, stopped.request.price_type) == (OrderStatus.OPEN, PriceType.SL_M)
    assert fills(floor) == [(10, Decimal("988.95")), (20, Decimal(986))]


def test_a_stop_over_which_the_market_jumps_stays_open_and_unfilled(floor: Floor) -> None:
    request = replace(order(Action.SELL, 40), price_type=PriceType.SL_M, trigger_price=Decimal("990.00"))
    order_id = floor.send(request)
    floor.market.last = Decimal("950.00")
    assert (floor.order(order_id).status, fills(floor)) == (OrderStatus.OPEN, [])


def test_limits_are_as_they_were(floor: Floor) -> None:
    assert floor.order(floor.buy(40, limit="1001.00")).status is OrderStatus.COMPLETE


def test_without_protection_a_market_order_fills_whole_at_the_best_price(floor: Floor) -> None:
    floor.settings = PaperSettings()
    floor.buy(400)
    assert fills(floor) == [(400, Decimal("1000.05"))]
