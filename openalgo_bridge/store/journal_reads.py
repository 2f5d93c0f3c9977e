"""What the journal says: tickets, their orders, every move. Writes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.errors import Conflict, NotFound
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.legs import arrivals_from_json
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    BrokerRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    Ref,
    TradingMode,
)
from openalgo_bridge.model.refs import ticket_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin, Ticket
from openalgo_bridge.store import claims
from openalgo_bridge.store.claims import OPEN_ORDERS, JournalMark, PositionMark, Watermark
from openalgo_bridge.store.database import Database, Row

LAST = 20_000
"""How many of the last tickets or orders are looked at where no index leads to what is asked for."""

REVISED = "revised"
"""The event of a held ticket that the person changed; its state stays held."""

REFUSED = "refused"
"""The event of a held ticket that the person approved and a guard refused; its state stays held."""

ORDERS = "SELECT orders.*, ticket.trading_mode FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
STILL_OPEN = "(expires_at IS NULL OR expires_at > :now)"
"""Whether a held ticket may still be decided."""

NOT_TAKEN_BACK = (
    "NOT (orders.state = 'dropped' AND EXISTS (SELECT 1 FROM order_event AS again CROSS JOIN order_event AS planned"
    " ON planned.ticket_id = again.ticket_id AND planned.number < again.number AND planned.order_id = orders.id"
    " WHERE again.ticket_id = orders.ticket_id AND again.order_id IS NULL"
    " AND again.was = 'approved' AND again.state = 'held'))"
)
"""Whether an order belongs to what its ticket is now. Of an approval that a restart took back nothing ever went: its
orders stay written down, and the ticket's events tell of it.
"""

_WAITING = f"state = 'held' AND {STILL_OPEN}"


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
    """One move of a ticket (``order_id`` None) or of one of its orders.

    ``state`` is ``revised`` where a held ticket was changed, and ``refused`` where a guard did not let it go. ``was``
    and ``by`` (who caused it) are empty in what was written before the journal kept them.
    """

    at: datetime
    was: str
    state: str
    reason: str
    by: str
    order_id: int | None


class JournalReads:
    """The reading half of :class:`~openalgo_bridge.store.journal.Journal`. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def ticket(self, ticket_id: int) -> Ticket:
        """One ticket. Raises NotFound."""
        row = self._db.read_one("SELECT * FROM ticket WHERE id = ?", (ticket_id,))
        if row is None:
            raise NotFound(f"There is no ticket {ticket_id}.")
        return ticket_of(row)

    def tickets(self, limit: int = 50) -> list[Ticket]:
        """The newest first."""
        return [ticket_of(row) for row in self._db.read("SELECT * FROM ticket ORDER BY id DESC LIMIT ?", (limit,))]

    def held(self, limit: int = 200) -> list[Ticket]:
        """What waits for the person and may still be decided, in the order it arrived."""
        rows = self._db.read(
            f"SELECT * FROM ticket WHERE {_WAITING} ORDER BY id LIMIT :limit",
            {"now": self._clock.now_ms(), "limit": limit},
        )
        return [ticket_of(row) for row in rows]

    def count_since(self, moment: datetime, trading_mode: TradingMode) -> int:
        """How many of the newest 100,000 tickets arrived since ``moment``: they are in the order they arrived."""
        sql = (
            "SELECT count(*) AS n FROM (SELECT created_at, trading_mode FROM ticket ORDER BY id DESC LIMIT 100000)"
            " WHERE created_at >= ? AND trading_mode = ?"
        )
        row = self._db.read_one(sql, (to_ms(moment), trading_mode))
        return int(row["n"]) if row else 0

    def program_placed_since(self, moment: datetime, trading_mode: TradingMode) -> bool:
        """Whether a program placed an order that was sent, among the newest 100,000 tickets since ``moment``."""
        sql = (
            "SELECT 1 FROM ticket CROSS JOIN orders ON orders.ticket_id = ticket.id"
            " WHERE ticket.id > (SELECT max(id) FROM ticket) - 100000 AND ticket.created_at >= ?"
            " AND ticket.trading_mode = ? AND ticket.source <> 'page'"
            " AND orders.operation = 'placeorder' AND orders.state = 'sent' LIMIT 1"
        )
        return self._db.read_one(sql, (to_ms(moment), trading_mode)) is not None

    def ticket_by_ref(self, ref: str) -> Ticket | None:
        """The ticket of one of our references, or None."""
        row = self._db.read_one("SELECT * FROM ticket WHERE ref = ?", (ref,))
        return None if row is None else ticket_of(row)

    def orders_of(self, ticket_ids: Sequence[int]) -> list[JournalOrder]:
        """The orders of these tickets, in the order they were made, but for those of an approval taken back."""
        wanted = list(ticket_ids)
        sql = f"{ORDERS} WHERE orders.ticket_id IN ({_marks(wanted)}) AND {NOT_TAKEN_BACK} ORDER BY orders.id"
        return [journal_order_of(row) for row in self._db.read(sql, wanted)]

    def orders_by_broker_id(self, number: BrokerOrderId, by: Operation = Operation.PLACE) -> list[JournalOrder]:
        """Our records of the orders placed under a number, newest first: none, when none was placed through us, or
        several, when two accounts or two days gave out the same one.
        """
        sql = f"{ORDERS} WHERE orders.broker_order_id = ? AND orders.operation = ? ORDER BY orders.id DESC"
        return [journal_order_of(row) for row in self._db.read(sql, (number, by))]

    def order(self, order_id: int) -> JournalOrder:
        """One order. Raises NotFound."""
        row = self._db.read_one(f"{ORDERS} WHERE orders.id = ?", (order_id,))
        if row is None:
            raise NotFound(f"There is no order {order_id}.")
        return journal_order_of(row)

    def taken(self, order_ids: Sequence[int]) -> list[JournalOrder]:
        """Those of these orders that the broker took, oldest first."""
        sql = f"{ORDERS} WHERE orders.id IN ({_marks(order_ids)}) AND orders.state = 'sent' ORDER BY orders.id"
        return [journal_order_of(row) for row in self._db.read(sql, list(order_ids))]

    def order_by_ref(self, ref: str) -> JournalOrder | None:
        """The order that carries one of our references as its tag, or None."""
        # By the ticket's own reference, which has an index.
        sql = f"{ORDERS} WHERE ticket.ref = ? AND orders.ref = ?"
        row = self._db.read_one(sql, (ticket_ref(ref), ref))
        return None if row is None else journal_order_of(row)

    def unresolved(self) -> list[JournalOrder]:
        """Orders whose outcome is not known and can be looked up, oldest first."""
        return self._in_doubt("orders.state = 'unknown'")

    def parked(self) -> list[JournalOrder]:
        """Orders of which only the person can say what became of them, oldest first."""
        return self._in_doubt("orders.state = 'parked'")

    def doubts(self) -> list[JournalOrder]:
        """Orders that may be at the broker without anybody knowing, those being sent among them, oldest first."""
        return self._in_doubt("orders.state IN ('sending', 'unknown', 'parked')")

    def on_their_way(self) -> list[JournalOrder]:
        """As :meth:`doubts`, and what is planned and may go any moment, oldest first."""
        return self._in_doubt(OPEN_ORDERS)

    def still_to_go(self, mode: TradingMode) -> list[JournalOrder]:
        """Planned orders of the tickets that may open a position, oldest first: what a stop of everything stops."""
        with self._db.snapshot() as db:
            return still_to_go(db, mode)

    def mark(self) -> JournalMark:
        """The place at which the journal stands; 0 where there is no ticket, or no order."""
        row = self._db.read_one("SELECT (SELECT max(id) FROM ticket) AS ticket, (SELECT max(id) FROM orders) AS last")
        return JournalMark(ticket_id=(row and row["ticket"]) or 0, order_id=(row and row["last"]) or 0)

    def placed_since(self, mark: JournalMark, mode: TradingMode) -> list[JournalOrder]:
        """The orders to place that were written after ``mark``, oldest first."""
        sql = (
            f"{ORDERS} WHERE orders.id > ? AND orders.operation = 'placeorder' AND ticket.trading_mode = ?"
            " ORDER BY orders.id"
        )
        return [journal_order_of(row) for row in self._db.read(sql, (mark.order_id, mode))]

    def _in_doubt(self, which: str) -> list[JournalOrder]:
        rows = self._db.read(f"{ORDERS} WHERE {OPEN_ORDERS} AND {which} ORDER BY orders.id")
        return [journal_order_of(row) for row in rows]

    def was_changed_later(self, order: JournalOrder) -> bool:
        """Whether a later message about the same order may have overwritten what this change asked for."""
        if not isinstance(order.request, ModifyRequest | ModifyGttRequest):
            return False
        sql = (
            "SELECT 1 FROM orders WHERE id > ?1 AND operation IN (?2, replace(?2, 'modify', 'cancel'))"
            " AND state NOT IN ('planned', 'dropped', 'rejected', 'not_placed')"
            " AND ?3 IN (json_extract(request, '$.broker_order_id'), json_extract(request, '$.trigger_id')) LIMIT 1"
        )
        return self._db.read_one(sql, (order.id, order.operation, tickets.target_of(order.request))) is not None

    def watermark(self, order: OrderRequest, trading_mode: TradingMode, *, recent: Sequence[int] = ()) -> Watermark:
        """What is on its way on the side of ``order``: to be read before the broker is asked for the position.

        ``recent`` are the ids of what was sent so short a time ago that its order book may not show it yet.
        """
        with self._db.snapshot() as db:
            return claims.watermark(db, order, trading_mode, recent)

    def gtts_on_their_way(self, order: OrderRequest, trading_mode: TradingMode) -> PositionMark:
        """See :func:`claims.gtts_on_their_way`: to be read before the broker is asked for the GTTs that wait."""
        with self._db.snapshot() as db:
            return claims.gtts_on_their_way(db, order, trading_mode)

    def has_other_side(self, order: OrderRequest, mode: TradingMode) -> bool:
        """Whether any of the last orders that were let go is one that ``order`` could be the exit of."""
        other = Action.BUY if order.action is Action.SELL else Action.SELL
        sql = (
            "SELECT 1 FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
            " WHERE orders.id > (SELECT max(id) FROM orders) - :last AND orders.symbol = :symbol"
            " AND orders.operation = 'placeorder' AND orders.exchange = :exchange AND orders.product = :product"
            " AND orders.action = :other AND ticket.trading_mode = :mode LIMIT 1"
        )
        named = {"symbol": order.symbol, "exchange": order.exchange, "product": order.product}
        return self._db.read_one(sql, {**named, "mode": mode, "other": other, "last": LAST}) is not None

    def ticket_by_request(self, request_id: str, *, after: int) -> Ticket | None:
        """The ticket that a call made after ticket ``after``, or None when it made none."""
        sql = "SELECT * FROM ticket WHERE id > ? AND request_id = ? ORDER BY id LIMIT 1"
        row = self._db.read_one(sql, (after, request_id))
        return None if row is None else ticket_of(row)

    def in_doubt_count(self) -> int:
        """How many orders the person should know about: unknown, parked, or sending for far too long."""
        sql = f"SELECT count(*) AS n FROM orders WHERE {claims.IN_DOUBT}"
        row = self._db.read_one(sql, {"overdue": claims.overdue(self._clock.now())})
        return int(row["n"]) if row else 0

    def events(self, ticket_id: int) -> list[Event]:
        """Every move of a ticket and its orders, oldest first."""
        rows = self._db.read("SELECT * FROM order_event WHERE ticket_id = ? ORDER BY number", (ticket_id,))
        return [
            Event(
                at=from_ms(row["at"]),
                was=row["was"],
                state=row["state"],
                reason=row["reason"],
                by=row["by_whom"],
                order_id=row["order_id"],
            )
            for row in rows
        ]


