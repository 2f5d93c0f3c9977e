"""The API key as a keyed hash and a sealed copy, and the hashes of the keys it replaced. Never a key in clear.

The only writer of its table. The index ``one_active_key`` allows one row that is not retired. ``machine_mark`` says
under which machine key the keyed hash was made: under another one it can never be found again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.store.database import Database, Row

_RETIRE = "UPDATE api_key SET retired_at = ?, sealed = NULL, wrapped_key = NULL, salt = NULL, cost = NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCopy:
    """The key, readable with the password alone: ``sealed`` under a random key, that one ``wrapped`` under the
    password, ``salt`` and ``cost`` of the hash (security 4.4)."""

    sealed: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A key as it is written. ``copy`` is None where the user wants no copy kept, so that it can never be shown."""

    lookup: bytes
    fingerprint: str
    machine_mark: bytes = field(repr=False)
    copy: KeyCopy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveKey:
    """The key in force."""

    key: SealedKey
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMatch:
    """What is known of a presented key: all that a check needs, without the sealed copy."""

    lookup: bytes
    fingerprint: str
    is_retired: bool


class ApiKeys:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def active(self) -> ActiveKey | None:
        """The key in force, or None."""
        row = self._db.read_one("SELECT * FROM api_key WHERE retired_at IS NULL")
        if row is None:
            return None
        return ActiveKey(key=_sealed_key(row), created_at=from_ms(row["created_at"]))

    def find(self, lookup: bytes) -> KeyMatch | None:
        """The active or retired key of this keyed hash, or None."""
        row = self._db.read_one("SELECT lookup, fingerprint, retired_at FROM api_key WHERE lookup = ?", (lookup,))
        if row is None:
            return None
        retired = row["retired_at"] is not None
        return KeyMatch(lookup=row["lookup"], fingerprint=row["fingerprint"], is_retired=retired)

    def replace(self, key: SealedKey) -> None:
        """Put ``key`` in force. The former one is refused from this commit on, and its copy is gone."""
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            db.execute(f"{_RETIRE} WHERE retired_at IS NULL", (now,))
            insert_active(db, key, now)

    def retire_foreign(self, mark: bytes) -> bool:
        """Retire the active key if it was made under another machine key. True when there was one.

        No program can use it any more; in force it would only be shown as if one could.
        """
        sql = f"{_RETIRE} WHERE retired_at IS NULL AND machine_mark <> ?"
        return self._db.write(sql, (self._clock.now_ms(), mark)) == 1

    def is_foreign(self, mark: bytes) -> bool:
        """True when the newest key, retired or not, was made under another machine key."""
        row = self._db.read_one("SELECT machine_mark FROM api_key ORDER BY id DESC LIMIT 1")
        return row is not None and row["machine_mark"] != mark


def insert_active(db: sqlite3.Connection, key: SealedKey, now_ms: int) -> None:
    """Write the active key inside the caller's transaction, so that the user and the first key are one commit."""
    copy = (key.copy.sealed, key.copy.wrapped_key, key.copy.salt, key.copy.cost) if key.copy else (None,) * 4
    db.execute(
        "INSERT INTO api_key (lookup, fingerprint, machine_mark, sealed, wrapped_key, salt, cost, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key.lookup, key.fingerprint, key.machine_mark, *copy, now_ms),
    )


def _sealed_key(row: Row) -> SealedKey:
    copy = None
    if row["sealed"] is not None:
        copy = KeyCopy(sealed=row["sealed"], wrapped_key=row["wrapped_key"], salt=row["salt"], cost=row["cost"])
    return SealedKey(lookup=row["lookup"], fingerprint=row["fingerprint"], machine_mark=row["machine_mark"], copy=copy)
