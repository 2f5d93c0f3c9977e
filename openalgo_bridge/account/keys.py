"""The one API key: issued, verified on every call, shown again only to who types the password (security 4.4).

Verifying needs a keyed hash and one indexed read. Showing needs the password: the copy is sealed under the vault
key, which only the password or a recovery code opens. There is no cache: a replaced key, or a permission that was
taken away, is refused on the very next call.
"""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag

from openalgo_bridge.account import integrations, login
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.sealing import seal, unseal
from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, NotAllowed, NotFound, StorageError
from openalgo_bridge.model import apikey
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.permission import Permission, refusal
from openalgo_bridge.store.api_keys import Ending, KeyMatch, KeyRules, SealedKey
from openalgo_bridge.store.machine_key import APIKEY_LOOKUP, MachineKey
from openalgo_bridge.store.preferences import KeyCopy

_FINGERPRINT_LENGTH = 12
_DAMAGED = "The stored copy of the key is damaged. Generate a new key."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who holds the key, and what it may do. ``fingerprint`` is 12 hex characters for logs; it gives nothing of the
    key away."""

    fingerprint: str
    rules: KeyRules

    def may(self, permission: Permission) -> bool:
        """Whether the key has this grant."""
        return permission in self.rules.permissions

    def require(self, permission: Permission) -> None:
        """Raises NotAllowed, naming the grant that is missing."""
        if not self.may(permission):
            raise refusal(permission)

    def require_address(self, address: str) -> None:
        """Raises NotAllowed where the key may not be used from there."""
        if not self.rules.addresses.allows(address):
            raise NotAllowed(
                f"API key not authorized: calls from {address or 'an unknown address'} are not allowed. "
                "Change the addresses on the API key page of the bridge."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshKey:
    """A key not written yet: ``text`` is shown once, ``row`` is what is kept."""

    text: str = field(repr=False)
    row: SealedKey


def verify(desk: Desk, presented: str) -> Caller:
    """The caller behind a key, which may be any text. Raises BadApiKey, and StorageError.

    Timing says nothing: a stranger cannot choose the keyed hash that is looked up (security T23).
    """
    if not apikey.is_well_formed(presented):
        raise BadApiKey(apikey.fault_of(presented))
    lookup = _lookup(desk.store.machine_key, presented)
    match = desk.store.api_keys.find(lookup)
    if match is None or not hmac.compare_digest(match.lookup, lookup):
        raise BadApiKey("Copy the key of this bridge from its API key page.")
    if match.ending is not None:
        # Only who once held the right key can see this sentence.
        raise BadApiKey(_hint_on_ending(match), fingerprint=match.fingerprint)
    return Caller(fingerprint=match.fingerprint, rules=match.rules)


def issue(desk: Desk, proof: Proof, *, by: Actor, replaces: str | None = None) -> str:
    """Make a new key, with the rules of the former one, which is retired in the same commit. Returns the key.

    It is to be shown once. ``replaces`` is the fingerprint of the key that the person means, empty for none, None for
    whichever there is: the second click of a double click must not end the key of the first. Raises Denied,
    RateLimited, Conflict when that one is not in force any more, StorageError.
    """
    keeps_copy = desk.store.preferences.key_copy() is KeyCopy.KEPT
    vault_key = login.open_vault(desk, proof)
    fresh = make(desk.store.machine_key, vault_key if keeps_copy else None)
    former = desk.store.api_keys.replace(fresh.row, expected=replaces, by=by)
    if former:
        _begin_list(desk, former, fresh)
    return fresh.text


def revoke(desk: Desk, proof: Proof, *, by: Actor) -> None:
    """End the key without another. Raises Denied, RateLimited, NotFound when there is none, StorageError."""
    login.confirm(desk, proof)
    desk.store.api_keys.revoke(by=by)


def view(desk: Desk, proof: Proof, *, by: Actor) -> str:
    """The key in clear. It is the cryptography that refuses a wrong password, not a comparison.

    Counted like a step-up. Raises Denied, RateLimited, StorageError, and NotFound when there is no key or no
    copy of it was kept.
    """
    active = desk.store.api_keys.active()
    if active is None:
        raise NotFound("There is no API key. Generate one.")
    if active.key.sealed is None:
        raise NotFound("No copy of this key was kept, so it cannot be shown. Generate a new one if you lost it.")
    vault_key = login.open_vault(desk, proof)
    try:
        text = unseal(vault_key, active.key.sealed, _place(active.key)).decode("ascii")
    except InvalidTag as error:
        raise StorageError(_DAMAGED) from error
    desk.store.audit.add(by, AuditEvent.KEY_SHOWN, after=active.key.fingerprint)
    return text


def machine_key_was_replaced(desk: Desk) -> bool:
    """True while the newest key was made under another machine key, so that no program can use it.

    ``Store.open`` has retired it. Raises StorageError.
    """
    return desk.store.api_keys.is_foreign(desk.store.machine_key.mark)


def make(machine_key: MachineKey, vault_key: bytes | None) -> FreshKey:
    """A new key and the row that keeps it, without a copy where there is no vault key for it. Writes nothing."""
    text = apikey.new_key()
    lookup = _lookup(machine_key, text)
    row = SealedKey(
        lookup=lookup, fingerprint=lookup.hex()[:_FINGERPRINT_LENGTH], machine_mark=machine_key.mark, sealed=None
    )
    if vault_key is not None:
        row = SealedKey(
            lookup=row.lookup,
            fingerprint=row.fingerprint,
            machine_mark=row.machine_mark,
            sealed=seal(vault_key, text.encode("ascii"), _place(row)),
        )
    return FreshKey(text=text, row=row)


def _begin_list(desk: Desk, former_fingerprint: str, fresh: FreshKey) -> None:
    try:
        integrations.begin(desk, former_fingerprint, fresh.row.fingerprint)
    except StorageError:
        # The former key has ended already: nothing may keep the new one from its owner now.
        _log.exception("the list of programs to update could not be made")


def _hint_on_ending(match: KeyMatch) -> str:
    on = f" on {match.retired_at.astimezone(IST):%Y-%m-%d %H:%M} IST" if match.retired_at else ""
    told = {
        Ending.REGENERATED: f"This key was regenerated{on}; use the new one.",
        Ending.REVOKED: f"This key was revoked{on}; generate a new one.",
        Ending.MACHINE_KEY_REPLACED: f"This key was made under another machine.key and ended{on}; generate a new one.",
    }
    return told[match.ending or Ending.REVOKED]


def _lookup(machine_key: MachineKey, key: str) -> bytes:
    return machine_key.digest(APIKEY_LOOKUP, key.encode("ascii"))


def _place(key: SealedKey) -> str:
    return f"api_key|sealed|{key.lookup.hex()}|1"
