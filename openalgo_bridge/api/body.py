"""The body of a call: judged by what it is, not by its Content-Type (contract 1.3, callers 0.2).

Python's own JSON reader takes more than a money program may (security M18): NaN, duplicate keys, numbers
without end, nesting without end, lone surrogates. Each of them is a sentence here, never a 500.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.traffic import Note

_MAX_DIGITS = 18
_MAX_DEPTH = 8
# Open to the end where it is not closed: so it always matches, and a long text without an end costs one look at it.
_STRING = re.compile(r'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)

Fields = dict[str, Any]


def read_fields(raw: bytes, note: Note) -> Fields:
    """The JSON object in ``raw``. Raises Invalid with a sentence that says what is wrong with it.

    ``note`` is told what was read in another way than as it should be.
    """
    # Programs in C send the end of their text along.
    sent = raw.rstrip(b"\0")
    if not sent.strip():
        raise Invalid("The request has no body. Send a JSON object.")
    text = _text(sent, note)
    if _depth(text) > _MAX_DEPTH:
        raise Invalid(f"The body is nested deeper than {_MAX_DEPTH} levels.")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Invalid(
            f"The body is not valid JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.", {"_schema": ["Invalid input type."]})
    if "\\ud" in text.lower():
        _refuse_lone_surrogates(value)
    return value


def _text(raw: bytes, note: Note) -> str:
    """UTF-8, or else the characters of a Windows program, such as AmiBroker's dash in the name of a strategy.

    Whatever counts in a call is ASCII, which is the same in both.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError:
            raise Invalid(f"The body is not UTF-8 text (byte {error.start}).") from error
    note.add("The body is not UTF-8; it was read as Windows-1252.")
    return text


def read_query(raw: bytes) -> Fields:
    """The fields of a query string, all of them text. Raises Invalid."""
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace")
    return _once(pairs)


def without_keys(fields: Fields) -> Fields:
    """The fields with every API key taken out, wherever a script may have put it: nothing after this has one."""
    return {scrub(name): _without_keys(value) for name, value in fields.items() if name != "apikey"}


def _without_keys(value: Any) -> Any:
    match value:
        case str():
            return scrub(value)
        case dict():
            return without_keys(value)
        case list():
            return [_without_keys(item) for item in value]
        case _:
            return value


def _depth(text: str) -> int:
    """How deep brackets are nested, those in strings left out; 0 where there are too few of them to be too deep."""
    if text.count("{") + text.count("[") <= _MAX_DEPTH:
        return 0
    deepest = depth = 0
    for character in _STRING.sub("", text):
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> Fields:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"The field {_short(twice)} is there twice.")
    return fields


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise Invalid(f"A number has more than {_MAX_DIGITS} digits.")
    return int(digits)


def _fraction(digits: str) -> Decimal:
    number = Decimal(digits) if len(digits) <= 2 * _MAX_DIGITS else None
    if number is None or abs(number.adjusted()) > _MAX_DIGITS:
        raise Invalid(f"A number has more than {_MAX_DIGITS} digits.")
    return number


def _constant(name: str) -> NoReturn:
    raise Invalid(f"{name} is not a number. Special numeric values (nan or infinity) are not permitted.")


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise Invalid("A text contains half of a surrogate pair, which is no character.") from error


def _short(text: str) -> str:
    return ascii(text[:40])


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
