"""Where paths are just now, remembered: hundreds of instruments may follow one path, and a second has many callers.

What is remembered is a pure function of path and second, so it does not matter whose thread wrote it last.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from openalgo_bridge.market.cells import DAY, FIVE_MINUTES, MINUTE, Cell, Cells
from openalgo_bridge.market.listing import Listing
from openalgo_bridge.market.path import Path
from openalgo_bridge.market.pricing import Records

MOST_REMEMBERED = 4_096

NameT = TypeVar("NameT")
EntryT = TypeVar("EntryT")

_Market = tuple[str, str]


class Moment(NamedTuple):
    """A path at one second: its value, the range of its day so far, the whole day and the one before."""

    second: int
    value: int
    low: int
    high: int
    day: Cell
    yesterday: Cell


class _Minute(NamedTuple):
    """The minute that somebody asked for last: its values, and the day's range before it."""

    start: int
    values: tuple[int, ...]
    low: int
    high: int
    day: Cell
    yesterday: Cell

    def moment(self, second: int) -> Moment:
        """One of its seconds."""
        so_far = self.values[: second - self.start + 1]
        low, high = min(self.low, *so_far), max(self.high, *so_far)
        return Moment(second, so_far[-1], low, high, self.day, self.yesterday)


class Running(NamedTuple):
    """A day up to one second as options are priced: the five minutes or the night that goes on, as far as it has come,
    and the records of all before; None where nothing is before.

    These stay the same until the next five minutes begin.
    """

    second: int
    cell: Cell
    before: Records | None


class Tape:
    """Thread-safe: entries are replaced, never changed."""

    def __init__(self) -> None:
        self._minutes: dict[_Market, _Minute] = {}
        self._moments: dict[_Market, Moment] = {}
        self._running: dict[tuple[_Market, int], Running] = {}

    def at(self, listing: Listing, second: int) -> Moment:
        """The path of ``listing`` at ``second``."""
        known = self._moments.get(listing.market)
        if known is None or known.second != second:
            known = self._minute(listing, second).moment(second)
            remember(self._moments, listing.market, known)
        return known

    def running(self, listing: Listing, day: Cell, closes: int, second: int) -> Running:
        """``day``, whose session ends at ``closes``, up to ``second``."""
        name = listing.market, closes
        known = self._running.get(name)
        if known is None or known.second != second:
            known = _running(listing.path, day, closes, second, known)
            remember(self._running, name, known)
        return known

    def _minute(self, listing: Listing, second: int) -> _Minute:
        known = self._minutes.get(listing.market)
        if known is None or not known.start <= second < known.start + MINUTE:
            known = _minute(listing.path, second)
            remember(self._minutes, listing.market, known)
        return known


def session_cells(listing: Listing, day: Cell, step: int, last: int) -> Cells:
    """The session of ``day`` in cells of ``step`` up to the second ``last``, and what is over of the night in one."""
    closes = listing.closes(day.start // DAY)
    cells = listing.path.cells(day, step, min(last, closes - 1))
    return cells if last < closes else cells.and_then(listing.path.stretch(day, DAY, last, first=closes))


def _minute(path: Path, second: int) -> _Minute:
    number = path.day_of(second)
    day = path.day(number)
    minute = path.minute(day, second)
    low = high = day.open
    if minute.start > day.start:
        before = path.stretch(day, DAY, minute.start - 1)
        low, high = before.low, before.high
    return _Minute(minute.start, path.seconds(minute), low, high, day, path.day(number - 1))


def _running(path: Path, day: Cell, closes: int, second: int, known: Running | None) -> Running:
    begins = closes if second >= closes else second - (second - day.start) % FIVE_MINUTES
    cell = path.stretch(day, DAY, second, first=begins)
    if known is not None and known.cell.start == begins:
        return Running(second, cell, known.before)
    if begins == day.start:
        return Running(second, cell, None)
    return Running(second, cell, Records.of(path.cells(day, FIVE_MINUTES, begins - 1)))


def remember(entries: dict[NameT, EntryT], name: NameT, entry: EntryT) -> None:
    """Keep ``entry``; when there are too many, all others are forgotten."""
    if len(entries) >= MOST_REMEMBERED:
        entries.clear()
    entries[name] = entry
