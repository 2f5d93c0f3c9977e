"""The daily file of instruments, as Kite publishes it in CSV, in the dialect's names. Read line by line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument import DERIVATIVES, Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import MONTHS, Contract, is_base, is_symbol, lists_contracts, strike_text, symbol_of

_COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
_EXCHANGES = {each.value for each in Exchange}
_CONTRACT_KINDS = {each.value for each in DERIVATIVES}
_INDICES = "INDICES"
_INDEX_EXCHANGES = {
    Exchange.NSE: Exchange.NSE_INDEX,
    Exchange.BSE: Exchange.BSE_INDEX,
    Exchange.MCX: Exchange.MCX_INDEX,
}
_INDEX_NAMES = {
    "NIFTY 50": "NIFTY",
    "NIFTY BANK": "BANKNIFTY",
    "NIFTY FIN SERVICE": "FINNIFTY",
    "NIFTY MID SELECT": "MIDCPNIFTY",
    "NIFTY NEXT 50": "NIFTYNXT50",
    "SNSX50": "SENSEX50",
}
_INDEX_TICK = Decimal("0.05")

# Weekly contracts have one sign for the month (October to December are O, N, D) and two digits for the day.
_WEEKLY_MONTHS = "123456789OND"
_LARGEST_NUMBER = Decimal(1_000_000_000)
_LONGEST_TEXT = 200

# Prices are kept in ten-thousandths of a rupee.
_FINEST_TICK, _LARGEST_TICK = Decimal("0.0001"), Decimal(1_000)
_LARGEST_LOT = 10_000_000
_LARGEST_PRICE = Decimal(5_000_000)

_NAMELESS = "that the dialect has no name for"
_EXPIRED = "expired"
_UNUSABLE = "with a lot, tick or price that no order could have"


class _Row(NamedTuple):
    """One line of the file, in its order."""

    instrument_token: str
    exchange_token: str
    tradingsymbol: str
    name: str
    last_price: str
    expiry: str
    strike: str
    tick_size: str
    lot_size: str
    instrument_type: str
    segment: str
    exchange: str


class InstrumentFile:
    """The instruments of a file, to be gone through once. ``today`` is the day in India.

    Going through it raises Invalid, with the line, for a file that is not what it should be: another header, a line
    that is cut off, a number that is none, nothing but contracts that have expired. ``left_out`` counts by reason what
    was passed over: it is complete when the end is reached.
    """

    def __init__(self, lines: Iterable[str], today: date) -> None:
        self._lines = lines
        self._today = today
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Instrument]:
        reader = csv.reader(self._lines, strict=True)
        try:
            if tuple(next(reader, ())) != _COLUMNS:
                raise Invalid(f"This is not a file of instruments: its first line is not {','.join(_COLUMNS)}.")
            yield from self._listed(reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise Invalid(f"Line {max(1, reader.line_num)} of the file cannot be read: {error}.") from error

    def _listed(self, reader: Iterator[list[str]]) -> Iterator[Instrument]:
        contracts = 0
        for number, fields in enumerate(reader, start=2):
            if len(fields) != len(_COLUMNS) or max(map(len, fields)) > _LONGEST_TEXT:
                raise Invalid(f"Line {number} of the file is not whole: it does not have {len(_COLUMNS)} fields.")
            try:
                instrument = self._instrument(_Row(*fields))
            except (ValueError, InvalidOperation) as error:
                raise Invalid(f"Line {number} of the file has a field that cannot be read: {error}.") from error
            if isinstance(instrument, str):
                self.left_out[instrument] += 1
                continue
            contracts += instrument.is_derivative
            yield instrument
        if self.left_out[_EXPIRED] and not contracts:
            raise Invalid("This file is an old one: every contract in it has expired.")

    def _instrument(self, row: _Row) -> Instrument | str:
        """What a line lists, or why it is passed over. Raises ValueError for a field that cannot be read."""
        if row.exchange not in _EXCHANGES:
            return "of an exchange that is not known"
        exchange = Exchange(row.exchange)
        if row.segment == _INDICES:
            return _index(row, exchange)
        lot, tick = int(row.lot_size), _number(row.tick_size)
        price = Decimal(0) if lists_contracts(exchange) else _number(row.last_price)
        if not _is_usable(lot, tick, price):
            return _UNUSABLE
        contract = _contract(row, exchange)
        if contract is None:
            return _NAMELESS
        if contract.expiry is not None and contract.expiry < self._today:
            return _EXPIRED
        symbol = _symbol(contract)
        if symbol is None:
            return _NAMELESS
        return Instrument(
            symbol=symbol,
            exchange=exchange,
            name=contract.base if contract.kind.is_derivative else row.name,
            kind=contract.kind,
            lot=lot,
            tick=tick,
            freeze_quantity=0,
            token=_token(row),
            reference_price=price,
            expiry=contract.expiry,
            strike=contract.strike,
            broker_symbol=row.tradingsymbol,
            broker_exchange=row.exchange,
        )


def _index(row: _Row, exchange: Exchange) -> Instrument | str:
    name, price = row.tradingsymbol, _number(row.last_price)
    symbol = _INDEX_NAMES.get(name, name.replace(" ", ""))
    if not is_symbol(symbol):
        return _NAMELESS
    if price > _LARGEST_PRICE:
        return _UNUSABLE
    return Instrument(
        symbol=symbol,
        exchange=_INDEX_EXCHANGES.get(exchange, Exchange.GLOBAL_INDEX),
        name=row.name or name,
        kind=Kind.INDEX,
        lot=1,
        tick=_INDEX_TICK,
        freeze_quantity=0,
        token=_token(row),
        reference_price=price,
        broker_symbol=name,
        broker_exchange=row.exchange,
    )


def _is_usable(lot: int, tick: Decimal, price: Decimal) -> bool:
    is_tick = _FINEST_TICK <= tick <= _LARGEST_TICK and not tick % _FINEST_TICK
    return is_tick and 1 <= lot <= _LARGEST_LOT and price <= _LARGEST_PRICE


def _symbol(contract: Contract) -> str | None:
    """None for what cannot be named in a request, such as an expiry of another century."""
    try:
        symbol = symbol_of(contract)
    except Invalid:
        return None
    return symbol if is_symbol(symbol) else None


def _contract(row: _Row, exchange: Exchange) -> Contract | None:
    """What the line is about in the dialect's terms; None where these have no word for it."""
    if not lists_contracts(exchange):
        is_share = row.instrument_type == Kind.EQ and bool(row.tradingsymbol)
        return Contract(base=row.tradingsymbol, kind=Kind.EQ) if is_share else None
    if row.instrument_type not in _CONTRACT_KINDS or not row.expiry:
        return None
    kind, expiry = Kind(row.instrument_type), date.fromisoformat(row.expiry)
    strike = _number(row.strike) if kind.is_option else Decimal(0)
    if kind.is_option and not strike:
        return None
    base = row.name or _base(row.tradingsymbol, kind, expiry, strike)
    return Contract(base=base, kind=kind, expiry=expiry, strike=strike) if is_base(base) else None


def _base(tradingsymbol: str, kind: Kind, expiry: date, strike: Decimal) -> str:
    """What a trading symbol begins with, where its end says what the line says; empty where it does not.

    Older files leave the name out. ``NIFTY26DEC26000CE`` ends with the month, ``NIFTY26D0126000CE`` with the day.
    """
    year = f"{expiry.year % 100:02d}"
    terms = f"{strike_text(strike)}{kind}" if kind.is_option else f"{kind}"
    month = f"{year}{MONTHS[expiry.month - 1]}{terms}"
    day = f"{year}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry.day:02d}{terms}"
    return next((tradingsymbol.removesuffix(end) for end in (month, day) if tradingsymbol.endswith(end)), "")


def _token(row: _Row) -> str:
    if not row.instrument_token.isdecimal():
        raise ValueError(f"{row.instrument_token!r} is no token")
    return row.instrument_token


@lru_cache(maxsize=4096)
def _number(text: str) -> Decimal:
    """A number as we write it: 0.05 for 0.0500. Raises ValueError."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None
    if not number.is_finite() or not 0 <= number < _LARGEST_NUMBER:
        raise ValueError(f"{text} is out of range")
    return Decimal(strike_text(number))
