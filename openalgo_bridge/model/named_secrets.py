"""Secrets that are known by the name they go by: what stands after ``apikey``, ``password``, ``token`` and the like.

For text that is about to be kept. It is looked through as it is, because a body that is cut or broken has secrets too.
In doubt more is taken out than need be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from openalgo_bridge.model.redaction import LONG_RUN_PLACEHOLDER, PLACEHOLDER

_HINTS = ("key", "pass", "pwd", "secret", "token", "otp", "auth", "cookie", "jwt", "pin", "session", "credential")

_SURE = (
    r".*api[_-]?key|.*(?:password|passwd|passphrase|passcode|pwd)|.*secret|.*t?otp|(?:proxy[_-])?authorization"
    r"|(?:set[_-])?cookie|.*jwt|.*(?:access|auth|bearer|csrf|enc|feed|id|refresh|request|session|user)[_-]?token"
    r"|.*session[_-]?id|.*credentials?|.*private[_-]?key"
)
# Words that mean no secret inside of others, such as "pin" in "spin"; and a token may be an instrument's number.
_DUBIOUS = r"(?:.*[_-])?(?:auth|j?key|pass|m?pin|session)|.*token"

_QUOTE = r"""\\*+["']|&(?:quot|apos|#0*3[49]|#x0*2[27]);"""
_NAME = re.compile(rf"(?<![\w-])(?P<name>[\w-]++)(?P<quote>{_QUOTE})?+[ \t\r\n]*+[:=][ \t\r\n]*+", re.ASCII)

# To its end or, where it has none, to the end of the text.
_QUOTED = (
    r"""(?P<double>")(?:[^"\\]|\\.)*+|(?P<single>')(?:[^'\\]|\\.)*+"""
    rf"|(?P<escaped>{_QUOTE})(?:(?!(?P=escaped))(?:\\++.?|[^\\]))*+"
)
_LITERAL = r"(?:-?\d[\w.+-]*+|true|false|null)(?=\s*(?:[,}\]]|$))"
# A list or an object that goes by such a name ends where the text does: nobody counts brackets of a broken body.
_AFTER_QUOTES = re.compile(rf'{_QUOTED}|{_LITERAL}|[\[{{].*|[^"\r\n&]+', re.DOTALL)
_AFTER_WORD = re.compile(rf"{_QUOTED}|[^&\r\n]+", re.DOTALL)
_IN_ANSWER = re.compile(rf"{_QUOTED}|{_LITERAL}", re.DOTALL)

# The codes that the bridge itself gives out, as they are shown: groups of four.
_CODE = re.compile(
    r"(?<![0-9A-Za-z-])(?:[0-9A-Za-z]{4}-){2,7}[0-9A-Za-z]{4}(?![0-9A-Za-z-])"
    r"|(?<![0-9A-Za-z])(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}(?![0-9A-Za-z])"
)

# Letters and digits, and what else names and keys are made of, written as something else.
_PLAIN = "3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9A]|2D"
_ESCAPED = re.compile(rf"%(?:25)*+(?P<url>{_PLAIN})|\\++u00(?P<json>{_PLAIN})|&#x0*+(?P<html>{_PLAIN});", re.IGNORECASE)
# All but "&", which divides the fields of a form.
_PUNCTUATION = re.compile(r"%(?:25)*+(?P<url>2[0-57-9A-F]|3[A-F]|40|5[B-E]|7[B-E]|60)", re.IGNORECASE)


def spelled_out(text: str) -> str:
    """``%41``, ``\\u0041`` and ``&#x41;`` as the letter that they are: a key that is spelled so is a key."""
    if "%" in text or "\\u" in text or "&#" in text:
        text = _ESCAPED.sub(_character, text)
        if '"' not in text:
            # Else a quote would end the JSON text that it is in.
            text = _PUNCTUATION.sub(_character, text)
    return text


def without_named_secrets(text: str) -> str:
    """What a stranger sent, be it JSON, a form, a query or header lines, without what goes by the name of a secret."""
    text = _CODE.sub(LONG_RUN_PLACEHOLDER, text)
    return text if _is_innocent(text) else "".join(_parts(text, _value_of_a_stranger))


def answer_without_named_secrets(text: str) -> str:
    """The same of an answer of ours, which may speak of a key and tells instruments' tokens, both no secrets."""
    # Long lists of instruments are full of these.
    return text if _is_innocent(text.replace('"token":', "")) else "".join(_parts(text, _value_of_ours))


def _is_innocent(text: str) -> bool:
    folded = text.lower()
    return not any(hint in folded for hint in _HINTS)


_Value = Callable[[str, re.Match[str]], re.Match[str] | None]


def _parts(text: str, secret_after: _Value) -> Iterator[str]:
    done = 0
    while (name := _NAME.search(text, done)) is not None:
        value = secret_after(text, name)
        yield text[done : name.end()]
        done = name.end()
        if value is not None:
            yield _left_out(value)
            done = value.end()
    yield text[done:]


def _value_of_a_stranger(text: str, name: re.Match[str]) -> re.Match[str] | None:
    if not _names_a_secret(name["name"], with_dubious=True):
        return None
    return (_AFTER_WORD if name["quote"] is None else _AFTER_QUOTES).match(text, name.end())


def _value_of_ours(text: str, name: re.Match[str]) -> re.Match[str] | None:
    if name["quote"] is None or not _names_a_secret(name["name"], with_dubious=False):
        return None
    return _IN_ANSWER.match(text, name.end())


@lru_cache(maxsize=1024)
def _names_a_secret(name: str, *, with_dubious: bool) -> bool:
    known = f"{_SURE}|{_DUBIOUS}" if with_dubious else _SURE
    return re.fullmatch(known, name, re.IGNORECASE) is not None


def _left_out(value: re.Match[str]) -> str:
    quote = value["double"] or value["single"] or value["escaped"] or ""
    said = value[0][len(quote) :]
    return quote + (said if said in {"", PLACEHOLDER} else LONG_RUN_PLACEHOLDER)


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[escape.lastgroup or 0], 16))
