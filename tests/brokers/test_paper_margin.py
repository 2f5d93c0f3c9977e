"""What orders and positions block, and that nothing is lost or made on the way. SBIN stands at 1000.00."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Product
from openalgo_bridge.model.paper import to_units
from tests.brokers.desk import Floor, opened

CRORE = Decimal(10_000_000)


def used(floor: Floor) -> Decimal:
    return floor.exchange.funds().used


def test_delivery_blocks_the_whole_value_and_intraday_a_fifth(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    assert used(floor) == Decimal("10000.5")
    floor.buy(10, Product.MIS)
    assert used(floor) == Decimal("10000.5") + Decimal("2000.1")


def test_a_resting_order_blocks_at_its_limit(floor: Floor) -> None:
    floor.buy(10, Product.MIS, limit="900.00")
    assert used(floor) == Decimal(1_800)
    assert floor.exchange.funds().available == CRORE - 1_800


def test_going_short_blocks_too(floor: Floor) -> None:
    floor.sell(10)
    assert (floor.position().quantity, used(floor)) == (-10, Decimal("1999.9"))
    assert floor.position().average_price == Decimal("999.95")


def test_a_partial_close_frees_its_part(floor: Floor) -> None:
    floor.buy(10)
    floor.sell(4)
    assert (floor.position().quantity, used(floor)) == (6, Decimal("2000.1") * 6 / 10)
    assert floor.position().average_price == Decimal("1000.05")
    assert floor.position().realised == Decimal("-0.4")


def test_a_reversal_blocks_for_the_excess_only(floor: Floor) -> None:
    floor.buy(10)
    floor.sell(15)
    assert (floor.position().quantity, used(floor)) == (-5, Decimal("999.95"))
    assert floor.position().average_price == Decimal("999.95")


def test_an_order_that_only_closes_blocks_nothing(floor: Floor) -> None:
    floor.buy(10)
    before = used(floor)
    floor.sell(10, limit="1100.00")
    assert used(floor) == before


def test_a_second_closing_order_is_not_free(floor: Floor) -> None:
    floor.buy(10)
    before = used(floor)
    floor.sell(6, limit="1100.00")
    floor.sell(6, limit="1200.00")
    assert used(floor) - before == Decimal(2 * 1_200) / 5


def test_shares_promised_to_one_order_are_not_sold_by_another(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    floor.sell(6, Product.CNC, limit="1100.00")
    with pytest.raises(Rejected, match="4 are free to sell"):
        floor.sell(5, Product.CNC, limit="1100.00")
    with pytest.raises(Rejected, match="4 are free to sell"):
        floor.sell(5, Product.CNC)
    floor.sell(4, Product.CNC)
    assert floor.position(Product.CNC).quantity == 6


def test_a_loss_never_locks_anybody_in(floor: Floor) -> None:
    floor.buy(49_990)
    floor.market.last = Decimal("500")
    assert floor.exchange.funds().available < 10_000
    floor.sell(49_990)
    assert floor.position().quantity == 0
    assert floor.exchange.funds().available < 0
    with pytest.raises(Rejected, match=r"available: -\d+"):
        floor.buy(1)


def test_a_loss_does_not_stop_a_limit_order_that_only_closes(floor: Floor) -> None:
    floor.buy(49_990)
    floor.market.last = Decimal("500")
    floor.sell(40_000)
    assert floor.exchange.funds().available < 0
    assert floor.order(floor.sell(9_990, limit="600.00")).status is OrderStatus.OPEN


def test_a_resting_order_fills_with_the_money_it_had_blocked(floor: Floor) -> None:
    order_id = floor.buy(10_000, Product.CNC, limit="999.90")
    assert floor.exchange.funds().available == Decimal(1_000)
    floor.market.last = Decimal("990")
    assert floor.order(order_id).status is OrderStatus.COMPLETE
    assert floor.exchange.funds().available == Decimal(1_000)


def test_a_resting_order_the_account_cannot_carry_any_more_is_cancelled_in_words(floor: Floor) -> None:
    floor.buy(49_990)
    closing = floor.sell(49_990, limit="1050.00")
    floor.sell(49_990)
    floor.buy(9_990, Product.CNC)
    floor.market.last = Decimal("1060")
    ended = floor.order(closing)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELLED, 0)
    assert "Insufficient funds" in ended.rejection_reason


ORDERS = st.tuples(
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 700),
    st.sampled_from([Product.MIS, Product.CNC]),
    st.none() | st.integers(-400, 400),
)
STEPS = st.lists(
    ORDERS | st.tuples(st.just("move"), st.integers(-300, 300)) | st.tuples(st.just("cancel"), st.integers(0, 30)),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_any_trading_adds_up_to_the_last_unit(steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), "NORMAL") as floor:
        for step in steps:
            _take(floor, step)
            _adds_up(floor)
        _flatten(floor)
        _adds_up(floor)
        assert used(floor) == 0
        assert floor.exchange.funds().available == CRORE + _cash_flow(floor)


def _take(floor: Floor, step: tuple[object, ...]) -> None:
    match step:
        case ("move", int(ticks)):
            floor.market.last += ticks * Decimal("0.05")
        case ("cancel", int(number)):
            resting = [each for each in floor.exchange.order_book() if each.status is OrderStatus.OPEN]
            if resting:
                floor.cancel(resting[number % len(resting)].id)
        case (str(side), int(quantity), Product() as product, offset):
            limit = None if offset is None else str(floor.market.last + Decimal("0.05") * int(str(offset)))
            try:
                (floor.buy if side == "buy" else floor.sell)(quantity, product, limit)
            except Rejected:
                assert product is Product.CNC, "the account is large enough for every intraday order here"


def _adds_up(floor: Floor) -> None:
    """Kept by hand from the trades alone; the exchange's own arithmetic is not asked."""
    # Asked first: whoever reads a book has the resting orders matched.
    trades = floor.exchange.trade_book()
    rows = floor.book.positions(floor.clock.now().date())
    for row in rows:
        own = [trade for trade in trades if trade.product is row.product]
        assert row.quantity == sum(trade.action.sign * trade.quantity for trade in own)
        assert row.product is Product.MIS or row.quantity >= 0
        assert (row.blocked == row.cost == 0) if row.quantity == 0 else row.blocked > 0
        assert (row.cost > 0) == (row.quantity > 0)
        leverage = 5 if row.product is Product.MIS else 1
        assert abs(row.blocked * leverage - abs(row.cost)) <= 10 * len(own), "no more than rounding apart"
    money = floor.book.account(floor.clock.now().date()).money
    assert money.blocked == sum(row.blocked for row in rows) + sum(each.blocked for each in floor.book.resting())
    assert money.realised - sum(row.cost for row in rows) == to_units(_cash_flow(floor))
    assert money.available == to_units(CRORE) + money.realised - money.blocked
    assert money.realised == sum(row.realised for row in rows)


def _cash_flow(floor: Floor) -> Decimal:
    return sum((-t.action.sign * t.quantity * t.price for t in floor.exchange.trade_book()), Decimal(0))


def _flatten(floor: Floor) -> None:
    for order in floor.exchange.order_book():
        if order.status is OrderStatus.OPEN:
            floor.cancel(order.id)
    for position in floor.exchange.positions():
        if position.quantity:
            action = Action.SELL if position.quantity > 0 else Action.BUY
            (floor.sell if action is Action.SELL else floor.buy)(abs(position.quantity), position.product)
