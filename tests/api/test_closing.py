"""Cancel all, close all and refusals by a guard, as a program sees them (contract 2.1.7, 2.1.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import CancelRequest, OrderMode
from openalgo_bridge.model.permit import SendPermit
from tests.api.conftest import ORDER, Post, rest
from tests.conftest import TRADER, Account, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker


def test_cancel_all_names_what_it_cancelled(post: Post, desk: Desk) -> None:
    order_ids = [rest(post), rest(post)]
    status, answer = post("cancelallorder", strategy="test")
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert (answer["canceled_orders"], answer["failed_cancellations"]) == (order_ids, [])
    assert answer["message"] == "Canceled 2 orders."
    assert desk.store.traffic.page()[0].outcome == "sent"
    again = post("cancelallorder")[1]
    assert (again["status"], again["message"], again["canceled_orders"]) == ("success", "No open orders to cancel", [])


def test_cancel_all_of_one_symbol_leaves_the_others(post: Post) -> None:
    kept = rest(post)
    ltp = post("quotes", symbol="TCS", exchange="NSE")[1]["data"]["ltp"]
    other = {**ORDER, "symbol": "TCS", "pricetype": "LIMIT", "price": round(ltp * 0.9)}
    cancelled = post("placeorder", **other)[1]["orderid"]
    assert post("cancelallorder", symbol="TCS", exchange="NSE")[1]["canceled_orders"] == [cancelled]
    assert post("orderstatus", orderid=kept)[1]["data"]["order_status"] == "open"


@pytest.mark.parametrize("narrowing", [{"symbols": ["TCS"]}, {"symbol": None}, {"product": "CNC", "tag": "x"}])
def test_what_may_have_narrowed_it_is_not_read_as_all(post: Post, narrowing: dict[str, Any]) -> None:
    order_id = rest(post)
    post("placeorder", **{**ORDER, "symbol": "TCS"})
    for endpoint in ("cancelallorder", "closeposition"):
        status, answer = post(endpoint, strategy="test", **narrowing)
        assert (status, answer["status"]) == (400, "error")
    assert post("orderstatus", orderid=order_id)[1]["data"]["order_status"] == "open"
    assert post("openposition", symbol="TCS", exchange="NSE", product="MIS")[1]["quantity"] == "10"


@pytest.mark.parametrize("label", ["", None, "x" * 101, "a\u00a0b", 7])
def test_no_label_keeps_a_program_from_getting_out(post: Post, label: object) -> None:
    order_id = rest(post)
    post("placeorder", **{**ORDER, "symbol": "TCS"})
    assert post("orderstatus", orderid=order_id, strategy=label)[0] == 200
    assert post("cancelorder", orderid=order_id, strategy=label)[0] == 200
    assert post("cancelallorder", strategy=label)[0] == 200
    assert post("closeposition", strategy=label)[1]["closed_positions"] == 1


def test_cancel_all_never_waits_in_semi_auto(post: Post, desk: Desk) -> None:
    order_id = rest(post)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert post("cancelallorder", strategy="test")[1]["canceled_orders"] == [order_id]


@dataclass
class ClosedForCancels(ScriptedBroker):
    """Keeps every order."""

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        raise Rejected("The exchange is closed for cancels.")


def test_what_could_not_be_cancelled_is_a_list_of_ids_and_the_sentence_says_why(desk: Desk, account: Account) -> None:
    """The Rust and .NET clients read ids (callers 3.5), and of an error the Python client shows the sentence alone."""
    client = client_of(app_of(with_broker(desk, ClosedForCancels(desk))))
    fields = {"apikey": account.key, **ORDER, "pricetype": "LIMIT", "price": 900}
    order_ids = [client.post("/api/v1/placeorder", json=fields).get_json()["orderid"] for _ in range(2)]
    answer = client.post("/api/v1/cancelallorder", json={"apikey": account.key}).get_json()
    assert (answer["status"], sorted(answer["failed_cancellations"])) == ("error", sorted(order_ids))
    why = "The exchange is closed for cancels."
    assert answer["failures"] == [{"orderid": each, "message": why} for each in answer["failed_cancellations"]]
    assert answer["message"].endswith(f"{', '.join(answer['failed_cancellations'])}. {why}")


def test_close_position_closes_all_and_says_how_many(post: Post) -> None:
    post("placeorder", **ORDER)
    post("placeorder", **{**ORDER, "symbol": "TCS", "action": "SELL"})
    status, answer = post("closeposition", strategy="test")
    assert (status, answer["status"], answer["message"]) == (200, "success", "Closed 2 positions")
    assert (answer["closed_positions"], answer["failed_closures"], answer["failures"]) == (2, 0, [])
    assert {row["quantity"] for row in post("positionbook")[1]["data"]} == {"0"}
    assert post("closeposition", strategy="test")[1]["message"] == "No open positions to close"


def test_one_position_is_closed_by_name(post: Post) -> None:
    post("placeorder", **ORDER)
    post("placeorder", **{**ORDER, "symbol": "TCS"})
    post("closeposition", symbol="TCS", exchange="NSE", product="MIS")
    quantities = {row["symbol"]: row["quantity"] for row in post("positionbook")[1]["data"]}
    assert quantities == {"RELIANCE": "10", "TCS": "0"}


def test_close_position_waits_in_semi_auto(post: Post, desk: Desk) -> None:
    post("placeorder", **ORDER)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    status, answer = post("closeposition", strategy="test")
    assert (status, answer["status"], answer["mode"]) == (200, "success", "semi_auto")
    ref = answer["reference"]
    asked = post("orderstatus", orderid=ref)[1]
    assert (asked["data"]["orderid"], asked["data"]["order_status"]) == (ref, "held")
    assert (asked["data"]["symbol"], asked["data"]["quantity"]) == ("", "0"), "many are meant"
    assert f"{ref} is a closeposition" in asked["message"]
    ticket = desk.store.journal.ticket_by_ref(ref)
    assert ticket is not None
    desk.store.journal.reject(ticket.id, ticket.shown, "not now", by=TRADER)
    assert post("orderstatus", orderid=ref)[1]["data"]["order_status"] == "rejected"
    assert post("openposition", symbol="RELIANCE", exchange="NSE", product="MIS")[1]["quantity"] == "10"


def test_a_guard_that_refuses_is_named_in_the_answer_and_in_the_log(post: Post, desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(maximum_quantity=9), by=TRADER)
    status, answer = post("placeorder", **ORDER)
    assert (status, answer["status"], answer["guard"]) == (403, "error", "maximum_quantity")
    assert "9" in answer["message"]
    row = desk.store.traffic.page()[0]
    assert row.outcome == "denied"
    assert "maximum_quantity" in (row.message or "")
    assert row.ticket_id == desk.store.journal.tickets()[0].id


def test_the_kill_switch_is_told_with_its_reason(post: Post, desk: Desk) -> None:
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    status, answer = post("placeorder", **ORDER)
    assert (status, answer["guard"]) == (403, "kill_switch")
    assert "the feed is wrong" in answer["message"]


@pytest.mark.parametrize(
    ("signal_time", "status"),
    [
        ("2026-11-21T10:29:40+05:30", 200),
        ("2026-11-21T05:00:00Z", 200),
        (1795237200, 200),
        (1795237200000, 200),
        ("1795237100", 403),
        ("2026-11-21T10:29:29+05:30", 403),
        ("2026-11-21T10:29:40", 400),
        ("yesterday", 400),
        ("0001-01-01T00:00:00+23:59", 400),
        (True, 400),
        (5, 400),
        (1.5, 400),
    ],
)
def test_an_old_signal_is_refused_and_one_without_a_place_in_time_is_invalid(
    post: Post, desk: Desk, signal_time: object, status: int
) -> None:
    desk.store.guards.save(GuardSettings(stale_after=30), by=TRADER)
    assert post("placeorder", **ORDER, signal_time=signal_time)[0] == status


@pytest.mark.parametrize("fields", [{"symbol": "<b>"}, {"exchange": "MARS"}, {"product": 7}])
def test_a_bad_field_closes_nothing(post: Post, fields: dict[str, object]) -> None:
    post("placeorder", **ORDER)
    assert post("closeposition", **fields)[0] == 400
    assert post("openposition", symbol="RELIANCE", exchange="NSE", product="MIS")[1]["quantity"] == "10"
