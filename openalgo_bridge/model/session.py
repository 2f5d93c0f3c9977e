"""When the trading session of an exchange ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from openalgo_bridge.model.calendar import IST, LONGEST_CLOSURE, Calendar
from openalgo_bridge.model.order import Exchange


def session_end(calendar: Calendar, exchange: Exchange | None, now: datetime, at_least: timedelta) -> datetime:
    """The end of the session that is on or comes next, or ``at_least`` from ``now`` on where that is later.

    Where no exchange is named, MCX counts: of those with a session it closes last.

    On a holiday and after the close that is the next trading day's: what waits for it can still be done then.
    """
    today = now.astimezone(IST).date()
    for ahead in range(LONGEST_CLOSURE.days):
        for session in calendar.sessions(exchange or Exchange.MCX, today + timedelta(days=ahead)):
            if session.closes > now:
                return max(session.closes.astimezone(now.tzinfo), now + at_least)
    return now + at_least
