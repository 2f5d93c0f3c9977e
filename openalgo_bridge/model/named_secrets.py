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
_NAME = re.compile(rf"(?<![\w-])(?P<name>[\w-]++)(?:[ \t]*+(?P<quote>{_QUOTE}))?+[ \t\r\n]*+[:=][ \t\r\n]*+", re.ASCII)
# What stands in an element of XML, and in a part of a form that has several, each to its end or that of the text.
_ELEMENT = re.compile(
    r"(?P<before><(?:[\w-]++:)?+(?P<name>[\w-]++)(?:\s[^<>]*+)?+>\s*+)"
    r"(?P<value>(?:<!\[CDATA\[(?:(?!\]\]>).)*+(?:\]\]>)?+|[^<])++)",
    re.ASCII | re.DOTALL,
)
_PART = re.compile(
    r"""(?P<before>\bname=["']?+(?P<name>[\w -]++)[^\r\n]{0,300}+(?:\r?\n[^\r\n]++){0,9}+\r?\n\r?\n)"""
    r"(?P<value>.+?)(?=\r?\n--|\Z)",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)

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
_PLAIN_DECIMAL = "45|4[89]|5[0-7]|6[5-9]|[78][0-9]|90|95|9[7-9]|1[01][0-9]|12[0-2]"
_ESCAPED = re.compile(
    rf"%(?:25)*+(?:u00)?(?P<url>{_PLAIN})|\\++(?:u00|x)(?P<json>{_PLAIN})|\\++u\{{0*(?P<braced>{_PLAIN})\}}"
    rf"|&#x0*+(?P<html>{_PLAIN})(?:;|(?![0-9A-F]))|&#0*+(?P<decimal>{_PLAIN_DECIMAL})(?:;|(?![0-9]))",
    re.IGNORECASE,
)
# The half of every letter of UTF-16 that says nothing, and what nobody sees between two letters.
_UNSEEN = re.compile("[\0\u00ad\u200b-\u200d\u2060\ufeff]")
# All but "&", which divides the fields of a form.
_PUNCTUATION = re.compile(r"%(?:25)*+(?P<url>2[0-57-9A-F]|3[A-F]|40|5[B-E]|7[B-E]|60)", re.IGNORECASE)

# However the name and the token are parted. "hook.css" is another name.
_BETWEEN = r"\.*+(?:[^\w.%-]|%(?:25)*+[0-9a-f]{2})(?:[^\w%-]|%(?:25)*+[0-9a-f]{2})*+"
_TOKEN_IN_PATH = re.compile(
    rf"((?:(?<![\w-])|%(?:25)*+[0-9a-f]{{2}})(?:hook|(?:strategy|chartink){_BETWEEN}webhook){_BETWEEN}).+",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)


def spelled_out(text: str) -> str:
    """``%41``, ``\\u0041`` and ``&#x41;`` as the letter that they are: a key that is spelled so is a key.

    So is one with something unseen between its letters, such as a text in UTF-16 that was read as another.
    """
    if "\0" in text or not text.isascii():
        text = _UNSEEN.sub("", text)
    if "%" in text or "\\u" in text or "\\x" in text or "&#" in text:
        text = _ESCAPED.sub(_character, text)
        if '"' not in text:
            # Else a quote would end the JSON text that it is in.
            text = _PUNCTUATION.sub(_character, text)
    return text


def without_named_secrets(text: str) -> str:
    """What a stranger sent, be it JSON, a form, a query or header lines, without what goes by the name of a secret."""
    text = _CODE.sub(LONG_RUN_PLACEHOLDER, text)
    if _is_innocent(text):
        return text
    for form in (_ELEMENT, _PART):
        text = form.sub(_without_content, text)
    return "".join(_parts(text, _value_of_a_stranger))


def answer_without_named_secrets(text: str) -> str:
    """The same of an answer of ours, which may speak of a key and tells instruments' tokens, both no secrets."""
    # Long lists of instruments are full of these.
    return text if _is_innocent(text.replace('"token":', "")) else "".join(_parts(text, _value_of_ours))


def path_without_token(path: str) -> str:
    """The path of a request without the token of a webhook's address: who knows that may send what is sent there.

    It is found in misspelled addresses too, because a person who mistyped one mends it and goes on with the token.
    """
    plain = spelled_out(path)
    clean = _TOKEN_IN_PATH.sub(r"\1[token]", plain)
    return path if clean == plain else clean


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


def _without_content(found: re.Match[str]) -> str:
    if found["value"].strip() == PLACEHOLDER or not _names_a_secret(found["name"].strip(), with_dubious=True):
        return found[0]
    return found["before"] + LONG_RUN_PLACEHOLDER


def _left_out(value: re.Match[str]) -> str:
    quote = value["double"] or value["single"] or value["escaped"] or ""
    said = value[0][len(quote) :]
    return quote + (said if said in {"", PLACEHOLDER} else LONG_RUN_PLACEHOLDER)


def _character(escape: re.Match[str]) -> str:
    form = escape.lastgroup or ""
    return chr(int(escape[form], 10 if form == "decimal" else 16))
