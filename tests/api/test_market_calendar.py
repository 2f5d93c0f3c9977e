"""Holidays and trading hours, as programs ask for them (contract 2.10)."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calendar import IST, SpecialDay
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours
from tests.api.conftest import Post
from tests.conftest import TRADER, Account, FixedClock


def ist_ms(day: str, at: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{at}+05:30").timestamp() * 1000)


def test_the_days_of_this_year_are_told_where_none_is_named(post: Post) -> None:
    status, answer = post("market/holidays")
    assert (status, answer["status"], answer["year"], answer["timezone"]) == (200, "success", 2026, "Asia/Kolkata")
    days = [row["date"] for row in answer["data"]]
    assert days == sorted(days)
    assert "2026-01-26" in days
    assert post("market/holidays", year="2026") == post("market/holidays", year=2026) == (status, answer)


def test_a_holiday_says_who_is_closed_and_who_trades_all_the_same(post: Post) -> None:
    rows = post("market/holidays", year=2026)[1]["data"]
    (holi,) = [row for row in rows if row["date"] == "2026-03-03"]
    assert set(holi) == {"date", "description", "holiday_type", "closed_exchanges", "open_exchanges"}
    assert holi["holiday_type"] == "TRADING_HOLIDAY"
    assert {"NSE", "BSE", "NFO", "BFO"} <= set(holi["closed_exchanges"])
    (mcx,) = [each for each in holi["open_exchanges"] if each["exchange"] == "MCX"]
    assert mcx["start_time"] == ist_ms("2026-03-03", "17:00:00")


def test_this_year_is_the_one_it_is_in_india(post: Post, clock: FixedClock) -> None:
    clock.moment = datetime(2026, 12, 31, 23, 59, tzinfo=IST)
    assert post("market/holidays")[1]["year"] == 2026
    clock.move(minutes=2)
    assert post("market/holidays")[1]["year"] == 2027


def test_a_year_without_a_list_is_empty(post: Post) -> None:
    status, answer = post("market/holidays", year=2049)
    assert (status, answer["data"], answer["year"]) == (200, [], 2049)


def test_what_the_trader_wrote_into_the_calendar_counts_at_once(post: Post, desk: Desk) -> None:
    evening = Hours(opens=time(18, 0), closes=time(19, 0))
    special = SpecialDay(day=date(2026, 11, 21), exchange=Exchange.NSE, description="Muhurat", hours=evening)
    assert [row["exchange"] for row in post("market/timings", date="2026-11-21")[1]["data"]] == ["CRYPTO"]
    desk.store.calendar.put([special], by=TRADER)
    rows = {row["exchange"]: row for row in post("market/timings", date="2026-11-21")[1]["data"]}
    assert rows["NSE"]["start_time"] == ist_ms("2026-11-21", "18:00:00")
    assert rows["NSE"]["end_time"] == ist_ms("2026-11-21", "19:00:00")


def test_an_ordinary_day_names_every_exchange_with_its_hours(post: Post) -> None:
    rows = post("market/timings", date="2026-11-20")[1]["data"]
    assert [row["exchange"] for row in rows] == ["NSE", "BSE", "NFO", "BFO", "MCX", "BCD", "CDS", "NCO", "CRYPTO"]
    assert rows[0] == {
        "exchange": "NSE",
        "start_time": ist_ms("2026-11-20", "09:15:00"),
        "end_time": ist_ms("2026-11-20", "15:30:00"),
    }


@pytest.mark.parametrize(
    ("path", "fields", "field", "text"),
    [
        ("holidays", {"year": 2019}, "year", "Must be greater than or equal to 2020 and less than or equal to 2050."),
        ("holidays", {"year": "2051"}, "year", "Must be greater than or equal to 2020 and less than or equal to 2050."),
        ("holidays", {"year": "next"}, "year", "Not a valid integer."),
        ("holidays", {"year": 2026.5}, "year", "Not a valid integer."),
        ("holidays", {"year": True}, "year", "Not a valid integer."),
        ("timings", {}, "date", "Missing data for required field."),
        ("timings", {"date": "20-11-2026"}, "date", "Invalid date format. Use YYYY-MM-DD"),
        ("timings", {"date": "2026-11-31"}, "date", "Invalid date format. Use YYYY-MM-DD"),
        ("timings", {"date": 20261120}, "date", "Invalid date format. Use YYYY-MM-DD"),
        ("timings", {"date": "2019-12-31"}, "date", "Must be between 2020-01-01 and 2050-12-31."),
    ],
)
def test_a_bad_day_or_year_names_the_field(
    post: Post, path: str, fields: dict[str, Any], field: str, text: str
) -> None:
    status, answer = post(f"market/{path}", **fields)
    assert (status, answer["status"], answer["errors"]) == (400, "error", {field: [text]})


@pytest.mark.parametrize(("path", "fields"), [("holidays", {}), ("timings", {"date": "2026-11-20"})])
def test_an_answer_is_compact_json(client: FlaskClient, account: Account, path: str, fields: dict[str, str]) -> None:
    text = client.post(f"/api/v1/market/{path}", json={"apikey": account.key, **fields}).get_data(as_text=True)
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
    assert text.startswith('{"status":"success"')
