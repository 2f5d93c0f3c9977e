"""Stretches of a path: one, and many that follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MINUTE = 60
FIVE_MINUTES = 300
QUARTER = 900
DAY = 86_400

STEPS = (DAY, 21_600, 5_400, QUARTER, FIVE_MINUTES, MINUTE)
"""How long cells are: each is divided into those of the next size."""


class Cell(NamedTuple):
    """A stretch of the path: its first second, where it opens, how far it gets and where it closes."""

    start: int
    open: int
    high: int
    low: int
    close: int


@dataclass(frozen=True, slots=True)
class Cells:
    """At least one cell, in the order of time: a column each, because a year has 200,000 of them.

    A cell closes where the next one opens. So of the ``ends`` there is one more, which is where the last one closes.
    """

    starts: Sequence[int]
    ends: list[int]
    highs: list[int]
    lows: list[int]

    @classmethod
    def of(cls, cell: Cell) -> Cells:
        """A single one."""
        return cls((cell.start,), [cell.open, cell.close], [cell.high], [cell.low])

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Cell]:
        return map(Cell, self.starts, self.ends, self.highs, self.lows, self.ends[1:])

    @property
    def last(self) -> Cell:
        """The last one."""
        return Cell(self.starts[-1], self.ends[-2], self.highs[-1], self.lows[-1], self.ends[-1])

    def first(self, count: int) -> Cells:
        """The first ``count`` of them."""
        return Cells(self.starts[:count], self.ends[: count + 1], self.highs[:count], self.lows[:count])

    def and_then(self, cell: Cell) -> Cells:
        """These and one more, which opens where the last one closes."""
        return Cells(
            (*self.starts, cell.start), [*self.ends, cell.close], [*self.highs, cell.high], [*self.lows, cell.low]
        )
