"""When contracts expire. The 24th of November 2026 is a Tuesday, the last of its month, and a holiday of the shares."""

from __future__ import annotations

from datetime import date
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.expiries import (
    MONTH_END,
    THURSDAY,
    TUESDAY,
    DayOfMonth,
    LastWeekday,
    monthly,
    nearest,
    weekly,
)
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange

TODAY = date(2026, 11, 21)
NOVEMBER = date(2026, 11, 1)


def test_an_expiry_on_a_holiday_moves_to_the_trading_day_before() -> None:
    weeks = weekly(TUESDAY, Exchange.NFO, SHIPPED, today=TODAY)
    assert list(islice(weeks, 3)) == [date(2026, 11, 23), date(2026, 12, 1), date(2026, 12, 8)]
    months = monthly(LastWeekday(TUESDAY), Exchange.NFO, SHIPPED, today=TODAY)
    assert list(islice(months, 3)) == [date(2026, 11, 23), date(2026, 12, 29), date(2027, 1, 26)]


def test_a_contract_is_current_on_its_last_day_and_not_after_it() -> None:
    months = LastWeekday(TUESDAY)
    assert next(monthly(months, Exchange.NFO, SHIPPED, today=date(2026, 11, 23))) == date(2026, 11, 23)
    assert next(monthly(months, Exchange.NFO, SHIPPED, today=date(2026, 11, 24))) == date(2026, 12, 29)
    assert next(weekly(TUESDAY, Exchange.NFO, SHIPPED, today=date(2026, 11, 24))) == date(2026, 12, 1)


def test_christmas_and_a_weekend_in_a_row_are_both_stepped_over() -> None:
    friday = weekly(4, Exchange.BFO, SHIPPED, today=date(2026, 12, 23))
    assert next(friday) == date(2026, 12, 24)
    sunday = monthly(DayOfMonth(27), Exchange.NFO, SHIPPED, today=date(2026, 12, 1))
    assert next(sunday) == date(2026, 12, 24)


def test_only_the_listed_months_have_contracts() -> None:
    gold = monthly(DayOfMonth(5), Exchange.MCX, SHIPPED, today=TODAY, months=frozenset({2, 4, 12}))
    assert list(islice(gold, 3)) == [date(2026, 12, 4), date(2027, 2, 5), date(2027, 4, 5)]


def test_days_before_are_trading_days() -> None:
    currency = monthly(MONTH_END, Exchange.CDS, SHIPPED, today=date(2026, 11, 1), days_before=2)
    # The 30th is a Monday: Friday and Thursday go before it.
    assert next(currency) == date(2026, 11, 26)


def test_the_rules_name_a_day_of_every_month() -> None:
    assert LastWeekday(THURSDAY).of_month(NOVEMBER) == date(2026, 11, 26)
    assert MONTH_END.of_month(date(2028, 2, 1)) == date(2028, 2, 29)
    assert DayOfMonth(19).of_month(NOVEMBER) == date(2026, 11, 19)


def test_an_expiry_of_a_week_and_of_a_month_is_one() -> None:
    weeks = weekly(TUESDAY, Exchange.NFO, SHIPPED, today=TODAY)
    months = monthly(LastWeekday(TUESDAY), Exchange.NFO, SHIPPED, today=TODAY)
    assert nearest((weeks, 2), (months, 2)) == (date(2026, 11, 23), date(2026, 12, 1), date(2026, 12, 29))


@given(today=st.dates(date(2024, 1, 1), date(2030, 12, 31)), weekday=st.integers(0, 4), back=st.integers(0, 3))
def test_expiries_rise_and_are_trading_days_from_today_on(today: date, weekday: int, back: int) -> None:
    for series in (
        weekly(weekday, Exchange.NFO, SHIPPED, today=today),
        monthly(LastWeekday(weekday), Exchange.MCX, SHIPPED, today=today, days_before=back),
    ):
        days = list(islice(series, 15))
        assert days[0] >= today
        assert all(earlier < later for earlier, later in pairwise(days))
    assert all(SHIPPED.is_trading_day(Exchange.MCX, day) for day in days)
