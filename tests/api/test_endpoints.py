"""Every endpoint, as a program calls it: the answer, the error shape, and the row in the traffic log."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.desk import Desk
from openalgo_bridge.guard import MAX_BODY_BYTES
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings
from tests.api.conftest import ORDER, Post, address_of, send
from tests.api.test_body import BAD
from tests.conftest import TRADER, Account, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker

READS = ["orderbook", "tradebook", "positionbook", "holdings", "funds", "analyzer", "ping"]

# What is larger is the guard's to refuse, with 413.
SMALL_ENOUGH = {name: raw for name, raw in BAD.items() if len(raw) <= MAX_BODY_BYTES}


def rest_of(desk: Desk) -> list[Any]:
    return desk.store.traffic.page()


def test_an_order_is_placed_filled_and_seen_in_every_book(post: Post) -> None:
    status, placed = post("placeorder", **ORDER)
    assert (status, placed.get("status"), placed.get("mode")) == (200, "success", "analyze"), placed
    order_id = placed["orderid"]
    assert isinstance(order_id, str)
    data = post("orderstatus", orderid=order_id)[1]["data"]
    assert (data["order_status"], data["quantity"], data["orderid"]) == ("complete", "10", order_id)
    assert data["average_price"] > 0
    assert post("orderbook")[1]["data"]["orders"][0]["orderid"] == order_id
    assert post("orderbook")[1]["data"]["statistics"]["total_completed_orders"] == 1
    (trade,) = post("tradebook")[1]["data"]
    assert (trade["orderid"], trade["average_price"]) == (order_id, data["average_price"])
    (position,) = post("positionbook")[1]["data"]
    assert (position["symbol"], position["quantity"]) == ("RELIANCE", "10")
    held = post("openposition", symbol="RELIANCE", exchange="NSE", product="MIS")[1]
    assert held["quantity"] == "10"
    funds = post("funds")[1]["data"]
    assert float(funds["utiliseddebits"]) == pytest.approx(data["average_price"] * 10 / 5, abs=0.02)


def test_a_resting_order_is_changed_and_withdrawn(post: Post) -> None:
    ltp = post("quotes", symbol="RELIANCE", exchange="NSE")[1]["data"]["ltp"]
    low = str(round(ltp * 0.9))
    _, placed = post("placeorder", **ORDER, pricetype="LIMIT", price=low)
    order_id = placed["orderid"]
    assert post("orderstatus", orderid=order_id)[1]["data"]["order_status"] == "open"
    change = {**ORDER, "orderid": order_id, "pricetype": "LIMIT", "product": "MIS", "price": low, "quantity": 20}
    status, changed = post("modifyorder", **change)
    assert (status, changed["orderid"], changed["message"]) == (200, order_id, "Order modified successfully")
    assert post("orderstatus", orderid=order_id)[1]["data"]["quantity"] == "20"
    status, cancelled = post("cancelorder", orderid=order_id, strategy="test")
    assert (status, cancelled["orderid"], cancelled["message"]) == (200, order_id, "Order cancelled successfully")
    assert post("orderstatus", orderid=order_id)[1]["data"]["order_status"] == "cancelled"
    assert post("cancelorder", orderid=order_id)[0] == 400


@pytest.mark.parametrize("path", ["orderstatus", "cancelorder"])
def test_an_unknown_order_is_404(post: Post, path: str) -> None:
    status, answer = post(path, orderid="26112199999999", strategy="test")
    assert (status, answer["status"], answer["message"]) == (404, "error", "Order 26112199999999 not found")


def test_a_change_of_an_unknown_order_is_404(post: Post) -> None:
    change = {**ORDER, "orderid": "9", "pricetype": "LIMIT", "product": "MIS", "price": "1000"}
    assert post("modifyorder", **change)[0] == 404


def test_quotes_are_numbers_that_agree(post: Post) -> None:
    _, answer = post("quotes", symbol="RELIANCE", exchange="NSE")
    quote = answer["data"]
    prices = {"ask", "bid", "high", "low", "ltp", "open", "prev_close"}
    assert set(quote) == prices | {"ask_qty", "bid_qty", "oi", "volume"}
    assert all(isinstance(value, int | float) for value in quote.values())
    assert quote["bid"] <= quote["ltp"] <= quote["ask"]
    assert quote["low"] <= quote["ltp"] <= quote["high"]


def test_a_quote_of_an_unknown_symbol_is_400(post: Post) -> None:
    status, answer = post("quotes", symbol="NOSUCH", exchange="NSE")
    assert (status, answer["status"]) == (400, "error")
    assert "NOSUCH" in answer["message"]


def test_nothing_held_is_zero_not_an_error(post: Post) -> None:
    assert post("openposition", symbol="SBIN", exchange="NSE", product="MIS")[1]["quantity"] == "0"
    assert post("holdings")[1]["data"]["holdings"] == []


def test_ping_names_the_broker(post: Post) -> None:
    assert post("ping")[1] == {"status": "success", "data": {"broker": "paper", "message": "pong"}}


def test_semi_auto_answers_as_the_dialect_says_plus_a_reference(post: Post, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    status, answer = post("placeorder", **ORDER)
    (ticket,) = desk.store.journal.held()
    assert (status, answer) == (
        200,
        {
            "status": "success",
            "message": "Order queued for approval in Action Center",
            "mode": "semi_auto",
            "pending_order_id": ticket.id,
            "reference": ticket.ref,
        },
    )
    assert post("orderstatus", orderid=ticket.ref)[1]["data"]["order_status"] == "held"
    assert post("tradebook")[1]["data"] == []


def test_an_unclear_outcome_is_a_success_that_says_unknown(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk, fault=lambda: TimeoutError("read"))
    app = app_of(with_broker(desk, broker))
    client = client_of(app)
    fields = {"apikey": account.key, **ORDER}
    answer = client.post("/api/v1/placeorder", json=fields)
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["status"], body["order_status"]) == ("success", "unknown")
    asked = {"apikey": account.key, "orderid": body["orderid"]}
    status = client.post("/api/v1/orderstatus", json=asked).get_json()
    assert status["data"]["order_status"] == "unknown"


def test_a_program_cannot_switch_to_live(post: Post, desk: Desk) -> None:
    assert post("analyzer/toggle", mode=True)[1]["data"]["analyze_mode"] is True
    status, answer = post("analyzer/toggle", mode=False)
    assert (status, answer["status"]) == (403, "error")
    assert post("analyzer")[1]["data"]["mode"] == "analyze"


def test_a_call_without_a_key_is_400(client: FlaskClient, account: Account) -> None:
    for endpoint in ENDPOINTS:
        answer = send(client, endpoint, {})
        assert (answer.status_code, answer.get_json()["status"]) == (400, "error"), endpoint.name
        assert "apikey" in answer.get_json()["message"]


@pytest.mark.parametrize("key", ["x", "a" * 32, "é" * 32, 5, True, ["x"], {"a": "b"}])
def test_a_wrong_key_is_403_everywhere(client: FlaskClient, account: Account, key: Any) -> None:
    for endpoint in ENDPOINTS:
        answer = send(client, endpoint, {"apikey": key, **ORDER})
        assert answer.status_code == 403, endpoint.name
        assert answer.get_json()["message"].startswith("Invalid openalgo apikey")


def test_the_key_is_taken_from_the_header_and_with_spaces_around_it(client: FlaskClient, account: Account) -> None:
    for headers, fields in (
        ({"X-API-KEY": account.key}, {}),
        ({}, {"apikey": f"  {account.key}\n"}),
        ({"X-API-KEY": account.key}, {"apikey": account.key}),
    ):
        assert client.post("/api/v1/ping", json=fields, headers=headers).status_code == 200


def test_spaces_around_the_key_are_noted_in_the_log(client: FlaskClient, desk: Desk, account: Account) -> None:
    client.post("/api/v1/ping", json={"apikey": account.key})
    client.post("/api/v1/ping", json={"apikey": f" {account.key}"})
    assert [call.message for call in desk.store.traffic.page()] == ["The key had spaces around it.", None]


def test_two_different_keys_are_refused(client: FlaskClient, account: Account) -> None:
    answer = client.post("/api/v1/ping", json={"apikey": account.key}, headers={"X-API-KEY": "other"})
    assert answer.status_code == 400


def test_a_bearer_token_is_told_what_to_use(client: FlaskClient, account: Account) -> None:
    answer = client.post("/api/v1/ping", json={}, headers={"Authorization": f"Bearer {account.key}"})
    assert answer.status_code == 401
    assert "apikey" in answer.get_json()["message"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_body_is_judged_by_what_it_is(client: FlaskClient, account: Account, kind: str) -> None:
    raw = json.dumps({"apikey": account.key}, indent=2)
    assert client.post("/api/v1/ping", data=raw, content_type=kind).status_code == 200


@pytest.mark.parametrize("raw", SMALL_ENOUGH.values(), ids=SMALL_ENOUGH.keys())
def test_a_bad_body_is_400_logged_and_places_nothing(
    client: FlaskClient, desk: Desk, account: Account, raw: bytes
) -> None:
    answer = client.post("/api/v1/placeorder", data=raw)
    assert (answer.status_code, answer.get_json()["status"]) == (400, "error")
    (call,) = desk.store.traffic.page()
    assert (call.endpoint, call.status, call.outcome) == ("/api/v1/placeorder", 400, "bad request")
    assert desk.store.journal.tickets() == []


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": -1},
        {"quantity": 0},
        {"quantity": "1.5"},
        {"symbol": "NOSUCH"},
        {"pricetype": "LIMIT"},
        {"pricetype": "SL-M"},
        {"action": "HOLD"},
        {"exchange": "NYSE"},
        {"product": "BO"},
        {"price": "-1"},
    ],
)
def test_bad_input_is_400_with_a_sentence_and_places_nothing(post: Post, desk: Desk, change: dict[str, Any]) -> None:
    status, answer = post("placeorder", **{**ORDER, **change})
    assert (status, answer["status"]) == (400, "error")
    (field,) = change if "pricetype" not in change else answer["errors"]
    assert field in answer["errors"]
    assert desk.store.journal.tickets() == []
    assert rest_of(desk)[0].message == answer["message"]


def test_a_refusal_by_the_exchange_is_400_with_its_words(post: Post, desk: Desk) -> None:
    status, answer = post("placeorder", **{**ORDER, "quantity": 500_000})
    assert (status, answer["status"]) == (400, "error")
    assert "fund" in answer["message"].lower()
    (ticket,) = desk.store.journal.tickets()
    (order,) = desk.store.journal.orders_of([ticket.id])
    assert (order.state, answer["mode"]) == ("rejected", "analyze")
    assert desk.store.traffic.page()[0].ticket_id == ticket.id


def test_a_held_order_is_withdrawn_by_its_reference(post: Post, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    reference = post("placeorder", **ORDER)[1]["reference"]
    status, answer = post("cancelorder", orderid=reference)
    assert (status, answer["status"], answer["orderid"]) == (200, "success", reference)
    assert desk.store.journal.held() == []
    assert post("orderstatus", orderid=reference)[1]["data"]["order_status"] == "rejected"


def test_an_order_that_semi_auto_could_never_send_is_refused_at_once(post: Post, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert post("placeorder", **{**ORDER, "product": "NRML"})[0] == 400
    assert desk.store.journal.held() == []


@pytest.mark.parametrize("path", ["//placeorder", "/./placeorder", "/placeorder//", "/PLACEORDER"])
def test_an_odd_path_is_never_redirected(client: FlaskClient, path: str) -> None:
    assert client.post(f"/api/v1{path}", json={}).status_code == 404


def test_a_wrong_verb_is_404_in_the_error_shape(client: FlaskClient) -> None:
    for path in {address_of(endpoint) for endpoint in ENDPOINTS}:
        right = {endpoint.method for endpoint in ENDPOINTS if address_of(endpoint) == path}
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - right):
            answer = client.open(path, method=method)
            assert answer.status_code == 404, (path, method)
            assert answer.get_json() == {"status": "error", "message": "Not found", "path": path}
        assert client.head(path).status_code == (400 if "GET" in right else 404), path


def test_a_trailing_slash_is_answered_and_never_redirected(client: FlaskClient, account: Account) -> None:
    for endpoint in ENDPOINTS:
        answer = send(client, replace(endpoint, path=f"{endpoint.path}/"), {"apikey": "x"})
        assert answer.status_code == 403, endpoint.name


@pytest.mark.parametrize("path", READS)
def test_answers_are_compact_json_with_a_length(client: FlaskClient, account: Account, path: str) -> None:
    answer = client.post(f"/api/v1/{path}", json={"apikey": account.key})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert '"status":"success"' in text
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
    assert answer.content_type == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_every_route_and_every_end_is_one_closed_row(client: FlaskClient, desk: Desk, account: Account) -> None:
    tried = 0
    for path in [*map(address_of, ENDPOINTS), "/api/v1/nosuch"]:
        for fields in ({}, {"apikey": "x"}, {"apikey": account.key}):
            client.post(path, json=fields)
            client.get(path, query_string=fields)
            tried += 2
    calls = desk.store.traffic.page(limit=500)
    assert len(calls) == tried
    assert all(call.status and call.duration_ms is not None and call.outcome for call in calls)
    assert [call.id for call in calls] == sorted((call.id for call in calls), reverse=True)


def test_a_fault_of_ours_is_500_in_the_error_shape_and_in_the_log(desk: Desk, account: Account) -> None:
    app = app_of(replace(desk, brokers={}))

    def broken() -> None:
        raise ZeroDivisionError("a bug")

    app.extensions["api"].view_functions["ping"] = broken
    answer = client_of(app).post("/api/v1/ping", json={"apikey": account.key})
    assert answer.status_code == 500
    assert answer.get_json() == {"status": "error", "message": "An unexpected error occurred"}
    (call,) = desk.store.traffic.page()
    assert (call.status, call.outcome) == (500, "failed")


def test_an_order_is_refused_when_its_row_cannot_be_written_but_a_cancel_is_not(post: Post, desk: Desk) -> None:
    ltp = post("quotes", symbol="RELIANCE", exchange="NSE")[1]["data"]["ltp"]
    _, placed = post("placeorder", **ORDER, pricetype="LIMIT", price=str(round(ltp * 0.9)))
    desk.store.files[1].write(
        "CREATE TRIGGER full BEFORE INSERT ON call BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    status, answer = post("placeorder", **ORDER)
    assert (status, answer["status"]) == (503, "error")
    assert len(desk.store.journal.tickets()) == 1
    assert post("funds")[0] == 200
    assert post("cancelorder", orderid=placed["orderid"])[0] == 200


def limited_client(desk: Desk, settings: Settings) -> FlaskClient:
    strict = replace(desk, settings=replace(settings, order_rate_limit="3 per hour", api_rate_limit="5 per hour"))
    app = app_of(strict)
    return client_of(app)


def test_over_the_limit_is_429_with_what_to_wait(desk: Desk, settings: Settings, account: Account) -> None:
    client = limited_client(desk, settings)
    fields = {"apikey": account.key, **ORDER}
    answers = [client.post("/api/v1/placeorder", json=fields) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1].get_json()
    assert refused["status"] == "error"
    assert refused["message"].startswith("Rate limit exceeded")
    assert int(answers[-1].headers["Retry-After"]) == refused["retry_after"]
    assert 3500 < refused["retry_after"] <= 3600
    assert len(desk.store.journal.tickets()) == 3
    assert desk.store.traffic.page()[0].status == 429


def test_all_order_endpoints_share_one_bucket_and_cancels_have_their_own(
    desk: Desk, settings: Settings, account: Account
) -> None:
    client = limited_client(desk, settings)
    change = {"apikey": account.key, **ORDER, "orderid": "1", "pricetype": "LIMIT", "product": "MIS", "price": "1"}
    for _ in range(3):
        client.post("/api/v1/modifyorder", json=change)
    assert client.post("/api/v1/placeorder", json={"apikey": account.key, **ORDER}).status_code == 429
    assert client.post("/api/v1/cancelorder", json={"apikey": account.key, "orderid": "1"}).status_code == 404
    assert client.post("/api/v1/funds", json={"apikey": account.key}).status_code == 200


def test_a_script_that_orders_in_a_loop_keeps_nobody_from_closing_his_positions(
    desk: Desk, settings: Settings, account: Account
) -> None:
    client = limited_client(desk, settings)
    fields = {"apikey": account.key, **ORDER}
    looping = [client.post("/api/v1/placeorder", json=fields).status_code for _ in range(5)]
    assert looping[3:] == [429, 429]
    closing = {"apikey": account.key, "strategy": "exit"}
    closed = [client.post("/api/v1/closeposition", json=closing).status_code for _ in range(4)]
    assert closed == [200, 200, 200, 429], "a loop of closings is slowed down as well"


def test_wrong_keys_never_use_up_the_right_keys_limit(desk: Desk, settings: Settings, account: Account) -> None:
    client = limited_client(desk, settings)
    for _ in range(50):
        assert client.post("/api/v1/placeorder", json={"apikey": "x" * 32, **ORDER}).status_code == 403
    assert client.post("/api/v1/placeorder", json={"apikey": account.key, **ORDER}).status_code == 200


def test_cookies_mean_nothing_to_the_api(client: FlaskClient, account: Account, app: Flask) -> None:
    client.set_cookie("bridge_5000", "anything", domain="127.0.0.1")
    answer = client.post("/api/v1/ping", json={"apikey": account.key})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
