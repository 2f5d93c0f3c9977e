"""The ledger of the paper exchange: every move of money, with the balance it leaves. The only writer of its table."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import Exchange, Product, Ref
from openalgo_bridge.model.paper import LedgerKind, LedgerLine, Named, PaperMoney
from openalgo_bridge.store.database import Database, Row

LAST = "SELECT * FROM paper_ledger ORDER BY id DESC LIMIT 1"
"""The line whose balance is the account."""

BEGUN = (
    "SELECT count(*) AS resets, coalesce(max(id), 1) AS line, coalesce(max(order_id), 0) AS begun_after"
    " FROM paper_ledger INDEXED BY paper_ledger_resets WHERE kind = 'reset'"
)
"""How often the account was begun anew, the line of the last time, and the number of the last order of before it: until
then the first line and 0. Without the index SQLite would walk the whole ledger for a reset that never was.
"""

_POST = (
    "INSERT INTO paper_ledger (at, kind, order_id, gtt_id, symbol, exchange, product,"
    " capital, realised, invested, blocked, capital_after, realised_after, invested_after, blocked_after)"
    " SELECT :at, :kind, :order, :gtt, :symbol, :exchange, :product, :capital, :realised, :invested, :blocked,"
    " capital_after + :capital, realised_after + :realised, invested_after + :invested, blocked_after + :blocked"
    f" FROM ({LAST})"
)

# The order of a line that begins anew is the last one of before: that line is not about it.
_LINES = """
    SELECT line.*, coalesce(nullif(sent.tag, ''), gtt.tag, '') AS tag, coalesce(sent.cause, '') AS cause
    FROM paper_ledger AS line
    LEFT JOIN paper_order AS sent ON sent.id = line.order_id AND line.kind <> 'reset'
    LEFT JOIN paper_gtt_leg AS fired ON fired.fired_order_id = sent.id
    LEFT JOIN paper_gtt AS gtt ON gtt.id = coalesce(line.gtt_id, fired.gtt_id)
    WHERE line.id < coalesce(?, 1 << 62) ORDER BY line.id DESC LIMIT ?
"""


class OpenLedger:
    """The ledger inside one transaction.

    Whoever writes a row that holds money says by how much that moved; whoever knows why posts it. So no sum is ever
    written twice, and a move that nobody gave a reason for ends the transaction. Methods may raise sqlite3.Error.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._forget()

    def move(self, *, capital: int = 0, realised: int = 0, invested: int = 0, blocked: int = 0) -> None:
        """Add to what the next line tells. Units."""
        self._capital += capital
        self._realised += realised
        self._invested += invested
        self._blocked += blocked

    def post(
        self,
        kind: LedgerKind,
        at: datetime,
        about: Named | None = None,
        *,
        order: int | None = None,
        gtt: int | None = None,
    ) -> None:
        """Write what moved since the last line as one; nothing where nothing did, but that the account began anew."""
        if not self._has_moved and kind is not LedgerKind.RESET:
            return
        self._db.execute(
            _POST,
            {
                "at": to_ms(at),
                "kind": kind,
                "order": order,
                "gtt": gtt,
                "symbol": None if about is None else about.symbol,
                "exchange": None if about is None else about.exchange,
                "product": None if about is None else about.product,
                "capital": self._capital,
                "realised": self._realised,
                "invested": self._invested,
                "blocked": self._blocked,
            },
        )
        self._forget()

    def close(self) -> None:
        """The end of the transaction. Raises StorageError where money moved and nobody said why."""
        if self._has_moved:
            raise StorageError("Money of the paper account was moved without a line of its ledger.")

    @property
    def _has_moved(self) -> bool:
        return bool(self._capital or self._realised or self._invested or self._blocked)

    def _forget(self) -> None:
        self._capital = self._realised = self._invested = self._blocked = 0


class PaperLedger:
    """The ledger between transactions. Methods may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def lines(self, *, before: int | None = None, limit: int) -> list[LedgerLine]:
        """The newest lines first, those with a lower number than ``before``."""
        return [_line(row) for row in self._db.read(_LINES, (before, limit))]


def balance(row: Row) -> PaperMoney:
    """The account after a line."""
    return PaperMoney(
        capital=row["capital_after"],
        realised=row["realised_after"],
        invested=row["invested_after"],
        blocked=row["blocked_after"],
    )


def _line(row: Row) -> LedgerLine:
    return LedgerLine(
        number=row["id"],
        at=from_ms(row["at"]),
        kind=LedgerKind(row["kind"]),
        order_number=row["order_id"],
        gtt_number=row["gtt_id"],
        tag=Ref(row["tag"]),
        cause=row["cause"],
        symbol=row["symbol"],
        exchange=None if row["exchange"] is None else Exchange(row["exchange"]),
        product=None if row["product"] is None else Product(row["product"]),
        capital=row["capital"],
        realised=row["realised"],
        invested=row["invested"],
        blocked=row["blocked"],
        after=balance(row),
    )
