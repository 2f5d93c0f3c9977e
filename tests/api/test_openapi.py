"""The OpenAPI document names every endpoint as it is."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient

from openalgo_bridge.api.endpoints import ENDPOINTS, Endpoint
from openalgo_bridge.api.limits import Bucket
from openalgo_bridge.api.openapi import document
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings
from tests.api.conftest import ORDER, Post, rest
from tests.conftest import TRADER, Account, app_of, client_of

PATH = "/api/v1/openapi.json"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """As a reader outside gets it."""
    made: dict[str, Any] = json.loads(json.dumps(document(ENDPOINTS, Settings())))
    return made


def operations(told: dict[str, Any]) -> dict[str, Any]:
    """By their operationId."""
    return {each["operationId"]: each for path in told["paths"].values() for each in path.values()}


def test_every_row_of_the_table_is_in_it_and_nothing_else(told: dict[str, Any]) -> None:
    assert set(operations(told)) == {endpoint.name for endpoint in ENDPOINTS}
    assert len(operations(told)) == len(ENDPOINTS)


def test_it_is_valid_openapi(told: dict[str, Any]) -> None:
    assert told["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(told).validate()


def test_it_is_served_without_a_key_as_compact_json(client: FlaskClient, told: dict[str, Any]) -> None:
    answer = client.get(PATH)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json()["components"] == told["components"]
    assert answer.get_json()["paths"].keys() == told["paths"].keys()
    assert answer.text == json.dumps(answer.get_json(), separators=(",", ":"))


def test_it_is_the_same_whoever_asks_and_whatever_was_traded(client: FlaskClient, account: Account, post: Post) -> None:
    before = client.get(PATH).text
    assert post("placeorder", **ORDER)[0] == 200
    assert client.get(PATH, headers={"X-API-KEY": account.key}).text == before
    assert account.key not in before


def test_asking_for_it_is_in_the_traffic_log(client: FlaskClient, desk: Desk) -> None:
    client.get(PATH)
    (row,) = desk.store.traffic.page()
    assert (row.method, row.endpoint, row.status, row.outcome) == ("GET", PATH, 200, "ok")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_can_only_be_read(client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method)
    assert answer.status_code == 404
    assert answer.get_json()["status"] == "error"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
def test_what_it_says_of_a_body_is_what_the_view_reads(endpoint: Endpoint) -> None:
    source = ast.parse(textwrap.dedent(inspect.getsource(endpoint.view)))
    calls = [node for node in ast.walk(source) if isinstance(node, ast.Call)]
    parsed = {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "call.parsed"}
    assert parsed == {endpoint.request.__name__} or (not parsed and endpoint.request is Nothing)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
def test_a_call_is_described_in_words(told: dict[str, Any], endpoint: Endpoint) -> None:
    operation = operations(told)[endpoint.name]
    assert operation["summary"].endswith(".")
    needed = "Any key may call it." if endpoint.needs is None else endpoint.needs.sentence
    assert needed in operation["description"]
    assert ("parameters" in operation and "IdempotencyKey" in str(operation["parameters"])) is (
        endpoint.bucket is not Bucket.READS
    )
    assert {"200", "400", "401", "403", "413", "421", "429", "503"} <= set(operation["responses"])


def test_the_limits_are_those_of_this_bridge() -> None:
    settings = Settings(order_rate_limit="3 per minute", api_rate_limit="7 per hour", flask_port=5055)
    told = document(ENDPOINTS, settings)
    by_name = operations(told)
    assert "At most 3 per minute, all order endpoints together." in by_name["placeorder"]["description"]
    assert "At most 3 per minute, all cancels together" in by_name["cancelorder"]["description"]
    assert "At most 3 per minute, all closings together" in by_name["closeposition"]["description"]
    assert "At most 7 per hour" in by_name["funds"]["description"]
    assert told["servers"] == [{"url": "http://127.0.0.1:5055"}]


def test_no_text_of_it_is_meant_for_who_reads_the_code(told: dict[str, Any]) -> None:
    text = json.dumps(told)
    assert "``" not in text
    assert "contract" not in text


def test_answers_have_the_fields_it_names_and_no_others(told: dict[str, Any]) -> None:
    answers = [name for name in told["components"]["schemas"] if name.endswith("Answer")]
    assert len(answers) >= 14
    for name in answers:
        assert told["components"]["schemas"][name]["additionalProperties"] is False, name


def test_real_answers_have_its_shapes(app: Flask, desk: Desk, account: Account, post: Post) -> None:
    """With orders, fills and positions there, so that no list is empty."""
    described = schemathesis.openapi.from_dict(client_of(app).get(PATH).get_json())
    post("placeorder", **ORDER, product="CNC")
    resting = rest(post)
    order = {**ORDER, "pricetype": "LIMIT", "product": "MIS", "price": 1400}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("placeorder", ORDER),
        ("orderstatus", {"orderid": resting}),
        ("orderbook", {}),
        ("tradebook", {}),
        ("positionbook", {}),
        ("openposition", {"symbol": "RELIANCE", "exchange": "NSE", "product": "MIS"}),
        ("funds", {}),
        ("analyzer/toggle", {"mode": "true"}),
        ("modifyorder", {**order, "orderid": resting, "quantity": 5}),
        ("cancelorder", {"orderid": resting}),
        ("cancelallorder", {}),
        ("closeposition", {}),
        ("orderstatus", {"orderid": "26112199999999"}),
        ("placeorder", {"symbol": 5}),
    ]
    for path, fields in asked:
        answer = client_of(app).post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
        described[f"/api/v1/{path}"]["POST"].validate_response(answer)
    assert post("orderbook")[1]["data"]["orders"]
    assert post("tradebook")[1]["data"]


def test_a_smart_order_beside_one_that_works_has_its_shape(app: Flask, account: Account, post: Post) -> None:
    described = schemathesis.openapi.from_dict(client_of(app).get(PATH).get_json())
    rest(post)
    fields = {"apikey": account.key, **ORDER, "position_size": 50}
    answer = client_of(app).post("/api/v1/placesmartorder", json=fields)
    assert answer.get_json()["message"] == "Still working: BUY 10."
    described["/api/v1/placesmartorder"]["POST"].validate_response(answer)


def test_a_closing_that_waits_has_its_shape_when_it_is_asked_for(
    app: Flask, desk: Desk, account: Account, post: Post
) -> None:
    described = schemathesis.openapi.from_dict(client_of(app).get(PATH).get_json())
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    reference = post("closeposition", symbol="RELIANCE", exchange="NSE", product="MIS")[1]["reference"]
    answer = client_of(app).post("/api/v1/orderstatus", json={"apikey": account.key, "orderid": reference})
    row = answer.get_json()["data"]
    assert (row["symbol"], row["exchange"], row["product"], row["order_status"]) == ("RELIANCE", "NSE", "MIS", "held")
    described["/api/v1/orderstatus"]["POST"].validate_response(answer)


def test_a_held_order_and_one_in_doubt_have_its_shapes_too(app: Flask) -> None:
    """Only which answers there are: their making is tested where they are made."""
    schemas = client_of(app).get(PATH).get_json()["components"]["schemas"]
    assert set(schemas["QueuedAnswer"]["required"]) == {"status", "message", "mode", "pending_order_id", "reference"}
    assert set(schemas["InDoubtAnswer"]["required"]) == {"status", "orderid", "reference", "order_status", "message"}


def test_another_port_has_another_address(desk: Desk) -> None:
    other = app_of(replace(desk, settings=replace(desk.settings, flask_port=5055)))
    told = other.extensions["api"].extensions["openapi"]()
    assert told["servers"] == [{"url": "http://127.0.0.1:5055"}]
