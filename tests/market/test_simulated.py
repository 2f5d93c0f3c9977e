"""The simulated market: believable, in order, and the same for everybody who asks."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.clock import IST
from openalgo_bridge.market.path import Path
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.embedded_list import embedded_list

LISTED = {(each.exchange, each.symbol): each for each in embedded_list()}
SBIN = LISTED[Exchange.NSE, "SBIN"]
MIDNIGHT = datetime(2026, 11, 21, tzinfo=IST)

instruments = st.sampled_from(sorted(LISTED.values(), key=lambda each: (each.exchange, each.symbol)))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(instrument=instruments, at=moments, seed=st.integers(0, 2**32))
def test_a_quote_is_always_in_order_and_on_the_tick(instrument: Instrument, at: datetime, seed: int) -> None:
    quote = SimulatedMarket(seed).quote(instrument, at)
    prices = [quote.ltp, quote.bid, quote.ask, quote.open, quote.high, quote.low, quote.prev_close]
    assert all(price > 0 and price % instrument.tick == 0 for price in prices)
    assert quote.bid <= quote.ltp <= quote.ask
    assert quote.ask - quote.bid >= instrument.tick
    assert quote.low <= min(quote.ltp, quote.open) <= max(quote.ltp, quote.open) <= quote.high
    assert quote.volume >= 0


@given(instrument=instruments, at=moments)
def test_the_cheapest_thing_still_has_a_price(instrument: Instrument, at: datetime) -> None:
    penny = replace(instrument, reference_price=instrument.tick)
    quote = SimulatedMarket(1).quote(penny, at)
    assert quote.bid >= penny.tick
    assert quote.bid <= quote.ltp <= quote.ask


def test_the_price_is_pinned_for_all_machines_and_versions() -> None:
    """A stored paper trade must make sense tomorrow: changing the path changes everybody's past."""
    market = SimulatedMarket(20261121)
    assert [str(market.price(SBIN, MIDNIGHT + timedelta(hours=hour))) for hour in (0, 1, 9, 24)] == [
        "939.90",
        "943.15",
        "931.90",
        "930.65",
    ]


def test_the_same_second_has_the_same_price_and_another_seed_another_market() -> None:
    at = MIDNIGHT + timedelta(hours=11)
    assert SimulatedMarket(1).quote(SBIN, at) == SimulatedMarket(1).quote(SBIN, at + timedelta(milliseconds=999))
    assert SimulatedMarket(1).quote(SBIN, at) != SimulatedMarket(2).quote(SBIN, at)


def test_price_and_quote_agree() -> None:
    market = SimulatedMarket(3)
    for second in range(0, 86_400, 997):
        at = MIDNIGHT + timedelta(seconds=second)
        assert market.quote(SBIN, at).ltp == market.price(SBIN, at)


@given(instrument=instruments, at=moments)
def test_open_is_midnight_and_yesterdays_close_the_second_before(instrument: Instrument, at: datetime) -> None:
    market = SimulatedMarket(4)
    midnight = at.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
    quote = market.quote(instrument, at)
    assert quote.open == market.price(instrument, midnight)
    assert quote.prev_close == market.price(instrument, midnight - timedelta(seconds=1))


def test_the_days_range_is_exactly_the_range_of_its_seconds() -> None:
    market = SimulatedMarket(5)
    seconds = 3_600 + 1_234
    prices = [market.price(SBIN, MIDNIGHT + timedelta(seconds=second)) for second in range(seconds + 1)]
    quote = market.quote(SBIN, MIDNIGHT + timedelta(seconds=seconds))
    assert (quote.low, quote.high) == (min(prices), max(prices))


def test_watching_second_by_second_misses_nothing() -> None:
    market = SimulatedMarket(5)
    low, high = Decimal("Infinity"), Decimal(0)
    for second in range(1_200):
        quote = market.quote(SBIN, MIDNIGHT + timedelta(seconds=second))
        low, high = min(low, quote.ltp), max(high, quote.ltp)
        assert (quote.low, quote.high) == (low, high)


def test_looking_in_every_few_seconds_sees_what_happened_in_between() -> None:
    market, watched = SimulatedMarket(5), SimulatedMarket(5)
    low, high = Decimal("Infinity"), Decimal(0)
    for second in range(1_200):
        at = MIDNIGHT + timedelta(seconds=second)
        price = market.price(SBIN, at)
        low, high = min(low, price), max(high, price)
        if second % 13 == 0:
            quote = watched.quote(SBIN, at)
            assert (quote.low, quote.high) == (low, high)


@settings(max_examples=40, deadline=None)
@given(seconds=st.lists(st.integers(0, 3 * 86_400), min_size=1, max_size=25))
def test_what_is_remembered_equals_what_is_computed_anew(seconds: list[int]) -> None:
    """In whatever order the seconds are asked for, backwards and over midnight too."""
    remembering = SimulatedMarket(6)
    for second in seconds:
        at = MIDNIGHT + timedelta(seconds=second)
        assert remembering.quote(SBIN, at) == SimulatedMarket(6).quote(SBIN, at)


