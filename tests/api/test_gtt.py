"""Orders that wait for a price over days (contract 2.7), which the paper exchange does not keep."""

from __future__ import annotations

from typing import Any

import pytest

from openalgo_bridge.brokers.base import Capabilities
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.permission import PRESETS, Preset
from tests.api.conftest import Post
from tests.conftest import TRADER, Account, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker

SINGLE = {
    "strategy": "test",
    "symbol": "INFY",
    "exchange": "NSE",
    "action": "SELL",
    "product": "CNC",
    "quantity": 5,
    "trigger_type": "single",
    "price": 1478,
    "triggerprice_sl": "1480",
    "triggerprice_tg": "",
    "stoploss": "",
    "target": None,
}
OCO = {**SINGLE, "trigger_type": "OCO", "triggerprice_tg": 1620, "stoploss": 1478, "target": 1622, "price": 0}
NOT_OFFERED = "GTT orders are not supported for broker 'paper' yet"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("placegttorder", SINGLE),
        ("placegttorder", OCO),
        ("placegttorder", {**SINGLE, "expires_at": "2027-01-31 15:30:00"}),
        ("modifygttorder", {**OCO, "trigger_id": "23132604291205"}),
        ("modifygttorder", {**SINGLE, "trigger_id": 23132604291205}),
        ("cancelgttorder", {"strategy": "test", "trigger_id": "23132604291205"}),
    ],
)
def test_a_good_request_is_told_that_the_broker_keeps_none(
    post: Post, desk: Desk, path: str, fields: dict[str, Any]
) -> None:
    status, answer = post(path, **fields)
    assert (status, answer) == (501, {"status": "error", "message": NOT_OFFERED, "mode": "analyze"})
    assert desk.store.journal.mark().ticket_id == 0


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"trigger_type": "TWO"}, "trigger_type", "Must be 'SINGLE' or 'OCO'."),
        (
            {"product": "MIS"},
            "product",
            "GTT supports only CNC (delivery) or NRML (overnight F&O); MIS is intraday-only.",
        ),
        ({"pricetype": "SL"}, "pricetype", "Must be one of: LIMIT, MARKET."),
        ({"quantity": 0}, "quantity", "Quantity must be a positive number."),
        ({"price": -1}, "price", "Must be a non-negative number."),
        ({"triggerprice_sl": -1}, "triggerprice_sl", "Must be a non-negative number."),
        (
            {"triggerprice_sl": 0},
            "triggerprice_sl",
            "SINGLE GTT requires a positive triggerprice_sl or triggerprice_tg.",
        ),
        ({"expires_at": "tomorrow"}, "expires_at", "Must be YYYY-MM-DD, YYYY-MM-DD HH:MM:SS or ISO 8601."),
        ({"expires_at": "2027-02-30"}, "expires_at", "Must be YYYY-MM-DD, YYYY-MM-DD HH:MM:SS or ISO 8601."),
    ],
)
def test_a_fault_is_told_before_anything_else(post: Post, change: dict[str, Any], field: str, told: str) -> None:
    status, answer = post("placegttorder", **{**SINGLE, **change})
    assert status == 400
    assert answer["errors"] == {field: [told]}


def test_two_triggers_need_both_prices_in_their_order(post: Post) -> None:
    status, answer = post("placegttorder", **{**OCO, "triggerprice_tg": 0, "target": ""})
    assert status == 400
    assert set(answer["errors"]) == {"triggerprice_tg", "target"}
    assert answer["errors"]["target"][0].startswith("Required for OCO (")
    crossed = post("placegttorder", **{**OCO, "triggerprice_sl": 1620})[1]
    assert crossed["errors"]["triggerprice_sl"] == [
        "Stoploss trigger must be less than target trigger (triggerprice_tg)."
    ]


@pytest.mark.parametrize("path", ["modifygttorder", "cancelgttorder"])
def test_the_one_that_is_meant_must_be_named(post: Post, path: str) -> None:
    status, answer = post(path, **OCO)
    assert (status, answer["errors"]) == (400, {"trigger_id": ["Missing data for required field."]})


def test_the_list_is_empty_where_the_broker_keeps_none(post: Post) -> None:
    assert post("gttorderbook") == (200, {"status": "success", "data": [], "mode": "analyze"})


def test_the_list_of_a_broker_that_keeps_some_is_not_called_empty(desk: Desk, account: Account) -> None:
    class Keeper(ScriptedBroker):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(reread_after=0.0, keeps_gtt_orders=True)

    client = client_of(app_of(with_broker(desk, Keeper(desk))))
    answer = client.post("/api/v1/gttorderbook", json={"apikey": account.key})
    assert (answer.status_code, answer.get_json()["status"]) == (501, "error")


def test_a_key_that_only_reads_places_none(post: Post, desk: Desk) -> None:
    desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    assert post("placegttorder", **SINGLE)[0] == 403
    assert post("gttorderbook")[0] == 200
