"""What is wrong is told in the contract's own sentences (contract 1.7, 2.1 to 2.9): programs look for them."""

from __future__ import annotations

from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode
from tests.api.conftest import ORDER, Post
from tests.conftest import TRADER

BUY = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 1}
NAMED = {"symbol": "RELIANCE", "exchange": "NSE"}
FUTURE = {"strategy": "t", "exchange": "NFO", "action": "BUY", "product": "NRML"}
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX"}
LEG = {"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": 65}
POSITION = {**NAMED, "action": "BUY", "product": "MIS", "pricetype": "MARKET", "quantity": "1"}
GTT = {
    **NAMED,
    "strategy": "t",
    "trigger_type": "SINGLE",
    "action": "BUY",
    "product": "CNC",
    "quantity": 1,
    "pricetype": "LIMIT",
    "price": 1400,
    "triggerprice_sl": 1390,
}
_NO_SUCH_OFFSET = "Offset must be ATM, ITM1-ITM50, or OTM1-OTM50"

SENTENCES: list[tuple[str, dict[str, Any], str]] = [
    ("placeorder", {**ORDER, "quantity": -1}, "Quantity must be a positive number."),
    ("placeorder", {**ORDER, "pricetype": "LIMIT", "price": -1}, "Price must be a non-negative number."),
    (
        "placeorder",
        {**ORDER, "pricetype": "SL-M", "trigger_price": -1},
        "Trigger price must be a non-negative number.",
    ),
    ("placeorder", {**ORDER, "disclosed_quantity": -1}, "Disclosed quantity must be a non-negative integer."),
    (
        "placeorder",
        {**ORDER, "quantity": "1.5"},
        "Fractional quantity (1.5) is not allowed for non-crypto exchanges.",
    ),
    ("placeorder", {**ORDER, "symbol": "NOSUCH"}, "Symbol NOSUCH not found on NSE"),
    ("placeorder", {**ORDER, "pricetype": "LIMIT"}, "LIMIT orders require price"),
    ("placeorder", {**ORDER, "pricetype": "SL-M"}, "SL-M orders require trigger_price"),
    ("placeorder", {**ORDER, "pricetype": "SL", "price": 100}, "SL orders require trigger_price"),
    ("placeorder", {**ORDER, "product": "NRML"}, "NRML product not allowed for NSE equity segment."),
    (
        "placeorder",
        {**FUTURE, "product": "CNC", "quantity": 65},
        "CNC product not allowed for NFO derivatives segment.",
    ),
    ("placeorder", {**FUTURE, "quantity": 64}, "Quantity must be in multiples of lot size 65"),
    ("placeorder", {**ORDER, "strategy": None}, "Field may not be null."),
    ("placeorder", {**NAMED, "strategy": "t", "action": "BUY"}, "Missing data for required field."),
    ("placeorder", {**ORDER, "symbol": 5}, "Not a valid string."),
    ("placeorder", {**ORDER, "exchange": "nse"}, "Must be one of: "),
    ("placesmartorder", {**ORDER, "position_size": "undefined"}, "Not a valid number."),
    (
        "splitorder",
        {**ORDER, "quantity": 101, "splitsize": 1},
        "Total number of orders would exceed maximum limit of 100",
    ),
    ("splitorder", {**ORDER, "splitsize": 0}, "Split size must be a positive integer."),
    ("basketorder", {"strategy": "t", "orders": {}}, "Not a valid list."),
    ("optionsmultiorder", {"strategy": "t", **NIFTY, "legs": []}, "Legs must contain 1 to 20 items."),
    ("optionsmultiorder", {"strategy": "t", **NIFTY, "legs": [LEG] * 21}, "Legs must contain 1 to 20 items."),
    ("optionsymbol", {**NIFTY, "offset": "XX", "option_type": "CE"}, _NO_SUCH_OFFSET),
    ("optionsymbol", {**NIFTY, "offset": "ATM", "option_type": "CE"}, "Expiry date is required"),
    ("optiongreeks", {"symbol": "NIFTY28OCT2526000CE", "exchange": "NFO"}, "Option has expired on 28-Oct-2025"),
    (
        "quotes",
        {"symbol": "XX", "exchange": "NSE"},
        "Please verify the symbol name and ensure master contracts are downloaded.",
    ),
    ("multiquotes", {"symbols": []}, "Shorter than minimum length 1."),
    ("symbol", {"symbol": "XX", "exchange": "NSE"}, "Symbol XX not found in exchange NSE"),
    ("search", {"query": " "}, "Query parameter is required and cannot be empty"),
    ("market/timings", {"date": "x"}, "Invalid date format. Use YYYY-MM-DD"),
    ("market/holidays", {"year": 2019}, "Must be greater than or equal to 2020 and less than or equal to 2050."),
    ("margin", {"positions": []}, "Positions must contain 1 to 50 items."),
    (
        "placegttorder",
        {**GTT, "product": "MIS"},
        "GTT supports only CNC (delivery) or NRML (overnight F&O); MIS is intraday-only.",
    ),
    (
        "placegttorder",
        {**GTT, "triggerprice_sl": 0},
        "SINGLE GTT requires a positive triggerprice_sl or triggerprice_tg.",
    ),
    ("placegttorder", {**GTT, "trigger_type": "X"}, "Must be 'SINGLE' or 'OCO'."),
    ("modifygttorder", {**GTT, "trigger_id": "X"}, "No active GTT with trigger_id 'X'"),
    ("cancelgttorder", {"trigger_id": "X"}, "No active GTT with trigger_id 'X'"),
    ("cancelorder", {"orderid": "999"}, "Order 999 not found"),
    (
        "modifyorder",
        {**ORDER, "orderid": "999", "pricetype": "LIMIT", "product": "MIS", "price": "1"},
        "Order 999 not found",
    ),
    ("orderstatus", {"orderid": "999"}, "Order 999 not found"),
    ("analyzer/toggle", {"mode": "analyze"}, "Not a valid boolean."),
]


