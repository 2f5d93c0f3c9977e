"""The audit list: append-only, each line hashed together with the one before (design 5). The only writer of its table.

A line is written in the transaction of the change it tells of: there is no change without its line. The chain
shows that a line was altered, put in or taken out; who can write the file can also make a whole new chain, so it is
a record for the trader, not a proof against the owner of the PC.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.model.audit import Actor, AuditEntry, AuditEvent
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.store.database import Database, Row

_LONGEST = 500
# From what to what: the longest address rule is 50 ranges of 43 characters.
_LONGEST_VALUE = 4000
_BEFORE_THE_FIRST = bytes(32)
_KNOWN = {event.value: event for event in AuditEvent}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """The first line of the list that cannot be trusted, and why."""

    id: int
    why: str


class AuditLog:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def add(self, by: Actor, event: AuditEvent, *, before: str = "", after: str = "") -> None:
        """One line for what changes no row here, such as the key that was shown."""
        with self._db.transaction() as db:
            append(db, self._clock.now_ms(), by, event, before=before, after=after)

    def page(self, *, before: int | None = None, limit: int = 50, event: AuditEvent | None = None) -> list[AuditEntry]:
        """Newest first, paged by key. ``event`` shows one kind of line only."""
        below = before if before is not None else 1 << 62
        sql = f"{_ALL} WHERE id < ? AND (? IS NULL OR event = ?) ORDER BY id DESC LIMIT ?"
        return [_entry(row) for row in self._db.read(sql, (below, event, event, limit))]

    def has(self, event: AuditEvent) -> bool:
        """Whether it ever happened."""
        return self._db.read_one("SELECT 1 FROM audit WHERE event = ? LIMIT 1", (event,)) is not None

    def count(self) -> int:
        """How many lines there are."""
        row = self._db.read_one("SELECT count(*) AS lines FROM audit")
        return 0 if row is None else int(row["lines"])

    def first_broken(self) -> BrokenLine | None:
        """The first line whose chain does not hold, or None. Reads the whole list, a few lines at a time."""
        # Read first: a line that is added meanwhile then only makes the list longer than it must be.
        highest = self._db.read_one(_HIGHEST)
        number, digest = 0, _BEFORE_THE_FIRST
        for row in self._db.stream(f"{_ALL} ORDER BY id"):
            if row["id"] != number + 1:
                return BrokenLine(id=number + 1, why="it is missing")
            number, digest = row["id"], _digest(digest, row)
            if digest != row["digest"]:
                return BrokenLine(id=number, why="it was altered")
        if highest is not None and highest["number"] > number:
            return BrokenLine(id=number + 1, why="it is missing")
        return None


_ALL = "SELECT id, at, actor, address, program, event, before, after, digest FROM audit"

# The highest number ever given, also when its line was cut off.
_HIGHEST = (
    "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0),"
    " coalesce((SELECT max(id) FROM audit), 0)) AS number"
)


def append(
    db: sqlite3.Connection, at_ms: int, by: Actor, event: AuditEvent, *, before: str = "", after: str = ""
) -> None:
    """One more line, inside the caller's transaction, so that the change and its line are one commit."""
    last = db.execute("SELECT digest FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    highest: int = db.execute(_HIGHEST).fetchone()["number"]
    line: dict[str, int | str] = {
        # A number is never given twice: else new lines would fill the gap that cut-off ones left.
        "id": highest + 1,
        "at": at_ms,
        "actor": _kept(by.name),
        "address": _kept(by.address),
        "program": _kept(by.program),
        "event": event.value,
        "before": _kept(before, _LONGEST_VALUE),
        "after": _kept(after, _LONGEST_VALUE),
    }
    digest = _digest(last["digest"] if last else _BEFORE_THE_FIRST, line)
    db.execute(
        "INSERT INTO audit (id, at, actor, address, program, event, before, after, digest)"
        " VALUES (:id, :at, :actor, :address, :program, :event, :before, :after, :digest)",
        {**line, "digest": digest},
    )


def _digest(before: bytes, line: Row | dict[str, int | str]) -> bytes:
    told = [line[name] for name in ("id", "at", "actor", "address", "program", "event", "before", "after")]
    return hashlib.sha256(before + json.dumps(told).encode("ascii")).digest()


def _kept(text: str, longest: int = _LONGEST) -> str:
    """Without anything that could be a key (security T8), without what SQLite cannot hold, and not too long."""
    kept = redact(text).encode("utf-8", "replace").decode("utf-8")
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at=from_ms(row["at"]),
        actor=Actor(name=row["actor"], address=row["address"], program=row["program"]),
        event=_KNOWN.get(row["event"], row["event"]),
        before=row["before"],
        after=row["after"],
        digest=row["digest"],
    )
