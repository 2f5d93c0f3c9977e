"""What asks when exchanges trade (contract 2.10): requests, then their answers."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import day

_FIRST_YEAR, _LAST_YEAR = 2020, 2050
_YEAR = re.compile(r"[0-9]{4}(\.0{1,8})?")
_YEAR_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": _FIRST_YEAR, "maximum": _LAST_YEAR},
        {"type": "string", "pattern": rf"^\s*{_YEAR.pattern}\s*$"},
    ],
    "examples": [2026],
}
_DAY_SCHEMA = {"type": "string", "pattern": r"^\s*20[2-5][0-9]-[0-9]{1,2}-[0-9]{1,2}\s*$", "examples": ["2026-11-20"]}


def _year(value: Any) -> int:
    text = str(value).strip() if isinstance(value, str | int | Decimal) else ""
    if not _YEAR.fullmatch(text):
        raise ValueError("Not a valid integer.")
    year = int(text[:4])
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"Must be greater than or equal to {_FIRST_YEAR} and less than or equal to {_LAST_YEAR}.")
    return year


def _listed_day(value: Any) -> date:
    try:
        asked = day(value)
    except ValueError as error:
        raise ValueError("Invalid date format. Use YYYY-MM-DD") from error
    if not _FIRST_YEAR <= asked.year <= _LAST_YEAR:
        raise ValueError(f"Must be between {_FIRST_YEAR}-01-01 and {_LAST_YEAR}-12-31.")
    return asked


class HolidaysOfYear(ApiModel):
    """``POST /market/holidays`` (contract 2.10.1)."""

    year: Annotated[int, BeforeValidator(_year), WithJsonSchema(_YEAR_SCHEMA)] | None = Field(
        default=None, description="This year, where it is left out."
    )


class TimingsOfDay(ApiModel):
    """``POST /market/timings`` (contract 2.10.2)."""

    day: Annotated[date, BeforeValidator(_listed_day), WithJsonSchema(_DAY_SCHEMA)] = Field(
        alias="date", description="The day in India."
    )


class Trading(TypedDict):
    """When an exchange trades, in epoch milliseconds."""

    exchange: str
    start_time: int
    end_time: int


class HolidayRow(TypedDict):
    """A day that is not as others: who is closed, and who trades all the same."""

    date: str
    description: str
    holiday_type: Literal["TRADING_HOLIDAY", "SETTLEMENT_HOLIDAY", "SPECIAL_SESSION"]
    closed_exchanges: list[str]
    open_exchanges: list[Trading]


class HolidaysAnswer(TypedDict):
    """The days of a year, by date. Empty for a year that the bridge has no list of."""

    status: Literal["success"]
    data: list[HolidayRow]
    timezone: Literal["Asia/Kolkata"]
    year: int


class TimingsAnswer(TypedDict):
    """Who trades on a day. Empty when nobody does."""

    status: Literal["success"]
    data: list[Trading]
