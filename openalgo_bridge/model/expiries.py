"""When contracts expire, by the exchanges' rules (callers 5.1). Pure.

A rule names a day; where that is no trading day the contract expires on the trading day before. Two months that
shift onto one day give one expiry. In a year whose holidays nobody knows the weekday decides, as the calendar does.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice

from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.order import Exchange

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """The last Tuesday of the month, or another weekday: index and stock derivatives."""

    weekday: int

    def of_month(self, first: date) -> date:
        """The day it names in the month that begins with ``first``."""
        end = _month_end(first)
        return end - _DAY * ((end.weekday() - self.weekday) % 7)


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    """That day of the month, or its last one where it is shorter: commodities and currencies."""

    number: int

    def of_month(self, first: date) -> date:
        """The day it names in the month that begins with ``first``."""
        return first.replace(day=min(self.number, _month_end(first).day))


MonthlyRule = LastWeekday | DayOfMonth
MONTH_END = DayOfMonth(31)


def weekly(weekday: int, exchange: Exchange, calendar: Calendar, *, today: date) -> Iterator[date]:
    """The expiries of weekly contracts, ``today`` or later, nearest first, without end."""
    first = today + _DAY * ((weekday - today.weekday()) % 7)
    days = (calendar.trading_day_until(exchange, first + _WEEK * week) for week in count())
    return _from_on(days, today)


def monthly(
    rule: MonthlyRule,
    exchange: Exchange,
    calendar: Calendar,
    *,
    today: date,
    months: frozenset[int] | None = None,
    days_before: int = 0,
) -> Iterator[date]:
    """The expiries of monthly contracts, ``today`` or later, nearest first, without end.

    ``months`` are those that have a contract (None: all), ``days_before`` how many trading days before the day of the
    rule it expires: an option on a commodity ends before its future.
    """
    firsts = (_first_of_month(today, ahead) for ahead in count())
    days = (
        trading_days_before(calendar, exchange, calendar.trading_day_until(exchange, rule.of_month(first)), days_before)
        for first in firsts
        if months is None or first.month in months
    )
    return _from_on(days, today)


def trading_days_before(calendar: Calendar, exchange: Exchange, day: date, number: int) -> date:
    """The trading day that is ``number`` trading days before ``day``."""
    for _ in range(number):
        day = calendar.trading_day_until(exchange, day - _DAY)
    return day


def nearest(*series: tuple[Iterator[date], int]) -> tuple[date, ...]:
    """The first so many of each series together, each day once, nearest first."""
    return tuple(sorted({day for days, number in series for day in islice(days, number)}))


def _from_on(days: Iterator[date], today: date) -> Iterator[date]:
    previous = None
    for day in days:
        if day >= today and day != previous:
            yield day
        previous = day


def _first_of_month(today: date, ahead: int) -> date:
    years, month = divmod(today.month - 1 + ahead, 12)
    return date(today.year + years, month + 1, 1)


def _month_end(first: date) -> date:
    return first.replace(day=monthrange(first.year, first.month)[1])
