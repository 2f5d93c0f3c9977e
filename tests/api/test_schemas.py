"""The dialect's requests: numbers or strings everywhere, every fault at once, unknown fields ignored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.api.schemas.base import ApiModel, parse
from openalgo_bridge.api.schemas.gtt import NamedGtt
from openalgo_bridge.api.schemas.option_orders import OptionsMultiOrder
from openalgo_bridge.api.schemas.orders import AllOrders, AllPositions, ModifyOrder, NamedOrder, PlaceOrder
from openalgo_bridge.api.schemas.several import BasketOrder, PlaceSmartOrder, SplitOrder
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import Action, CancelAllRequest, Exchange, PriceType, Product

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


PRICE_TYPES = ["pricetype", "price_type", "priceType", "PriceType", "order_type", "orderType", "ordertype"]


@pytest.mark.parametrize("name", PRICE_TYPES)
@pytest.mark.parametrize("product", ["product", "product_type", "productType", "Product"])
def test_price_type_and_product_are_taken_under_each_name(name: str, product: str) -> None:
    order = parse(PlaceOrder, {**GOOD, name: "LIMIT", "Price": "10", product: "CNC"}).order()
    assert (order.price_type, order.product, order.price) == (PriceType.LIMIT, Product.CNC, Decimal(10))


@pytest.mark.parametrize("name", PRICE_TYPES)
def test_an_order_of_a_basket_and_a_leg_are_read_by_the_same_names(name: str) -> None:
    item = {**GOOD, name: "SL", "triggerPrice": "9", "price": 10, "productType": "NRML", "disclosedQuantity": 5}
    (order,) = parse(BasketOrder, {"strategy": "t", "orders": [item]}).orders
    leg = {**item, "offset": "ATM", "optionType": "CE", "splitSize": 5}
    strategy = {"strategy": "t", "underlying": "NIFTY", "exchange": "NFO", "legs": [leg]}
    (option,) = parse(OptionsMultiOrder, strategy).legs
    for read in (order, option):
        assert (read.pricetype, read.product, read.price) == (PriceType.SL, Product.NRML, Decimal(10))
        assert (read.trigger_price, read.disclosed_quantity) == (Decimal(9), 5)
    assert option.splitsize == 5


def test_one_field_under_two_names_with_two_values_is_refused() -> None:
    assert set(faults(price_type="LIMIT", pricetype="MARKET")) == {"pricetype"}
    items = [GOOD, {**GOOD, "price_type": "LIMIT", "pricetype": "MARKET"}, {**GOOD, "action": "HOLD"}]
    assert refused(BasketOrder, strategy="t", orders=items) == {"orders[1].pricetype", "orders[2].action"}


def refused(model: type[ApiModel], **fields: Any) -> set[str]:
    """The fields that a request is refused for."""
    with pytest.raises(Invalid) as refusal:
        parse(model, fields)
    return set(refusal.value.faults)


@pytest.mark.parametrize("price", [{"price": "10"}, {"trigger_price": 10}, {"price": "0", "triggerPrice": "0.05"}])
def test_a_price_without_a_price_type_is_no_market_order(price: dict[str, Any]) -> None:
    assert refused(PlaceOrder, **GOOD, **price) == {"pricetype"}
    assert refused(SplitOrder, **GOOD, **price, splitsize=5) == {"pricetype"}
    assert refused(PlaceSmartOrder, **GOOD, **price, position_size=5) == {"pricetype"}
    assert refused(BasketOrder, strategy="t", orders=[GOOD, {**GOOD, **price}]) == {"orders[1].pricetype"}
    leg = {**GOOD, "offset": "ATM", "option_type": "CE", **price}
    assert refused(OptionsMultiOrder, strategy="t", underlying="NIFTY", exchange="NFO", legs=[leg]) == {
        "legs[0].pricetype"
    }


def test_a_price_of_nothing_or_beside_market_asks_for_nothing() -> None:
    assert parse(PlaceOrder, {**GOOD, "price": "0", "trigger_price": 0}).pricetype is PriceType.MARKET
    assert parse(PlaceOrder, {**GOOD, "price": "10", "pricetype": "MARKET"}).pricetype is PriceType.MARKET


@pytest.mark.parametrize("field", ["pricetype", "priceType", "product", "product_type", "price", "trigger_price"])
def test_what_each_order_says_for_itself_is_not_said_for_all(field: str) -> None:
    wrong = {field: "LIMIT"}
    assert len(refused(BasketOrder, strategy="t", orders=[GOOD], **wrong)) == 1
    leg = {**GOOD, "offset": "ATM", "option_type": "CE"}
    assert len(refused(OptionsMultiOrder, strategy="t", underlying="NIFTY", exchange="NFO", legs=[leg], **wrong)) == 1


def test_what_is_said_for_all_of_them_stays_there() -> None:
    item = {**GOOD, "offset": "ATM", "option_type": "CE"}
    of = {"strategy": "t", "underlying": "NIFTY", "exchange": "NFO", "expiry_date": "29DEC26", "note": "mine"}
    assert parse(OptionsMultiOrder, {**of, "legs": [item]}).expiry_date is not None
    assert parse(BasketOrder, {"strategy": "t", "orders": [GOOD], "signal_time": 1795237200}).signal_time is not None


@pytest.mark.parametrize("model", [AllOrders, AllPositions])
@pytest.mark.parametrize("narrowing", [{"symbols": ["SBIN"]}, {"tag": "x"}, {"symbol": None}, {"exchange": None}])
def test_what_may_be_meant_to_narrow_is_never_read_as_all(model: type[ApiModel], narrowing: dict[str, Any]) -> None:
    assert refused(model, strategy="t", **narrowing) == set(narrowing)


def test_all_of_one_symbol_are_named_in_any_spelling() -> None:
    orders = parse(AllOrders, {"Symbol": "SBIN", "EXCHANGE": "NSE"}).request()
    assert (orders.symbol, orders.exchange) == ("SBIN", Exchange.NSE)
    positions = parse(AllPositions, {"symbol": "SBIN", "exchange": "NSE", "product_type": "MIS"}).request()
    assert (positions.symbol, positions.exchange, positions.product) == ("SBIN", Exchange.NSE, Product.MIS)
    assert parse(AllOrders, {}).request() == CancelAllRequest()


LABELS = [("", "-"), (None, "-"), ({}, "-"), ("\x00", "-"), (7, "7"), ("a\u00a0b\tc", "a b c"), ("x" * 300, "x" * 100)]


@pytest.mark.parametrize(("sent", "noted"), LABELS)
def test_no_label_stands_in_the_way_of_a_way_out(sent: object, noted: str) -> None:
    assert parse(NamedOrder, {"orderid": "1", "strategy": sent}).strategy == noted
    assert parse(AllOrders, {"strategy": sent}).strategy == noted
    assert parse(AllPositions, {"strategy": sent}).strategy == noted
    assert parse(NamedGtt, {"trigger_id": "1", "strategy": sent}).strategy == noted


def test_what_opens_a_position_names_its_program() -> None:
    assert set(faults(strategy="")) == {"strategy"}


# What tick * round(price / tick) makes of prices, as JSON and the SDK send it.
NOISY = [0.05 * round(paise / 0.05) for paise in range(1, 30_000, 7)] + [0.0025 * 3, 909.6500000000001, 0.1 + 0.2]


def test_a_price_that_was_rounded_to_its_tick_is_the_price_that_was_meant() -> None:
    for near in NOISY:
        for sent in (str(near), Decimal(repr(near))):
            assert parse(PlaceOrder, {**GOOD, "pricetype": "LIMIT", "price": sent}).price == round(Decimal(near), 6)


@pytest.mark.parametrize("meant", ["909.654", "0.0000001", "909.65001", "24567.85", "1e2", "0"])
def test_a_price_of_other_digits_keeps_them(meant: str) -> None:
    kept = parse(PlaceOrder, {**GOOD, "pricetype": "LIMIT", "price": meant}).price
    assert (kept, str(kept)) == (Decimal(meant), str(Decimal(meant)))


def test_node_may_leave_out_what_it_never_sends() -> None:
    fields = {**GOOD, "orderid": 26112100000001, "pricetype": "LIMIT", "product": "MIS", "price": "10"}
    change = parse(ModifyOrder, fields)
    assert change.order().trigger_price == 0


def test_an_order_id_may_be_a_number_and_needs_no_strategy() -> None:
    assert parse(NamedOrder, {"orderid": 42}).orderid == "42"


@pytest.mark.parametrize("sent", [Decimal("26112000000001.0"), Decimal("2.6112000000001E+13")])
def test_an_order_id_may_have_become_a_double(sent: Decimal) -> None:
    assert parse(NamedOrder, {"orderid": sent}).orderid == "26112000000001"


@pytest.mark.parametrize("sent", [Decimal("1.5"), Decimal("90071992547409930.0"), True, None, [], ""])
def test_what_may_be_another_order_is_no_order_id(sent: object) -> None:
    assert refused(NamedOrder, orderid=sent) == {"orderid"}


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
