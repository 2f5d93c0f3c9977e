"""When contracts expire, and when the exchange closes on that day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import IST, expires, last_close, next_expiry_day

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
