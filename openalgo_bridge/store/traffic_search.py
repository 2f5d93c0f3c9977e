"""Finds calls in the traffic log: any filters together, page by page, as fast in ten million calls as in ten thousand.

Three sources, each in the order of the ids: the newest calls, which no block of the index has yet, are looked at one
by one; older ones are found through the index, and without a filter they are simply read; calls that were late for
their block are few. Whatever the index says, the row decides.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import attrgetter

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.calls import CallFilter
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.traffic import Call, call_of
from openalgo_bridge.store.traffic_conditions import Conditions, as_meant, conditions_of
from openalgo_bridge.store.traffic_digest import MINUTE_MS
from openalgo_bridge.store.traffic_index import CallIndex
from openalgo_bridge.store.traffic_words import has_words, tags_for

MOST_RUNNING = 64
"""More calls than there are threads to answer them."""

# More wait to be summed up only where the upkeep stood still for long, and none of those still runs.
_NOT_SUMMED_UP = 100_000
_MOST_ID = 1 << 62
_FETCHED_AT_ONCE = 64
_ALL = "call"
_LATE = "call_late CROSS JOIN call ON call.id = call_late.call_id"
# One statement, so that both are of one moment. What runs is either younger than what was summed up, or late for it.
_REACHED = f"""SELECT (SELECT coalesce(max(id), 0) FROM call) AS newest, (SELECT json_group_array(id) FROM (
    SELECT id FROM call
    WHERE status IS NULL AND id > max((SELECT max(id) FROM call) - {_NOT_SUMMED_UP},
        coalesce((SELECT last_call_id FROM call_digest), 0))
    UNION ALL SELECT call.id FROM {_LATE} WHERE call.status IS NULL AND call_late.is_summed = 0
    ORDER BY id DESC LIMIT {MOST_RUNNING}
)) AS running"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far the log had come at one moment: its newest call, and those up to it that had not ended."""

    newest: int
    running: tuple[int, ...]


