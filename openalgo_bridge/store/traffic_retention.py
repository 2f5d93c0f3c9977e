"""Takes old calls out of the traffic log, a few at a time: by their age, and where the file has become too big.

The oldest go first, and a call is as old as its place among the others says: one with a time that is still to come, or
that has passed although younger ones were recorded before it, was recorded while the clock was wrong. A clock that has
just leapt ahead makes nothing old until it has kept that time for an hour. The newest call always stays, because a
number must not be given twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from openalgo_bridge.clock import Clock, to_ms
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.faults import drop_faults_before, drop_oldest_faults
from openalgo_bridge.store.traffic import drop_bodies_through, drop_calls_through
from openalgo_bridge.store.traffic_digest import Digest, drop_late_through
from openalgo_bridge.store.traffic_index import CallIndex

_CALLS_AT_ONCE = 200
_BODIES_AT_ONCE = 200
_KEPT_WHATEVER_THE_SIZE = 1000
"""The newest calls, with their bodies: a limit that is too small must not make the log blind."""

_LEAP_S = 86_400.0
"""Further ahead than this from one round to the next, the clock may be wrong: a year's calls would go in a minute."""

_BELIEVED_AFTER_S = 3600.0

_MB = 1_000_000
_FIRST_CALLS = "SELECT id, at FROM call WHERE id <= ? ORDER BY id LIMIT ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long calls are kept, and how many megabytes the whole log may have."""

    days: int
    megabytes: int


class TrafficRetention:
    """One thread works with it. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._digest = Digest(db)
        self._index = CallIndex(db)
        # By how much the wall clock was ahead of the one that nobody sets, and since when.
        self._lead_s: float | None = None
        self._leapt_at = float("-inf")

    def step(self, keep: Keep) -> bool:
        """One short transaction of what is due; False where nothing is."""
        is_believed = self._is_clock_believed()
        return (
            (is_believed and self._drop_what_is_old(keep.days))
            or self._drop_what_finds_nothing()
            or drop_oldest_faults(self._db, keep.megabytes) > 0
            or (self.megabytes() > keep.megabytes and (self._drop_bodies() or self._drop_oldest_calls()))
            or (is_believed and self._digest.drop_older(self._clock.now_ms()))
        )

    def megabytes(self) -> float:
        """What is in use of the file. What was freed in it is used again, so the file itself gets no smaller."""
        row = self._db.read_one(
            "SELECT (total.page_count - free.freelist_count) * page.page_size AS bytes"
            " FROM pragma_page_count AS total, pragma_freelist_count AS free, pragma_page_size AS page"
        )
        return 0.0 if row is None else row["bytes"] / _MB

    def _is_clock_believed(self) -> bool:
        """Not for an hour after a leap ahead, or after a start more than a day behind the newest call.

        A clock that was set back makes nothing old, so it needs no belief.
        """
        monotonic = self._clock.monotonic()
        lead = self._clock.now_ms() / 1000 - monotonic
        known = self._lead_of_newest(monotonic) if self._lead_s is None else self._lead_s
        if lead - known > _LEAP_S:
            self._leapt_at = monotonic
        self._lead_s = lead
        return monotonic - self._leapt_at >= _BELIEVED_AFTER_S

    def _lead_of_newest(self, monotonic: float) -> float:
        """As if the newest call were of this moment; without a call there is nothing to lose."""
        row = self._db.read_one("SELECT at FROM call ORDER BY id DESC LIMIT 1")
        at = self._clock.now_ms() if row is None else row["at"]
        return float(at) / 1000 - monotonic

    def _drop_what_is_old(self, days: int) -> bool:
        now = self._clock.now()
        oldest = now - timedelta(days=days)
        return self._drop_old_calls(to_ms(oldest), to_ms(now)) or drop_faults_before(self._db, oldest) > 0

    def _drop_old_calls(self, oldest: int, newest: int) -> bool:
        last, passed = None, 0
        for row in self._db.read(_FIRST_CALLS, (self._last_to_go(1), _CALLS_AT_ONCE)):
            passed = row["id"]
            if row["at"] < oldest:
                last = passed
            elif row["at"] <= newest:
                return self._drop_calls_through(last)
        return self._drop_calls_through(passed if self._is_old_behind(passed, oldest, newest) else last)

    def _is_old_behind(self, passed: int, oldest: int, newest: int) -> bool:
        """Whether the next call that has no time to come is an old one, and all before it with it."""
        row = self._db.read_one(
            "SELECT at FROM call WHERE id > ? AND id <= ? AND at <= ? ORDER BY id LIMIT 1",
            (passed, self._last_to_go(1), newest),
        )
        return row is not None and row["at"] < oldest

    def _drop_oldest_calls(self) -> bool:
        rows = self._db.read(_FIRST_CALLS, (self._last_to_go(_KEPT_WHATEVER_THE_SIZE), _CALLS_AT_ONCE))
        return self._drop_calls_through(rows[-1]["id"] if rows else None)

    def _drop_bodies(self) -> bool:
        """A row is worth more than what was said in the call, so these go first."""
        last = self._last_to_go(_KEPT_WHATEVER_THE_SIZE)
        rows = self._db.read(
            "SELECT call_id FROM call_body WHERE call_id <= ? ORDER BY call_id LIMIT ?", (last, _BODIES_AT_ONCE)
        )
        if not rows:
            return False
        with self._db.transaction() as db:
            drop_bodies_through(db, rows[-1]["call_id"])
        return True

    def _drop_calls_through(self, last: int | None) -> bool:
        if last is None:
            return False
        with self._db.transaction() as db:
            drop_calls_through(db, last)
            drop_late_through(db, last)
        return True

    def _drop_what_finds_nothing(self) -> bool:
        row = self._db.read_one("SELECT min(id) AS id FROM call")
        if row is None or row["id"] is None:
            return False
        return self._index.drop_before(row["id"])

    def _last_to_go(self, kept: int) -> int:
        """The newest call that may go: it was counted, and ``kept`` calls stay behind it."""
        row = self._db.read_one(
            "SELECT min(last_call_id, (SELECT max(id) FROM call) - ?) AS id FROM call_digest", (kept,)
        )
        return 0 if row is None or row["id"] is None else int(row["id"])
