"""What each position made today (contract 2.8.3)."""

from __future__ import annotations

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import TradingMode
from tests.api.conftest import ORDER, Post
from tests.conftest import TRADER, Account, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker


def test_profits_are_told_by_position_and_add_up(post: Post) -> None:
    post("placeorder", **ORDER)
    post("placeorder", **{**ORDER, "symbol": "SBIN"})
    post("placeorder", **{**ORDER, "symbol": "SBIN", "action": "SELL"})
    status, answer = post("pnl/symbols")
    assert (status, answer["mode"]) == (200, "analyze")
    rows = {row["symbol"]: row for row in answer["data"]}
    assert (rows["RELIANCE"]["quantity"], rows["SBIN"]["quantity"]) == (10, 0)
    assert rows["SBIN"]["today_realized_pnl"] < 0
    assert rows["SBIN"]["unrealized_pnl"] == 0
    for name in ("pnl", "unrealized_pnl", "today_realized_pnl", "total_pnl_today"):
        total = answer[name if name.startswith("total") else f"total_{name}"]
        assert total == pytest.approx(sum(row[name] for row in rows.values()))
    for row in rows.values():
        assert row["total_pnl_today"] == pytest.approx(row["unrealized_pnl"] + row["today_realized_pnl"])


def test_nothing_held_is_no_profit(post: Post) -> None:
    answer = post("pnl/symbols")[1]
    assert (answer["data"], answer["total_pnl"]) == ([], 0)


def test_a_live_account_is_not_told_so(desk: Desk, account: Account) -> None:
    live = with_broker(desk, ScriptedBroker(desk), TradingMode.LIVE)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    answer = client_of(app_of(live)).post("/api/v1/pnl/symbols", json={"apikey": account.key})
    assert answer.status_code == 400
    assert answer.get_json()["message"] == "This endpoint is only available in sandbox/analyzer mode"
