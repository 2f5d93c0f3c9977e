"""A contract of which one unit counts a hundred times: crude oil, listed in lots of one. It stands at 1000.00."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product
from openalgo_bridge.model.paper import to_rupees
from openalgo_bridge.store.strategy_fills import StrategyFills
from tests.brokers.desk import Floor, opened
from tests.store import listing
from tests.store.listing import DECEMBER, Listing, contract, share

CRORE = Decimal(10_000_000)
TERMS = {"exchange": Exchange.MCX, "broker_exchange": "MCX", "lot": 1, "freeze_quantity": 0}
OIL = contract("CRUDEOIL", Kind.FUT, DECEMBER, multiplier=100, **TERMS)
CALL = contract("CRUDEOIL", Kind.CE, DECEMBER, 1_000, multiplier=100, **TERMS)
BUY = OrderRequest(symbol=OIL.symbol, exchange=Exchange.MCX, action=Action.BUY, quantity=2, product=Product.NRML)
SELL = replace(BUY, action=Action.SELL)


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Listing]:
    with listing.opened(tmp_path) as listed:
        yield listed


@pytest.fixture
def floor(tmp_path: Path, listed: Listing) -> Iterator[Floor]:
    with opened(tmp_path) as floor:
        listed.take(OIL, CALL, share("SBIN"), accept_fewer=True)
        yield floor


@pytest.mark.parametrize(
    ("request_", "blocked"),
    [
        (BUY, 200 * Decimal("1000.05") / 10),
        (replace(BUY, price_type=PriceType.LIMIT, price=Decimal(950)), Decimal(200 * 950) / 10),
        (replace(BUY, symbol=CALL.symbol), 200 * Decimal("1000.05")),
        (replace(SELL, symbol=CALL.symbol), 200 * Decimal("999.95") + Decimal(200 * 1_000) / 10),
    ],
    ids=["future", "resting", "call", "sold call"],
)
def test_what_is_blocked_counts_it(floor: Floor, request_: OrderRequest, blocked: Decimal) -> None:
    assert floor.exchange.margin(request_) == blocked
    floor.send(request_)
    assert floor.exchange.funds().used == blocked


def test_profit_and_value_count_it_and_prices_do_not(floor: Floor) -> None:
    floor.send(BUY)
    floor.market.last = Decimal(1_010)
    position = floor.position(Product.NRML)
    assert (position.average_price, position.unrealised) == (Decimal("1000.05"), 200 * Decimal("9.95"))
    assert floor.exchange.funds().unrealised == position.unrealised
    floor.send(SELL)
    assert floor.exchange.funds().realised == 200 * Decimal("9.90")
    assert floor.exchange.funds().available == CRORE + 200 * Decimal("9.90")
    sale, purchase = floor.exchange.trade_book()
    assert (sale.value, purchase.value) == (200 * Decimal("1009.95"), 200 * Decimal("1000.05"))
    assert floor.order(purchase.order_id).average_price == Decimal("1000.05")


def test_what_is_beyond_any_book_is_so_with_it(floor: Floor) -> None:
    with pytest.raises(Rejected, match="out of range"):
        floor.send(replace(BUY, quantity=1_000_001))


def test_an_open_position_keeps_the_one_it_was_opened_with(floor: Floor, listed: Listing) -> None:
    floor.send(BUY)
    listed.take(replace(OIL, multiplier=10), share("SBIN"), accept_fewer=True)
    floor.instruments.forget()
    floor.market.last = Decimal(1_010)
    floor.send(SELL)
    assert floor.exchange.funds().realised == 200 * Decimal("9.90")
    floor.send(BUY)
    assert floor.exchange.funds().used == 20 * Decimal("1010.05") / 10


def test_a_trade_keeps_the_one_it_was_made_with(floor: Floor, listed: Listing) -> None:
    floor.send(BUY)
    floor.market.last = Decimal(1_010)
    floor.send(SELL)
    listed.take(replace(OIL, multiplier=10), share("SBIN"), accept_fewer=True)
    floor.instruments.forget()
    floor.send(BUY)
    told = [each.value for each in reversed(floor.exchange.trade_book())]
    assert told == [200 * Decimal("1000.05"), 200 * Decimal("1009.95"), 20 * Decimal("1010.05")]
    bought, sold, _ = StrategyFills(floor.db).all()
    earned = -(bought.quantity * bought.price + sold.quantity * sold.price)
    assert to_rupees(earned) == floor.exchange.funds().realised == 200 * Decimal("9.90")


def test_what_rests_without_a_price_lapses_all_the_same(floor: Floor, listed: Listing) -> None:
    order_id = floor.send(replace(BUY, price_type=PriceType.LIMIT, price=Decimal(950)))
    listed.take(replace(OIL, reference_price=Decimal(0)), share("SBIN"), accept_fewer=True)
    floor.instruments.forget()
    floor.clock.move(days=3)
    assert (floor.order(order_id).status, floor.exchange.funds().used) == (OrderStatus.CANCELLED, 0)
