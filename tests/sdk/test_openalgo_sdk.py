"""The published ``openalgo`` package, unmodified, against a bridge on a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openalgo
import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.permission import PRESETS, Preset
from openalgo_bridge.trading import approvals
from tests.conftest import PASSWORD, TRADER, Live

pytestmark = pytest.mark.sdk


@pytest.fixture
def sdk(live: Live) -> Any:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    return openalgo.api(api_key=key, host=live.url)


def buy(sdk: Any, **changes: Any) -> dict[str, Any]:
    asked = {"symbol": "RELIANCE", "action": "BUY", "exchange": "NSE", "product": "MIS", "quantity": 10, **changes}
    answer: dict[str, Any] = sdk.placeorder(**asked)
    return answer


def test_a_market_order_fills_and_shows_in_every_book(sdk: Any, live: Live) -> None:
    placed = buy(sdk, price_type="MARKET")
    assert placed["status"] == "success"
    status = sdk.orderstatus(order_id=placed["orderid"])
    assert status["data"]["order_status"] == "complete"
    assert sdk.orderbook()["data"]["orders"][0]["orderid"] == placed["orderid"]
    assert sdk.tradebook()["data"][0]["orderid"] == placed["orderid"]
    assert sdk.positionbook()["data"][0]["symbol"] == "RELIANCE"
    assert int(sdk.openposition(symbol="RELIANCE", exchange="NSE", product="MIS")["quantity"]) == 10
    assert sdk.holdings()["data"]["holdings"] == []
    assert float(sdk.funds()["data"]["utiliseddebits"]) > 0
    assert len(live.desk.store.traffic.page(limit=100)) == 8


def test_a_price_that_was_rounded_to_its_tick_in_floats_is_taken(sdk: Any) -> None:
    ltp = sdk.quotes(symbol="RELIANCE", exchange="NSE")["data"]["ltp"]
    rounded = [round(ltp * (0.9 + step / 1000) / 0.1) * 0.1 for step in range(60)]
    noisy = [price for price in rounded if len(repr(price)) > 8][:3]
    assert len(noisy) == 3, "too few of them show what floats do"
    assert [buy(sdk, price_type="LIMIT", price=price)["status"] for price in noisy] == ["success"] * 3


def test_a_basket_as_the_guides_spell_it_waits_for_its_price(sdk: Any) -> None:
    ltp = sdk.quotes(symbol="RELIANCE", exchange="NSE")["data"]["ltp"]
    item = {"symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": 1, "price_type": "LIMIT"}
    placed = sdk.basketorder(strategy="t", orders=[{**item, "price": round(ltp * 0.9), "product_type": "CNC"}])
    row = sdk.orderstatus(order_id=placed["results"][0]["orderid"])["data"]
    assert (row["pricetype"], row["product"], row["order_status"]) == ("LIMIT", "CNC", "open")


def test_a_limit_order_is_changed_and_cancelled(sdk: Any) -> None:
    ltp = sdk.quotes(symbol="RELIANCE", exchange="NSE")["data"]["ltp"]
    placed = buy(sdk, price_type="LIMIT", price=round(ltp * 0.9))
    changed = sdk.modifyorder(
        order_id=placed["orderid"],
        symbol="RELIANCE",
        action="BUY",
        exchange="NSE",
        product="MIS",
        quantity=20,
        price=round(ltp * 0.9),
    )
    assert changed["orderid"] == placed["orderid"]
    assert sdk.orderstatus(order_id=placed["orderid"])["data"]["quantity"] == "20"
    # The SDK sends an int unconverted, as a JSON number.
    assert sdk.cancelorder(order_id=int(placed["orderid"]))["status"] == "success"
    assert sdk.orderstatus(order_id=placed["orderid"])["data"]["order_status"] == "cancelled"


def test_semi_auto_queues_and_an_approval_fills_exactly_once(sdk: Any, live: Live) -> None:
    live.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    queued = buy(sdk)
    assert (queued["status"], queued["mode"]) == ("success", "semi_auto")
    assert "orderid" not in queued
    assert sdk.tradebook()["data"] == []
    ticket = live.desk.store.journal.ticket(queued["pending_order_id"])
    approvals.approve(live.desk, ticket.id, ticket.shown, by=TRADER)
    assert len(sdk.tradebook()["data"]) == 1
    assert sdk.orderstatus(order_id=queued["reference"])["data"]["order_status"] == "complete"
    assert len(live.desk.broker(TradingMode.ANALYZE).trade_book()) == 1


def test_the_analyzer_answers_where_it_stands(sdk: Any) -> None:
    assert sdk.analyzerstatus()["data"]["analyze_mode"] is True
    assert sdk.analyzertoggle(True)["data"]["mode"] == "analyze"
    assert sdk.analyzertoggle(False)["code"] == 403


def test_a_refusal_reads_well_inside_the_sdks_frame(sdk: Any) -> None:
    refused = buy(sdk, symbol="NOSUCH")
    assert refused["code"] == 400
    assert "Symbol NOSUCH not found on NSE." in refused["message"]


@pytest.mark.parametrize(
    ("preset", "may", "may_not"),
    [
        (Preset.READ_ONLY, lambda sdk: sdk.funds(), buy),
        (Preset.TRADE_ONLY, buy, lambda sdk: sdk.funds()),
    ],
)
def test_a_narrow_key_is_told_what_it_may_not(
    sdk: Any, live: Live, preset: Preset, may: Callable[[Any], Any], may_not: Callable[[Any], Any]
) -> None:
    live.desk.store.api_keys.permit(PRESETS[preset], by=TRADER)
    assert may(sdk)["status"] == "success"
    refused = may_not(sdk)
    assert refused["code"] == 403
    assert "API key not authorized: it has no permission to " in refused["message"]


def test_a_wrong_key_is_told_as_such(live: Live, sdk: Any) -> None:
    refused = openalgo.api(api_key="x" * 32, host=live.url).funds()
    assert refused["code"] == 403
    assert "Invalid openalgo apikey" in refused["message"]
