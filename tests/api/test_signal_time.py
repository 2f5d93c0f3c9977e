"""Everything that places an order says how old its signal is, and an old one is refused whichever way it comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from openalgo_bridge.clock import to_ms
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.instrument import OPTIONS
from openalgo_bridge.model.order import Exchange, OrderMode
from openalgo_bridge.model.symbol import compact_date
from tests.api.conftest import ORDER, Post
from tests.conftest import TRADER, FixedClock

ITEM = {name: value for name, value in ORDER.items() if name != "strategy"}
OPTION = {"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": 65}
WAYS: dict[str, dict[str, Any]] = {
    "placeorder": ORDER,
    "placesmartorder": {**ORDER, "position_size": 10},
    "basketorder": {"strategy": "t", "orders": [ITEM, ITEM]},
    "splitorder": {**ORDER, "splitsize": 5},
    "optionsorder": OPTION,
    "optionsmultiorder": {"legs": [OPTION, {**OPTION, "action": "SELL", "offset": "OTM1"}]},
}


@pytest.fixture
def of_options(desk: Desk, clock: FixedClock) -> dict[str, str]:
    """The underlying and the nearest expiry, which other endpoints ignore."""
    desk.store.instrument_lists.roll()
    (expiry, *_) = desk.store.instruments.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=clock.now().date())
    return {"strategy": "t", "underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": compact_date(expiry)}


@pytest.fixture
def strict(desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(stale_after=30), by=TRADER)


def signal(clock: FixedClock, age: int) -> int:
    return to_ms(clock.now() - timedelta(seconds=age))


def asked(way: str, of_options: dict[str, str]) -> dict[str, Any]:
    return {**(of_options if way.startswith("options") else {}), **WAYS[way]}


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("mode", OrderMode)
@pytest.mark.parametrize("way", WAYS)
def test_an_old_signal_sends_nothing_and_holds_nothing(
    post: Post, desk: Desk, clock: FixedClock, of_options: dict[str, str], way: str, mode: OrderMode
) -> None:
    if mode is OrderMode.SEMI_AUTO:
        desk.store.preferences.set_order_mode(mode, by=TRADER)
    _, answer = post(way, **asked(way, of_options), signal_time=signal(clock, 31))
    assert (answer["status"], "stale_signal" in str(answer)) == ("error", True)
    assert (post("orderbook")[1]["data"]["orders"], desk.store.journal.held()) == ([], [])


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("way", WAYS)
def test_a_fresh_signal_goes(post: Post, clock: FixedClock, of_options: dict[str, str], way: str) -> None:
    assert post(way, **asked(way, of_options), signal_time=signal(clock, 29))[1]["status"] == "success"
    assert post("orderbook")[1]["data"]["orders"] != []


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("way", WAYS)
def test_a_time_of_nowhere_is_invalid(post: Post, of_options: dict[str, str], way: str) -> None:
    status, answer = post(way, **asked(way, of_options), signal_time="yesterday")
    assert (status, list(answer["errors"])) == (400, ["signal_time"])


@pytest.mark.usefixtures("strict")
def test_a_basket_is_as_old_as_the_oldest_signal_in_it(post: Post, clock: FixedClock) -> None:
    orders = [{**ITEM, "signal_time": signal(clock, age)} for age in (1, 31)]
    answer = post("basketorder", strategy="t", orders=orders, signal_time=signal(clock, 2))[1]
    assert [each["status"] for each in answer["results"]] == ["error", "error"]


@pytest.mark.usefixtures("strict")
def test_an_exit_goes_however_old_its_signal_is(post: Post, clock: FixedClock) -> None:
    post("placeorder", **ORDER)
    exits = {**ORDER, "action": "SELL", "splitsize": 5}
    answer = post("splitorder", **exits, signal_time=signal(clock, 600))[1]
    assert [each["status"] for each in answer["results"]] == ["success", "success"]
