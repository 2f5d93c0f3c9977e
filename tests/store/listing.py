"""An instrument list in a real file, and rows for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.instrument_list import LoadedList
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import Contract, symbol_of
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.instrument_lists import InstrumentLists
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.store.instruments_in_use import InstrumentName
from tests.conftest import FixedClock

DECEMBER = date(2026, 12, 29)
JANUARY = date(2027, 1, 26)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Saturday 21 November 2026 until a test moves the clock."""

    db: Database
    clock: FixedClock
    instruments: Instruments
    lists: InstrumentLists
    in_use: set[InstrumentName]

    def take(self, *rows: Instrument, source: str = "broker", **options: Any) -> LoadedList:
        return self.lists.replace(rows, source=source, edition="any", **options)

    def symbols(self, exchange: Exchange | None = None) -> list[str]:
        return [each.symbol for each in self.instruments.stream(exchange)]

    def lines(self) -> list[tuple[str, str, str, str]]:
        """What the list in force changed: symbol, what, before, after."""
        latest = self.lists.latest()
        assert latest is not None
        changes = self.lists.changes(latest.id, limit=100_000)
        return [(each.symbol, each.what, each.before, each.after) for each in changes]


@contextmanager
def opened(folder: Path, calendar: Callable[[], Calendar] = lambda: SHIPPED) -> Iterator[Listing]:
    db = Database(folder / "instruments.db", synchronous="NORMAL")
    db.migrate(schema.instruments)
    instruments, clock = Instruments(db), FixedClock()
    in_use: set[InstrumentName] = set()
    lists = InstrumentLists(db, clock, instruments=instruments, calendar=calendar, in_use=lambda: in_use)
    try:
        yield Listing(db=db, clock=clock, instruments=instruments, lists=lists, in_use=in_use)
    finally:
        db.close()


def share(symbol: str, name: str = "", exchange: Exchange = Exchange.NSE, **terms: Any) -> Instrument:
    usual: dict[str, Any] = {"lot": 1, "tick": Decimal("0.05"), "freeze_quantity": 0, "token": f"{exchange}{symbol}"}
    usual |= {"reference_price": Decimal(100), "broker_symbol": symbol, "broker_exchange": exchange} | terms
    return Instrument(symbol=symbol, exchange=exchange, name=name or symbol, kind=Kind.EQ, **usual)


def contract(base: str, kind: Kind, expiry: date, strike: int | str = 0, **terms: Any) -> Instrument:
    symbol = symbol_of(Contract(base=base, kind=kind, expiry=expiry, strike=Decimal(strike)))
    usual: dict[str, Any] = {"lot": 65, "tick": Decimal("0.05"), "freeze_quantity": 1800, "token": symbol}
    usual |= {"exchange": Exchange.NFO, "reference_price": Decimal(26_000), "broker_symbol": f"Z{symbol}"}
    usual |= {"broker_exchange": "NFO", "name": base, "symbol": symbol} | terms
    return Instrument(kind=kind, expiry=expiry, strike=Decimal(strike), **usual)


def chain(base: str, expiry: date, strikes: Iterable[int], **terms: Any) -> list[Instrument]:
    return [contract(base, kind, expiry, strike, **terms) for strike in strikes for kind in (Kind.CE, Kind.PE)]
