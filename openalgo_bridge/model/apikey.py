"""The shape of an API key: 32 letters and digits that carry their own checksum (design 5, security 4.4).

26 characters are random (154 bits), 6 are the CRC-32 of those 26. So a typing mistake is told without a look
at the database, and :mod:`~openalgo_bridge.model.redaction` can find a key in any text without knowing it.
The checksum is no secret and no proof: only the database says whether a key is ours.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib

LENGTH = 32
RANDOM_LENGTH = 26

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_LENGTH = LENGTH - RANDOM_LENGTH

# CRC-32 is below 4.69 * 62**5, so the first character of a checksum is always 0 to 4. That one character
# spares twelve of thirteen windows the arithmetic when a long text is searched.
SHAPE = re.compile(r"[0-9A-Za-z]{26}[0-4][0-9A-Za-z]{5}")


def new_key() -> str:
    """A fresh key from the operating system's random source."""
    random_part = "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_LENGTH))
    return random_part + _checksum(random_part)


def is_well_formed(text: str) -> bool:
    """True for 32 base62 characters whose checksum is right. Raises on no text at all."""
    return SHAPE.fullmatch(text) is not None and text[RANDOM_LENGTH:] == _checksum(text[:RANDOM_LENGTH])


def fault_of(text: str) -> str:
    """What is wrong with the shape of a mistyped key, in a sentence (behaviour H1); empty where nothing is.

    It may be told to anybody: it speaks of the form alone.
    """
    if is_well_formed(text):
        return ""
    if any(character.isspace() for character in text):
        return "The key has spaces or line breaks inside. Copy it again."
    if len(text) != LENGTH:
        return f"The key has {len(text)} characters instead of {LENGTH}. Copy it again."
    return "The key looks mistyped. Copy it again."


def _checksum(random_part: str) -> str:
    """The CRC-32 in base62, most significant character first, padded with 0."""
    rest = zlib.crc32(random_part.encode("ascii"))
    characters = []
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))
