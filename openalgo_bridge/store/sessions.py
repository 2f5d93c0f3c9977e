"""Browser sessions as rows, so that one can be ended (security 4.6). The only writer of its table.

A row is found by the HMAC of its id (``MachineKey.digest(SESSION_HASH, ...)``): who steals the database cannot
make a cookie from it. A session lives 12 hours, whatever it does. There is a row for who signed in only: a row
is a durable write, and any web page can make the trader's browser ask for ours.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.errors import NotFound
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.machine_key import SESSION_HASH, MachineKey

SESSION_LIFE = timedelta(hours=12)
ID_BYTES = 32
"""Of an id, which is these bytes in base64url."""

_SEEN_EVERY = timedelta(minutes=1)
_CLOCK_TOLERANCE = timedelta(minutes=2)
_PATIENCE_MS = 1000
"""Of an answer that is ready: what it did is done, and is in the journal."""
_LONGEST_TEXT = 200
_NUMBER_BITS = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """``content`` is ASCII JSON; ``address`` and ``program`` (the User-Agent) are what a person knows it by."""

    id_hash: bytes = field(repr=False)
    content: str = field(repr=False)
    address: str
    program: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(NewSession):
    """One row. ``number`` is no secret, not given twice and stays when the id changes: a session is kept, ended and
    signed out by that. ``seen_at`` is right to a minute."""

    number: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


def hashed(machine_key: MachineKey, session_id: str) -> bytes:
    """What a session is found by. An id is whatever stands in a cookie; the digest gives every text an answer."""
    shortened = hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).digest()
    return machine_key.digest(SESSION_HASH, shortened)


class Sessions:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def create(self, session: NewSession, *, password_hash: str, replacing: int | None = None) -> bool:
        """Start a session with its full life. ``replacing`` ends the one before it in the same commit.

        ``password_hash`` is what the password was compared with: False, and no session, where it was changed since,
        because that change has ended every session that was there. A sign-in must come here with a fresh id: one
        planted in the browser before is worth nothing (security T21).
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            db.execute("DELETE FROM session WHERE id = ? OR expires_at <= ?", (replacing, to_ms(now)))
            if db.execute("SELECT 1 FROM user WHERE password_hash = ?", (password_hash,)).fetchone() is None:
                return False
            _insert(db, session, now)
        return True

    def load(self, id_hash: bytes) -> Session | None:
        """The session while it lives, else None. Reading does not lengthen it.

        One that was last seen later than now has ended too: the clock was set back, which must not lengthen it (T11).
        """
        now = self._clock.now()
        row = self._db.read_one(
            "SELECT * FROM session WHERE id_hash = ? AND expires_at > ? AND seen_at <= ?",
            (id_hash, to_ms(now), to_ms(now + _CLOCK_TOLERANCE)),
        )
        return None if row is None else _session(row)

    def all(self) -> list[Session]:
        """Every living session, the one last seen first."""
        rows = self._db.read(
            "SELECT * FROM session WHERE expires_at > ? ORDER BY seen_at DESC, created_at DESC, id",
            (self._clock.now_ms(),),
        )
        return [_session(row) for row in rows]

    def save(self, number: int, change: Callable[[str], str], *, new_id_hash: bytes | None = None) -> bool:
        """Keep what ``change`` makes of the content as it is now, which another tab may have changed meanwhile.

        False when the session has ended: a slow request never revives it after a logout. A second click that began
        under the former id is no slow request: it finds its session all the same. ``new_id_hash`` is for a step-up:
        a new id in the same commit, so that what it opened is never open under the former one. The end stays.
        """
        with self._db.transaction(wait_ms=_PATIENCE_MS) as db:
            sql = "SELECT content FROM session WHERE id = ? AND expires_at > ?"
            row = db.execute(sql, (number, self._clock.now_ms())).fetchone()
            if row is None:
                return False
            db.execute(
                "UPDATE session SET content = ?, id_hash = coalesce(?, id_hash) WHERE id = ?",
                (change(row["content"]), new_id_hash, number),
            )
        return True

    def touch(self, session: Session) -> None:
        """Note that the person did something; costs a write at most once a minute. Not for background polls.

        Waits for nobody: raises StorageError where somebody else writes just now, and the next page notes it.
        """
        now = self._clock.now()
        if now - session.seen_at >= _SEEN_EVERY:
            with self._db.transaction(wait_ms=0) as db:
                db.execute("UPDATE session SET seen_at = ? WHERE id = ?", (to_ms(now), session.number))

    def delete(self, number: int) -> None:
        """End a session, whatever its id is by now. Effective for the next request."""
        self._db.write("DELETE FROM session WHERE id = ?", (number,))

    def end(self, number: int, *, by: Actor) -> None:
        """End one by its number. Raises NotFound when it has ended already."""
        with self._db.transaction() as db:
            ended = db.execute("DELETE FROM session WHERE id = ? RETURNING address, program", (number,)).fetchall()
            if not ended:
                raise NotFound("This session has ended already.")
            told = f"{ended[0]['address']} {ended[0]['program']}"
            audit.append(db, self._clock.now_ms(), by, AuditEvent.SESSION_ENDED, before=told)

    def end_others(self, keep: int | None, *, by: Actor) -> int:
        """Log out everywhere, but for ``keep``; returns how many sessions that ended."""
        with self._db.transaction() as db:
            ended = end_others(db, keep)
            audit.append(db, self._clock.now_ms(), by, AuditEvent.SESSIONS_ENDED, after=str(ended))
        return ended

    def prune(self) -> int:
        """Delete what has expired; returns how many. :meth:`create` does the same by the way."""
        return self._db.write("DELETE FROM session WHERE expires_at <= ?", (self._clock.now_ms(),))


def end_others(db: sqlite3.Connection, keep: int | None) -> int:
    """The same inside the caller's transaction, for a change of the password."""
    return db.execute("DELETE FROM session WHERE id IS NOT ?", (keep,)).rowcount


def _session(row: Row) -> Session:
    return Session(
        number=row["id"],
        id_hash=row["id_hash"],
        content=row["content"],
        address=row["address"],
        program=row["program"],
        created_at=from_ms(row["created_at"]),
        seen_at=from_ms(row["seen_at"]),
        expires_at=from_ms(row["expires_at"]),
    )


def _insert(db: sqlite3.Connection, session: NewSession, now: datetime) -> None:
    db.execute(
        "INSERT INTO session (id, id_hash, content, address, program, created_at, seen_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            # Not the next free one: "End" on a page from before must not hit a session that took over a number.
            secrets.randbits(_NUMBER_BITS),
            session.id_hash,
            session.content,
            _storable(session.address),
            _storable(session.program),
            to_ms(now),
            to_ms(now),
            to_ms(now + SESSION_LIFE),
        ),
    )


def _storable(text: str) -> str:
    """A caller's own text: without a key, cut, and without the lone surrogates that SQLite cannot hold (M18)."""
    return redact(text)[:_LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
