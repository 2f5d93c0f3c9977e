"""The instrument list. The only writer of its two tables; the whole file may be deleted and is then rebuilt."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from decimal import Decimal

from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.embedded_list import embedded_list

_EMBEDDED = "embedded"
_MOST_REMEMBERED = 4096
_COLUMNS = "symbol, exchange, name, kind, lot, tick, freeze_quantity, token, reference_price, expiry, strike"
_FIND = f"SELECT {_COLUMNS} FROM instrument WHERE exchange = ? AND symbol = ?"


class Instruments:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # The list changes only through this object, which then forgets; a look-up is on the path of every order.
        self._found: dict[tuple[Exchange, str], Instrument] = {}

    def ensure_embedded_list(self) -> None:
        """Fill the table when it is empty or holds another edition of the embedded list.

        A list that came from a broker is left alone.
        """
        instruments = embedded_list()
        edition = _edition(instruments)
        with self._db.transaction() as db:
            there = db.execute("SELECT source, edition FROM instrument_list").fetchone()
            if there is None or (there["source"] == _EMBEDDED and there["edition"] != edition):
                _replace(db, instruments, edition)
        self._found.clear()

    def find(self, exchange: Exchange, symbol: str) -> Instrument | None:
        """One instrument by its exact symbol, or None when the list has none."""
        known = self._found.get((exchange, symbol))
        if known is not None:
            return known
        row = self._db.read_one(_FIND, (exchange, symbol))
        if row is None:
            return None
        if len(self._found) >= _MOST_REMEMBERED:
            self._found.clear()
        found = self._found[exchange, symbol] = _instrument(row)
        return found

    def count(self) -> int:
        """How many instruments are listed."""
        row = self._db.read_one("SELECT count(*) AS n FROM instrument")
        return int(row["n"]) if row else 0


def _edition(instruments: Sequence[Instrument]) -> str:
    """A fingerprint of the content, so that nobody has to remember to raise a number."""
    return hashlib.sha256(repr(instruments).encode()).hexdigest()[:16]


def _replace(db: sqlite3.Connection, instruments: Sequence[Instrument], edition: str) -> None:
    db.execute("DELETE FROM instrument")
    db.executemany(
        f"INSERT INTO instrument ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                each.symbol,
                each.exchange,
                each.name,
                each.kind,
                each.lot,
                str(each.tick),
                each.freeze_quantity,
                each.token,
                str(each.reference_price),
                each.expiry,
                str(each.strike),
            )
            for each in instruments
        ],
    )
    db.execute("INSERT OR REPLACE INTO instrument_list (id, source, edition) VALUES (1, ?, ?)", (_EMBEDDED, edition))


def _instrument(row: Row) -> Instrument:
    # Unpacked by place: every order and every price passes here, and names cost three times as much.
    symbol, exchange, name, kind, lot, tick, freeze_quantity, token, reference_price, expiry, strike = row
    return Instrument(
        symbol=symbol,
        exchange=Exchange(exchange),
        name=name,
        kind=kind,
        lot=lot,
        tick=Decimal(tick),
        freeze_quantity=freeze_quantity,
        token=token,
        reference_price=Decimal(reference_price),
        expiry=expiry,
        strike=Decimal(strike),
    )
