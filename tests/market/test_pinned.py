"""Whatever the market once gave it gives for ever: trades, charts and backtests of yesterday rest on it.

Digests of what the first version of the market gave. One that does not fit any more says that a price of the past has
changed, however little; which one, the other tests may tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange
from tests.market.contracts import (
    CALL,
    CRUDEOIL,
    FUTURE,
    NIFTY,
    PUT,
    SBIN,
    SBIN_ON_BSE,
    USDINR,
    contract,
    ist,
    listed,
)

FRIDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 21)
SECOND = timedelta(seconds=1)
PENNY = listed("PENNY", Exchange.NSE, "0.05")
DEEP_PUT, FAR_CALL = contract(Kind.PE, 29_500), contract(Kind.CE, 29_000)
SBIN_FUTURE = contract(Kind.FUT, base=SBIN, lot=750)
CHAIN = [contract(kind, strike) for strike in range(22_000, 28_000, 100) for kind in (Kind.CE, Kind.PE)]

MOMENTS = [
    ist(FRIDAY, 9, 14, 59),
    ist(FRIDAY, 9, 15),
    ist(FRIDAY, 9, 19, 59),
    ist(FRIDAY, 9, 20),
    ist(FRIDAY, 12, 34, 56),
    ist(FRIDAY, 15, 29, 59),
    ist(FRIDAY, 15, 30),
    ist(FRIDAY, 15, 40),
    ist(FRIDAY, 23, 55),
    ist(SATURDAY, 3),
]
UNFINISHED = [ist(FRIDAY, 9, 15), ist(FRIDAY, 11, 2, 29), ist(FRIDAY, 15, 39, 59), ist(SATURDAY, 2, 7, 1)]
INTERVALS = [Interval(each) for each in ("5s", "45s", "1m", "3m", "5m", "15m", "20m", "1h", "4h", "D", "W", "M")]

PINNED = {
    ("quotes", "NSE", "SBIN"): "d03a1fe124793245",
    ("quotes", "BSE", "SBIN"): "256457b35499c1bc",
    ("quotes", "NSE", "PENNY"): "d07e3cd2afa02d5c",
    ("quotes", "NSE_INDEX", "NIFTY"): "1e284be029052f4b",
    ("quotes", "NFO", "NIFTY01DEC26FUT"): "a18f57abfcae2e32",
    ("quotes", "NFO", "SBIN01DEC26FUT"): "bd5fd6606ecb49c2",
    ("quotes", "NFO", "NIFTY01DEC2626000CE"): "e409506899d37489",
    ("quotes", "NFO", "NIFTY01DEC2626000PE"): "f10cba464f893054",
    ("quotes", "NFO", "NIFTY01DEC2629500PE"): "fac5a11406203188",
    ("quotes", "NFO", "NIFTY01DEC2629000CE"): "d5dc8ebbeaab0c77",
    ("quotes", "CDS", "USDINR28DEC26FUT"): "0aa362f658a41e27",
    ("quotes", "MCX", "CRUDEOIL18DEC26FUT"): "229487d638953087",
    ("bars", "NSE", "SBIN"): "53aa53ef181f3e34",
    ("bars", "BSE", "SBIN"): "244a723e8943047a",
    ("bars", "NSE", "PENNY"): "c6ae1e7af9e9844e",
    ("bars", "NSE_INDEX", "NIFTY"): "2616c1abf1465a1d",
    ("bars", "NFO", "NIFTY01DEC26FUT"): "a4997a907da4b8e9",
    ("bars", "NFO", "SBIN01DEC26FUT"): "7863bf3404c4bcec",
    ("bars", "NFO", "NIFTY01DEC2626000CE"): "e971c13ee98e3943",
    ("bars", "NFO", "NIFTY01DEC2626000PE"): "65b3638a4b4032f0",
    ("bars", "NFO", "NIFTY01DEC2629500PE"): "2ada55a0753958c9",
    ("bars", "NFO", "NIFTY01DEC2629000CE"): "6b22028281571c5c",
    ("bars", "CDS", "USDINR28DEC26FUT"): "306031496f40f2d7",
    ("bars", "MCX", "CRUDEOIL18DEC26FUT"): "2830d070bfea0c10",
    ("season", "NSE", "SBIN"): "f12bd35ff5ece9fb",
    ("chain", "NFO", "NIFTY"): "cb94c8b48d9df0ae",
}

everything = pytest.mark.parametrize(
    "instrument",
    [SBIN, SBIN_ON_BSE, PENNY, NIFTY, FUTURE, SBIN_FUTURE, CALL, PUT, DEEP_PUT, FAR_CALL, USDINR, CRUDEOIL],
    ids=lambda each: f"{each.exchange}:{each.symbol}",
)


def digest(found: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(map(repr, found)).encode()).hexdigest()[:16]


@everything
def test_quotes_and_depths_are_what_they_were(instrument: Instrument) -> None:
    market = SimulatedMarket(20261121)
    seen = [market.depth(instrument, at + each * SECOND) for at in MOMENTS for each in (0, 1)]
    assert digest(seen) == PINNED["quotes", instrument.exchange, instrument.symbol]


@everything
def test_bars_are_what_they_were(instrument: Instrument) -> None:
    market = SimulatedMarket(20261121)
    seen = [
        tuple(bar)
        for at in UNFINISHED
        for interval in INTERVALS
        for bar in market.bars(instrument, interval, FRIDAY, FRIDAY, at)
    ]
    assert digest(seen) == PINNED["bars", instrument.exchange, instrument.symbol]


def test_a_season_of_minutes_is_what_it_was() -> None:
    market = SimulatedMarket(20261121)
    bars = market.bars(SBIN, Interval.M1, FRIDAY - timedelta(days=90), FRIDAY, ist(FRIDAY, 14, 30))
    assert digest(map(tuple, bars)) == PINNED["season", SBIN.exchange, SBIN.symbol]


def test_a_chain_is_what_it_was_second_by_second() -> None:
    market = SimulatedMarket(20261121)
    moments = [ist(FRIDAY, 11, 4, 58) + each * SECOND for each in range(4)]
    seen = [market.quote(option, at) for at in moments for option in CHAIN]
    assert digest(seen) == PINNED["chain", FUTURE.exchange, FUTURE.name]