def live_order_open_or_since(db: sqlite3.Connection, moment: datetime) -> bool:
    """Inside the caller's transaction: whether a live order is on its way or in doubt, or went out since ``moment``."""
    sql = (
        "SELECT 1 FROM orders JOIN ticket ON ticket.id = orders.ticket_id WHERE ticket.trading_mode = 'live'"
        " AND (orders.state IN ('planned', 'sending', 'unknown', 'parked') OR orders.created_at >= ?) LIMIT 1"
    )
    return db.execute(sql, (to_ms(moment),)).fetchone() is not None


def ticket_of(row: Row) -> Ticket:
    """A row of the ticket table."""
    operation = Operation(row["operation"])
    return Ticket(
        id=row["id"],
        ref=Ref(row["ref"]),
        operation=operation,
        request=tickets.from_json(operation, row["request"]),
        order_mode=OrderMode(row["order_mode"]),
        trading_mode=TradingMode(row["trading_mode"]),
        origin=Origin(source=row["source"], strategy=row["strategy"], request_id=row["request_id"], asked=row["asked"]),
        state=TicketState(row["state"]),
        reason=row["reason"],
        created_at=from_ms(row["created_at"]),
        expires_at=None if row["expires_at"] is None else from_ms(row["expires_at"]),
        decided_at=None if row["decided_at"] is None else from_ms(row["decided_at"]),
        price_then=Decimal(row["price_then"]) if row["price_then"] else None,
        is_exit=bool(row["is_exit"]),
        is_unread=bool(row["is_unread"]),
        arrivals=arrivals_from_json(row["arrivals"]),
        signal=row["signal"],
    )


