"""Instruments, as programs look them up, search and load them (contract 2.6)."""

from __future__ import annotations

import csv
import http.client
import io
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.api import symbol_answers
from openalgo_bridge.api.text import MOST_SENT_AT_ONCE, Text
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.instrument import FUTURES, OPTIONS, Instrument, Kind
from openalgo_bridge.model.order import Exchange
from tests.api.conftest import Get, Post
from tests.conftest import PASSWORD, Account, FixedClock, Live

FIELDS = [
    "symbol", "brsymbol", "name", "exchange", "brexchange", "token", "expiry", "strike", "lotsize", "instrumenttype",
    "tick_size",
]  # fmt: skip


@pytest.fixture
def contracts(desk: Desk) -> Desk:
    """A list with futures and options."""
    desk.store.instrument_lists.roll()
    return desk


def an_option(desk: Desk, clock: FixedClock) -> Instrument:
    listed = desk.store.instruments
    today = clock.now().date()
    (nearest, *_) = listed.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=today)
    chain = listed.chain(Exchange.NFO, "NIFTY", nearest)
    call = chain[len(chain) // 2].call
    assert call is not None
    return call


# -- symbol ------------------------------------------------------------------------------------------


def test_a_share_is_told_with_lot_tick_and_token(post: Post) -> None:
    status, answer = post("symbol", symbol="SBIN", exchange="NSE")
    row = answer["data"]
    assert (status, answer["status"]) == (200, "success")
    assert set(row) == {*FIELDS, "freeze_qty", "id"}
    assert (row["symbol"], row["brsymbol"], row["exchange"], row["brexchange"]) == ("SBIN", "SBIN", "NSE", "NSE")
    assert (row["expiry"], row["strike"], row["instrumenttype"], row["lotsize"]) == ("", 0, "EQ", 1)
    assert all(type(row[name]) is int for name in ("lotsize", "freeze_qty", "id"))
    assert isinstance(row["token"], str)


def test_an_option_is_told_with_strike_and_expiry(post: Post, contracts: Desk, clock: FixedClock) -> None:
    option = an_option(contracts, clock)
    row = post("symbol", symbol=option.symbol, exchange="NFO")[1]["data"]
    assert option.expiry is not None
    assert row["expiry"] == option.expiry.strftime("%d-%b-%y").upper()
    assert (row["name"], row["instrumenttype"], row["strike"]) == ("NIFTY", "CE", float(option.strike))
    assert (row["lotsize"], row["freeze_qty"]) == (option.lot, option.freeze_quantity)


def test_no_two_instruments_have_one_id(post: Post) -> None:
    ids = [post("symbol", symbol=name, exchange="NSE")[1]["data"]["id"] for name in ("SBIN", "RELIANCE", "INFY")]
    assert len(set(ids)) == 3


def test_a_symbol_that_is_not_listed_is_404_in_the_dialects_words(post: Post) -> None:
    assert post("symbol", symbol="SBIN", exchange="MCX") == (
        404,
        {"status": "error", "message": "Symbol SBIN not found in exchange MCX"},
    )


# -- search ------------------------------------------------------------------------------------------


def test_search_finds_by_words_the_best_first(post: Post, contracts: Desk) -> None:
    status, answer = post("search", query="reliance")
    assert (status, answer["status"]) == (200, "success")
    assert answer["data"][0]["symbol"] == "RELIANCE"
    assert answer["message"] == f"Found {len(answer['data'])} matching symbols"
    assert list(answer["data"][0]) == [*FIELDS, "freeze_qty"]


def test_search_stays_on_its_exchange(post: Post, contracts: Desk) -> None:
    rows = post("search", query="nifty", exchange="NFO")[1]["data"]
    assert {row["exchange"] for row in rows} == {"NFO"}
    assert len(rows) == 500


def test_nothing_found_is_an_empty_success(post: Post) -> None:
    assert post("search", query="zzz nothing") == (
        200,
        {"status": "success", "message": "No matching symbols found", "data": []},
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "Query parameter is required and cannot be empty"),
        ("  ", "Query parameter is required and cannot be empty"),
        (5, "Not a valid string."),
        (None, "Field may not be null."),
        ("x" * 101, "Longer than maximum length 100."),
    ],
)
def test_a_search_for_nothing_is_400(post: Post, query: Any, text: str) -> None:
    status, answer = post("search", query=query)
    assert (status, answer["errors"]) == (400, {"query": [text]})


@pytest.mark.parametrize("query", ['"', "nifty'", "a* OR b", "^", "NEAR(a b)", "%", "\x00", "😀", "{words} : x"])
def test_no_sign_in_a_search_is_more_than_a_letter(post: Post, query: str) -> None:
    assert post("search", query=query)[0] == 200


# -- expiry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "kinds"), [("futures", FUTURES), ("options", OPTIONS)])
def test_expiries_come_nearest_first_and_only_those_to_come(
    post: Post, contracts: Desk, clock: FixedClock, word: str, kinds: Any
) -> None:
    status, answer = post("expiry", symbol="nifty", exchange="NFO", instrumenttype=word)
    days = contracts.store.instruments.expiries(Exchange.NFO, "NIFTY", kinds, today=clock.now().date())
    assert status == 200
    assert answer["data"] == [day.strftime("%d-%b-%y").upper() for day in days]
    assert days == sorted(days)
    assert answer["message"] == f"Found {len(days)} expiry dates for NIFTY {word} in NFO"


