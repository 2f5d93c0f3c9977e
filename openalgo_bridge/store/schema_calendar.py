"""Migration of the calendar in ``bridge.db``: what ``store/schema.py`` registers. A released one never changes."""

from __future__ import annotations

import sqlite_utils


def m018_calendar(db: sqlite_utils.Database) -> None:
    """What the trader changed of the shipped calendar, written by ``store/calendar.py`` alone; and smart orders.

    ``ordinary``: what is shipped as a special day is none. A year is complete when nobody expects a further holiday.
    """
    db.execute(
        """CREATE TABLE calendar_day (
            day TEXT NOT NULL,
            exchange TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('closed', 'hours', 'ordinary')),
            opens TEXT NOT NULL,
            closes TEXT NOT NULL,
            description TEXT NOT NULL,
            PRIMARY KEY (day, exchange),
            CHECK (kind = 'hours' AND opens < closes OR kind <> 'hours' AND opens = '' AND closes = '')
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE TABLE calendar_year (year INTEGER PRIMARY KEY) STRICT")
    db.execute("INSERT INTO preference VALUES ('smart_counts_working', 'yes'), ('smart_opens_while_flat', 'no')")