def test_many_threads_see_the_one_market() -> None:
    market = SimulatedMarket(7)
    moments_ = [MIDNIGHT + timedelta(seconds=second) for second in range(0, 86_400, 2_111)]
    seen: list[list[object]] = []

    def watch(backwards: bool) -> None:
        order = moments_[::-1] if backwards else moments_
        quotes = {at: market.quote(SBIN, at) for at in order}
        seen.append([quotes[at] for at in moments_])

    threads = [threading.Thread(target=watch, args=(number % 2 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [[SimulatedMarket(7).quote(SBIN, at) for at in moments_]] * 8


def test_memory_is_bounded() -> None:
    market = SimulatedMarket(8)
    at = MIDNIGHT + timedelta(seconds=1)
    for number in range(4_200):
        market.quote(replace(SBIN, symbol=f"S{number}"), at)
    assert len(market._days) <= 4_096
    assert market.quote(SBIN, at) == SimulatedMarket(8).quote(SBIN, at)


def test_volume_grows_through_the_day_and_starts_anew() -> None:
    market = SimulatedMarket(9)
    day = [market.quote(SBIN, MIDNIGHT + timedelta(seconds=second)).volume for second in range(0, 86_400, 37)]
    assert day[0] == 0
    assert day == sorted(day)
    assert day[-1] > 100_000
    assert market.quote(SBIN, MIDNIGHT + timedelta(days=1)).volume == 0
    assert market.quote(LISTED[Exchange.NSE_INDEX, "NIFTY"], MIDNIGHT + timedelta(hours=12)).volume == 0


def test_a_share_moves_as_a_share_does() -> None:
    """About 1 to 2 per cent in a day, some 0.05 per cent in a minute, never a jump."""
    market = SimulatedMarket(10)
    shares = [LISTED[Exchange.NSE, symbol] for symbol in ("SBIN", "RELIANCE", "INFY", "TCS", "ITC")]
    by_day = [change for share in shares for change in changes(market, share, timedelta(days=1), 250)]
    by_minute = [change for share in shares for change in changes(market, share, timedelta(minutes=1), 500)]
    assert 0.007 < sum(by_day) / len(by_day) < 0.018
    assert 0.0002 < sum(by_minute) / len(by_minute) < 0.0008
    assert max(by_minute) < 0.005
    assert max(by_day) < 0.08


def test_a_year_stays_near_the_reference() -> None:
    market = SimulatedMarket(11)
    year = [market.price(SBIN, MIDNIGHT + timedelta(days=day)) / SBIN.reference_price for day in range(365)]
    assert Decimal("0.5") < min(year) < max(year) < Decimal("1.5")
    assert max(year) - min(year) > Decimal("0.05")


def test_two_exchanges_quote_the_same_share_alike() -> None:
    market = SimulatedMarket(12)
    other = LISTED[Exchange.BSE, "SBIN"]
    apart = 0
    for second in range(0, 7_200, 60):
        at = MIDNIGHT + timedelta(seconds=second)
        nse, bse = market.price(SBIN, at), market.price(other, at)
        assert abs(nse - bse) < nse * Decimal("0.003")
        assert nse == bse or second % 300
        apart += nse != bse
    assert apart > 50


def test_an_instrument_without_a_reference_price_has_no_price() -> None:
    with pytest.raises(ValueError, match="SBIN on NSE has no reference price"):
        SimulatedMarket(13).quote(replace(SBIN, reference_price=Decimal(0)), MIDNIGHT)


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 80_000), length=st.integers(0, 40) | st.integers(0, 3_000))
def test_the_range_of_any_stretch_is_exact(first: int, length: int) -> None:
    """What bars of every interval will be made of."""
    path = Path.of(14, "SBIN", "NSE")
    start = 20_000 * 86_400
    values = [path.value(start + second) for second in range(first, first + length + 1)]
    ends = min(values[0], values[-1]), max(values[0], values[-1])
    assert path.widen(ends, path.day(start), start + first, start + first + length) == (min(values), max(values))


def test_the_range_of_every_short_stretch_is_exact() -> None:
    path, start = Path.of(15, "SBIN", "NSE"), 20_000 * 86_400
    day, values = path.day(start), [path.value(start + second) for second in range(330)]
    for first in range(300):
        for length in (1, 4, 6, 11, 19, 25):
            stretch = values[first : first + length + 1]
            ends = min(stretch[0], stretch[-1]), max(stretch[0], stretch[-1])
            assert path.widen(ends, day, start + first, start + first + length) == (min(stretch), max(stretch))


def changes(market: SimulatedMarket, share: Instrument, step: timedelta, count: int) -> list[float]:
    prices = [float(market.price(share, MIDNIGHT + step * number)) for number in range(count)]
    return [abs(after / before - 1) for before, after in pairwise(prices)]
