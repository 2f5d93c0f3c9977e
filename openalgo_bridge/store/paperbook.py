"""The books of the paper exchange. The only writer of its four tables; it decides nothing.

It keeps the promise that ``brokers/paper/book.py`` asks for, without importing it. ``synchronous=FULL``: what
a transaction wrote is on the disk when it ends, unless it says that the next one will see to that.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product, Ref
from openalgo_bridge.model.paper import (
    PaperAccount,
    PaperMoney,
    PaperOrder,
    PaperPosition,
    PaperTrade,
    to_rupees,
    to_units,
)
from openalgo_bridge.store.database import Database, Row

_ORDER = "SELECT * FROM paper_order WHERE id = ?"
# Every read of a book asks this first, and nearly always nothing rests. Left to itself SQLite would walk the
# whole table to get the rows in order.
_RESTING = "SELECT * FROM paper_order INDEXED BY paper_order_resting WHERE status = 'open'"
_MONEY = (
    "SELECT capital, realised, (SELECT coalesce(sum(blocked), 0) FROM paper_order WHERE blocked > 0)"
    " + (SELECT coalesce(sum(blocked), 0) FROM paper_position WHERE blocked > 0) AS blocked FROM paper_account"
)
# One read, so that money and positions are of one moment; a read costs a call more than its rows do.
_ACCOUNT = (
    f"SELECT money.capital, money.realised AS booked, money.blocked AS used, paper_position.* FROM ({_MONEY}) AS money"
    " LEFT JOIN paper_position ON paper_position.quantity <> 0 OR paper_position.realised_on = ?"
    " ORDER BY symbol, exchange, product"
)


# Without its index SQLite would walk back through all days until the first order of this one.
_ORDERS_SINCE = "SELECT * FROM paper_order INDEXED BY paper_order_by_time WHERE placed_at >= ? ORDER BY id DESC"
# Two looks by number: with OR between them SQLite would walk the whole table.
_ORDERS_AFTER = (
    "SELECT * FROM paper_order WHERE id IN (SELECT value FROM json_each(?2)) AND id <= ?1"
    " UNION ALL SELECT * FROM paper_order WHERE id > ?1"
)


class OpenPaperBook:
    """The book inside one transaction. Every method may raise sqlite3.Error, which ends the transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.leaves_open = False
        """Whether it wrote an order that rests."""

    def order(self, number: int) -> PaperOrder | None:
        """The order as it stands now."""
        row = self._db.execute(_ORDER, (number,)).fetchone()
        return None if row is None else _order(row)

    def position(self, symbol: str, exchange: Exchange, product: Product) -> PaperPosition | None:
        """The position, or None when there never was one."""
        row = self._db.execute(
            "SELECT * FROM paper_position WHERE symbol = ? AND exchange = ? AND product = ?",
            (symbol, exchange, product),
        ).fetchone()
        return None if row is None else _position(row)

    def resting_quantity(self, request: OrderRequest, besides: int) -> int:
        """How many units rest on the side, symbol and product of ``request``, order ``besides`` left out."""
        row = self._db.execute(
            "SELECT coalesce(sum(quantity), 0) AS n FROM paper_order WHERE status = 'open' AND exchange = ?"
            " AND symbol = ? AND product = ? AND action = ? AND id <> ?",
            (request.exchange, request.symbol, request.product, request.action, besides),
        ).fetchone()
        return int(row["n"])

    def money(self) -> PaperMoney:
        """The account."""
        return _money(self._db.execute(_MONEY).fetchone())

    def add(self, order: PaperOrder) -> int | None:
        """Enter an order; returns its number, or None when an earlier order carries its tag."""
        asked = order.request
        self.leaves_open |= order.status.is_working
        row = self._db.execute(
            "INSERT INTO paper_order (tag, symbol, exchange, action, quantity, price_type, product, price,"
            " trigger_price, disclosed_quantity, status, filled_quantity, average_price, blocked, rejection_reason,"
            " placed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tag) DO NOTHING",
            (
                order.tag,
                asked.symbol,
                asked.exchange,
                asked.action,
                asked.quantity,
                asked.price_type,
                asked.product,
                to_units(asked.price),
                to_units(asked.trigger_price),
                asked.disclosed_quantity,
                order.status,
                order.filled_quantity,
                order.average_price,
                order.blocked,
                order.rejection_reason,
                to_ms(order.placed_at),
            ),
        )
        return row.lastrowid if row.rowcount == 1 else None

    def change(self, order: PaperOrder) -> bool:
        """Write ``order`` over the one of its number if that is still open; False when it is not.

        The condition makes a fill, a cancel and a change exclude each other (W5.5 of the behaviour list).
        """
        asked = order.request
        self.leaves_open |= order.status.is_working
        changed = self._db.execute(
            "UPDATE paper_order SET quantity = ?, price_type = ?, price = ?, trigger_price = ?, disclosed_quantity = ?,"
            " status = ?, filled_quantity = ?, average_price = ?, blocked = ?, rejection_reason = ?"
            " WHERE id = ? AND status = 'open'",
            (
                asked.quantity,
                asked.price_type,
                to_units(asked.price),
                to_units(asked.trigger_price),
                asked.disclosed_quantity,
                order.status,
                order.filled_quantity,
                order.average_price,
                order.blocked,
                order.rejection_reason,
                order.number,
            ),
        )
        return changed.rowcount == 1

    def add_trade(self, number: int, quantity: int, price: int, at: datetime) -> None:
        """Enter the one fill of an order; a second one breaks a UNIQUE rule and ends the transaction."""
        self._db.execute(
            "INSERT INTO paper_trade (order_id, quantity, price, traded_at) VALUES (?, ?, ?, ?)",
            (number, quantity, price, to_ms(at)),
        )

    def save(self, position: PaperPosition, gain: int) -> None:
        """Write a position, and add ``gain`` to the profit of the account."""
        self._db.execute(
            "INSERT OR REPLACE INTO paper_position (symbol, exchange, product, quantity, cost, blocked, realised,"
            " realised_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                position.symbol,
                position.exchange,
                position.product,
                position.quantity,
                position.cost,
                position.blocked,
                position.realised,
                position.realised_on.isoformat(),
            ),
        )
        if gain:
            self._db.execute("UPDATE paper_account SET realised = realised + ?", (gain,))


