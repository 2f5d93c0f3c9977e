"""Sums of the traffic log, so that a summary of a week reads no calls. The only writer of its tables.

Shares and durations are kept for slots of five minutes, of an hour and of a day, so that any range is a few slots.
Pages are counted nowhere: the trader's own looking is no traffic. But a minute tells of the ids of all its calls.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.calls import CallKind, CallOutcome, StatusClass
from openalgo_bridge.model.latency import bucket_of
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic import Call, call_of
from openalgo_bridge.store.traffic_words import BLOCK

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

SPANS_MS = (5 * MINUTE_MS, HOUR_MS, DAY_MS)
"""The lengths of slots."""

MOST_VALUES = 50
"""Of endpoints, programs or addresses in a slot. A program with a new name for each call must not fill the disk."""

MOST_WITH_KEY = 2 * MOST_VALUES
"""As far as they had the right key: strangers, who come first or under many names, must not take their room."""

THE_REST = ""
"""The value that stands for all others of its slot."""

_KEPT_MS = {SPANS_MS[0]: 9 * DAY_MS, HOUR_MS: 62 * DAY_MS, DAY_MS: 366 * DAY_MS}
_MINUTES_AT_ONCE = 1000

_NEXT = "SELECT * FROM call WHERE id > ? ORDER BY id LIMIT ?"
_LATE_AND_OVER = (
    "SELECT call.* FROM call_late CROSS JOIN call ON call.id = call_late.call_id"
    " WHERE call_late.is_summed = 0 AND call.status IS NOT NULL ORDER BY call.id"
)
_PASSED = "INSERT INTO call_digest VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET last_call_id = excluded.last_call_id"
_BECOMES_LATE = "INSERT INTO call_late VALUES (?, 0)"
# A block that is written already has them not: they are looked for one by one as long as they are kept.
_LATE_IN_BLOCK = "UPDATE call_late SET is_summed = 1 WHERE call_id = ?"
_LATE_NO_MORE = f"DELETE FROM call_late WHERE call_id = ? AND call_id / {BLOCK} NOT IN (SELECT block FROM call_block)"
_ADD_MINUTE = (
    "INSERT INTO call_minute VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (minute) DO UPDATE SET"
    " first_call_id = min(first_call_id, excluded.first_call_id),"
    " last_call_id = max(last_call_id, excluded.last_call_id), calls = calls + excluded.calls,"
    " refused = refused + excluded.refused, failed = failed + excluded.failed"
)
_ADD_SHARE = (
    "INSERT INTO call_share VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (span, slot, kind, value) DO UPDATE SET"
    " calls = calls + excluded.calls, errors = errors + excluded.errors"
)
_ADD_DURATION = (
    "INSERT INTO call_latency VALUES (?, ?, ?, ?, ?) ON CONFLICT (span, slot, endpoint, bucket) DO UPDATE SET"
    " calls = calls + excluded.calls"
)
_DROP_MINUTES = "DELETE FROM call_minute WHERE minute IN (SELECT minute FROM call_minute WHERE minute < ? LIMIT ?)"
# The oldest slot of its length, whole.
_OLDEST = "span = ? AND slot = (SELECT min(slot) FROM {0} WHERE span = ?) AND slot < ?"
_DROP_SHARES = f"DELETE FROM call_share WHERE {_OLDEST.format('call_share')}"
_DROP_DURATIONS = f"DELETE FROM call_latency WHERE {_OLDEST.format('call_latency')}"


class ShareKind(StrEnum):
    """What calls are counted by."""

    ENDPOINT = "endpoint"
    PROGRAM = "program"
    ADDRESS = "address"


_Value = tuple[ShareKind, str]
_Slot = tuple[int, int]
"""Its length and its beginning, in milliseconds."""


@dataclass(slots=True)
class _Minute:
    first_call_id: int
    last_call_id: int
    calls: int = 0
    refused: int = 0
    failed: int = 0


@dataclass(slots=True)
class _SlotSums:
    calls: Counter[_Value] = field(default_factory=Counter)
    errors: Counter[_Value] = field(default_factory=Counter)
    durations: Counter[tuple[str, int]] = field(default_factory=Counter)
    with_key: set[_Value] = field(default_factory=set)

    def add(self, call: Call) -> None:
        is_error = StatusClass.of(call.status) is not StatusClass.ANSWERED
        if call.key_fingerprint is not None and call.outcome != CallOutcome.WRONG_KEY:
            self.with_key.update(_values_of(call))
        for value in _values_of(call):
            self.calls[value] += 1
            self.errors[value] += is_error
        if call.duration_ms is not None:
            self.durations[call.endpoint, bucket_of(call.duration_ms)] += 1

    def merge(self, part: _SlotSums) -> None:
        self.calls.update(part.calls)
        self.errors.update(part.errors)
        self.durations.update(part.durations)
        self.with_key |= part.with_key


class Digest:
    """One thread works with it. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def take(self, limit: int) -> tuple[Call, ...]:
        """Count the next calls that are over, each exactly once, and return them in the order of their ids.

        A call that still runs is passed by and taken once it is over, so that one long call delays no other.
        """
        passed = self._passed()
        late = self._late_ones()
        seen = [call_of(row) for row in self._db.read(_NEXT, (passed, limit))]
        if not seen and not late:
            return ()
        over = (*late, *(call for call in seen if call.status is not None))
        minutes, slots = _minutes_of(over), _slots_of(over)
        with self._db.transaction() as db:
            _add_minutes(db, minutes)
            for slot, sums in slots.items():
                _add_slot(db, slot, sums)
            db.executemany(_BECOMES_LATE, [(call.id,) for call in seen if call.status is None])
            db.executemany(_LATE_IN_BLOCK, [(call.id,) for call in late])
            db.executemany(_LATE_NO_MORE, [(call.id,) for call in late])
            db.execute(_PASSED, (seen[-1].id if seen else passed,))
        return over

    def is_behind(self) -> bool:
        """Whether there are calls that it has not come by yet."""
        return self._db.read_one("SELECT 1 FROM call WHERE id > ? LIMIT 1", (self._passed(),)) is not None

    def drop_older(self, now_ms: int) -> bool:
        """Take away a few of the sums that nobody asks for any more; False where there are none."""
        with self._db.transaction() as db:
            dropped = db.execute(_DROP_MINUTES, (now_ms - _KEPT_MS[DAY_MS], _MINUTES_AT_ONCE)).rowcount
            for span, kept in _KEPT_MS.items():
                for statement in (_DROP_SHARES, _DROP_DURATIONS):
                    dropped += db.execute(statement, (span, span, now_ms - kept)).rowcount
        return dropped > 0

    def _passed(self) -> int:
        row = self._db.read_one("SELECT last_call_id FROM call_digest")
        return 0 if row is None else int(row["last_call_id"])

    def _late_ones(self) -> list[Call]:
        return [call_of(row) for row in self._db.read(_LATE_AND_OVER)]


