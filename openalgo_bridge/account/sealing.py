"""AES-256-GCM with a random nonce. ``place`` names the cell, so that two cells cannot be swapped (security 4.3)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x01"
_NONCE_LENGTH = 12


def seal(key: bytes, plaintext: bytes, place: str) -> bytes:
    """Format byte, nonce, ciphertext."""
    nonce = os.urandom(_NONCE_LENGTH)
    return _FORMAT + nonce + AESGCM(key).encrypt(nonce, plaintext, place.encode())


def unseal(key: bytes, sealed: bytes, place: str) -> bytes:
    """The inverse of :func:`seal`. Raises InvalidTag for another key, another place, or damage."""
    if sealed[:1] != _FORMAT or len(sealed) <= 1 + _NONCE_LENGTH:
        raise InvalidTag
    nonce, ciphertext = sealed[1 : 1 + _NONCE_LENGTH], sealed[1 + _NONCE_LENGTH :]
    return AESGCM(key).decrypt(nonce, ciphertext, place.encode())
