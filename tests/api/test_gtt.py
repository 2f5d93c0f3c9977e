"""Orders that wait for a price over days (contract 2.7), over the API. INFY stands between the two triggers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import OutcomeUnknown
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.permission import PRESETS, Permission, Preset
from openalgo_bridge.trading import approvals
from tests.api.conftest import Post
from tests.conftest import TRADER, Account, FixedClock, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker

LOW, HIGH = 1200, 2000
SINGLE = {
    "strategy": "test",
    "symbol": "INFY",
    "exchange": "NSE",
    "action": "SELL",
    "product": "CNC",
    "quantity": 5,
    "trigger_type": "single",
    "price": LOW - 2,
    "triggerprice_sl": str(LOW),
    "triggerprice_tg": "",
    "stoploss": "",
    "target": None,
}
OCO = {
    **SINGLE,
    "trigger_type": "OCO",
    "triggerprice_tg": HIGH,
    "stoploss": LOW - 2,
    "target": HIGH + 2,
    "price": 0,
}
NOT_OFFERED = "GTT orders are not supported for broker 'scripted' yet"


def test_it_is_placed_listed_changed_and_withdrawn(post: Post) -> None:
    status, placed = post("placegttorder", **OCO)
    assert (status, placed) == (200, {"status": "success", "trigger_id": "GTT-261121-00000001", "mode": "analyze"})
    number = placed["trigger_id"]
    ltp = post("quotes", symbol="INFY", exchange="NSE")[1]["data"]["ltp"]
    (row,) = post("gttorderbook")[1]["data"]
    assert row == {
        "trigger_id": number,
        "trigger_type": "two-leg",
        "status": "active",
        "symbol": "INFY",
        "exchange": "NSE",
        "trigger_prices": [LOW, HIGH],
        "last_price": ltp,
        "legs": [
            {"action": "SELL", "price": LOW - 2, "pricetype": "LIMIT", "product": "CNC", "quantity": 5},
            {"action": "SELL", "price": HIGH + 2, "pricetype": "LIMIT", "product": "CNC", "quantity": 5},
        ],
        "created_at": "2026-11-21 10:30:00",
        "updated_at": "",
        "expires_at": "2027-11-21 10:30:00",
        "strategy": "test",
        "margin_blocked": 0.0,
    }
    changed = post("modifygttorder", **{**OCO, "quantity": 3, "trigger_id": number})
    assert changed == (200, {"status": "success", "trigger_id": number, "mode": "analyze"})
    assert [leg["quantity"] for leg in post("gttorderbook")[1]["data"][0]["legs"]] == [3, 3]
    gone = post("cancelgttorder", strategy="test", trigger_id=number)
    assert gone == (200, {"status": "success", "trigger_id": number, "mode": "analyze"})
    assert post("gttorderbook")[1]["data"] == []


def test_a_single_one_has_one_leg_and_the_stop_loss_wins(post: Post) -> None:
    post("placegttorder", **{**SINGLE, "triggerprice_tg": HIGH, "pricetype": "MARKET"})
    (row,) = post("gttorderbook")[1]["data"]
    assert (row["trigger_type"], row["trigger_prices"]) == ("single", [LOW])
    assert row["legs"] == [{"action": "SELL", "price": 0.0, "pricetype": "MARKET", "product": "CNC", "quantity": 5}]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("2027-01-31", "2027-01-31 23:59:59"),
        ("2027-01-31 15:30:00", "2027-01-31 15:30:00"),
        ("2027-01-31T10:00:00Z", "2027-01-31 15:30:00"),
    ],
)
def test_it_ends_when_it_was_told_to(post: Post, sent: str, told: str) -> None:
    post("placegttorder", **{**SINGLE, "expires_at": sent})
    assert post("gttorderbook")[1]["data"][0]["expires_at"] == told


@pytest.mark.parametrize("sent", ["2026-11-20", "2028-01-01", "0001-01-01 00:00:00"])
def test_a_life_that_is_over_or_too_long_is_told(post: Post, sent: str) -> None:
    status, answer = post("placegttorder", **{**SINGLE, "expires_at": sent})
    assert (status, set(answer["errors"])) == (400, {"expires_at"})


def test_semi_auto_queues_it_and_lets_its_withdrawal_pass(post: Post, desk: Desk) -> None:
    number = post("placegttorder", **OCO)[1]["trigger_id"]
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for path, fields in (("placegttorder", OCO), ("modifygttorder", {**OCO, "quantity": 1, "trigger_id": number})):
        status, answer = post(path, **fields)
        assert (status, answer["mode"]) == (200, "semi_auto")
        assert answer["message"] == "Order queued for approval in Action Center"
        assert answer.keys() == {"status", "message", "mode", "pending_order_id", "reference"}
    assert post("cancelgttorder", trigger_id=number)[1]["status"] == "success"
    (first, _) = desk.store.journal.held()
    status, answer = post("cancelgttorder", trigger_id=first.ref)
    assert (status, answer["trigger_id"]) == (200, first.ref)
    assert answer["message"] == "Withdrawn before it was approved. Nothing was sent."


def test_what_became_of_it_is_told_by_orderstatus(post: Post, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    reference = post("placegttorder", **OCO)[1]["reference"]
    assert post("orderstatus", orderid=reference)[1]["data"]["order_status"] == "held"
    (ticket,) = desk.store.journal.held()
    approvals.approve(desk, ticket.id, ticket.shown, by=TRADER)
    answer = post("orderstatus", orderid=reference)[1]
    assert (answer["data"]["orderid"], answer["data"]["order_status"]) == ("GTT-261121-00000001", "active")
    assert answer["message"] == "GTT GTT-261121-00000001 is active."


def test_the_same_call_again_gets_the_same_answer(client: FlaskClient, account: Account, post: Post) -> None:
    fields, headers = {"apikey": account.key, **OCO}, {"Idempotency-Key": "once"}
    first, second = (client.post("/api/v1/placegttorder", json=fields, headers=headers) for _ in range(2))
    assert first.get_json() == second.get_json()
    assert len(post("gttorderbook")[1]["data"]) == 1


def test_a_time_out_is_a_success_in_doubt(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk, keeps_gtts=True, fault=lambda: OutcomeUnknown("timed out"))
    client = client_of(app_of(with_broker(desk, broker)))
    answer = client.post("/api/v1/placegttorder", json={"apikey": account.key, **OCO})
    told = answer.get_json()
    assert (answer.status_code, told["status"], told["order_status"]) == (200, "success", "unknown")
    assert told["trigger_id"] == told["reference"]


def test_a_trigger_that_is_reached_already_is_refused(post: Post) -> None:
    status, answer = post("placegttorder", **{**SINGLE, "triggerprice_sl": 5000, "price": 5000})
    assert (status, answer["mode"]) == (400, "analyze")
    assert "reached already" in answer["message"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("placegttorder", SINGLE),
        ("placegttorder", OCO),
        ("modifygttorder", {**OCO, "trigger_id": "23132604291205"}),
        ("modifygttorder", {**SINGLE, "trigger_id": 23132604291205}),
        ("cancelgttorder", {"strategy": "test", "trigger_id": "23132604291205"}),
    ],
)
def test_a_broker_that_keeps_none_says_so(desk: Desk, account: Account, path: str, fields: dict[str, Any]) -> None:
    client = client_of(app_of(with_broker(desk, ScriptedBroker(desk))))
    answer = client.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
    assert (answer.status_code, answer.get_json()) == (
        501,
        {"status": "error", "message": NOT_OFFERED, "mode": "analyze"},
    )
    assert client.post("/api/v1/gttorderbook", json={"apikey": account.key}).get_json()["data"] == []
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
    crossed = post("placegttorder", **{**OCO, "triggerprice_sl": HIGH})[1]
    assert crossed["errors"]["triggerprice_sl"] == [
        "Stoploss trigger must be less than target trigger (triggerprice_tg)."
    ]


@pytest.mark.parametrize("path", ["modifygttorder", "cancelgttorder"])
def test_the_one_that_is_meant_must_be_named(post: Post, path: str) -> None:
    status, answer = post(path, **OCO)
    assert (status, answer["errors"]) == (400, {"trigger_id": ["Missing data for required field."]})


def test_a_key_that_only_reads_places_none(post: Post, desk: Desk) -> None:
    desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    assert post("placegttorder", **SINGLE)[0] == 403
    assert post("gttorderbook")[0] == 200


def test_one_that_waits_in_the_live_account_keeps_a_program_from_leaving_it(
    desk: Desk, account: Account, clock: FixedClock
) -> None:
    """Its page and its book would show the paper account then, and it may still open a position."""
    live = replace(desk, brokers={**desk.brokers, TradingMode.LIVE: desk.broker(TradingMode.ANALYZE)})
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    desk.store.api_keys.permit(frozenset(Permission), by=TRADER)
    caller = client_of(app_of(live))

    def post(path: str, **fields: Any) -> tuple[int, Any]:
        answer = caller.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
        return answer.status_code, answer.get_json()

    number = post("placegttorder", **OCO)[1]["trigger_id"]
    status, answer = post("analyzer/toggle", mode=True)
    assert (status, answer["message"]) == (
        409,
        "The live account has 1 GTT, waiting for a price. Cancel first.",
    )
    assert desk.store.preferences.trading_mode() is TradingMode.LIVE
    post("cancelgttorder", trigger_id=number)
    clock.move(days=1)
    assert post("analyzer/toggle", mode=True)[0] == 200
    assert desk.store.preferences.trading_mode() is TradingMode.ANALYZE
