"""Tickets and orders: written before anything leaves, settled after. The only writer of its three tables.

Every move is one conditional UPDATE that names the old state; no row changed means that somebody else made
the move first. Every move leaves an ``order_event``. ``synchronous=FULL``: what returned is on the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.errors import Conflict, NotFound
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.order import BrokerOrderId, BrokerRequest, OrderMode, Ref, TradingMode
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import ORDER_MOVES, TICKET_MOVES, OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft
from openalgo_bridge.store.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOrder:
    """One message to a broker and what we know of it."""

    id: int
    ticket_id: int
    ref: Ref
    operation: Operation
    request: BrokerRequest
    trading_mode: TradingMode
    state: OrderState
    broker_order_id: BrokerOrderId | None
    message: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One move of a ticket (``order_id`` None) or of one of its orders."""

    at: datetime
    state: str
    reason: str
    order_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a message to the broker ended. ``message`` is a sentence for the trader, or empty."""

    state: OrderState
    broker_order_id: BrokerOrderId | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """What a restart found unfinished: how many tickets went back to held, how many orders were dropped."""

    held_again: int
    dropped: int
    unknown: int


class Journal:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    # -- what is asked for ---------------------------------------------------------------------------

    def release(self, draft: TicketDraft) -> tuple[Ticket, SendPermit[BrokerRequest]]:
        """Accept a ticket that may go at once: accepted, planned and sending in one commit."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket_id = _insert_ticket(db, draft, now)
            _move_ticket(db, ticket_id, TicketState.ACCEPTED, TicketState.RELEASED, now)
            permit = _claim(db, ticket_id, draft, now)
        return self._fresh(ticket_id, draft, TicketState.RELEASED, now), permit

    def hold(self, draft: TicketDraft, *, expires_at: datetime | None, reason: str) -> Ticket:
        """Accept a ticket that waits for the person."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket_id = _insert_ticket(db, draft, now, expires_at)
            _move_ticket(db, ticket_id, TicketState.ACCEPTED, TicketState.HELD, now, reason)
        return self._fresh(ticket_id, draft, TicketState.HELD, now, expires_at, reason)

    # -- what the person decides ---------------------------------------------------------------------

    def approve(self, ticket_id: int, shown: str) -> tuple[Ticket, SendPermit[BrokerRequest]]:
        """Take a held ticket once and make its order ``sending``, in one commit.

        ``shown`` is the :attr:`Ticket.shown` of the page the person looked at. Raises NotFound, and Conflict
        when the ticket was decided, has expired or is not what was shown.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket = _undecided(db, ticket_id, now)
            if ticket.shown != shown:
                raise Conflict(f"Ticket {ticket_id} is not what was shown. Look at it again.")
            _move_ticket(db, ticket_id, TicketState.HELD, TicketState.APPROVED, now)
            _move_ticket(db, ticket_id, TicketState.APPROVED, TicketState.RELEASED, now)
            return ticket, _claim(db, ticket_id, ticket, now)

    def reject(self, ticket_id: int, shown: str, reason: str) -> Ticket:
        """Turn a held ticket down for good. Raises as :meth:`approve` does."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket = _undecided(db, ticket_id, now)
            if ticket.shown != shown:
                raise Conflict(f"Ticket {ticket_id} is not what was shown. Look at it again.")
            _move_ticket(db, ticket_id, TicketState.HELD, TicketState.REJECTED, now, reason)
            return ticket

    def expire_held(self) -> int:
        """Expire what was held for too long; returns how many."""
        now = self._clock.now()
        due = "SELECT id FROM ticket WHERE state = 'held' AND expires_at <= ?"
        if self._db.read_one(due, (to_ms(now),)) is None:
            return 0
        with self._db.transaction() as db:
            late = [row["id"] for row in db.execute(due, (to_ms(now),))]
            for ticket_id in late:
                reason = "Nobody decided in time."
                _move_ticket(db, ticket_id, TicketState.HELD, TicketState.EXPIRED, now, reason)
        return len(late)

    # -- what the broker says ------------------------------------------------------------------------

    def settle(self, order_id: int, outcome: Settlement, *, was: OrderState = OrderState.SENDING) -> None:
        """Write how a message ended. Raises Conflict when it was not in state ``was`` any more."""
        with self._db.transaction() as db:
            _move_order(db, order_id, was, outcome, self._clock.now())

    def interrupt(self) -> Interrupted:
        """The rules of a restart (design 4), in one commit. A restart never sends.

        Orders ``planned`` are dropped, ``sending`` become unknown, and a ticket ``approved`` of which nothing
        was ever sending is held again.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            planned = _ids(db, "SELECT id FROM orders WHERE state = 'planned'")
            for order_id in planned:
                dropped = Settlement(state=OrderState.DROPPED, message="The bridge stopped before it was sent.")
                _move_order(db, order_id, OrderState.PLANNED, dropped, now)
            sending = _ids(db, "SELECT id FROM orders WHERE state = 'sending'")
            for order_id in sending:
                unknown = Settlement(state=OrderState.UNKNOWN, message="The bridge stopped while it was being sent.")
                _move_order(db, order_id, OrderState.SENDING, unknown, now)
            approved = _ids(
                db,
                "SELECT id FROM ticket WHERE state = 'approved' AND NOT EXISTS"
                " (SELECT 1 FROM orders WHERE ticket_id = ticket.id)",
            )
            for ticket_id in approved:
                reason = "The bridge stopped before it was sent. Decide again."
                _move_ticket(db, ticket_id, TicketState.APPROVED, TicketState.HELD, now, reason)
        return Interrupted(held_again=len(approved), dropped=len(planned), unknown=len(sending))

    # -- reads ---------------------------------------------------------------------------------------

    def ticket(self, ticket_id: int) -> Ticket:
        """One ticket. Raises NotFound."""
        row = self._db.read_one("SELECT * FROM ticket WHERE id = ?", (ticket_id,))
        if row is None:
            raise NotFound(f"There is no ticket {ticket_id}.")
        return _ticket(row)

    def tickets(
        self, *, states: Sequence[TicketState] = (), before: int | None = None, limit: int = 50
    ) -> list[Ticket]:
        """Newest first, paged by key: pass the last id as ``before``. Held ones come oldest first elsewhere."""
        wanted = list(states) or list(TicketState)
        rows = self._db.read(
            f"SELECT * FROM ticket WHERE state IN ({_marks(wanted)}) AND id < ? ORDER BY id DESC LIMIT ?",
            (*wanted, before if before is not None else 1 << 62, limit),
        )
        return [_ticket(row) for row in rows]

    def held(self, limit: int = 200) -> list[Ticket]:
        """What waits for the person, in the order it arrived."""
        rows = self._db.read("SELECT * FROM ticket WHERE state = 'held' ORDER BY id LIMIT ?", (limit,))
        return [_ticket(row) for row in rows]

    def held_count(self) -> int:
        """How many tickets wait for the person."""
        row = self._db.read_one("SELECT count(*) AS n FROM ticket WHERE state = 'held'")
        return int(row["n"]) if row else 0

    def count_since(self, moment: datetime, trading_mode: TradingMode) -> int:
        """How many tickets arrived since ``moment``."""
        sql = "SELECT count(*) AS n FROM ticket WHERE created_at >= ? AND trading_mode = ?"
        row = self._db.read_one(sql, (to_ms(moment), trading_mode))
        return int(row["n"]) if row else 0

    def ticket_by_ref(self, ref: str) -> Ticket | None:
        """The ticket of one of our references, or None."""
        row = self._db.read_one("SELECT * FROM ticket WHERE ref = ?", (ref,))
        return None if row is None else _ticket(row)

    def orders_of(self, ticket_ids: Sequence[int]) -> list[JournalOrder]:
        """The orders of these tickets, in the order they were made."""
        wanted = list(ticket_ids)
        sql = f"{_ORDERS} WHERE orders.ticket_id IN ({_marks(wanted)}) ORDER BY orders.id"
        return [_order(row) for row in self._db.read(sql, wanted)]

    def events(self, ticket_id: int) -> list[Event]:
        """Every move of a ticket and its orders, oldest first."""
        rows = self._db.read("SELECT * FROM order_event WHERE ticket_id = ? ORDER BY id", (ticket_id,))
        return [
            Event(at=from_ms(row["at"]), state=row["state"], reason=row["reason"], order_id=row["order_id"])
            for row in rows
        ]

    def order_by_broker_id(self, broker_order_id: BrokerOrderId) -> JournalOrder | None:
        """Our record of a placed order, or None when it was not placed through us."""
        sql = f"{_ORDERS} WHERE orders.broker_order_id = ? AND orders.operation = 'placeorder'"
        row = self._db.read_one(sql, (broker_order_id,))
        return None if row is None else _order(row)

    def unresolved(self) -> list[JournalOrder]:
        """Orders whose outcome is not known, oldest first."""
        return [_order(row) for row in self._db.read(f"{_ORDERS} WHERE orders.state = 'unknown' ORDER BY orders.id")]

    def _fresh(
        self,
        ticket_id: int,
        draft: TicketDraft,
        state: TicketState,
        now: datetime,
        expires_at: datetime | None = None,
        reason: str = "",
    ) -> Ticket:
        return Ticket(
            id=ticket_id,
            ref=draft.ref,
            operation=draft.operation,
            request=draft.request,
            order_mode=draft.order_mode,
            trading_mode=draft.trading_mode,
            origin=draft.origin,
            state=state,
            reason=reason,
            created_at=now,
            expires_at=expires_at,
            decided_at=now if state is TicketState.RELEASED else None,
        )