@pytest.fixture
def future(desk: Desk) -> str:
    """The nearest NIFTY future."""
    listed = desk.store.instruments.stream(FUTURE["exchange"])
    return next(each.symbol for each in listed if each.symbol.startswith("NIFTY") and each.symbol.endswith("FUT"))


def test_faults_are_told_in_the_sentences_of_the_contract(post: Post, future: str) -> None:
    for path, fields, sentence in SENTENCES:
        wanted = fields if fields.get("exchange") != "NFO" else {"symbol": future, **fields}
        status, answer = post(path, **wanted)
        assert 400 <= status < 502, (path, fields)
        assert answer["status"] == "error", (path, fields)
        assert sentence in answer["message"], (path, fields)


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("closeposition", {"symbol": ""}, "symbol"),
        ("closeposition", {"symbol": None}, "symbol"),
        ("closeposition", {"product": "X"}, "product"),
        ("cancelallorder", {"exchange": "X"}, "exchange"),
        ("cancelallorder", {"exchange": None}, "exchange"),
        ("basketorder", {"strategy": "t", "orders": [BUY] * 51}, "orders"),
        ("basketorder", {"strategy": "t", "orders": [BUY, None]}, "orders[1]"),
        ("optionsmultiorder", {"strategy": "t", **NIFTY, "legs": [LEG, {**LEG, "offset": "OTM99"}]}, "legs[1].offset"),
        ("multiquotes", {"symbols": [5]}, "symbols[0]"),
        ("margin", {"positions": [{**POSITION, "quantity": "-1"}]}, "positions[0].quantity"),
        ("telegram/notify", {"username": "", "message": "m"}, "username"),
    ],
)
def test_a_fault_names_its_field_and_nothing_of_our_insides(
    post: Post, path: str, fields: dict[str, Any], named: str
) -> None:
    status, answer = post(path, **fields)
    assert (status, list(answer["errors"])) == (400, [named])
    for inside in ("function-", "validation", "Input should be", "List should", "none:"):
        assert inside not in answer["message"]


@pytest.mark.parametrize("order_mode", OrderMode)
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"product": "NRML"}, "NRML product not allowed for NSE equity segment."),
        ({"pricetype": "LIMIT", "price": 800.03}, "tick"),
    ],
)
def test_nothing_of_a_basket_goes_where_the_rules_of_the_exchange_refuse_one(
    desk: Desk, post: Post, order_mode: OrderMode, wrong: dict[str, Any], sentence: str
) -> None:
    desk.store.preferences.set_order_mode(order_mode, by=TRADER)
    status, answer = post("basketorder", strategy="t", orders=[BUY, {**BUY, **wrong}, {**BUY, **wrong, "quantity": 2}])
    assert (status, answer["status"], answer["mode"]) == (400, "error", "analyze")
    assert [place.partition(".")[0] for place in answer["errors"]] == ["orders[1]", "orders[2]"]
    assert sentence in answer["message"]
    assert post("orderbook")[1]["data"]["orders"] == []
    assert desk.store.journal.held() == []


def test_what_is_wrong_with_a_slice_is_told_once_of_the_order(desk: Desk, post: Post) -> None:
    status, answer = post("splitorder", **{**ORDER, "product": "NRML", "quantity": 100, "splitsize": 1})
    assert (status, answer["status"]) == (400, "error")
    assert answer["message"] == "NRML product not allowed for NSE equity segment. Use CNC or MIS."
    assert desk.store.journal.mark().ticket_id == 0


@pytest.mark.parametrize("order_mode", OrderMode)
def test_nothing_of_a_strategy_goes_where_the_exchange_takes_no_such_leg(
    desk: Desk, post: Post, order_mode: OrderMode
) -> None:
    desk.store.preferences.set_order_mode(order_mode, by=TRADER)
    expiry = post("expiry", symbol="NIFTY", exchange="NFO", instrumenttype="options")[1]["data"][0].replace("-", "")
    stop = {**LEG, "action": "SELL", "pricetype": "SL", "price": 100, "trigger_price": 90}
    status, answer = post("optionsmultiorder", strategy="t", **NIFTY, expiry_date=expiry, legs=[LEG, stop])
    assert (status, answer["status"], list(answer["errors"])) == (400, "error", ["legs[1]"])
    status, answer = post(
        "optionsmultiorder", strategy="t", **NIFTY, expiry_date=expiry, legs=[LEG, {**LEG, "quantity": 64}]
    )
    assert list(answer["errors"]) == ["legs[1].quantity"]
    assert post("orderbook")[1]["data"]["orders"] == []
    assert desk.store.journal.held() == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("cancelorder", {"orderid": "999"}),
        ("orderstatus", {"orderid": "999"}),
        ("modifyorder", {**ORDER, "orderid": "999", "pricetype": "LIMIT", "product": "MIS", "price": "1"}),
        ("placeorder", {**ORDER, "symbol": "NOSUCH"}),
        ("basketorder", {"strategy": "t"}),
    ],
)
def test_a_refusal_says_that_orders_go_to_the_paper_exchange(post: Post, path: str, fields: dict[str, Any]) -> None:
    assert post(path, **fields)[1]["mode"] == "analyze"


def test_a_refusal_that_is_about_no_account_does_not(post: Post) -> None:
    assert "mode" not in post("quotes", symbol="XX", exchange="NSE")[1]
    assert "mode" not in post("margin", positions=[])[1]
