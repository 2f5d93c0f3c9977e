"""Calls with the right key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge.api.endpoint import PREFIX, Endpoint, Method
from tests.conftest import Account

Post = Callable[..., tuple[int, Any]]
Get = Callable[..., TestResponse]
ORDER = {"strategy": "test", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "10"}


@pytest.fixture
def post(client: FlaskClient, account: Account) -> Post:
    """Call an endpoint with the right key; answers (status, JSON)."""

    def call(path: str, **fields: Any) -> tuple[int, Any]:
        answer = client.post(f"/api/v1/{path.strip('/')}", json={"apikey": account.key, **fields})
        return answer.status_code, answer.get_json()

    return call


@pytest.fixture
def get(client: FlaskClient, account: Account) -> Get:
    """Call an endpoint that is a GET with the right key in the query."""

    def call(path: str, **fields: str) -> TestResponse:
        return client.get(f"/api/v1/{path}", query_string={"apikey": account.key, **fields})

    return call


def address_of(endpoint: Endpoint) -> str:
    """Its path, with something where it takes a field."""
    return PREFIX + re.sub("<[a-z]+>", "NSE:RELIANCE", endpoint.path)


def send(client: FlaskClient, endpoint: Endpoint, fields: Mapping[str, Any], **options: Any) -> TestResponse:
    """Call an endpoint as its row in the table says: fields in the body, or in the address."""
    if endpoint.method is Method.POST:
        return client.post(address_of(endpoint), json=fields, **options)
    texts = {name: str(value) for name, value in fields.items()}
    return client.get(address_of(endpoint), query_string=texts, **options)


def rest(post: Post) -> str:
    """Place an order that works and does not fill; its number at the broker."""
    ltp = post("quotes", symbol="RELIANCE", exchange="NSE")[1]["data"]["ltp"]
    return str(post("placeorder", **ORDER, pricetype="LIMIT", price=round(ltp * 0.9))[1]["orderid"])
