"""Futures and options: priced on their underlying, by Black's model, and in step with each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.clock import IST
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model import black76
from openalgo_bridge.model.black76 import DAYS_A_YEAR, Option
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import expiry_time
from tests.market.contracts import CRUDEOIL, EXPIRY, FUTURE, NIFTY, SBIN, contract, ist, listed

MARKET = SimulatedMarket(20261121)
NOON = ist(date(2026, 11, 23), 12)
TICK = Decimal("0.05")
STRIKES = range(20_000, 30_000, 50)

sessions = st.datetimes(datetime(2026, 9, 1), datetime(2026, 12, 1, 15, 29, 59), timezones=st.just(IST))  # noqa: DTZ001


def price(instrument: Instrument, at: datetime = NOON) -> Decimal:
    return MARKET.price(instrument, at)


def implied(option: Instrument, at: datetime) -> float:
    """The volatility in the last price, against the future of the same expiry."""
    settles = datetime.combine(EXPIRY, expiry_time(option.exchange), tzinfo=IST)
    terms = Option(
        is_call=option.kind is Kind.CE,
        forward=float(price(FUTURE, at)),
        strike=float(option.strike),
        years=(settles - at) / timedelta(days=DAYS_A_YEAR),
    )
    return black76.implied_volatility(terms, float(price(option, at)))


@settings(max_examples=60, deadline=None)
@given(strike=st.sampled_from(STRIKES), at=sessions)
def test_puts_and_calls_are_in_parity_within_a_tick(strike: int, at: datetime) -> None:
    """The synthetic future is the future: K + C - P, each rounded to its own tick."""
    call, put = (price(contract(kind, strike), at) for kind in (Kind.CE, Kind.PE))
    assert abs(strike + call - put - price(FUTURE, at)) <= TICK + FUTURE.tick / 2


@settings(max_examples=60, deadline=None)
@given(strike=st.sampled_from(STRIKES), kind=st.sampled_from([Kind.CE, Kind.PE]), at=sessions)
def test_an_option_is_worth_more_than_exercising_it_would_bring(strike: int, kind: Kind, at: datetime) -> None:
    gain = (price(FUTURE, at) - strike) * (1 if kind is Kind.CE else -1)
    assert price(contract(kind, strike), at) >= max(TICK, gain - FUTURE.tick)


@settings(max_examples=20, deadline=None)
@given(at=sessions)
def test_a_higher_strike_makes_calls_cheaper_and_puts_dearer(at: datetime) -> None:
    calls, puts = ([price(contract(kind, strike), at) for strike in STRIKES] for kind in (Kind.CE, Kind.PE))
    assert all(left >= right for left, right in pairwise(calls))
    assert all(left <= right for left, right in pairwise(puts))


@settings(max_examples=20, deadline=None)
@given(at=sessions)
def test_no_butterfly_is_free(at: datetime) -> None:
    """Prices are convex in the strike, but for what rounding four of them takes."""
    calls = [price(contract(Kind.CE, strike), at) for strike in STRIKES]
    spreads = [left - right for left, right in pairwise(calls)]
    assert all(left - right >= -2 * TICK for left, right in pairwise(spreads))


def test_a_future_carries_its_underlying_and_meets_it_at_expiry() -> None:
    spot, near, far = price(NIFTY), price(FUTURE), price(contract(Kind.FUT, expiry=date(2027, 2, 23)))
    assert spot < near < far
    assert Decimal("0.001") < near / spot - 1 < Decimal("0.002")
    settles = ist(EXPIRY, 15, 30)
    assert abs(price(FUTURE, settles) - price(NIFTY, settles)) <= FUTURE.tick


def test_a_future_moves_with_its_underlying() -> None:
    for minutes in range(0, 300, 7):
        at = NOON + timedelta(minutes=minutes)
        assert price(FUTURE, at) / price(NIFTY, at) == pytest.approx(
            price(FUTURE) / price(NIFTY), rel=Decimal("0.00001")
        )


def test_the_smile_is_dearer_below_and_as_lively_as_the_underlying() -> None:
    at_the_money = round(price(FUTURE) / 50) * 50
    below, middle, above = (
        implied(contract(kind, at_the_money + away), NOON)
        for kind, away in ((Kind.PE, -1_200), (Kind.CE, 0), (Kind.CE, 1_200))
    )
    assert 0.13 < middle < 0.18
    assert below > above
    assert below > middle


def test_call_and_put_of_a_strike_have_one_volatility() -> None:
    strike = round(price(FUTURE) / 50) * 50
    call, put = (implied(contract(kind, strike), NOON) for kind in (Kind.CE, Kind.PE))
    assert call == pytest.approx(put, abs=0.002)


def test_an_option_loses_with_time() -> None:
    strike = round(price(FUTURE) / 50) * 50
    expiries = [EXPIRY + timedelta(weeks=weeks) for weeks in range(5)]
    worths = [price(contract(Kind.CE, strike + 400, expiry=expiry)) for expiry in expiries]
    assert all(near < far for near, far in pairwise(worths))


@pytest.mark.parametrize("kind", [Kind.CE, Kind.PE])
def test_at_expiry_it_settles_at_its_intrinsic_value_and_stays_there(kind: Kind) -> None:
    spot = price(NIFTY, ist(EXPIRY, 15, 30))
    for away in (-800, -150, 0, 150, 800):
        option = contract(kind, int(spot) // 50 * 50 + away)
        gain = (spot - option.strike) * (1 if kind is Kind.CE else -1)
        settled = price(option, ist(EXPIRY, 15, 30))
        assert abs(settled - max(TICK, gain)) <= TICK
        quote = MARKET.quote(option, ist(EXPIRY + timedelta(days=9), 11))
        assert {quote.ltp, quote.bid, quote.ask, quote.open, quote.high, quote.low, quote.prev_close} == {settled}
        assert (quote.volume, quote.oi) == (0, 0)


def test_nothing_is_bid_or_asked_for_what_has_expired() -> None:
    depth = MARKET.depth(contract(Kind.CE, 24_000), ist(EXPIRY, 16))
    assert {level.quantity for level in (*depth.bids, *depth.asks)} == {0}
    assert {level.price for level in (*depth.bids, *depth.asks)} == {0}
    assert (len(depth.bids), len(depth.asks), depth.total_bid_quantity, depth.total_ask_quantity) == (5, 5, 0, 0)


def test_the_last_minutes_take_the_rest_of_the_time_value() -> None:
    """At the money, where all of it is time value: about as the root of what is left."""
    at = ist(EXPIRY, 15, 27)
    strike = round(price(FUTURE, at) / 50) * 50
    option = contract(Kind.CE, strike)
    gain = max(Decimal(0), price(FUTURE, at) - strike)
    assert price(option, at) - gain < price(contract(Kind.CE, strike, expiry=EXPIRY + timedelta(days=1)), at) / 5


@settings(max_examples=30, deadline=None)
@given(strike=st.sampled_from(STRIKES), at=sessions)
def test_most_is_traded_and_open_near_the_money(strike: int, at: datetime) -> None:
    near = contract(Kind.CE, round(price(FUTURE, at) / 50) * 50)
    far = contract(Kind.CE, round(price(FUTURE, at) / 50) * 50 + 6_000)
    assert MARKET.quote(near, at).oi > MARKET.quote(far, at).oi
    assert MARKET.quote(near, at).oi % near.lot == 0


def test_options_on_shares_follow_the_share() -> None:
    call = contract(Kind.CE, 920, base=SBIN, lot=750)
    put = replace(contract(Kind.PE, 920, base=SBIN, lot=750))
    carried = Decimal("1.0014") * price(SBIN)
    assert 920 + price(call) - price(put) == pytest.approx(carried, abs=Decimal("0.5"))


def test_a_commodity_without_a_spot_price_has_futures_and_options_all_the_same() -> None:
    at = ist(date(2026, 11, 23), 22)
    strike = round(price(CRUDEOIL, at) / 50) * 50
    call, put = (
        listed(
            f"CRUDEOIL18DEC26{strike}{kind}",
            Exchange.MCX,
            "5480",
            kind=kind,
            tick="0.1",
            lot=100,
            name="CRUDEOIL",
            expiry=CRUDEOIL.expiry,
            strike=Decimal(strike),
        )
        for kind in (Kind.CE, Kind.PE)
    )
    assert abs(strike + price(call, at) - price(put, at) - price(CRUDEOIL, at)) <= 1
    assert expiry_time(Exchange.MCX) > expiry_time(Exchange.NFO)
