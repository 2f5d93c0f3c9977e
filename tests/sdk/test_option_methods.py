"""The published ``openalgo`` package's methods about options, margin and messages, on a real socket."""

from __future__ import annotations

from typing import Any

import openalgo
import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.model.instrument import OPTIONS
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import compact_date
from tests.conftest import PASSWORD, Live

pytestmark = pytest.mark.sdk


@pytest.fixture
def sdk(live: Live) -> Any:
    live.desk.store.instrument_lists.roll()
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    return openalgo.api(api_key=key, host=live.url)


@pytest.fixture
def expiry(live: Live, sdk: Any) -> str:
    """The one after next, so that none of it expires while the test runs."""
    today = day_in_india(live.desk.clock.now())
    listed = live.desk.store.instruments.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=today)
    return compact_date(listed[1])


def test_an_option_is_found_by_its_offset(sdk: Any, expiry: str) -> None:
    asked = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": expiry, "option_type": "CE"}
    found = sdk.optionsymbol(**asked, offset="OTM2")
    assert found["status"] == "success"
    assert found["symbol"].startswith(f"NIFTY{expiry}")
    assert found["lotsize"] > 0
    with pytest.warns(DeprecationWarning, match="strike_int"):
        on_grid = sdk.optionsymbol(**asked, offset="ATM", strike_int=100)
    assert int(on_grid["symbol"].removesuffix("CE")[len(f"NIFTY{expiry}") :]) % 100 == 0


def test_a_chain_its_greeks_and_its_synthetic_future_agree(sdk: Any, expiry: str) -> None:
    named = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": expiry}
    chain = sdk.optionchain(**named, strike_count=2)
    assert len(chain["chain"]) == 5
    middle = chain["chain"][2]
    assert middle["ce"]["label"] == middle["pe"]["label"] == "ATM"
    future = sdk.syntheticfuture(**named)
    assert abs(future["synthetic_future_price"] - future["underlying_ltp"]) < future["underlying_ltp"] * 0.02
    greeks = sdk.optiongreeks(symbol=middle["ce"]["symbol"], exchange="NFO", interest_rate=0.0)
    assert greeks["status"] == "success"
    assert 0.2 < greeks["greeks"]["delta"] < 0.8
    given = sdk.optiongreeks(
        symbol=middle["ce"]["symbol"],
        exchange="NFO",
        forward_price=future["underlying_ltp"],
        underlying_symbol="NIFTY",
        underlying_exchange="NSE_INDEX",
        expiry_time="15:30",
    )
    assert given["spot_price"] == pytest.approx(future["underlying_ltp"])


def test_a_chain_without_an_expiry_is_told_what_is_missing(sdk: Any) -> None:
    refused = sdk.optionchain(underlying="NIFTY", exchange="NSE_INDEX")
    assert refused["code"] == 400
    assert "Expiry date is required" in refused["message"]


def test_the_margin_of_orders_is_a_number(sdk: Any, expiry: str) -> None:
    option = sdk.optionsymbol(
        underlying="NIFTY", exchange="NSE_INDEX", expiry_date=expiry, offset="ATM", option_type="CE"
    )
    buys = {"action": "BUY", "pricetype": "MARKET"}
    answer = sdk.margin(
        positions=[
            {"symbol": option["symbol"], "exchange": "NFO", "product": "NRML", "quantity": option["lotsize"], **buys},
            {"symbol": "RELIANCE", "exchange": "NSE", "product": "MIS", "quantity": 10, **buys},
        ]
    )
    assert answer["data"]["total_margin_required"] > 0


def test_a_message_to_the_trader_is_not_said_to_be_sent(sdk: Any) -> None:
    answer = sdk.telegram(username="trader", message="RELIANCE is at its target.")
    assert (answer["status"], answer["code"]) == ("error", 409)
    assert "was not sent to anybody" in answer["message"]
