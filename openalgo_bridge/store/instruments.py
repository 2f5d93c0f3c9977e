"""The instrument list, read: look-ups, contracts of an underlying, search. Written by ``store/instrument_lists.py``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from openalgo_bridge.model.instrument import FUTURES, OPTIONS, Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.instrument_search import search

COLUMNS = (
    "exchange, symbol, name, kind, lot, tick, freeze_quantity, token, reference_price, expiry, strike, "
    "broker_symbol, broker_exchange, multiplier"
)
_MOST_REMEMBERED = 4096
_MOST_CHAINS = 32
_ON_SHARES = (Exchange.NFO, Exchange.BFO)
_FIND = f"SELECT {COLUMNS} FROM instrument WHERE exchange = ? AND symbol = ?"
_FIND_FORMER = f"SELECT {COLUMNS}, left_on FROM former_instrument WHERE exchange = ? AND symbol = ?"
# By the index of contracts, which has nothing without an expiry.
_ON_BASE = "FROM instrument WHERE expiry <> '' AND exchange = ? AND name = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRow:
    """The call and the put of one strike; None where it is not listed."""

    strike: Decimal
    call: Instrument | None
    put: Instrument | None


class Instruments:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # A look-up is on the path of every order, and a chain is asked for every second. A new list brings new dicts,
        # so that a thread which still reads the former one cannot put it back.
        self._found: dict[tuple[Exchange, str], Instrument] = {}
        self._chains: dict[tuple[Exchange, str, date], tuple[ChainRow, ...]] = {}

    def forget(self) -> None:
        """To be called when the list has changed."""
        self._found, self._chains = {}, {}

    def find(self, exchange: Exchange, symbol: str) -> Instrument | None:
        """One instrument by its exact symbol, or None.

        What left the list in the last weeks is found too, with ``left_on``: order books of earlier days name it.
        """
        remembered = self._found
        known = remembered.get((exchange, symbol))
        if known is not None:
            return known
        row = self._db.read_one(_FIND, (exchange, symbol)) or self._db.read_one(_FIND_FORMER, (exchange, symbol))
        if row is None:
            return None
        if len(remembered) >= _MOST_REMEMBERED:
            remembered.clear()
        found = remembered[exchange, symbol] = instrument_of(row)
        return found

    def has_derivatives(self, instrument: Instrument) -> bool:
        """Whether futures or options on a share are listed."""
        found = (self._db.read_one(f"SELECT 1 {_ON_BASE} LIMIT 1", (each, instrument.symbol)) for each in _ON_SHARES)
        return instrument.kind is Kind.EQ and any(found)

    def name_conflict(self, exchange: Exchange, symbol: str) -> str:
        """What the broker calls the instruments that would all be named ``symbol``; empty where there are not two."""
        row = self._db.read_one(
            "SELECT claimed_by FROM name_conflict WHERE exchange = ? AND symbol = ?", (exchange, symbol)
        )
        return "" if row is None else str(row["claimed_by"])

    def number(self, exchange: Exchange, symbol: str) -> int | None:
        """The place of an instrument in today's list; None for what is not in it."""
        row = self._db.read_one("SELECT id FROM instrument WHERE exchange = ? AND symbol = ?", (exchange, symbol))
        return None if row is None else int(row["id"])

    def count(self) -> int:
        """How many instruments are listed."""
        row = self._db.read_one("SELECT count(*) AS n FROM instrument")
        return int(row["n"]) if row else 0

    def search(self, query: str, exchange: Exchange | None = None, *, limit: int = 500) -> list[Instrument]:
        """What ``query`` may mean, the best first; see ``store/instrument_search.py``. Empty for an empty query."""
        return [instrument_of(row) for row in search(self._db, COLUMNS, query, exchange, limit)]

    def stream(self, exchange: Exchange | None = None) -> Iterator[Instrument]:
        """All instruments, or those of one exchange, a few at a time, by exchange and symbol."""
        where, values = ("", ()) if exchange is None else ("WHERE exchange = ?", (exchange,))
        rows = self._db.stream(f"SELECT {COLUMNS} FROM instrument {where} ORDER BY exchange, symbol", values)
        return map(instrument_of, rows)

    # -- contracts of an underlying --------------------------------------------------------------------

    def expiries(self, exchange: Exchange, base: str, kinds: Collection[Kind], *, today: date) -> list[date]:
        """The days on which the futures (``FUTURES``) or options (``OPTIONS``) on ``base`` expire, nearest first.

        From ``today`` on, of which the caller knows whether its contracts have expired already.
        """
        marks = ", ".join("?" * len(kinds))
        rows = self._db.read(
            f"SELECT DISTINCT expiry {_ON_BASE} AND expiry >= ? AND kind IN ({marks}) ORDER BY expiry",
            (exchange, base, today.isoformat(), *kinds),
        )
        return [date.fromisoformat(row["expiry"]) for row in rows]

    def strikes(self, exchange: Exchange, base: str, expiry: date) -> list[Decimal]:
        """The strikes in rupees of the options on ``base`` that expire on that day, ascending."""
        marks = ", ".join("?" * len(OPTIONS))
        rows = self._db.read(
            f"SELECT DISTINCT strike {_ON_BASE} AND expiry = ? AND kind IN ({marks})",
            (exchange, base, expiry.isoformat(), *OPTIONS),
        )
        return sorted(Decimal(row["strike"]) for row in rows)

    def chain(self, exchange: Exchange, base: str, expiry: date) -> tuple[ChainRow, ...]:
        """The options on ``base`` that expire on that day, by strike, ascending."""
        remembered, name = self._chains, (exchange, base, expiry)
        known = remembered.get(name)
        if known is not None:
            return known
        found = _by_strike(self._contracts(exchange, base, OPTIONS, expiry))
        if len(remembered) >= _MOST_CHAINS:
            remembered.clear()
        remembered[name] = found
        return found

    def futures(self, exchange: Exchange, base: str, *, today: date) -> list[Instrument]:
        """The futures on ``base`` that expire on ``today``, as in :meth:`expiries`, or later; nearest first."""
        listed = self._contracts(exchange, base, FUTURES)
        return [each for each in listed if each.expiry is not None and each.expiry >= today]

    def _contracts(
        self, exchange: Exchange, base: str, kinds: Collection[Kind], expiry: date | None = None
    ) -> list[Instrument]:
        values = [exchange, base, *([] if expiry is None else [expiry.isoformat()]), *kinds]
        on_day = "" if expiry is None else "AND expiry = ?"
        marks = ", ".join("?" * len(kinds))
        rows = self._db.read(f"SELECT {COLUMNS} {_ON_BASE} {on_day} AND kind IN ({marks}) ORDER BY expiry", values)
        return [instrument_of(row) for row in rows]