class TrafficSearch:
    """Every method may raise StorageError. A filter that nothing passes finds nothing; it is never an error."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def page(self, wanted: CallFilter, *, before: int | None, limit: int) -> list[Call]:
        """The newest calls below the id ``before`` that pass the filter, the newest first."""
        high = _MOST_ID if before is None else before
        with self._db.snapshot():
            return list(islice(self.each(wanted, high=high), limit))

    def newer(self, wanted: CallFilter, *, after: int, limit: int) -> list[Call]:
        """The oldest calls above the id ``after`` that pass the filter, the oldest first."""
        with self._db.snapshot():
            return list(islice(self.each(wanted, low=after + 1, newest_first=False), limit))

    def reached(self) -> Reached:
        """How far the log has come. Whoever reads calls after this, and then what came :meth:`since`, misses none."""
        row = self._db.read_one(_REACHED)
        return Reached(newest=row["newest"], running=tuple(json.loads(row["running"]))) if row else _NOTHING

    def since(self, wanted: CallFilter, reached: Reached, *, limit: int) -> list[Call]:
        """What came after that moment, and of what ran then all that passes the filter by now; the oldest first.

        A filter may ask for what only the end of a call tells, and a younger call may have ended first.
        """
        with self._db.snapshot():
            ran = [list(self.each(wanted, low=each, high=each + 1)) for each in sorted(reached.running)]
        return [*chain.from_iterable(ran), *self.newer(wanted, after=reached.newest, limit=limit)]

    def each(
        self, wanted: CallFilter, *, low: int = 0, high: int = _MOST_ID, newest_first: bool = True
    ) -> Iterator[Call]:
        """All calls from the id ``low`` to below ``high`` that pass the filter, read as they are taken."""
        wanted = as_meant(wanted)
        question = _Question(
            db=self._db,
            wanted=wanted,
            conditions=conditions_of(wanted),
            tags=_tags_to_look_up(wanted),
            newest_first=newest_first,
        )
        return question.between(max(low, 0), min(high, _MOST_ID))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    db: Database
    wanted: CallFilter
    conditions: Conditions
    tags: list[str]
    newest_first: bool
    index: CallIndex = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", CallIndex(self.db))

    def between(self, low: int, high: int) -> Iterator[Call]:
        seam = self._seam()
        newest = self._rows(_ALL, max(low, seam), high)
        older = self._older(low, min(high, seam))
        return chain(newest, older) if self.newest_first else chain(older, newest)

    @property
    def _needs_index(self) -> bool:
        return bool(self.tags or self.conditions.words)

    @property
    def _has_range(self) -> bool:
        return self.wanted.since is not None or self.wanted.until is not None

    def _seam(self) -> int:
        """The id from which on calls are looked at one by one."""
        if self._needs_index:
            return self.index.end()
        if not self._has_range:
            return 0
        row = self.db.read_one("SELECT last_call_id + 1 AS id FROM call_digest")
        return 0 if row is None else int(row["id"])

    def _older(self, low: int, high: int) -> Iterator[Call]:
        """What is below the seam: the late ones, and all others, of which a time range leaves out most."""
        if low >= high:
            return
        late = self._rows(_LATE, low, high)
        low, high = self._narrowed(low, high)
        if self._needs_index:
            words = self.conditions.words
            ids = self.index.having(self.tags, words, low=low, high=high, newest_first=self.newest_first)
            others = self._of_ids(ids)
        else:
            others = self._rows(_ALL, low, high, but="AND id NOT IN (SELECT call_id FROM call_late)")
        yield from heapq.merge(late, others, key=attrgetter("id"), reverse=self.newest_first)

    def _narrowed(self, low: int, high: int) -> tuple[int, int]:
        """The ids of the minutes in the range. A clock that was set back makes it wider, never wrong."""
        if not self._has_range:
            return low, high
        since = 0 if self.wanted.since is None else to_ms(self.wanted.since)
        until = _MOST_ID if self.wanted.until is None else to_ms(self.wanted.until)
        row = self.db.read_one(
            "SELECT min(first_call_id) AS first, max(last_call_id) AS last FROM call_minute"
            " WHERE minute >= ? AND minute < ?",
            (since - since % MINUTE_MS, until),
        )
        if row is None or row["first"] is None:
            return 0, 0
        return max(low, row["first"]), min(high, row["last"] + 1)

    def _rows(self, source: str, low: int, high: int, *, but: str = "") -> Iterator[Call]:
        if low >= high:
            return
        sql = f"SELECT call.* FROM {source} WHERE {self.conditions.sql} AND id >= ? AND id < ? {but} ORDER BY id"
        yield from self._holding(self.db.stream(f"{sql} {self._order}", (*self.conditions.values, low, high)))

    def _of_ids(self, ids: Iterator[int]) -> Iterator[Call]:
        while some := tuple(islice(ids, _FETCHED_AT_ONCE)):
            marks = ", ".join("?" * len(some))
            sql = f"SELECT * FROM call WHERE id IN ({marks}) AND {self.conditions.sql} ORDER BY id {self._order}"
            yield from self._holding(self.db.read(sql, (*some, *self.conditions.values)))

    def _holding(self, rows: Iterable[Row]) -> Iterator[Call]:
        return (call for call in map(call_of, rows) if has_words(call, self.conditions.words))

    @property
    def _order(self) -> str:
        return "DESC" if self.newest_first else "ASC"


_NOTHING = Reached(newest=0, running=())


def _tags_to_look_up(wanted: CallFilter) -> list[str]:
    """None where only a time is asked for: SQLite has an index of the calls that are no pages."""
    only_time = CallFilter(since=wanted.since, until=wanted.until, words=wanted.words, with_pages=wanted.with_pages)
    return [] if wanted == only_time and not conditions_of(wanted).words else tags_for(wanted)
