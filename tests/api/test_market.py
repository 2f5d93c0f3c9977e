"""Prices and bars, as the published clients read them (contract 2.4, 3.3, 5)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Unsupported
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.trading.budget import HISTORIES_AT_ONCE, Budget
from tests.api.conftest import ORDER, Get, Post
from tests.conftest import Account, FixedClock, app_of, client_of
from tests.fakes import ScriptedBroker, taken, with_broker

SBIN = {"symbol": "SBIN", "exchange": "NSE"}
DAYS = {"start_date": "2026-11-19", "end_date": "2026-11-20"}
A_DAY = 86_400


def midnight_utc(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())


def opening(day: str) -> int:
    """09:15 IST."""
    return int(datetime.fromisoformat(f"{day}T03:45:00+00:00").timestamp())


# -- prices ------------------------------------------------------------------------------------------


def test_several_prices_come_in_their_order_and_under_both_names(post: Post) -> None:
    asked = [SBIN, {"symbol": "NIFTY", "exchange": "NSE_INDEX"}]
    status, answer = post("multiquotes", symbols=asked)
    assert (status, answer["status"]) == (200, "success")
    assert answer["data"] == answer["results"]
    assert [(each["symbol"], each["exchange"]) for each in answer["results"]] == [
        ("SBIN", "NSE"),
        ("NIFTY", "NSE_INDEX"),
    ]
    assert answer["results"][0]["data"] == post("quotes", **SBIN)[1]["data"]


def test_what_is_not_listed_comes_first_and_says_so(post: Post) -> None:
    status, answer = post("multiquotes", symbols=[SBIN, {"symbol": "NOSUCH", "exchange": "NSE"}])
    bad, good = answer["results"]
    assert status == 200
    assert (bad["symbol"], bad["exchange"], "data" in bad) == ("NOSUCH", "NSE", False)
    assert bad["error"].startswith("Symbol 'NOSUCH' not found for exchange 'NSE'.")
    assert good["data"]["ltp"] > 0


def test_where_nothing_is_listed_it_is_an_error_that_names_each(post: Post) -> None:
    status, answer = post("multiquotes", symbols=[{"symbol": name, "exchange": "NSE"} for name in ("ONE", "TWO")])
    assert (status, answer["status"]) == (400, "error")
    assert [(each["symbol"], each["exchange"]) for each in answer["invalid_symbols"]] == [
        ("ONE", "NSE"),
        ("TWO", "NSE"),
    ]
    assert all(each["error"] for each in answer["invalid_symbols"])


def test_an_instrument_without_a_price_does_not_take_the_others_with_it(desk: Desk, account: Account) -> None:
    class HalfBlind(ScriptedBroker):
        def quotes(self, instruments: Any) -> list[Any]:
            return [None, *super().quotes(instruments[1:])]

    client = client_of(app_of(with_broker(desk, HalfBlind(desk))))
    asked = [SBIN, {"symbol": "RELIANCE", "exchange": "NSE"}]
    blind, seen = client.post("/api/v1/multiquotes", json={"apikey": account.key, "symbols": asked}).get_json()[
        "results"
    ]
    assert (blind["error"], seen["data"]["ltp"]) == ("There is no price for SBIN.", 1000.0)


@pytest.mark.parametrize(
    ("symbols", "field", "text"),
    [
        ([], "symbols", "Shorter than minimum length 1."),
        ([SBIN, {"symbol": "SBIN", "exchange": "NYSE"}], "symbols[1].exchange", "Must be one of: NSE, "),
        ([{"symbol": "SBIN"}], "symbols[0].exchange", "Missing data for required field."),
        ([SBIN, "SBIN"], "symbols[1]", "Invalid input type."),
        ("NSE:SBIN", "symbols", "Not a valid list."),
        (None, "symbols", "Field may not be null."),
    ],
)
def test_a_bad_list_of_symbols_names_the_place(post: Post, symbols: Any, field: str, text: str) -> None:
    status, answer = post("multiquotes", symbols=symbols)
    assert (status, answer["status"]) == (400, "error")
    assert answer["errors"][field][0].startswith(text)


def test_depth_has_five_levels_a_side_around_the_quote(post: Post) -> None:
    book, quote = post("depth", **SBIN)[1]["data"], post("quotes", **SBIN)[1]["data"]
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)
    assert (book["bids"][0]["price"], book["asks"][0]["price"]) == (quote["bid"], quote["ask"])
    assert [level["price"] for level in book["bids"]] == sorted((b["price"] for b in book["bids"]), reverse=True)
    assert [level["price"] for level in book["asks"]] == sorted(a["price"] for a in book["asks"])
    assert {name: book[name] for name in ("ltp", "open", "high", "low", "prev_close", "volume", "oi")} == {
        name: quote[name] for name in ("ltp", "open", "high", "low", "prev_close", "volume", "oi")
    }
    assert all(type(book[name]) is int for name in ("ltq", "oi", "volume", "totalbuyqty", "totalsellqty"))
    assert set(book["bids"][0]) == {"price", "quantity"}


def test_amibroker_finds_every_price_of_a_quote_in_the_text(client: FlaskClient, account: Account) -> None:
    """Its plugin takes what is behind the first occurrence of each name, up to a comma or a brace, for a number."""
    text = client.post("/api/v1/quotes", json={"apikey": account.key, **SBIN}).get_data(as_text=True)
    told = json.loads(text)["data"]
    assert '"status":"success"' in text
    for name in ("ltp", "open", "high", "low", "volume", "oi", "prev_close"):
        begin = text.index(f'"{name}":') + len(f'"{name}":')
        assert float(re.split("[,}]", text[begin:], maxsplit=1)[0]) == told[name]


@pytest.mark.parametrize("path", ["quotes", "depth"])
def test_an_unknown_symbol_is_400_in_the_dialects_words(post: Post, path: str) -> None:
    status, answer = post(path, symbol="NOSUCH", exchange="NSE")
    assert (status, answer["status"]) == (400, "error")
    assert answer["message"].startswith("Symbol 'NOSUCH' not found for exchange 'NSE'.")


def test_what_left_the_list_has_no_price_but_has_its_bars(desk: Desk, post: Post, clock: FixedClock) -> None:
    desk.store.instrument_lists.roll()
    first = min(desk.store.instruments.expiries(Exchange.NFO, "NIFTY", ["FUT"], today=clock.now().date()))
    (future, *_) = desk.store.instruments.futures(Exchange.NFO, "NIFTY", today=first)
    clock.moment = datetime.combine(first, clock.now().timetz()) + timedelta(days=3)
    desk.store.instrument_lists.roll()
    status, answer = post("quotes", symbol=future.symbol, exchange="NFO")
    assert status == 400
    assert answer["message"].startswith(f"Symbol '{future.symbol}' left the list of exchange 'NFO' by ")
    days = {"start_date": (first - timedelta(days=5)).isoformat(), "end_date": first.isoformat()}
    assert post("history", symbol=future.symbol, exchange="NFO", interval="D", **days)[1]["data"]


# -- bars --------------------------------------------------------------------------------------------


def test_bars_of_a_day_begin_at_midnight_utc_of_its_date_in_india(post: Post) -> None:
    rows = post("history", **SBIN, **DAYS, interval="D")[1]["data"]
    assert [row["timestamp"] for row in rows] == [midnight_utc("2026-11-19"), midnight_utc("2026-11-20")]
    assert rows[1]["close"] == post("quotes", **SBIN)[1]["data"]["prev_close"]


def test_bars_within_a_day_begin_at_their_moment(post: Post) -> None:
    rows = post("history", **SBIN, **DAYS, interval="5m")[1]["data"]
    starts = [row["timestamp"] for row in rows]
    assert starts[:3] == [opening("2026-11-19") + 300 * number for number in range(3)]
    assert starts == sorted(set(starts))
    assert opening("2026-11-20") in starts


def test_the_last_bar_ends_with_the_price_of_now(post: Post) -> None:
    today = {"start_date": "2026-11-21", "end_date": "2026-11-30"}
    rows = post("history", **SBIN, **today, interval="1m")[1]["data"]
    assert rows[-1]["close"] == post("quotes", **SBIN)[1]["data"]["ltp"]
    assert rows[-1]["timestamp"] <= datetime(2026, 11, 21, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("interval", list(Interval))
def test_every_interval_is_answered_with_plain_rows(post: Post, interval: Interval) -> None:
    status, answer = post("history", **SBIN, **DAYS, interval=interval)
    assert (status, answer["status"], bool(answer["data"])) == (200, "success", True)
    for row in answer["data"]:
        assert list(row) == ["timestamp", "open", "high", "low", "close", "volume", "oi"]
        assert all(type(row[name]) is int for name in ("timestamp", "volume", "oi"))
        assert row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"]


def test_amibroker_finds_its_texts_and_a_comma_after_every_price(client: FlaskClient, account: Account) -> None:
    """Its plugin searches the text: for these two literals, up to the first ``]``, and each price up to a comma."""
    asked = {"apikey": account.key, **SBIN, **DAYS, "interval": "1m"}
    text = client.post("/api/v1/history", json=asked).get_data(as_text=True)
    assert '"status":"success"' in text
    begin = text.index('"data":[') + len('"data":[')
    rows = re.findall(r"\{[^{}]*\}", text[begin : text.index("]", begin)])
    assert len(rows) == 2 * 376
    for row in rows:
        for name in ("timestamp", "open", "high", "low", "close", "volume"):
            assert re.search(rf'"{name}":-?[0-9.]+,', row), row
        assert re.search(r'"oi":[0-9]+\}$', row), row


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("quotes", SBIN),
        ("multiquotes", {"symbols": [SBIN]}),
        ("depth", SBIN),
        ("history", {**SBIN, **DAYS, "interval": "1m"}),
        ("history", {**SBIN, "interval": "D", "start_date": "2030-01-01", "end_date": "2030-01-02"}),
        ("intervals", {}),
    ],
)
def test_an_answer_is_compact_json_with_a_length(
    client: FlaskClient, account: Account, path: str, fields: dict[str, Any]
) -> None:
    answer = client.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
    text = answer.get_data(as_text=True)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
    assert text.startswith('{"status":"success"')
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "NaN" not in text


def test_days_without_bars_are_an_empty_success(post: Post) -> None:
    future = {"start_date": "2030-01-01", "end_date": "2030-01-02"}
    assert post("history", **SBIN, **future, interval="D") == (200, {"status": "success", "data": []})


def test_source_db_has_the_same_bars_and_says_when_there_are_none(post: Post) -> None:
    asked = {**SBIN, **DAYS, "interval": "D"}
    assert post("history", **asked, source="db") == post("history", **asked, source="api") == post("history", **asked)
    future = {"start_date": "2030-01-01", "end_date": "2030-01-02"}
    status, answer = post("history", **{**asked, **future}, source="db")
    assert (status, answer["status"]) == (404, "error")
    assert answer["message"].startswith("No data found for SBIN:NSE interval D in local database.")


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"interval": "4m"}, "interval", "Must be one of: 1s, 5s, "),
        ({"interval": 5}, "interval", "Not a valid string."),
        ({"start_date": "19-11-2026"}, "start_date", "Not a valid date."),
        ({"start_date": "2026-02-30"}, "start_date", "Not a valid date."),
        ({"start_date": 20261119}, "start_date", "Not a valid date."),
        ({"end_date": None}, "end_date", "Field may not be null."),
        ({"end_date": "٢٠٢٦-١١-٢٠"}, "end_date", "Not a valid date."),
        ({"start_date": "2026-11-21"}, "start_date", "Must not be after the last day."),
        ({"source": "cache"}, "source", "Must be one of: api, db."),
        ({"exchange": "nse"}, "exchange", "Must be one of: NSE, "),
        ({"symbol": "NOSUCH"}, "symbol", "Symbol 'NOSUCH' not found for exchange 'NSE'."),
    ],
)
def test_a_bad_question_about_bars_names_the_field(post: Post, change: dict[str, Any], field: str, text: str) -> None:
    status, answer = post("history", **{**SBIN, **DAYS, "interval": "D", **change})
    assert (status, answer["status"]) == (400, "error")
    assert answer["errors"][field][0].startswith(text)


def test_a_day_without_leading_zeros_is_taken(post: Post) -> None:
    asked = {**SBIN, "interval": "D", "start_date": "2026-9-1", "end_date": " 2026-9-1 "}
    assert [row["timestamp"] for row in post("history", **asked)[1]["data"]] == [midnight_utc("2026-09-01")]


def test_more_than_the_broker_gives_at_once_is_refused_in_its_words(post: Post) -> None:
    status, answer = post("history", **SBIN, interval="1s", start_date="2026-01-01", end_date="2026-11-20")
    assert (status, answer["status"]) == (400, "error")
    assert "1s" in answer["message"]


def test_all_six_kinds_of_intervals_are_there_and_each_can_be_asked_for(post: Post) -> None:
    kinds = post("intervals")[1]["data"]
    assert set(kinds) == {"seconds", "minutes", "hours", "days", "weeks", "months"}
    assert (kinds["seconds"][0], kinds["minutes"][0], kinds["days"]) == ("1s", "1m", ["D"])
    for word in chain.from_iterable(kinds.values()):
        assert post("history", **SBIN, **DAYS, interval=word)[0] == 200


def test_a_broker_without_bars_lists_none_and_says_so(desk: Desk, account: Account) -> None:
    class WithoutBars(ScriptedBroker):
        def history(self, *_: Any) -> Any:
            raise Unsupported("This broker has no bars.")

    client = client_of(app_of(with_broker(desk, WithoutBars(desk))))
    kinds = client.post("/api/v1/intervals", json={"apikey": account.key}).get_json()["data"]
    assert (len(kinds), any(kinds.values())) == (6, False)
    answer = client.post("/api/v1/history", json={"apikey": account.key, **SBIN, **DAYS, "interval": "D"})
    assert (answer.status_code, answer.get_json()["message"]) == (400, "This broker has no bars.")


def test_an_order_has_a_place_where_charts_and_quotes_have_none_left(desk: Desk, account: Account) -> None:
    budget = Budget(4)
    client = client_of(app_of(replace(desk, budget=budget)))
    held = [taken(budget) for _ in range(3)]
    bars = {**SBIN, **DAYS, "interval": "D"}
    for path, fields in (("quotes", SBIN), ("history", bars), ("placeorder", ORDER)):
        answer = client.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
        assert (path, answer.status_code) == (path, 200 if path == "placeorder" else 503)
    for release in held:
        release.set()


def test_a_chart_too_many_is_told_when_to_ask_again(desk: Desk, account: Account) -> None:
    budget = Budget(8, turn_s=0)
    client = client_of(app_of(replace(desk, budget=budget)))
    held = [taken(budget, is_history=True) for _ in range(HISTORIES_AT_ONCE)]
    answer = client.post("/api/v1/history", json={"apikey": account.key, **SBIN, **DAYS, "interval": "D"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "charts" in answer.get_json()["message"]
    for release in held:
        release.set()


# -- ticker ------------------------------------------------------------------------------------------


def test_ticker_answers_as_history_does(get: Get, post: Post) -> None:
    asked = get("ticker/NSE:SBIN", **{"from": "2026-11-19", "to": "2026-11-20", "interval": "5m"})
    assert asked.get_json() == post("history", **SBIN, **DAYS, interval="5m")[1]


def test_ticker_means_days_where_nothing_else_is_said(get: Get, post: Post) -> None:
    asked = get("ticker/NSE:SBIN", **{"from": "2026-11-19", "to": "2026-11-20"})
    assert asked.get_json() == post("history", **SBIN, **DAYS, interval="D")[1]


@pytest.mark.parametrize(
    ("interval", "first"), [("1m", "2026-10-22"), ("4h", "2026-10-22"), ("1s", "2026-11-12"), ("D", "2016-11-23")]
)
def test_ticker_leaves_out_without_a_word_what_is_too_long_ago(get: Get, post: Post, interval: str, first: str) -> None:
    """So a sheet may ask for all there is (contract 2.4.6); ``to`` may be a day that is still to come."""
    asked = get("ticker/NSE:SBIN", **{"from": "2010-01-01", "to": "2027-01-01", "interval": interval})
    given = post("history", **SBIN, start_date=first, end_date="2027-01-01", interval=interval)[1]
    assert given["data"]
    assert asked.get_json() == given


def test_ticker_takes_the_first_days_that_there_are(get: Get) -> None:
    asked = get("ticker/NSE:SBIN", **{"from": "0001-01-01", "to": "0001-01-02"})
    assert (asked.status_code, asked.get_json()["data"]) == (200, [])


def test_ticker_as_text_has_a_line_a_bar_in_indian_time(get: Get, post: Post) -> None:
    days = {"from": "2026-11-19", "to": "2026-11-20", "format": "txt"}
    answer = get("ticker/NSE:SBIN", **days)
    assert answer.content_type == "text/plain; charset=utf-8"
    row = post("history", **SBIN, **DAYS, interval="D")[1]["data"][0]
    cells = answer.get_data(as_text=True).split("\n")[0].split(",")
    assert cells[:2] == ["NSE:SBIN", "2026-11-19"]
    assert list(map(Decimal, cells[2:])) == [
        Decimal(str(row[name])) for name in ("open", "high", "low", "close", "volume")
    ]
    minutes = get("ticker/NSE:SBIN", **days, interval="1m").get_data(as_text=True).split("\n")
    assert minutes[0].startswith("NSE:SBIN,2026-11-19,09:15:00,")
    assert len(minutes) == 2 * 376


def test_a_name_with_signs_in_it_can_be_asked_for(get: Get) -> None:
    asked = {"from": "2026-11-20", "to": "2026-11-20", "format": "txt"}
    assert get("ticker/NSE:M%26M", **asked).get_data(as_text=True).startswith("NSE:M&M,2026-11-20,")


@pytest.mark.parametrize("name", ["SBIN", "SBIN-NSE", "NYSE:SBIN", ":SBIN", "NSE:", "NSE:NO SUCH", "NSE:NOSUCH", "%00"])
def test_a_ticker_that_names_nothing_is_400_and_nothing_is_guessed(get: Get, name: str) -> None:
    answer = get(f"ticker/{name}", **{"from": "2026-11-19", "to": "2026-11-20"})
    assert (answer.status_code, answer.get_json()["status"]) == (400, "error")


def test_a_fault_is_plain_text_where_text_was_asked_for(get: Get, client: FlaskClient) -> None:
    answer = get("ticker/NSE:NOSUCH", **{"from": "2026-11-19", "to": "2026-11-20", "format": "txt"})
    assert (answer.status_code, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert answer.get_data(as_text=True).startswith("Symbol 'NOSUCH' not found for exchange 'NSE'.")
    wrong = client.get("/api/v1/ticker/NSE:SBIN?apikey=x&format=txt")
    assert (wrong.status_code, wrong.content_type) == (403, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": ""}, "to"),
        ({"interval": "4m"}, "interval"),
        ({"format": "xml"}, "format"),
        ({"from": "2026-11-21"}, "from"),
    ],
)
def test_a_bad_ticker_question_names_the_field(get: Get, change: dict[str, str], field: str) -> None:
    answer = get("ticker/NSE:SBIN", **{"from": "2026-11-19", "to": "2026-11-20", **change})
    assert answer.status_code == 400
    assert field in answer.get_json()["errors"]
