"""What deserves a look in the traffic, and the habits it is told by. The only writer of its tables, in bridge.db.

They are here and not beside the calls, because they outlive them: an indicator tells its evidence itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.indicators import (
    HISTORY_DAYS,
    MOST_OPEN,
    NO_HISTORY,
    OTHERS,
    Evidence,
    Habit,
    History,
    Indicator,
    IndicatorKind,
    IndicatorState,
    ProgramHistory,
    Sighted,
    level_shown,
)
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database, Row

WATCH = Actor(name="watch over the traffic")

_DAYS_KEPT = 60
# A program that takes a new name for each call counts among others.
_MOST_PROGRAMS = 40

_STANDING = "SELECT * FROM indicator WHERE state <> 'past' ORDER BY id"
_EVIDENCE = "calls = ?, level = ?, first_at = ?, last_at = ?, programs = ?, addresses = ?, endpoints = ?, details = ?"
# The greater of two is NULL where one of them is.
_ADD_HABIT = (
    "INSERT INTO call_habit (day, hour, program, calls, most) VALUES (?, ?, ?, ?, ?) ON CONFLICT (day, hour, program)"
    " DO UPDATE SET calls = calls + excluded.calls, most = max(most, excluded.most)"
)
# By the number of days and not by the calendar: a clock that was wrong for an hour must not cost the history.
_DROP_HABITS = (
    "DELETE FROM call_habit WHERE day < (SELECT min(day) FROM"
    " (SELECT DISTINCT day FROM call_habit ORDER BY day DESC LIMIT ?))"
)


class Indicators:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    # -- what is noticed ---------------------------------------------------------------------------------------

    def note(self, sighted: Sequence[Sighted]) -> list[Indicator]:
        """Raise what is neither known nor open, and add to what is open, in one commit; returns what was raised.

        What only adds up need not survive a power cut, so that a flood of calls costs orders no wait for the disk.
        """
        standing = [_indicator(row) for row in self._db.read(_STANDING)]
        news = _news(sighted, standing)
        if not news:
            return []
        with self._db.transaction(is_synced=any(_open_one(standing, each) is None for each in news)) as db:
            # Once more: the trader may have answered meanwhile.
            standing = [_indicator(row) for row in db.execute(_STANDING)]
            return self._added(db, _news(sighted, standing), standing)

    def acknowledge(self, indicator_id: int, shown: str, *, by: Actor) -> Indicator | None:
        """The trader says that what was shown is his. None where it is not open, or not as it was shown any more."""
        return self._end(indicator_id, IndicatorState.KNOWN, shown, by=by)

    def put_past(self, indicator_id: int, shown: str, *, by: Actor) -> Indicator | None:
        """It is dealt with, or what was known is known no more. None as for :meth:`acknowledge`."""
        return self._end(indicator_id, IndicatorState.PAST, shown, by=by)

    def one(self, indicator_id: int) -> Indicator | None:
        """The indicator of this number."""
        row = self._db.read_one("SELECT * FROM indicator WHERE id = ?", (indicator_id,))
        return None if row is None else _indicator(row)

    def of(self, state: IndicatorState, *, limit: int = 50) -> list[Indicator]:
        """The newest in this state, the newest first."""
        found = self._db.read("SELECT * FROM indicator WHERE state = ? ORDER BY id DESC LIMIT ?", (state, limit))
        return [_indicator(row) for row in found]

    def count(self, state: IndicatorState) -> int:
        """How many there are in this state."""
        row = self._db.read_one("SELECT count(*) AS n FROM indicator WHERE state = ?", (state,))
        return 0 if row is None else int(row["n"])

    # -- what is usual -----------------------------------------------------------------------------------------

    def begin(self, at: datetime) -> None:
        """The first call that was ever looked at."""
        self._db.write("INSERT INTO call_watch (id, since) VALUES (1, ?) ON CONFLICT DO NOTHING", (to_ms(at),))

    def since(self) -> datetime | None:
        """From when on calls were looked at; None before the first."""
        row = self._db.read_one("SELECT since FROM call_watch")
        return None if row is None else from_ms(row["since"])

    def learn(self, habits: Iterable[Habit]) -> None:
        """Add to what is usual. A power cut may cost the last of it."""
        with self._db.transaction(is_synced=False) as db:
            for habit in habits:
                programs = _programs_of(db, habit.day)
                if not programs:
                    db.execute(_DROP_HABITS, (_DAYS_KEPT,))
                is_one_too_many = habit.program not in programs and len(programs) >= _MOST_PROGRAMS
                program = OTHERS if is_one_too_many else habit.program
                db.execute(_ADD_HABIT, (habit.day, habit.hour, program, habit.calls, habit.most))

    def history(self, day: int) -> History:
        """What was usual in the weeks before a day, which is told by its ordinal. Days to come count for nothing."""
        span = (day - HISTORY_DAYS, day)
        where = "FROM call_habit WHERE day >= ? AND day < ?"
        row = self._db.read_one(f"SELECT count(DISTINCT day) AS days {where}", span)
        if row is None or not row["days"]:
            return NO_HISTORY
        hours = self._db.read(f"SELECT DISTINCT hour {where}", span)
        programs = self._db.read(
            f"SELECT program, count(DISTINCT day) AS days, coalesce(max(most), 0) AS most {where} GROUP BY program",
            span,
        )
        return History(
            days=row["days"],
            hours=frozenset(each["hour"] for each in hours),
            programs=tuple(ProgramHistory(**each) for each in programs),
        )

    # ----------------------------------------------------------------------------------------------------------

    def _added(self, db: sqlite3.Connection, news: Sequence[Sighted], standing: list[Indicator]) -> list[Indicator]:
        """``standing`` is kept true, so that two details of one subject are one indicator."""
        raised = []
        for each in news:
            former = _open_one(standing, each)
            if former is not None:
                standing.remove(former)
                _update(db, former.id, former.evidence.plus(each.evidence))
                standing.append(_read(db, former.id))
                continue
            number = _insert(db, each, _subject(each, standing), self._clock.now())
            standing.append(_read(db, number))
            raised.append(number)
            told = f"{each.kind}: {standing[-1].subject}"
            audit.append(db, self._clock.now_ms(), WATCH, AuditEvent.INDICATOR_RAISED, after=told)
        return [_read(db, number) for number in raised]

    def _end(self, indicator_id: int, state: IndicatorState, shown: str, *, by: Actor) -> Indicator | None:
        with self._db.transaction() as db:
            found = self.one(indicator_id)
            level = None if found is None else level_shown(found, shown)
            if found is None or level is None or found.state in {state, IndicatorState.PAST}:
                return None
            known = level if state is IndicatorState.KNOWN else None
            db.execute(
                "UPDATE indicator SET state = ?, known_level = ?, ended_at = ? WHERE id = ? AND state = ?",
                (state, known, self._clock.now_ms(), found.id, found.state),
            )
            told = f"{state}: {found.kind}, {found.subject}"
            event = AuditEvent.INDICATOR_ANSWERED
            audit.append(db, self._clock.now_ms(), by, event, before=found.state, after=told)
            return _read(db, found.id)


def _news(sighted: Iterable[Sighted], standing: Sequence[Indicator]) -> list[Sighted]:
    known = [each for each in standing if each.state is IndicatorState.KNOWN]
    return [each for each in sighted if not any(one.covers(each) for one in known)]


def _open_one(standing: Iterable[Indicator], sighted: Sighted) -> Indicator | None:
    """Where its calls belong."""
    of_kind = [each for each in standing if each.state is IndicatorState.OPEN and each.kind is sighted.kind]
    own = next((each for each in of_kind if each.subject == sighted.subject), None)
    if own is not None or len(of_kind) < MOST_OPEN:
        return own
    return next((each for each in of_kind if each.subject == OTHERS), None)


def _subject(sighted: Sighted, standing: Iterable[Indicator]) -> str:
    count = Counter(each.kind for each in standing if each.state is IndicatorState.OPEN)[sighted.kind]
    return sighted.subject if count < MOST_OPEN else OTHERS


def _insert(db: sqlite3.Connection, sighted: Sighted, subject: str, now: datetime) -> int:
    values = (sighted.kind, subject, IndicatorState.OPEN, to_ms(now), *_cells(sighted.whole))
    number = db.execute(
        "INSERT INTO indicator (kind, subject, state, raised_at, calls, level, first_at, last_at, programs, addresses,"
        f" endpoints, details) VALUES ({', '.join('?' * len(values))})",
        values,
    ).lastrowid
    return int(number or 0)


def _update(db: sqlite3.Connection, indicator_id: int, evidence: Evidence) -> None:
    db.execute(f"UPDATE indicator SET {_EVIDENCE} WHERE id = ?", (*_cells(evidence), indicator_id))


def _read(db: sqlite3.Connection, indicator_id: int) -> Indicator:
    return _indicator(db.execute("SELECT * FROM indicator WHERE id = ?", (indicator_id,)).fetchone())


def _cells(evidence: Evidence) -> tuple[Any, ...]:
    lists = (evidence.programs, evidence.addresses, evidence.endpoints, evidence.details)
    times = (to_ms(evidence.first_at), to_ms(evidence.last_at))
    return (evidence.calls, evidence.level, *times, *map(json.dumps, lists))


def _programs_of(db: sqlite3.Connection, day: int) -> set[str]:
    return {row["program"] for row in db.execute("SELECT DISTINCT program FROM call_habit WHERE day = ?", (day,))}


def _indicator(row: Row) -> Indicator:
    return Indicator(
        id=row["id"],
        kind=IndicatorKind(row["kind"]),
        subject=row["subject"],
        state=IndicatorState(row["state"]),
        evidence=Evidence(
            calls=row["calls"],
            level=row["level"],
            first_at=from_ms(row["first_at"]),
            last_at=from_ms(row["last_at"]),
            **{name: tuple(json.loads(row[name])) for name in ("programs", "addresses", "endpoints", "details")},
        ),
        known_level=row["known_level"],
        raised_at=from_ms(row["raised_at"]),
        ended_at=None if row["ended_at"] is None else from_ms(row["ended_at"]),
    )
