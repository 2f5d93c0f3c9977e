"""How long a bar is, and where on the calendar it begins."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.interval import Interval

CALENDAR = [each for each in Interval if each.is_calendar]


def test_the_intervals_are_those_of_the_dialect() -> None:
    """Contract 1.6, in its order."""
    words = "1s 5s 10s 15s 30s 45s 1m 2m 3m 5m 10m 15m 20m 30m 1h 2h 3h 4h D W M Q Y"
    assert [str(each) for each in Interval] == words.split()


def test_a_minute_has_sixty_seconds_and_a_month_no_fixed_length() -> None:
    assert [Interval(word).seconds for word in ("45s", "20m", "4h")] == [45, 1_200, 14_400]
    with pytest.raises(ValueError, match="A bar of M has no fixed length"):
        _ = Interval.MONTH.seconds


@given(interval=st.sampled_from(CALENDAR), day=st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_periods_follow_each_other_without_a_gap(interval: Interval, day: date) -> None:
    first, last = interval.period(day), interval.period_end(day)
    assert first <= day <= last
    assert (interval.period(last), interval.period_end(first)) == (first, last)
    assert interval.period(last + timedelta(days=1)) == last + timedelta(days=1)


def test_the_last_day_there_is_ends_its_periods() -> None:
    assert {each.period_end(date.max) for each in CALENDAR} == {date.max}


def test_quarters_are_those_of_the_calendar() -> None:
    assert Interval.QUARTER.period(date(2026, 6, 30)) == date(2026, 4, 1)
    assert Interval.QUARTER.period_end(date(2026, 11, 21)) == date(2026, 12, 31)
    assert Interval.MONTH.period_end(date(2028, 2, 5)) == date(2028, 2, 29)
