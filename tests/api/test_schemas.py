"""The dialect's requests: numbers or strings everywhere, every fault at once, unknown fields ignored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.api.schemas.base import parse
from openalgo_bridge.api.schemas.orders import ModifyOrder, NamedOrder, PlaceOrder
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import Action, PriceType, Product

GOOD: dict[str, Any] = {
    "strategy": "Python",
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "action": "BUY",
    "quantity": "10",
}


def faults(**changes: Any) -> dict[str, list[str]]:
    fields = {**GOOD, **changes}
    with pytest.raises(Invalid) as refused:
        parse(PlaceOrder, {name: value for name, value in fields.items() if value is not ...})
    return refused.value.faults


def test_the_smallest_order_gets_the_dialects_defaults() -> None:
    order = parse(PlaceOrder, GOOD).order()
    assert (order.price_type, order.product, order.price, order.quantity) == (
        PriceType.MARKET,
        Product.MIS,
        Decimal(0),
        10,
    )


@pytest.mark.parametrize("quantity", [10, "10", " 10 ", Decimal("10.0"), "10.0", "1e1", "1e+01"])
def test_a_whole_quantity_is_taken_in_every_spelling_a_client_uses(quantity: Any) -> None:
    assert parse(PlaceOrder, {**GOOD, "quantity": quantity}).quantity == 10


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (0, "Quantity must be a positive number."),
        ("-5", "Quantity must be a positive number."),
        (Decimal("1.5"), "Fractional quantity (1.5) is not allowed for non-crypto exchanges."),
        ("0.5", "Fractional quantity (0.5) is not allowed for non-crypto exchanges."),
        ("", "Not a valid number."),
        ("undefined", "Not a valid number."),
        ("1,000", "Not a valid number."),
        ("1_000", "Not a valid number."),
        ("١٢", "Not a valid number."),
        ("0x10", "Not a valid number."),
        (True, "Not a valid number."),
        ([1], "Not a valid number."),
        ({"a": 1}, "Not a valid number."),
        (None, "Field may not be null."),
        (..., "Missing data for required field."),
        ("9" * 12, "Quantity must not be larger than 1000000000."),
        ("1e99", "Quantity must not be larger than 1000000000."),
    ],
)
def test_a_bad_quantity_gets_its_sentence(quantity: Any, text: str) -> None:
    assert faults(quantity=quantity) == {"quantity": [text]}


def test_all_faults_are_told_at_once() -> None:
    told = faults(action="HOLD", exchange="nse", pricetype="market", price="-1", symbol="<script>")
    assert set(told) == {"action", "exchange", "pricetype", "price", "symbol"}
    assert told["action"] == ["Must be one of: BUY, SELL."]


@pytest.mark.parametrize("action", ["buy", "BUY", "Buy"])
def test_an_action_is_taken_in_any_case(action: str) -> None:
    assert parse(PlaceOrder, {**GOOD, "action": action}).action is Action.BUY


def test_unknown_fields_are_ignored() -> None:
    assert parse(PlaceOrder, {**GOOD, "target": "5", "stoploss": None}).symbol == "RELIANCE"


@pytest.mark.parametrize("name", ["price_type", "priceType", "pricetype"])
def test_the_price_type_is_taken_under_each_published_name(name: str) -> None:
    order = parse(PlaceOrder, {**GOOD, name: "LIMIT", "price": "10"}).order()
    assert order.price_type is PriceType.LIMIT


def test_one_field_under_two_names_with_two_values_is_refused() -> None:
    assert set(faults(price_type="LIMIT", pricetype="MARKET")) == {"pricetype"}


def test_node_may_leave_out_what_it_never_sends() -> None:
    fields = {**GOOD, "orderid": 26112100000001, "pricetype": "LIMIT", "product": "MIS", "price": "10"}
    change = parse(ModifyOrder, fields)
    assert change.order().trigger_price == 0


def test_an_order_id_may_be_a_number_and_needs_no_strategy() -> None:
    assert parse(NamedOrder, {"orderid": 42}).orderid == "42"


_FINITE = st.decimals(allow_nan=False, allow_infinity=False)
_ANYTHING = st.none() | st.booleans() | st.integers() | _FINITE | st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*GOOD, "price", "pricetype", "product", "disclosed_quantity"]), _ANYTHING))
def test_no_field_raises_anything_but_invalid(changes: dict[str, Any]) -> None:
    try:
        order = parse(PlaceOrder, {**GOOD, **changes}).order()
    except Invalid as refused:
        assert refused.faults
    else:
        assert order.quantity > 0
        assert order.price >= 0
