"""Tickets and orders: written before anything leaves, settled after. The only writer of its three tables.

Every move is one conditional UPDATE that names the old state; no row changed means that somebody else made
the move first. A row may be born in the state to which its first moves, in the same commit, would have brought
it; each of these moves is an event all the same. ``synchronous=FULL``: what returned is on the disk.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import to_ms
from openalgo_bridge.errors import Conflict, NotFound
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.order import BrokerOrderId, BrokerRequest
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import ORDER_MOVES, TICKET_MOVES, OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket, TicketDraft
from openalgo_bridge.store.journal_reads import JournalReads, ticket_of


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


class Journal(JournalReads):
    """See the module. Every method may raise StorageError."""

    # -- what is asked for ---------------------------------------------------------------------------

    def release(self, draft: TicketDraft) -> tuple[Ticket, SendPermit[BrokerRequest]]:
        """Accept a ticket that may go at once: accepted, planned and sending in one commit.

        Raises Conflict when a mode is not the draft's any more: from the moment the person has saved Semi-Auto,
        nothing is released under Auto, and from the moment the account is in paper trading, no new order is released
        live. A cancel does not depend on either; a change belongs to the trading mode of its order.
        """
        now = self._clock.now()
        asked = tickets.to_json(draft.request)
        with self._db.transaction() as db:
            if draft.operation is not Operation.CANCEL and not _modes_are(db, draft):
                raise Conflict("A mode was changed while it was on its way.")
            ticket_id = _insert_ticket(db, draft, asked, TicketState.RELEASED, now)
            _events(db, ticket_id, now, (TicketState.ACCEPTED, ""), (TicketState.RELEASED, ""))
            permit = _claim(db, ticket_id, draft, asked, now)
        return _fresh(ticket_id, draft, TicketState.RELEASED, now), permit

    def hold(self, draft: TicketDraft, *, expires_at: datetime | None, reason: str) -> Ticket:
        """Accept a ticket that waits for the person."""
        now = self._clock.now()
        asked = tickets.to_json(draft.request)
        with self._db.transaction() as db:
            ticket_id = _insert_ticket(db, draft, asked, TicketState.HELD, now, expires_at, reason)
            _events(db, ticket_id, now, (TicketState.ACCEPTED, ""), (TicketState.HELD, reason))
        return _fresh(ticket_id, draft, TicketState.HELD, now, expires_at, reason)

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
            return ticket, _claim(db, ticket_id, ticket, tickets.to_json(ticket.request), now)

    def reject(self, ticket_id: int, shown: str, reason: str) -> Ticket:
        """Turn a held ticket down for good. Raises as :meth:`approve` does."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket = _undecided(db, ticket_id, now)
            if ticket.shown != shown:
                raise Conflict(f"Ticket {ticket_id} is not what was shown. Look at it again.")
            _move_ticket(db, ticket_id, TicketState.HELD, TicketState.REJECTED, now, reason)
            return ticket

    def withdraw(self, ticket_id: int) -> None:
        """Whoever asked takes a held ticket back. Raises NotFound, and Conflict when it is not held any more."""
        now = self._clock.now()
        with self._db.transaction() as db:
            _undecided(db, ticket_id, now)
            reason = "Withdrawn by the program that sent it."
            _move_ticket(db, ticket_id, TicketState.HELD, TicketState.REJECTED, now, reason)

    def expire_held(self) -> int:
        """Expire what was held for too long; returns how many. Writes only when something is due."""
        now = self._clock.now()
        due = "SELECT id FROM ticket WHERE state = 'held' AND expires_at <= ?"
        if self._db.read_one(due, (to_ms(now),)) is None:
            return 0
        with self._db.transaction() as db:
            late = [row["id"] for row in db.execute(due, (to_ms(now),)).fetchall()]
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
        dropped = Settlement(state=OrderState.DROPPED, message="The bridge stopped before it was sent.")
        unknown = Settlement(state=OrderState.UNKNOWN, message="The bridge stopped while it was being sent.")
        with self._db.transaction() as db:
            planned = _ids(db, "SELECT id FROM orders WHERE state = 'planned'")
            for order_id in planned:
                _move_order(db, order_id, OrderState.PLANNED, dropped, now)
            sending = _ids(db, "SELECT id FROM orders WHERE state = 'sending'")
            for order_id in sending:
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


