"""How numbers, times and requests are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    ModifyRequest,
    OrderRequest,
)
from openalgo_bridge.model.order import PriceType as Type
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.web import formats, words


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("7.5", "7.50"),
        ("999", "999.00"),
        ("1000", "1,000.00"),
        ("123456.7", "1,23,456.70"),
        ("10000000", "1,00,00,000.00"),
        ("-1234.5", "−1,234.50"),
        ("83.1225", "83.1225"),
        ("1310.3666666", "1,310.3667"),
        ("-0.00001", "0.00"),
    ],
)
def test_money_is_grouped_the_indian_way(amount: str, text: str) -> None:
    assert formats.money(Decimal(amount)) == text


def test_rupees_carry_the_sign_before_the_symbol() -> None:
    assert formats.rupees(Decimal("-1234.567")) == "−₹1,234.57"
    assert formats.rupees(Decimal("1234")) == "₹1,234.00"


def test_a_time_is_shown_in_ist_and_titled_in_utc() -> None:
    moment = datetime(2026, 11, 20, 20, 0, 5, 123_900, tzinfo=UTC)
    assert formats.ist(moment) == "21 Nov 2026 01:30:05"
    assert formats.ist_ms(moment) == "21 Nov 01:30:05.123"
    assert formats.utc(moment) == "2026-11-20 20:00:05.123 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59, "59 s"), (65, "1 min 05 s"), (3700, "1 h 01 min"), (90000, "1 d 1 h")]
)
def test_a_duration_is_never_below_zero(seconds: int, text: str) -> None:
    assert formats.duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("ms", "text"), [(0.4, "0.40 ms"), (12.34, "12.3 ms"), (1200, "1.20 s")])
def test_a_response_time_keeps_three_digits(ms: float, text: str) -> None:
    assert formats.response_time(ms) == text


def an_order(**changed: object) -> OrderRequest:
    fields = {"symbol": "SBIN", "exchange": Exchange.NSE, "action": Action.SELL, "quantity": 1500}
    return OrderRequest(**(fields | changed))


@pytest.mark.parametrize("price_type", list(Type))
def test_every_price_type_has_its_words(price_type: Type) -> None:
    order = an_order(price_type=price_type, price=Decimal(500), trigger_price=Decimal(495), disclosed_quantity=100)
    sentence = words.sentence(order)
    assert sentence.startswith("SELL 1,500 SBIN on NSE ")
    assert sentence.endswith(", intraday (MIS), showing 100")
    assert ("500.00" in sentence) == (price_type in {Type.LIMIT, Type.SL})
    assert ("495.00" in sentence) == (price_type in {Type.SL, Type.SL_M})


def test_a_change_and_a_cancel_name_their_order() -> None:
    target = BrokerOrderId("42")
    change = ModifyRequest(broker_order_id=target, order=an_order())
    assert words.sentence(change).startswith("Change order 42 to: SELL 1,500 SBIN")
    assert words.deed(change) == "change order 42"
    assert words.deed(CancelRequest(broker_order_id=target)) == "cancel order 42"


@pytest.mark.parametrize(
    ("wanted", "of"),
    [
        (CloseRequest(), ""),
        (CloseRequest(exchange=Exchange.NSE), " on NSE"),
        (CloseRequest(symbol="SBIN", exchange=Exchange.NSE), " in SBIN on NSE"),
    ],
)
def test_what_is_about_all_says_of_which(wanted: CloseRequest, of: str) -> None:
    assert words.deed(wanted) == f"close every open position{of}"
    withdrawal = CancelAllRequest(symbol=wanted.symbol, exchange=wanted.exchange)
    assert words.sentence(withdrawal) == f"Cancel every open order{of}"


def test_every_state_has_a_word_and_a_persons_no_is_not_the_brokers() -> None:
    for state in [*TicketState, *OrderState]:
        assert words.state(state) != state
    assert words.state(TicketState.REJECTED) != words.state(OrderState.REJECTED)
