"""Smart orders, baskets and splits as a program sees them (contract 2.1.2 to 2.1.4)."""

from __future__ import annotations

from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Exchange, OrderMode
from openalgo_bridge.model.ticket import Operation
from tests.api.conftest import ORDER, Post
from tests.conftest import TRADER

SMART = {**ORDER, "position_size": "10"}
BUY = {"symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "10"}
SELL = {"symbol": "TCS", "exchange": "NSE", "action": "sell", "quantity": 5, "product": "MIS"}


def open_quantity(post: Post) -> str:
    found = post("openposition", strategy="t", symbol="RELIANCE", exchange="NSE", product="MIS")[1]["quantity"]
    return str(found)


def test_a_smart_order_goes_there_once_and_then_says_that_it_is_there(post: Post) -> None:
    status, answer = post("placesmartorder", **SMART)
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert answer["orderid"].isdigit()
    assert open_quantity(post) == "10"
    matched = {"status": "success", "message": "Positions Already Matched. No Action needed.", "mode": "analyze"}
    assert post("placesmartorder", **SMART) == (200, matched)
    post("placesmartorder", **{**SMART, "position_size": -5, "action": "SELL"})
    assert open_quantity(post) == "-5"
    post("placesmartorder", **{**SMART, "position_size": 0, "quantity": 0})
    assert open_quantity(post) == "0"


def test_an_exit_of_nothing_is_a_success_without_an_order(post: Post) -> None:
    status, answer = post("placesmartorder", **{**SMART, "position_size": "0"})
    assert (status, answer["status"]) == (200, "success")
    assert answer["message"].startswith("No OpenPosition Found. Not placing Exit order.")
    assert "orderid" not in answer
    assert "a setting can allow it" in answer["message"]


def test_more_than_the_exchange_takes_in_one_order_leaves_in_several(desk: Desk, post: Post) -> None:
    desk.store.instrument_lists.roll()
    listed = desk.store.instruments.stream(Exchange.NFO)
    future = next(each for each in listed if each.symbol.startswith("NIFTY") and each.symbol.endswith("FUT"))
    largest = future.freeze_quantity // future.lot * future.lot
    named = {"strategy": "t", "symbol": future.symbol, "exchange": "NFO", "product": "NRML"}
    post("splitorder", **named, action="BUY", quantity=largest + future.lot, splitsize=largest)
    status, answer = post("placesmartorder", **named, action="SELL", quantity=0, position_size=0)
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert answer["orderid"].isdigit()
    assert answer["message"].startswith(f"Sent as 2 orders: {answer['orderid']}, ")
    assert post("openposition", **named)[1]["quantity"] == "0"
    ticket = desk.store.journal.ticket_by_ref(answer["reference"])
    assert ticket is not None
    assert ticket.operation is Operation.SMART


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("position_size", "undefined", "Not a valid number."),
        ("position_size", "1.5", "Fractional"),
        ("position_size", None, "Field may not be null."),
        ("quantity", "-1", "Quantity must be a non-negative number."),
    ],
)
def test_a_size_that_is_none_is_told(post: Post, field: str, value: Any, said: str) -> None:
    status, answer = post("placesmartorder", **{**SMART, field: value})
    assert (status, answer["status"]) == (400, "error")
    assert said in str(answer["errors"][field])


def test_a_basket_answers_for_each_order_those_that_buy_first(post: Post) -> None:
    status, answer = post("basketorder", strategy="t", orders=[SELL, BUY])
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert [each["symbol"] for each in answer["results"]] == ["RELIANCE", "TCS"]
    assert all(each["status"] == "success" and each["orderid"].isdigit() for each in answer["results"])
    assert post("orderstatus", strategy="t", orderid=answer["results"][1]["orderid"])[1]["data"]["symbol"] == "TCS"


def test_an_order_of_a_basket_waits_for_its_price_whatever_the_price_type_is_called(post: Post) -> None:
    price = round(post("quotes", symbol="RELIANCE", exchange="NSE")[1]["data"]["ltp"] * 0.9)
    item = {**BUY, "price_type": "LIMIT", "price": str(price), "product_type": "CNC"}
    status, answer = post("basketorder", strategy="t", orders=[item])
    row = post("orderstatus", orderid=answer["results"][0]["orderid"])[1]["data"]
    assert (status, row["pricetype"], row["product"], row["price"]) == (200, "LIMIT", "CNC", price)
    assert row["order_status"] == "open"


