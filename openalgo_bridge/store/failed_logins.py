"""Tries at a password, counted on disk so that a restart clears nothing (security 4.5). One writer: this module.

A try is written before its password is looked at and removed when it was right. So what stands in the table are
the wrong ones, and tries that run at the same moment are counted too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.store.database import Database

Wait = Callable[[Sequence[datetime], datetime], timedelta]
"""How long to wait, given the earlier tries (oldest first) and the moment now; zero to go ahead."""

_NOTHING = timedelta(0)

# A clock that is set back leaves tries in the future. They must not lock the owner out until it catches up.
_CLOCK_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """``wait`` is zero when the try was counted; ``number`` is its own then, never given twice, and else 0."""

    wait: timedelta
    number: int


class FailedLogins:
    """``bucket`` names who is counted together. Every method may raise StorageError: callers then refuse."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def admit(self, bucket: str, *, horizon: timedelta, wait: Wait) -> Admission:
        """Count one more try, unless ``wait`` says it is too early.

        Reading and counting are one transaction: of tries made at once, no more pass than the limit allows.
        ``wait`` sees the tries of the last ``horizon``; older ones of this bucket are forgotten.
        """
        with self._db.transaction() as db:
            now = self._clock.now()
            span = (to_ms(now - horizon), to_ms(now + _CLOCK_SLACK))
            db.execute("DELETE FROM failed_login WHERE bucket = ? AND at NOT BETWEEN ? AND ?", (bucket, *span))
            rows = db.execute("SELECT at FROM failed_login WHERE bucket = ? ORDER BY at", (bucket,)).fetchall()
            left = wait([from_ms(row["at"]) for row in rows], now)
            if left > _NOTHING:
                return Admission(wait=left, number=0)
            made = db.execute("INSERT INTO failed_login (bucket, at) VALUES (?, ?)", (bucket, to_ms(now)))
            return Admission(wait=_NOTHING, number=made.lastrowid or 0)

    def forget(self, number: int) -> None:
        """Take one try back, because no password was looked at."""
        self._db.write("DELETE FROM failed_login WHERE id = ?", (number,))

    def add(self, bucket: str) -> None:
        """Count one failure, whatever came before."""
        self._db.write("INSERT INTO failed_login (bucket, at) VALUES (?, ?)", (bucket, self._clock.now_ms()))

    def count_since(self, bucket: str, moment: datetime) -> int:
        """How many stand in the bucket since ``moment``."""
        row = self._db.read_one(
            "SELECT count(*) AS n FROM failed_login WHERE bucket = ? AND at >= ?", (bucket, to_ms(moment))
        )
        return int(row["n"]) if row else 0

    def clear(self, bucket: str) -> None:
        """Forget the bucket, after a right password."""
        self._db.write("DELETE FROM failed_login WHERE bucket = ?", (bucket,))

    def clear_all(self) -> None:
        """Forget every bucket: the owner of the files must not meet a lock-out."""
        with self._db.transaction() as db:
            forget_all(db)

    def prune(self, before: datetime) -> int:
        """Forget everything older, such as buckets of devices that never came back; returns how many."""
        return self._db.write("DELETE FROM failed_login WHERE at < ?", (to_ms(before),))


def forget_all(db: sqlite3.Connection) -> None:
    """Forget every bucket inside the caller's transaction: nobody was locked out."""
    db.execute("DELETE FROM failed_login")
