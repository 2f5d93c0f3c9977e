"""Migration of the chart preferences: what ``store/schema.py`` registers. A released one never changes."""

from __future__ import annotations

import sqlite_utils


def m019_chart_preferences(db: sqlite_utils.Database) -> None:
    """What charting programs keep with the bridge, written by ``store/chart_preferences.py`` alone."""
    db.execute("CREATE TABLE chart_preference (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
