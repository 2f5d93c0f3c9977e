"""The rows of the journal: every statement that writes a ticket, an order or an event stands here.

Each runs inside its caller's transaction: the journal's own, or that of a stop (``stops``), of a restore
(``carried_over``) or of a finding about the broker's book (``breaks``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from openalgo_bridge.clock import to_ms
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.legs import arrivals_to_json
from openalgo_bridge.model.order import BrokerOrderId, BrokerRequest, OrderRequest, Ref
from openalgo_bridge.model.refs import child_refs
from openalgo_bridge.model.states import ORDER_MOVES, TICKET_MOVES, OrderState, TicketState
from openalgo_bridge.model.ticket import Ticket, TicketDraft, named_order, operation_of, order_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a message to the broker ended. ``message`` is a sentence for the trader, or empty."""

    state: OrderState
    broker_order_id: BrokerOrderId | None = None
    message: str = ""


def accept(
    db: sqlite3.Connection,
    draft: TicketDraft,
    state: TicketState,
    now: datetime,
    by: str,
    reason: str = "",
    expires_at: datetime | None = None,
) -> int:
    """A new ticket with its first two events: accepted, and what became of it in the same breath."""
    row = db.execute(
        "INSERT INTO ticket (ref, operation, request, order_mode, trading_mode, source, strategy, request_id,"
        " state, reason, created_at, expires_at, decided_at, price_then, asked, is_exit, is_unread,"
        f" arrivals, signal, symbol, exchange, action, product) VALUES ({', '.join('?' * 23)})",
        (
            draft.ref,
            draft.operation,
            tickets.to_json(draft.request),
            draft.order_mode,
            draft.trading_mode,
            draft.origin.source,
            draft.origin.strategy,
            draft.origin.request_id,
            state,
            reason,
            to_ms(now),
            None if expires_at is None else to_ms(expires_at),
            None if state is TicketState.HELD else to_ms(now),
            _text(draft.price_then),
            draft.origin.asked,
            int(draft.is_exit),
            int(draft.is_unread),
            arrivals_to_json(draft.arrivals),
            draft.signal,
            *_searched(tickets.named_order(draft.request)),
        ),
    )
    ticket_id = int(row.lastrowid or 0)
    accepted = TicketState.ACCEPTED
    record(db, ticket_id, now, by, ("", accepted, ""), (accepted, state, reason), last=0)
    return ticket_id


def ticket_as_written(
    ticket_id: int,
    draft: TicketDraft,
    state: TicketState,
    now: datetime,
    expires_at: datetime | None = None,
    reason: str = "",
) -> Ticket:
    """A ticket that was just accepted, without reading it back."""
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
        decided_at=None if state is TicketState.HELD else now,
        price_then=draft.price_then,
        is_exit=draft.is_exit,
        is_unread=draft.is_unread,
        arrivals=draft.arrivals,
        signal=draft.signal,
    )


def insert_order(
    db: sqlite3.Connection, ticket_id: int, ref: Ref, request: BrokerRequest, state: OrderState, now: datetime
) -> int:
    order, operation = named_order(request), operation_of(request)
    row = db.execute(
        "INSERT INTO orders (ticket_id, ref, operation, request, state, message, created_at, changed_at,"
        " symbol, exchange, action, product, quantity) VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?)",
        (
            ticket_id,
            ref,
            operation,
            tickets.to_json(request),
            state,
            to_ms(now),
            to_ms(now),
            *_searched(order),
            0 if order is None else order.quantity,
        ),
    )
    return int(row.lastrowid or 0)


def plan(
    db: sqlite3.Connection, ticket_id: int, refs: Iterable[Ref], legs: Sequence[BrokerRequest], now: datetime, by: str
) -> list[int]:
    """Orders that wait for their claim, with the event of each."""
    ids = []
    for ref, leg in zip(refs, legs, strict=True):
        ids.append(insert_order(db, ticket_id, ref, leg, OrderState.PLANNED, now))
        record(db, ticket_id, now, by, ("", OrderState.PLANNED, ""), order_id=ids[-1])
    return ids


def send_first(
    db: sqlite3.Connection, ticket_id: int, ref: Ref, messages: Sequence[BrokerRequest], now: datetime, by: str
) -> list[int]:
    """The orders of a ticket: the first ``sending`` in the same breath, the others planned. Returns their ids."""
    planned, sending = OrderState.PLANNED, OrderState.SENDING
    order_id = insert_order(db, ticket_id, ref, messages[0], sending, now)
    record(db, ticket_id, now, by, ("", planned, ""), (planned, sending, ""), order_id=order_id)
    return [order_id, *plan(db, ticket_id, child_refs(ref, messages)[1:], messages[1:], now, by)]


