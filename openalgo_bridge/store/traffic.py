"""The traffic log: one row per request, opened before the handler and closed before the answer leaves.

The rows are the evidence. What finds them, sums them up and takes them away again is written from them, in modules of
its own.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import from_ms
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.model.named_secrets import (
    answer_without_named_secrets,
    path_without_token,
    without_named_secrets,
)
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.known_secrets import KnownSecrets
from openalgo_bridge.store.traffic_text import CallText

CUT_OFF = 0
"""The status of a call whose answer never left, because the bridge stopped in the middle."""

_log = logging.getLogger(__name__)
_NEWEST = 100_000
_MOST_LATE = 500
_PATIENCE_AT_START_MS = 5000
_CLOSE = (
    "UPDATE call SET status = ?, duration_us = ?, broker_us = ?, key_fingerprint = ?, source = ?, strategy = ?,"
    " symbol = ?, ticket_id = ?, order_ref = ?, trading_mode = ?, outcome = ?, message = ?, kind = coalesce(?, kind)"
    " WHERE id = ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is known of a call when it arrives. ``at`` is epoch milliseconds.

    ``address`` is the socket's peer; ``forwarded_for`` what a tunnel says of the one behind it, where it is trusted.
    """

    request_id: str
    at: int
    method: str
    endpoint: str
    address: str
    program: str
    listener: Listener = Listener.MAIN
    kind: CallKind = CallKind.API
    forwarded_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """What was asked and answered, without secrets and cut; ``request_bytes`` and ``answer_bytes`` are what it was on
    the wire."""

    request: str
    request_bytes: int
    answer: str
    answer_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known of it when it is answered.

    ``duration_us`` and ``broker_us``, the part of it spent at the broker, are microseconds. ``outcome`` is one word,
    ``message`` a sentence, ``order_ref`` the order number that the caller was told. ``kind`` is said only where it
    turned out to be another than it looked when it arrived.
    """

    status: int
    duration_us: int
    broker_us: int | None = None
    key_fingerprint: str | None = None
    source: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    ticket_id: int | None = None
    order_ref: str | None = None
    trading_mode: TradingMode | None = None
    outcome: str | None = None
    message: str | None = None
    kind: CallKind | None = None
    body: Bodies | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How an answer was sent that was made meanwhile. ``duration_us`` is of the whole call, in microseconds.

    ``broke_off`` is the sentence of one that did not come to its end, and ``outcome`` the word for it, if there is one.
    """

    answer_bytes: int
    duration_us: int
    broke_off: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row. ``status`` None: still running; 0: cut off. ``duration_ms`` and ``broker_ms`` are milliseconds."""

    id: int
    request_id: str
    at: datetime
    listener: Listener
    kind: CallKind
    method: str
    endpoint: str
    address: str
    forwarded_for: str | None
    program: str
    status: int | None
    duration_ms: float | None
    broker_ms: float | None
    key_fingerprint: str | None
    source: str | None
    strategy: str | None
    symbol: str | None
    ticket_id: int | None
    order_ref: str | None
    trading_mode: TradingMode | None
    outcome: str | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """``answers`` that left since the start, and how many of them have their closed row."""

    answers: int
    rows: int

    @property
    def missing(self) -> int:
        """How many rows could not be written."""
        return self.answers - self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closing:
    """How a row is closed: what its columns become, and what was said, both without secrets."""

    values: tuple[object, ...]
    said: tuple[object, ...] | None


class TrafficLog:
    """The one writer of the calls and their bodies. Every method may raise StorageError, if it says nothing else.

    Whatever is handed to it is looked through for secrets here, so that no caller can forget it. Without ``known`` it
    finds those that have the form of one, or go by its name.
    """

    def __init__(self, db: Database, known: KnownSecrets | None = None) -> None:
        self._db = db
        self._text = CallText(known)
        self._counting = threading.Lock()
        self._answers = 0
        self._rows = 0
        # Under _counting: answers left, and their rows could not be closed.
        self._late: deque[_Closing] = deque(maxlen=_MOST_LATE)

    def open(self, arrival: Arrival) -> int:
        """Write the call before anything else happens; returns the row's id, which also orders the calls."""
        return self._db.insert(
            "INSERT INTO call (request_id, at, listener, kind, method, endpoint, address, forwarded_for, program)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                arrival.request_id,
                arrival.at,
                arrival.listener,
                arrival.kind,
                self._text.line(arrival.method),
                self._text.line(path_without_token(arrival.endpoint), without_named_secrets),
                self._text.line(arrival.address),
                self._text.line_or_none(arrival.forwarded_for),
                self._text.line(arrival.program, without_named_secrets),
            ),
        )

    def close(self, call_id: int, ending: Ending) -> None:
        """Write how the call ended, and what was said in it, in one commit.

        Without what was said, where it is that which cannot be written. Where nothing can, the ending is remembered for
        :meth:`close_late`, and it is a StorageError.
        """
        said = None if ending.body is None else self._said(call_id, ending.body)
        closing = _Closing(values=self._ended(call_id, ending), said=said)
        try:
            self._close(closing)
        except StorageError:
            with self._counting:
                self._late.append(closing)
            raise

    def close_late(self) -> int:
        """Close the rows that could not be closed when their answers left, the first one first. Returns how many."""
        closed = 0
        while (closing := self._next_late()) is not None:
            try:
                self._close(closing)
            except StorageError:
                with self._counting:
                    self._late.appendleft(closing)
                raise
            with self._counting:
                self._rows += 1
            closed += 1
        return closed

    def note_sent(self, call_id: int, sent: Sent) -> None:
        """What became of an answer that was still being made when its row was closed."""
        with self._db.transaction() as db:
            db.execute("UPDATE call SET duration_us = ? WHERE id = ?", (sent.duration_us, call_id))
            db.execute("UPDATE call_body SET answer_bytes = ? WHERE call_id = ?", (sent.answer_bytes, call_id))
            if sent.broke_off is not None:
                db.execute(
                    "UPDATE call SET outcome = coalesce(?, outcome), message = coalesce(message || ' ', '') || ?"
                    " WHERE id = ?",
                    (sent.outcome, sent.broke_off, call_id),
                )

    def count(self, *, has_row: bool) -> None:
        """One more answer that leaves, and whether its row is closed. Never raises."""
        with self._counting:
            self._answers += 1
            self._rows += has_row

    def completeness(self) -> Completeness:
        """Whether everything that was answered since the start is here. Never raises."""
        with self._counting:
            return Completeness(answers=self._answers, rows=self._rows)

    def mark_cut_off(self) -> int:
        """At start: what a crash left open. Returns how many.

        It can only be among the newest calls: each of a dozen threads has at most one open.
        """
        with self._db.transaction(wait_ms=_PATIENCE_AT_START_MS) as db:
            return db.execute(
                "UPDATE call SET status = ?, outcome = ? WHERE status IS NULL AND id > (SELECT max(id) FROM call) - ?",
                (CUT_OFF, CallOutcome.CUT_OFF, _NEWEST),
            ).rowcount

    def call(self, call_id: int) -> Call | None:
        """One call, or None where it was never there or is kept no more."""
        row = self._db.read_one("SELECT * FROM call WHERE id = ?", (call_id,))
        return None if row is None else call_of(row)

    def bodies(self, call_id: int) -> Bodies | None:
        """What was said in a call; None where nothing was, and of pages."""
        row = self._db.read_one(
            "SELECT request, request_bytes, answer, answer_bytes FROM call_body WHERE call_id = ?", (call_id,)
        )
        return None if row is None else Bodies(**row)

    def of_ticket(self, ticket_id: int) -> Sequence[Call]:
        """The calls that made a ticket or changed it, the first one first."""
        return [
            call_of(row) for row in self._db.read("SELECT * FROM call WHERE ticket_id = ? ORDER BY id", (ticket_id,))
        ]

    def page(self, *, before: int | None = None, limit: int = 50) -> list[Call]:
        """The last calls, newest first, no pages, from the one before ``before`` on."""
        sql = "SELECT * FROM call WHERE kind <> 'page' AND id < ? ORDER BY id DESC LIMIT ?"
        return [call_of(row) for row in self._db.read(sql, (before if before is not None else 1 << 62, limit))]

    def _next_late(self) -> _Closing | None:
        with self._counting:
            return self._late.popleft() if self._late else None

    def _close(self, closing: _Closing) -> None:
        if closing.said is None:
            self._db.write(_CLOSE, closing.values)
            return
        try:
            with self._db.transaction() as db:
                db.execute(_CLOSE, closing.values)
                db.execute("INSERT INTO call_body VALUES (?, ?, ?, ?, ?)", closing.said)
        except StorageError:
            # The row tells which order the call became; a full disk may have room for that alone.
            self._db.write(_CLOSE, closing.values)
            _log.exception("what was said in a call could not be recorded")

    def _ended(self, call_id: int, ending: Ending) -> tuple[object, ...]:
        return (
            ending.status,
            ending.duration_us,
            ending.broker_us,
            ending.key_fingerprint,
            self._text.line_or_none(ending.source),
            self._text.line_or_none(ending.strategy),
            self._text.line_or_none(ending.symbol),
            ending.ticket_id,
            self._text.line_or_none(ending.order_ref),
            ending.trading_mode,
            ending.outcome,
            self._text.line_or_none(ending.message),
            ending.kind,
            call_id,
        )

    def _said(self, call_id: int, body: Bodies) -> tuple[object, ...]:
        request = self._text.body(body.request, without_named_secrets)
        answer = self._text.body(body.answer, answer_without_named_secrets)
        return call_id, request, body.request_bytes, answer, body.answer_bytes


