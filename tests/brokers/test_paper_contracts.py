"""Futures and options on the paper exchange: what it takes, what it blocks. Everything stands at 1000.00."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.clock import IST
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product
from tests.brokers.desk import Floor, opened
from tests.store import listing
from tests.store.listing import DECEMBER, contract

FUTURE = OrderRequest(
    symbol="NIFTY29DEC26FUT", exchange=Exchange.NFO, action=Action.BUY, quantity=65, product=Product.NRML
)
CALL = replace(FUTURE, symbol="NIFTY29DEC2626000CE")
LISTED = (contract("NIFTY", Kind.FUT, DECEMBER), contract("NIFTY", Kind.CE, DECEMBER, 26_000))
SELL = {"action": Action.SELL}
VALUE_BOUGHT, VALUE_SOLD = 65 * Decimal("1000.05"), 65 * Decimal("999.95")


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with opened(tmp_path) as floor, listing.opened(tmp_path) as listed:
        listed.take(*LISTED, accept_fewer=True)
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
        ({"product": Product.CNC}, "CNC product not allowed for NFO derivatives segment. Use NRML or MIS."),
        ({"quantity": 100}, "Quantity must be in multiples of lot size 65"),
        ({"quantity": 65 * 28}, "Quantity 1,820 is above the freeze quantity 1,800 of one order."),
        ({"price_type": PriceType.LIMIT, "price": Decimal("999.97")}, "not a multiple of the tick size 0.05"),
        ({"symbol": "NIFTY29DEC2626050CE"}, "Symbol NIFTY29DEC2626050CE not found on NFO"),
    ],
)
def test_a_refusal_is_the_exchanges(floor: Floor, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(Rejected, match=sentence):
        floor.send(replace(CALL, **changes))


def test_a_contract_is_entered_until_it_expires_and_left_until_the_exchange_closes(
    floor: Floor, tmp_path: Path
) -> None:
    on_share = contract("SBIN", Kind.FUT, DECEMBER)
    with listing.opened(tmp_path) as listed:
        listed.take(*LISTED, on_share)
    floor.instruments.forget()
    future = replace(FUTURE, symbol=on_share.symbol)
    floor.clock.moment = datetime.combine(DECEMBER, time(15, 29, 59), IST)
    floor.send(replace(future, quantity=130))
    floor.clock.move(seconds=1)
    with pytest.raises(Rejected, match="SBIN29DEC26FUT expired on 2026-12-29"):
        floor.send(future)
    floor.send(replace(future, **SELL))
    floor.clock.moment = datetime.combine(DECEMBER, time(15, 45), IST)
    with pytest.raises(Rejected, match="SBIN29DEC26FUT expired on 2026-12-29"):
        floor.send(replace(future, **SELL))


def test_a_contract_on_an_index_is_left_until_it_expires(floor: Floor) -> None:
    floor.clock.moment = datetime.combine(DECEMBER, time(15, 29, 59), IST)
    floor.send(FUTURE)
    floor.clock.move(seconds=1)
    with pytest.raises(Rejected, match="NIFTY29DEC26FUT expired on 2026-12-29"):
        floor.send(replace(FUTURE, **SELL))


def test_what_rests_when_its_contract_expires_does_not_fill_at_the_settlement(floor: Floor) -> None:
    floor.clock.moment = datetime.combine(DECEMBER, time(15, 29), IST)
    resting = floor.send(replace(FUTURE, price_type=PriceType.LIMIT, price=Decimal(999)))
    floor.clock.move(minutes=1)
    floor.market.last = Decimal(990)
    assert floor.order(resting).status is OrderStatus.CANCELLED
    assert floor.exchange.positions() == []


def test_a_former_lot_is_sold_once_and_the_second_sale_would_open_a_part_of_one(floor: Floor, tmp_path: Path) -> None:
    floor.send(FUTURE)
    with listing.opened(tmp_path) as listed:
        listed.take(replace(LISTED[0], lot=75), LISTED[1])
    floor.instruments.forget()
    floor.exchange.check(replace(FUTURE, **SELL))
    floor.send(replace(FUTURE, **SELL))
    with pytest.raises(Rejected, match="multiples of lot size 75"):
        floor.send(replace(FUTURE, **SELL))
    with pytest.raises(Rejected, match="multiples of lot size 75"):
        floor.exchange.check(replace(FUTURE, **SELL))


def test_what_left_the_list_is_sold_once_and_not_bought_again(floor: Floor, tmp_path: Path) -> None:
    floor.send(FUTURE)
    with listing.opened(tmp_path) as listed:
        listed.take(LISTED[1])
    floor.instruments.forget()
    floor.send(replace(FUTURE, **SELL))
    for order in (FUTURE, replace(FUTURE, **SELL)):
        with pytest.raises(Rejected, match="not listed on NFO any more"):
            floor.send(order)
