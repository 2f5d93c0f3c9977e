"""What the OpenAPI document says of prices, instruments and the calendar is what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from schemathesis.schemas import BaseSchema

from openalgo_bridge.desk import Desk
from tests.api.conftest import Get
from tests.conftest import Account, client_of

SBIN = {"symbol": "SBIN", "exchange": "NSE"}
NOWHERE = {"symbol": "NOSUCH", "exchange": "NSE"}
DAYS = {"start_date": "2026-11-19", "end_date": "2026-11-20"}


@pytest.fixture
def described(app: Flask) -> BaseSchema:
    return schemathesis.openapi.from_dict(client_of(app).get("/api/v1/openapi.json").get_json())


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("quotes", SBIN, 200),
        ("quotes", NOWHERE, 400),
        ("multiquotes", {"symbols": [NOWHERE, SBIN]}, 200),
        ("multiquotes", {"symbols": [NOWHERE]}, 400),
        ("depth", SBIN, 200),
        ("history", {**SBIN, **DAYS, "interval": "30m"}, 200),
        ("history", {**SBIN, "interval": "D", "start_date": "2030-1-1", "end_date": "2030-1-1", "source": "db"}, 404),
        ("intervals", {}, 200),
        ("symbol", SBIN, 200),
        ("symbol", NOWHERE, 404),
        ("search", {"query": "nifty"}, 200),
        ("expiry", {"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "futures"}, 200),
        ("market/holidays", {"year": 2026}, 200),
        ("market/timings", {"date": "2026-11-20"}, 200),
    ],
)
def test_an_answer_has_the_shape_that_is_described(
    client: FlaskClient,
    desk: Desk,
    account: Account,
    described: BaseSchema,
    path: str,
    fields: Mapping[str, Any],
    status: int,
) -> None:
    desk.store.instrument_lists.roll()
    answer = client.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
    assert answer.status_code == status
    described[f"/api/v1/{path}"]["POST"].validate_response(answer)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_list_has_the_shape_that_is_described(get: Get, described: BaseSchema, form: str) -> None:
    described["/api/v1/instruments"]["GET"].validate_response(get("instruments", format=form))
    described["/api/v1/instruments"]["GET"].validate_response(get("instruments", format=form, exchange="NYSE"))


@pytest.mark.parametrize(("form", "name"), [("json", "NSE:SBIN"), ("txt", "NSE:SBIN"), ("txt", "NSE:NOSUCH")])
def test_a_ticker_has_the_shape_that_is_described(get: Get, described: BaseSchema, form: str, name: str) -> None:
    answer = get(f"ticker/{name}", **{"from": "2026-11-19", "to": "2026-11-20", "format": form})
    described["/api/v1/ticker/{instrument}"]["GET"].validate_response(answer)


def test_what_a_get_asks_for_is_described_as_parameters(described: BaseSchema) -> None:
    asked = described["/api/v1/ticker/{instrument}"]["GET"].definition.raw["parameters"]
    places = {each["name"]: (each["in"], each["required"]) for each in asked}
    assert places == {
        "apikey": ("query", False),
        "instrument": ("path", True),
        "interval": ("query", False),
        "from": ("query", True),
        "to": ("query", True),
        "format": ("query", False),
    }
