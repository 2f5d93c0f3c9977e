"""Options ordered by their distance from the money (contract 2.1.9, 2.1.10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.instrument import OPTIONS
from openalgo_bridge.model.order import Exchange, OrderMode, TradingMode
from openalgo_bridge.model.symbol import compact_date
from tests.api.conftest import Post
from tests.conftest import TRADER, Account, FixedClock, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker


@pytest.fixture
def nifty(desk: Desk, clock: FixedClock) -> dict[str, Any]:
    """A request for NIFTY options of the nearest expiry, one lot."""
    desk.store.instrument_lists.roll()
    (expiry, *_) = desk.store.instruments.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=clock.now().date())
    (row, *_) = desk.store.instruments.chain(Exchange.NFO, "NIFTY", expiry)
    assert row.call is not None
    return {
        "strategy": "t",
        "underlying": "NIFTY",
        "exchange": "NSE_INDEX",
        "expiry_date": compact_date(expiry),
        "quantity": str(row.call.lot),
        "offset": "OTM1",
        "option_type": "ce",
        "action": "BUY",
    }


def leg(of: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {name: of[name] for name in ("offset", "option_type", "action", "quantity")} | changed


def test_the_option_that_is_meant_is_ordered_and_named(post: Post, nifty: dict[str, Any]) -> None:
    meant = post("optionsymbol", **nifty)[1]
    status, answer = post("optionsorder", **nifty)
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert answer["orderid"].isdigit()
    assert (answer["symbol"], answer["exchange"]) == (meant["symbol"], "NFO")
    assert (answer["underlying"], answer["offset"], answer["option_type"]) == ("NIFTY", "OTM1", "CE")
    assert answer["underlying_ltp"] > 0
    row = post("orderstatus", strategy="t", orderid=answer["orderid"])[1]["data"]
    assert (row["symbol"], row["quantity"], row["product"]) == (meant["symbol"], nifty["quantity"], "MIS")


def test_a_large_one_goes_in_slices(post: Post, nifty: dict[str, Any]) -> None:
    lot = int(nifty["quantity"])
    status, answer = post("optionsorder", **{**nifty, "quantity": 3 * lot, "splitsize": 2 * lot})
    assert (status, answer["status"]) == (200, "success")
    assert [each["quantity"] for each in answer["results"]] == [2 * lot, lot]
    assert (answer["total_quantity"], answer["split_size"]) == (3 * lot, 2 * lot)


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"offset": "OTM99"}, 400, "Offset must be ATM, ITM1-ITM50, or OTM1-OTM50"),
        ({"option_type": "XX"}, 400, "Must be one of: CE, PE."),
        ({"product": "CNC"}, 400, "Must be one of: MIS, NRML."),
        ({"quantity": "1"}, 400, "multiples of lot size"),
        ({"expiry_date": "01JAN20"}, 404, "No strikes found for NIFTY expiring 01JAN20."),
        ({"underlying": "NOSUCH"}, 400, "NOSUCH"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_ordered(
    post: Post, nifty: dict[str, Any], changed: dict[str, Any], status: int, said: str
) -> None:
    refused, answer = post("optionsorder", **{**nifty, **changed})
    assert (refused, answer["status"]) == (status, "error")
    assert said in str(answer)
    assert post("orderbook")[1]["data"]["orders"] == []


def test_a_strategy_sends_what_buys_first_and_answers_by_the_place_of_each_leg(
    post: Post, nifty: dict[str, Any]
) -> None:
    legs = [leg(nifty, action="SELL"), leg(nifty, offset="OTM3"), leg(nifty, action="SELL", option_type="PE")]
    status, answer = post("optionsmultiorder", **{**nifty, "legs": legs})
    assert (status, answer["status"], answer["mode"]) == (200, "success", "analyze")
    assert [(each["leg"], each["action"], each["status"]) for each in answer["results"]] == [
        (1, "SELL", "success"),
        (2, "BUY", "success"),
        (3, "SELL", "success"),
    ]
    assert all(each["mode"] == "analyze" and each["orderid"] for each in answer["results"])
    booked = post("orderbook")[1]["data"]["orders"]
    assert [each["action"] for each in reversed(booked)] == ["BUY", "SELL", "SELL"]


def test_a_leg_that_is_not_listed_is_named_and_none_is_sent(post: Post, nifty: dict[str, Any]) -> None:
    legs = [leg(nifty), leg(nifty, expiry_date="01JAN20", action="SELL")]
    status, answer = post("optionsmultiorder", **{**nifty, "legs": legs})
    assert (status, list(answer["errors"])) == (400, ["legs[1]"])
    assert post("orderbook")[1]["data"]["orders"] == []


def test_a_leg_may_go_in_slices(post: Post, nifty: dict[str, Any]) -> None:
    lot = int(nifty["quantity"])
    legs = [leg(nifty, quantity=3 * lot, splitsize=lot), leg(nifty, action="SELL", offset="OTM3")]
    _, answer = post("optionsmultiorder", **{**nifty, "legs": legs})
    first, second = answer["results"]
    assert [each["quantity"] for each in first["split_results"]] == [lot] * 3
    assert (first["total_quantity"], first["status"], "orderid" in second) == (3 * lot, "success", True)


def test_in_semi_auto_the_contracts_wait_as_they_were_found(desk: Desk, post: Post, nifty: dict[str, Any]) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    meant = post("optionsymbol", **nifty)[1]["symbol"]
    assert post("optionsorder", **nifty)[1]["mode"] == "semi_auto"
    assert post("optionsmultiorder", **{**nifty, "legs": [leg(nifty), leg(nifty, action="SELL", offset="OTM3")]})[1][
        "pending_order_id"
    ]
    several, one = desk.store.journal.tickets()
    assert one.order is not None
    assert one.order.symbol == meant
    assert (several.operation, len(several.request.orders)) == ("optionsmultiorder", 2)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["optionsorder", "optionsorder in slices", "optionsmultiorder"])
def test_an_option_that_was_chosen_by_the_prices_of_the_other_account_is_not_sent(
    desk: Desk, account: Account, nifty: dict[str, Any], path: str
) -> None:
    paper, live = ScriptedBroker(desk, ltp=Decimal(26000)), ScriptedBroker(desk, ltp=Decimal(24000))
    both = with_broker(with_broker(desk, paper), live, TradingMode.LIVE)
    paper.while_reading = lambda: both.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    fields = {"legs": [leg(nifty)]} if path == "optionsmultiorder" else {}
    sliced = {"splitsize": nifty["quantity"]} if path.endswith("slices") else {}
    body = {"apikey": account.key, **nifty, **fields, **sliced}
    answer = client_of(app_of(both)).post(f"/api/v1/{path.partition(' ')[0]}", json=body)
    assert (answer.status_code, "trading mode was changed" in answer.get_json()["message"]) == (409, True)
    assert (paper.calls, live.calls, both.store.journal.tickets()) == ([], [], [])


@pytest.mark.parametrize("path", ["optionsorder", "optionsmultiorder"])
def test_without_a_price_of_the_underlying_no_option_is_ordered(
    desk: Desk, account: Account, nifty: dict[str, Any], path: str
) -> None:
    broker = ScriptedBroker(desk, ltp=Decimal(0))
    body = {"apikey": account.key, **nifty, "offset": "ATM", "legs": [leg(nifty, offset="ATM")]}
    answer = client_of(app_of(with_broker(desk, broker))).post(f"/api/v1/{path}", json=body)
    assert (answer.status_code, "Failed to fetch LTP for NIFTY" in answer.get_json()["message"]) == (404, True)
    assert broker.calls == []
