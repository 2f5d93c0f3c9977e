"""When contracts expire, and when the exchange closes on that day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import (
    IST,
    day_begin,
    expires,
    hours_on,
    last_close,
    next_expiry_day,
    trading_day,
)

DAY, NEXT = date(2026, 12, 29), date(2026, 12, 30)


@pytest.mark.parametrize(
    ("exchange", "expiry", "close"),
    [
        (Exchange.NFO, time(15, 30), time(15, 45)),
        (Exchange.MCX, time(23, 30), time(23, 55)),
        (Exchange.CDS, time(12, 30), time(17, 0)),
        (Exchange.NCDEX, time(17, 0), time(17, 0)),
    ],
)
def test_a_contract_expires_at_its_exchanges_time_and_not_after_the_close(
    exchange: Exchange, expiry: time, close: time
) -> None:
    moment = datetime.combine(DAY, expiry, IST)
    assert (expires(exchange, DAY), last_close(exchange, DAY)) == (moment, datetime.combine(DAY, close, IST))
    assert next_expiry_day(exchange, moment - timedelta(seconds=1)) == DAY
    assert next_expiry_day(exchange, moment) == NEXT


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        (date(2026, 7, 31), time(15, 30)),
        (date(2026, 8, 3), time(15, 15)),
        (date(2026, 12, 4), time(15, 15)),
        (date(2026, 12, 7), time(15, 30)),
    ],
)
def test_shares_with_derivatives_stop_where_their_closing_auction_begins(day: date, closes: time) -> None:
    for exchange in (Exchange.NSE, Exchange.BSE):
        assert hours_on(exchange, day, has_derivatives=True).closes == closes
        assert hours_on(exchange, day).closes == time(15, 30)


def test_only_shares_have_that_auction() -> None:
    day = date(2026, 11, 23)
    for exchange in (Exchange.NFO, Exchange.MCX, Exchange.CDS):
        assert hours_on(exchange, day, has_derivatives=True) == hours_on(exchange, day)


@pytest.mark.parametrize(
    ("expiry", "on_index", "on_share"),
    [
        (date(2026, 12, 1), time(15, 40), time(15, 40)),
        (date(2026, 12, 8), time(15, 30), time(15, 45)),
    ],
)
def test_index_contracts_stop_as_they_expire_since_the_others_go_on(
    expiry: date, on_index: time, on_share: time
) -> None:
    for exchange in (Exchange.NFO, Exchange.BFO):
        assert last_close(exchange, expiry, is_on_index=True) == datetime.combine(expiry, on_index, IST)
        assert last_close(exchange, expiry) == datetime.combine(expiry, on_share, IST)


def test_a_trading_day_runs_from_three_to_three() -> None:
    friday, saturday = date(2026, 11, 20), date(2026, 11, 21)
    before, after = datetime(2026, 11, 20, 21, 29, 59, tzinfo=UTC), datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    assert (trading_day(before), trading_day(after)) == (friday, saturday)
    assert day_begin(saturday) == after
