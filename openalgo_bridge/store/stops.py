"""What a ticket that cancels or closes many stops: what is planned, and what arrived before it and is not written yet.

Each of these runs inside the caller's transaction: from the commit of the stop on, nothing goes that it means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from openalgo_bridge.errors import Stopped
from openalgo_bridge.model.exits import is_on_same_side
from openalgo_bridge.model.order import CancelAllRequest, CloseRequest, LegsRequest, OrderRequest
from openalgo_bridge.model.stops import Stop, actor_of, came_first, is_meant
from openalgo_bridge.model.ticket import Operation, Ticket, TicketDraft, named_order, order_of
from openalgo_bridge.store import journal_rows as rows
from openalgo_bridge.store.claims import JournalMark, Reservation
from openalgo_bridge.store.journal_reads import JournalOrder, still_to_go, ticket_of

_STOPS_SINCE = (
    "SELECT * FROM ticket WHERE id > :ticket AND {which}"
    " UNION SELECT * FROM ticket WHERE id IN (SELECT ticket_id FROM orders WHERE id > :order) AND {which}"
    " AND NOT EXISTS (SELECT 1 FROM orders WHERE ticket_id = ticket.id AND id <= :order)"
    " AND EXISTS (SELECT 1 FROM order_event WHERE ticket_id = ticket.id AND order_id IS NULL AND state = 'held')"
).format(which="operation IN ('cancelallorder', 'closeposition') AND state = 'released' AND trading_mode = :mode")
"""Those that arrived after a mark, or waited and were approved after it: the first of their orders is planned then. Any
other stop may plan further orders, and stopped what it means before.
"""


def give_up_planned(
    db: sqlite3.Connection, stop: TicketDraft | Ticket, spares: Iterable[OrderRequest], now: datetime
) -> None:
    """Where ``stop`` cancels or closes many, drop what is planned and meant by it, which the tickets of it say. What is
    on the side of one that it ``spares`` goes on.

    A closing takes over from the closings before it, so that none of which nobody knows any more keeps a position open.
    """
    wanted = stop.request
    if not isinstance(wanted, CancelAllRequest | CloseRequest):
        return
    closings = (Operation.CLOSE,) if isinstance(wanted, CloseRequest) else ()
    meant = [each for each in still_to_go(db, stop.trading_mode, *closings) if means(wanted, each)]
    meant = [each for each in meant if not _is_spared(each, spares)]
    reason, by = f"Not sent any more: {came_first(stop)}.", actor_of(stop)
    for ticket_id in {each.ticket_id for each in meant}:
        ids = [each.id for each in meant if each.ticket_id == ticket_id]
        rows.drop(db, ticket_id, ids, reason, now, by.name)


def check_not_stopped(
    db: sqlite3.Connection, draft: TicketDraft | Ticket, after: JournalMark | None, reserve: Reservation | None = None
) -> None:
    """What waited for its turn while somebody stopped everything goes no more by itself. Raises Stopped.

    A proven exit goes on beside a closing: it opens nothing. "Cancel all" is meant for it, too.
    """
    placed = _placed_by(draft)
    if after is None or not placed:
        return
    since = {"ticket": after.ticket_id, "order": after.order_id, "mode": draft.trading_mode}
    for stop in map(ticket_of, db.execute(_STOPS_SINCE, since)):
        wanted = stop.request
        if not isinstance(wanted, CancelAllRequest | CloseRequest):
            continue
        if isinstance(wanted, CloseRequest) and reserve is not None:
            continue
        if any(is_meant(wanted, order, draft.ref) for order in placed):
            raise Stopped(f"Held because {came_first(stop)}.")


def means(wanted: Stop, order: JournalOrder) -> bool:
    """Whether ``wanted`` is about an order of the journal; a withdrawal is about none."""
    return isinstance(order.request, OrderRequest) and is_meant(wanted, order.request, order.ref)


def _is_spared(planned: JournalOrder, spares: Iterable[OrderRequest]) -> bool:
    order = order_of(planned.request)
    return order is not None and any(is_on_same_side(order, each) for each in spares)


def _placed_by(draft: TicketDraft | Ticket) -> Iterable[OrderRequest]:
    """The orders that it would place, as far as a stop asks about them."""
    if isinstance(draft.request, LegsRequest):
        return draft.request.orders
    order = named_order(draft.request)
    return () if order is None or not draft.operation.places else (order,)
