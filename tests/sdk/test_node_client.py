"""The published Node client, unmodified: its six calls (contract 3.2), each sent as it sends them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openalgo_bridge.model.order import OrderRequest
from tests.node import miss, node
from tests.serving import Bridge

pytestmark = pytest.mark.sdk

HERE = Path(__file__).parent / "node"
SHARE = {"symbol": "SBIN", "exchange": "NSE", "product": "MIS"}

Call = Callable[..., Any]


@pytest.fixture
def call(bridge: Bridge) -> Call:
    """Calls one method of the client; its answer, or the status and answer that it threw."""
    program = node()
    if not (HERE / "node_modules" / "openalgo").is_dir():
        miss("needs the published client: npm ci --prefix tests/sdk/node")
    environment = {**os.environ, "BRIDGE_URL": bridge.url, "OPENALGO_API_KEY": bridge.key, "NO_PROXY": "127.0.0.1"}

    def made(method: str, **fields: Any) -> Any:
        command = [program, str(HERE / "client.mjs"), method, json.dumps(fields)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return made


def test_an_order_is_placed_changed_and_cancelled(bridge: Bridge, call: Call) -> None:
    low = round(bridge.ask("quotes", symbol="SBIN", exchange="NSE")["data"]["ltp"] * 0.9)
    placed = call("placeOrder", **SHARE, action="BUY", priceType="LIMIT", quantity=10, price=low)
    assert placed["status"] == "success"
    # It sends no disclosed_quantity and no trigger_price, and a number stays a number.
    order = {"orderId": int(placed["orderid"]), **SHARE, "action": "BUY", "quantity": 20, "price": low}
    assert call("modifyOrder", **order)["orderid"] == placed["orderid"]
    status = bridge.ask("orderstatus", orderid=placed["orderid"])["data"]
    assert (status["quantity"], status["order_status"]) == ("20", "open")
    assert call("cancelOrder", orderId=placed["orderid"])["status"] == "success"
    assert bridge.ask("orderstatus", orderid=placed["orderid"])["data"]["order_status"] == "cancelled"


def test_its_own_spelling_of_other_fields_is_understood(bridge: Bridge, call: Call) -> None:
    low = round(bridge.ask("quotes", symbol="SBIN", exchange="NSE")["data"]["ltp"] * 0.9)
    order = {**SHARE, "action": "BUY", "priceType": "LIMIT", "quantity": 10, "price": low}
    placed = call("placeOrder", **order, disclosedQuantity=3)
    (sent,) = bridge.desk.store.journal.orders_of([bridge.tickets()[0].id])
    assert isinstance(sent.request, OrderRequest)
    assert sent.request.disclosed_quantity == 3
    assert placed["orderid"] in call("cancelAllOrder", strategy="NodeJS")["canceled_orders"]


def test_a_position_is_taken_to_its_size_and_closed(bridge: Bridge, call: Call) -> None:
    assert call("placeSmartOrder", **SHARE, action="BUY", quantity=1, positionSize=7)["status"] == "success"
    assert bridge.held("SBIN") == 7
    assert call("closePosition", strategy="NodeJS")["status"] == "success"
    assert bridge.held("SBIN") == 0


def test_a_forgotten_size_is_a_refusal_that_names_the_field(bridge: Bridge, call: Call) -> None:
    before = len(bridge.tickets())
    refused = call("placeSmartOrder", **SHARE, action="BUY", quantity=1)
    assert refused["status"] == 400
    assert "position_size" in refused["data"]["errors"]
    assert len(bridge.tickets()) == before
