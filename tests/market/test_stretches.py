"""The extremes of a stretch of time are those of its seconds, whatever lies in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.interval import Interval
from tests.market.contracts import CALL, CRUDEOIL, EXPIRY, FUTURE, PUT, SBIN, USDINR, contract, ist

DAY = date(2026, 11, 20)
SECOND = timedelta(seconds=1)
NEAR_THE_MONEY = contract(Kind.CE, 24_400)
INSTRUMENTS = [SBIN, FUTURE, CALL, PUT, NEAR_THE_MONEY, USDINR, CRUDEOIL]
moments = st.datetimes(datetime(2026, 11, 18), datetime(2026, 12, 2)).map(  # noqa: DTZ001
    lambda each: each.replace(tzinfo=ist(DAY, 0).tzinfo)
)


def seen(market: SimulatedMarket, instrument: Instrument, since: datetime, until: datetime) -> tuple[object, object]:
    """By a look at each second."""
    seconds = int((until - since).total_seconds()) + 1
    prices = [market.price(instrument, since + number * SECOND) for number in range(seconds)]
    return min(prices), max(prices)


def told(market: SimulatedMarket, instrument: Instrument, since: datetime, until: datetime) -> tuple[object, object]:
    extremes = market.extremes(instrument, since, until)
    return extremes.low, extremes.high


@settings(max_examples=60, deadline=None)
@given(instrument=st.sampled_from(INSTRUMENTS), since=moments, seconds=st.integers(0, 700), seed=st.integers(0, 99))
def test_extremes_are_those_of_every_second(instrument: Instrument, since: datetime, seconds: int, seed: int) -> None:
    market, since = SimulatedMarket(seed), since.replace(microsecond=0)
    until = since + seconds * SECOND
    assert told(market, instrument, since, until) == seen(market, instrument, since, until)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: each.symbol)
@pytest.mark.parametrize("edge", [ist(DAY, 9, 15), ist(DAY, 15, 30), ist(DAY, 15, 40), ist(EXPIRY, 15, 30)])
def test_openings_closes_and_expiries_are_in_them(instrument: Instrument, edge: datetime) -> None:
    market, around = SimulatedMarket(3), timedelta(minutes=6)
    assert told(market, instrument, edge - around, edge + around) == seen(
        market, instrument, edge - around, edge + around
    )
    assert told(market, instrument, edge, edge) == seen(market, instrument, edge, edge)


@pytest.mark.parametrize("instrument", [SBIN, FUTURE, NEAR_THE_MONEY, PUT], ids=lambda each: each.symbol)
def test_those_of_a_day_are_the_day_bars(instrument: Instrument) -> None:
    market, until = SimulatedMarket(4), ist(DAY, 9, 15) + timedelta(days=1) - SECOND
    (bar,) = market.bars(instrument, Interval.DAY, DAY, DAY, until)
    assert told(market, instrument, ist(DAY, 9, 15), until) == (bar.low, bar.high)


def test_a_stretch_over_days_reaches_as_far_as_the_furthest_of_them() -> None:
    market, opening = SimulatedMarket(5), ist(DAY, 9, 15)
    days = [
        told(market, FUTURE, opening + timedelta(days=number), opening + timedelta(days=number + 1) - SECOND)
        for number in range(3)
    ]
    whole = told(market, FUTURE, opening, opening + timedelta(days=3) - SECOND)
    assert whole == (min(low for low, _ in days), max(high for _, high in days))


def test_after_a_contract_has_settled_nothing_moves() -> None:
    market = SimulatedMarket(6)
    settled = market.price(NEAR_THE_MONEY, ist(EXPIRY, 15, 30))
    later = (ist(EXPIRY, 18), ist(EXPIRY, 18) + timedelta(days=5))
    assert told(market, NEAR_THE_MONEY, *later) == (settled, settled)


def test_the_cheapest_thing_has_extremes_above_nothing() -> None:
    penny = replace(SBIN, reference_price=SBIN.tick)
    assert SimulatedMarket(1).extremes(penny, ist(DAY, 9, 15), ist(DAY, 15, 30)).low >= SBIN.tick
