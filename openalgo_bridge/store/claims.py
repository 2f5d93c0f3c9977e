"""What must hold at the moment an order is claimed. Writes nothing.

Every check reads inside the claiming transaction, so nothing can change between the check and the claim: from the
commit of a kill switch or of Semi-Auto on, nothing is sent that it forbids.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.errors import Conflict, Denied, StorageError
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    BrokerOrderId,
    GttRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Ref,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Operation, Ticket, TicketDraft, message_from_json, order_of
from openalgo_bridge.store.standing import Standing

OPEN_ORDERS = "orders.state IN ('planned', 'sending', 'unknown', 'parked')"
"""As the partial index spells it: SQLite uses the index only for a query that says exactly this."""

_LONGEST_SENDING = timedelta(minutes=2)
"""A call of a broker ends long before. What is still ``sending`` then was cut off, or its end could not be written."""

IN_DOUBT = (
    f"{OPEN_ORDERS} AND (orders.state IN ('unknown', 'parked')"
    " OR (orders.state = 'sending' AND orders.changed_at < :overdue))"
)
"""Orders of which nobody knows whether the broker has them; ``overdue`` is that of :func:`overdue`."""

MAY_CLOSE = "Order {} may already close this position, and nobody knows yet whether it is there. See the Orders page."

_STOPS = {PriceType.SL, PriceType.SL_M}

DOUBT_IN_SYMBOL = (
    "SELECT orders.ref, 'is in doubt' AS why FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
    f" WHERE {IN_DOUBT} AND orders.symbol = :symbol AND orders.exchange = :exchange AND ticket.trading_mode = :mode"
    " UNION ALL SELECT ref, 'is not as the broker has it' FROM reconciliation_break"
    " WHERE state = 'open' AND symbol = :symbol AND exchange = :exchange AND trading_mode = :mode LIMIT 1"
)
"""The reference of one that keeps new entries of its symbol waiting, or that of an open reconciliation break, which
stands in an index of its own, and which of the two it is; takes :func:`symbol_of`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChange:
    """A change of an order of which nobody knows yet whether the broker made it: to ``quantity`` units in all."""

    target: BrokerOrderId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """What the journal knew of one side of one position before the broker was asked about it.

    ``open_ids`` and ``refs`` are the orders that may be at the broker without anybody knowing, and those that are
    planned: each of these may go out after the reading; they are for ``units`` in all. ``changes`` are no orders of
    their own: what they may add depends on their targets, which the broker's book shows. A place in the journal and no
    time, because a clock may be set back.

    ``recent`` is what the broker took so short a time ago that its order book may not show it yet, in the order and in
    the form in which it was sent: as if nothing of it had filled.

    ``open_gtts`` are the same as ``open_ids`` of the GTTs that would place an order on that side, where they were asked
    for.
    """

    last_order_id: int
    open_ids: tuple[int, ...]
    refs: frozenset[Ref]
    units: int
    changes: tuple[OpenChange, ...]
    recent: tuple[BrokerOrder, ...] = ()
    open_gtts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The room that a proven exit is claimed in.

    ``room`` is in units: what was read at the broker, after ``since``, as held and not already on its way out, open
    changes included. The claim takes off what the journal has sent on that side meanwhile, and the orders that it was
    in doubt about.
    """

    room: int
    since: Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalMark:
    """A place in the journal: the newest ticket and the newest order of a moment. No time: a clock may be set back."""

    ticket_id: int
    order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionMark:
    """The place in the journal at which a position was read, for what is worked out from it.

    ``uncounted`` are the orders that were on their way then and were not counted with the position.
    """

    last_order_id: int
    uncounted: tuple[int, ...] = ()


def check_kill_switch(standing: Standing, operation: Operation, reserve: Reservation | None) -> None:
    """Cancels and proven exits pass; of a ticket of many orders each is asked at its own claim. Raises Denied, and
    StorageError when the switch cannot be read.
    """
    if operation.is_cancel or operation.is_of_many or reserve is not None:
        return
    if standing.kill_switch is None:
        raise StorageError("The kill switch cannot be read, so nothing is sent.")
    if standing.kill_switch.is_on:
        raise Denied(str(standing.kill_switch), Guard.KILL_SWITCH)


def check_modes(standing: Standing, draft: TicketDraft) -> None:
    """From the moment the person has saved another mode, nothing is released under the old one. Raises Conflict.

    A change or a cancel belongs to the account of the order that it names, a closing to that of its positions,
    whichever is current. The trader's own closing goes under either order mode: to save another one is no reason to
    leave a position open that he wants closed.
    """
    if draft.operation.is_cancel or _is_closing_by_hand(draft):
        return
    if standing.order_mode is not draft.order_mode:
        raise Conflict("Held because the order mode was changed meanwhile.")
    if draft.operation.places and standing.trading_mode is not draft.trading_mode:
        raise Conflict("Held because the trading mode was changed meanwhile.")


def check_still_auto(db: sqlite3.Connection, standing: Standing, ticket: Ticket, follows: Sequence[int] = ()) -> None:
    """A further order of a ticket that nobody approved goes only while the mode is still Auto. Raises Conflict.

    A cancel that was asked for never waits. A closing is finished where it has begun, position by position: what
    worked on its closing side, the orders ``follows``, may be withdrawn already.
    """
    if ticket.order_mode is not OrderMode.AUTO or standing.order_mode is OrderMode.AUTO:
        return
    if ticket.operation.is_cancel or _is_closing_by_hand(ticket) or _any_may_be_there(db, follows):
        return
    raise Conflict("Not sent because the order mode was changed meanwhile.")


def check_account(standing: Standing, ticket: Ticket) -> None:
    """A further entry of a ticket that nobody approved goes only while its account is the current one. Raises
    Conflict.
    """
    if ticket.operation.places and standing.trading_mode is not ticket.trading_mode:
        raise Conflict("Not sent because the trading mode was changed meanwhile.")


def _any_may_be_there(db: sqlite3.Connection, order_ids: Sequence[int]) -> bool:
    there = (
        f"SELECT 1 FROM orders WHERE id IN ({', '.join('?' * len(order_ids))})"
        " AND state IN ('sending', 'sent', 'unknown', 'parked') LIMIT 1"
    )
    return db.execute(there, tuple(order_ids)).fetchone() is not None


def overdue(now: datetime) -> int:
    """In epoch milliseconds: an order that began to be sent before is in doubt."""
    return to_ms(now - _LONGEST_SENDING)


def symbol_of(order: OrderRequest | GttRequest, mode: TradingMode, now: datetime) -> dict[str, str | int]:
    """The parameters of :data:`DOUBT_IN_SYMBOL`."""
    return {"symbol": order.symbol, "exchange": order.exchange, "mode": mode, "overdue": overdue(now)}


def check_doubts(
    db: sqlite3.Connection,
    order: TicketRequest,
    trading_mode: TradingMode,
    reserve: Reservation | None,
    now: datetime,
) -> None:
    """A new entry waits while an order of its symbol may or may not be at the broker (design 4). Raises Conflict."""
    if not isinstance(order, OrderRequest | GttRequest) or reserve is not None:
        return
    doubt = db.execute(DOUBT_IN_SYMBOL, symbol_of(order, trading_mode, now)).fetchone()
    if doubt is not None:
        raise Conflict(f"Held because order {doubt['ref']} in {order.symbol} {doubt['why']}. See the Orders page.")


def watermark(
    db: sqlite3.Connection, order: OrderRequest, trading_mode: TradingMode, recent: Sequence[int] = ()
) -> Watermark:
    """See :class:`Watermark`, for the side and the position of ``order``; of the orders ``recent`` those that are."""
    last = db.execute("SELECT max(id) AS id FROM orders").fetchone()["id"] or 0
    rows = db.execute(
        "SELECT orders.id, orders.ref, orders.quantity, json_extract(orders.request, '$.broker_order_id') AS target"
        " FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
        f" WHERE {OPEN_ORDERS} AND {_SAME_SIDE}",
        _side_of(order, trading_mode),
    ).fetchall()
    placed = [row for row in rows if row["target"] is None]
    changed = [row for row in rows if row["target"] is not None]
    return Watermark(
        last_order_id=last,
        open_ids=tuple(row["id"] for row in placed),
        refs=frozenset(Ref(row["ref"]) for row in placed),
        units=sum(row["quantity"] for row in placed),
        changes=tuple(OpenChange(target=BrokerOrderId(row["target"]), quantity=row["quantity"]) for row in changed),
        recent=_recent(db, order, trading_mode, recent) if recent else (),
    )


def gtts_on_their_way(db: sqlite3.Connection, order: OrderRequest, trading_mode: TradingMode) -> PositionMark:
    """Those on the side of ``order`` that the broker may not show yet. To be read before its GTTs: one that is sent
    between that and the claim is in neither otherwise.
    """
    last = db.execute("SELECT max(id) AS id FROM orders").fetchone()["id"] or 0
    open_ones = f"SELECT orders.id FROM {_GTTS_BESIDE} AND {OPEN_ORDERS} ORDER BY orders.id"
    rows = db.execute(open_ones, _side_of(order, trading_mode))
    return PositionMark(last_order_id=last, uncounted=tuple(row["id"] for row in rows))


def _recent(
    db: sqlite3.Connection, order: OrderRequest, trading_mode: TradingMode, among: Sequence[int]
) -> tuple[BrokerOrder, ...]:
    rows = db.execute(
        "SELECT orders.* FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
        f" WHERE orders.id IN ({', '.join('?' * len(among))}) AND orders.state = 'sent' AND {_SAME_SIDE}"
        " ORDER BY orders.id",
        (*among, *_side_of(order, trading_mode)),
    )
    return tuple(_as_sent(row) for row in rows)


def _as_sent(row: sqlite3.Row) -> BrokerOrder:
    sent = order_of(message_from_json(Operation(row["operation"]), row["request"]))
    if sent is None:
        raise RuntimeError(f"order {row['ref']} has no side")
    return BrokerOrder(
        id=BrokerOrderId(row["broker_order_id"] or ""),
        tag=Ref(row["ref"]),
        request=sent,
        status=OrderStatus.TRIGGER_PENDING if sent.price_type in _STOPS else OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=from_ms(row["created_at"]),
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
        "SELECT coalesce(sum(orders.quantity), 0) AS units,"
        " max(CASE WHEN orders.state IN ('unknown', 'parked') THEN orders.ref END) AS doubt"
        " FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
        f" WHERE {_SAME_SIDE} AND (orders.id > ? OR orders.id IN (0{', ?' * len(known)}))"
        " AND orders.state IN ('sending', 'sent', 'unknown', 'parked')",
        (*_side_of(order, trading_mode), reserve.since.last_order_id, *known),
    ).fetchone()
    if taken["units"] + order.quantity > reserve.room:
        doubt = taken["doubt"]
        raise Conflict(MAY_CLOSE.format(doubt) if doubt else "Other orders already close this position.")


def check_gtts_beside(
    db: sqlite3.Connection, order: OrderRequest, trading_mode: TradingMode, reserve: Reservation | None
) -> None:
    """Of two GTTs that would close the same position at most one passes as an exit: those that were sent since it was
    read, or were on their way then, take their part of the room. Raises Conflict.
    """
    if reserve is None:
        return
    known = reserve.since.open_gtts
    taken = db.execute(
        f"SELECT coalesce(sum(orders.quantity), 0) AS units FROM {_GTTS_BESIDE}"
        f" AND (orders.id > ? OR orders.id IN (0{', ?' * len(known)}))"
        " AND orders.state IN ('sending', 'sent', 'unknown', 'parked')",
        (*_side_of(order, trading_mode), reserve.since.last_order_id, *known),
    ).fetchone()
    if taken["units"] + order.quantity > reserve.room:
        raise Conflict("Other GTT orders already close this position.")


def check_unmoved(
    db: sqlite3.Connection, order: OrderRequest, trading_mode: TradingMode, mark: PositionMark, ticket_id: int | None
) -> None:
    """What was worked out from a position goes only while nobody else sends for it: the exit of another would make it
    open one. The orders of its own ticket are counted with it. Raises Conflict: it is then to be worked out anew.
    """
    other = db.execute(
        "SELECT orders.ref FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
        f" WHERE {_SAME_POSITION} AND orders.ticket_id IS NOT ?"
        f" AND (orders.id > ? OR orders.id IN (0{', ?' * len(mark.uncounted)}))"
        " AND orders.state IN ('sending', 'sent', 'unknown', 'parked') LIMIT 1",
        (*_position_of(order, trading_mode), ticket_id, mark.last_order_id, *mark.uncounted),
    ).fetchone()
    if other is not None:
        raise Conflict(f"Order {other['ref']} for {order.symbol} went out while its position was read.")


_POSITION = "orders.symbol = ? AND orders.exchange = ? AND orders.product = ? AND ticket.trading_mode = ?"
_SAME_POSITION = f"orders.operation IN ('placeorder', 'modifyorder') AND {_POSITION}"
_SAME_SIDE = f"{_SAME_POSITION} AND orders.action = ?"

_GTTS_BESIDE = (
    "orders JOIN ticket ON ticket.id = orders.ticket_id"
    f" WHERE orders.operation IN ('placegttorder', 'modifygttorder') AND {_POSITION} AND orders.action = ?"
)


def _is_closing_by_hand(ticket: TicketDraft | Ticket) -> bool:
    return ticket.operation is Operation.CLOSE and ticket.origin.is_by_hand


def _position_of(order: OrderRequest, trading_mode: TradingMode) -> tuple[str, ...]:
    return (order.symbol, order.exchange, order.product, trading_mode)


def _side_of(order: OrderRequest, trading_mode: TradingMode) -> tuple[str, ...]:
    return (*_position_of(order, trading_mode), order.action)
