"""Migration of the indicators in ``bridge.db``: what ``store/schema.py`` registers. A released one never changes."""

from __future__ import annotations

import sqlite_utils


def m027_indicators(db: sqlite_utils.Database) -> None:
    """What deserves a look in the traffic, and the habits it is told by. Written by ``store/indicators.py`` alone.

    Of a subject there is one open at most. What was shown is not deleted, and an answer to it is not taken back to
    open. AUTOINCREMENT: a button on an old page must not mean another one.
    """
    db.execute(
        """CREATE TABLE indicator (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('open', 'known', 'past')),
            calls INTEGER NOT NULL,
            level INTEGER NOT NULL,
            first_at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            programs TEXT NOT NULL,
            addresses TEXT NOT NULL,
            endpoints TEXT NOT NULL,
            details TEXT NOT NULL,
            raised_at INTEGER NOT NULL,
            ended_at INTEGER,
            known_level INTEGER,
            CHECK ((state = 'open') = (ended_at IS NULL)),
            CHECK ((state = 'known') = (known_level IS NOT NULL))
        ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX one_open_indicator ON indicator (kind, subject) WHERE state = 'open'")
    db.execute("CREATE INDEX indicator_by_state ON indicator (state, id)")
    db.execute(
        "CREATE TRIGGER indicator_no_delete BEFORE DELETE ON indicator"
        " BEGIN SELECT RAISE(ABORT, 'an indicator is not deleted'); END"
    )
    db.execute(
        "CREATE TRIGGER indicator_moves BEFORE UPDATE OF state ON indicator"
        " WHEN NOT (OLD.state = 'open' OR OLD.state = 'known' AND NEW.state = 'past')"
        " BEGIN SELECT RAISE(ABORT, 'an indicator does not move so'); END"
    )
    db.execute(
        """CREATE TABLE call_habit (
            day INTEGER NOT NULL,
            hour INTEGER NOT NULL,
            program TEXT NOT NULL,
            calls INTEGER NOT NULL,
            most INTEGER,
            PRIMARY KEY (day, hour, program)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE TABLE call_watch (id INTEGER PRIMARY KEY CHECK (id = 1), since INTEGER NOT NULL) STRICT")
