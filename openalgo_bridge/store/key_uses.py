"""Which programs used which key, from where, and when last. The only writer of its table, in traffic.db.

A row is one program at one address. It is written at first sight and then once a minute, so that a call costs a
look into memory; what is shown is right to a minute.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.store.database import Database, Row

_WRITTEN_EVERY_MS = 60_000
_LONGEST = 300

# A program that changes its name with every call must fill neither the memory nor the disk.
_MOST_REMEMBERED = 500
_MOST_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """One program at one address: ``endpoint`` is what it called last."""

    fingerprint: str
    program: str
    address: str
    endpoint: str
    first_at: datetime
    last_at: datetime


class KeyUses:
    """See the module. Thread-safe. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._lock = threading.Lock()
        self._written_at: dict[tuple[str, str, str], int] = {}

    def note(self, *, fingerprint: str, program: str, address: str, endpoint: str) -> None:
        """A right key was used."""
        who = (fingerprint, program[:_LONGEST], address)
        now = self._clock.now_ms()
        if not self._is_due(who, now):
            return
        with self._lock:
            if not self._is_due(who, now):
                return
            if len(self._written_at) >= _MOST_REMEMBERED:
                self._written_at.clear()
            # Before the write: a file that cannot be written must not cost every call a try.
            self._written_at[who] = now
        self._write(
            KeyUse(
                fingerprint=fingerprint,
                program=_clean(program),
                address=_clean(address),
                endpoint=_clean(endpoint),
                first_at=from_ms(now),
                last_at=from_ms(now),
            ),
            now,
        )

    def of(self, fingerprint: str) -> list[KeyUse]:
        """Every program that used this key, the latest first."""
        rows = self._db.read(
            "SELECT * FROM key_use WHERE fingerprint = ? ORDER BY last_at DESC LIMIT 100", (fingerprint,)
        )
        return [_use(row) for row in rows]

    def latest(self, fingerprint: str) -> KeyUse | None:
        """The last use of this key, or None."""
        return next(iter(self.of(fingerprint)), None)

    def _is_due(self, who: tuple[str, str, str], now: int) -> bool:
        # Either way: a clock that was set back must not silence the row until it catches up.
        return abs(now - self._written_at.get(who, now - _WRITTEN_EVERY_MS)) >= _WRITTEN_EVERY_MS

    def _write(self, use: KeyUse, now: int) -> None:
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO key_use (fingerprint, program, address, endpoint, first_at, last_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint, program, address)"
                " DO UPDATE SET endpoint = excluded.endpoint, last_at = excluded.last_at",
                (use.fingerprint, use.program, use.address, use.endpoint, now, now),
            )
            excess = db.execute("SELECT count(*) - ? AS n FROM key_use", (_MOST_KEPT,)).fetchone()["n"]
            if excess > 0:
                db.execute(
                    "DELETE FROM key_use WHERE (fingerprint, program, address) IN"
                    " (SELECT fingerprint, program, address FROM key_use ORDER BY last_at LIMIT ?)",
                    (excess,),
                )


def _clean(text: str) -> str:
    """Without a key (security T8) and without what a screen or SQLite cannot hold."""
    text = redact(text)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:_LONGEST]


def _use(row: Row) -> KeyUse:
    return KeyUse(
        fingerprint=row["fingerprint"],
        program=row["program"],
        address=row["address"],
        endpoint=row["endpoint"],
        first_at=from_ms(row["first_at"]),
        last_at=from_ms(row["last_at"]),
    )
