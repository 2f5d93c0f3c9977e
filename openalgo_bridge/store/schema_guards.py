"""Migration of the guards in ``bridge.db``: what ``store/schema.py`` registers. A released one never changes."""

from __future__ import annotations

import sqlite_utils


def m013_guards(db: sqlite_utils.Database) -> None:
    """What the trader set, one row per guard, as the texts of the form. Written by ``store/guards.py`` alone.

    A guard without a row has its default: off, or its sanity limit.
    """
    db.execute("CREATE TABLE guard (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