def drop_late_through(db: sqlite3.Connection, call_id: int) -> None:
    """Calls that are no more were late for nothing."""
    db.execute("DELETE FROM call_late WHERE call_id <= ?", (call_id,))


def _minutes_of(calls: Sequence[Call]) -> dict[int, _Minute]:
    minutes: dict[int, _Minute] = {}
    for call in calls:
        at = to_ms(call.at)
        minute = minutes.setdefault(at - at % MINUTE_MS, _Minute(call.id, call.id))
        minute.first_call_id = min(minute.first_call_id, call.id)
        minute.last_call_id = max(minute.last_call_id, call.id)
        if call.kind is CallKind.PAGE:
            continue
        minute.calls += 1
        minute.refused += StatusClass.of(call.status) is StatusClass.REFUSED
        minute.failed += StatusClass.of(call.status) in {StatusClass.FAILED, StatusClass.CUT_OFF}
    return minutes


def _slots_of(calls: Sequence[Call]) -> dict[_Slot, _SlotSums]:
    """The shortest slots from the calls, the longer ones from those."""
    slots: dict[_Slot, _SlotSums] = defaultdict(_SlotSums)
    shortest, *longer = SPANS_MS
    for call in calls:
        if call.kind is not CallKind.PAGE:
            at = to_ms(call.at)
            slots[shortest, at - at % shortest].add(call)
    for (_, slot), sums in list(slots.items()):
        for span in longer:
            slots[span, slot - slot % span].merge(sums)
    return slots


def _values_of(call: Call) -> tuple[_Value, ...]:
    return (
        (ShareKind.ENDPOINT, call.endpoint),
        (ShareKind.PROGRAM, call.program),
        (ShareKind.ADDRESS, call.forwarded_for or call.address),
    )


def _add_minutes(db: sqlite3.Connection, minutes: dict[int, _Minute]) -> None:
    db.executemany(
        _ADD_MINUTE,
        [
            (at, minute.first_call_id, minute.last_call_id, minute.calls, minute.refused, minute.failed)
            for at, minute in minutes.items()
        ],
    )


def _add_slot(db: sqlite3.Connection, slot: _Slot, sums: _SlotSums) -> None:
    """What is no longer told by its name is added to the rest, its durations too."""
    named = _named(db, slot, sums)
    shares: Counter[_Value] = Counter()
    errors: Counter[_Value] = Counter()
    for (kind, value), calls in sums.calls.items():
        key = (kind, value if (kind, value) in named else THE_REST)
        shares[key] += calls
        errors[key] += sums.errors[kind, value]
    durations: Counter[tuple[str, int]] = Counter()
    for (endpoint, bucket), calls in sums.durations.items():
        name = endpoint if (ShareKind.ENDPOINT, endpoint) in named else THE_REST
        durations[name, bucket] += calls
    db.executemany(_ADD_SHARE, [(*slot, *key, calls, errors[key]) for key, calls in shares.items()])
    db.executemany(_ADD_DURATION, [(*slot, *key, calls) for key, calls in durations.items()])


def _named(db: sqlite3.Connection, slot: _Slot, sums: _SlotSums) -> set[_Value]:
    """The values that this slot tells of by their names: the first ones that came, and of those the busiest.

    What came with the key has room of its own.
    """
    rows = db.execute("SELECT kind, value FROM call_share WHERE span = ? AND slot = ?", slot).fetchall()
    named = {(ShareKind(row["kind"]), row["value"]) for row in rows}
    count = Counter(kind for kind, value in named if value)
    for value, _ in sums.calls.most_common():
        most = MOST_WITH_KEY if value in sums.with_key else MOST_VALUES
        if value not in named and count[value[0]] < most:
            named.add(value)
            count[value[0]] += 1
    return named
