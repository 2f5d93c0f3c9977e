"""The simulated market: believable, in order, and the same for everybody who asks."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.market.tape import MOST_REMEMBERED
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.store.embedded_list import shares_and_indices
from tests.market.contracts import CALL, CRUDEOIL, FUTURE, NIFTY, PUT, SBIN, SBIN_ON_BSE, USDINR, contract, ist

DAY = date(2026, 11, 21)
OPENING = ist(DAY, 9, 15)
SECOND = timedelta(seconds=1)
NEAR_THE_MONEY = contract(Kind.CE, 24_400)
PINNED_SBIN = ["938.00", "942.50", "934.75", "930.80"]
PINNED_CALL = ["258.55", "325.95", "187.60", "181.60"]

EXCHANGE_LIST = sorted(shares_and_indices(), key=lambda each: (each.exchange, each.symbol))

instruments = st.sampled_from([*EXCHANGE_LIST, FUTURE, CALL, PUT, USDINR, CRUDEOIL, contract(Kind.CE, 29_000)])
moments = st.datetimes(datetime(2000, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(instrument=instruments, at=moments, seed=st.integers(0, 2**32))
def test_a_quote_is_always_in_order_and_on_the_tick(instrument: Instrument, at: datetime, seed: int) -> None:
    quote = SimulatedMarket(seed).quote(instrument, at)
    prices = [quote.ltp, quote.bid, quote.ask, quote.open, quote.high, quote.low, quote.prev_close]
    assert all(price > 0 and price % instrument.tick == 0 for price in prices)
    assert quote.bid <= quote.ltp <= quote.ask
    assert quote.ask - quote.bid >= instrument.tick
    assert quote.low <= min(quote.ltp, quote.open) <= max(quote.ltp, quote.open) <= quote.high
    assert quote.volume >= 0
    assert quote.oi >= 0
    assert all(
        units % instrument.lot == 0 for units in (quote.volume, quote.oi, quote.bid_quantity, quote.ask_quantity)
    )


@given(at=moments)
def test_the_cheapest_thing_still_has_a_price(at: datetime) -> None:
    penny = replace(SBIN, reference_price=SBIN.tick)
    quote = SimulatedMarket(1).quote(penny, at)
    assert quote.bid >= penny.tick
    assert quote.bid <= quote.ltp <= quote.ask


@given(instrument=instruments, at=moments)
def test_the_depth_agrees_with_the_quote(instrument: Instrument, at: datetime) -> None:
    market = SimulatedMarket(2)
    depth, quote = market.depth(instrument, at), market.quote(instrument, at)
    assert depth.quote == quote
    assert (depth.bids[0].price, depth.bids[0].quantity) == (quote.bid, quote.bid_quantity)
    assert (depth.asks[0].price, depth.asks[0].quantity) == (quote.ask, quote.ask_quantity)
    assert len(depth.bids) == len(depth.asks) == 5
    bids = [level for level in depth.bids if level.quantity]
    assert all(better.price - worse.price == instrument.tick for better, worse in pairwise(bids))
    assert all(worse.price - better.price == instrument.tick for better, worse in pairwise(depth.asks))
    assert all(level.price == 0 for level in depth.bids[len(bids) :])
    assert depth.total_bid_quantity >= sum(level.quantity for level in bids) > 0
    assert depth.total_ask_quantity >= sum(level.quantity for level in depth.asks) > 0
    assert depth.last_quantity % instrument.lot == 0 < depth.last_quantity


def test_the_price_is_pinned_for_all_machines_and_versions() -> None:
    """A stored paper trade must make sense tomorrow: changing the market changes everybody's past."""
    market = SimulatedMarket(20261121)
    moments_ = [OPENING + timedelta(hours=hours) for hours in (0, 1, 6, 23)]
    assert [str(market.price(SBIN, at)) for at in moments_] == PINNED_SBIN
    assert [str(market.price(NEAR_THE_MONEY, at)) for at in moments_] == PINNED_CALL


