"""The one user of this bridge. The only writer of its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.errors import Conflict
from openalgo_bridge.store import api_keys
from openalgo_bridge.store.api_keys import SealedKey
from openalgo_bridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """``password_hash`` is an Argon2id PHC string; ``risk_accepted_at`` is None until the warning is accepted."""

    username: str
    password_hash: str = field(repr=False)
    risk_accepted_at: datetime | None
    created_at: datetime


class Users:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def get(self) -> User | None:
        """The user, or None while the bridge is not set up."""
        row = self._db.read_one("SELECT username, password_hash, risk_accepted_at, created_at FROM user")
        if row is None:
            return None
        accepted = row["risk_accepted_at"]
        return User(
            username=row["username"],
            password_hash=row["password_hash"],
            risk_accepted_at=None if accepted is None else from_ms(accepted),
            created_at=from_ms(row["created_at"]),
        )

    def create(self, *, username: str, password_hash: str, key: SealedKey) -> None:
        """The user, who accepts the risk warning now, and the first key in one commit: both exist or neither.

        Raises Conflict when there is a user already.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            if db.execute("SELECT 1 FROM user").fetchone() is not None:
                raise Conflict("There is an account on this bridge already. Sign in.")
            db.execute(
                "INSERT INTO user (id, username, password_hash, risk_accepted_at, created_at) VALUES (1, ?, ?, ?, ?)",
                (username, password_hash, now, now),
            )
            api_keys.insert_active(db, key, now)
