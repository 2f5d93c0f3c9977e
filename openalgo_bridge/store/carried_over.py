"""Orders in doubt of another journal, taken into this one. Every write goes through ``journal_rows``.

A restore replaces the file that knows of them. Forgotten, they could be sent a second time.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from openalgo_bridge.model.order import GttRequest, ModifyRequest, OrderRequest, Ref
from openalgo_bridge.model.order_changes import difference
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Ticket, TicketDraft
from openalgo_bridge.store import journal_rows as rows
from openalgo_bridge.store.journal_reads import REVISED, JournalOrder, order_by_id, ticket_of
from openalgo_bridge.store.journal_rows import Settlement

_WHENCE = "Taken over by a restore from the file that it replaced"
_OF_TICKET = f"{_WHENCE}: of its orders those that were in doubt."
_SINCE = f"It was let go after the backup was made. {_OF_TICKET}"

_INTO_DOUBT = (OrderState.PLANNED, OrderState.SENDING, OrderState.UNKNOWN, OrderState.PARKED)
_MAY_HAVE_ORDERS = {TicketState.HELD, TicketState.APPROVED, TicketState.RELEASED}
_FOUND_OUT = {OrderState.SENT, OrderState.REJECTED, OrderState.NOT_PLACED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An order of another journal that may be at the broker, and its ticket there."""

    ticket: Ticket
    order: JournalOrder


def take_in(db: sqlite3.Connection, doubt: Doubt, now: datetime, by: str) -> bool:
    """Let the order be as much in doubt here as there, by legal moves; False when it was, or is found out here."""
    here = _ticket_here(db, doubt.ticket.ref)
    known = None if here is None else _order_here(db, here, doubt.order.ref)
    if known is not None and known.state in _FOUND_OUT:
        return False
    if known is None and here is not None and here.state in _MAY_HAVE_ORDERS:
        _let_go(db, here, doubt.ticket, doubt.order.created_at, by)
        known = _insert(db, here.id, doubt.order, by)
    elif known is None or known.state is OrderState.DROPPED:
        known = _insert(db, _accept(db, doubt.ticket, now, by, has_ref=here is None), doubt.order, by)
    return _moved(db, known, doubt.order, now, by)


def _moved(db: sqlite3.Connection, known: JournalOrder, there: JournalOrder, now: datetime, by: str) -> bool:
    steps = _INTO_DOUBT[_INTO_DOUBT.index(known.state) : _INTO_DOUBT.index(_doubtful(there)) + 1]
    reason = f"{_WHENCE}, where it was {there.state}. {there.message}".strip()
    for was, becomes in pairwise(steps):
        rows.move_order(db, known.id, was, Settlement(state=becomes, message=reason), now, by)
    return len(steps) > 1


def _doubtful(order: JournalOrder) -> OrderState:
    """A placement is still looked up by its tag. Of a change or a withdrawal the messages that came after it are not
    in this journal, so that only the person can tell.
    """
    can_be_looked_up = isinstance(order.request, OrderRequest | GttRequest) and order.state is not OrderState.PARKED
    return OrderState.UNKNOWN if can_be_looked_up else OrderState.PARKED


def _let_go(db: sqlite3.Connection, here: Ticket, there: Ticket, at: datetime, by: str) -> None:
    """The ticket waited when the backup was made, and was approved ``at`` a later time, perhaps after a change."""
    if here.state is TicketState.HELD:
        _revise(db, here, there, at, by)
        rows.move_ticket(db, here.id, TicketState.HELD, TicketState.APPROVED, at, by, _SINCE)
    if here.state is not TicketState.RELEASED:
        rows.move_ticket(db, here.id, TicketState.APPROVED, TicketState.RELEASED, at, by, _SINCE)


def _revise(db: sqlite3.Connection, here: Ticket, there: Ticket, at: datetime, by: str) -> None:
    was, became, request = here.order, there.order, there.request
    if isinstance(request, OrderRequest | ModifyRequest) and was is not None and became is not None and was != became:
        rows.revise(db, here.id, request)
        rows.record(db, here.id, at, by, (TicketState.HELD, REVISED, difference(was, became)))


def _accept(db: sqlite3.Connection, there: Ticket, now: datetime, by: str, *, has_ref: bool) -> int:
    """A ticket of its own, when it was accepted there. Where a decided one has its reference it gets another; the
    order keeps the tag that it went out with.
    """
    draft = TicketDraft(
        ref=there.ref if has_ref else new_ref(now),
        operation=there.operation,
        request=there.request,
        order_mode=there.order_mode,
        trading_mode=there.trading_mode,
        origin=there.origin,
        price_then=there.price_then,
        is_exit=there.is_exit,
        arrivals=there.arrivals,
    )
    return rows.accept(db, draft, TicketState.RELEASED, there.created_at, by, _OF_TICKET)


def _insert(db: sqlite3.Connection, ticket_id: int, there: JournalOrder, by: str) -> JournalOrder:
    planned, sending, at = OrderState.PLANNED, OrderState.SENDING, there.created_at
    order_id = rows.insert_order(db, ticket_id, there.ref, there.request, sending, at)
    rows.record(db, ticket_id, at, by, ("", planned, ""), (planned, sending, ""), order_id=order_id)
    return order_by_id(db, order_id)


def _ticket_here(db: sqlite3.Connection, ref: Ref) -> Ticket | None:
    row = db.execute("SELECT * FROM ticket WHERE ref = ?", (ref,)).fetchone()
    return None if row is None else ticket_of(row)


def _order_here(db: sqlite3.Connection, here: Ticket, ref: Ref) -> JournalOrder | None:
    row = db.execute("SELECT id FROM orders WHERE ticket_id = ? AND ref = ?", (here.id, ref)).fetchone()
    return None if row is None else order_by_id(db, row["id"])
