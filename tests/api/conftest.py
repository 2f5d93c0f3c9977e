"""Calls with the right key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Account

Post = Callable[..., tuple[int, Any]]
ORDER = {"strategy": "test", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "10"}


@pytest.fixture
def post(client: FlaskClient, account: Account) -> Post:
    """Call an endpoint with the right key; answers (status, JSON)."""

    def call(path: str, **fields: Any) -> tuple[int, Any]:
        answer = client.post(f"/api/v1/{path.strip('/')}", json={"apikey": account.key, **fields})
        return answer.status_code, answer.get_json()

    return call


def rest(post: Post) -> str:
    """Place an order that works and does not fill; its number at the broker."""
    ltp = post("quotes", symbol="RELIANCE", exchange="NSE")[1]["data"]["ltp"]
    return str(post("placeorder", **ORDER, pricetype="LIMIT", price=round(ltp * 0.9))[1]["orderid"])
