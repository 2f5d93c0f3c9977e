"""When exchanges trade: weekends, holidays and special sessions. It warns and explains; it never blocks an order.

Where nobody gave us the holidays of a year, the weekday decides, and :meth:`Calendar.knows` says that it is a guess.
All days and times of the day are India's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby

from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import IST, Hours, hours_on, trading_venue

__all__ = [
    "IST",
    "LISTED",
    "LONGEST_CLOSURE",
    "Calendar",
    "DayAndExchange",
    "Holiday",
    "HolidayType",
    "Hours",
    "Session",
    "SpecialDay",
]

WITH_HOLIDAYS = (
    Exchange.NSE,
    Exchange.BSE,
    Exchange.NFO,
    Exchange.BFO,
    Exchange.CDS,
    Exchange.BCD,
    Exchange.MCX,
    Exchange.NCO,
    Exchange.NCDEX,
    Exchange.CRYPTO,
)
"""The exchanges that have special days of their own, in the order in which a line names them (contract 2.10.1)."""

LISTED = (
    Exchange.NSE,
    Exchange.BSE,
    Exchange.NFO,
    Exchange.BFO,
    Exchange.MCX,
    Exchange.BCD,
    Exchange.CDS,
    Exchange.NCO,
    Exchange.CRYPTO,
)
"""The exchanges that the timings of a day name, in the dialect's order (contract 2.10.2)."""

_SATURDAY = 5
_SHARES = {Exchange.NSE, Exchange.BSE}
_BANKS = {Exchange.CDS, Exchange.BCD}
LONGEST_CLOSURE = timedelta(days=30)
"""No exchange was ever closed for longer; where one seems to be, nobody looks further."""

DayAndExchange = tuple[date, Exchange]


