"""What the trader changed of the shipped calendar. The only writer of its tables.

Only differences are kept, so a year that a later release ships counts at once, and a change outlives the release.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.calendar import Calendar, DayAndExchange, SpecialDay
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours
from openalgo_bridge.store import audit, paper_days
from openalgo_bridge.store.database import Database, Row

_log = logging.getLogger(__name__)
_ORDINARY = "trades as usual"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarChanges:
    """The trader's own entries, which shipped ones trade as usual after all, and which years he called complete."""

    days: tuple[SpecialDay, ...] = ()
    ordinary: frozenset[DayAndExchange] = frozenset()
    years: frozenset[int] = frozenset()

    def applied_to(self, calendar: Calendar) -> Calendar:
        """The calendar with these changes."""
        return calendar.changed(days=self.days, ordinary=self.ordinary, years=self.years)


class TradingCalendar:
    """See the module. With a change goes, in its commit, that nothing of before ``since`` is judged by it at the paper
    exchange: up to when that did all by what counted before. None is now.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def load(self) -> Calendar:
        """The calendar in force. Where the changes cannot be read, the shipped one: it must never stop an order."""
        try:
            return self.changes().applied_to(SHIPPED)
        except StorageError as error:
            _log.error("The changes of the calendar cannot be read; the shipped one counts: %s", error.message)
            return SHIPPED

    def changes(self) -> CalendarChanges:
        """What differs from the shipped calendar. Raises StorageError."""
        with self._db.snapshot() as db:
            return _changes(db)

    def put(self, days: Collection[SpecialDay], *, by: Actor, since: datetime | None = None) -> None:
        """Make these days special, whatever stood there before. Raises StorageError."""
        with self._db.transaction() as db:
            before = _changes(db).applied_to(SHIPPED)
            rows = [_row(each) for each in days]
            db.executemany("INSERT OR REPLACE INTO calendar_day VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._tell(db, before, [(each.day, each.exchange) for each in days], by, since)

    def remove(self, names: Collection[DayAndExchange], *, by: Actor, since: datetime | None = None) -> None:
        """Let these exchanges trade as usual on these days. Raises StorageError."""
        with self._db.transaction() as db:
            before = _changes(db).applied_to(SHIPPED)
            db.executemany("DELETE FROM calendar_day WHERE day = ? AND exchange = ?", [_key(name) for name in names])
            shipped = [(*_key(name), "ordinary", "", "", "") for name in names if name in SHIPPED.special_days]
            db.executemany("INSERT INTO calendar_day VALUES (?, ?, ?, ?, ?, ?)", shipped)
            self._tell(db, before, names, by, since)

    def restore(self, names: Collection[DayAndExchange], *, by: Actor, since: datetime | None = None) -> None:
        """Undo every change of these days: what is shipped counts again. Raises StorageError."""
        with self._db.transaction() as db:
            before = _changes(db).applied_to(SHIPPED)
            db.executemany("DELETE FROM calendar_day WHERE day = ? AND exchange = ?", [_key(name) for name in names])
            self._tell(db, before, names, by, since)

    def set_complete(self, year: int, *, is_complete: bool, by: Actor, since: datetime | None = None) -> None:
        """Whether the list of ``year`` has every holiday. A shipped one always has. Raises StorageError."""
        with self._db.transaction() as db:
            known = {row["year"] for row in db.execute("SELECT year FROM calendar_year")}
            if is_complete == (year in known):
                return
            if is_complete:
                db.execute("INSERT INTO calendar_year VALUES (?)", (year,))
            else:
                db.execute("DELETE FROM calendar_year WHERE year = ?", (year,))
            words = (f"{year} not complete", f"{year} complete")
            before, after = words if is_complete else reversed(words)
            paper_days.leave_behind(db, since or self._clock.now())
            audit.append(db, self._clock.now_ms(), by, AuditEvent.CALENDAR, before=before, after=after)

    def _tell(
        self,
        db: sqlite3.Connection,
        before: Calendar,
        names: Iterable[DayAndExchange],
        by: Actor,
        since: datetime | None,
    ) -> None:
        after = _changes(db).applied_to(SHIPPED)
        changed = [name for name in names if before.special_days.get(name) != after.special_days.get(name)]
        if not changed:
            return
        told = [_told(calendar, changed) for calendar in (before, after)]
        paper_days.leave_behind(db, since or self._clock.now())
        audit.append(db, self._clock.now_ms(), by, AuditEvent.CALENDAR, before=told[0], after=told[1])


def _changes(db: sqlite3.Connection) -> CalendarChanges:
    rows = db.execute("SELECT * FROM calendar_day ORDER BY day").fetchall()
    try:
        return CalendarChanges(
            days=tuple(_special(row) for row in rows if row["kind"] != "ordinary"),
            ordinary=frozenset(_name(row) for row in rows if row["kind"] == "ordinary"),
            years=frozenset(row["year"] for row in db.execute("SELECT year FROM calendar_year")),
        )
    except ValueError as error:
        raise StorageError("A day of the calendar cannot be read.") from error


def _special(row: Row) -> SpecialDay:
    day, exchange = _name(row)
    hours = None
    if row["kind"] == "hours":
        hours = Hours(opens=time.fromisoformat(row["opens"]), closes=time.fromisoformat(row["closes"]))
    return SpecialDay(day=day, exchange=exchange, description=row["description"], hours=hours)


def _name(row: Row) -> DayAndExchange:
    return date.fromisoformat(row["day"]), Exchange(row["exchange"])


def _key(name: DayAndExchange) -> tuple[str, str]:
    day, exchange = name
    return day.isoformat(), exchange


def _row(special: SpecialDay) -> tuple[str, ...]:
    key, hours = _key((special.day, special.exchange)), special.hours
    if hours is None:
        return (*key, "closed", "", "", special.description)
    return (*key, "hours", f"{hours.opens:%H:%M}", f"{hours.closes:%H:%M}", special.description)


def _told(calendar: Calendar, names: Iterable[DayAndExchange]) -> str:
    """What stands at these days, those with the same entry together."""
    lines: dict[str, list[str]] = {}
    for name in names:
        lines.setdefault(_entry(calendar, name), []).append(name[1])
    return "; ".join(f"{entry}: {', '.join(exchanges)}" for entry, exchanges in lines.items())


def _entry(calendar: Calendar, name: DayAndExchange) -> str:
    special = calendar.special_days.get(name)
    if special is None:
        return f"{name[0]} {_ORDINARY}"
    hours = special.hours
    told = "closed" if hours is None else f"{hours.opens:%H:%M} to {hours.closes:%H:%M}"
    return f"{name[0]} {told} ({special.description})"
