"""How money, times and durations are written on the pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from openalgo_bridge.clock import IST, day_in_india
from openalgo_bridge.model import figures

_MINUS = "\N{MINUS SIGN}"


def money(amount: Decimal) -> str:
    """A price with Indian grouping, such as ``1,23,456.70``: two decimals, up to four where the price has them."""
    return figures.rupees(round(amount, 4)).replace("-", _MINUS)


def rupees(amount: Decimal) -> str:
    """An amount of money to the paisa, with the sign of the rupee."""
    text = money(round(amount, 2))
    return f"{_MINUS}₹{text[1:]}" if text.startswith(_MINUS) else f"₹{text}"


def percent(share: Decimal) -> str:
    """``+1.25 %``: a change always shows which way it went."""
    rounded = round(share, 2)
    sign = _MINUS if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{abs(rounded):.2f} %"


def count(number: int) -> str:
    """A whole number with Indian grouping."""
    return figures.count(number).replace("-", _MINUS)


def ist(moment: datetime) -> str:
    """``21 Nov 2026 10:30:00`` in IST."""
    return moment.astimezone(IST).strftime("%d %b %Y %H:%M:%S")


def ist_time(moment: datetime) -> str:
    """``10:30:00`` in IST, where the day stands elsewhere."""
    return moment.astimezone(IST).strftime("%H:%M:%S")


def ist_time_on(moment: datetime, of: date) -> str:
    """``10:30:00`` in IST, with the day before it where that is another one than the list is ``of``."""
    return ist_time(moment) if day_in_india(moment) == of else ist(moment)


def day(of: date) -> str:
    """``21 Nov 2026``."""
    return of.strftime("%d %b %Y")


def ist_ms(moment: datetime) -> str:
    """``21 Nov 10:30:00.123`` in IST, for the traffic log."""
    local = moment.astimezone(IST)
    return f"{local:%d %b %H:%M:%S}.{local.microsecond // 1000:03d}"


def utc(moment: datetime) -> str:
    """The same moment in UTC, for the title of what :func:`ist` shows."""
    local = moment.astimezone(UTC)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} UTC"


def duration(span: timedelta) -> str:
    """``4 min 05 s``; never below zero."""
    seconds = max(0, int(span.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def response_time(milliseconds: float) -> str:
    """``0.42 ms``, ``12.3 ms``, ``1.20 s``."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.2f} s"
    return f"{milliseconds:.1f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"


FILTERS = {
    "money": money,
    "rupees": rupees,
    "percent": percent,
    "count": count,
    "ist": ist,
    "ist_time": ist_time,
    "ist_time_on": ist_time_on,
    "day": day,
    "ist_ms": ist_ms,
    "utc": utc,
    "duration": duration,
    "response_time": response_time,
}
"""The Jinja filters, by name."""