_ORDERS = "SELECT orders.*, ticket.trading_mode FROM orders JOIN ticket ON ticket.id = orders.ticket_id"


def _insert_ticket(
    db: sqlite3.Connection, draft: TicketDraft, now: datetime, expires_at: datetime | None = None
) -> int:
    row = db.execute(
        "INSERT INTO ticket (ref, operation, request, order_mode, trading_mode, source, strategy, request_id,"
        " state, reason, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'accepted', '', ?, ?)",
        (
            draft.ref,
            draft.operation,
            tickets.to_json(draft.request),
            draft.order_mode,
            draft.trading_mode,
            draft.origin.source,
            draft.origin.strategy,
            draft.origin.request_id,
            to_ms(now),
            None if expires_at is None else to_ms(expires_at),
        ),
    )
    ticket_id = int(row.lastrowid or 0)
    _event(db, ticket_id, None, TicketState.ACCEPTED, "", now)
    return ticket_id


def _claim(
    db: sqlite3.Connection, ticket_id: int, asked: TicketDraft | Ticket, now: datetime
) -> SendPermit[BrokerRequest]:
    """Plan the ticket's order and make it ``sending``: the only place where a permit is made."""
    row = db.execute(
        "INSERT INTO orders (ticket_id, ref, operation, request, state, message, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, 'planned', '', ?, ?)",
        (ticket_id, asked.ref, asked.operation, tickets.to_json(asked.request), to_ms(now), to_ms(now)),
    )
    order_id = int(row.lastrowid or 0)
    _move_order(db, order_id, OrderState.PLANNED, Settlement(state=OrderState.SENDING), now)
    return SendPermit(order_id=order_id, ref=asked.ref, request=asked.request)


