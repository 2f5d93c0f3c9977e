"""What the paper exchange tells of its market: many quotes, depth, bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.clock import IST
from openalgo_bridge.errors import Rejected
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.store.store import Store
from tests.brokers.desk import Floor, opened
from tests.conftest import FixedClock
from tests.market.contracts import CALL, CRUDEOIL, SBIN

TODAY = date(2026, 11, 21)
UNPRICED = replace(SBIN, symbol="NOSUCH", reference_price=Decimal(0))


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with opened(tmp_path, synchronous="NORMAL") as floor:
        yield floor


@pytest.fixture
def exchange(tmp_path: Path, clock: FixedClock) -> Iterator[PaperExchange]:
    store = Store.open(tmp_path, clock)
    yield PaperExchange(
        book=store.paperbook,
        market=SimulatedMarket(7),
        instruments=store.instruments,
        clock=clock,
        calendar=store.calendar.load,
    )
    store.close()


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda floor: floor.exchange.quotes([SBIN]), id="quotes"),
        pytest.param(lambda floor: floor.exchange.quotes([]), id="quotes of others"),
        pytest.param(lambda floor: floor.exchange.depth(SBIN), id="depth"),
    ],
)
def test_whoever_looks_at_the_market_finds_resting_orders_matched(
    floor: Floor, look: Callable[[Floor], object]
) -> None:
    resting = floor.buy(limit="990.00")
    floor.market.last = Decimal("985.00")
    look(floor)
    assert floor.book.resting() == []
    assert floor.order(resting).status is OrderStatus.COMPLETE


def test_a_quote_of_many_costs_one_look_at_the_book(exchange: PaperExchange) -> None:
    many = [replace(SBIN, symbol=f"S{number}") for number in range(50)]
    found = exchange.quotes([*many, UNPRICED])
    assert found[-1] is None
    assert found[:-1] == [exchange.quote(each) for each in many]


def test_bars_are_given_up_to_now_and_no_further(exchange: PaperExchange, clock: FixedClock) -> None:
    bars = list(exchange.history(SBIN, Interval.M1, TODAY, TODAY + timedelta(days=400)))
    assert len(bars) == 76
    assert bars[-1].start == clock.now()
    assert bars[-1].close == exchange.quote(SBIN).ltp


def test_a_year_of_minutes_is_there(exchange: PaperExchange) -> None:
    bars = exchange.history(SBIN, Interval.M1, TODAY - timedelta(days=364), TODAY)
    assert sum(1 for _ in bars) == 364 * 376 + 76


@pytest.mark.parametrize(
    ("instrument", "interval", "days"),
    [
        (SBIN, Interval.S1, 14),
        (SBIN, Interval.S45, 14),
        (SBIN, Interval.M1, 877),
        (SBIN, Interval.H1, 1_100),
        (CRUDEOIL, Interval.S1, 6),
        (CRUDEOIL, Interval.M1, 368),
        (CALL, Interval.S1, 7),
        (CALL, Interval.M1, 427),
    ],
    ids=lambda each: each.symbol if isinstance(each, Instrument) else None,
)
def test_more_than_it_gives_at_once_is_refused_in_words(
    exchange: PaperExchange, instrument: Instrument, interval: Interval, days: int
) -> None:
    words = f"Bars of {interval} of {instrument.symbol} are given for at most {days} days at once"
    with pytest.raises(Rejected, match=words):
        exchange.history(instrument, interval, TODAY - timedelta(days=days), TODAY)
    first = TODAY - timedelta(days=days - 1)
    assert next(iter(exchange.history(instrument, interval, first, TODAY))).start.astimezone(IST).date() == first


@pytest.mark.parametrize("instrument", [SBIN, CRUDEOIL, CALL], ids=lambda each: each.symbol)
def test_a_year_of_minutes_of_anything_is_never_too_much(exchange: PaperExchange, instrument: Instrument) -> None:
    for minutes in (each for each in Interval if not each.is_calendar and each.seconds >= 60):
        assert exchange.history(instrument, minutes, TODAY - timedelta(days=365), TODAY)


def test_days_may_go_back_as_far_as_anybody_asks(exchange: PaperExchange) -> None:
    bars = exchange.history(SBIN, Interval.DAY, date.min, date.max)
    assert sum(1 for _ in bars) == (TODAY - date(1990, 1, 1)).days + 1


def test_an_instrument_without_a_price_has_no_market(exchange: PaperExchange) -> None:
    for ask in (exchange.quote, exchange.depth, lambda each: exchange.history(each, Interval.DAY, TODAY, TODAY)):
        with pytest.raises(Rejected, match="There is no price for NOSUCH on NSE"):
            ask(UNPRICED)


def test_all_intervals_of_the_dialect_are_offered(exchange: PaperExchange) -> None:
    assert exchange.capabilities.intervals == tuple(Interval)
    assert exchange.capabilities.has_depth
