"""The authenticator app's secret and the recovery codes. The only writer of their tables.

A code works once, ever: its time step is stored, and only a later step is taken, in one conditional update
(security 4.5, M14).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store import audit, sessions
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.vault import Wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoFactor:
    """``secret`` and ``pending`` are sealed under the machine key. ``pending`` was shown, not yet confirmed."""

    secret: bytes | None = field(repr=False)
    pending: bytes | None = field(repr=False)
    last_step: int
    at_login: bool
    for_credentials: bool
    set_up_at: datetime | None

    @property
    def is_set_up(self) -> bool:
        """Whether there is an authenticator whose codes count."""
        return self.secret is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCode:
    """``id`` is the plain beginning of the code; the rest opens ``wrapped``, which holds the vault key until it was
    used. ``made_at`` is None until it is written."""

    id: str
    wrapped: Wrapped
    made_at: datetime | None = None
    used_at: datetime | None = None


class TwoFactors:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def get(self) -> TwoFactor:
        """How it stands."""
        row = self._db.read_one("SELECT * FROM two_factor WHERE id = 1")
        assert row is not None  # noqa: S101 - the migration wrote it
        set_up_at = row["set_up_at"]
        return TwoFactor(
            secret=row["secret"],
            pending=row["pending"],
            last_step=row["last_step"],
            at_login=bool(row["at_login"]),
            for_credentials=bool(row["for_credentials"]),
            set_up_at=None if set_up_at is None else from_ms(set_up_at),
        )

    def begin(self, pending: bytes) -> None:
        """Keep a secret that is about to be shown. What counts so far stays in force."""
        self._db.write("UPDATE two_factor SET pending = ?", (pending,))

    def set_up(self, pending: bytes, step: int, codes: Sequence[RecoveryCode], *, by: Actor) -> None:
        """Put the pending secret in force, its first code used up, both switches on, with new recovery codes.

        Raises Conflict when ``pending`` is not the pending secret any more.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            done = db.execute(
                "UPDATE two_factor SET secret = pending, pending = NULL, last_step = max(last_step, ?), at_login = 1,"
                " for_credentials = 1, set_up_at = ? WHERE pending = ?",
                (step, now, pending),
            )
            if done.rowcount != 1:
                raise Conflict("The set-up was begun again in another window. Use the newest QR code.")
            forget_recovery_codes(db)
            _insert_codes(db, codes, now)
            audit.append(db, now, by, AuditEvent.TWO_FACTOR_SET_UP, after=f"{len(codes)} recovery codes")

    def adopt(self, other: TwoFactor, codes: Sequence[RecoveryCode], *, by: Actor) -> None:
        """Put the authenticator of another file of this account in force, as it stands there, with its ``codes``.

        The codes that were here are worth nothing then, and no code of the app that was used works again.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            db.execute(
                "UPDATE two_factor SET secret = ?, pending = NULL, last_step = max(last_step, ?), at_login = ?,"
                " for_credentials = ?, set_up_at = ?",
                (other.secret, other.last_step, other.at_login, other.for_credentials, _ms(other.set_up_at)),
            )
            forget_recovery_codes(db)
            _insert_codes(db, codes, now)
            audit.append(db, now, by, AuditEvent.TWO_FACTOR_SET_UP, after=f"kept, {len(codes)} recovery codes")

    def use_step(self, step: int) -> bool:
        """Use a code up. False when it, or a later one, was used before: of two racing requests one wins."""
        return self._db.write("UPDATE two_factor SET last_step = ? WHERE last_step < ?", (step, step)) == 1

    def switch(self, event: AuditEvent, *, is_on: bool, by: Actor) -> None:
        """Turn LOGIN_CODE or CREDENTIALS_CODE on or off. Raises Conflict while nothing is set up."""
        column = {AuditEvent.LOGIN_CODE: "at_login", AuditEvent.CREDENTIALS_CODE: "for_credentials"}[event]
        with self._db.transaction() as db:
            done = db.execute(f"UPDATE two_factor SET {column} = ? WHERE secret IS NOT NULL", (int(is_on),))
            if done.rowcount != 1:
                raise Conflict("Set up an authenticator app first.")
            audit.append(db, self._clock.now_ms(), by, event, after="on" if is_on else "off")

    def remove(self, *, by: Actor) -> None:
        """No authenticator, no recovery codes. The last step stays: an old code never works again."""
        with self._db.transaction() as db:
            forget(db)
            audit.append(db, self._clock.now_ms(), by, AuditEvent.TWO_FACTOR_REMOVED)

    def recovery_codes(self) -> list[RecoveryCode]:
        """All of them, those used since the set-up too."""
        rows = self._db.read("SELECT * FROM recovery_code ORDER BY id")
        return [_recovery_code(row) for row in rows]

    def replace_recovery_codes(self, codes: Sequence[RecoveryCode], *, by: Actor) -> None:
        """The former ones are worth nothing from this commit on.

        Those that were used stay on record until an authenticator is set up again, so none of ``codes`` may have
        the id of one.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            db.execute("DELETE FROM recovery_code WHERE used_at IS NULL")
            _insert_codes(db, codes, now)
            audit.append(db, now, by, AuditEvent.RECOVERY_CODES_MADE, after=str(len(codes)))

    def use_recovery_code(self, id_: str, *, by: Actor, ends_sessions: bool = False) -> bool:
        """Use one up, and delete what it opens. ``ends_sessions``: every session ends in the same commit.

        False when it was used before.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            used = db.execute(
                "UPDATE recovery_code SET used_at = ?, wrapped_key = x'', salt = x'' WHERE id = ? AND used_at IS NULL",
                (now, id_),
            )
            if used.rowcount != 1:
                return False
            audit.append(db, now, by, AuditEvent.RECOVERY_CODE_USED, before=id_)
            if ends_sessions:
                ended = sessions.end_others(db, None)
                audit.append(db, now, by, AuditEvent.SESSIONS_ENDED, after=str(ended))
        return True

    def recovery_code_used_at(self) -> datetime | None:
        """When one was last used instead of the authenticator that is set up now; None while none was."""
        row = self._db.read_one("SELECT max(used_at) AS at FROM recovery_code")
        return None if row is None or row["at"] is None else from_ms(row["at"])


def forget(db: sqlite3.Connection) -> None:
    """Remove authenticator and recovery codes inside the caller's transaction."""
    db.execute(
        "UPDATE two_factor SET secret = NULL, pending = NULL, at_login = 0, for_credentials = 0, set_up_at = NULL"
    )
    forget_recovery_codes(db)


def forget_recovery_codes(db: sqlite3.Connection) -> None:
    """Delete them inside the caller's transaction."""
    db.execute("DELETE FROM recovery_code")


def _insert_codes(db: sqlite3.Connection, codes: Sequence[RecoveryCode], now_ms: int) -> None:
    db.executemany(
        "INSERT INTO recovery_code (id, wrapped_key, salt, cost, made_at) VALUES (?, ?, ?, ?, coalesce(?, ?))",
        [
            (each.id, each.wrapped.wrapped_key, each.wrapped.salt, each.wrapped.cost, _ms(each.made_at), now_ms)
            for each in codes
        ],
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _recovery_code(row: sqlite3.Row) -> RecoveryCode:
    place = place_of(row["id"])
    wrapped = Wrapped(wrapped_key=row["wrapped_key"], salt=row["salt"], cost=row["cost"], place=place)
    used_at = row["used_at"]
    return RecoveryCode(
        id=row["id"],
        wrapped=wrapped,
        made_at=from_ms(row["made_at"]),
        used_at=None if used_at is None else from_ms(used_at),
    )


def place_of(id_: str) -> str:
    """The cell that the wrapping of a recovery code is bound to (security 4.3)."""
    return f"recovery_code|wrapped_key|{id_}|1"
