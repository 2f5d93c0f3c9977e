"""The API key as a keyed hash and a sealed copy, its rules, and the hashes of the keys before it. Never in clear.

The only writer of its table. The index ``one_active_key`` allows one row that is not retired. ``machine_mark`` says
under which machine key the keyed hash was made: under another one it can never be found again.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, NotFound, StorageError
from openalgo_bridge.model import address, permission
from openalgo_bridge.model.address import ANYWHERE, NOWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.permission import PRESETS, Grants, Preset, preset_of
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database, Row

FIRST_NAME = "My key"

_RULES = "name, permissions, addresses"
_Rule = TypeVar("_Rule", Grants, AddressRule)


class Ending(StrEnum):
    """Why a key is refused."""

    REGENERATED = "regenerated"
    REVOKED = "revoked"
    MACHINE_KEY_REPLACED = "machine_key_replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """What the key may do and from where. They outlive the key: a regenerated one has the same.

    ``are_readable`` is False where one of them means nothing: it is then shown as nothing and nowhere, so that it can
    be set again, and every call is refused until it is.
    """

    name: str = FIRST_NAME
    permissions: Grants = PRESETS[Preset.FULL]
    addresses: AddressRule = ANYWHERE
    are_readable: bool = True


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
        """The key in force, or None. For the pages: its rules may be unreadable, see :class:`KeyRules`."""
        row = self._db.read_one("SELECT * FROM api_key WHERE retired_at IS NULL")
        if row is None:
            return None
        key = SealedKey(**{name: row[name] for name in ("lookup", "fingerprint", "machine_mark", "sealed")})
        return ActiveKey(key=key, rules=_rules(row), created_at=from_ms(row["created_at"]))

    def find(self, lookup: bytes) -> KeyMatch | None:
        """The active or retired key of this keyed hash, or None. Raises StorageError where its rules mean nothing."""
        row = self._db.read_one(
            f"SELECT lookup, fingerprint, {_RULES}, retired_at, ending FROM api_key WHERE lookup = ?", (lookup,)
        )
        if row is None:
            return None
        is_active = row["retired_at"] is None
        return KeyMatch(
            lookup=row["lookup"],
            fingerprint=row["fingerprint"],
            rules=_readable(_rules(row)),
            ending=None if is_active else Ending(row["ending"]),
            retired_at=None if is_active else from_ms(row["retired_at"]),
        )

    def replace(self, key: SealedKey, *, by: Actor, expected: str | None = None) -> str:
        """Put ``key`` in force with the rules of the one before. That one is refused from this commit on.

        Rules that cannot be read become no permission at all, and this PC where the addresses are what is damaged.

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
            rules = KeyRules() if latest is None else _passed_on(_rules(latest))
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

    def permit(self, granted: Grants, *, by: Actor, expected: Grants | None = None) -> None:
        """Allow the key in force this and nothing else. Raises NotFound when there is none.

        Raises Conflict where ``expected`` is given and something else is allowed by now: whether a change needs a
        proof was decided on what was allowed then.
        """
        former = None if expected is None else permission.to_text(expected)
        self._change("permissions", permission.to_text(granted), AuditEvent.KEY_PERMISSIONS, by, expected=former)

    def restrict(self, addresses: AddressRule, *, by: Actor, expected: AddressRule | None = None) -> None:
        """Take the key in force from these addresses only. Raises as :meth:`permit` does."""
        former = None if expected is None else str(expected)
        self._change("addresses", str(addresses), AuditEvent.KEY_ADDRESSES, by, expected=former)

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

    def _change(self, column: str, value: str, event: AuditEvent, by: Actor, *, expected: str | None = None) -> None:
        """``column`` is one of three names above, never a caller's text."""
        with self._db.transaction() as db:
            row = db.execute(f"SELECT id, {column} AS former FROM api_key WHERE retired_at IS NULL").fetchone()
            if row is None:
                raise NotFound("There is no API key. Generate one first.")
            if expected is not None and _canonical(column, row["former"]) != expected:
                raise Conflict(CHANGED_MEANWHILE)
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
    """A rule that means nothing allows nothing."""
    granted = _read(permission.from_text, row["permissions"])
    addresses = _read(address.from_text, row["addresses"])
    return KeyRules(
        name=row["name"],
        permissions=frozenset() if granted is None else granted,
        addresses=addresses or NOWHERE,
        are_readable=granted is not None and addresses is not None,
    )


def _read(parse: Callable[[str], _Rule], text: str) -> _Rule | None:
    try:
        return parse(text)
    except ValueError:
        return None


def _readable(rules: KeyRules) -> KeyRules:
    """Raises StorageError for the others: a key with unknown rules may do nothing."""
    if not rules.are_readable:
        raise StorageError("The rules of the API key cannot be read. Set permissions and addresses again.")
    return rules


def _passed_on(rules: KeyRules) -> KeyRules:
    """To the next key: nobody knows what a damaged one had been denied."""
    if rules.are_readable:
        return rules
    addresses = THIS_PC if rules.addresses == NOWHERE else rules.addresses
    return KeyRules(name=rules.name, permissions=frozenset(), addresses=addresses)


def _canonical(column: str, stored: str) -> str:
    """The stored text as it would be written today; as it is where it means nothing."""
    if column == "permissions":
        granted = _read(permission.from_text, stored)
        return stored if granted is None else permission.to_text(granted)
    return str(_read(address.from_text, stored) or stored)


def _told(column: str, value: str) -> str:
    """For the audit list: the preset's name before the grants."""
    if column != "permissions":
        return value
    try:
        return f"{preset_of(permission.from_text(value))}: {value}"
    except ValueError:
        return value
