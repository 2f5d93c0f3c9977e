"""The books of the paper exchange. The only writer of orders, trades, positions and holdings; it decides nothing.

It keeps the promise that ``brokers/paper/book.py`` asks for, without importing it. ``synchronous=FULL``: what
a transaction wrote is on the disk when it ends, unless it says that the next one will see to that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Set
from contextlib import contextmanager
from datetime import date, datetime

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.order import Exchange, OrderRequest, PositionKey, Product, Ref
from openalgo_bridge.model.paper import (
    LedgerKind,
    Named,
    PaperAccount,
    PaperHolding,
    PaperMoney,
    PaperOrder,
    PaperPosition,
    PaperStanding,
    PaperTrade,
    PriceRange,
)
from openalgo_bridge.store import paper_days
from openalgo_bridge.store import paper_rows as rows
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_gtts import OpenPaperGtts, PaperGtts
from openalgo_bridge.store.paper_ledger import BEGUN, LAST, OpenLedger, balance

_ORDER = "SELECT * FROM paper_order WHERE id = ?"
_IS_WORKING = "status IN ('open', 'trigger pending')"
# Every read of a book asks this first, and nearly always nothing rests. Left to itself SQLite would walk the
# whole table to get the rows in order.
_WORKING = f"FROM paper_order INDEXED BY paper_order_working WHERE {_IS_WORKING}"
_RESTING = f"SELECT * {_WORKING} ORDER BY id"
# The price at which one is reached, as its index has it.
_REACHED_AT = "CASE status WHEN 'trigger pending' THEN trigger_price ELSE coalesce(bound, price) END"
# Of each kind those beyond a price are one stretch of the index: of five thousand orders only what is reached is read.
_REACHED = (
    " UNION ALL ".join(
        f"SELECT * {_WORKING} AND exchange = :exchange AND symbol = :symbol"
        f" AND status = '{status}' AND action = '{action}' AND {_REACHED_AT} {reached}"
        for status, action, reached in (
            ("trigger pending", "BUY", "<= :highest"),
            ("trigger pending", "SELL", ">= :lowest"),
            ("open", "BUY", ">= :ask"),
            ("open", "SELL", "<= :bid"),
        )
    )
    + " ORDER BY id"
)
# From one instrument to the next, so that it costs what there are of these and not of orders.
_IN_USE = f"""
    WITH RECURSIVE place (first) AS (
        SELECT (SELECT id {_WORKING} ORDER BY exchange, symbol LIMIT 1)
        UNION ALL
        SELECT coalesce(
            (SELECT id {_WORKING} AND exchange = found.exchange AND symbol > found.symbol ORDER BY symbol LIMIT 1),
            (SELECT id {_WORKING} AND exchange > found.exchange ORDER BY exchange, symbol LIMIT 1))
        FROM place CROSS JOIN paper_order AS found ON found.id = place.first
    )
    SELECT exchange, symbol FROM place CROSS JOIN paper_order ON id = first
