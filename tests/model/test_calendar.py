"""When exchanges trade: the shipped list, weekends, special hours, and years that nobody gave us a list of."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.calendar import IST, Calendar, HolidayType, Session, SpecialDay
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.session import session_end
from openalgo_bridge.model.trading_hours import Hours, hours_on

GURU_NANAK = date(2026, 11, 24)
MUHURAT = date(2026, 11, 8)
MONDAY = date(2026, 11, 23)
SHARES = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)
FIVE_MINUTES = timedelta(minutes=5)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=IST)


def told(sessions: tuple[Session, ...]) -> list[str]:
    return [f"{each.exchange} {each.opens:%H:%M}-{each.closes:%H:%M}" for each in sessions]


def test_shares_are_closed_on_the_sixteen_trading_holidays_of_2026_and_on_no_other_weekday() -> None:
    year = (date(2026, 1, 1) + timedelta(days=number) for number in range(365))
    closed = [day for day in year if day.weekday() < 5 and not SHIPPED.is_trading_day(Exchange.NSE, day)]
    assert [f"{day:%m-%d}" for day in closed] == [
        *("01-15", "01-26", "03-03", "03-26", "03-31", "04-03", "04-14", "05-01"),
        *("05-28", "06-26", "09-14", "10-02", "10-20", "11-10", "11-24", "12-25"),
    ]


@pytest.mark.parametrize("day", [date(2026, 2, 19), date(2026, 3, 19), date(2026, 4, 1), date(2026, 8, 26)])
def test_on_a_holiday_of_the_banks_only_currency_is_closed(day: date) -> None:
    assert not SHIPPED.sessions(Exchange.CDS, day)
    assert not SHIPPED.sessions(Exchange.BCD, day)
    assert all(SHIPPED.sessions(exchange, day) for exchange in (*SHARES, Exchange.MCX))


def test_metals_trade_in_the_evening_of_a_holiday_of_the_shares() -> None:
    assert told(SHIPPED.timings(GURU_NANAK)) == ["MCX 17:00-23:55", "NCO 17:00-23:55", "CRYPTO 00:00-23:59"]
    assert told(SHIPPED.sessions(Exchange.MCX, date(2026, 5, 28))) == ["MCX 17:00-23:30"], "summer in New York"


def test_on_christmas_nothing_but_crypto_trades() -> None:
    assert told(SHIPPED.timings(date(2026, 12, 25))) == ["CRYPTO 00:00-23:59"]


def test_muhurat_is_a_session_on_a_sunday() -> None:
    assert MUHURAT.weekday() == 6
    assert told(SHIPPED.sessions(Exchange.NFO, MUHURAT)) == ["NFO 18:15-19:15"]
    assert SHIPPED.is_open(Exchange.NSE, at(MUHURAT, 18, 15))
    assert not SHIPPED.is_open(Exchange.NSE, at(MUHURAT, 19, 15)), "at the moment it closes it is closed"


def test_the_budget_is_traded_on_a_sunday_by_shares_and_metals_but_not_by_currency() -> None:
    budget = date(2026, 2, 1)
    assert told(SHIPPED.sessions(Exchange.BSE, budget)) == ["BSE 09:15-15:30"]
    assert told(SHIPPED.sessions(Exchange.MCX, budget)) == ["MCX 09:00-17:00"]
    assert not SHIPPED.is_trading_day(Exchange.CDS, budget)


def test_an_ordinary_day_has_the_exchanges_in_the_order_of_the_dialect() -> None:
    assert told(SHIPPED.timings(MONDAY)) == [
        "NSE 09:15-15:30",
        "BSE 09:15-15:30",
        "NFO 09:15-15:40",
        "BFO 09:15-15:40",
        "MCX 09:00-23:55",
        "BCD 09:00-17:00",
        "CDS 09:00-17:00",
        "NCO 09:00-23:55",
        "CRYPTO 00:00-23:59",
    ]


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2026, 7, 31), time(15, 30)),
        (date(2026, 8, 3), time(15, 40)),
        (date(2026, 12, 4), time(15, 40)),
        (date(2026, 12, 7), time(15, 45)),
    ],
)
def test_derivatives_close_later_since_the_closing_auction(day: date, closes: time) -> None:
    assert hours_on(Exchange.NFO, day).closes == hours_on(Exchange.BFO, day).closes == closes
    assert hours_on(Exchange.NSE, day).closes == time(15, 30)


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2026, 3, 6), time(23, 55)),
        (date(2026, 3, 9), time(23, 30)),
        (date(2026, 10, 30), time(23, 30)),
        (date(2026, 11, 2), time(23, 55)),
        (date(2027, 3, 12), time(23, 55)),
    ],
)
def test_commodities_close_with_new_york(day: date, closes: time) -> None:
    assert hours_on(Exchange.MCX, day) == Hours(opens=time(9), closes=closes)


def test_the_session_of_a_share_with_derivatives_ends_before_its_auction() -> None:
    (session,) = SHIPPED.sessions(Exchange.NSE, MONDAY, has_derivatives=True)
    assert (session.opens, session.closes) == (at(MONDAY, 9, 15), at(MONDAY, 15, 15))
    assert told(SHIPPED.sessions(Exchange.NSE, MUHURAT, has_derivatives=True)) == ["NSE 18:15-19:15"]


@pytest.mark.parametrize(
    ("day", "settles"),
    [
        (MONDAY, True),
        (GURU_NANAK, False),
        (date(2026, 8, 26), False),
        (date(2026, 11, 21), False),
        (MUHURAT, False),
        (date(2027, 3, 3), True),
    ],
    ids=["a trading day", "a holiday", "only the banks rest", "a Saturday", "a session on a Sunday", "an unknown year"],
)
def test_shares_are_delivered_on_days_on_which_the_banks_work_too(day: date, settles: bool) -> None:
    assert SHIPPED.settles_on(Exchange.NSE, day) is settles


def test_an_index_moves_while_its_exchange_trades() -> None:
    assert told(SHIPPED.sessions(Exchange.NSE_INDEX, MONDAY)) == ["NSE_INDEX 09:15-15:30"]
    assert not SHIPPED.is_trading_day(Exchange.BSE_INDEX, GURU_NANAK)
    assert told(SHIPPED.sessions(Exchange.MCX_INDEX, GURU_NANAK)) == ["MCX_INDEX 17:00-23:55"]


def test_a_session_is_the_same_moment_in_utc() -> None:
    (session,) = SHIPPED.sessions(Exchange.NSE, MONDAY)
    assert session.opens == datetime(2026, 11, 23, 3, 45, tzinfo=UTC)
    assert SHIPPED.is_open(Exchange.NSE, datetime(2026, 11, 23, 3, 45, tzinfo=UTC))
    assert not SHIPPED.is_open(Exchange.NSE, datetime(2026, 11, 23, 10, 0, tzinfo=UTC))


def test_a_moment_is_looked_up_on_the_day_that_it_is_in_india() -> None:
    evening_before = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    assert SHIPPED.is_open(Exchange.CRYPTO, evening_before)
    assert not SHIPPED.is_open(Exchange.NSE, evening_before)


def test_a_year_without_a_list_goes_by_the_weekday_and_says_that_it_is_a_guess() -> None:
    republic_day = date(2027, 1, 26)
    assert not SHIPPED.knows(Exchange.NSE, republic_day)
    assert SHIPPED.is_trading_day(Exchange.NSE, republic_day)
    assert SHIPPED.remark(Exchange.NSE, republic_day) == (
        "The holidays of 2027 are not known. NSE may be closed on 26 Jan 2027."
    )
    assert not SHIPPED.is_trading_day(Exchange.NSE, date(2027, 1, 24)), "a Sunday"
    assert SHIPPED.knows(Exchange.CRYPTO, republic_day)


@pytest.mark.parametrize(
    ("exchange", "day", "remark"),
    [
        (Exchange.NSE, MONDAY, ""),
        (Exchange.NSE, GURU_NANAK, "NSE is closed on 24 Nov 2026: Guru Nanak Jayanti."),
        (
            Exchange.MCX,
            GURU_NANAK,
            "MCX trades from 17:00 to 23:55 IST on 24 Nov 2026: Guru Nanak Jayanti.",
        ),
        (Exchange.NSE, date(2026, 11, 21), "NSE does not trade on a Saturday."),
        (Exchange.CRYPTO, date(2026, 11, 21), ""),
    ],
)
def test_what_the_trader_should_know_of_a_day_is_a_sentence(exchange: Exchange, day: date, remark: str) -> None:
    assert SHIPPED.remark(exchange, day) == remark


@pytest.mark.parametrize(
    ("day", "expires"),
    [
        (GURU_NANAK, MONDAY),
        (MONDAY, MONDAY),
        (date(2026, 5, 28), date(2026, 5, 27)),
        (date(2026, 12, 25), date(2026, 12, 24)),
        (date(2026, 11, 10), date(2026, 11, 9)),
    ],
)
def test_an_expiry_on_a_holiday_moves_to_the_trading_day_before(day: date, expires: date) -> None:
    assert SHIPPED.trading_day_until(Exchange.NFO, day) == expires


def test_where_nothing_ever_trades_the_day_itself_is_the_answer() -> None:
    days = (MONDAY - timedelta(days=number) for number in range(60))
    shut = Calendar.of([SpecialDay(day=day, exchange=Exchange.NSE, description="shut") for day in days], {2026})
    assert shut.trading_day_until(Exchange.NSE, MONDAY) == MONDAY
    assert not shut.is_trading_day(Exchange.NSE, MONDAY)


def test_the_list_of_a_year_is_in_the_shape_of_the_dialect() -> None:
    lines = {each.day: each for each in SHIPPED.holidays(2026)}
    assert list(lines) == sorted(lines)
    holi = lines[date(2026, 3, 3)]
    assert (holi.description, holi.type) == ("Holi", HolidayType.TRADING_HOLIDAY)
    assert holi.closed == (
        *(Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO),
        *(Exchange.CDS, Exchange.BCD, Exchange.NCDEX),
    )
    assert told(holi.open) == ["MCX 17:00-23:55", "NCO 17:00-23:55"]
    assert lines[date(2026, 2, 19)].type is HolidayType.SETTLEMENT_HOLIDAY
    assert lines[MUHURAT].type is HolidayType.SPECIAL_SESSION
    assert lines[MUHURAT].closed == ()


def test_a_year_without_a_list_has_no_lines() -> None:
    assert SHIPPED.holidays(2027) == ()


def test_a_change_wins_over_the_shipped_day_and_another_day_stays() -> None:
    half = Hours(opens=time(9, 15), closes=time(12, 30))
    changed = SHIPPED.changed(
        days=[SpecialDay(day=GURU_NANAK, exchange=Exchange.NSE, description="Half day", hours=half)],
        ordinary={(GURU_NANAK, Exchange.BSE)},
        years={2027},
    )
    assert told(changed.sessions(Exchange.NSE, GURU_NANAK)) == ["NSE 09:15-12:30"]
    assert told(changed.sessions(Exchange.BSE, GURU_NANAK)) == ["BSE 09:15-15:30"]
    assert not changed.is_trading_day(Exchange.NFO, GURU_NANAK)
    assert changed.knows(Exchange.NSE, date(2027, 1, 26))
    assert not SHIPPED.is_trading_day(Exchange.BSE, GURU_NANAK), "the shipped calendar is never changed itself"


@pytest.mark.parametrize(
    ("exchange", "now", "end"),
    [
        (Exchange.NSE, at(MONDAY, 10), at(MONDAY, 15, 30)),
        (Exchange.NFO, at(MONDAY, 10), at(MONDAY, 15, 40)),
        (Exchange.NSE, at(MONDAY, 15, 28), at(MONDAY, 15, 33)),
        (Exchange.NSE, at(MONDAY, 16), at(date(2026, 11, 25), 15, 30)),
        (Exchange.NSE, at(date(2026, 11, 21), 10, 30), at(MONDAY, 15, 30)),
        (Exchange.MCX, at(GURU_NANAK, 10), at(GURU_NANAK, 23, 55)),
        (Exchange.NSE, at(MUHURAT, 10), at(MUHURAT, 19, 15)),
    ],
)
def test_a_session_ends_today_or_on_the_next_trading_day(exchange: Exchange, now: datetime, end: datetime) -> None:
    assert session_end(SHIPPED, exchange, now, FIVE_MINUTES) == end
    assert session_end(SHIPPED, exchange, now.astimezone(UTC), FIVE_MINUTES) == end


@given(st.sampled_from(Exchange), st.dates(date(2020, 1, 1), date(2050, 12, 31)))
def test_every_session_begins_before_it_ends_on_the_day_it_is_asked_for(exchange: Exchange, day: date) -> None:
    sessions = SHIPPED.sessions(exchange, day)
    assert SHIPPED.is_trading_day(exchange, day) == bool(sessions)
    for session in sessions:
        assert session.opens < session.closes
        assert session.opens.date() == session.closes.date() == day
