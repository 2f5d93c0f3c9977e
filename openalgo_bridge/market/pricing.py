"""From a path's values to prices in ticks, for one trading day of one instrument.

Higher values never give lower prices (of puts: higher ones), so the extremes of a path are those of the price. That
is why whatever else a price depends on stands still meanwhile: the carry of a future for the whole trading day, the
smile of options too, and the time that an option has left for five minutes, or for the night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, gcd, log, sqrt
from typing import NamedTuple

from openalgo_bridge.market.cells import DAY, FIVE_MINUTES, Cell, Cells
from openalgo_bridge.market.path import PARTS
from openalgo_bridge.model.black76 import DAYS_A_YEAR, premium

UNITS = 10_000
"""Prices are counted in these per rupee where they are whole numbers."""

_MILLION = 1_000_000
_YEAR = DAYS_A_YEAR * DAY

# What holding the underlying until expiry costs a year, in millionths: a future is that much dearer.
_CARRY = 65_000

# The path's own standard deviation: what an option is worth agrees with what its underlying does.
_DAILY_DEVIATION = 0.015

# Volatility against moneyness in standard deviations: dearer below the forward, and at both ends. Gentle enough that
# no put is dearer than one with a higher strike.
_SKEW, _CURVATURE = -0.04, 0.008
_LOWEST, _HIGHEST = 0.7, 1.6
_SHORTEST = 2 * DAY


class Prices(NamedTuple):
    """Of cells, in ticks: a column each, because that is far quicker than a row each."""

    opens: list[int]
    highs: list[int]
    lows: list[int]
    closes: list[int]


class Extreme(NamedTuple):
    """How far the path gets in a cell, and where that cell begins."""

    second: int
    value: int


class Records(NamedTuple):
    """Of cells in the order of time, those that count when prices lose with time.

    ``highs`` are each higher and ``lows`` each lower than all before; after the last ones nothing is as high, or low.
    """

    highs: list[Extreme]
    lows: list[Extreme]
    last_highs: list[Extreme]
    last_lows: list[Extreme]

    @classmethod
    def of(cls, cells: Cells) -> Records:
        """Those of ``cells``."""
        highs = list(map(Extreme, cells.starts, cells.highs))
        lows = list(map(Extreme, cells.starts, cells.lows))
        return cls(_rising(highs), _falling(lows), _rising(highs[::-1]), _falling(lows[::-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a path's values are multiplied with. ``reference`` is in units, ``volatility`` per cent of the path's."""

    reference: int
    tick: int
    volatility: int

    def carried(self, days: int) -> int:
        """Millionths of the spot price that its forward in ``days`` days costs."""
        return _MILLION + _CARRY * max(0, days) // DAYS_A_YEAR

    @property
    def yearly_volatility(self) -> float:
        """As a fraction."""
        return _DAILY_DEVIATION * self.volatility / 100 * sqrt(DAYS_A_YEAR)


