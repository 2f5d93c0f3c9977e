"""What a program asked for, word by word, as the journal keeps it for the trader to read. Pure.

Keys are gone before this is called; what looks like one, and what is named as a secret, is taken out here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

from openalgo_bridge.model.redaction import redact

LONGEST = 4096
"""In bytes of UTF-8."""

CUT = " ... (cut: it was longer)"
LEFT_OUT = "[left out]"

_SECRET_WORDS = {"password", "passphrase", "secret", "token", "apikey", "key", "otp", "totp", "pin"}
_WORD = re.compile(r"[a-z]+")


def as_asked(fields: Mapping[str, object]) -> str:
    """The fields as compact JSON in the order in which they came, without secrets, at most :data:`LONGEST` bytes."""
    # Redacted before it is cut: a part of a key is no key to see.
    text = redact(_ENCODER.encode(_without_secrets(fields)))
    raw = text.encode("utf-8", "replace")
    if len(raw) <= LONGEST:
        return text
    return raw[: LONGEST - len(CUT)].decode(errors="ignore") + CUT


def _without_secrets(value: object) -> object:
    match value:
        case dict():
            return {
                name: LEFT_OUT if _names_a_secret(name) else _without_secrets(inner) for name, inner in value.items()
            }
        case list():
            return [_without_secrets(inner) for inner in value]
        case _:
            return value


def _names_a_secret(name: str) -> bool:
    return not _SECRET_WORDS.isdisjoint(_WORD.findall(name.lower()))


def _number(value: object) -> float | str:
    """A price that was a number stays one where no digit is lost by it."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} does not come out of JSON")
    near = float(value)
    return near if Decimal(repr(near)) == value else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_number)
