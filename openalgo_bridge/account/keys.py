"""The one API key: issued, verified on every call, shown again only to who types the password (security 4.4).

Verifying needs a keyed hash and one indexed read. Showing needs the password: the key is sealed under a random
key (DEK), and the DEK is wrapped under HKDF(Argon2id(password)) with a salt and a cost of its own. Nothing on the
disk, the machine key included, opens it. There is no cache: a replaced key is refused on the very next call.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openalgo_bridge.account import login
from openalgo_bridge.account.password import SALT_LENGTH, Argon2Cost, derive_key
from openalgo_bridge.account.sealing import seal, unseal
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, Denied, NotFound, StorageError
from openalgo_bridge.model import apikey
from openalgo_bridge.store.api_keys import KeyCopy, SealedKey
from openalgo_bridge.store.machine_key import APIKEY_LOOKUP, MachineKey

_DEK_LENGTH = 32
_FINGERPRINT_LENGTH = 12
_DAMAGED = "The stored copy of the key is damaged. Generate a new key."


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who holds the key. ``fingerprint`` is 12 hex characters for logs; it gives nothing of the key away."""

    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshKey:
    """A key not written yet: ``text`` is shown once, ``row`` is what is kept."""

    text: str = field(repr=False)
    row: SealedKey


def issue(desk: Desk, password: str) -> str:
    """Make a new key and retire the former one in the same commit. Returns the key, to be shown once.

    Asks for the password itself: a key sealed under a wrong one could never be shown again. Raises Denied,
    RateLimited, StorageError.
    """
    login.confirm_password(desk, password)
    fresh = make(desk.store.machine_key, password, desk.argon2)
    desk.store.api_keys.replace(fresh.row)
    return fresh.text


def verify(desk: Desk, presented: str) -> Caller:
    """The caller behind a key, which may be any text. Raises BadApiKey, and StorageError.

    Timing says nothing: a stranger cannot choose the keyed hash that is looked up (security T23).
    """
    if not apikey.is_well_formed(presented):
        raise BadApiKey("The key looks mistyped.")
    lookup = _lookup(desk.store.machine_key, presented)
    match = desk.store.api_keys.find(lookup)
    if match is None or not hmac.compare_digest(match.lookup, lookup):
        raise BadApiKey
    if match.is_retired:
        # Only who once held the right key can see this sentence.
        raise BadApiKey("This key was replaced; use the new one.")
    return Caller(fingerprint=match.fingerprint)


def view(desk: Desk, password: str) -> str:
    """The key in clear. It is the cryptography that refuses a wrong password, not a comparison.

    Counted like a step-up. Raises Denied, RateLimited, StorageError, and NotFound when there is no key or no
    copy of it was kept.
    """
    active = desk.store.api_keys.active()
    if active is None:
        raise NotFound("There is no API key. Generate one.")
    copy = active.key.copy
    if copy is None:
        raise NotFound("No copy of this key was kept, so it cannot be shown. Generate a new one if you lost it.")
    cost = _cost_of(copy)
    with login.confirmation(desk):
        try:
            dek = unseal(_kek(password, copy.salt, cost), copy.wrapped_key, _place("wrapped_key", active.key))
        except InvalidTag as error:
            raise Denied("Wrong password.") from error
    try:
        return unseal(dek, copy.sealed, _place("sealed", active.key)).decode("ascii")
    except InvalidTag as error:
        raise StorageError(_DAMAGED) from error


def machine_key_was_replaced(desk: Desk) -> bool:
    """True while the newest key was made under another machine key, so that no program can use it.

    ``Store.open`` has retired it. Raises StorageError.
    """
    return desk.store.api_keys.is_foreign(desk.store.machine_key.mark)


def make(machine_key: MachineKey, password: str, cost: Argon2Cost) -> FreshKey:
    """A new key and the row that keeps it. Writes nothing. Raises RateLimited."""
    text = apikey.new_key()
    lookup = _lookup(machine_key, text)
    fingerprint = lookup.hex()[:_FINGERPRINT_LENGTH]
    bare = SealedKey(lookup=lookup, fingerprint=fingerprint, machine_mark=machine_key.mark, copy=None)
    dek, salt = os.urandom(_DEK_LENGTH), os.urandom(SALT_LENGTH)
    copy = KeyCopy(
        sealed=seal(dek, text.encode("ascii"), _place("sealed", bare)),
        wrapped_key=seal(_kek(password, salt, cost), dek, _place("wrapped_key", bare)),
        salt=salt,
        cost=str(cost),
    )
    return FreshKey(text=text, row=replace(bare, copy=copy))


def _lookup(machine_key: MachineKey, key: str) -> bytes:
    return machine_key.digest(APIKEY_LOOKUP, key.encode("ascii"))


def _cost_of(copy: KeyCopy) -> Argon2Cost:
    """What the copy was made with, which need not be what new ones cost."""
    try:
        return Argon2Cost.parse(copy.cost)
    except ValueError as error:
        raise StorageError(_DAMAGED) from error


def _kek(password: str, salt: bytes, cost: Argon2Cost) -> bytes:
    stretched = derive_key(password, salt, cost)
    return HKDF(algorithm=SHA256(), length=_DEK_LENGTH, salt=None, info=b"openalgo_bridge|key-wrap").derive(stretched)


def _place(column: str, key: SealedKey) -> str:
    return f"api_key|{column}|{key.lookup.hex()}|1"