class HolidayType(StrEnum):
    """The dialect's word for a day that is not as others (contract 2.10.1)."""

    TRADING_HOLIDAY = "TRADING_HOLIDAY"
    SETTLEMENT_HOLIDAY = "SETTLEMENT_HOLIDAY"
    SPECIAL_SESSION = "SPECIAL_SESSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stretch of trading. Both ends are aware, in IST."""

    exchange: Exchange
    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDay:
    """A day on which an exchange is closed (``hours`` is None) or trades at other hours than usual."""

    day: date
    exchange: Exchange
    description: str
    hours: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """One line of a year's list: what is closed for that reason, and what trades all the same."""

    day: date
    description: str
    type: HolidayType
    closed: tuple[Exchange, ...]
    open: tuple[Session, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The special days, and the years whose lists are complete."""

    special_days: Mapping[DayAndExchange, SpecialDay]
    years: frozenset[int]

    @classmethod
    def of(cls, days: Iterable[SpecialDay], years: Iterable[int]) -> Calendar:
        """From a list; of two entries for one day and exchange the later one counts."""
        return cls(special_days={(each.day, each.exchange): each for each in days}, years=frozenset(years))

    def changed(self, *, days: Iterable[SpecialDay], ordinary: Set[DayAndExchange], years: Iterable[int]) -> Calendar:
        """With other entries for ``days``, none for those that are ``ordinary`` after all, and further ``years``."""
        kept = [each for name, each in self.special_days.items() if name not in ordinary]
        return Calendar.of([*kept, *days], self.years.union(years))

    def is_trading_day(self, exchange: Exchange, day: date) -> bool:
        """Whether the exchange trades at all on that day; where the year is unknown, whether it is no weekend."""
        return self._hours(exchange, day) is not None

    def settles_on(self, exchange: Exchange, day: date) -> bool:
        """Whether what was traded there is delivered and paid on that day: a weekday on which the banks work too."""
        is_bank_holiday = any(self._is_closed(each, day) for each in _BANKS)
        return day.weekday() < _SATURDAY and self.is_trading_day(exchange, day) and not is_bank_holiday

    def sessions(self, exchange: Exchange, day: date, *, has_derivatives: bool = False) -> tuple[Session, ...]:
        """When the exchange trades on that day; empty when it does not. ``has_derivatives``: see :func:`hours_on`."""
        hours = self._hours(exchange, day, has_derivatives=has_derivatives)
        return () if hours is None else (_session(exchange, day, hours),)

    def is_open(self, exchange: Exchange, moment: datetime) -> bool:
        """Whether the exchange trades at an aware moment. At the moment it closes it does not."""
        day = moment.astimezone(IST).date()
        return any(each.opens <= moment < each.closes for each in self.sessions(exchange, day))

    def knows(self, exchange: Exchange, day: date) -> bool:
        """Whether the list of that year is complete. Without one, a weekday is only supposed to be a trading day."""
        venue = trading_venue(exchange)
        return day.year in self.years or venue is Exchange.CRYPTO or (day, venue) in self.special_days

    def trading_day_until(self, exchange: Exchange, day: date) -> date:
        """That day, or the last trading day before it: where a contract expires whose day is a holiday."""
        for back in range(LONGEST_CLOSURE.days):
            earlier = day - timedelta(days=back)
            if self.is_trading_day(exchange, earlier):
                return earlier
        return day

    def remark(self, exchange: Exchange, day: date) -> str:
        """What the trader should know of that day, as a sentence; empty on an ordinary day of a known year."""
        special = self.special_days.get((day, trading_venue(exchange)))
        if special is not None:
            return f"{exchange} {_told(special)} on {day:%d %b %Y}: {special.description}."
        if not self.is_trading_day(exchange, day):
            return f"{exchange} does not trade on a {day:%A}."
        if not self.knows(exchange, day):
            return f"The holidays of {day.year} are not known. {exchange} may be closed on {day:%d %b %Y}."
        return ""

    def holidays(self, year: int) -> tuple[Holiday, ...]:
        """Every special day of a year, by date, in the shape of contract 2.10.1. Empty where none is known."""
        of_year = [each for each in self.special_days.values() if each.day.year == year]
        of_year.sort(key=lambda each: (each.day, each.description, WITH_HOLIDAYS.index(each.exchange)))
        lines = groupby(of_year, key=lambda each: (each.day, each.description))
        return tuple(_holiday(day, description, list(days)) for (day, description), days in lines)

    def timings(self, day: date) -> tuple[Session, ...]:
        """Who trades on a day, and when, in the shape of contract 2.10.2."""
        return tuple(session for exchange in LISTED for session in self.sessions(exchange, day))

    def _is_closed(self, exchange: Exchange, day: date) -> bool:
        special = self.special_days.get((day, exchange))
        return special is not None and special.hours is None

    def _hours(self, exchange: Exchange, day: date, *, has_derivatives: bool = False) -> Hours | None:
        venue = trading_venue(exchange)
        special = self.special_days.get((day, venue))
        if special is not None:
            return special.hours
        if day.weekday() >= _SATURDAY and venue is not Exchange.CRYPTO:
            return None
        return hours_on(venue, day, has_derivatives=has_derivatives)


def _session(exchange: Exchange, day: date, hours: Hours) -> Session:
    return Session(
        exchange=exchange,
        opens=datetime.combine(day, hours.opens, tzinfo=IST),
        closes=datetime.combine(day, hours.closes, tzinfo=IST),
    )


def _told(special: SpecialDay) -> str:
    if special.hours is None:
        return "is closed"
    return f"trades from {special.hours.opens:%H:%M} to {special.hours.closes:%H:%M} IST"


def _holiday(day: date, description: str, days: list[SpecialDay]) -> Holiday:
    closed = tuple(each.exchange for each in days if each.hours is None)
    return Holiday(
        day=day,
        description=description,
        type=_type(set(closed)),
        closed=closed,
        open=tuple(_session(each.exchange, day, each.hours) for each in days if each.hours is not None),
    )


def _type(closed: set[Exchange]) -> HolidayType:
    """On a day when only the banks rest, shares trade and are not settled."""
    if not closed:
        return HolidayType.SPECIAL_SESSION
    is_settlement = closed <= _BANKS and not closed & _SHARES
    return HolidayType.SETTLEMENT_HOLIDAY if is_settlement else HolidayType.TRADING_HOLIDAY
