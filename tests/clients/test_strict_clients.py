"""The Rust and .NET clients read each field as one type and fail on any other (callers 3.5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.api import account_answers
from openalgo_bridge.model.books import Holding
from openalgo_bridge.model.order import Exchange
from tests.serving import Bridge

TEXT, WHOLE, NUMBER = (str,), (int,), (int, float)
LIMIT = {"strategy": "t", "symbol": "SBIN", "exchange": "NSE", "action": "BUY", "pricetype": "LIMIT", "quantity": 3}
SHARE = {"symbol": "SBIN", "exchange": "NSE"}
BARS = {**SHARE, "interval": "5m", "start_date": "2026-11-20", "end_date": "2026-11-20"}

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
    assert [
        row for row in rows if wrong(row, {"timestamp": WHOLE, "volume": WHOLE, "oi": WHOLE, "close": NUMBER})
    ] == []


def test_a_symbol(bridge: Bridge) -> None:
    row = bridge.ask("symbol", symbol="SBIN", exchange="NSE")["data"]
    assert wrong(row, {"lotsize": WHOLE, "freeze_qty": WHOLE, "token": TEXT, "tick_size": NUMBER}) == {}


def test_a_holding() -> None:
    """The paper exchange has none yet; a broker's are rendered the same way."""
    shares = Holding(
        symbol="SBIN", exchange=Exchange.NSE, quantity=3, average_price=Decimal("800.05"), ltp=Decimal(801)
    )
    (row,) = account_answers.holdings([shares])["holdings"]
    assert wrong(row, {"quantity": WHOLE, "average_price": NUMBER, "pnl": NUMBER, "pnlpercent": NUMBER}) == {}