def test_the_same_second_has_the_same_price_and_another_seed_another_market() -> None:
    at = OPENING + timedelta(hours=2)
    assert SimulatedMarket(1).quote(SBIN, at) == SimulatedMarket(1).quote(SBIN, at + timedelta(milliseconds=999))
    assert SimulatedMarket(1).quote(SBIN, at) != SimulatedMarket(2).quote(SBIN, at)


@given(instrument=instruments, at=moments)
def test_price_and_quote_agree(instrument: Instrument, at: datetime) -> None:
    assert SimulatedMarket(3).price(instrument, at) == SimulatedMarket(3).quote(instrument, at).ltp


@pytest.mark.parametrize("instrument", [SBIN, NIFTY, FUTURE, CALL, PUT], ids=lambda each: each.symbol)
def test_a_day_opens_at_its_open_and_yesterday_closed_the_second_before(instrument: Instrument) -> None:
    market = SimulatedMarket(4)
    quote = market.quote(instrument, OPENING + timedelta(hours=3))
    assert quote.open == market.price(instrument, OPENING)
    assert quote.prev_close == market.price(instrument, OPENING - SECOND)


@pytest.mark.parametrize("instrument", [SBIN, CALL, PUT], ids=lambda each: each.symbol)
@pytest.mark.parametrize("begin", [9, 15], ids=["the opening", "the close"])
def test_the_days_range_is_exactly_the_range_of_its_seconds(instrument: Instrument, begin: int) -> None:
    """Second by second, which looks at each for the first time, and only at the end, which looks once."""
    market = SimulatedMarket(5)
    at = ist(DAY, begin, 15)
    before = market.quote(instrument, at)
    low, high = before.low, before.high
    for _ in range(1_500):
        at += SECOND
        quote = market.quote(instrument, at)
        low, high = min(low, quote.ltp), max(high, quote.ltp)
        assert (quote.low, quote.high) == (low, high)
    assert SimulatedMarket(5).quote(instrument, at) == quote


@settings(max_examples=20, deadline=None)
@given(seconds=st.lists(st.integers(0, 3 * 86_400), min_size=1, max_size=15), instrument=st.sampled_from([SBIN, CALL]))
def test_what_is_remembered_equals_what_is_computed_anew(seconds: list[int], instrument: Instrument) -> None:
    """In whatever order the seconds are asked for, backwards and into other days too."""
    remembering = SimulatedMarket(6)
    for second in seconds:
        at = OPENING + timedelta(seconds=second)
        assert remembering.quote(instrument, at) == SimulatedMarket(6).quote(instrument, at)


@pytest.mark.parametrize("instrument", [SBIN, NEAR_THE_MONEY], ids=lambda each: each.symbol)
def test_another_reference_price_is_another_instrument(instrument: Instrument) -> None:
    market, at = SimulatedMarket(6), OPENING + timedelta(hours=1)
    first, second = (replace(instrument, reference_price=instrument.reference_price * part) for part in (1, 2))
    assert market.quote(first, at) != market.quote(second, at)
    for each in (first, second, first):
        assert market.quote(each, at) == SimulatedMarket(6).quote(each, at)


