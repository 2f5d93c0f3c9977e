"""What the trader set as limits, and what the journal knows that a limit counts. The only writer of its table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import takewhile

from openalgo_bridge.clock import Clock, to_ms
from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, Invalid, StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.guard_form import changes, parse, texts
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    BrokerRequest,
    GttRequest,
    ModifyGttRequest,
    OrderRequest,
    PositionKey,
    Ref,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Ticket, TicketDraft, named_order
from openalgo_bridge.store import audit, counted
from openalgo_bridge.store.claims import (
    DOUBT_IN_SYMBOL,
    JournalMark,
    PositionMark,
    Reservation,
    check_gtts_beside,
    check_reservation,
    check_unmoved,
    symbol_of,
)
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.standing import Standing
from openalgo_bridge.store.stops import check_not_stopped

_USED_UP = "The orders of the day were used up meanwhile."
_OPENED = "The positions you allow were opened meanwhile."

_UNREADABLE, _DEFAULTS = "not readable", "as after a fresh start"

# An order that we took back, in the same account: each numbers its own.
_WITHDRAWN = (
    "EXISTS (SELECT 1 FROM orders AS cancel JOIN ticket AS taken_back ON taken_back.id = cancel.ticket_id"
    " WHERE cancel.broker_order_id = orders.broker_order_id AND cancel.id > orders.id"
    " AND cancel.operation = 'cancelorder' AND cancel.state = 'sent' AND taken_back.trading_mode = :mode)"
)

# NOT INDEXED: by the index of states SQLite would first sort every ticket there ever was.
# Every ticket is a row, whether it counts or not: whoever reads stops at the first that is too old.
_NEWEST_FIRST = (
    "SELECT id, created_at, state, source, strategy, signal,"
    " signal <> '' AND trading_mode = :mode AND (state = 'held' OR state IN ('approved', 'released')"
    " AND (NOT EXISTS (SELECT 1 FROM orders WHERE ticket_id = ticket.id)"
    " OR EXISTS (SELECT 1 FROM orders WHERE ticket_id = ticket.id"
    f" AND orders.state NOT IN ('rejected', 'not_placed', 'dropped') AND NOT {_WITHDRAWN}))) AS counts"
    " FROM ticket NOT INDEXED ORDER BY id DESC"
)


class Guards:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def load(self) -> GuardSettings:
        """Read from disk at every order. Raises StorageError also where a value means nothing."""
        return _settings(self._db.read("SELECT name, value FROM guard"))

    def held_for(self, source: str) -> timedelta:
        """How long a ticket of ``source`` may wait for the trader; the default where what he set cannot be read."""
        try:
            return timedelta(seconds=self.load().held_for_of(source))
        except StorageError:
            return timedelta(seconds=GuardSettings().held_for)

    def rehearses_rate(self) -> bool:
        """Whether a broker that does not count orders shall do as if. A rehearsal that cannot be read is none."""
        try:
            return self.load().rehearse_rate
        except StorageError:
            return False

    def save(self, settings: GuardSettings, *, by: Actor, expected: GuardSettings | None = None) -> None:
        """Effective for the next order. The change and its line in the audit list are one commit.

        Settings that cannot be read are written over. Raises Invalid for what no form could say, an empty list of
        symbols for one: it could not be read again; Conflict where ``expected`` is not in force any more: who gave no
        password for a narrower limit must not undo one that is narrower still.
        """
        with self._db.transaction() as db:
            put(db, self._clock.now_ms(), settings, by=by, expected=expected)

    def has_orders_since(
        self,
        moment: datetime,
        mode: TradingMode,
        number: int,
        *,
        approved: int | None = None,
        with_planned: bool = False,
    ) -> bool:
        """Whether at least ``number`` orders since ``moment`` were sent or wait for the trader; ``with_planned``: or
        are planned of others that are on their way.

        Where the ticket ``approved`` is to go now: whether so many others were sent. What waits has used up nothing.
        """
        return counted.has_orders_since(self._db.read, moment, mode, number, approved, with_planned=with_planned)

    def has_equal_signal(self, signal: Signal, window: timedelta) -> bool:
        """Whether the same source and strategy asked for the same within ``window``.

        What was turned down, provably never reached the broker, or was withdrawn there since, may be asked for again.
        Costs as much as there are tickets since then.
        """
        return _has_equal_signal(self._db.stream(_NEWEST_FIRST, {"mode": signal.mode}), signal, window)

    def exposures(self, mode: TradingMode, *, with_planned: bool = False) -> set[PositionKey]:
        """The positions that messages in flight may open, or also those ``with_planned``."""
        return counted.in_flight(self._db.read, mode, with_planned=with_planned)

    def newest_order(self) -> int:
        """The id of the order that was made last; 0 where there is none."""
        row = self._db.read_one("SELECT max(id) AS id FROM orders")
        return 0 if row is None or row["id"] is None else int(row["id"])

    def in_doubt(self, order: OrderRequest, mode: TradingMode) -> Doubtful | None:
        """The order in the same symbol of which nobody knows whether the broker has it, or None."""
        row = self._db.read_one(DOUBT_IN_SYMBOL, symbol_of(order, mode, self._clock.now()))
        return None if row is None else Doubtful(ref=Ref(row["ref"]), why=row["why"])


def put(
    db: sqlite3.Connection, now_ms: int, settings: GuardSettings, *, by: Actor, expected: GuardSettings | None = None
) -> None:
    """:meth:`Guards.save` inside the caller's transaction, for a change that more than the guards belong to."""
    if parse(texts(settings)) != settings:
        raise Invalid("These limits cannot be kept as they are.")
    former = _if_readable(db.execute("SELECT name, value FROM guard").fetchall())
    if expected is not None and former != expected:
        raise Conflict(CHANGED_MEANWHILE)
    before, after = changes(former or GuardSettings(), settings)
    if former is not None and before == after:
        return
    db.execute("DELETE FROM guard")
    db.executemany("INSERT INTO guard VALUES (?, ?)", texts(settings).items())
    before = before if former is not None else _UNREADABLE
    audit.append(db, now_ms, by, AuditEvent.GUARDS, before=before, after=after or _DEFAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """An order that keeps new entries of its symbol waiting. ``why`` is a predicate: "is in doubt"."""

    ref: Ref
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What an order was judged on, and the claim must find true still: between the look and the claim others may have
    been sent, and the trader may have set other limits.

    ``known`` positions were open or on their way when the newest order was ``last_order_id``; they are read where
    there is a limit of them. ``left`` is what an order that waited as an exit may close at most; it proves no exit.
    ``mark`` is where the position was read, of an order that was worked out from it; ``after`` is where the journal
    stood when it arrived: what was stopped since is not sent.

    The loss of the day is not here: it is the broker's figure, and no order in flight has a loss yet. Of two orders
    that meet just above that limit both go.
    """

    limits: GuardSettings
    day_begin: datetime
    known: frozenset[PositionKey] = frozenset()
    last_order_id: int = 0
    left: Reservation | None = None
    mark: PositionMark | None = None
    after: JournalMark | None = None


def left_of(premises: Premises | None) -> Reservation | None:
    """See :class:`Premises`: a doubt keeps entries waiting, and nothing that has one."""
    return None if premises is None else premises.left


def check_premises(
    db: sqlite3.Connection,
    standing: Standing,
    ticket: TicketDraft | Ticket,
    order: TicketRequest,
    premises: Premises | None,
    reserve: Reservation | None,
    now: datetime,
) -> None:
    """Inside the claiming transaction, of the first ``order`` of a ticket. Raises Conflict: it is then to be decided
    again. Exits use nothing up.
    """
    if premises is None:
        return
    check_not_stopped(db, ticket, premises.after, reserve)
    check_order(db, standing, ticket, order, premises, reserve)
    check_signal(db, ticket, premises.limits, now)


def check_order(
    db: sqlite3.Connection,
    standing: Standing,
    ticket: TicketDraft | Ticket,
    order: TicketRequest,
    premises: Premises | None,
    reserve: Reservation | None,
) -> None:
    """The same of a further ``order``: the signal of its ticket was looked at when that came."""
    if premises is None:
        return
    _check_limits(standing, premises)
    check_reservation(db, named_order(order), ticket.trading_mode, premises.left)
    if isinstance(order, GttRequest | ModifyGttRequest) and (placed := named_order(order)) is not None:
        check_reservation(db, placed, ticket.trading_mode, reserve)
        check_gtts_beside(db, placed, ticket.trading_mode, reserve)
    if premises.mark is not None and isinstance(order, OrderRequest):
        check_unmoved(db, order, ticket.trading_mode, premises.mark, _id_of(ticket))
    if reserve is None and isinstance(order, OrderRequest | GttRequest):
        _check_counts(db, ticket, (order,), premises, with_planned=False)


def check_room(
    db: sqlite3.Connection,
    standing: Standing,
    ticket: TicketDraft | Ticket,
    legs: Sequence[BrokerRequest],
    premises: Premises | None,
) -> None:
    """Inside the transaction that plans ``legs``, which go whole or not at all: the limits that count need room for
    each. What others have planned counts as sent: it will be, and would leave room for a part of these. Raises
    Conflict.
    """
    if premises is None:
        return
    _check_limits(standing, premises)
    _check_counts(db, ticket, legs, premises, with_planned=True)


def check_signal(
    db: sqlite3.Connection, ticket: TicketDraft | Ticket, limits: GuardSettings | None, now: datetime
) -> None:
    """Inside the transaction that accepts or claims ``ticket``. Raises Conflict when its signal came a second time."""
    window = None if limits is None else limits.duplicate_window_of(ticket.origin.source)
    if window is None or ticket.origin.is_by_hand or not ticket.signal:
        return
    signal = Signal.of(ticket, now)
    newest_first = db.execute(_NEWEST_FIRST, {"mode": signal.mode})
    if _has_equal_signal(newest_first, signal, timedelta(seconds=window)):
        raise Conflict("The same signal came a second time meanwhile.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one source and strategy asked for ``at`` a time, to be looked for among others.

    ``ticket_id`` is set once it is to be approved: what waits beside it does not count against it then, or of two that
    wait neither could go.
    """

    source: str
    strategy: str
    digest: str
    mode: TradingMode
    at: datetime
    ticket_id: int | None = None

    @classmethod
    def of(cls, ticket: TicketDraft | Ticket, now: datetime) -> Signal:
        """That of what arrives now, or of a ticket that waited."""
        return cls(
            source=ticket.origin.source,
            strategy=ticket.origin.strategy,
            digest=ticket.signal,
            mode=ticket.trading_mode,
            at=ticket.created_at if isinstance(ticket, Ticket) else now,
            ticket_id=_id_of(ticket),
        )

    def is_in(self, row: Row) -> bool:
        """Whether another ticket is of the same signal."""
        if row["id"] == self.ticket_id or (self.ticket_id is not None and row["state"] == "held"):
            return False
        return (row["source"], row["strategy"], row["signal"]) == (self.source, self.strategy, self.digest)


def _check_limits(standing: Standing, premises: Premises) -> None:
    if standing.limits != premises.limits:
        raise Conflict("The limits were changed meanwhile. Decide again.")


def _check_counts(
    db: sqlite3.Connection,
    ticket: TicketDraft | Ticket,
    legs: Sequence[BrokerRequest],
    premises: Premises,
    *,
    with_planned: bool,
) -> None:
    """Room for each of ``legs`` under the limits that count. Raises Conflict."""
    mode, limits = ticket.trading_mode, premises.limits
    enough = limits.orders_per_day - len(legs) + 1
    approved = _id_of(ticket)
    if counted.has_orders_since(db.execute, premises.day_begin, mode, enough, approved, with_planned=with_planned):
        raise Conflict(_USED_UP)
    if limits.open_positions is None:
        return
    sent = counted.sent_after(db.execute, premises.last_order_id, mode, with_planned=with_planned)
    opened = {position_of(order) for each in legs if (order := _placed_by(each)) is not None}
    if len(premises.known | sent | opened) > limits.open_positions:
        raise Conflict(_OPENED)


def _placed_by(request: BrokerRequest) -> OrderRequest | None:
    """The order that it places; of a GTT, that which it may place once."""
    return named_order(request) if isinstance(request, OrderRequest | GttRequest) else None


def _id_of(ticket: TicketDraft | Ticket) -> int | None:
    return ticket.id if isinstance(ticket, Ticket) else None


def _has_equal_signal(newest_first: Iterable[Row], signal: Signal, window: timedelta) -> bool:
    since, until = to_ms(signal.at - window), to_ms(signal.at + window)
    recent = takewhile(lambda row: row["created_at"] >= since, newest_first)
    return any(row["created_at"] <= until and row["counts"] and signal.is_in(row) for row in recent)


def _if_readable(rows: Iterable[Row]) -> GuardSettings | None:
    try:
        return _settings(rows)
    except StorageError:
        return None


def _settings(rows: Iterable[Row]) -> GuardSettings:
    return _meaning(tuple((row["name"], row["value"]) for row in rows))


@lru_cache(maxsize=4)
def _meaning(rows: tuple[tuple[str, str], ...]) -> GuardSettings:
    """Remembered by its texts, which are read from disk every time: parsing them costs more than reading them."""
    try:
        return parse(dict(rows))
    except Invalid as fault:
        raise StorageError(f"The guards cannot be read: {fault.message}") from fault