def _fresh(
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


def _modes_are(db: sqlite3.Connection, draft: TicketDraft) -> bool:
    rows = db.execute("SELECT name, value FROM preference WHERE name IN ('order_mode', 'trading_mode')").fetchall()
    modes = {row["name"]: row["value"] for row in rows}
    is_change = draft.operation is not Operation.PLACE
    return modes.get("order_mode") == draft.order_mode and (
        is_change or modes.get("trading_mode") == draft.trading_mode
    )


def _insert_ticket(
    db: sqlite3.Connection,
    draft: TicketDraft,
    asked: str,
    state: TicketState,
    now: datetime,
    expires_at: datetime | None = None,
    reason: str = "",
) -> int:
    row = db.execute(
        "INSERT INTO ticket (ref, operation, request, order_mode, trading_mode, source, strategy, request_id,"
        " state, reason, created_at, expires_at, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            draft.ref,
            draft.operation,
            asked,
            draft.order_mode,
            draft.trading_mode,
            draft.origin.source,
            draft.origin.strategy,
            draft.origin.request_id,
            state,
            reason,
            to_ms(now),
            None if expires_at is None else to_ms(expires_at),
            to_ms(now) if state is TicketState.RELEASED else None,
        ),
    )
    return int(row.lastrowid or 0)


def _claim(
    db: sqlite3.Connection, ticket_id: int, draft: TicketDraft | Ticket, asked: str, now: datetime
) -> SendPermit[BrokerRequest]:
    """Plan the ticket's order and make it ``sending``: the only place where a permit is made."""
    row = db.execute(
        "INSERT INTO orders (ticket_id, ref, operation, request, state, message, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, 'sending', '', ?, ?)",
        (ticket_id, draft.ref, draft.operation, asked, to_ms(now), to_ms(now)),
    )
    order_id = int(row.lastrowid or 0)
    _events(db, ticket_id, now, (OrderState.PLANNED, ""), (OrderState.SENDING, ""), order_id=order_id)
    return SendPermit(order_id=order_id, ref=draft.ref, request=draft.request)


def _undecided(db: sqlite3.Connection, ticket_id: int, now: datetime) -> Ticket:
    row = db.execute("SELECT * FROM ticket WHERE id = ?", (ticket_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    ticket = ticket_of(row)
    if ticket.state is not TicketState.HELD:
        raise Conflict(f"Ticket {ticket_id} is already {ticket.state}.")
    if ticket.expires_at is not None and ticket.expires_at <= now:
        raise Conflict(f"Ticket {ticket_id} has expired: nobody decided in time.")
    return ticket


def _move_ticket(
    db: sqlite3.Connection, ticket_id: int, was: TicketState, becomes: TicketState, now: datetime, reason: str = ""
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
    _events(db, ticket_id, now, (becomes, reason))


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
    _events(db, moved[0]["ticket_id"], now, (outcome.state, outcome.message), order_id=order_id)


def _events(
    db: sqlite3.Connection,
    ticket_id: int,
    now: datetime,
    *moves: tuple[TicketState | OrderState, str],
    order_id: int | None = None,
) -> None:
    last = db.execute("SELECT max(number) AS number FROM order_event WHERE ticket_id = ?", (ticket_id,)).fetchone()
    number = last["number"] or 0
    for state, reason in moves:
        number += 1
        db.execute(
            "INSERT INTO order_event (ticket_id, number, order_id, state, reason, at) VALUES (?, ?, ?, ?, ?, ?)",
            (ticket_id, number, order_id, state, reason, to_ms(now)),
        )


def _ids(db: sqlite3.Connection, sql: str) -> list[int]:
    return [row["id"] for row in db.execute(sql).fetchall()]
