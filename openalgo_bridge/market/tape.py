"""Where paths are just now, remembered: hundreds of instruments may follow one path, and a second has many callers.

What is remembered is a pure function of path and second, so it does not matter whose thread wrote it last.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from openalgo_bridge.market.listing import Listing
from openalgo_bridge.market.path import DAY, FIVE_MINUTES, MINUTE, Cell, Path
from openalgo_bridge.market.pricing import Records

MOST_REMEMBERED = 4_096

NameT = TypeVar("NameT")
EntryT = TypeVar("EntryT")

_Market = tuple[str, str]


class Moment(NamedTuple):
    """A path at one second: its value, the range of its day so far, the whole day and the one before."""

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


class _Session(NamedTuple):
    """The records of a day up to a second."""

    second: int
    records: Records


class Tape:
    """Thread-safe: entries are replaced, never changed."""

    def __init__(self) -> None:
        self._minutes: dict[_Market, _Minute] = {}
        self._sessions: dict[tuple[_Market, int], _Session] = {}

    def at(self, listing: Listing, second: int) -> Moment:
        """The path of ``listing`` at ``second``."""
        known = self._minutes.get(listing.market)
        if known is None or not known.start <= second < known.start + MINUTE:
            known = _minute(listing.path, second)
            remember(self._minutes, listing.market, known)
        so_far = known.values[: second - known.start + 1]
        low, high = min(known.low, *so_far), max(known.high, *so_far)
        return Moment(so_far[-1], low, high, known.day, known.yesterday)

    def records(self, listing: Listing, day: Cell, second: int) -> Records:
        """``day`` up to ``second`` as options are priced: by five minutes, and the night as one cell."""
        name = listing.market, listing.closes(day.start // DAY)
        known = self._sessions.get(name)
        if known is None or known.second != second:
            known = _Session(second, Records.of(session_cells(listing, day, FIVE_MINUTES, second)))
            remember(self._sessions, name, known)
        return known.records


def session_cells(listing: Listing, day: Cell, step: int, last: int) -> list[Cell]:
    """The session of ``day`` in cells of ``step`` up to the second ``last``, and what is over of the night in one."""
    closes = listing.closes(day.start // DAY)
    cells = listing.path.cells(day, step, day.start, min(last, closes - 1))
    if last >= closes:
        cells.append(listing.path.stretch(day, DAY, last, first=closes))
    return cells


def _minute(path: Path, second: int) -> _Minute:
    number = path.day_of(second)
    day = path.day(number)
    minute = path.minute(day, second)
    low = high = day.open
    if minute.start > day.start:
        before = path.stretch(day, DAY, minute.start - 1)
        low, high = before.low, before.high
    return _Minute(minute.start, path.seconds(minute), low, high, day, path.day(number - 1))


def remember(entries: dict[NameT, EntryT], name: NameT, entry: EntryT) -> None:
    """Keep ``entry``; when there are too many, all others are forgotten."""
    if len(entries) >= MOST_REMEMBERED:
        entries.clear()
    entries[name] = entry
