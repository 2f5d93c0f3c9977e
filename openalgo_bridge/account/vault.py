"""The vault key: it seals the stored copy of the API key, and is itself wrapped under the password (security 4.4).

Wrapped under HKDF(Argon2id(secret)) with a salt and a cost of its own, for the password and once for each recovery
code. Nothing on the disk, the machine key included, opens it. It is in memory only inside the call that uses it.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openalgo_bridge.account.password import SALT_LENGTH, Argon2Cost, derive_key
from openalgo_bridge.account.sealing import seal, unseal
from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.vault import Wrapped

UNDER_PASSWORD = "vault|wrapped_key|1"  # noqa: S105 - a place, not a secret

_KEY_LENGTH = 32


def new_key() -> bytes:
    """A fresh vault key."""
    return os.urandom(_KEY_LENGTH)


def wrap(vault_key: bytes, secret: str, cost: Argon2Cost, *, place: str = UNDER_PASSWORD) -> Wrapped:
    """The vault key as it may be written: only ``secret`` opens it. Raises RateLimited."""
    salt = os.urandom(SALT_LENGTH)
    sealed = seal(_wrapping_key(secret, salt, cost), vault_key, place)
    return Wrapped(wrapped_key=sealed, salt=salt, cost=str(cost), place=place)


def unwrap(wrapped: Wrapped, secret: str) -> bytes:
    """The vault key. Raises InvalidTag for a wrong secret; RateLimited; StorageError for a damaged row."""
    try:
        cost = Argon2Cost.parse(wrapped.cost)
    except ValueError as error:
        raise StorageError("The stored wrapping of the vault key is damaged.") from error
    return unseal(_wrapping_key(secret, wrapped.salt, cost), wrapped.wrapped_key, wrapped.place)


def opens(wrapped: Wrapped, secret: str) -> bytes | None:
    """As :func:`unwrap`, and None for a wrong secret."""
    try:
        return unwrap(wrapped, secret)
    except InvalidTag:
        return None


def _wrapping_key(secret: str, salt: bytes, cost: Argon2Cost) -> bytes:
    stretched = derive_key(secret, salt, cost)
    return HKDF(algorithm=SHA256(), length=_KEY_LENGTH, salt=None, info=b"openalgo_bridge|key-wrap").derive(stretched)
