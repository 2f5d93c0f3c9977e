"""The API key as a keyed hash and a sealed copy, its rules, and the hashes of the keys before it. Never in clear.

The only writer of its table. The index ``one_active_key`` allows one row that is not retired. ``machine_mark`` says
under which machine key the keyed hash was made: under another one it can never be found again.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.errors import Conflict, NotFound, StorageError
from openalgo_bridge.model import address, permission
from openalgo_bridge.model.address import ANYWHERE, AddressRule
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.permission import PRESETS, Grants, Preset, preset_of
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database, Row

FIRST_NAME = "My key"

_RULES = "name, permissions, addresses"


class Ending(StrEnum):
    """Why a key is refused."""

    REGENERATED = "regenerated"
    REVOKED = "revoked"
    MACHINE_KEY_REPLACED = "machine_key_replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """What the key may do and from where. They outlive the key: a regenerated one has the same."""

    name: str = FIRST_NAME
    permissions: Grants = PRESETS[Preset.FULL]
    addresses: AddressRule = ANYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A key as it is written. ``sealed`` is the copy under the vault key, or None where none is kept: then it can
    never be shown."""

    lookup: bytes
    fingerprint: str
    machine_mark: bytes = field(repr=False)
    sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveKey:
    """The key in force."""

    key: SealedKey
    rules: KeyRules
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMatch:
    """What is known of a presented key: all that a check needs, without the sealed copy."""

    lookup: bytes
    fingerprint: str
    rules: KeyRules
    ending: Ending | None
    retired_at: datetime | None


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
        key = SealedKey(**{name: row[name] for name in ("lookup", "fingerprint", "machine_mark", "sealed")})
        return ActiveKey(key=key, rules=_rules(row), created_at=from_ms(row["created_at"]))

    def find(self, lookup: bytes) -> KeyMatch | None:
        """The active or retired key of this keyed hash, or None."""
        row = self._db.read_one(
            f"SELECT lookup, fingerprint, {_RULES}, retired_at, ending FROM api_key WHERE lookup = ?", (lookup,)
        )
        if row is None:
            return None
        is_active = row["retired_at"] is None
        return KeyMatch(
            lookup=row["lookup"],
            fingerprint=row["fingerprint"],
            rules=_rules(row),
            ending=None if is_active else Ending(row["ending"]),
            retired_at=None if is_active else from_ms(row["retired_at"]),
        )

    def replace(self, key: SealedKey, *, by: Actor, expected: str | None = None) -> str:
        """Put ``key`` in force with the rules of the one before. That one is refused from this commit on.

        Returns the fingerprint of the one before, which may have ended long ago; empty when there never was one. No
        copy is written while the trader wants none, also where that was chosen a moment ago. Raises Conflict where
        ``expected`` is given and the key in force has another fingerprint; empty means that there is none.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            in_force = _retire(db, Ending.REGENERATED, now)
            if expected is not None and expected != in_force:
                raise Conflict(
                    "Nothing was changed: the key had been replaced already, by an earlier click or elsewhere."
                )
            latest = db.execute(f"SELECT fingerprint, {_RULES} FROM api_key ORDER BY id DESC LIMIT 1").fetchone()
            rules = KeyRules() if latest is None else _rules(latest)
            insert_active(db, key if _keeps_copy(db) else dataclasses.replace(key, sealed=None), now, rules=rules)
            event = AuditEvent.KEY_REGENERATED if in_force else AuditEvent.KEY_GENERATED
            audit.append(db, now, by, event, before=in_force, after=key.fingerprint)
        return "" if latest is None else str(latest["fingerprint"])

    def revoke(self, *, by: Actor) -> None:
        """End the key in force without another. Raises NotFound when there is none."""
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            former = _retire(db, Ending.REVOKED, now)
            if not former:
                raise NotFound("There is no API key.")
            audit.append(db, now, by, AuditEvent.KEY_REVOKED, before=former)

    def rename(self, name: str, *, by: Actor) -> None:
        """Call the key in force ``name``. Raises NotFound when there is none."""
        self._change("name", name, AuditEvent.KEY_NAMED, by)

    def permit(self, granted: Grants, *, by: Actor) -> None:
        """Allow the key in force this and nothing else. Raises NotFound when there is none."""
        self._change("permissions", permission.to_text(granted), AuditEvent.KEY_PERMISSIONS, by)

    def restrict(self, addresses: AddressRule, *, by: Actor) -> None:
        """Take the key in force from these addresses only. Raises NotFound when there is none."""
        self._change("addresses", str(addresses), AuditEvent.KEY_ADDRESSES, by)

    def retire_foreign(self, mark: bytes, *, by: Actor) -> bool:
        """Retire the active key if it was made under another machine key. True when there was one.

        No program can use it any more; in force it would only be shown as if one could.
        """
        now = self._clock.now_ms()
        with self._db.transaction() as db:
            foreign = db.execute("SELECT 1 FROM api_key WHERE retired_at IS NULL AND machine_mark <> ?", (mark,))
            if foreign.fetchone() is None:
                return False
            former = _retire(db, Ending.MACHINE_KEY_REPLACED, now)
            audit.append(db, now, by, AuditEvent.KEY_LOST, before=former)
        return True

    def is_foreign(self, mark: bytes) -> bool:
        """True when the newest key, retired or not, was made under another machine key."""
        row = self._db.read_one("SELECT machine_mark FROM api_key ORDER BY id DESC LIMIT 1")
        return row is not None and row["machine_mark"] != mark

    def _change(self, column: str, value: str, event: AuditEvent, by: Actor) -> None:
        """``column`` is one of three names above, never a caller's text."""
        with self._db.transaction() as db:
            row = db.execute(f"SELECT id, {column} AS former FROM api_key WHERE retired_at IS NULL").fetchone()
            if row is None:
                raise NotFound("There is no API key. Generate one first.")
            if row["former"] == value:
                return
            db.execute(f"UPDATE api_key SET {column} = ? WHERE id = ?", (value, row["id"]))
            audit.append(
                db, self._clock.now_ms(), by, event, before=_told(column, row["former"]), after=_told(column, value)
            )


