"""The Rust and .NET clients read each field as one type and fail on any other (callers 3.5)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.api import account_answers
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.books import Holding
from openalgo_bridge.model.order import Exchange
from tests.api.test_closing import ClosedForCancels
from tests.conftest import Account, app_of, client_of
from tests.fakes import with_broker
from tests.serving import Bridge
from tests.wire import Wire

TEXT, WHOLE, NUMBER = (str,), (int,), (int, float)
LIMIT = {"strategy": "t", "symbol": "SBIN", "exchange": "NSE", "action": "BUY", "pricetype": "LIMIT", "quantity": 3}
SHARE = {"symbol": "SBIN", "exchange": "NSE"}
BARS = {**SHARE, "interval": "5m", "start_date": "2026-11-20", "end_date": "2026-11-20"}
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "23NOV26"}
OPTION = {"symbol": "NIFTY23NOV2626000CE", "exchange": "NFO"}

Types = dict[str, tuple[type, ...]]


@pytest.fixture(scope="module")
def order_id(bridge: Bridge) -> str:
    """One order that works, beside one that has filled."""
    bridge.ask("placeorder", **{**LIMIT, "symbol": "INFY", "pricetype": "MARKET"})
    low = round(bridge.ask("quotes", **SHARE)["data"]["ltp"] * 0.9)
    return str(bridge.ask("placeorder", **LIMIT, price=low)["orderid"])


def wrong(row: dict[str, Any], types: Types) -> dict[str, Any]:
    """The fields whose type is another one. True and False are no numbers."""
    return {name: row[name] for name, allowed in types.items() if type(row[name]) not in allowed}


ORDER_ROW: Types = {
    "orderid": TEXT,
    "symbol": TEXT,
    "quantity": TEXT,
    "price": NUMBER,
    "trigger_price": NUMBER,
    "timestamp": TEXT,
}
PRICES = dict.fromkeys(("open", "high", "low"), NUMBER)
BAR: Types = {"timestamp": WHOLE, "volume": WHOLE, "oi": WHOLE, "close": NUMBER, **PRICES}
OF_A_CHAIN: Types = {
    "symbol": TEXT,
    "label": TEXT,
    **dict.fromkeys(("ltp", "bid", "ask", "prev_close", "tick_size"), NUMBER),
    **PRICES,
    **dict.fromkeys(("bid_qty", "ask_qty", "volume", "oi", "lotsize"), WHOLE),
    **dict.fromkeys(("implied_volatility", "delta", "gamma", "theta", "vega"), NUMBER),
}
OF_GREEKS: Types = dict.fromkeys(
    ("strike", "days_to_expiry", "spot_price", "option_price", "interest_rate", "implied_volatility"), NUMBER
)


def test_an_order(bridge: Bridge, order_id: str) -> None:
    status = bridge.ask("orderstatus", orderid=order_id)["data"]
    assert wrong(status, {**ORDER_ROW, "average_price": NUMBER, "order_status": TEXT}) == {}


def test_the_books(bridge: Bridge, order_id: str) -> None:
    book = bridge.ask("orderbook")["data"]
    assert [fault for row in book["orders"] if (fault := wrong(row, ORDER_ROW))] == []
    assert wrong(book["statistics"], dict.fromkeys(book["statistics"], NUMBER)) == {}
    trade = bridge.ask("tradebook")["data"][0]
    assert wrong(trade, {"orderid": TEXT, "quantity": NUMBER, "average_price": NUMBER, "trade_value": NUMBER}) == {}
    position = bridge.ask("positionbook")["data"][0]
    assert wrong(position, {"quantity": TEXT, "average_price": TEXT, "ltp": TEXT, "pnl": TEXT}) == {}


def test_one_position_and_the_funds(bridge: Bridge, order_id: str) -> None:
    assert wrong(bridge.ask("openposition", **SHARE, product="MIS"), {"quantity": TEXT}) == {}
    funds = bridge.ask("funds")["data"]
    assert wrong(funds, dict.fromkeys(funds, TEXT)) == {}


def test_prices(bridge: Bridge) -> None:
    prices = dict.fromkeys(("ask", "bid", "high", "low", "ltp", "open", "prev_close"), NUMBER)
    assert wrong(bridge.ask("quotes", **SHARE)["data"], {**prices, "volume": WHOLE, "oi": WHOLE}) == {}
    depth = bridge.ask("depth", **SHARE)["data"]
    assert wrong(depth, {"ltq": WHOLE, "totalbuyqty": WHOLE, "totalsellqty": WHOLE, "volume": WHOLE, "oi": WHOLE}) == {}
    assert [each for each in depth["bids"] if wrong(each, {"price": NUMBER, "quantity": WHOLE})] == []


def test_bars(bridge: Bridge) -> None:
    rows = bridge.ask("history", **BARS)["data"]
    assert rows
    assert [fault for row in rows if (fault := wrong(row, BAR))] == []


def test_a_symbol(bridge: Bridge) -> None:
    row = bridge.ask("symbol", symbol="SBIN", exchange="NSE")["data"]
    assert wrong(row, {"lotsize": WHOLE, "freeze_qty": WHOLE, "token": TEXT, "tick_size": NUMBER}) == {}


def test_a_holding() -> None:
    """As any broker tells it: the paper exchange delivers shares on the next trading day only."""
    shares = Holding(
        symbol="SBIN", exchange=Exchange.NSE, quantity=3, average_price=Decimal("800.05"), ltp=Decimal(801)
    )
    (row,) = account_answers.holdings([shares])["holdings"]
    assert wrong(row, {"quantity": WHOLE, "average_price": NUMBER, "pnl": NUMBER, "pnlpercent": NUMBER}) == {}


def test_bars_of_the_ticker(bridge: Bridge) -> None:
    asked = f"apikey={bridge.key}&interval=5m&from=2026-11-20&to=2026-11-20"
    request = f"GET /api/v1/ticker/NSE:SBIN?{asked} HTTP/1.1\r\nHost: 127.0.0.1:{bridge.port}\r\n\r\n"
    with Wire(bridge.port) as wire:
        rows = json.loads(wire.ask(request.encode()).body)["data"]
    assert rows
    assert [fault for row in rows if (fault := wrong(row, BAR))] == []


def test_an_option_chain(bridge: Bridge) -> None:
    answer = bridge.ask("optionchain", **NIFTY, strike_count=2, with_greeks=True)
    times: Types = {"expiry_ts": WHOLE, "server_ts": WHOLE}
    assert wrong(answer, {"underlying_ltp": NUMBER, "atm_strike": NUMBER, "expiry_date": TEXT, **times}) == {}
    assert [row["strike"] for row in answer["chain"] if wrong(row, {"strike": NUMBER})] == []
    options = [row[side] for row in answer["chain"] for side in ("ce", "pe")]
    assert len(options) == 10
    assert [fault for each in options if (fault := wrong(each, OF_A_CHAIN))] == []


def test_the_symbol_of_an_option(bridge: Bridge) -> None:
    answer = bridge.ask("optionsymbol", **NIFTY, offset="ATM", option_type="CE")
    numbers: Types = {"lotsize": WHOLE, "freeze_qty": WHOLE, "tick_size": NUMBER, "underlying_ltp": NUMBER}
    assert wrong(answer, {"symbol": TEXT, "exchange": TEXT, **numbers}) == {}


def test_greeks(bridge: Bridge) -> None:
    many = bridge.ask("multioptiongreeks", symbols=[OPTION])["data"]
    for answer in (bridge.ask("optiongreeks", **OPTION), *many):
        assert wrong(answer, {"symbol": TEXT, "option_type": TEXT, "expiry_date": TEXT, **OF_GREEKS}) == {}
        assert wrong(answer["greeks"], dict.fromkeys(("delta", "gamma", "theta", "vega", "rho"), NUMBER)) == {}


def test_what_could_not_be_cancelled(desk: Desk, account: Account) -> None:
    client = client_of(app_of(with_broker(desk, ClosedForCancels(desk))))
    client.post("/api/v1/placeorder", json={"apikey": account.key, **LIMIT, "price": 900})
    answer = client.post("/api/v1/cancelallorder", json={"apikey": account.key}).get_json()
    assert [type(each) for each in answer["failed_cancellations"]] == [str]
