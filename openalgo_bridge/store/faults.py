"""What went wrong inside the bridge: the error log. Without secrets, bounded, and never in the way of an order.

Whoever logs an error only leaves a note in memory; the notes are written down every few seconds, and whenever somebody
looks.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.named_secrets import without_named_secrets
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.known_secrets import KnownSecrets
from openalgo_bridge.store.traffic_text import CallText, legible

PER_MINUTE = 60
"""An error that comes with every tick must not fill the disk, nor push out the first of its kind."""

LONGEST_MESSAGE = 1000
LONGEST_TRACEBACK = 8000
"""In characters. What is longer loses its middle: the end of a traceback says what it was, its beginning whence."""

_KEPT_WHATEVER_THE_SIZE = 100
_PER_MEGABYTE = 10
_MOST_ID = 1 << 62
_MINUTE_S = 60.0
_MOST_WAITING = 4 * PER_MINUTE
_LONGEST_NOTE = 4 * LONGEST_TRACEBACK
_PRUNED_AT_ONCE = 500
_UNFINISHED = re.compile(r"\S*\Z")
_BROKEN_OFF = re.compile(r"\A\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An error as it was logged. ``at`` is epoch milliseconds; ``request_id`` is empty outside of a request."""

    at: int
    level: str
    logger: str
    message: str
    traceback: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error as it was written down. ``traceback`` and ``request_id`` are empty where there was none."""

    id: int
    at: datetime
    level: str
    logger: str
    message: str
    traceback: str
    request_id: str


class Faults:
    """The one writer of the error log. ``known`` knows the secrets of this bridge."""

    def __init__(self, db: Database, clock: Clock, known: KnownSecrets) -> None:
        self._db = db
        self._clock = clock
        self._text = CallText(known)
        self._lock = threading.Lock()
        # Under _lock: what waits to be written down, the minute that is counted, and what found no room in it.
        self._waiting: deque[Note] = deque()
        self._minute_began = float("-inf")
        self._in_minute = 0
        self._left_out = 0

    def note(self, note: Note) -> None:
        """Keep it until it is written down. Never raises, and waits for nothing that could take long."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._minute_began >= _MINUTE_S and not self._left_out:
                self._minute_began, self._in_minute = now, 0
            if self._in_minute >= PER_MINUTE or len(self._waiting) >= _MOST_WAITING:
                self._left_out += 1
                return
            self._in_minute += 1
            self._waiting.append(note)

    def write_down(self) -> int:
        """Write what waits; returns how many lines. Raises StorageError: then it goes on waiting."""
        notes = self._taken()
        if not notes:
            return 0
        rows = [astuple(self._clean(note)) for note in notes]
        try:
            with self._db.transaction() as db:
                db.executemany(
                    "INSERT INTO fault (at, level, logger, message, traceback, request_id) VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
        except StorageError:
            with self._lock:
                self._waiting.extendleft(reversed(notes))
            raise
        return len(rows)

    def page(self, *, before: int | None = None, limit: int = 50) -> list[Fault]:
        """Newest first, paged by key, what waits included: also while the disk is full. Raises StorageError."""
        waiting: Sequence[Note] = ()
        try:
            self.write_down()
        except StorageError:
            # It is looked at when something is wrong, and that may be the very thing.
            waiting = self._still_waiting()
        upto = _MOST_ID if before is None else before
        rows = self._db.read("SELECT * FROM fault WHERE id < ? ORDER BY id DESC LIMIT ?", (upto, limit))
        unwritten = [fault for fault in self._unwritten(waiting) if fault.id < upto]
        return [*unwritten, *(_fault(row) for row in rows)][:limit]

    def _still_waiting(self) -> Sequence[Note]:
        with self._lock:
            return tuple(self._waiting)

    def _unwritten(self, notes: Sequence[Note]) -> list[Fault]:
        """As they will be written, the newest first, under the numbers that they will then have."""
        if not notes:
            return []
        newest = self._db.read_one("SELECT ifnull(max(id), 0) AS id FROM fault")
        first = 1 if newest is None else newest["id"] + 1
        return [_as_written(self._clean(note), first + place) for place, note in enumerate(notes)][::-1]

    def _taken(self) -> list[Note]:
        now = self._clock.monotonic()
        with self._lock:
            notes = list(self._waiting)
            self._waiting.clear()
            if self._left_out and now - self._minute_began >= _MINUTE_S:
                notes.append(self._of_those_left_out(self._left_out))
                self._left_out, self._in_minute = 0, 0
        return notes

    def _of_those_left_out(self, count: int) -> Note:
        message = f"{count:,} more errors came since then and are not kept: more than {PER_MINUTE} a minute are not."
        return Note(at=self._clock.now_ms(), level="ERROR", logger=__name__, message=message)

    def _clean(self, note: Note) -> Note:
        message = self._without_secrets(note.message, LONGEST_MESSAGE)
        return replace(note, message=message, traceback=self._without_secrets(note.traceback, LONGEST_TRACEBACK))

    def _without_secrets(self, text: str, most: int) -> str:
        """Secrets out, by shape, value and name, then what cannot be seen, then what is too much."""
        text = self._text.without_secrets(_shortened(text, _LONGEST_NOTE), without_named_secrets)
        return _shortened(legible(text, lines="\n\t"), most)


def drop_faults_before(db: Database, moment: datetime) -> int:
    """Take away a few of the lines from before a moment; returns how many. Raises StorageError."""
    return db.write(
        "DELETE FROM fault WHERE id IN (SELECT id FROM fault WHERE at < ? ORDER BY id LIMIT ?)",
        (to_ms(moment), _PRUNED_AT_ONCE),
    )


def drop_oldest_faults(db: Database, megabytes: int) -> int:
    """Take away a few of the oldest where the error log has more than a tenth of so many megabytes; returns how many.

    A loop of errors would otherwise fill the file, and the calls would go for it. A line has at most some 10 kB.
    Raises StorageError.
    """
    kept = max(_KEPT_WHATEVER_THE_SIZE, _PER_MEGABYTE * megabytes)
    return db.write(
        "DELETE FROM fault WHERE id IN"
        " (SELECT id FROM fault WHERE id <= (SELECT max(id) FROM fault) - ? ORDER BY id LIMIT ?)",
        (kept, _PRUNED_AT_ONCE),
    )


def _shortened(text: str, most: int) -> str:
    """Without its middle where it is too long. Words stay whole or go: a part of a key is no key to see."""
    if len(text) <= most:
        return text
    head, tail = _UNFINISHED.sub("", text[: most // 3]), _BROKEN_OFF.sub("", text[-(most - most // 3) :])
    return f"{head}[{len(text) - len(head) - len(tail):,} characters left out]{tail}"


def _as_written(note: Note, fault_id: int) -> Fault:
    return Fault(
        id=fault_id,
        at=from_ms(note.at),
        level=note.level,
        logger=note.logger,
        message=note.message,
        traceback=note.traceback,
        request_id=note.request_id,
    )


def _fault(row: Row) -> Fault:
    return Fault(
        id=row["id"],
        at=from_ms(row["at"]),
        level=row["level"],
        logger=row["logger"],
        message=row["message"],
        traceback=row["traceback"],
        request_id=row["request_id"],
    )
