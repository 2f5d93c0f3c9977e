"""How many days of bars the paper exchange makes for one question. Pure."""

from __future__ import annotations

from datetime import date, datetime

from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.trading_hours import hours_on

# A day costs something, however long its bars are, and each bar does: together some two seconds, measured on two cores.
# A year of minutes of anything must fit, and MCX has the longest session.
_MOST_DAYS, _MOST_BARS = 1_100, 330_000

# Bars of seconds are made of all the seconds, and an option's price costs more than a share's.
_MINUTE = 60
_BARS_OF_AN_OPTION = 2


def most_days(instrument: Instrument, interval: Interval, today: date) -> int | None:
    """Of bars within a day; None of days and longer, which are few and end where the market or a contract begins."""
    if interval.is_calendar:
        return None
    hours = hours_on(instrument.exchange, today)
    session = datetime.combine(today, hours.closes) - datetime.combine(today, hours.opens)
    length = interval.seconds if interval.seconds >= _MINUTE else 1
    bars = -(-session.seconds // length) + 1
    return min(_MOST_DAYS, _MOST_BARS // (bars * (_BARS_OF_AN_OPTION if instrument.kind.is_option else 1)))
