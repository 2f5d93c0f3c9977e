"""What must be given a regenerated key, ticked off by the trader (behaviour G18). The only writer of its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One program. ``last_seen_at`` is when it used the old key, where it was seen; ``updated_at`` is None until it
    is ticked off."""

    id: int
    name: str
    last_seen_at: datetime | None
    updated_at: datetime | None


class Integrations:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def begin(self, fingerprint: str, seen: Mapping[str, datetime | None]) -> None:
        """The list for a new key: names, and when each was seen with the old one. Lists of older keys are dropped."""
        lines = [(fingerprint, name, None if at is None else to_ms(at)) for name, at in seen.items()]
        with self._db.transaction() as db:
            db.execute("DELETE FROM integration")
            db.executemany("INSERT INTO integration (fingerprint, name, last_seen_at) VALUES (?, ?, ?)", lines)

    def of(self, fingerprint: str) -> list[Line]:
        """The list of this key, those seen with the old one first, in the order they were given."""
        rows = self._db.read(
            "SELECT id, name, last_seen_at, updated_at FROM integration WHERE fingerprint = ?"
            " ORDER BY last_seen_at IS NULL, id",
            (fingerprint,),
        )
        return [
            Line(
                id=row["id"], name=row["name"], last_seen_at=_at(row["last_seen_at"]), updated_at=_at(row["updated_at"])
            )
            for row in rows
        ]

    def tick(self, fingerprint: str, done: set[int]) -> None:
        """Exactly these are updated; what is not among them is open again. A number of another list means nothing."""
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            for row in db.execute(
                "SELECT id, updated_at FROM integration WHERE fingerprint = ?", (fingerprint,)
            ).fetchall():
                if (row["id"] in done) != (row["updated_at"] is not None):
                    ticked_at = now if row["id"] in done else None
                    db.execute("UPDATE integration SET updated_at = ? WHERE id = ?", (ticked_at, row["id"]))

    def dismiss(self, fingerprint: str) -> None:
        """Drop the list of this key."""
        self._db.write("DELETE FROM integration WHERE fingerprint = ?", (fingerprint,))


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
