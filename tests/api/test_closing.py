"""Cancel all, close all and refusals by a guard, as a program sees them (contract 2.1.7, 2.1.8)."""

from __future__ import annotations

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode
from tests.api.conftest import ORDER, Post, rest
from tests.conftest import TRADER


def test_cancel_all_names_what_it_cancelled(post: Post, desk: Desk) -> None:
    order_ids = [rest(post), rest(post)]
    status, answer = post("cancelallorder", strategy="test")
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert (answer["canceled_orders"], answer["failed_cancellations"]) == (order_ids, [])
    assert answer["message"] == "Canceled 2 orders."
    assert desk.store.traffic.page()[0].outcome == "sent"
    again = post("cancelallorder")[1]
    assert (again["status"], again["message"], again["canceled_orders"]) == ("success", "No open orders to cancel", [])


def test_cancel_all_never_waits_in_semi_auto(post: Post, desk: Desk) -> None:
    order_id = rest(post)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert post("cancelallorder", strategy="test")[1]["canceled_orders"] == [order_id]


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
    assert desk.store.journal.ticket_by_ref(answer["reference"]) is not None
    assert post("openposition", symbol="RELIANCE", exchange="NSE", product="MIS")[1]["quantity"] == "10"


def test_a_guard_that_refuses_is_named_in_the_answer_and_in_the_log(post: Post, desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(maximum_quantity=9), by=TRADER)
    status, answer = post("placeorder", **ORDER)
    assert (status, answer["status"], answer["guard"]) == (403, "error", "maximum_quantity")
    assert "9" in answer["message"]
    row = desk.store.traffic.page()[0]
    assert row.outcome == "Denied"
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


@pytest.mark.parametrize("fields", [{"symbol": "<b>"}, {"exchange": "MARS"}, {"product": 7}, {"strategy": ""}])
def test_a_bad_field_closes_nothing(post: Post, fields: dict[str, object]) -> None:
    post("placeorder", **ORDER)
    assert post("closeposition", **fields)[0] == 400
    assert post("openposition", symbol="RELIANCE", exchange="NSE", product="MIS")[1]["quantity"] == "10"