def call_of(row: Row) -> Call:
    """The call that a row of the table, with all its columns, tells of."""
    mode = row["trading_mode"]
    return Call(
        id=row["id"],
        request_id=row["request_id"],
        at=from_ms(row["at"]),
        listener=Listener(row["listener"]),
        kind=CallKind(row["kind"]),
        method=row["method"],
        endpoint=row["endpoint"],
        address=row["address"],
        forwarded_for=row["forwarded_for"],
        program=row["program"],
        status=row["status"],
        duration_ms=_ms(row["duration_us"]),
        broker_ms=_ms(row["broker_us"]),
        key_fingerprint=row["key_fingerprint"],
        source=row["source"],
        strategy=row["strategy"],
        symbol=row["symbol"],
        ticket_id=row["ticket_id"],
        order_ref=row["order_ref"],
        trading_mode=None if mode is None else TradingMode(mode),
        outcome=row["outcome"],
        message=row["message"],
    )


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000


def drop_bodies_through(db: sqlite3.Connection, call_id: int) -> None:
    """Forget what was said in the calls up to this one."""
    db.execute("DELETE FROM call_body WHERE call_id <= ?", (call_id,))


def drop_calls_through(db: sqlite3.Connection, call_id: int) -> None:
    """Forget the calls up to this one."""
    drop_bodies_through(db, call_id)
    db.execute("DELETE FROM call WHERE id <= ?", (call_id,))
