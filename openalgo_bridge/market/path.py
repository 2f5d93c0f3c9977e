"""The path a simulated price follows, made from the top down, in whole numbers only.

Whole numbers, because a float's last bit differs between machines and the path must not. A value is measured in
parts per billion away from a reference.

From day to day it is value noise on nested lattices, coarsest 64 days. A day, which begins when its exchange opens,
is a cell: where it opens, how high and how low it gets, where it closes. A cell is divided into smaller ones that
reach exactly as far as it does: 24 hours into four times 6 hours, and so on to minutes and, in the end, seconds.

So the range of any cell is known before anything inside it is looked at, bars of every size cost the same, and what
is small always agrees with what is large. A cell closes where the next one opens; only days open with a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from math import isqrt
from typing import NamedTuple

from openalgo_bridge.market.chance import Chance, octets

MINUTE = 60
FIVE_MINUTES = 300
QUARTER = 900
DAY = 86_400
PARTS = 1_000_000_000

_STEPS = (DAY, 21_600, 5_400, QUARTER, FIVE_MINUTES, MINUTE)
_LEVELS = {step: level for level, step in enumerate(_STEPS)}
_MINUTE_LEVEL = _LEVELS[MINUTE]

# From here on two exchanges that list the same share go their own ways; every five minutes they meet.
_VENUE_LEVEL = _LEVELS[FIVE_MINUTES]
_FOR_SECONDS = 20
_FOR_DAY = 21

# The lattices of days. A new point in the middle of two moves by at most 0.8 standard deviations, evenly spread, which
# is what the middle of a Brownian bridge does.
_DAYS = (64, 32, 16, 8, 4, 2, 1)
_SLOWEST = 100_000_000
_DAY_MOVE = 12_000_000
_REACH = (_SLOWEST, *(isqrt(_DAY_MOVE**2 * 2 * days) for days in _DAYS[1:]))
_GAP = 4_000_000

# A day's variance, at a standard deviation of 1.5 %. Seven tenths of it lie in the first six hours, in which the
# exchanges for shares trade: nights are calm.
_DAY_VARIANCE = 15_000_000**2
_BUSY, _CALM = 7, 1
_TENTHS = (_BUSY, _CALM, _CALM, _CALM)
_BUSY_SECONDS = _STEPS[1]
# In which of these quarters a day turns first and second: mostly while exchanges are open.
_DAY_TURNS = (*[(0, 0)] * 6, (0, 1), (0, 2), (0, 3), (1, 3))

_CHANCES = 256
_SHARE_BITS = 12


class Cell(NamedTuple):
    """A stretch of the path: its first second, where it opens, how far it gets and where it closes.

    A named tuple, because a year has 200,000 of them.
    """

    start: int
    open: int
    high: int
    low: int
    close: int


class _Turn(NamedTuple):
    """A shape: in which part the path turns first and second, and where on the way each end between parts lies.

    The way has three spans, from the open over both turns to the close; ``places`` are a span and the share of it.
    """

    first: int
    second: int
    places: tuple[tuple[int, int], ...]


class _Grain(NamedTuple):
    """How cells of one level are divided into parts of ``step`` seconds.

    For each of 256 chances: ``moves`` are how far an end between two parts moves, ``wicks``, for each part, what
    :func:`_wick` says.
    """

    step: int
    turns: tuple[_Turn, ...]
    moves: tuple[int, ...]
    wicks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Path:
    """The path of one instrument. Seconds are counted since 1970-01-01 00:00 IST, days too, by their beginning."""

    shared: Chance
    opens: int
    labels: tuple[bytes, ...]

    @classmethod
    def of(cls, seed: int, symbol: str, exchange: str, opens: int) -> Path:
        """The same seed, symbol and exchange give the same path on every machine.

        ``opens`` is how many seconds after midnight a day begins. On other exchanges the symbol's path is the same
        down to every fifth minute.
        """
        shared, venue = Chance.of(seed, symbol), Chance.of(seed, f"{symbol}|{exchange}")
        above = [shared.label(level) for level in range(_VENUE_LEVEL)]
        below = [venue.label(level) for level in range(_VENUE_LEVEL, _MINUTE_LEVEL)]
        return cls(shared, opens, (*above, *below, venue.label(_FOR_SECONDS), shared.label(_FOR_DAY)))

    def day_of(self, second: int) -> int:
        """The number of the day that ``second`` is in."""
        return (second - self.opens) // DAY

    def day(self, number: int) -> Cell:
        """One whole day, from its opening to the next day's."""
        chance = octets(self.labels[-1], number)
        close = self.level(number + 1)
        first = self.level(number) + _move(_GAP, chance[0])
        high = max(first, close) + _wick(_DAY_VARIANCE, chance[1])
        low = min(first, close) - _wick(_DAY_VARIANCE, chance[2])
        return Cell(number * DAY + self.opens, first, high, low, close)

    def cells(self, day: Cell, step: int, first: int, last: int) -> list[Cell]:
        """``day`` from second ``first`` to ``last`` in cells of ``step``, whose beginnings ``first`` must be one of.

        Where ``last`` is inside a cell, that cell is cut off after it.
        """
        if last < first:
            return []
        cells = [day]
        for level in range(_LEVELS[step]):
            size = _STEPS[level + 1]
            cells = [part for whole in cells for part in self._parts(whole, level)]
            if cells[0].start < first - size or cells[-1].start > last:
                cells = [part for part in cells if first - size < part.start <= last]
        if cells[-1].start + step - 1 > last:
            cells[-1] = self.stretch(cells[-1], step, last)
        return cells

    def stretch(self, cell: Cell, step: int, last: int, first: int | None = None) -> Cell:
        """A cell of ``step`` cut down to the seconds from ``first`` (or its own first) to ``last``."""
        begin = cell.start if first is None else first
        pieces = list(self._pieces(cell, _LEVELS[step], begin, last))
        return Cell(
            begin,
            pieces[0].open,
            max(piece.high for piece in pieces),
            min(piece.low for piece in pieces),
            pieces[-1].close,
        )

    def minute(self, day: Cell, second: int) -> Cell:
        """The whole minute that ``second`` is in."""
        cell = day
        for level in range(_MINUTE_LEVEL):
            cell = self._parts(cell, level)[(second - cell.start) // _STEPS[level + 1]]
        return cell

    def seconds(self, minute: Cell) -> tuple[int, ...]:
        """The 60 values of a minute: from its open over its extremes to its close, with a tremor."""
        start, begin, high, low, end = minute
        chance = octets(self.labels[_MINUTE_LEVEL], start)
        turns = 1 + (chance[0] * 28 >> 8), 30 + (chance[1] * 28 >> 8)
        points = ((0, begin), *zip(turns, (low, high) if end >= begin else (high, low), strict=True), (59, end))
        values = [begin]
        for (left, before), (right, after) in pairwise(points):
            for at in range(left + 1, right):
                tremor = (chance[at] - 128) * (high - low) >> 10
                value = before + (after - before) * (at - left) // (right - left) + tremor
                values.append(min(high, max(low, value)))
            values.append(after)
        return tuple(values)

    def _pieces(self, cell: Cell, level: int, first: int, last: int) -> Iterator[Cell]:
        """The fewest whole cells, and parts of minutes at the edges, that make up ``first`` to ``last``."""
        end = cell.start + _STEPS[level] - 1
        if last < cell.start or end < first:
            return
        if first <= cell.start and end <= last:
            yield cell
        elif level == _MINUTE_LEVEL:
            yield self._cut(cell, first, last)
        else:
            for part in self._parts(cell, level):
                yield from self._pieces(part, level + 1, first, last)

    def _cut(self, minute: Cell, first: int, last: int) -> Cell:
        begin = max(first, minute.start)
        values = self.seconds(minute)[begin - minute.start : last + 1 - minute.start]
        return Cell(begin, values[0], max(values), min(values), values[-1])

    def _parts(self, cell: Cell, level: int) -> list[Cell]:
        """The cells of the next level inside ``cell``, which reach its high and its low, and no further.

        A path that rises turns at its low first: it is drawn through open, both extremes and close, and each end
        between two parts then moves at random. Every part goes beyond its ends as a Brownian bridge does.
        """
        start, begin, high, low, end = cell
        is_busy = level > 0 and (start - self.opens) % DAY < _BUSY_SECONDS
        step, turns, moves, wicks = _GRAINS[level][is_busy]
        chance = octets(self.labels[level], start)
        rises = end >= begin
        knots = (begin, low, high, end) if rises else (begin, high, low, end)
        first, second, places = turns[chance[0] * len(turns) >> 8]
        ends = [begin]
        for (span, share), random in zip(places, chance[1:], strict=False):
            knot = knots[span]
            moved = knot + ((knots[span + 1] - knot) * share >> _SHARE_BITS) + moves[random]
            # What would go beyond is reflected; kept at the edge, many ends would be the same.
            if moved > high:
                moved = max(low, 2 * high - moved)
            elif moved < low:
                moved = min(high, 2 * low - moved)
            ends.append(moved)
        ends.append(end)
        closes = ends[1:]
        highs = [
            high if (up := (left if left > right else right) + wick[random]) > high else up
            for left, right, random, wick in zip(ends, closes, chance[16:], wicks, strict=False)
        ]
        lows = [
            low if (down := (left if left < right else right) - wick[random]) < low else down
            for left, right, random, wick in zip(ends, closes, chance[32:], wicks, strict=False)
        ]
        highs[second if rises else first] = high
        lows[first if rises else second] = low
        return list(map(Cell, range(start, start + step * len(lows), step), ends, highs, lows, closes))

    def level(self, day: int) -> int:
        """Where the day before ``day`` closes. It opens with a gap from there."""
        step = _DAYS[0]
        start = day - day % step
        left = self._point(0, start)
        if start == day:
            return left
        right = self._point(0, start + step)
        for level in range(1, len(_DAYS)):
            step //= 2
            middle = (left + right) // 2 + self._point(level, start + step)
            if day == start + step:
                return middle
            if day < start + step:
                right = middle
            else:
                left, start = middle, start + step
        raise AssertionError("The finest lattice has a point at every day.")

    def _point(self, level: int, day: int) -> int:
        """How far the point of a lattice is moved: evenly from minus to plus its reach."""
        reach = _REACH[level]
        return (self.shared.bits(level, day * DAY) * (2 * reach + 1) >> 32) - reach


def _move(reach: int, chance: int) -> int:
    """Evenly from minus to plus ``reach``."""
    return reach * (2 * chance - _CHANCES + 1) // (_CHANCES - 1)


def _wick(variance: int, chance: int) -> int:
    """How far a part of that variance goes beyond its ends.

    A Brownian bridge whose ends are g apart goes (sqrt(g**2 - 2 * variance * ln(u)) - g) / 2 beyond the further one,
    for a u from 0 to 1. Here g is what the ends of such a part usually are apart, and v + 1.5 * v**2 stands for
    -ln(u): the mean is the same, small ones are as frequent, and it has an end.
    """
    usual = 16 * variance // 25
    beyond = variance * chance * (2 * _CHANCES + 3 * chance) // _CHANCES**2
    return (isqrt(usual + beyond) - isqrt(usual)) // 2


def _turn(ends: Sequence[int], first: int, second: int) -> _Turn:
    """The shape of a cell whose parts end at ``ends`` and which turns in the middle of two parts, or twice in one."""
    left, right = (2, 4) if first == second else (3, 3)
    knots = (
        0,
        6 * ends[first] + left * (ends[first + 1] - ends[first]),
        6 * ends[second] + right * (ends[second + 1] - ends[second]),
        6 * ends[-1],
    )
    return _Turn(first, second, tuple(_place(knots, 6 * end) for end in ends[1:-1]))


def _place(knots: Sequence[int], end: int) -> tuple[int, int]:
    span = next(index for index in range(3) if end <= knots[index + 1])
    return span, ((end - knots[span]) << _SHARE_BITS) // (knots[span + 1] - knots[span])


def _grain(level: int, tenths: int) -> _Grain:
    step, count = _STEPS[level + 1], _STEPS[level] // _STEPS[level + 1]
    shares: Sequence[int] = _TENTHS if level == 0 else [1] * count
    turns: Sequence[tuple[int, int]] = _DAY_TURNS if level == 0 else list(combinations(range(count), 2))
    whole = _DAY_VARIANCE // 10 if level == 0 else _DAY_VARIANCE * tenths // 10 * step // _STEPS[1]
    variances = [whole * share for share in shares]
    ends = (0, *accumulate(shares))
    reach = isqrt(min(variances))
    return _Grain(
        step,
        tuple(_turn(ends, *parts) for parts in turns),
        tuple(_move(reach, chance) for chance in range(_CHANCES)),
        tuple(tuple(_wick(variance, chance) for chance in range(_CHANCES)) for variance in variances),
    )


_GRAINS = tuple((_grain(level, _CALM), _grain(level, _BUSY)) for level in range(_MINUTE_LEVEL))