"""
_NO_ORDER = 0
_RESTING_QUANTITY = (
    f"SELECT coalesce(sum(quantity - filled_quantity), 0) AS n FROM paper_order WHERE {_IS_WORKING}"
    " AND exchange = ? AND symbol = ? AND product = ? AND action = ? AND id <> ?"
)
_BALANCE = f"SELECT capital_after, realised_after, invested_after, blocked_after FROM ({LAST})"
# One read, because each costs a MARKET order as much as it finds.
_STANDING = (
    f"SELECT money.*, (SELECT done_until FROM paper_clock) AS done_until, paper_position.* FROM ({_BALANCE}) AS money"
    " LEFT JOIN paper_position ON symbol = ? AND exchange = ? AND product = ?"
)
# One read, so that money and positions are of one moment; a read costs a call more than its rows do.
_ACCOUNT = (
    f"SELECT money.*, resets, begin.at AS begun_at, paper_position.* FROM ({_BALANCE}) AS money"
    f" JOIN ({BEGUN}) JOIN paper_ledger AS begin ON begin.id = line"
    " LEFT JOIN paper_position ON paper_position.quantity <> 0 OR paper_position.realised_on = ?"
    " ORDER BY paper_position.symbol, paper_position.exchange, paper_position.product"
)
_BEGUN_AFTER = f"SELECT begun_after FROM ({BEGUN})"
# Without its index SQLite would walk back through all days until the first order of this one.
_ORDERS_SINCE = (
    "SELECT * FROM paper_order INDEXED BY paper_order_by_time"
    f" WHERE placed_at >= ? AND id > ({_BEGUN_AFTER}) ORDER BY id DESC"
)
_ORDERS_CHANGED = (
    "SELECT * FROM paper_order INDEXED BY paper_order_by_revision"
    f" WHERE revision > ? AND placed_at >= ? AND id > ({_BEGUN_AFTER}) ORDER BY id"
)
_NEXT_REVISION = "(SELECT coalesce(max(revision), 0) + 1 FROM paper_order)"
# The columns are those of paper_rows.identity_columns and changing_columns, in their order.
_ADD = (
    "INSERT INTO paper_order (tag, cause, symbol, exchange, action, product, placed_at, quantity, price_type, price,"
    " trigger_price, disclosed_quantity, status, filled_quantity, filled_value, bound, blocked, rejection_reason,"
    " triggered_at, filled_at, revision)"
    f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {_NEXT_REVISION})"
    " ON CONFLICT (tag) WHERE tag <> '' DO NOTHING"
)
_CHANGE = (
    "UPDATE paper_order SET quantity = ?, price_type = ?, price = ?, trigger_price = ?, disclosed_quantity = ?,"
    " status = ?, filled_quantity = ?, filled_value = ?, bound = ?, blocked = ?, rejection_reason = ?,"
    f" triggered_at = ?, filled_at = ?, revision = {_NEXT_REVISION}"
    f" WHERE id = ? AND {_IS_WORKING} AND status = ? AND filled_quantity = ? AND blocked = ?"
)


class OpenPaperBook:
    """The book inside one transaction. Every method may raise sqlite3.Error, which ends the transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ledger = OpenLedger(db)
        self.gtts = OpenPaperGtts(db, self._ledger)
        self.leaves_working = False
        """Whether it wrote an order that rests."""

    def order(self, number: int) -> PaperOrder | None:
        """The order as it stands now."""
        row = self._db.execute(_ORDER, (number,)).fetchone()
        return None if row is None else rows.order(row)

    def standing(self, of: Named) -> PaperStanding:
        """The account, the position of a symbol and product, and up to when all is done that time does."""
        row = self._db.execute(_STANDING, (of.symbol, of.exchange, of.product)).fetchone()
        found = None if row["symbol"] is None else rows.position(row)
        done_until = None if row["done_until"] is None else from_ms(row["done_until"])
        return PaperStanding(money=balance(row), position=found, done_until=done_until)

    def holding(self, symbol: str, exchange: Exchange) -> PaperHolding | None:
        """The delivered shares, or None when there never were any."""
        row = self._db.execute(
            "SELECT * FROM paper_holding WHERE exchange = ? AND symbol = ?", (exchange, symbol)
        ).fetchone()
        return None if row is None else rows.holding(row)

    def resting(self) -> list[PaperOrder]:
        """All working orders, oldest first."""
        return [rows.order(row) for row in self._db.execute(_RESTING).fetchall()]

    def resting_quantity(self, request: OrderRequest, besides: int) -> int:
        """How many units are to fill yet on the side, symbol and product of ``request``, order ``besides`` left out."""
        side = (request.exchange, request.symbol, request.product, request.action)
        return int(self._db.execute(_RESTING_QUANTITY, (*side, besides)).fetchone()["n"])

    def money(self) -> PaperMoney:
        """The account, as the last line of the ledger has it."""
        return balance(self._db.execute(_BALANCE).fetchone())

    def add(self, order: PaperOrder) -> int | None:
        """Enter an order; returns its number, or None when an earlier order carries its tag."""
        written = self._db.execute(_ADD, (*rows.identity_columns(order), *rows.changing_columns(order)))
        if written.rowcount != 1:
            return None
        self._wrote(order, blocked_before=0)
        return written.lastrowid

    def change(self, before: PaperOrder, after: PaperOrder) -> bool:
        """Write ``after`` over an order that still stands as ``before``; False where it works no more, or not so.

        The condition makes a fill, a cancel and a change exclude each other (W5.5 of the behaviour list).
        """
        was = (before.number, before.status, before.filled_quantity, before.blocked)
        if self._db.execute(_CHANGE, (*rows.changing_columns(after), *was)).rowcount != 1:
            return False
        self._wrote(after, blocked_before=before.blocked)
        return True

    def add_trade(
        self, number: int, filled_before: int, quantity: int, price: int, at: datetime, *, multiplier: int
    ) -> None:
        """Enter a fill of an order of which ``filled_before`` units were filled by the trades before it.

        A part that was filled already, and one beyond the order's quantity, break a rule and end the transaction.
        """
        self._db.execute(
            "INSERT INTO paper_trade (order_id, filled_before, quantity, price, traded_at, multiplier)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (number, filled_before, quantity, price, to_ms(at), multiplier),
        )

    def save(self, before: PaperPosition, after: PaperPosition, *, gain: int) -> None:
        """Write ``after`` over the position that stood as ``before``; ``gain`` is the profit that this books."""
        self._db.execute(
            "INSERT OR REPLACE INTO paper_position (symbol, exchange, product, quantity, cost, blocked, realised,"
            " realised_on, multiplier) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                after.symbol,
                after.exchange,
                after.product,
                after.quantity,
                after.cost,
                after.blocked,
                after.realised,
                after.realised_on.isoformat(),
                after.multiplier,
            ),
        )
        self._ledger.move(realised=gain, blocked=after.blocked - before.blocked)

    def save_holding(self, before: PaperHolding, after: PaperHolding) -> None:
        """Write ``after`` over the holding that stood as ``before``."""
        self._db.execute(
            "INSERT OR REPLACE INTO paper_holding (exchange, symbol, quantity, cost) VALUES (?, ?, ?, ?)",
            (after.exchange, after.symbol, after.quantity, after.cost),
        )
        self._ledger.move(invested=after.cost - before.cost)

    def set_capital(self, capital: int) -> None:
        """What the account was given is so much from now on; what can be used moves by the difference."""
        self._ledger.move(capital=capital - self.money().capital)

    def forget_profit(self) -> None:
        """Nothing counts as ever booked. Only for the account that is begun anew."""
        self._ledger.move(realised=-self.money().realised)

    def post(
        self,
        kind: LedgerKind,
        at: datetime,
        about: Named | None = None,
        *,
        order: int | None = None,
        gtt: int | None = None,
    ) -> None:
        """Say why money moved since the last line: one line of the ledger, or none where nothing moved."""
        self._ledger.post(kind, at, about, order=order, gtt=gtt)

    def advance(self, was: datetime, until: datetime) -> bool:
        """Move on from ``was`` up to when everything is done that time does; False where it is not ``was`` any more."""
        return paper_days.advance(self._db, was, until)

    def leave_behind(self, moment: datetime) -> None:
        """Let no price of before ``moment`` count for what rests now."""
        paper_days.leave_behind(self._db, moment)

    @property
    def connection(self) -> sqlite3.Connection:
        """For what is read or written beside the book in the same commit, such as a line of the audit list."""
        return self._db

    def close(self) -> None:
        """The end of the transaction. Raises StorageError where money moved and nobody said why."""
        self._ledger.close()

    def _wrote(self, order: PaperOrder, *, blocked_before: int) -> None:
        self.leaves_working |= order.status.is_working
        self._ledger.move(blocked=order.blocked - blocked_before)


