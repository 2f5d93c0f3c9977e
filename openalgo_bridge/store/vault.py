"""The vault key, wrapped under the password (security 4.4). The only writer of its table.

The vault key seals the copy of the API key. It stays the same when the password or the API key changes; only its
wrapping is made anew. It is nowhere in clear.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from openalgo_bridge.errors import Conflict
from openalgo_bridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A key wrapped under a stretched secret. ``salt`` and ``cost`` are of the stretching, ``place`` is the cell it
    is bound to, so that two wrappings cannot be swapped."""

    wrapped_key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    cost: str
    place: str


class Vault:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self) -> Wrapped | None:
        """The vault key under the password; None while there never was one."""
        row = self._db.read_one("SELECT wrapped_key, salt, cost, place FROM vault")
        return None if row is None else Wrapped(**row)

    def begin(self, wrapped: Wrapped) -> None:
        """The first vault key. Raises Conflict where there is one: what it sealed must not be lost."""
        with self._db.transaction() as db:
            if db.execute("SELECT 1 FROM vault").fetchone() is not None:
                raise Conflict("The vault was opened for the first time somewhere else just now. Try again.")
            put(db, wrapped)


def put(db: sqlite3.Connection, wrapped: Wrapped) -> None:
    """Replace the wrapping, inside the caller's transaction: password and wrapping change together or not at all."""
    db.execute(
        "INSERT OR REPLACE INTO vault (id, wrapped_key, salt, cost, place) VALUES (1, ?, ?, ?, ?)",
        (wrapped.wrapped_key, wrapped.salt, wrapped.cost, wrapped.place),
    )
