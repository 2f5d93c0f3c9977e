"""Every public method of the published ``openalgo`` package is called by a test here, or has a reason why not."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import openalgo
import pytest

from openalgo_bridge.model.order import TradingMode
from tests.serving import Bridge

pytestmark = pytest.mark.sdk

FEED = "comes with the price feed"
NOT_CALLED = {
    "connect": FEED,
    "disconnect": FEED,
    "subscribe_ltp": FEED,
    "subscribe_quote": FEED,
    "subscribe_depth": FEED,
    "unsubscribe_ltp": FEED,
    "unsubscribe_quote": FEED,
    "unsubscribe_depth": FEED,
    "get_ltp": FEED,
    "get_quotes": FEED,
    "get_depth": FEED,
    "strategyorder": "comes with the webhooks of strategies",
}
SHARE = {"symbol": "SBIN", "exchange": "NSE"}
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "23NOV26"}


@pytest.fixture(scope="module")
def sdk(bridge: Bridge) -> Any:
    return openalgo.api(api_key=bridge.key, host=bridge.url)


def public_methods() -> set[str]:
    """Of the client and of its webhook client."""
    found = (inspect.getmembers(each, inspect.isfunction) for each in (openalgo.api, openalgo.Strategy))
    return {name for members in found for name, _ in members if not name.startswith("_")}


def called_here() -> set[str]:
    """What the tests of this folder call on ``sdk``."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in Path(__file__).parent.glob("test_*.py"))
    calls = (node.func for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    on_sdk = (func for func in calls if isinstance(func, ast.Attribute) and ast.unparse(func.value) == "sdk")
    return {func.attr for func in on_sdk}


def test_every_method_is_called_by_a_test_or_has_a_reason() -> None:
    assert len(public_methods()) >= 49
    assert public_methods() - called_here() == NOT_CALLED.keys()


def test_a_smart_order_takes_the_position_to_its_size(sdk: Any, bridge: Bridge) -> None:
    smart = {**SHARE, "action": "BUY", "product": "MIS", "quantity": 0}
    assert sdk.placesmartorder(**smart, position_size=10)["orderid"]
    assert sdk.placesmartorder(**smart, position_size=-4)["orderid"]
    assert bridge.held("SBIN") == -4
    matched = sdk.placesmartorder(**smart, position_size=-4)
    assert matched["message"] == "Positions Already Matched. No Action needed."
    assert "orderid" not in matched


def test_a_basket_says_of_each_order_what_became_of_it(sdk: Any) -> None:
    order = {"exchange": "NSE", "product": "MIS", "pricetype": "MARKET", "quantity": 1}
    sold, bought = {**order, "symbol": "TCS", "action": "SELL"}, {**order, "symbol": "INFY", "action": "BUY"}
    answer = sdk.basketorder(orders=[sold, bought])
    assert [(each["symbol"], each["status"]) for each in answer["results"]] == [("INFY", "success"), ("TCS", "success")]


def test_a_split_adds_up(sdk: Any) -> None:
    answer = sdk.splitorder(**SHARE, action="BUY", quantity=25, splitsize=10)
    assert (answer["total_quantity"], answer["split_size"]) == (25, 10)
    assert [each["quantity"] for each in answer["results"]] == [10, 10, 5]


def test_an_option_is_bought_by_its_distance_from_the_money(sdk: Any) -> None:
    option = {"offset": "OTM2", "option_type": "CE"}
    named = sdk.optionsymbol(**NIFTY, **option)
    answer = sdk.optionsorder(strategy="t", **NIFTY, **option, action="BUY", quantity=65, splitsize="0")
    assert (answer["status"], answer["symbol"]) == ("success", named["symbol"])
    assert sdk.orderstatus(order_id=answer["orderid"])["data"]["symbol"] == named["symbol"]


def test_legs_are_placed_and_told_one_by_one(sdk: Any) -> None:
    leg = {"offset": "ATM", "action": "BUY", "quantity": 65, "product": "NRML"}
    legs = [{**leg, "option_type": "CE"}, {**leg, "option_type": "PE"}]
    answer = sdk.optionsmultiorder(strategy="t", **NIFTY, legs=legs)
    assert [(each["leg"], each["option_type"], each["status"]) for each in answer["results"]] == [
        (1, "CE", "success"),
        (2, "PE", "success"),
    ]
    assert answer["underlying_ltp"] == sdk.quotes(symbol="NIFTY", exchange="NSE_INDEX")["data"]["ltp"]


def test_everything_open_is_withdrawn_and_closed(sdk: Any, bridge: Bridge) -> None:
    low = round(sdk.quotes(**SHARE)["data"]["ltp"] * 0.9)
    placed = sdk.placeorder(**SHARE, action="BUY", price_type="LIMIT", product="MIS", quantity=3, price=low)
    assert placed["orderid"] in sdk.cancelallorder()["canceled_orders"]
    sdk.placeorder(**SHARE, action="BUY", product="MIS", quantity=3)
    assert sdk.closeposition()["status"] == "success"
    assert [row for row in sdk.positionbook()["data"] if int(row["quantity"])] == []


def test_both_names_of_the_intervals_answer_alike(sdk: Any) -> None:
    assert "5m" in sdk.intervals()["data"]["minutes"]
    assert sdk.interval() == sdk.intervals()


def test_the_extra_fields_that_its_documentation_names_do_no_harm(sdk: Any, bridge: Bridge) -> None:
    extra = {"target": 10, "stoploss": 5, "trailing_sl": 1}
    placed = sdk.placeorder(**SHARE, action="BUY", product="MIS", quantity=1, **extra)
    assert placed["status"] == "success"
    assert bridge.desk.broker(TradingMode.ANALYZE).order(placed["orderid"]) is not None
