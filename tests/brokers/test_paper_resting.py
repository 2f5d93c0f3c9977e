"""A look asks the book only for what a price reaches: nothing is left out, and what does not matter is not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.brokers.paper import decisions
from openalgo_bridge.brokers.paper.offers import MarketMoment
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Exchange, PriceType, Ref
from openalgo_bridge.model.paper import PaperOrder, PriceRange, to_units
from tests.brokers.desk import Floor, opened, order
from tests.conftest import FixedClock

NOW = FixedClock().now()
# A few ticks around the last price, so that many stand exactly at what is bid or asked.
prices = st.integers(-4, 4).map(lambda ticks: Decimal(1000) + ticks * Decimal("0.05"))


@st.composite
def working(draw: st.DrawFn) -> PaperOrder:
    """A limit, a stop that waits, a stop that was triggered, what is left of a protected order."""
    price_type = draw(st.sampled_from([PriceType.LIMIT, PriceType.SL, PriceType.SL_M, PriceType.MARKET]))
    waits = price_type.is_stop and draw(st.booleans())
    is_bounded = price_type in {PriceType.SL_M, PriceType.MARKET} and not waits
    asked = replace(
        order(draw(st.sampled_from(Action))),
        price_type=price_type,
        price=Decimal(0) if price_type in {PriceType.SL_M, PriceType.MARKET} else draw(prices),
        trigger_price=draw(prices) if price_type.is_stop else Decimal(0),
    )
    return PaperOrder(
        tag=Ref(""),
        cause="made by a test",
        request=asked,
        status=OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN,
        bound=to_units(draw(prices)) if is_bounded else None,
        placed_at=NOW,
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with opened(tmp_path_factory.mktemp("floor"), synchronous="NORMAL") as floor:
        yield floor


@given(orders=st.lists(working(), max_size=12), last=prices)
def test_what_the_book_tells_is_what_is_due(shared: Floor, orders: list[PaperOrder], last: Decimal) -> None:
    floor = shared
    with floor.book.transaction() as book:
        for each in floor.book.resting():
            book.change(each, replace(each, status=OrderStatus.CANCELLED))
        for each in orders:
            book.add(each)
    floor.market.last = last
    instrument = floor.instruments.find(Exchange.NSE, "SBIN")
    assert instrument is not None
    quote = floor.market.quote(instrument, NOW)
    depth = floor.market.depth(instrument, NOW)
    moment = MarketMoment(instrument=instrument, quote=quote, depth=depth, now=NOW, is_protected=False)
    due = [each for each in floor.book.resting() if decisions.is_due(each, moment)]
    ltp = to_units(quote.ltp)
    told = floor.book.reached(
        "SBIN", Exchange.NSE, PriceRange(ask=to_units(quote.ask), bid=to_units(quote.bid), lowest=ltp, highest=ltp)
    )
    assert told == due


@pytest.mark.parametrize("symbols", [("INFY", "SBIN"), ("SBIN", "INFY")])
def test_of_orders_that_one_look_reaches_the_oldest_fills_first(floor: Floor, symbols: tuple[str, str]) -> None:
    for symbol in symbols:
        floor.send(replace(order(Action.BUY, limit="990.00"), symbol=symbol))
    floor.market.last = Decimal("980")
    assert [trade.symbol for trade in reversed(floor.exchange.trade_book())] == [*symbols]


def test_a_look_reads_what_it_fills_and_not_what_rests(floor: Floor) -> None:
    for _ in range(20):
        floor.buy(1, limit="950.00")
    floor.buy(1, limit="980.00")
    floor.market.last = Decimal("975")
    asked: list[str] = []
    floor.db.tables.conn.set_trace_callback(asked.append)
    floor.exchange.positions()
    floor.db.tables.conn.set_trace_callback(None)
    looks = [sql for sql in asked if sql.startswith("SELECT * FROM paper_order INDEXED BY paper_order_working")]
    assert looks
    assert sum(len(floor.db.read(sql)) for sql in looks) == 0, "asked again, nothing is left to fill"
    assert floor.rows("paper_trade") == 1
