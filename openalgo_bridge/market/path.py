"""The path a simulated price follows: value noise on nested lattices, in whole numbers only.

Whole numbers, because a float's last bit differs between machines and the path must not. A path is measured
in parts per billion away from a reference. Its coarsest lattice has a hashed point every 64 days; every finer
lattice divides the cells of the one above and moves each new point by a hashed amount that shrinks with the
square root of the cell, as a random walk's does. Between the points of the finest lattice it is straight.

Two things follow. A point of a coarse lattice is known without the finer ones, so the open of a bar is cheap.
And how far a cell can reach beyond its ends is bounded, so the high and the low of any stretch are found
exactly while most of it is never looked at.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import NamedTuple

DAY = 86_400
PARTS = 1_000_000_000

# Seconds between the points of each lattice. Each divides the one above; all that matter to bars divide 60.
_STEPS = (*(days * DAY for days in (64, 32, 16, 8, 4, 2, 1)), 43_200, 21_600, 10_800, 3_600, 1_800, 900, 300, 60, 20, 5)
_RATIOS = (0, *(above // below for above, below in pairwise(_STEPS)))
_DAY_LEVEL = _STEPS.index(DAY)
_FINEST = len(_STEPS) - 1
# From here on two exchanges that list the same share go their own ways; every five minutes they meet.
_VENUE_LEVEL = _STEPS.index(60)

# A day's standard deviation is about 1.5 %. A new point inside a cell of T days moves by at most
# 0.8 * 1.5 % * sqrt(T), evenly spread, which is what the middle of a Brownian bridge does.
_SLOWEST = 100_000_000
_DAY_MOVE = 12_000_000
_REACH = (_SLOWEST, *(isqrt(_DAY_MOVE**2 * above // DAY) for above in _STEPS[:-1]))
# How far a cell of each lattice can go beyond its ends: all the finer reaches together.
_ROOM = tuple(sum(_REACH[level + 1 :]) for level in range(len(_STEPS)))

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Cell(NamedTuple):
    """A stretch of the path between two neighbouring points of one lattice: where it starts and its two ends."""

    level: int
    start: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Path:
    """The path of one instrument. Times are seconds since 1970-01-01 00:00 IST, values parts per billion.

    ``key`` is the symbol's on every exchange, ``venue_key`` its own on this one.
    """

    key: int
    venue_key: int

    @classmethod
    def of(cls, seed: int, symbol: str, exchange: str) -> Path:
        """The same seed, symbol and exchange give the same path on every machine."""
        return cls(_key(f"{seed}|{symbol}"), _key(f"{seed}|{symbol}|{exchange}"))

    def day(self, second: int) -> Cell:
        """The day that ``second`` is in; its ends are the values at its midnights."""
        start = second - second % _STEPS[0]
        cell = Cell(0, start, self._point(0, start), self._point(0, start + _STEPS[0]))
        return self._descend(cell, second, _DAY_LEVEL)

    def value(self, second: int, within: Cell | None = None) -> int:
        """The path at ``second``. ``within`` is a cell around it that is known already."""
        level, start, left, right = self._descend(within or self.day(second), second, _FINEST)
        return left + (right - left) * (second - start) // _STEPS[level]

    def widen(self, bounds: tuple[int, int], cell: Cell, first: int, last: int) -> tuple[int, int]:
        """``bounds`` (low, high) widened by every lattice point inside ``cell`` from ``first`` to ``last``.

        Exact for all seconds between, once ``bounds`` hold the values at ``first`` and at ``last``: between
        two points the path is straight. Lattice by lattice, so that the coarse points, which lie far apart,
        rule out most of the fine ones.
        """
        if last // _STEPS[_FINEST] == first // _STEPS[_FINEST]:
            return bounds
        low, high = bounds
        cells = [cell]
        while cells and cells[0].level < _FINEST:
            cells = [part for whole in cells for part in self._parts(whole, first, last)]
            reached = [part.left for part in cells if first <= part.start <= last]
            low, high = min(low, *reached, low), max(high, *reached, high)
            cells = [part for part in cells if not _stays_within(part, low, high)]
        return low, high

    def hashed(self, purpose: int, number: int) -> int:
        """32 hashed bits of this instrument, for whatever else moves at random. ``purpose`` is 100 or more."""
        return _mix(self.venue_key + purpose * _GOLDEN, number) >> 32

    def _descend(self, cell: Cell, second: int, to: int) -> Cell:
        level, start, left, right = cell
        while level < to:
            level += 1
            step, ratio = _STEPS[level], _RATIOS[level]
            part = (second - start) // step
            ends = left, right
            if part:
                left = self._between(ends, part, ratio) + self._point(level, start + part * step)
            if part + 1 < ratio:
                right = self._between(ends, part + 1, ratio) + self._point(level, start + (part + 1) * step)
            start += part * step
        return Cell(level, start, left, right)

    def _parts(self, cell: Cell, first: int, last: int) -> list[Cell]:
        """The cells of the next lattice inside ``cell`` that have seconds from ``first`` to ``last``."""
        step = _STEPS[cell.level + 1]
        begin = max(cell.start, first - first % step)
        end = min(cell.start + _STEPS[cell.level], last + 1)
        return [self._descend(cell, at, cell.level + 1) for at in range(begin, end, step)]

    @staticmethod
    def _between(ends: tuple[int, int], part: int, ratio: int) -> int:
        left, right = ends
        return left + (right - left) * part // ratio

    def _point(self, level: int, second: int) -> int:
        """How far the point of ``level`` at ``second`` is moved: evenly from minus to plus the level's reach."""
        key = self.key if level < _VENUE_LEVEL else self.venue_key
        reach = _REACH[level]
        return ((_mix(key + level * _GOLDEN, second) >> 32) * (2 * reach + 1) >> 32) - reach


def _stays_within(cell: Cell, low: int, high: int) -> bool:
    """True where no point of any finer lattice inside ``cell`` can lie outside ``low`` to ``high``."""
    room = _ROOM[cell.level]
    return low <= min(cell.left, cell.right) - room and max(cell.left, cell.right) + room <= high


def _mix(key: int, number: int) -> int:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014): 64 well mixed bits of two numbers."""
    bits = (key ^ (number * _GOLDEN)) & _MASK
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & _MASK
    return bits ^ (bits >> 31)


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
