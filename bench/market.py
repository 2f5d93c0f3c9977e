"""What the simulated market costs by itself: ``python bench/market.py [--rounds N]``. Prints one line of JSON.

In this process, without HTTP and JSON; the bridge's own code must be importable.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model import black76
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange

_SEED = 20261121
_NOW = datetime(2026, 11, 20, 9, 45, tzinfo=UTC)
_TODAY = date(2026, 11, 20)
_EXPIRY = date(2026, 12, 1)
_STRIKES = range(21_800, 26_800, 50)
_NEAR = 100
_YEARS = 11 / 365
_A_YEAR_AGO = _TODAY - timedelta(days=364)

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketCost:
    """Medians. ``minutes_s`` and ``option_minutes_s`` are a year of minutes of a share and of an option, in seconds,
    ``days_ms`` 25 years of days. ``chain_ms`` are the quotes, volatilities and greeks of 100 strikes, calls and puts,
    in a second that nobody asked about; ``first_chain_ms`` the same where nobody asked at all.
    """

    minutes_s: float
    option_minutes_s: float
    days_ms: float
    chain_ms: float
    first_chain_ms: float
    bars: int


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the simulated market.")
    parser.add_argument("--rounds", type=int, default=5)
    print(json.dumps(asdict(measure(parser.parse_args().rounds))))


def measure(rounds: int) -> MarketCost:
    """All figures, each the median of so many rounds."""
    seen = [_round(SimulatedMarket(_SEED), _NOW + timedelta(seconds=number)) for number in range(rounds)]
    return MarketCost(
        **{each.name: statistics.median(getattr(one, each.name) for one in seen) for each in fields(MarketCost)}
    )


def _round(market: SimulatedMarket, at: datetime) -> MarketCost:
    share, future, options = _instrument("RELIANCE"), _contract(Kind.FUT), _options()
    bars, minutes = _timed(lambda: list(market.bars(share, Interval.M1, _A_YEAR_AGO, _TODAY, at)))
    _, option_minutes = _timed(lambda: list(market.bars(options[_NEAR], Interval.M1, _A_YEAR_AGO, _TODAY, at)))
    _, days = _timed(lambda: list(market.bars(share, Interval.DAY, date(2001, 11, 20), _TODAY, at)))
    _, first_chain = _timed(lambda: _chain(market, future, options, at))
    _, chain = _timed(lambda: _chain(market, future, options, at + timedelta(seconds=1)))
    return MarketCost(
        minutes_s=minutes,
        option_minutes_s=option_minutes,
        days_ms=days * 1000,
        chain_ms=chain * 1000,
        first_chain_ms=first_chain * 1000,
        bars=len(bars),
    )


def _chain(market: SimulatedMarket, future: Instrument, options: Sequence[Instrument], at: datetime) -> None:
    forward = float(market.quote(future, at).ltp)
    for each in options:
        worth = float(market.quote(each, at).ltp)
        terms = black76.Option(is_call=each.kind is Kind.CE, forward=forward, strike=float(each.strike), years=_YEARS)
        try:
            black76.greeks(terms, black76.implied_volatility(terms, worth))
        except black76.ImpossiblePrice:
            continue


def _timed(act: Callable[[], ResultT]) -> tuple[ResultT, float]:
    """What it returned, and the seconds it took."""
    began = time.perf_counter()
    return act(), time.perf_counter() - began


def _options() -> list[Instrument]:
    return [_contract(kind, strike) for strike in _STRIKES for kind in (Kind.CE, Kind.PE)]


def _contract(kind: Kind, strike: int = 0) -> Instrument:
    return _instrument(f"NIFTY01DEC26{strike or ''}{kind}", kind, strike)


def _instrument(symbol: str, kind: Kind = Kind.EQ, strike: int = 0) -> Instrument:
    is_share = kind is Kind.EQ
    return Instrument(
        symbol=symbol,
        exchange=Exchange.NSE if is_share else Exchange.NFO,
        name=symbol if is_share else "NIFTY",
        kind=kind,
        lot=1 if is_share else 65,
        tick=Decimal("0.05"),
        freeze_quantity=0,
        token="1",
        reference_price=Decimal(1_412 if is_share else 26_050),
        expiry=None if is_share else _EXPIRY,
        strike=Decimal(strike),
    )


if __name__ == "__main__":
    main()
