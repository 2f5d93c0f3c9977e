"""The dialect's names of instruments, both ways (contract 1.9).

On the exchanges for shares, and of an index, the symbol is the name. A contract is named by base, expiry and terms:
``NIFTY30JAN25FUT``, ``VEDL24APR25292.5CE``. Because a day and a year have two digits each, and no letter follows the
month but those of the kind, such a text can be read in one way only, whatever the base looks like; and because only
the plainest form of a strike is taken, a contract has one name only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument import DERIVATIVES, Kind
from openalgo_bridge.model.order import Exchange

SYMBOL_PATTERN = r"[A-Z0-9&._:\-]{1,40}"
"""What a request can name."""

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_CENTURY = 2000
_BASE = r"[A-Z0-9&][A-Z0-9&._-]*"
_DATE = rf"(?P<day>[0-9]{{2}})(?P<month>{'|'.join(MONTHS)})(?P<year>[0-9]{{2}})"
# No leading zeros, no trailing ones after a point: 83.5 and 83.50 would be two names of one contract.
_STRIKE = r"(?P<strike>0(?=\.)|[1-9][0-9]*)(?P<part>\.[0-9]*[1-9])?"
_CONTRACT = re.compile(rf"(?P<base>{_BASE}){_DATE}(?:FUT|{_STRIKE}(?P<kind>CE|PE))")
_UNDERLYING = re.compile(rf"(?P<base>{_BASE}){_DATE}(?:FUT)?")
_PLAIN_BASE = re.compile(_BASE)
_SYMBOL = re.compile(SYMBOL_PATTERN)
_PLAIN_DATE = re.compile(_DATE)

_DERIVATIVES_OF = {
    Exchange.NSE: Exchange.NFO,
    Exchange.NSE_INDEX: Exchange.NFO,
    Exchange.BSE: Exchange.BFO,
    Exchange.BSE_INDEX: Exchange.BFO,
    Exchange.MCX_INDEX: Exchange.MCX,
}
_CONTRACT_EXCHANGES = {
    Exchange.NFO,
    Exchange.BFO,
    Exchange.CDS,
    Exchange.BCD,
    Exchange.MCX,
    Exchange.NCDEX,
    Exchange.NCO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a symbol says. ``expiry`` is None, and ``strike`` (in rupees) 0, where there is none.

    Anything but a derivative is of kind EQ or, on the exchanges for them, INDEX.
    """

    base: str
    kind: Kind
    expiry: date | None = None
    strike: Decimal = Decimal(0)


def derivative_exchange(exchange: Exchange) -> Exchange:
    """Where the futures and options on what is quoted on ``exchange`` are traded (contract 2.5.1)."""
    return _DERIVATIVES_OF.get(exchange, exchange)


def lists_contracts(exchange: Exchange) -> bool:
    """True where every symbol names a future or an option."""
    return exchange in _CONTRACT_EXCHANGES


def parse(symbol: str, exchange: Exchange) -> Contract:
    """What ``symbol`` names on ``exchange``; :func:`symbol_of` gives exactly the same text back. Raises Invalid."""
    if not lists_contracts(exchange):
        return Contract(base=symbol, kind=Kind.INDEX if exchange.endswith("_INDEX") else Kind.EQ)
    found = _CONTRACT.fullmatch(symbol)
    expiry = None if found is None else _date(found)
    if found is None or expiry is None:
        raise _unreadable(symbol, exchange)
    if found["kind"] is None:
        return Contract(base=found["base"], kind=Kind.FUT, expiry=expiry)
    strike = Decimal(found["strike"] + (found["part"] or ""))
    return Contract(base=found["base"], kind=Kind(found["kind"]), expiry=expiry, strike=strike)


def symbol_of(contract: Contract) -> str:
    """The dialect's name of a contract. Raises Invalid for one that has none, such as an option without a strike."""
    if contract.kind not in DERIVATIVES:
        return contract.base
    if contract.expiry is None or not is_base(contract.base):
        raise Invalid(f"{contract.base} without an expiry, or with signs that no symbol has, is no contract.")
    named = f"{contract.base}{compact_date(contract.expiry)}"
    if contract.kind is Kind.FUT:
        return f"{named}FUT"
    if not contract.strike.is_finite() or contract.strike <= 0:
        raise Invalid(f"{contract.base}: an option needs a strike above 0.")
    return f"{named}{strike_text(contract.strike)}{contract.kind}"


def split_underlying(text: str) -> tuple[str, date | None]:
    """An underlying as options requests name it: with or without an expiry and FUT at its end.

    ``NIFTY28OCT25FUT`` and ``NIFTY28OCT25`` are NIFTY and 28 October 2025, ``NIFTY`` is NIFTY and None.
    """
    found = _UNDERLYING.fullmatch(text)
    expiry = None if found is None else _date(found)
    return (text, None) if found is None or expiry is None else (found["base"], expiry)


def is_base(text: str) -> bool:
    """Whether a contract may be named after it: capitals, digits and ``& . _ -``."""
    return _PLAIN_BASE.fullmatch(text) is not None


def is_symbol(text: str) -> bool:
    """Whether a request can name it: capitals, digits and ``& . _ : -``, at most 40."""
    return _SYMBOL.fullmatch(text) is not None


def strike_text(strike: Decimal) -> str:
    """A strike as symbols and answers write it: no exponent, no zeros after a point."""
    text = f"{strike:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_date(text: str) -> date:
    """The day of a ``28OCT25``, the form of requests, in any case. Raises Invalid."""
    found = _PLAIN_DATE.fullmatch(text.upper())
    day = None if found is None else _date(found)
    if day is None:
        raise Invalid(f"{text} is not a date in the form DDMMMYY, such as 28OCT25.")
    return day


@lru_cache(maxsize=256)
def compact_date(day: date) -> str:
    """``28OCT25``: in symbols and requests."""
    return f"{day.day:02d}{_month(day)}{_year(day):02d}"


def dashed_date(day: date) -> str:
    """``28-OCT-25``: in symbol rows and the answers of expiry."""
    return f"{day.day:02d}-{_month(day)}-{_year(day):02d}"


def long_date(day: date) -> str:
    """``28-Oct-2025``: in the answers of the greeks, and in our sentences."""
    return f"{day.day:02d}-{_month(day).capitalize()}-{day.year}"


def _month(day: date) -> str:
    # Not strftime: its month names follow the locale.
    return MONTHS[day.month - 1]


def _year(day: date) -> int:
    if not 0 <= day.year - _CENTURY < 100:
        raise Invalid(f"{day.isoformat()} is not of this century: a symbol has two digits for the year.")
    return day.year - _CENTURY


def _date(found: re.Match[str]) -> date | None:
    """The day of a match of ``_DATE``; None where the calendar has no such day."""
    try:
        return date(_CENTURY + int(found["year"]), MONTHS.index(found["month"]) + 1, int(found["day"]))
    except ValueError:
        return None


def _unreadable(symbol: str, exchange: Exchange) -> Invalid:
    return Invalid(
        f"{symbol} names no contract of {exchange}. Futures are named like NIFTY30JAN25FUT, options like "
        "NIFTY30JAN2521500CE: base, day, month, year and, of an option, the strike without needless zeros."
    )
