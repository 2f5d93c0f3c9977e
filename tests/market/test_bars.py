"""Bars: of every interval, they agree with each other, with the quote and with themselves of an hour ago."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.clock import IST, day_in_india
from openalgo_bridge.market.bars import MARKET_BEGINS, MOST_DAYS_LISTED
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.books import Bar
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange
from tests.market.contracts import CALL, CRUDEOIL, EXPIRY, FUTURE, NIFTY, PUT, SBIN, USDINR, ist

SATURDAY, SUNDAY, MONDAY = (date(2026, 11, day) for day in (21, 22, 23))
MARKET = SimulatedMarket(20261121)
KINDS = [SBIN, NIFTY, FUTURE, CALL, PUT, USDINR, CRUDEOIL]
INTRADAY = [each for each in Interval if not each.is_calendar]
OF_MINUTES = [each for each in INTRADAY if each.seconds >= 60]
SECOND = timedelta(seconds=1)

every_contract = pytest.mark.parametrize("instrument", [FUTURE, CALL, PUT], ids=lambda each: each.symbol)
every_kind = pytest.mark.parametrize("instrument", KINDS, ids=lambda each: each.symbol)
moments = st.datetimes(datetime(2026, 11, 20), datetime(2026, 11, 24), timezones=st.just(UTC))  # noqa: DTZ001


def joined(bars: Sequence[Bar]) -> tuple[object, ...]:
    """Many bars as one, without its start."""
    return (
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        bars[-1].oi,
    )


def bars_of(
    instrument: Instrument, interval: Interval, first: date, at: datetime, last: date | None = None
) -> list[Bar]:
    """Of the day ``first``, or of all days from there to ``last``."""
    return list(MARKET.bars(instrument, interval, first, last or first, at))


@every_kind
@pytest.mark.parametrize("interval", Interval)
def test_a_day_is_the_same_in_bars_of_every_interval(instrument: Instrument, interval: Interval) -> None:
    at = ist(MONDAY, 3)
    (day,) = bars_of(instrument, Interval.DAY, SATURDAY, at)
    if not interval.is_calendar:
        assert joined(bars_of(instrument, interval, SATURDAY, at)) == day[1:]
    else:
        (period,) = bars_of(instrument, interval, SATURDAY, at)
        first, last = interval.period(SATURDAY), interval.period_end(SATURDAY)
        assert period[1:] == joined(bars_of(instrument, Interval.DAY, first, at, last))


@settings(max_examples=40, deadline=None)
@given(instrument=st.sampled_from(KINDS), interval=st.sampled_from(OF_MINUTES), at=moments)
def test_the_running_day_is_what_the_quote_says(instrument: Instrument, interval: Interval, at: datetime) -> None:
    """At any second, in the night, on a Sunday, before the opening too."""
    quote, today = MARKET.quote(instrument, at), day_in_india(at)
    bars = bars_of(instrument, interval, today - timedelta(days=1), at, today)
    running = [bar for bar in bars if day_in_india(bar.start) == day_in_india(bars[-1].start)]
    assert bars[-1].start <= at
    assert joined(running) == (quote.open, quote.high, quote.low, quote.ltp, quote.volume, quote.oi)


@settings(max_examples=15, deadline=None)
@given(instrument=st.sampled_from([SBIN, CALL]), interval=st.sampled_from(list(Interval)), at=moments)
def test_the_last_bar_closes_at_the_last_price(instrument: Instrument, interval: Interval, at: datetime) -> None:
    today = day_in_india(at)
    bars = bars_of(instrument, interval, today - timedelta(days=1), at, today)
    assert bars[-1].close == MARKET.price(instrument, at)


@every_kind
def test_yesterdays_close_is_todays_previous_close(instrument: Instrument) -> None:
    at = ist(SUNDAY, 12)
    (yesterday,) = bars_of(instrument, Interval.DAY, SATURDAY, at)
    assert MARKET.quote(instrument, at).prev_close == yesterday.close


@settings(max_examples=25, deadline=None)
@given(
    instrument=st.sampled_from([SBIN, FUTURE, CALL]),
    interval=st.sampled_from(OF_MINUTES),
    at=moments,
    later=st.timedeltas(timedelta(0), timedelta(hours=40)),
)
def test_a_bar_never_changes_once_it_is_over(
    instrument: Instrument, interval: Interval, at: datetime, later: timedelta
) -> None:
    first = day_in_india(at) - timedelta(days=1)
    before = bars_of(instrument, interval, first, at, day_in_india(at))
    after = bars_of(instrument, interval, first, at + later, day_in_india(at + later))
    assert after[: len(before) - 1] == before[:-1]
    assert after[len(before) - 1].start == before[-1].start


@every_kind
@pytest.mark.parametrize("interval", INTRADAY)
def test_bars_ascend_and_their_prices_are_in_order(instrument: Instrument, interval: Interval) -> None:
    bars = bars_of(instrument, interval, SATURDAY, ist(MONDAY, 3), SUNDAY)
    assert all(before.start < after.start for before, after in pairwise(bars))
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert all(price > 0 == price % instrument.tick for bar in bars for price in bar[1:5])
    assert all(bar.volume >= 0 for bar in bars)


@pytest.mark.parametrize("instrument", [SBIN, CALL], ids=lambda each: each.symbol)
def test_a_bar_is_exactly_its_seconds(instrument: Instrument) -> None:
    begin = ist(SATURDAY, 13, 4)
    bars = bars_of(instrument, Interval.M3, SATURDAY, ist(SUNDAY, 12))
    bar = next(bar for bar in bars if bar.start <= begin < bar.start + timedelta(minutes=3))
    prices = [MARKET.price(instrument, bar.start + second * SECOND) for second in range(180)]
    assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])


@pytest.mark.parametrize(
    ("interval", "count", "last"),
    [
        (Interval.S1, 22_500, (15, 29, 59)),
        (Interval.S45, 500, (15, 29, 15)),
        (Interval.M1, 375, (15, 29, 0)),
        (Interval.M2, 188, (15, 29, 0)),
        (Interval.M20, 19, (15, 15, 0)),
        (Interval.H1, 7, (15, 15, 0)),
        (Interval.H4, 2, (13, 15, 0)),
    ],
)
def test_a_session_begins_at_the_opening_and_the_night_is_one_more_bar(
    interval: Interval, count: int, last: tuple[int, int, int]
) -> None:
    *session, night = bars_of(SBIN, interval, SATURDAY, ist(MONDAY, 3))
    assert session[0].start == ist(SATURDAY, 9, 15)
    assert (len(session), session[-1].start) == (count, ist(SATURDAY, *last))
    assert night.start == ist(SATURDAY, 15, 30)


@pytest.mark.parametrize(
    ("instrument", "opens", "closes"),
    [(SBIN, (9, 15), (15, 30)), (FUTURE, (9, 15), (15, 40)), (USDINR, (9, 0), (17, 0)), (CRUDEOIL, (9, 0), (23, 55))],
    ids=lambda each: each.symbol if isinstance(each, Instrument) else "",
)
def test_every_exchange_has_its_hours(instrument: Instrument, opens: tuple[int, int], closes: tuple[int, int]) -> None:
    bars = bars_of(instrument, Interval.M5, SATURDAY, ist(MONDAY, 3))
    assert (bars[0].start, bars[-1].start) == (ist(SATURDAY, *opens), ist(SATURDAY, *closes))


def test_there_are_bars_on_a_sunday_and_none_before_it_opens() -> None:
    assert len(bars_of(SBIN, Interval.M1, SUNDAY, ist(SUNDAY, 12))) == 166
    assert bars_of(SBIN, Interval.M1, SUNDAY, ist(SUNDAY, 9)) == []
    assert len(bars_of(SBIN, Interval.M1, SATURDAY, ist(SUNDAY, 9))) == 376


def test_a_first_second_is_a_whole_bar() -> None:
    (bar,) = bars_of(SBIN, Interval.M1, SUNDAY, ist(SUNDAY, 9, 15))
    assert bar.open == bar.high == bar.low == bar.close == MARKET.price(SBIN, ist(SUNDAY, 9, 15))


def test_bars_are_made_as_they_are_read() -> None:
    """Of the 25,000 of two months only those of a day are there at any time."""
    tracemalloc.start()
    bars = MARKET.bars(SBIN, Interval.M1, SATURDAY - timedelta(days=66), SATURDAY, ist(MONDAY, 3))
    assert sum(1 for _ in bars) == 67 * 376
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_all_times_are_in_utc() -> None:
    bars = bars_of(SBIN, Interval.M15, SATURDAY, ist(MONDAY, 3))
    assert {bar.start.tzinfo for bar in bars} == {UTC}
    (day,) = bars_of(SBIN, Interval.DAY, SATURDAY, ist(MONDAY, 3))
    assert day.start == datetime(2026, 11, 21, 3, 45, tzinfo=UTC)


def test_many_days_are_each_days_bars() -> None:
    at = ist(SUNDAY, 12)
    days = [SATURDAY - timedelta(days=back) for back in (2, 1, 0)] + [SUNDAY]
    apart = [bar for day in days for bar in bars_of(SBIN, Interval.M10, day, at)]
    assert bars_of(SBIN, Interval.M10, days[0], at, days[-1]) == apart


def test_nothing_is_in_the_future_and_nothing_before_the_market_began() -> None:
    at = ist(SUNDAY, 12)
    assert bars_of(SBIN, Interval.DAY, MONDAY, at) == []
    assert bars_of(SBIN, Interval.M1, SUNDAY, at, SATURDAY) == []
    everything = bars_of(SBIN, Interval.YEAR, date.min, at, date.max)
    assert len(everything) == 2026 - 1990 + 1
    assert everything[0].start.astimezone(IST).date() == MARKET_BEGINS


def test_weeks_begin_on_monday_and_years_in_january() -> None:
    starts = {
        interval: [
            bar.start.astimezone(IST).date() for bar in bars_of(SBIN, interval, SATURDAY, ist(MONDAY, 12), MONDAY)
        ]
        for interval in (Interval.WEEK, Interval.MONTH, Interval.QUARTER, Interval.YEAR)
    }
    assert starts == {
        Interval.WEEK: [date(2026, 11, 16), MONDAY],
        Interval.MONTH: [date(2026, 11, 1)],
        Interval.QUARTER: [date(2026, 10, 1)],
        Interval.YEAR: [date(2026, 1, 1)],
    }


@every_contract
def test_the_last_bar_is_the_second_at_which_the_contract_settles(instrument: Instrument) -> None:
    *_, last = MARKET.bars(instrument, Interval.M1, EXPIRY, EXPIRY + timedelta(days=5), ist(date(2026, 12, 20), 12))
    settled = MARKET.price(instrument, ist(EXPIRY, 15, 30))
    assert last.start == ist(EXPIRY, 15, 30)
    assert {last.open, last.high, last.low, last.close} == {settled}


@every_contract
@pytest.mark.parametrize("interval", [Interval.S30, Interval.M1, Interval.M15, Interval.H4, Interval.DAY])
def test_bars_and_quote_agree_on_the_day_of_expiry_until_the_next_one_begins(
    instrument: Instrument, interval: Interval
) -> None:
    bars = bars_of(instrument, interval, EXPIRY, ist(EXPIRY, 23))
    (before,) = bars_of(instrument, Interval.DAY, EXPIRY - timedelta(days=1), ist(EXPIRY, 23))
    for at in (ist(EXPIRY, 15, 30), ist(EXPIRY, 23), ist(EXPIRY + timedelta(days=1), 9, 14)):
        quote = MARKET.quote(instrument, at)
        assert joined(bars) == (quote.open, quote.high, quote.low, quote.ltp, quote.volume, quote.oi)
        assert (quote.prev_close, quote.bid, quote.ask) == (before.close, quote.ltp, quote.ltp)
    # That call is worth a tick all day.
    assert instrument is CALL or quote.high > quote.low


@every_contract
@pytest.mark.parametrize("interval", [Interval.DAY, Interval.YEAR])
def test_a_contract_has_bars_for_as_long_as_exchanges_list_one(instrument: Instrument, interval: Interval) -> None:
    begins = EXPIRY - timedelta(days=MOST_DAYS_LISTED)
    bars = bars_of(instrument, interval, date.min, ist(begins + timedelta(days=3), 12), date.max)
    assert bars[0].start.astimezone(IST).date() == begins
    assert len(bars) == (4 if interval is Interval.DAY else 1)
    assert bars_of(instrument, interval, date.min, ist(begins, 9), date.max) == []


def test_the_open_interest_moves_while_the_session_lasts_and_not_at_night() -> None:
    *session, night = bars_of(FUTURE, Interval.M15, SATURDAY, ist(MONDAY, 3))
    assert len({bar.oi for bar in session}) > 5
    assert night.oi == session[-1].oi
    tomorrow = bars_of(FUTURE, Interval.M15, SUNDAY, ist(MONDAY, 3))
    assert abs(tomorrow[0].oi - night.oi) < night.oi // 20


@pytest.mark.parametrize("exchange", Exchange)
def test_every_exchange_has_a_market(exchange: Exchange) -> None:
    thing, at = replace(SBIN, exchange=exchange), ist(SUNDAY, 23, 59, 59)
    quote = MARKET.quote(thing, at)
    day = bars_of(thing, Interval.H1, SUNDAY, at)
    assert joined(day) == (quote.open, quote.high, quote.low, quote.ltp, quote.volume, quote.oi)


def test_every_kind_of_instrument_is_among_these() -> None:
    assert {each.kind for each in KINDS} == set(Kind)
