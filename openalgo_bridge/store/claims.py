"""What must hold at the moment an order is claimed. Writes nothing.

Every check reads inside the claiming transaction, so nothing can change between the check and the claim: from the
commit of a kill switch or of Semi-Auto on, nothing is sent that it forbids.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from openalgo_bridge.clock import from_ms, ist_text, to_ms
from openalgo_bridge.errors import Conflict, Denied, StorageError
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import OrderMode, OrderRequest, Ref, TradingMode
from openalgo_bridge.model.ticket import Operation, Ticket, TicketDraft

OPEN_ORDERS = "orders.state IN ('planned', 'sending', 'unknown', 'parked')"
"""As the partial index spells it: SQLite uses the index only for a query that says exactly this."""

_LONGEST_SENDING = timedelta(minutes=2)
"""A call of a broker ends long before. What is still ``sending`` then was cut off, or its end could not be written."""

IN_DOUBT = (
    f"{OPEN_ORDERS} AND (orders.state IN ('unknown', 'parked')"
    " OR (orders.state = 'sending' AND orders.changed_at < :overdue))"
)
"""Orders of which nobody knows whether the broker has them; ``overdue`` is that of :func:`overdue`."""

DOUBT_IN_SYMBOL = (
    "SELECT orders.ref FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
    f" WHERE {IN_DOUBT} AND orders.symbol = :symbol AND orders.exchange = :exchange AND ticket.trading_mode = :mode"
    " LIMIT 1"
)
"""The reference of one that keeps new entries of its symbol waiting; takes :func:`symbol_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """What the journal knew of one side of one position before the broker was asked about it.

    ``open_ids`` and ``refs`` are the orders that may be at the broker without anybody knowing, and those that are
    planned: each of these may go out after the reading. A place in the journal and no time, because a clock may be
    set back.
    """

    last_order_id: int
    open_ids: tuple[int, ...]
    refs: frozenset[Ref]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The room that a proven exit is claimed in.

    ``room`` is in units: what was read at the broker, after ``since``, as held and not already on its way out. The
    claim takes off what the journal has sent on that side meanwhile, and what it was in doubt about.
    """

    room: int
    since: Watermark


def check_kill_switch(db: sqlite3.Connection, operation: Operation, reserve: Reservation | None) -> None:
    """Cancels and proven exits pass. Raises Denied, and StorageError when the switch cannot be read."""
    if operation.is_cancel or operation is Operation.CLOSE or reserve is not None:
        return
    row = db.execute("SELECT is_on, reason, since FROM kill_switch WHERE id = 1").fetchone()
    if row is None:
        raise StorageError("The kill switch cannot be read, so nothing is sent.")
    if row["is_on"]:
        why = f": {row['reason']}" if row["reason"] else "."
        since = ist_text(from_ms(row["since"]))
        raise Denied(f"The kill switch is on since {since} IST{why}", Guard.KILL_SWITCH)


def check_modes(db: sqlite3.Connection, draft: TicketDraft) -> None:
    """From the moment the person has saved another mode, nothing is released under the old one. Raises Conflict.

    A change or a cancel belongs to the account of the order that it names, a closing to that of its positions,
    whichever is current. The trader's own closing goes under either order mode: to save another one is no reason to
    leave a position open that he wants closed.
    """
    if draft.operation.is_cancel or _is_closing_by_hand(draft):
        return
    if _preference(db, "order_mode") != draft.order_mode:
        raise Conflict("Held because the order mode was changed meanwhile.")
    is_bound = draft.operation is Operation.PLACE
    if is_bound and _preference(db, "trading_mode") != draft.trading_mode:
        raise Conflict("Held because the trading mode was changed meanwhile.")


def check_still_auto(db: sqlite3.Connection, ticket: Ticket, operation: Operation) -> None:
    """A further order of a ticket that nobody approved goes only while the mode is still Auto. Raises Conflict.

    A cancel never waits, and a closing that has begun is finished: its stop may be withdrawn already.
    """
    is_free = operation.is_cancel or _is_closing_by_hand(ticket) or _is_closing_begun(db, ticket)
    if ticket.order_mode is OrderMode.AUTO and not is_free and _preference(db, "order_mode") != OrderMode.AUTO:
        raise Conflict("Not sent because the order mode was changed meanwhile.")


def _is_closing_begun(db: sqlite3.Connection, ticket: Ticket) -> bool:
    if ticket.operation is not Operation.CLOSE:
        return False
    begun = "SELECT 1 FROM orders WHERE ticket_id = ? AND state NOT IN ('planned', 'dropped') LIMIT 1"
    return db.execute(begun, (ticket.id,)).fetchone() is not None


def overdue(now: datetime) -> int:
    """In epoch milliseconds: an order that began to be sent before is in doubt."""
    return to_ms(now - _LONGEST_SENDING)


def symbol_of(order: OrderRequest, mode: TradingMode, now: datetime) -> dict[str, str | int]:
    """The parameters of :data:`DOUBT_IN_SYMBOL`."""
    return {"symbol": order.symbol, "exchange": order.exchange, "mode": mode, "overdue": overdue(now)}


def check_doubts(
    db: sqlite3.Connection, ticket: TicketDraft | Ticket, reserve: Reservation | None, now: datetime
) -> None:
    """A new entry waits while an order of its symbol may or may not be at the broker (design 4). Raises Conflict."""
    order = ticket.order
    if ticket.operation is not Operation.PLACE or order is None or reserve is not None:
        return
    doubt = db.execute(DOUBT_IN_SYMBOL, symbol_of(order, ticket.trading_mode, now)).fetchone()
    if doubt is not None:
        raise Conflict(f"Held because order {doubt['ref']} in {order.symbol} is in doubt. See the Orders page.")


def watermark(db: sqlite3.Connection, order: OrderRequest, trading_mode: TradingMode) -> Watermark:
    """See :class:`Watermark`, for the side and the position of ``order``."""
    last = db.execute("SELECT max(id) AS id FROM orders").fetchone()
    rows = db.execute(
        "SELECT orders.id, orders.ref FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
        f" WHERE {OPEN_ORDERS} AND {_SAME_SIDE}",
        _side_of(order, trading_mode),
    ).fetchall()
    return Watermark(
        last_order_id=last["id"] or 0,
        open_ids=tuple(row["id"] for row in rows),
        refs=frozenset(Ref(row["ref"]) for row in rows),
    )


def check_reservation(
    db: sqlite3.Connection, order: OrderRequest | None, trading_mode: TradingMode, reserve: Reservation | None
) -> None:
    """An exit never closes more than there is, however many are on their way at once. Raises Conflict."""
    if reserve is None or order is None:
        return
    known = reserve.since.open_ids
    # The 0 is no order: for an empty list SQLite would read every order.
    taken = db.execute(
        "SELECT coalesce(sum(orders.quantity), 0) AS units FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
        f" WHERE {_SAME_SIDE} AND (orders.id > ? OR orders.id IN (0{', ?' * len(known)}))"
        " AND orders.state IN ('sending', 'sent', 'unknown', 'parked')",
        (*_side_of(order, trading_mode), reserve.since.last_order_id, *known),
    ).fetchone()
    if taken["units"] + order.quantity > reserve.room:
        raise Conflict("Held because other orders already close this position.")


_SAME_SIDE = (
    "orders.operation IN ('placeorder', 'modifyorder') AND orders.symbol = ? AND orders.exchange = ?"
    " AND orders.product = ? AND orders.action = ? AND ticket.trading_mode = ?"
)


def _is_closing_by_hand(ticket: TicketDraft | Ticket) -> bool:
    return ticket.operation is Operation.CLOSE and ticket.origin.is_by_hand


def _side_of(order: OrderRequest, trading_mode: TradingMode) -> tuple[str, ...]:
    return (order.symbol, order.exchange, order.product, order.action, trading_mode)


def _preference(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM preference WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row["value"])
