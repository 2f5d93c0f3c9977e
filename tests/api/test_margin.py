"""What orders would block (contract 2.9)."""

from __future__ import annotations

from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from tests.api.conftest import Post
from tests.conftest import Account, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker

ONE = {
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "action": "BUY",
    "product": "CNC",
    "pricetype": "LIMIT",
    "quantity": "10",
    "price": "1300",
}


def test_the_margin_of_several_orders_is_their_sum(post: Post, desk: Desk) -> None:
    status, answer = post("margin", positions=[ONE])
    assert status == 200
    one = answer["data"]["total_margin_required"]
    assert answer["data"] == {"total_margin_required": one, "span_margin": 0.0, "exposure_margin": one}
    assert one >= 10_000
    assert post("margin", positions=[ONE, ONE])[1]["data"]["total_margin_required"] == pytest.approx(2 * one)
    assert desk.store.journal.mark().ticket_id == 0


def test_numbers_may_be_numbers_or_text(post: Post) -> None:
    as_text = post("margin", positions=[ONE])[1]
    assert post("margin", positions=[{**ONE, "quantity": 10, "price": 1300.0, "trigger_price": 0}])[1] == as_text


@pytest.mark.parametrize(
    ("positions", "field", "told"),
    [
        ([], "positions", "Positions must contain 1 to 50 items."),
        ([ONE] * 51, "positions", "Positions must contain 1 to 50 items."),
        ([ONE, {**ONE, "quantity": "0"}], "positions[1].quantity", "Quantity must be a positive number."),
        ([{**ONE, "quantity": "ten"}], "positions[0].quantity", "Not a valid number."),
        ([ONE, {**ONE, "symbol": "NOSUCH"}], "positions[1].symbol", "Symbol NOSUCH not found on NSE."),
        ([{**ONE, "price": "0"}], "positions[0].price", "LIMIT orders require price."),
        ([{**ONE, "product": "BO"}], "positions[0].product", "Must be one of: CNC, NRML, MIS."),
    ],
)
def test_a_fault_names_the_place_of_its_order(post: Post, positions: list[Any], field: str, told: str) -> None:
    status, answer = post("margin", positions=positions)
    assert (status, answer["status"]) == (400, "error")
    assert answer["errors"] == {field: [told]}


def test_faults_of_all_orders_are_told_at_once(post: Post) -> None:
    answer = post("margin", positions=[{**ONE, "symbol": "NOSUCH"}, {**ONE, "price": "0"}])[1]
    assert set(answer["errors"]) == {"positions[0].symbol", "positions[1].price"}


def test_what_the_broker_would_refuse_is_told_with_its_place(post: Post) -> None:
    status, answer = post("margin", positions=[ONE, {**ONE, "product": "NRML"}])
    assert status == 400
    assert answer["message"].startswith("Position 2: NRML product not allowed")


def test_a_broker_that_cannot_say_is_named(desk: Desk, account: Account) -> None:
    client = client_of(app_of(with_broker(desk, ScriptedBroker(desk))))
    answer = client.post("/api/v1/margin", json={"apikey": account.key, "positions": [ONE]})
    assert answer.status_code == 404
    assert answer.get_json()["message"] == "Margin calculation not supported for broker: scripted"
