"""A market that never closes and needs nobody: every price is a function of seed, instrument and second.

So a quote, a bar, an option's forward and yesterday's close agree with each other because they all ask the
same :class:`~openalgo_bridge.market.path.Path`. It runs around the clock: a day is an IST calendar day.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from openalgo_bridge.market.path import DAY, PARTS, Cell, Path
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Instrument

# India has had one offset and no summer time since 1945.
_IST_EPOCH = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(hours=5, minutes=30)
_SECOND = timedelta(seconds=1)

_UNITS = 10_000
_MAX_DAYS = 4_096

# How much of the path's movement an instrument shows, in per cent. An index averages its shares out.
_INDEX_VOLATILITY = 55
_LEAST_VOLATILITY = 80
_VOLATILITY_RANGE = 41

# A share turns over some 300 crore rupees a day.
_TURNOVER = 3_000_000_000 * _UNITS
_MINUTES = DAY // 60

# The spread is about 0.02 % of the price, at least one tick.
_SPREAD_PARTS = 5_000

# What the hashed bits are for; each has its own.
_FOR_DAY_VOLUME, _FOR_MINUTE_VOLUME, _FOR_SIDE = range(100, 103)


class _Day(NamedTuple):
    """One instrument's day so far. ``low`` and ``high`` are exact for every second from midnight to ``until``."""

    path: Path
    cell: Cell
    previous: int
    until: int
    low: int
    high: int


class SimulatedMarket:
    """Quotes for every instrument whose ``reference_price`` is above 0. Thread-safe."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._days: dict[tuple[str, str], _Day] = {}
        self._days_lock = threading.Lock()
        self._latest: dict[tuple[str, str], tuple[int, Instrument, Quote]] = {}

    def price(self, instrument: Instrument, at: datetime) -> Decimal:
        """The last traded price in rupees at the second of ``at``, a multiple of the tick and above 0."""
        second = _ist_second(at)
        known = self._latest.get((instrument.exchange, instrument.symbol))
        if known is not None and known[:2] == (second, instrument):
            return known[2].ltp
        path = self._path(instrument)
        return _Scale.of(instrument, path).price(path.value(second))

    def quote(self, instrument: Instrument, at: datetime) -> Quote:
        """The whole market of one instrument at the second of ``at``."""
        second = _ist_second(at)
        known = self._latest.get((instrument.exchange, instrument.symbol))
        if known is not None and known[:2] == (second, instrument):
            return known[2]
        quote = self._quote(instrument, second)
        # Within a second nothing moves, so whoever asks again gets the same object. At most _MAX_DAYS of them.
        if len(self._latest) >= _MAX_DAYS:
            self._latest.clear()
        self._latest[instrument.exchange, instrument.symbol] = (second, instrument, quote)
        return quote

    def _quote(self, instrument: Instrument, second: int) -> Quote:
        day = self._today(instrument, second)
        value = day.path.value(second, day.cell)
        day = self._watched(instrument, day, second, value)
        scale = _Scale.of(instrument, day.path)
        ticks = scale.ticks(value)
        below, above = _spread(day.path, second, ticks)
        return Quote(
            ltp=ticks * scale.tick,
            bid=(ticks - below) * scale.tick,
            ask=(ticks + above) * scale.tick,
            open=scale.price(day.cell.left),
            high=scale.price(day.high),
            low=scale.price(day.low),
            prev_close=scale.price(day.previous),
            volume=_volume(instrument, scale, day, second),
            oi=0,
        )

    def _path(self, instrument: Instrument) -> Path:
        return Path.of(self._seed, instrument.symbol, instrument.exchange)

    def _today(self, instrument: Instrument, second: int) -> _Day:
        """What is remembered of the day up to ``second``, or the day as it was at midnight."""
        known = self._days.get((instrument.exchange, instrument.symbol))
        if known is not None and known.cell.start <= second < known.cell.start + DAY:
            if known.until <= second:
                return known
            return known._replace(until=known.cell.start, low=known.cell.left, high=known.cell.left)
        path = self._path(instrument) if known is None else known.path
        cell = path.day(second)
        midnight = cell.left
        return _Day(path, cell, path.value(cell.start - 1), cell.start, midnight, midnight)

    def _watched(self, instrument: Instrument, day: _Day, second: int, value: int) -> _Day:
        """``day`` with its range taken on to ``second``, where the path is at ``value``; remembered.

        What is remembered is exact up to its own ``until``, so it does not matter which thread's entry stays.
        """
        bounds = min(day.low, value), max(day.high, value)
        low, high = day.path.widen(bounds, day.cell, day.until, second)
        watched = _Day(day.path, day.cell, day.previous, second, low, high)
        with self._days_lock:
            if len(self._days) >= _MAX_DAYS:
                self._days.pop(next(iter(self._days)))
            self._days[instrument.exchange, instrument.symbol] = watched
        return watched


@dataclass(frozen=True, slots=True)
class _Scale:
    """Turns a path into prices: rising values never give falling prices, so highs stay highs."""

    reference: int
    tick_units: int
    tick: Decimal
    volatility: int

    @classmethod
    def of(cls, instrument: Instrument, path: Path) -> _Scale:
        if instrument.reference_price <= 0:
            raise ValueError(f"{instrument.symbol} on {instrument.exchange} has no reference price")
        volatility = _LEAST_VOLATILITY + path.key % _VOLATILITY_RANGE
        return cls(
            reference=int(instrument.reference_price * _UNITS),
            tick_units=int(instrument.tick * _UNITS),
            tick=instrument.tick,
            volatility=_INDEX_VOLATILITY if instrument.is_index else volatility,
        )

    def ticks(self, value: int) -> int:
        units = self.reference * (PARTS + value * self.volatility // 100) // PARTS
        return max(1, (2 * units + self.tick_units) // (2 * self.tick_units))

    def price(self, value: int) -> Decimal:
        return self.ticks(value) * self.tick


def _ist_second(at: datetime) -> int:
    return (at - _IST_EPOCH) // _SECOND


def _spread(path: Path, second: int, ticks: int) -> tuple[int, int]:
    """How many ticks bid and ask are away from the last price, which was struck at one of the two."""
    spread = max(1, ticks // _SPREAD_PARTS)
    at_ask = path.hashed(_FOR_SIDE, second) & 1 and ticks > spread
    return (spread, 0) if at_ask else (0, spread)


def _volume(instrument: Instrument, scale: _Scale, day: _Day, second: int) -> int:
    """Units since midnight. Minutes differ at random, yet the sum cannot shrink: each mark is at least the last."""
    if instrument.is_index:
        return 0
    start = day.cell.start
    usual = _TURNOVER // scale.reference
    total = usual * (50 + day.path.hashed(_FOR_DAY_VOLUME, start // DAY) % 101) // 100
    minute, offset = divmod(second - start, 60)
    before, after = (_volume_mark(day.path, start // 60, mark, total) for mark in (minute, minute + 1))
    return before + (after - before) * offset // 60


def _volume_mark(path: Path, first_minute: int, minute: int, total: int) -> int:
    if minute == 0:
        return 0
    jitter = path.hashed(_FOR_MINUTE_VOLUME, first_minute + minute)
    return total * ((minute << 32) + jitter) // ((_MINUTES + 1) << 32)
