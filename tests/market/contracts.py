"""Instruments of every kind, as the list has them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from openalgo_bridge.clock import IST
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import Contract, symbol_of

EXPIRY = date(2026, 12, 1)


def listed(
    symbol: str,
    exchange: Exchange,
    reference: str,
    *,
    kind: Kind = Kind.EQ,
    tick: str = "0.05",
    lot: int = 1,
    name: str = "",
    expiry: date | None = None,
    strike: Decimal = Decimal(0),
) -> Instrument:
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        name=name or symbol,
        kind=kind,
        lot=lot,
        tick=Decimal(tick),
        freeze_quantity=0,
        token="1",
        reference_price=Decimal(reference),
        expiry=expiry,
        strike=strike,
    )


SBIN = listed("SBIN", Exchange.NSE, "968")
SBIN_ON_BSE = listed("SBIN", Exchange.BSE, "968")
NIFTY = listed("NIFTY", Exchange.NSE_INDEX, "26050", kind=Kind.INDEX)
USDINR = listed(
    "USDINR28DEC26FUT",
    Exchange.CDS,
    "88.5",
    kind=Kind.FUT,
    tick="0.0025",
    lot=1000,
    name="USDINR",
    expiry=date(2026, 12, 28),
)
CRUDEOIL = listed(
    "CRUDEOIL18DEC26FUT",
    Exchange.MCX,
    "5480",
    kind=Kind.FUT,
    tick="1",
    lot=100,
    name="CRUDEOIL",
    expiry=date(2026, 12, 18),
)


def contract(
    kind: Kind, strike: int | str = 0, *, base: Instrument = NIFTY, expiry: date = EXPIRY, lot: int = 65
) -> Instrument:
    """A future or an option on ``base``, which is quoted on NSE."""
    level = Decimal(strike)
    return listed(
        symbol_of(Contract(base=base.symbol, kind=kind, expiry=expiry, strike=level)),
        Exchange.NFO,
        str(base.reference_price),
        kind=kind,
        tick="0.1" if kind is Kind.FUT else "0.05",
        lot=lot,
        name=base.symbol,
        expiry=expiry,
        strike=level,
    )


FUTURE = contract(Kind.FUT)
CALL, PUT = contract(Kind.CE, 26_000), contract(Kind.PE, 26_000)


def ist(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST)
