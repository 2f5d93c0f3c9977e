"""``/traffic/summary``: how much is called, how much of it fails, how long it takes, and who calls most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.clock import IST, day_in_india, midnight
from openalgo_bridge.store.traffic_summary import Minute, Summary
from openalgo_bridge.web.call_rates import call_rates
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.day_filter import member
from openalgo_bridge.web.traffic import is_masked

blueprint = Blueprint("traffic_summary", __name__)

_BUSIEST = 15
_DAYS = 7


class Span(StrEnum):
    """How far a summary goes back."""

    QUARTER = "15min"
    TODAY = "today"
    WEEK = "7days"


_LABELS = {Span.QUARTER: "15 minutes", Span.TODAY: "Today", Span.WEEK: "7 days"}
_STEPS = {
    Span.QUARTER: timedelta(minutes=1),
    Span.TODAY: timedelta(minutes=15),
    Span.WEEK: timedelta(hours=2),
}
_STEP_NAMES = {Span.QUARTER: "minute", Span.TODAY: "quarter of an hour", Span.WEEK: "two hours"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The sums in a line. ``error_rate`` is in percent, ``a_minute`` an average; None where nothing was called."""

    error_rate: float | None
    a_minute: float
    busiest: Minute | None


@blueprint.get("/traffic/summary")
def summary() -> ResponseReturnValue:
    """Up to now, but for the last seconds. Raises StorageError."""
    desk = current_desk()
    # The minute that has just begun counts too.
    until = desk.clock.now() + timedelta(minutes=1)
    span = member(Span, request.args.get("over", "")) or Span.TODAY
    since = _since(span, desk.clock.now())
    sums = desk.store.traffic_summary.of(since, until)
    return render_template(
        "traffic_summary.html",
        sums=sums,
        glance=_glance(sums, until - since),
        rates=call_rates(sums.minutes, since, until, _STEPS[span]),
        since=since,
        since_typed=f"{since.astimezone(IST):%Y-%m-%dT%H:%M}",
        span=span,
        spans=_LABELS,
        step_name=_STEP_NAMES[span],
        busiest=_BUSIEST,
        is_masked=is_masked(),
    )


def _since(span: Span, now: datetime) -> datetime:
    """Where a slot of the sums begins, so that every figure is of the same time."""
    today = day_in_india(now)
    match span:
        case Span.QUARTER:
            start = (now - timedelta(minutes=15)).astimezone(IST)
            return start - timedelta(minutes=start.minute % 5, seconds=start.second, microseconds=start.microsecond)
        case Span.TODAY:
            return midnight(today)
        case Span.WEEK:
            return midnight(today - timedelta(days=_DAYS - 1))


def _glance(sums: Summary, length: timedelta) -> Glance:
    return Glance(
        error_rate=100 * sums.errors / sums.calls if sums.calls else None,
        a_minute=sums.calls / max(1.0, length / timedelta(minutes=1)),
        busiest=max(sums.minutes, key=lambda minute: minute.calls, default=None),
    )
