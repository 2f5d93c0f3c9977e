"""Futures and options on the paper exchange: what it takes, what it blocks. Everything stands at 1000.00."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product
from tests.brokers.desk import Floor, opened
from tests.store import listing
from tests.store.listing import DECEMBER, contract

FUTURE = OrderRequest(
    symbol="NIFTY29DEC26FUT", exchange=Exchange.NFO, action=Action.BUY, quantity=65, product=Product.NRML
)
CALL = replace(FUTURE, symbol="NIFTY29DEC2626000CE")
SELL = {"action": Action.SELL}
VALUE_BOUGHT, VALUE_SOLD = 65 * Decimal("1000.05"), 65 * Decimal("999.95")


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with opened(tmp_path) as floor, listing.opened(tmp_path) as listed:
        listed.take(contract("NIFTY", Kind.FUT, DECEMBER), contract("NIFTY", Kind.CE, DECEMBER, 26_000))
        yield floor


@pytest.mark.parametrize(
    ("request_", "blocked"),
    [
        (FUTURE, VALUE_BOUGHT / 10),
        (replace(FUTURE, product=Product.MIS), VALUE_BOUGHT / 10),
        (replace(FUTURE, **SELL), VALUE_SOLD / 10),
        (CALL, VALUE_BOUGHT),
        (replace(CALL, product=Product.MIS), VALUE_BOUGHT),
        (replace(CALL, **SELL), VALUE_SOLD + Decimal(65 * 26_000) / 10),
    ],
    ids=["future", "intraday", "short future", "call", "intraday call", "sold call"],
)
def test_a_contract_blocks_what_its_kind_risks(floor: Floor, request_: OrderRequest, blocked: Decimal) -> None:
    assert floor.exchange.margin(request_) == blocked
    floor.send(request_)
    assert floor.exchange.funds().used == blocked


def test_a_resting_sale_of_an_option_blocks_the_same_at_its_limit(floor: Floor) -> None:
    floor.send(replace(CALL, **SELL, price_type=PriceType.LIMIT, price=Decimal(1_100)))
    assert floor.exchange.funds().used == 65 * Decimal(1_100) + 65 * 2_600


def test_selling_an_option_that_is_held_blocks_nothing_and_frees_its_premium(floor: Floor) -> None:
    floor.send(CALL)
    floor.send(replace(CALL, **SELL))
    funds = floor.exchange.funds()
    assert (funds.used, funds.realised) == (0, Decimal("-6.5"))


def test_a_sale_beyond_the_account_is_refused(floor: Floor) -> None:
    with pytest.raises(Rejected, match="Insufficient funds"):
        for _ in range(5):
            floor.send(replace(CALL, **SELL, quantity=65 * 27))
    assert floor.exchange.funds().available >= 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"product": Product.CNC}, "CNC product not allowed for NFO. Use NRML or MIS."),
        ({"quantity": 100}, "Quantity must be in multiples of lot size 65"),
        ({"quantity": 65 * 28}, "Quantity 1820 is above the freeze quantity 1800 of one order."),
        ({"price_type": PriceType.LIMIT, "price": Decimal("999.97")}, "not a multiple of the tick size 0.05"),
        ({"symbol": "NIFTY29DEC2626050CE"}, "Symbol NIFTY29DEC2626050CE not found on NFO"),
    ],
)
def test_a_refusal_is_the_exchanges(floor: Floor, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(Rejected, match=sentence):
        floor.send(replace(CALL, **changes))


def test_the_last_day_of_a_contract_is_its_last(floor: Floor) -> None:
    floor.clock.move(days=38)
    floor.send(FUTURE)
    floor.clock.move(days=1)
    with pytest.raises(Rejected, match="NIFTY29DEC26FUT expired on 2026-12-29"):
        floor.send(FUTURE)