@dataclass(frozen=True, slots=True)
class Straight:
    """Shares, indices and futures: ticks = (value * factor + offset) // divisor, which is rounded half up.

    At least one tick, because no path goes below half its reference.
    """

    factor: int
    offset: int
    divisor: int

    @classmethod
    def at(cls, level: Level, days: int = 0) -> Straight:
        """``days`` is how many are left until a future expires; 0 for what does not."""
        carried = level.carried(days)
        factor = 2 * level.reference * level.volatility * carried
        divisor = 200 * PARTS * _MILLION * level.tick
        offset = 200 * PARTS * level.reference * carried + divisor // 2
        shared = gcd(factor, offset, divisor)
        return cls(factor // shared, offset // shared, divisor // shared)

    def ticks(self, value: int, second: int) -> int:  # noqa: ARG002 - an option's price depends on it
        """The price at ``value``, whenever."""
        return (value * self.factor + self.offset) // self.divisor

    def of(self, cells: Cells) -> Prices:
        """The prices of cells."""
        factor, offset, divisor = self.factor, self.offset, self.divisor
        ends, highs, lows = (
            [(value * factor + offset) // divisor for value in column]
            for column in (cells.ends, cells.highs, cells.lows)
        )
        return Prices(ends[:-1], highs, lows, ends[1:])

    def extremes(self, cell: Cell) -> tuple[int, int]:
        """Low and high."""
        return self.ticks(cell.low, cell.start), self.ticks(cell.high, cell.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Premium:
    """An option by Black's model on the simulated forward, undiscounted, so that C - P = F - K.

    Before it expires it is worth at least one tick more than exercising it would bring; then, exactly that, but still
    at least one tick. Times are seconds of the path.
    """

    is_call: bool
    strike: float
    tick: float
    forward: float
    per_part: float
    volatility: float
    begins: int
    closes: int
    expires: int

    def ticks(self, value: int, second: int) -> int:
        """The price when the path is at ``value``."""
        return self._ticks(value, self._deviation(second))

    def of(self, cells: Cells) -> Prices:
        """The prices of cells, none of them longer than five minutes but the one of the night."""
        deviations = [self._deviation(start) for start in cells.starts]
        opens, at_highs, at_lows, closes = (
            list(map(self._ticks, column, deviations))
            for column in (cells.ends, cells.highs, cells.lows, cells.ends[1:])
        )
        highs, lows = (at_highs, at_lows) if self.is_call else (at_lows, at_highs)
        return Prices(opens, highs, lows, closes)

    def extremes(self, cell: Cell) -> tuple[int, int]:
        """Low and high, of one cell as for :meth:`of`."""
        deviation = self._deviation(cell.start)
        at_low, at_high = self._ticks(cell.low, deviation), self._ticks(cell.high, deviation)
        return (at_low, at_high) if self.is_call else (at_high, at_low)

    def reach(self, records: Records) -> tuple[int, int]:
        """Low and high, of cells as for :meth:`of`.

        An option loses with time, so only where the path goes further than ever before can it bring a new high, and
        only where it never goes as far again can it bring the low.
        """
        far, near = (records.highs, records.last_lows) if self.is_call else (records.lows, records.last_highs)
        high = max(self.ticks(value, second) for second, value in far)
        return min(self.ticks(value, second) for second, value in near), high

    def _deviation(self, second: int) -> float:
        begins = self.closes if second >= self.closes else second - (second - self.begins) % FIVE_MINUTES
        return self.volatility * sqrt(max(0, self.expires - begins) / _YEAR)

    def _ticks(self, value: int, deviation: float) -> int:
        forward = self.forward + value * self.per_part
        gain = max(0.0, forward - self.strike if self.is_call else self.strike - forward)
        if deviation <= 0.0:
            return max(1, floor(gain / self.tick + 0.5))
        worth = max(premium(self.is_call, forward, self.strike, deviation), gain + self.tick)
        return floor(worth / self.tick + 0.5)


def option(*, is_call: bool, strike: float, level: Level, day: Cell, closes: int, expires: int) -> Premium:
    """An option on the trading day ``day``, whose session ends at ``closes``."""
    forward = level.reference * level.carried(_days(day, expires)) / (UNITS * _MILLION)
    per_part = forward * level.volatility / (100 * PARTS)
    usual = level.yearly_volatility
    apart = moneyness(strike, forward + day.open * per_part, usual, expires - day.start)
    smile = 1.0 + _SKEW * apart + _CURVATURE * apart * apart
    return Premium(
        is_call=is_call,
        strike=strike,
        tick=level.tick / UNITS,
        forward=forward,
        per_part=per_part,
        volatility=usual * min(_HIGHEST, max(_LOWEST, smile)),
        begins=day.start,
        closes=closes,
        expires=expires,
    )


def future(level: Level, day: Cell, expires: int) -> Straight:
    """A future on the trading day ``day``."""
    return Straight.at(level, _days(day, expires))


def moneyness(strike: float, forward: float, volatility: float, seconds: int) -> float:
    """How many standard deviations the strike is above the forward; of the last two days, as if two were left."""
    return log(strike / forward) / (volatility * sqrt(max(_SHORTEST, seconds) / _YEAR))


def bell(apart: float, width: float) -> float:
    """How much less is done ``apart`` standard deviations from where most is done."""
    return exp(-0.5 * (apart / width) ** 2)


def _days(day: Cell, expires: int) -> int:
    return expires // DAY - day.start // DAY


def _rising(extremes: Sequence[Extreme]) -> list[Extreme]:
    records = [extremes[0]]
    for each in extremes:
        if each.value > records[-1].value:
            records.append(each)
    return records


def _falling(extremes: Sequence[Extreme]) -> list[Extreme]:
    records = [extremes[0]]
    for each in extremes:
        if each.value < records[-1].value:
            records.append(each)
    return records
