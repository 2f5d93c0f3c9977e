"""What a call is found by: its words, and a tag for each thing that can be filtered by. Pure functions of the row.

A word is a run of letters and digits, without capitals. A tag begins with ``_``, which no word does, so nothing that
is typed is ever taken for one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from openalgo_bridge.model.calls import SLOW_MS, CallFilter, CallKind, StatusClass
from openalgo_bridge.store.traffic import Call

BLOCK = 4096
"""Calls in a block of the index, by their ids."""

SHORTEST_BEGINNING = 3
"""A word of fewer characters must be the whole word: nearly every row has one that begins so."""

_MOST_TYPED = 10
_LONGEST_TYPED = 200
_PROGRAMS = "_programs"
_SLOW = "_slow"
_WORD = re.compile(r"[^\W_]+")


def tags_of(call: Call) -> Iterator[str]:
    """One for each filter that the call passes."""
    yield _tag("kind", call.kind)
    if call.kind is not CallKind.PAGE:
        yield _PROGRAMS
    if call.duration_ms is not None and call.duration_ms >= SLOW_MS:
        yield _SLOW
    facts = (
        ("status", StatusClass.of(call.status)),
        ("endpoint", call.endpoint),
        ("address", call.address),
        ("address", call.forwarded_for),
        ("program", call.program),
        ("strategy", call.strategy),
        ("symbol", call.symbol),
        ("outcome", call.outcome),
    )
    yield from (_tag(name, value) for name, value in facts if value)


def tags_for(wanted: CallFilter) -> list[str]:
    """The tags that a call has which passes the filter, the rarest kinds of them first."""
    facts = (
        ("symbol", wanted.symbol),
        ("strategy", wanted.strategy),
        ("outcome", wanted.outcome),
        ("program", wanted.program),
        ("address", wanted.address),
        ("endpoint", wanted.endpoint),
        ("status", wanted.status),
    )
    tags = [_SLOW] if wanted.is_slow else []
    tags += [_tag(name, value) for name, value in facts if value]
    if wanted.kind is not None:
        return [*tags, _tag("kind", wanted.kind)]
    return tags if wanted.with_pages else [*tags, _PROGRAMS]


def words_of(call: Call) -> set[str]:
    """All its words, whole."""
    words = {*_words(call.request_id)}
    for repeated in (
        call.endpoint,
        call.program,
        call.message,
        call.strategy,
        call.symbol,
        call.outcome,
        call.source,
        call.address,
        call.forwarded_for,
        call.method,
        call.trading_mode,
        call.key_fingerprint,
    ):
        if repeated:
            words.update(_words_of_many(repeated))
    if call.order_ref:
        words.update(_words(call.order_ref))
    if call.ticket_id is not None:
        words.add(str(call.ticket_id))
    if call.status:
        words.add(str(call.status))
    return words


def typed_words(text: str) -> list[str]:
    """The words of what somebody typed, each once. Whatever else is in it says nothing."""
    return list(dict.fromkeys(_words(text[:_LONGEST_TYPED])))[:_MOST_TYPED]


def has_words(call: Call, typed: Sequence[str]) -> bool:
    """Whether each typed word begins a word of the call; a short one must be the whole word."""
    if not typed:
        return True
    words = words_of(call)
    return all(_is_in(words, word) for word in typed)


def _is_in(words: set[str], typed: str) -> bool:
    if len(typed) < SHORTEST_BEGINNING:
        return typed in words
    return any(word.startswith(typed) for word in words)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


@lru_cache(maxsize=4096)
def _words_of_many(text: str) -> tuple[str, ...]:
    """Of a text that many calls have."""
    return tuple(_words(text))


@lru_cache(maxsize=4096)
def _tag(name: str, value: str) -> str:
    # Of a checksum anybody can make a second value, and have a million calls looked at for the one that is asked for.
    return f"_{name}{hashlib.blake2b(value.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
