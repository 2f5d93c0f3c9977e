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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt

from openalgo_bridge.market.cells import DAY, FIVE_MINUTES, MINUTE, STEPS, Cell, Cells
from openalgo_bridge.market.chance import Chance, octets
from openalgo_bridge.market.grain import BUSY_SECONDS, DAY_VARIANCE, GRAINS, move, wick

PARTS = 1_000_000_000

_LEVELS = {step: level for level, step in enumerate(STEPS)}
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
        first = self.level(number) + move(_GAP, chance[0])
        high = max(first, close) + wick(DAY_VARIANCE, chance[1])
        low = min(first, close) - wick(DAY_VARIANCE, chance[2])
        return Cell(number * DAY + self.opens, first, high, low, close)

    def cells(self, day: Cell, step: int, last: int) -> Cells:
        """``day`` up to its second ``last`` in cells of ``step``. What is left of the last one is cut off there."""
        cells = Cells.of(day)
        for level in range(_LEVELS[step]):
            cells = self._divided(cells, level).first(1 + (last - day.start) // STEPS[level + 1])
        whole = cells.last
        if whole.start + step - 1 <= last:
            return cells
        return cells.first(len(cells) - 1).and_then(self.stretch(whole, step, last))

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
        for level, step in enumerate(STEPS[1:]):
            cell = self._divided(Cells.of(cell), level).first(1 + (second - cell.start) // step).last
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
        end = cell.start + STEPS[level] - 1
        if last < cell.start or end < first:
            return
        if first <= cell.start and end <= last:
            yield cell
        elif level == _MINUTE_LEVEL:
            yield self._cut(cell, first, last)
        else:
            for part in self._divided(Cells.of(cell), level):
                yield from self._pieces(part, level + 1, first, last)

    def _cut(self, minute: Cell, first: int, last: int) -> Cell:
        begin = max(first, minute.start)
        values = self.seconds(minute)[begin - minute.start : last + 1 - minute.start]
        return Cell(begin, values[0], max(values), min(values), values[-1])

    def _divided(self, cells: Cells, level: int) -> Cells:
        """All of them in cells of the next level."""
        label, grains, begin, step = self.labels[level], GRAINS[level], cells.starts[0], STEPS[level + 1]
        parts = Cells(range(begin, begin + len(cells) * STEPS[level], step), [cells.ends[0]], [], [])
        rows = zip(cells.starts, cells.ends, cells.highs, cells.lows, cells.ends[1:], strict=False)
        for start, first, high, low, last in rows:
            grain = grains[(start - self.opens) % DAY < BUSY_SECONDS]
            grain.divide(first, high, low, last, octets(label, start), parts)
        return parts

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