class PaperBook:
    """The book between transactions. Every method may raise StorageError.

    Nearly always nothing rests, and every look at a book asks for it. So it is remembered that nothing did, until a
    transaction that left an order open has ended: whoever asks before that could have asked before it began. The
    lock on the folder keeps every other process from writing here.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._left_open = 0
        self._empty_at = -1

    @contextmanager
    def transaction(self, *, is_synced: bool = True) -> Iterator[OpenPaperBook]:
        """All or nothing; nobody else writes meanwhile. For ``is_synced`` see :meth:`Database.transaction`."""
        book = None
        try:
            with self._db.transaction(is_synced=is_synced) as db:
                book = OpenPaperBook(db)
                yield book
        finally:
            # Counted after the commit, and after an error too: a commit that failed may still have arrived.
            if book is not None and book.leaves_open:
                self._left_open += 1

    def order(self, number: int) -> PaperOrder | None:
        """One order of any day."""
        row = self._db.read_one(_ORDER, (number,))
        return None if row is None else _order(row)

    def find(self, tag: Ref) -> PaperOrder | None:
        """The order of any day that carries ``tag``."""
        row = self._db.read_one("SELECT * FROM paper_order WHERE tag = ?", (tag,))
        return None if row is None else _order(row)

    def orders(self, since: datetime) -> list[PaperOrder]:
        """Orders placed at or after ``since``, newest first."""
        rows = self._db.read(_ORDERS_SINCE, (to_ms(since),))
        return [_order(row) for row in rows]

    def orders_after(self, number: int, *, or_among: Collection[int]) -> list[PaperOrder]:
        """Orders with a higher number than ``number``, and those named; oldest first."""
        named = json.dumps(sorted(or_among))
        return [_order(row) for row in self._db.read(_ORDERS_AFTER, (number, named))]

    def resting(self) -> list[PaperOrder]:
        """All open orders, oldest first."""
        seen = self._left_open
        if self._empty_at == seen:
            return []
        rows = self._db.read(f"{_RESTING} ORDER BY id")
        if not rows:
            self._empty_at = seen
        return [_order(row) for row in rows]

    def resting_in(self, symbol: str, exchange: Exchange) -> list[PaperOrder]:
        """The open orders of one instrument, oldest first."""
        if self._empty_at == self._left_open:
            return []
        rows = self._db.read(f"{_RESTING} AND exchange = ? AND symbol = ? ORDER BY id", (exchange, symbol))
        return [_order(row) for row in rows]

    def trades(self, since: datetime, until: datetime) -> list[PaperTrade]:
        """Fills at or after ``since`` and before ``until``, newest first."""
        rows = self._db.read(
            "SELECT paper_order.*, paper_trade.id AS trade_id, paper_trade.quantity AS traded_quantity,"
            " paper_trade.price AS traded_price, traded_at FROM paper_trade"
            " JOIN paper_order ON paper_order.id = paper_trade.order_id"
            " WHERE traded_at >= ? AND traded_at < ? ORDER BY paper_trade.id DESC",
            (to_ms(since), to_ms(until)),
        )
        return [_trade(row) for row in rows]

    def positions(self, day: date) -> list[PaperPosition]:
        """Every open position, and those that were closed on the trading day ``day``."""
        rows = self._db.read(
            "SELECT * FROM paper_position WHERE quantity <> 0 OR realised_on = ? ORDER BY symbol, exchange, product",
            (day.isoformat(),),
        )
        return [_position(row) for row in rows]

    def account(self, day: date) -> PaperAccount:
        """Money, and the positions as :meth:`positions` tells them, of one moment."""
        rows = self._db.read(_ACCOUNT, (day.isoformat(),))
        first = rows[0]
        money = PaperMoney(capital=first["capital"], realised=first["booked"], blocked=first["used"])
        return PaperAccount(money=money, positions=tuple(_position(row) for row in rows if row["symbol"] is not None))


def _order(row: Row) -> PaperOrder:
    return PaperOrder(
        number=row["id"],
        tag=Ref(row["tag"]),
        request=OrderRequest(
            symbol=row["symbol"],
            exchange=Exchange(row["exchange"]),
            action=Action(row["action"]),
            quantity=row["quantity"],
            price_type=PriceType(row["price_type"]),
            product=Product(row["product"]),
            price=to_rupees(row["price"]),
            trigger_price=to_rupees(row["trigger_price"]),
            disclosed_quantity=row["disclosed_quantity"],
        ),
        status=OrderStatus(row["status"]),
        filled_quantity=row["filled_quantity"],
        average_price=row["average_price"],
        blocked=row["blocked"],
        rejection_reason=row["rejection_reason"],
        placed_at=from_ms(row["placed_at"]),
    )


def _trade(row: Row) -> PaperTrade:
    return PaperTrade(
        number=row["trade_id"],
        order=_order(row),
        quantity=row["traded_quantity"],
        price=row["traded_price"],
        traded_at=from_ms(row["traded_at"]),
    )


def _position(row: Row) -> PaperPosition:
    return PaperPosition(
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        product=Product(row["product"]),
        quantity=row["quantity"],
        cost=row["cost"],
        blocked=row["blocked"],
        realised=row["realised"],
        realised_on=date.fromisoformat(row["realised_on"]),
    )


def _money(row: Row) -> PaperMoney:
    return PaperMoney(capital=row["capital"], realised=row["realised"], blocked=row["blocked"])