def revise(db: sqlite3.Connection, ticket_id: int, request: BrokerRequest) -> None:
    """Another request in a held ticket; the database refuses it in any other state."""
    db.execute(
        "UPDATE ticket SET request = ?, symbol = ?, exchange = ?, action = ?, product = ? WHERE id = ?",
        (tickets.to_json(request), *_searched(order_of(request)), ticket_id),
    )


def ask(db: sqlite3.Connection, read: Ticket, question: str) -> None:
    """An unread ticket is ``read`` now, and tells the question."""
    db.execute(
        "UPDATE ticket SET is_unread = 0, reason = ?, price_then = ?, arrivals = ? WHERE id = ?",
        (question, _text(read.price_then), arrivals_to_json(read.arrivals), read.id),
    )


def tell(db: sqlite3.Connection, ticket_id: int, reason: str) -> None:
    """What a ticket says about itself, without a move."""
    db.execute("UPDATE ticket SET reason = ? WHERE id = ?", (reason, ticket_id))


def move_ticket(
    db: sqlite3.Connection,
    ticket_id: int,
    was: TicketState,
    becomes: TicketState,
    now: datetime,
    by: str,
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
    record(db, ticket_id, now, by, (was, becomes, reason))


def move_order(
    db: sqlite3.Connection, order_id: int, was: OrderState, outcome: Settlement, now: datetime, by: str
) -> Ref:
    if (was, outcome.state) not in ORDER_MOVES:
        raise RuntimeError(f"an order never moves from {was} to {outcome.state}")
    moved = db.execute(
        "UPDATE orders SET state = ?, broker_order_id = coalesce(?, broker_order_id), message = ?, changed_at = ?"
        " WHERE id = ? AND state = ? RETURNING ticket_id, ref",
        (outcome.state, outcome.broker_order_id, outcome.message, to_ms(now), order_id, was),
    ).fetchall()
    if len(moved) != 1:
        raise Conflict(f"Order {order_id} is not {was} any more.")
    record(db, moved[0]["ticket_id"], now, by, (was, outcome.state, outcome.message), order_id=order_id)
    if was is OrderState.PLANNED:
        _release_begun(db, moved[0]["ticket_id"], now, by)
    return Ref(moved[0]["ref"])


def _release_begun(db: sqlite3.Connection, ticket_id: int, now: datetime, by: str) -> None:
    """An approved ticket of several orders is released by the first that is sending, or when none is left to go. A
    restart before that holds it again.
    """
    begun = db.execute(
        "SELECT 1 FROM ticket WHERE id = :id AND state = 'approved' AND"
        " (EXISTS (SELECT 1 FROM orders WHERE ticket_id = :id AND state NOT IN ('planned', 'dropped'))"
        " OR NOT EXISTS (SELECT 1 FROM orders WHERE ticket_id = :id AND state = 'planned'))",
        {"id": ticket_id},
    ).fetchone()
    if begun is not None:
        move_ticket(db, ticket_id, TicketState.APPROVED, TicketState.RELEASED, now, by)


def planned_ids(db: sqlite3.Connection, ticket_id: int) -> list[int]:
    """The orders of a ticket that wait for their claim, in the order in which they were planned."""
    sql = "SELECT id FROM orders WHERE state = 'planned' AND ticket_id = ? ORDER BY id"
    return [row["id"] for row in db.execute(sql, (ticket_id,))]


def drop(db: sqlite3.Connection, ticket_id: int, planned: Sequence[int], reason: str, now: datetime, by: str) -> None:
    """Give up planned orders of a ticket, which says so."""
    dropped = Settlement(state=OrderState.DROPPED, message=reason)
    for order_id in planned:
        move_order(db, order_id, OrderState.PLANNED, dropped, now, by)
    tell(db, ticket_id, f"{len(planned)} of its orders were not sent. {reason}")


def record(
    db: sqlite3.Connection,
    ticket_id: int,
    now: datetime,
    by: str,
    *moves: tuple[str, str, str],
    order_id: int | None = None,
    last: int | None = None,
) -> None:
    """One event per move: from, to, why. ``last`` is the number of the ticket's last event, read where it is None."""
    if last is None:
        row = db.execute("SELECT max(number) AS number FROM order_event WHERE ticket_id = ?", (ticket_id,)).fetchone()
        last = row["number"] or 0
    values: list[str | int | None] = []
    for number, (was, becomes, reason) in enumerate(moves, last + 1):
        values += (ticket_id, number, order_id, was, becomes, reason, by, to_ms(now))
    db.execute(
        "INSERT INTO order_event (ticket_id, number, order_id, was, state, reason, by_whom, at)"
        f" VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?)'] * len(moves))}",
        values,
    )


def _searched(order: OrderRequest | None) -> tuple[str, str, str, str]:
    """What lists and limits ask for."""
    return ("", "", "", "") if order is None else (order.symbol, order.exchange, order.action, order.product)


def _text(price: Decimal | None) -> str:
    return "" if price is None else str(price)
