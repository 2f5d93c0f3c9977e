"""What ``funds`` tells of the money (contract 2.3.1): of the paper account more than of a broker's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from openalgo_bridge.clock import ist_text
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.paper import to_units
from openalgo_bridge.store.paper_ledger import PaperLedger
from tests.api.conftest import ORDER, Post
from tests.conftest import TRADER, Account, FixedClock, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker

OF_ANY = {"availablecash", "collateral", "m2mrealized", "m2munrealized", "utiliseddebits"}
OF_PAPER = {
    "grossexposure", "last_reset", "reset_count", "today_realized_pnl", "total_realized_pnl", "totalpnl",
}  # fmt: skip


def funds(post: Post) -> dict[str, Any]:
    status, answer = post("funds")
    assert (status, answer["mode"]) == (200, "analyze")
    data: dict[str, Any] = answer["data"]
    return data


def lose_a_spread(post: Post) -> Decimal:
    """Buy and sell at once; what that made."""
    before = Decimal(funds(post)["total_realized_pnl"])
    post("placeorder", **ORDER)
    post("placeorder", **{**ORDER, "action": "SELL"})
    return Decimal(funds(post)["total_realized_pnl"]) - before


def test_the_paper_account_tells_what_the_dialect_tells_and_all_of_it_as_text(post: Post) -> None:
    told = funds(post)
    assert set(told) == OF_ANY | OF_PAPER
    assert [name for name, value in told.items() if not isinstance(value, str)] == []


def test_what_was_made_today_and_what_was_made_ever_are_two_figures(post: Post, clock: FixedClock) -> None:
    lost = lose_a_spread(post)
    assert lost < 0
    told = funds(post)
    assert Decimal(told["today_realized_pnl"]) == Decimal(told["m2mrealized"]) == lost
    clock.move(days=1)
    told = funds(post)
    assert (told["today_realized_pnl"], told["m2mrealized"]) == ("0.00", "0.00")
    assert Decimal(told["total_realized_pnl"]) == lost


def test_all_profit_is_what_was_booked_ever_and_what_is_open(post: Post, clock: FixedClock) -> None:
    lose_a_spread(post)
    post("placeorder", **ORDER)
    clock.move(minutes=5)
    told = {name: Decimal(value) for name, value in funds(post).items() if name != "last_reset"}
    assert told["m2munrealized"] != 0
    assert abs(told["totalpnl"] - told["total_realized_pnl"] - told["m2munrealized"]) <= Decimal("0.01")
    assert told["grossexposure"] == told["utiliseddebits"] > 0


def test_an_account_that_was_never_begun_anew_says_since_when_it_is_there(post: Post, desk: Desk) -> None:
    (given,) = PaperLedger(desk.store.files[0]).lines(limit=2)
    told = funds(post)
    assert (told["reset_count"], told["last_reset"]) == ("0", ist_text(given.at))


def test_an_account_that_begins_anew_has_made_nothing(post: Post, desk: Desk, clock: FixedClock) -> None:
    for _ in range(2):
        lose_a_spread(post)
        clock.move(minutes=1)
        desk.store.paper_capital.reset(to_units(Decimal(100_000)), by=TRADER)
    begun = clock.now()
    clock.move(minutes=1)
    told = funds(post)
    assert (told["reset_count"], told["last_reset"]) == ("2", ist_text(begun))
    assert (told["availablecash"], told["total_realized_pnl"], told["totalpnl"]) == ("100000.00", "0.00", "0.00")


def test_a_live_account_tells_what_a_broker_tells(desk: Desk, account: Account) -> None:
    live = with_broker(desk, ScriptedBroker(desk), TradingMode.LIVE)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    answer = client_of(app_of(live)).post("/api/v1/funds", json={"apikey": account.key}).get_json()
    assert set(answer["data"]) == OF_ANY
