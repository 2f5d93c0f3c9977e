"""The hours of an ordinary trading day, by exchange and date: exchanges change them with notice. Pure.

And when, on its last day, a contract expires; and when a day of the books begins and ends.

Shares trade from 09:15 to 15:30. Those with derivatives stop for the closing auction, from 2026-08-03 on at 15:15 and
from 2026-12-07 on at 15:30 (NSE/CMTR/74466, SEBI of 2026-10-15): what is told of an exchange as a whole is without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from openalgo_bridge.model.order import Exchange

IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has no daylight saving time."""

# The books of a day begin at 03:00 IST (contract 2.3.2).
_BOOKS_BEGIN = timedelta(hours=3)

_NEW_YORK = ZoneInfo("America/New_York")
_NOON = time(12, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From when to when an exchange trades on a day, in IST."""

    opens: time
    closes: time


_SHARES = Hours(opens=time(9, 15), closes=time(15, 30))
_CURRENCY = Hours(opens=time(9, 0), closes=time(17, 0))
_FARM_GOODS = Hours(opens=time(10, 0), closes=time(17, 0))
_ALWAYS = Hours(opens=time.min, closes=time(23, 59))

_COMMODITIES_OPEN = time(9, 0)
_COMMODITIES_CLOSE = time(23, 30)
_COMMODITIES_CLOSE_IN_WINTER = time(23, 55)

_AUCTION_AFTER_THE_CLOSE = date(2026, 12, 7)
_AUCTION_BEFORE_THE_CLOSE = date(2026, 8, 3)
# The continuous trading of shares with derivatives ends where their closing auction begins.
_SHARES_WITH_DERIVATIVES_CLOSE = (
    (_AUCTION_AFTER_THE_CLOSE, time(15, 30)),
    (_AUCTION_BEFORE_THE_CLOSE, time(15, 15)),
    (date.min, time(15, 30)),
)
# NSE/FAOP/74467 and SEBI of 2026-10-15: the last minutes follow the closing auction of the shares.
_DERIVATIVES_CLOSE = (
    (_AUCTION_AFTER_THE_CLOSE, time(15, 45)),
    (_AUCTION_BEFORE_THE_CLOSE, time(15, 40)),
    (date.min, time(15, 30)),
)

_HOURS = {
    Exchange.NSE: _SHARES,
    Exchange.BSE: _SHARES,
    Exchange.CDS: _CURRENCY,
    Exchange.BCD: _CURRENCY,
    Exchange.NCDEX: _FARM_GOODS,
    Exchange.CRYPTO: _ALWAYS,
    Exchange.GLOBAL_INDEX: _ALWAYS,
}
# Before the exchange closes (contract 2.5.3).
_USUAL_EXPIRY = time(15, 30)
_EXPIRY = {
    Exchange.MCX: time(23, 30),
    Exchange.NCO: time(23, 30),
    Exchange.NCDEX: time(17, 0),
    Exchange.CDS: time(12, 30),
    Exchange.BCD: time(12, 30),
}

_TRADES_AS = {
    Exchange.NSE_INDEX: Exchange.NSE,
    Exchange.BSE_INDEX: Exchange.BSE,
    Exchange.MCX_INDEX: Exchange.MCX,
}


def trading_venue(exchange: Exchange) -> Exchange:
    """The exchange whose hours and holidays count: an index moves while its exchange trades."""
    return _TRADES_AS.get(exchange, exchange)


def hours_on(exchange: Exchange, day: date, *, has_derivatives: bool = False) -> Hours:
    """The hours of an ordinary trading day at that date; whether it is one is the calendar's to say.

    ``has_derivatives``: those of a share on which there are futures and options, up to its closing auction.
    """
    venue = trading_venue(exchange)
    if venue in {Exchange.NFO, Exchange.BFO}:
        return Hours(opens=_SHARES.opens, closes=_since(_DERIVATIVES_CLOSE, day))
    if has_derivatives and venue in {Exchange.NSE, Exchange.BSE}:
        return Hours(opens=_SHARES.opens, closes=_since(_SHARES_WITH_DERIVATIVES_CLOSE, day))
    if venue in {Exchange.MCX, Exchange.NCO}:
        return Hours(opens=_COMMODITIES_OPEN, closes=commodities_close(day))
    return _HOURS[venue]


def trading_day(now: datetime) -> date:
    """The day whose books ``now`` belongs to."""
    return (now.astimezone(IST) - _BOOKS_BEGIN).date()


def day_begin(day: date) -> datetime:
    """The first moment of a trading day's books: the end of those of the day before."""
    return datetime.combine(day, time(), IST) + _BOOKS_BEGIN


def expiry_time(exchange: Exchange) -> time:
    """The time of day in India at which contracts of an exchange expire."""
    return _EXPIRY.get(exchange, _USUAL_EXPIRY)


def expires(exchange: Exchange, expiry: date, at: time | None = None) -> datetime:
    """The aware moment at which a contract expires; ``at`` is another time of day in India than the exchange's."""
    return datetime.combine(expiry, at or expiry_time(exchange), tzinfo=IST)


def next_expiry_day(exchange: Exchange, now: datetime) -> date:
    """The first day in India whose contracts have not expired at that moment."""
    today = now.astimezone(IST).date()
    return today if now < expires(exchange, today) else today + timedelta(days=1)


def last_close(exchange: Exchange, expiry: date, *, is_on_index: bool = False) -> datetime:
    """When the exchange closes for a contract on the day on which it expires: at its expiry, or some minutes later.

    Those on an index stop as they expire since the other contracts go on until 15:45 (callers 5.1).
    """
    closes = max(expiry_time(exchange), hours_on(exchange, expiry).closes)
    if is_on_index and expiry >= _AUCTION_AFTER_THE_CLOSE:
        closes = expiry_time(exchange)
    return datetime.combine(expiry, closes, tzinfo=IST)


def _since(closings: Sequence[tuple[date, time]], day: date) -> time:
    """Of closings by the day from which on they count, latest first, that of ``day``."""
    return next(closes for since, closes in closings if day >= since)


def commodities_close(day: date) -> time:
    """When MCX and the commodities of NSE close: with New York, so by its daylight saving time (NSE/COM/76446)."""
    is_summer = datetime.combine(day, _NOON, tzinfo=_NEW_YORK).dst()
    return _COMMODITIES_CLOSE if is_summer else _COMMODITIES_CLOSE_IN_WINTER