def test_what_does_not_expire_has_an_empty_list(post: Post) -> None:
    status, answer = post("expiry", symbol="SBIN", exchange="CRYPTO", instrumenttype="options")
    assert (status, answer["status"], answer["data"]) == (200, "success", [])


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"exchange": "NSE"}, "exchange", "Must be one of: NFO, BFO, MCX, CDS, NCO, BCD, NCDEX, CRYPTO."),
        ({"instrumenttype": "CE"}, "instrumenttype", "Must be one of: futures, options."),
        ({"symbol": None}, "symbol", "Field may not be null."),
    ],
)
def test_a_bad_question_about_expiries_names_the_field(
    post: Post, change: dict[str, Any], field: str, text: str
) -> None:
    status, answer = post("expiry", **{"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "options", **change})
    assert (status, answer["errors"]) == (400, {field: [text]})


# -- instruments -------------------------------------------------------------------------------------


def test_all_instruments_come_where_no_exchange_is_named(get: Get, desk: Desk) -> None:
    answer = get("instruments")
    told = answer.get_json()
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert told["message"] == f"Found {desk.store.instruments.count()} instruments"
    assert len(told["data"]) == desk.store.instruments.count()
    assert all(list(row) == FIELDS for row in told["data"])
    text = answer.get_data(as_text=True)
    assert text == json.dumps(told, separators=(",", ":"))
    assert text.startswith('{"status":"success","data":[{')


def test_instruments_of_one_exchange(get: Get) -> None:
    rows = get("instruments", exchange="NSE_INDEX").get_json()["data"]
    assert {row["exchange"] for row in rows} == {"NSE_INDEX"}
    assert [row["symbol"] for row in rows] == sorted(row["symbol"] for row in rows)


def test_an_exchange_without_instruments_is_an_empty_success(get: Get) -> None:
    assert get("instruments", exchange="BCD").get_json() == {
        "status": "success",
        "message": "No instruments found",
        "data": [],
    }


@pytest.mark.parametrize(("asked", "name"), [({}, "all"), ({"exchange": "NSE"}, "NSE")])
def test_the_csv_has_the_same_rows_under_the_same_names(get: Get, asked: dict[str, str], name: str) -> None:
    answer = get("instruments", **asked, format="csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=instruments_{name}.csv"
    lines = list(csv.reader(io.StringIO(answer.get_data(as_text=True), newline="")))
    assert lines[0] == FIELDS
    rows = get("instruments", **asked).get_json()["data"]
    assert lines[1:] == [[str(cell) for cell in row.values()] for row in rows]


def test_the_csv_of_an_exchange_without_instruments_is_its_header(get: Get) -> None:
    assert get("instruments", exchange="BCD", format="csv").get_data(as_text=True) == ",".join(FIELDS) + "\r\n"


def shares(count: int) -> Iterator[Instrument]:
    one = Instrument(
        symbol="A",
        exchange=Exchange.NSE,
        name='=cmd|"A"',
        kind=Kind.EQ,
        lot=1,
        tick=Decimal("0.05"),
        freeze_quantity=0,
        token="1",
        reference_price=Decimal(1),
    )
    return (replace(one, symbol=f"A{number}") for number in range(count))


def parts_of(text: Text) -> Generator[str, None, None]:
    assert isinstance(text.parts, Generator)
    return text.parts


@pytest.mark.parametrize(
    "make", [symbol_answers.instruments_json, lambda rows: symbol_answers.instruments_csv(rows, None)]
)
def test_the_list_is_read_while_it_is_sent(make: Callable[[Iterator[Instrument]], Text]) -> None:
    source = shares(5_000)
    parts = parts_of(make(source))
    next(parts)
    assert len(list(source)) > 3_000
    parts.close()


def test_programs_that_do_not_read_on_keep_a_few_threads_at_most(get: Get) -> None:
    stalled = [parts_of(symbol_answers.instruments_json(shares(5_000))) for _ in range(MOST_SENT_AT_ONCE)]
    refused = get("instruments")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    stalled[0].close()
    assert get("instruments").status_code == 200
    list(stalled[1])
    assert [get("instruments").status_code for _ in range(2 * MOST_SENT_AT_ONCE)] == [200] * 2 * MOST_SENT_AT_ONCE


def test_no_name_in_the_csv_is_a_formula() -> None:
    text = "".join(parts_of(symbol_answers.instruments_csv(shares(2), None)))
    (_, first, _) = csv.reader(io.StringIO(text, newline=""))
    assert first[2] == '\'=cmd|"A"'


def test_a_list_that_cannot_be_read_is_an_error_and_no_half_answer(get: Get, desk: Desk) -> None:
    desk.store.files[2].write("DROP TABLE instrument")
    answer = get("instruments")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "error")
    text = get("instruments", format="csv")
    assert (text.status_code, text.content_type) == (503, "text/plain; charset=utf-8")


@pytest.mark.parametrize(("field", "value"), [("exchange", "NYSE"), ("exchange", ""), ("format", "xml")])
def test_a_bad_question_about_the_list_names_the_field(get: Get, field: str, value: str) -> None:
    answer = get("instruments", **{field: value})
    assert answer.status_code == 400
    assert set(answer.get_json()["errors"]) == {field}


def test_over_the_wire_the_list_comes_in_chunks_and_the_connection_lives_on(live: Live) -> None:
    live.desk.store.instrument_lists.roll()
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)
    for form in ("json", "csv", "json"):
        connection.request("GET", f"/api/v1/instruments?format={form}", headers={"X-API-KEY": key})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        rows = json.loads(text)["data"] if form == "json" else text.splitlines()[1:]
        assert len(rows) == live.desk.store.instruments.count()
    connection.close()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("symbol", {"symbol": "SBIN", "exchange": "NSE"}),
        ("search", {"query": "sbin"}),
        ("expiry", {"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "options"}),
    ],
)
def test_an_answer_is_compact_json(
    client: FlaskClient, account: Account, contracts: Desk, path: str, fields: dict[str, str]
) -> None:
    answer = client.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
    text = answer.get_data(as_text=True)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
    assert '"status":"success"' in text