class PaperBook:
    """The book between transactions. Every method may raise StorageError.

    Nearly always nothing rests, and every look at a book asks for it. So it is remembered that nothing did, until a
    transaction that left an order open has ended: whoever asks before that could have asked before it began. The
    lock on the folder keeps every other process from writing here.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self.gtts = PaperGtts(db)
        self._left_working = 0
        self._empty_at = -1

    @contextmanager
    def transaction(self, *, is_synced: bool = True) -> Iterator[OpenPaperBook]:
        """All or nothing; nobody else writes meanwhile. For ``is_synced`` see :meth:`Database.transaction`."""
        book, is_done = None, False
        try:
            with self._db.transaction(is_synced=is_synced) as db:
                book = OpenPaperBook(db)
                yield book
                book.close()
            is_done = True
        finally:
            # Counted after the commit, and after any error: a commit that failed may still have arrived, and what was
            # seen to rest no more inside a transaction that is undone rests again.
            if book is not None and (book.leaves_working or not is_done):
                self._left_working += 1
            if book is not None and book.gtts.has_written:
                self.gtts.note_written()

    def done_until(self) -> datetime | None:
        """Up to when everything was done that time does; None before the first order or GTT."""
        return paper_days.done_until(self._db)

    def order(self, number: int) -> PaperOrder | None:
        """One order of any day."""
        row = self._db.read_one(_ORDER, (number,))
        return None if row is None else rows.order(row)

    def find(self, tag: Ref) -> PaperOrder | None:
        """The order of any day that carries ``tag``."""
        row = self._db.read_one("SELECT * FROM paper_order WHERE tag = ? AND tag <> ''", (tag,))
        return None if row is None else rows.order(row)

    def begun_after(self) -> int:
        """The number of the last order before the account was begun anew: the books of days tell what came after it."""
        row = self._db.read_one(_BEGUN_AFTER)
        return 0 if row is None else int(row["begun_after"])

    def orders(self, since: datetime) -> list[PaperOrder]:
        """Orders placed at or after ``since``, newest first."""
        found = self._db.read(_ORDERS_SINCE, (to_ms(since),))
        return [rows.order(row) for row in found]

    def orders_changed(self, after: int, since: datetime) -> list[PaperOrder]:
        """Those of :meth:`orders` whose revision is above ``after``: new ones and changed ones, oldest first."""
        return [rows.order(row) for row in self._db.read(_ORDERS_CHANGED, (after, to_ms(since)))]

    def resting(self) -> list[PaperOrder]:
        """All working orders, oldest first."""
        seen = self._left_working
        if self._empty_at == seen:
            return []
        found = self._db.read(_RESTING)
        if not found:
            self._empty_at = seen
        return [rows.order(row) for row in found]

    def resting_quantity(self, request: OrderRequest) -> int:
        """How many units are to fill yet on the side, symbol and product of ``request``."""
        side = (request.exchange, request.symbol, request.product, request.action)
        row = self._db.read_one(_RESTING_QUANTITY, (*side, _NO_ORDER))
        return 0 if row is None else int(row["n"])

    def instruments_in_use(self) -> list[tuple[Exchange, str]]:
        """What anybody has a working order for."""
        seen = self._left_working
        if self._empty_at == seen:
            return []
        found = self._db.read(_IN_USE)
        if not found:
            self._empty_at = seen
        return [(Exchange(row["exchange"]), row["symbol"]) for row in found]

    def reached(self, symbol: str, exchange: Exchange, prices: PriceRange) -> list[PaperOrder]:
        """The working orders of one instrument that such prices trigger or fill, oldest first."""
        if self._empty_at == self._left_working:
            return []
        found = self._db.read(_REACHED, {"exchange": exchange, "symbol": symbol, **prices._asdict()})
        return [rows.order(row) for row in found]

    def trades(self, since: datetime, until: datetime) -> list[PaperTrade]:
        """Fills at or after ``since`` and before ``until``, newest first."""
        found = self._db.read(
            "SELECT paper_order.*, paper_trade.id AS trade_id, paper_trade.quantity AS traded_quantity,"
            " paper_trade.price AS traded_price, traded_at, multiplier FROM paper_trade"
            " JOIN paper_order ON paper_order.id = paper_trade.order_id"
            f" WHERE traded_at >= ? AND traded_at < ? AND order_id > ({_BEGUN_AFTER}) ORDER BY paper_trade.id DESC",
            (to_ms(since), to_ms(until)),
        )
        return [rows.trade(row) for row in found]

    def traded_after(self, moment: datetime) -> Set[PositionKey]:
        """The positions that anything filled for after ``moment``."""
        found = self._db.read(
            "SELECT DISTINCT exchange, symbol, product FROM paper_trade INDEXED BY paper_trade_by_time"
            " JOIN paper_order ON paper_order.id = order_id WHERE traded_at > ?",
            (to_ms(moment),),
        )
        return {(Exchange(row["exchange"]), row["symbol"], Product(row["product"])) for row in found}

    def positions(self, day: date) -> list[PaperPosition]:
        """Every open position, and those that were closed on the trading day ``day``."""
        found = self._db.read(
            "SELECT * FROM paper_position WHERE quantity <> 0 OR realised_on = ? ORDER BY symbol, exchange, product",
            (day.isoformat(),),
        )
        return [rows.position(row) for row in found]

    def position(self, of: Named) -> PaperPosition | None:
        """One position, or None when there never was one."""
        row = self._db.read_one(
            "SELECT * FROM paper_position WHERE symbol = ? AND exchange = ? AND product = ?",
            (of.symbol, of.exchange, of.product),
        )
        return None if row is None else rows.position(row)

    def holdings(self) -> list[PaperHolding]:
        """Delivered shares that are still held."""
        found = self._db.read("SELECT * FROM paper_holding WHERE quantity > 0 ORDER BY symbol, exchange")
        return [rows.holding(row) for row in found]

    def account(self, day: date) -> PaperAccount:
        """Money, and the positions as :meth:`positions` tells them, of one moment."""
        found = self._db.read(_ACCOUNT, (day.isoformat(),))
        positions = tuple(rows.position(row) for row in found if row["symbol"] is not None)
        return PaperAccount(
            money=balance(found[0]),
            positions=positions,
            begun_at=from_ms(found[0]["begun_at"]),
            resets=found[0]["resets"],
        )
