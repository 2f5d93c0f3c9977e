"""What the clock brings at the paper exchange: what, when, in which order."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.brokers.paper.days import ALL, Event, EventKind, Schedule
from openalgo_bridge.clock import IST
from openalgo_bridge.model.calendar import SpecialDay
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours

USUAL = Schedule(calendar=SHIPPED, square_off={})
FRIDAY, SATURDAY, MONDAY, GURU_NANAK = (date(2026, 11, day) for day in (20, 21, 23, 24))
BANKS_REST = date(2026, 8, 26)
MUHURAT = date(2026, 11, 8)
moments = st.datetimes(datetime(2026, 6, 1), datetime(2027, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), IST)


def told(schedule: Schedule, since: datetime, until: datetime, *exchanges: Exchange) -> list[str]:
    """Each event in a line, those about every exchange without a name."""
    lines = []
    for event in schedule.due(since, until, exchanges):
        names = "" if event.exchanges == ALL else " ".join(("", *event.exchanges))
        lines.append(f"{event.at.astimezone(IST):%a %H:%M} {event.kind.name}{names}")
    return lines


def test_a_day_of_shares() -> None:
    assert told(USUAL, at(MONDAY, 9), at(MONDAY, 18), Exchange.NSE) == [
        "Mon 15:10 SQUARE_OFF NSE",
        "Mon 15:30 LAPSE NSE",
    ]


def test_a_weekend_ends_the_days_of_the_books_and_delivers_on_monday() -> None:
    ended = ["02:59 LAPSE", "02:59 SQUARE_OFF", "02:59 EXPIRY", "03:00 LAPSE", "03:00 SQUARE_OFF"]
    assert told(USUAL, at(FRIDAY, 16), at(MONDAY, 9), Exchange.NSE) == [
        *[f"{day} {each}" for day in ("Sat", "Sun", "Mon") for each in ended],
        "Mon 03:00 SETTLEMENT NSE BSE",
    ]


def test_on_a_holiday_no_session_ends_and_nothing_is_delivered() -> None:
    events = told(USUAL, at(MONDAY, 23), at(GURU_NANAK, 23), Exchange.NSE, Exchange.NFO)
    assert events == [
        "Tue 02:59 LAPSE",
        "Tue 02:59 SQUARE_OFF",
        "Tue 02:59 EXPIRY",
        "Tue 03:00 LAPSE",
        "Tue 03:00 SQUARE_OFF",
    ]


def test_shares_bought_before_and_on_a_bank_holiday_are_delivered_together_the_day_after() -> None:
    lines = told(USUAL, at(BANKS_REST - timedelta(days=1), 9), at(BANKS_REST + timedelta(days=1), 9), Exchange.NSE)
    assert [line for line in lines if "SETTLEMENT" in line] == ["Thu 03:00 SETTLEMENT NSE BSE"]
    assert "Wed 15:10 SQUARE_OFF NSE" in lines, "the exchange trades while the banks rest"


def test_contracts_expire_at_their_time_and_settle_after_their_last_close() -> None:
    assert told(USUAL, at(MONDAY, 9), at(MONDAY, 18), Exchange.NFO, Exchange.CDS) == [
        "Mon 12:30 EXPIRY CDS",
        "Mon 15:30 EXPIRY NFO",
        "Mon 15:35 SQUARE_OFF NFO",
        "Mon 15:40 LAPSE NFO",
        "Mon 15:40 EXPIRY NFO",
        "Mon 16:45 SQUARE_OFF CDS",
        "Mon 17:00 LAPSE CDS",
        "Mon 17:00 EXPIRY CDS",
    ]


def test_index_contracts_expire_before_the_others_from_december_on() -> None:
    day = date(2026, 12, 8)
    assert told(USUAL, at(day, 15), at(day, 18), Exchange.NFO) == [
        "Tue 15:30 EXPIRY NFO",
        "Tue 15:40 SQUARE_OFF NFO",
        "Tue 15:45 LAPSE NFO",
        "Tue 15:45 EXPIRY NFO",
    ]


@pytest.mark.parametrize(
    ("day", "squares_off"),
    [(date(2026, 10, 30), time(23, 5)), (date(2026, 11, 2), time(23, 30)), (GURU_NANAK, time(23, 30))],
    ids=["summer in New York", "winter", "an evening session"],
)
def test_commodities_are_closed_before_their_exchange_is(day: date, squares_off: time) -> None:
    for exchange in (Exchange.MCX, Exchange.NCO):
        assert USUAL.squares_off_at(exchange, day) == datetime.combine(day, squares_off, IST)


@pytest.mark.parametrize(
    ("day", "squares_off"),
    [
        (date(2026, 7, 31), time(15, 25)),
        (MONDAY, time(15, 10)),
        (date(2026, 12, 7), time(15, 25)),
        (MUHURAT, time(19, 10)),
        (date(2027, 3, 3), time(15, 25)),
    ],
)
def test_shares_are_closed_five_minutes_before_the_first_of_them_stop(day: date, squares_off: time) -> None:
    assert USUAL.squares_off_at(Exchange.NSE, day) == datetime.combine(day, squares_off, IST)


@pytest.mark.parametrize("exchange", [Exchange.NCDEX, Exchange.CRYPTO])
def test_no_exchange_is_without_a_time(exchange: Exchange) -> None:
    assert USUAL.squares_off_at(exchange, MONDAY) is not None


def test_a_time_of_the_traders_counts_where_it_lies_in_the_session() -> None:
    schedule = Schedule(calendar=SHIPPED, square_off={Exchange.NSE: time(14, 0), Exchange.NFO: time(15, 40)})
    assert schedule.squares_off_at(Exchange.NSE, MONDAY) == at(MONDAY, 14)
    assert schedule.squares_off_at(Exchange.NSE, MUHURAT) == at(MUHURAT, 19, 10)
    assert schedule.squares_off_at(Exchange.NFO, MONDAY) == at(MONDAY, 15, 35), "the exchange is closed by then"
    assert schedule.squares_off_at(Exchange.BSE, MONDAY) == at(MONDAY, 15, 10)


def test_a_session_of_few_minutes_is_squared_off_as_it_opens() -> None:
    hours = Hours(opens=time(11, 0), closes=time(11, 3))
    changed = SHIPPED.changed(
        days=[SpecialDay(day=MONDAY, exchange=Exchange.NSE, description="A short one", hours=hours)],
        ordinary=frozenset(),
        years=(),
    )
    assert Schedule(calendar=changed, square_off={}).squares_off_at(Exchange.NSE, MONDAY) == at(MONDAY, 11)


@given(since=moments, hours=st.integers(0, 24 * 12), split=st.integers(0, 24 * 12))
def test_every_event_is_due_once_however_often_one_looks(since: datetime, hours: int, split: int) -> None:
    until = since + timedelta(hours=hours)
    between = since + timedelta(hours=min(hours, split))
    whole = list(USUAL.due(since, until))
    assert [*USUAL.due(since, between), *USUAL.due(between, until)] == whole
    assert whole == sorted(whole)
    assert all(since < event.at <= until for event in whole)
    assert len(set(whole)) == len(whole)


@given(moment=moments)
def test_the_next_event_is_the_first_that_will_be_due(moment: datetime) -> None:
    following = USUAL.next_after(moment)
    assert next(USUAL.due(moment, moment + timedelta(days=2))).at == following
    assert not list(USUAL.due(moment, following - timedelta(seconds=1)))


def test_a_year_away_is_one_list_in_order() -> None:
    events = list(USUAL.due(at(FRIDAY, 12), at(FRIDAY, 12) + timedelta(days=365), [Exchange.NSE]))
    assert all(before <= after for before, after in pairwise(events))
    settlements = [event for event in events if event.kind is EventKind.SETTLEMENT]
    assert all(event.at.astimezone(IST).weekday() < 5 for event in settlements)
    assert Event(at(date(2027, 3, 3), 3), EventKind.SETTLEMENT, (Exchange.NSE, Exchange.BSE)) in settlements