def insert_active(db: sqlite3.Connection, key: SealedKey, now_ms: int, *, rules: KeyRules) -> None:
    """Write the active key inside the caller's transaction, so that the user and the first key are one commit."""
    db.execute(
        "INSERT INTO api_key (lookup, fingerprint, machine_mark, name, permissions, addresses, sealed, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.lookup,
            key.fingerprint,
            key.machine_mark,
            rules.name,
            permission.to_text(rules.permissions),
            str(rules.addresses),
            key.sealed,
            now_ms,
        ),
    )


def forget_copies(db: sqlite3.Connection) -> bool:
    """Delete the sealed copy, inside the caller's transaction. True when there was one."""
    return db.execute("UPDATE api_key SET sealed = NULL WHERE sealed IS NOT NULL").rowcount > 0


def _keeps_copy(db: sqlite3.Connection) -> bool:
    """Whether the trader lets a copy be kept; no where that cannot be read."""
    row = db.execute("SELECT value FROM preference WHERE name = 'key_copy'").fetchone()
    return row is not None and row["value"] == "kept"


def _retire(db: sqlite3.Connection, ending: Ending, now_ms: int) -> str:
    """End the key in force and drop its copy. Its fingerprint, or nothing when there was none."""
    row = db.execute("SELECT id, fingerprint FROM api_key WHERE retired_at IS NULL").fetchone()
    if row is None:
        return ""
    db.execute("UPDATE api_key SET retired_at = ?, ending = ?, sealed = NULL WHERE id = ?", (now_ms, ending, row["id"]))
    return str(row["fingerprint"])


def _rules(row: Row) -> KeyRules:
    """Raises StorageError where a rule means nothing: a key with unknown rules may do nothing."""
    try:
        return KeyRules(
            name=row["name"],
            permissions=permission.from_text(row["permissions"]),
            addresses=address.from_text(row["addresses"]),
        )
    except ValueError as error:
        raise StorageError("The rules of the API key cannot be read. Set permissions and addresses again.") from error


def _told(column: str, value: str) -> str:
    """For the audit list: the preset's name before the grants."""
    if column != "permissions":
        return value
    try:
        return f"{preset_of(permission.from_text(value))}: {value}"
    except ValueError:
        return value
