"""What the trader types on the calendar page, and what it means. Every fault of a form is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, time
from typing import TypeVar

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.calendar import WITH_HOLIDAYS, DayAndExchange, SpecialDay
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours

FIRST_YEAR, LAST_YEAR = 2020, 2050
"""What may be asked of the calendar (contract 2.10)."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}")
_LONGEST = 60
_T = TypeVar("_T")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarForm:
    """The fields of "add a special day", as they are typed."""

    day: str = ""
    description: str = ""
    exchanges: tuple[str, ...] = ()
    opens: str = ""
    closes: str = ""


def parse(form: CalendarForm) -> tuple[SpecialDay, ...]:
    """An entry for each exchange: closed where no hours are typed. Raises Invalid naming every fault by field."""
    faults: dict[str, list[str]] = {}
    day = _read(faults, "day", form.day, parse_day)
    description = _read(faults, "description", form.description, _description)
    exchanges = _read(faults, "exchanges", form.exchanges, _exchanges)
    hours = _hours(faults, form)
    if day is None or description is None or exchanges is None or faults:
        raise Invalid.of(faults)
    return tuple(SpecialDay(day=day, exchange=each, description=description, hours=hours) for each in exchanges)


def parse_names(day: str, exchanges: Collection[str]) -> tuple[DayAndExchange, ...]:
    """The entries that a button names. Raises Invalid."""
    try:
        parsed = parse_day(day)
        return tuple((parsed, exchange) for exchange in _exchanges(exchanges))
    except ValueError as fault:
        raise Invalid(str(fault)) from fault


def parse_day(text: str) -> date:
    """Raises ValueError with the sentence for the person."""
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise ValueError("Type a date of the calendar, such as 2027-01-26.")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"The calendar goes from {FIRST_YEAR} to {LAST_YEAR}.")
    return day


def _read(faults: dict[str, list[str]], name: str, value: _V, of: Callable[[_V], _T]) -> _T | None:
    try:
        return of(value)
    except ValueError as fault:
        faults[name] = [str(fault)]
        return None


def _description(text: str) -> str:
    words = " ".join(text.split())
    if not 1 <= len(words) <= _LONGEST or not words.isprintable():
        raise ValueError(f"Say what day it is, in 1 to {_LONGEST} characters.")
    return words


def _exchanges(names: Collection[str]) -> tuple[Exchange, ...]:
    if not names or not set(names) <= set(WITH_HOLIDAYS):
        raise ValueError("Tick at least one of the exchanges.")
    return tuple(each for each in WITH_HOLIDAYS if each in names)


def _hours(faults: dict[str, list[str]], form: CalendarForm) -> Hours | None:
    """Both ends, or none for a day on which nothing trades."""
    typed = {"opens": form.opens.strip(), "closes": form.closes.strip()}
    if not any(typed.values()):
        return None
    missing = [name for name, text in typed.items() if not text]
    if missing:
        faults[missing[0]] = ["A session has two ends. Leave both empty for a day without trading."]
        return None
    opens, closes = (_read(faults, name, text, _time) for name, text in typed.items())
    if opens is None or closes is None:
        return None
    if opens >= closes:
        faults["closes"] = [f"A session closes after it opens: {closes:%H:%M} is not after {opens:%H:%M}."]
    return Hours(opens=opens, closes=closes)


def _time(text: str) -> time:
    try:
        if _TIME.fullmatch(text):
            return time.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("Must be a time of the day such as 18:15.")