def _undecided(db: sqlite3.Connection, ticket_id: int, now: datetime) -> Ticket:
    row = db.execute("SELECT * FROM ticket WHERE id = ?", (ticket_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    ticket = _ticket(row)
    if ticket.state is not TicketState.HELD:
        raise Conflict(f"Ticket {ticket_id} is already {ticket.state}.")
    if ticket.expires_at is not None and ticket.expires_at <= now:
        raise Conflict(f"Ticket {ticket_id} has expired: nobody decided in time.")
    return ticket


def _move_ticket(
    db: sqlite3.Connection,
    ticket_id: int,
    was: TicketState,
    becomes: TicketState,
    now: datetime,
    reason: str = "",
) -> None:
    if (was, becomes) not in TICKET_MOVES:
        raise RuntimeError(f"a ticket never moves from {was} to {becomes}")
    moved = db.execute(
        "UPDATE ticket SET state = ?, reason = ?, decided_at = CASE WHEN ? = 'held' THEN NULL ELSE ? END"
        " WHERE id = ? AND state = ?",
        (becomes, reason, becomes, to_ms(now), ticket_id, was),
    )
    if moved.rowcount != 1:
        raise Conflict(f"Ticket {ticket_id} is not {was} any more.")
    _event(db, ticket_id, None, becomes, reason, now)


def _move_order(db: sqlite3.Connection, order_id: int, was: OrderState, outcome: Settlement, now: datetime) -> None:
    if (was, outcome.state) not in ORDER_MOVES:
        raise RuntimeError(f"an order never moves from {was} to {outcome.state}")
    moved = db.execute(
        "UPDATE orders SET state = ?, broker_order_id = coalesce(?, broker_order_id), message = ?, changed_at = ?"
        " WHERE id = ? AND state = ? RETURNING ticket_id",
        (outcome.state, outcome.broker_order_id, outcome.message, to_ms(now), order_id, was),
    ).fetchall()
    if len(moved) != 1:
        raise Conflict(f"Order {order_id} is not {was} any more.")
    _event(db, moved[0]["ticket_id"], order_id, outcome.state, outcome.message, now)


def _event(
    db: sqlite3.Connection, ticket_id: int, order_id: int | None, state: str, reason: str, now: datetime
) -> None:
    db.execute(
        "INSERT INTO order_event (ticket_id, order_id, state, reason, at) VALUES (?, ?, ?, ?, ?)",
        (ticket_id, order_id, state, reason, to_ms(now)),
    )


def _ids(db: sqlite3.Connection, sql: str) -> list[int]:
    return [row["id"] for row in db.execute(sql).fetchall()]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _ticket(row: Row) -> Ticket:
    operation = Operation(row["operation"])
    return Ticket(
        id=row["id"],
        ref=Ref(row["ref"]),
        operation=operation,
        request=tickets.from_json(operation, row["request"]),
        order_mode=OrderMode(row["order_mode"]),
        trading_mode=TradingMode(row["trading_mode"]),
        origin=Origin(source=row["source"], strategy=row["strategy"], request_id=row["request_id"]),
        state=TicketState(row["state"]),
        reason=row["reason"],
        created_at=from_ms(row["created_at"]),
        expires_at=None if row["expires_at"] is None else from_ms(row["expires_at"]),
        decided_at=None if row["decided_at"] is None else from_ms(row["decided_at"]),
    )


def _order(row: Row) -> JournalOrder:
    operation = Operation(row["operation"])
    return JournalOrder(
        id=row["id"],
        ticket_id=row["ticket_id"],
        ref=Ref(row["ref"]),
        operation=operation,
        request=tickets.from_json(operation, row["request"]),
        trading_mode=TradingMode(row["trading_mode"]),
        state=OrderState(row["state"]),
        broker_order_id=None if row["broker_order_id"] is None else BrokerOrderId(row["broker_order_id"]),
        message=row["message"],
        created_at=from_ms(row["created_at"]),
        changed_at=from_ms(row["changed_at"]),
    )
