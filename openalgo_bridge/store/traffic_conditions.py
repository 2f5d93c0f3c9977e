"""A filter of calls as SQL. What it leaves open is how the words that were typed stand in a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.calls import SLOW_MS, CallFilter, StatusClass
from openalgo_bridge.store.traffic_words import typed_words

_Part = tuple[str, tuple[object, ...]]

_EXACT = ("endpoint", "program", "strategy", "symbol", "outcome")
_STATUS = {
    StatusClass.ANSWERED: "status BETWEEN 1 AND 399",
    StatusClass.REFUSED: "status BETWEEN 400 AND 499",
    StatusClass.FAILED: "status >= 500",
    StatusClass.CUT_OFF: "status = 0",
}
_ALWAYS_THERE = ("request_id", "endpoint", "program", "address", "method")
_OFTEN_MISSING = (
    *("message", "strategy", "symbol", "outcome", "source", "forwarded_for", "trading_mode"),
    *("key_fingerprint", "order_ref", "ticket_id", "status"),
)
_TEXT = " || ' ' || ".join([*_ALWAYS_THERE, *(f"ifnull({column}, '')" for column in _OFTEN_MISSING)])
# SQLite folds the capitals of ASCII alone, so a row with anything else in it is left to who reads it word by word.
_HAS_WORD = "text LIKE ?"
_HAS_OTHERS = "length(text) <> length(CAST(text AS BLOB))"
# The limit keeps SQLite from putting the text together once for each question about it.
_OF_TEXT = f"EXISTS (SELECT 1 FROM (SELECT {_TEXT} AS text LIMIT 1) WHERE {{0}})"


@dataclass(frozen=True, slots=True)
class Conditions:
    """``sql`` is true for every row that passes the filter; ``words`` must still be looked for in it."""

    sql: str
    values: tuple[object, ...]
    words: tuple[str, ...]


def conditions_of(wanted: CallFilter) -> Conditions:
    """The filter as it was meant, see :func:`as_meant`."""
    words = typed_words(wanted.words)
    parts = [*_parts(wanted), *_may_have(words)]
    sql = " AND ".join(part for part, _ in parts) or "TRUE"
    return Conditions(sql, tuple(value for _, values in parts for value in values), tuple(words))


def as_meant(wanted: CallFilter) -> CallFilter:
    """A range whose end comes first is meant the other way round; half a character, which only a broken address can
    have, is in no row and cannot be asked for.
    """
    for column in (*_EXACT, "address"):
        text = getattr(wanted, column)
        if not text.isascii():
            wanted = replace(wanted, **{column: text.encode("utf-8", "replace").decode()})
    if wanted.since is None or wanted.until is None or wanted.since <= wanted.until:
        return wanted
    return replace(wanted, since=wanted.until, until=wanted.since)


def _parts(wanted: CallFilter) -> Iterator[_Part]:
    if wanted.kind is not None:
        yield "kind = ?", (wanted.kind,)
    elif not wanted.with_pages:
        # Spelled as in the index of such calls, or SQLite would not use that.
        yield "kind <> 'page'", ()
    if wanted.since is not None:
        yield "at >= ?", (to_ms(wanted.since),)
    if wanted.until is not None:
        yield "at < ?", (to_ms(wanted.until),)
    if wanted.status is not None:
        yield _STATUS[wanted.status], ()
    if wanted.is_slow:
        yield "duration_us >= ?", (SLOW_MS * 1000,)
    if wanted.address:
        yield "(address = ? OR forwarded_for = ?)", (wanted.address, wanted.address)
    for column in _EXACT:
        if value := getattr(wanted, column):
            yield f"{column} = ?", (value,)


def _may_have(words: list[str]) -> Iterator[_Part]:
    if not all(word.isascii() for word in words):
        yield _OF_TEXT.format(_HAS_OTHERS), ()
    elif words:
        plain = " AND ".join([_HAS_WORD] * len(words))
        yield _OF_TEXT.format(f"({plain}) OR {_HAS_OTHERS}"), tuple(f"%{word}%" for word in words)