def _by_strike(options: Collection[Instrument]) -> tuple[ChainRow, ...]:
    listed = {(each.strike, each.kind): each for each in options}
    return tuple(
        ChainRow(strike=strike, call=listed.get((strike, Kind.CE)), put=listed.get((strike, Kind.PE)))
        for strike in sorted({strike for strike, _ in listed})
    )


def instrument_of(row: Row | Sequence[Any]) -> Instrument:
    """The instrument of a row of ``COLUMNS``, of the former list with ``left_on`` after them."""
    # Unpacked by place: every order and every price passes here, and names cost three times as much.
    (
        exchange,
        symbol,
        name,
        kind,
        lot,
        tick,
        freeze_quantity,
        token,
        reference_price,
        expiry,
        strike,
        broker_symbol,
        broker_exchange,
        multiplier,
        *left_on,
    ) = row
    return Instrument(
        symbol=symbol,
        exchange=Exchange(exchange),
        name=name,
        kind=Kind(kind),
        lot=lot,
        tick=Decimal(tick),
        freeze_quantity=freeze_quantity,
        token=token,
        reference_price=Decimal(reference_price),
        expiry=date.fromisoformat(expiry) if expiry else None,
        strike=Decimal(strike),
        broker_symbol=broker_symbol,
        broker_exchange=broker_exchange,
        multiplier=multiplier,
        left_on=date.fromisoformat(left_on[0]) if left_on else None,
    )
