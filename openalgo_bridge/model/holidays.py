"""The lists of holidays that come with the bridge, by the exchanges' circulars. A further year is a further list.

Shares and their derivatives: NSE/CMTR/71775, NSE/FAOP/71777, for 15 January 72260 and 72262, for the Sunday of the
budget 72349 and 72352. Currency: NSE/CD/71962 and 72233. Commodities: NSE/COM/71784, read with BSE 20251215-5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time

from openalgo_bridge.model.calendar import Calendar, SpecialDay
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours, commodities_close

_SHARES = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)
_CURRENCY = (Exchange.CDS, Exchange.BCD)
_COMMODITIES = (Exchange.MCX, Exchange.NCO)

_EVENING = time(17, 0)
_MORNING = Hours(opens=time(9, 0), closes=_EVENING)
_MUHURAT = Hours(opens=time(18, 15), closes=time(19, 15))

_CLOSED_ALL_DAY = (
    (date(2026, 1, 26), "Republic Day"),
    (date(2026, 4, 3), "Good Friday"),
    (date(2026, 10, 2), "Mahatma Gandhi Jayanti"),
    (date(2026, 12, 25), "Christmas"),
)
# Metals and energy trade in the evening.
_CLOSED_UNTIL_EVENING = (
    (date(2026, 1, 15), "Municipal elections in Maharashtra"),
    (date(2026, 3, 3), "Holi"),
    (date(2026, 3, 26), "Shri Ram Navami"),
    (date(2026, 3, 31), "Shri Mahavir Jayanti"),
    (date(2026, 4, 14), "Dr. Baba Saheb Ambedkar Jayanti"),
    (date(2026, 5, 1), "Maharashtra Day"),
    (date(2026, 5, 28), "Bakri Id"),
    (date(2026, 6, 26), "Muharram"),
    (date(2026, 9, 14), "Ganesh Chaturthi"),
    (date(2026, 10, 20), "Dussehra"),
    (date(2026, 11, 10), "Diwali Balipratipada"),
    (date(2026, 11, 24), "Guru Nanak Jayanti"),
)
_BANKS_CLOSED = (
    (date(2026, 2, 19), "Chhatrapati Shivaji Maharaj Jayanti"),
    (date(2026, 3, 19), "Gudi Padwa"),
    (date(2026, 4, 1), "Annual closing of the banks"),
    (date(2026, 8, 26), "Id-E-Milad"),
)


def _list_of_2026() -> Iterator[SpecialDay]:
    for day, name in _CLOSED_ALL_DAY:
        yield from _on(day, name, (*_SHARES, *_CURRENCY, *_COMMODITIES, Exchange.NCDEX), None)
    for day, name in _CLOSED_UNTIL_EVENING:
        yield from _on(day, name, (*_SHARES, *_CURRENCY, Exchange.NCDEX), None)
        yield from _on(day, name, _COMMODITIES, Hours(opens=_EVENING, closes=commodities_close(day)))
    for day, name in _BANKS_CLOSED:
        yield from _on(day, name, _CURRENCY, None)
    yield from _on(date(2026, 1, 1), "New Year, no evening session", _COMMODITIES, _MORNING)
    budget = date(2026, 2, 1)
    yield from _on(budget, "Union Budget", _SHARES, Hours(opens=time(9, 15), closes=time(15, 30)))
    yield from _on(budget, "Union Budget", _COMMODITIES, _MORNING)
    yield from _on(budget, "Union Budget", (Exchange.NCDEX,), Hours(opens=time(10, 0), closes=_EVENING))
    yield from _on(date(2026, 11, 8), "Muhurat trading", (*_SHARES, *_CURRENCY, *_COMMODITIES), _MUHURAT)


def _on(day: date, description: str, exchanges: tuple[Exchange, ...], hours: Hours | None) -> Iterator[SpecialDay]:
    return (SpecialDay(day=day, exchange=exchange, description=description, hours=hours) for exchange in exchanges)


SHIPPED = Calendar.of(_list_of_2026(), years={2026})
"""As it comes, without what the trader changed."""