def test_many_threads_see_the_one_market() -> None:
    market = SimulatedMarket(7)
    moments_ = [OPENING + timedelta(seconds=second) for second in range(0, 86_400, 4_111)]
    seen: list[list[object]] = []

    def watch(backwards: bool) -> None:
        order = moments_[::-1] if backwards else moments_
        quotes = {(at, each.symbol): market.quote(each, at) for at in order for each in (SBIN, CALL)}
        seen.append([quotes[at, each.symbol] for at in moments_ for each in (SBIN, CALL)])

    threads = [threading.Thread(target=watch, args=(number % 2 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = [SimulatedMarket(7).quote(each, at) for at in moments_ for each in (SBIN, CALL)]
    assert seen == [alone] * 8


def test_memory_is_bounded() -> None:
    market = SimulatedMarket(8)
    for number in range(MOST_REMEMBERED + 100):
        market.quote(replace(SBIN, symbol=f"S{number}"), OPENING)
        market.quote(replace(CALL, symbol=f"C{number}"), OPENING + timedelta(hours=1))
    for remembered in (market._listings, market._days, market._days_over, market._latest):
        assert 0 < len(remembered) <= MOST_REMEMBERED
    assert market.quote(SBIN, OPENING) == SimulatedMarket(8).quote(SBIN, OPENING)


@pytest.mark.parametrize("instrument", [SBIN, FUTURE, CALL], ids=lambda each: each.symbol)
def test_volume_grows_through_the_day_and_starts_anew(instrument: Instrument) -> None:
    market = SimulatedMarket(9)
    day = [market.quote(instrument, OPENING + timedelta(seconds=second)).volume for second in range(0, 86_400, 97)]
    assert day == sorted(day)
    assert 0 <= day[0] < day[-1] // 1_000
    assert day[-1] > 100_000
    session = 375 * 60 // 97
    assert day[session] > 0.9 * day[-1]
    assert market.quote(instrument, OPENING + timedelta(days=1)).volume < day[-1] // 1_000


def test_an_index_has_no_volume_and_only_contracts_have_open_interest() -> None:
    market = SimulatedMarket(9)
    at = OPENING + timedelta(hours=4)
    assert market.quote(NIFTY, at).volume == 0
    assert (market.quote(SBIN, at).oi, market.quote(NIFTY, at).oi) == (0, 0)
    assert min(market.quote(each, at).oi for each in (FUTURE, CALL, PUT)) > 0


def test_a_share_moves_as_a_share_does() -> None:
    """About 1 to 2 per cent in a day, some 0.05 per cent in a minute of the session, hardly ever a jump."""
    market = SimulatedMarket(10)
    shares = [each for each in EXCHANGE_LIST if each.symbol in {"SBIN", "RELIANCE", "INFY", "TCS", "ITC"}]
    by_day = [change for share in shares for change in changes(market, share, timedelta(days=1), 120)]
    by_minute = [change for share in shares for change in changes(market, share, timedelta(minutes=1), 350)]
    assert 0.007 < sum(by_day) / len(by_day) < 0.018
    assert 0.0002 < sum(by_minute) / len(by_minute) < 0.0009
    assert max(by_minute) < 0.008
    assert max(by_day) < 0.08


def test_a_year_stays_near_the_reference() -> None:
    market = SimulatedMarket(11)
    year = [market.price(SBIN, OPENING + timedelta(days=day)) / SBIN.reference_price for day in range(365)]
    assert Decimal("0.5") < min(year) < max(year) < Decimal("1.5")
    assert max(year) - min(year) > Decimal("0.05")


def test_two_exchanges_quote_the_same_share_alike() -> None:
    market = SimulatedMarket(12)
    apart = 0
    for minute in range(120):
        at = OPENING + timedelta(minutes=minute)
        nse, bse = market.price(SBIN, at), market.price(SBIN_ON_BSE, at)
        assert abs(nse - bse) < nse * Decimal("0.004")
        assert nse == bse or minute % 5
        apart += nse != bse
    assert apart > 50


def test_an_instrument_without_a_reference_price_has_no_price() -> None:
    with pytest.raises(ValueError, match="SBIN on NSE has no reference price"):
        SimulatedMarket(13).quote(replace(SBIN, reference_price=Decimal(0)), OPENING)


def changes(market: SimulatedMarket, share: Instrument, step: timedelta, count: int) -> list[float]:
    prices = [float(market.price(share, OPENING + step * number)) for number in range(count)]
    return [abs(after / before - 1) for before, after in pairwise(prices)]
