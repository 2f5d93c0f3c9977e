"""The traffic log: one row per API call, opened before the handler and closed before the answer leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import from_ms
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.store.database import Database, Row

CUT_OFF = 0
"""The status of a call whose answer never left, because the bridge stopped in the middle."""

_LONGEST = 300
_NEWEST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is known of a call when it arrives. ``at`` is epoch milliseconds."""

    request_id: str
    at: int
    method: str
    endpoint: str
    address: str
    program: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known of it when it is answered. ``outcome`` is one word, ``message`` a sentence."""

    status: int
    duration_us: int
    key_fingerprint: str | None = None
    outcome: str | None = None
    message: str | None = None
    ticket_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row. ``status`` None: still running; 0: cut off. ``duration_ms`` in milliseconds."""

    id: int
    request_id: str
    at: datetime
    method: str
    endpoint: str
    address: str
    program: str
    status: int | None
    duration_ms: float | None
    key_fingerprint: str | None
    outcome: str | None
    message: str | None
    ticket_id: int | None


class TrafficLog:
    """The one writer of the call table. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def open(self, arrival: Arrival) -> int:
        """Write the call before anything else happens; returns the row's id, which also orders the calls."""
        return self._db.insert(
            "INSERT INTO call (request_id, at, method, endpoint, address, program) VALUES (?, ?, ?, ?, ?, ?)",
            (
                arrival.request_id,
                arrival.at,
                _clean(arrival.method),
                _clean(arrival.endpoint),
                _clean(arrival.address),
                _clean(arrival.program),
            ),
        )

    def close(self, call_id: int, ending: Ending) -> None:
        """Write how the call ended."""
        self._db.write(
            "UPDATE call SET status = ?, duration_us = ?, key_fingerprint = ?, outcome = ?, message = ?,"
            " ticket_id = ? WHERE id = ?",
            (
                ending.status,
                ending.duration_us,
                ending.key_fingerprint,
                ending.outcome,
                None if ending.message is None else _clean(ending.message),
                ending.ticket_id,
                call_id,
            ),
        )

    def mark_cut_off(self) -> int:
        """At start: what a crash left open. Returns how many.

        It can only be among the newest calls: each of a dozen threads has at most one open.
        """
        return self._db.write(
            "UPDATE call SET status = ?, outcome = 'cut off'"
            " WHERE status IS NULL AND id > (SELECT max(id) FROM call) - ?",
            (CUT_OFF, _NEWEST),
        )

    def page(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        status_class: int | None = None,
        endpoint: str | None = None,
    ) -> list[Call]:
        """Newest first, paged by key. ``status_class`` 4 means 400 to 499; ``endpoint`` is the exact path."""
        conditions, values = ["id < ?"], [before if before is not None else 1 << 62]
        if status_class is not None:
            conditions.append("status >= ? AND status < ?")
            values += [status_class * 100, status_class * 100 + 100]
        parameters: list[int | str] = [*values]
        if endpoint is not None:
            conditions.append("endpoint = ?")
            parameters.append(endpoint)
        sql = f"SELECT * FROM call WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
        return [_call(row) for row in self._db.read(sql, (*parameters, limit))]


def _clean(text: str) -> str:
    """Keys and what could be one out (security T8), control characters out, and no more than fits a screen."""
    text = redact(text)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text[:_LONGEST]


def _call(row: Row) -> Call:
    duration = row["duration_us"]
    return Call(
        id=row["id"],
        request_id=row["request_id"],
        at=from_ms(row["at"]),
        method=row["method"],
        endpoint=row["endpoint"],
        address=row["address"],
        program=row["program"],
        status=row["status"],
        duration_ms=None if duration is None else duration / 1000,
        key_fingerprint=row["key_fingerprint"],
        outcome=row["outcome"],
        message=row["message"],
        ticket_id=row["ticket_id"],
    )