def test_a_price_that_counts_for_no_order_of_a_basket_is_refused(post: Post) -> None:
    status, answer = post("basketorder", strategy="t", orders=[BUY], product="CNC", pricetype="LIMIT")
    assert (status, set(answer["errors"])) == (400, {"product", "pricetype"})
    status, answer = post("basketorder", strategy="t", orders=[BUY, {**BUY, "price": "10", "kind": "LIMIT"}])
    assert (status, set(answer["errors"])) == (400, {"orders[1].pricetype"})
    assert post("orderbook")[1]["data"]["orders"] == []


def test_a_wrong_order_in_a_basket_is_named_by_its_place_and_nothing_is_placed(post: Post) -> None:
    status, answer = post("basketorder", strategy="t", orders=[BUY, {**SELL, "action": "HOLD"}])
    assert status == 400
    assert list(answer["errors"]) == ["orders[1].action"]
    status, answer = post("basketorder", strategy="t", orders=[{**SELL, "symbol": "NOSUCH"}, BUY])
    assert status == 400
    assert "NOSUCH" in str(answer["errors"]["orders[0].symbol"]), "its place in the request, not in the queue"
    assert post("orderbook")[1]["data"]["orders"] == []


def test_an_empty_basket_is_done_at_once_and_a_large_one_is_refused(post: Post) -> None:
    assert post("basketorder", strategy="t", orders=[])[1] == {"status": "success", "results": [], "mode": "analyze"}
    assert post("basketorder", strategy="t", orders=[BUY] * 51)[0] == 400


def test_what_the_exchange_refuses_is_told_beside_what_went(post: Post) -> None:
    status, answer = post("basketorder", strategy="t", orders=[BUY, {**SELL, "product": "CNC"}])
    assert (status, answer["status"]) == (200, "success")
    assert [each["status"] for each in answer["results"]] == ["success", "error"]
    assert "Insufficient shares" in answer["results"][1]["message"]
    assert "1 of 2 orders were not taken" in answer["message"]
    assert "Insufficient shares" in answer["message"]
    status, answer = post("basketorder", strategy="t", orders=[{**SELL, "product": "CNC"}])
    assert (status, answer["status"]) == (200, "error"), "nothing went, so it may be sent again"
    assert "Insufficient shares" in answer["message"], "of an error the Python client shows the sentence alone"


def test_a_split_answers_with_each_slice_in_numbers(post: Post) -> None:
    status, answer = post("splitorder", **{**ORDER, "quantity": "25"}, splitsize="10")
    assert status == 200
    assert [(each["order_num"], each["quantity"]) for each in answer["results"]] == [(1, 10), (2, 10), (3, 5)]
    assert (answer["total_quantity"], answer["split_size"]) == (25, 10)
    assert open_quantity(post) == "25"


def test_a_split_into_more_than_a_hundred_is_refused(post: Post) -> None:
    status, answer = post("splitorder", **{**ORDER, "quantity": "101"}, splitsize=1)
    assert (status, answer["message"]) == (400, "Total number of orders would exceed maximum limit of 100")
    assert post("splitorder", **ORDER, splitsize=0)[0] == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("placesmartorder", SMART),
        ("basketorder", {"strategy": "t", "orders": [SELL, BUY]}),
        ("splitorder", {**ORDER, "splitsize": 3}),
    ],
)
def test_in_semi_auto_the_whole_request_waits_under_one_reference(
    desk: Desk, post: Post, path: str, body: dict[str, Any]
) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    status, answer = post(path, **body)
    assert (status, answer["status"], answer["mode"]) == (200, "success", "semi_auto")
    assert answer["message"] == "Order queued for approval in Action Center"
    assert "orderid" not in answer
    assert "results" not in answer
    (ticket,) = desk.store.journal.tickets()
    assert ticket.operation == path
    assert post("orderstatus", strategy="t", orderid=answer["reference"])[1]["data"]["order_status"] == "held"
