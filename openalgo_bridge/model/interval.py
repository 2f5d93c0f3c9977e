"""How long a bar is. Pure."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum

_UNITS = {"s": 1, "m": 60, "h": 3_600}


class Interval(StrEnum):
    """The dialect's words, shortest first (contract 1.6)."""

    S1 = "1s"
    S5 = "5s"
    S10 = "10s"
    S15 = "15s"
    S30 = "30s"
    S45 = "45s"
    M1 = "1m"
    M2 = "2m"
    M3 = "3m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M20 = "20m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H3 = "3h"
    H4 = "4h"
    DAY = "D"
    WEEK = "W"
    MONTH = "M"
    QUARTER = "Q"
    YEAR = "Y"

    @property
    def is_calendar(self) -> bool:
        """True for days and longer, which are counted on the calendar."""
        return self.value[-1] not in _UNITS

    @property
    def seconds(self) -> int:
        """The length of a bar within a day. Raises ValueError for days and longer."""
        if self.is_calendar:
            raise ValueError(f"A bar of {self} has no fixed length.")
        return int(self.value[:-1]) * _UNITS[self.value[-1]]

    def period(self, day: date) -> date:
        """The first day of the week (Monday), month, quarter or year that ``day`` is in; for shorter ones ``day``."""
        match self:
            case Interval.WEEK:
                return day - timedelta(days=day.weekday())
            case Interval.MONTH:
                return day.replace(day=1)
            case Interval.QUARTER:
                return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            case Interval.YEAR:
                return day.replace(month=1, day=1)
        return day

    def period_end(self, day: date) -> date:
        """The last day of what :meth:`period` begins."""
        if self is Interval.WEEK:
            return day + min(timedelta(days=6 - day.weekday()), date.max - day)
        months = {Interval.MONTH: 1, Interval.QUARTER: 3, Interval.YEAR: 12}.get(self)
        if months is None:
            return day
        first = self.period(day)
        last_month = first.month + months - 1
        return first.replace(month=last_month, day=monthrange(first.year, last_month)[1])
