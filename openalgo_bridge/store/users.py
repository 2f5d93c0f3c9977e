"""The one user of this bridge. The only writer of its table."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.errors import Conflict, NotFound
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store import api_keys, audit, failed_logins, sessions, two_factor, vault
from openalgo_bridge.store.api_keys import KeyRules, SealedKey
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.vault import Wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """``password_hash`` is an Argon2id PHC string; ``risk_accepted_at`` is None until the warning is accepted, and
    ``risk_version`` says which text of it was."""

    username: str
    password_hash: str = field(repr=False)
    risk_accepted_at: datetime | None
    risk_version: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """All that a set-up writes. ``vault`` is the vault key under the password."""

    username: str
    password_hash: str = field(repr=False)
    risk_version: str
    key: SealedKey
    vault: Wrapped


class Users:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def get(self) -> User | None:
        """The user, or None while the bridge is not set up."""
        row = self._db.read_one("SELECT username, password_hash, risk_accepted_at, risk_version, created_at FROM user")
        if row is None:
            return None
        accepted = row["risk_accepted_at"]
        return User(
            username=row["username"],
            password_hash=row["password_hash"],
            risk_accepted_at=None if accepted is None else from_ms(accepted),
            risk_version=row["risk_version"],
            created_at=from_ms(row["created_at"]),
        )

    def create(self, user: NewUser, *, by: Actor) -> None:
        """The user, who accepts the risk warning now, and the first key in one commit: both exist or neither.

        Raises Conflict when there is a user already.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            if db.execute("SELECT 1 FROM user").fetchone() is not None:
                raise Conflict("There is an account on this bridge already. Sign in.")
            db.execute(
                "INSERT INTO user (id, username, password_hash, risk_accepted_at, risk_version, created_at)"
                " VALUES (1, ?, ?, ?, ?, ?)",
                (user.username, user.password_hash, now, user.risk_version, now),
            )
            vault.put(db, user.vault)
            api_keys.insert_active(db, user.key, now, rules=KeyRules())
            audit.append(db, now, by, AuditEvent.ACCOUNT_MADE, after=user.username)
            audit.append(db, now, by, AuditEvent.RISK_ACCEPTED, after=user.risk_version)
            audit.append(db, now, by, AuditEvent.KEY_GENERATED, after=user.key.fingerprint)

    def change_password(self, password_hash: str, wrapped: Wrapped, *, keep_session: int | None, by: Actor) -> None:
        """A new password, the vault key wrapped under it, and every session but ``keep_session`` ended: one commit.

        Raises NotFound while there is no user.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            _set_password(db, password_hash)
            vault.put(db, wrapped)
            sessions.end_others(db, keep_session)
            audit.append(db, now, by, AuditEvent.PASSWORD_CHANGED)

    def reset_password(
        self, password_hash: str, wrapped: Wrapped, *, opens_copies: bool, by: Actor, removes_two_factor: bool = False
    ) -> bool:
        """A new password without the old one. All sessions end, and no wrong try is held against anybody.

        ``opens_copies`` is False where ``wrapped`` holds a new vault key: the copy sealed under the old one, and the
        recovery codes that open it, are deleted then. One commit; True when a copy of the key was lost. Raises
        NotFound while there is no user.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            _set_password(db, password_hash)
            vault.put(db, wrapped)
            sessions.end_others(db, None)
            failed_logins.forget_all(db)
            lost = False
            if not opens_copies:
                lost = api_keys.forget_copies(db)
                two_factor.forget_recovery_codes(db)
            audit.append(db, now, by, AuditEvent.PASSWORD_RESET, after="copy of the key lost" if lost else "")
            if removes_two_factor:
                two_factor.forget(db)
                audit.append(db, now, by, AuditEvent.TWO_FACTOR_REMOVED)
        return lost


def _set_password(db: sqlite3.Connection, password_hash: str) -> None:
    if db.execute("UPDATE user SET password_hash = ?", (password_hash,)).rowcount != 1:
        raise NotFound("There is no account yet.")
