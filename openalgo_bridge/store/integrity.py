"""Whether a database file is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from openalgo_bridge.store.database import Database

FILES: dict[str, Literal["FULL", "NORMAL"]] = {"bridge.db": "FULL", "traffic.db": "NORMAL", "instruments.db": "NORMAL"}
"""The three files of one bridge, and how durable each is."""


def faults_of(path: Path) -> list[str]:
    """What SQLite's quick check finds in an existing file of :data:`FILES`; empty when it is sound.

    Raises StorageError when the file is no database at all or cannot be opened.
    """
    database = Database(path, synchronous=FILES[path.name])
    try:
        answers = [str(row[0]) for row in database.read("PRAGMA quick_check(5)")]
    finally:
        database.close()
    return [] if answers == ["ok"] else answers
