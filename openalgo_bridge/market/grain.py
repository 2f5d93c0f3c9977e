"""How a cell of a path is divided into smaller ones, in whole numbers only.

A path that rises turns at its low first: it is drawn through open, both extremes and close, and each end between two
parts then moves at random. Every part goes beyond its ends as a Brownian bridge does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from math import isqrt
from typing import NamedTuple

from openalgo_bridge.market.cells import STEPS, Cells

DAY_VARIANCE = 15_000_000**2
"""At a standard deviation of 1.5 %. Seven tenths of it lie in the first six hours, in which the exchanges for shares
trade: nights are calm.
"""

BUSY_SECONDS = STEPS[1]

_BUSY, _CALM = 7, 1
_TENTHS = (_BUSY, _CALM, _CALM, _CALM)
# In which of these quarters a day turns first and second: mostly while exchanges are open.
_DAY_TURNS = (*[(0, 0)] * 6, (0, 1), (0, 2), (0, 3), (1, 3))

_CHANCES = 256
_SHARE_BITS = 12
_STAYS = (0,) * _CHANCES
# Which chance is for what: the first is for the turn, then there is one for each part.
_MOVES, _UPS, _DOWNS = 1, 16, 32

_Table = tuple[int, ...]
_Part = tuple[int, int, int, _Table, _Table]


class _Turn(NamedTuple):
    """A shape: in which part the path turns first and second, and what is known of each part.

    The way has three spans, from the open over both turns to the close. What is known of a part: its number, the span
    in which it ends, the share of that span, and, for each of 256 chances, how far that end moves and how far the part
    goes beyond its ends.
    """

    first: int
    second: int
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class Grain:
    """How cells of one size are divided: into parts of one of these shapes."""

    turns: tuple[_Turn, ...]

    def divide(self, begin: int, high: int, low: int, end: int, chance: bytes, parts: Cells) -> None:
        """Add the parts of a cell to ``parts``. They reach its high and its low, and no further."""
        turn = self.turns[chance[0] * len(self.turns) >> 8]
        ends, highs, lows = parts.ends, parts.highs, parts.lows
        rises, before = end >= begin, len(highs)
        knots = (begin, low, high, end) if rises else (begin, high, low, end)
        left = begin
        for number, span, share, moves, wicks in turn.parts:
            knot = knots[span]
            right = knot + ((knots[span + 1] - knot) * share >> _SHARE_BITS) + moves[chance[number + _MOVES]]
            # What would go beyond is reflected; kept at the edge, many ends would be the same.
            if right > high:
                right = max(low, 2 * high - right)
            elif right < low:
                right = min(high, 2 * low - right)
            up, down = wicks[chance[number + _UPS]], wicks[chance[number + _DOWNS]]
            top, bottom = (right + up, left - down) if left < right else (left + up, right - down)
            ends.append(right)
            highs.append(top if top < high else high)
            lows.append(bottom if bottom > low else low)
            left = right
        highs[before + (turn.second if rises else turn.first)] = high
        lows[before + (turn.first if rises else turn.second)] = low


def move(reach: int, chance: int) -> int:
    """Evenly from minus to plus ``reach``."""
    return reach * (2 * chance - _CHANCES + 1) // (_CHANCES - 1)


def wick(variance: int, chance: int) -> int:
    """How far a part of that variance goes beyond its ends.

    A Brownian bridge whose ends are g apart goes (sqrt(g**2 - 2 * variance * ln(u)) - g) / 2 beyond the further one,
    for a u from 0 to 1. Here g is what the ends of such a part usually are apart, and v + 1.5 * v**2 stands for
    -ln(u): the mean is the same, small ones are as frequent, and it has an end.
    """
    usual = 16 * variance // 25
    beyond = variance * chance * (2 * _CHANCES + 3 * chance) // _CHANCES**2
    return (isqrt(usual + beyond) - isqrt(usual)) // 2


def _grain(level: int, tenths: int) -> Grain:
    step, count = STEPS[level + 1], STEPS[level] // STEPS[level + 1]
    shares: Sequence[int] = _TENTHS if level == 0 else [1] * count
    turns: Sequence[tuple[int, int]] = _DAY_TURNS if level == 0 else list(combinations(range(count), 2))
    whole = DAY_VARIANCE // 10 if level == 0 else DAY_VARIANCE * tenths // 10 * step // STEPS[1]
    variances = [whole * share for share in shares]
    ends = (0, *accumulate(shares))
    reach = isqrt(min(variances))
    moves = [tuple(move(reach, chance) for chance in range(_CHANCES))] * (count - 1)
    wicks = [tuple(wick(variance, chance) for chance in range(_CHANCES)) for variance in variances]
    return Grain(tuple(_turn(ends, *parts, [*moves, _STAYS], wicks) for parts in turns))


def _turn(ends: Sequence[int], first: int, second: int, moves: Sequence[_Table], wicks: Sequence[_Table]) -> _Turn:
    """The shape of a cell whose parts end at ``ends`` and which turns in the middle of two parts, or twice in one."""
    left, right = (2, 4) if first == second else (3, 3)
    knots = (
        0,
        6 * ends[first] + left * (ends[first + 1] - ends[first]),
        6 * ends[second] + right * (ends[second + 1] - ends[second]),
        6 * ends[-1],
    )
    places = (_place(knots, 6 * end) for end in ends[1:])
    parts = zip(range(len(wicks)), places, moves, wicks, strict=True)
    return _Turn(first, second, tuple((number, *place, moved, beyond) for number, place, moved, beyond in parts))


def _place(knots: Sequence[int], end: int) -> tuple[int, int]:
    span = next(index for index in range(3) if end <= knots[index + 1])
    return span, ((end - knots[span]) << _SHARE_BITS) // (knots[span + 1] - knots[span])


GRAINS = tuple((_grain(level, _CALM), _grain(level, _BUSY)) for level in range(len(STEPS) - 1))
"""For each size of cells, of those in calm hours and of those in busy ones."""
