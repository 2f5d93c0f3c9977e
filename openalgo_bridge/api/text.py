"""An answer that is no JSON object in memory: text, whole or made while it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from openalgo_bridge.errors import Busy

JSON = "application/json"
CSV = "text/csv"
PLAIN = "text/plain"

TEXT_FORMATS = {"csv", "txt"}
"""The words of the field ``format`` that ask for a text."""

MOST_SENT_AT_ONCE = 2

RowT = TypeVar("RowT")

_ROWS_AT_ONCE = 500

# Of all apps of this process, because it is about the threads of its server.
_places = threading.BoundedSemaphore(MOST_SENT_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """``parts``: one text, or several that are sent as they are made. ``filename`` is what a browser saves it as."""

    parts: str | Iterator[str]
    content_type: str
    filename: str = ""


def sent_as_made(parts: Iterator[str]) -> Iterator[str]:
    """The same parts, to be sent as they are made: so that no answer must fit in memory.

    The first one is made at once: until then, what goes wrong is still an error answer. A program that does not read
    on keeps a thread of the server for as long as it likes, so only a few are sent at once. Raises Busy.
    """
    sending = _sending(parts)
    next(sending)
    return sending


def in_batches(rows: Iterable[RowT]) -> Iterator[list[RowT]]:
    """All ``rows``, many at a time: a chunk on the wire for each would cost more than the rows."""
    ahead = iter(rows)
    while some := list(islice(ahead, _ROWS_AT_ONCE)):
        yield some


def _sending(parts: Iterator[str]) -> Iterator[str]:
    # Ends with the last part, with an error, and when the server closes it because the program has gone.
    with _place():
        first = next(parts, "")
        yield ""
        yield first
        yield from parts


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Busy(f"{MOST_SENT_AT_ONCE} long lists are being sent already. Ask again when one has arrived.")
    try:
        yield
    finally:
        _places.release()