def ticket_row(db: sqlite3.Connection, ticket_id: int) -> sqlite3.Row:
    """One ticket, inside the caller's transaction. Raises NotFound."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM ticket WHERE id = ?", (ticket_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return row


def undecided(db: sqlite3.Connection, ticket_id: int, now: datetime) -> Ticket:
    """A ticket that may be decided at ``now``. Raises NotFound, and Conflict where it was, or its time is over."""
    ticket = ticket_of(ticket_row(db, ticket_id))
    if ticket.state is not TicketState.HELD:
        raise Conflict(f"Ticket {ticket_id} is already {ticket.state}.")
    if ticket.expires_at is not None and ticket.expires_at <= now:
        raise Conflict(f"Ticket {ticket_id} has expired: nobody decided in time.")
    return ticket


def as_shown(db: sqlite3.Connection, ticket_id: int, shown: str, now: datetime) -> Ticket:
    """As :func:`undecided`, of the fingerprint that a page showed. Raises Conflict where it is another one by now."""
    ticket = undecided(db, ticket_id, now)
    if ticket.shown != shown:
        raise Conflict(f"Ticket {ticket_id} is not what was shown. Look at it again.")
    return ticket


def still_to_go(db: sqlite3.Connection, mode: TradingMode, *further: Operation) -> list[JournalOrder]:
    """See :meth:`JournalReads.still_to_go`, inside the caller's transaction; and of the ``further`` operations."""
    kinds = [each for each in Operation if each.places or each in further]
    sql = (
        f"{ORDERS} WHERE {OPEN_ORDERS} AND orders.state = 'planned' AND ticket.trading_mode = ?"
        f" AND ticket.operation IN ({_marks(kinds)}) ORDER BY orders.id"
    )
    return [journal_order_of(row) for row in db.execute(sql, (mode, *kinds))]


def order_by_id(db: sqlite3.Connection, order_id: int) -> JournalOrder:
    """One order, inside the caller's transaction. Raises NotFound."""
    row = db.execute(f"{ORDERS} WHERE orders.id = ?", (order_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no order {order_id}.")
    return journal_order_of(row)


def journal_order_of(row: Row) -> JournalOrder:
    operation = Operation(row["operation"])
    return JournalOrder(
        id=row["id"],
        ticket_id=row["ticket_id"],
        ref=Ref(row["ref"]),
        operation=operation,
        request=tickets.message_from_json(operation, row["request"]),
        trading_mode=TradingMode(row["trading_mode"]),
        state=OrderState(row["state"]),
        broker_order_id=None if row["broker_order_id"] is None else BrokerOrderId(row["broker_order_id"]),
        message=row["message"],
        created_at=from_ms(row["created_at"]),
        changed_at=from_ms(row["changed_at"]),
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
