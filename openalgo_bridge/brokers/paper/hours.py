"""When the exchange takes orders, where the trader wants the hours of the real one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from openalgo_bridge.brokers.paper.days import Schedule
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.model.calendar import LONGEST_CLOSURE, Calendar, Session
from openalgo_bridge.model.order import Exchange, OrderRequest, Product

_SECOND = timedelta(seconds=1)


def why_closed(calendar: Calendar, exchange: Exchange, now: datetime, *, has_derivatives: bool = False) -> str:
    """Why no order can be placed or changed at that moment, and when one can; empty while the exchange trades.

    A share with derivatives is closed from where its closing auction begins. In a year that the calendar does not know,
    every weekday counts as a trading day.
    """
    sessions = calendar.sessions(exchange, day_in_india(now), has_derivatives=has_derivatives)
    if any(session.opens <= now < session.closes for session in sessions):
        return ""
    session = _next_session(calendar, exchange, now, has_derivatives=has_derivatives)
    if session is None:
        return f"{exchange} is closed."
    opens, closes = session.opens, session.closes
    return f"{exchange} is closed. It trades next on {opens:%d %b %Y} from {opens:%H:%M} to {closes:%H:%M} IST."


def open_stretches(
    calendar: Calendar, exchange: Exchange, since: datetime, until: datetime, *, has_derivatives: bool = False
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a stretch in which the exchange trades, from first to last second."""
    day, last = day_in_india(since), day_in_india(until)
    while day <= last:
        for session in calendar.sessions(exchange, day, has_derivatives=has_derivatives):
            begin, end = max(since, session.opens), min(until, session.closes - _SECOND)
            if begin <= end:
                yield begin, end
        day += timedelta(days=1)


def why_not_opened(schedule: Schedule, request: OrderRequest, now: datetime) -> str:
    """Why an order may only make a position smaller: intraday ones of that day are closed already. Else empty."""
    closed_at = schedule.squares_off_at(request.exchange, day_in_india(now))
    if request.product is not Product.MIS or closed_at is None or now < closed_at:
        return ""
    return (
        f"Intraday positions on {request.exchange} were closed at {closed_at:%H:%M} IST. "
        "Until the next session an MIS order can only make one smaller."
    )


def _next_session(calendar: Calendar, exchange: Exchange, now: datetime, *, has_derivatives: bool) -> Session | None:
    today = day_in_india(now)
    days = (today + timedelta(days=ahead) for ahead in range(LONGEST_CLOSURE.days))
    sessions = (
        session for day in days for session in calendar.sessions(exchange, day, has_derivatives=has_derivatives)
    )
    return next((session for session in sessions if session.opens > now), None)
