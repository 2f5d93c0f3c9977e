"""Endpoints of the market calendar (contract 2.10). They need a key like all others (contract 5.3 item 41)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.calendar import HolidaysOfYear, TimingsOfDay
from openalgo_bridge.clock import day_in_india, to_ms
from openalgo_bridge.model.calendar import Holiday, Session


def holidays(call: Call) -> Json:
    """``POST /market/holidays``: empty for a year that the bridge has no list of"""
    asked = call.parsed(HolidaysOfYear)
    year = asked.year or day_in_india(call.desk.clock.now()).year
    listed = call.desk.store.calendar.load().holidays(year)
    return {"status": "success", "data": list(map(_holiday, listed)), "timezone": "Asia/Kolkata", "year": year}


def timings(call: Call) -> Json:
    """``POST /market/timings``"""
    day = call.parsed(TimingsOfDay).day
    return {"status": "success", "data": _trading(call.desk.store.calendar.load().timings(day))}


def _holiday(holiday: Holiday) -> Json:
    return {
        "date": holiday.day.isoformat(),
        "description": holiday.description,
        "holiday_type": holiday.type,
        "closed_exchanges": holiday.closed,
        "open_exchanges": _trading(holiday.open),
    }


def _trading(sessions: Iterable[Session]) -> Sequence[Json]:
    return [
        {"exchange": each.exchange, "start_time": to_ms(each.opens), "end_time": to_ms(each.closes)}
        for each in sessions
    ]
