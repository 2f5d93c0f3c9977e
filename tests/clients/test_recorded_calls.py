"""What clients ask beside a plain order, as each writes it to the socket (callers 3.3 to 3.6): none of them runs here.

``{key}``, ``{order}`` and ``{low}`` are filled in: the API key, an order that works, and a price at which it stays so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.clients.test_recorded_requests import RECORDED, Recorded
from tests.serving import Bridge
from tests.wire import Wire

MT5 = "MetaTrader 5, the OpenAlgo library on WinINet"
EXCEL = "Excel add-in, HttpClient with an indented body"
NET = ".NET, PostAsJsonAsync"
RUST = "Rust, reqwest"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a call leaves: the position in INFY, the one order in SBIN, and how many orders went to the exchange."""

    infy: int = 2
    sbin: tuple[str, str] = ("3", "open")
    sent: int = 0


UNCHANGED = State()


def indented(fields: dict[str, Any]) -> str:
    """As Newtonsoft writes it on Windows. The add-in puts the key last, and a number of a cell is a double."""
    return json.dumps({**fields, "apikey": "{key}"}, indent=2).replace("\n", "\r\n")


def compact(fields: dict[str, Any]) -> str:
    """As serde and System.Text.Json write it, the key first."""
    return json.dumps({"apikey": "{key}", **fields}, separators=(",", ":"))


INFY = {"symbol": "INFY", "exchange": "NSE"}
SBIN = {"symbol": "SBIN", "exchange": "NSE"}
AT_THE_MARKET = {"pricetype": "MARKET", "product": "MIS"}
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "23NOV26"}
OPTION = {"offset": "ATM", "option_type": "CE", "action": "BUY"}
EXCEL_BUY = {"strategy": "Excel", "symbol": "INFY", "action": "BUY", "exchange": "NSE"}
NET_BUY = {"strategy": "Python", "symbol": "INFY", "action": "BUY", "exchange": "NSE"}
RUST_BUY = {"strategy": "T", "symbol": "INFY", "action": "BUY", "exchange": "NSE"}

# Client, endpoint, body, and what the call leaves. The order of the fields is the client's own.
CALLS: list[tuple[str, str, str, State]] = [
    (
        MT5,
        "placesmartorder",
        (
            '{"apikey":"{key}","strategy":"MT5","symbol":"INFY","action":"BUY","exchange":"NSE",'
            '"pricetype":"MARKET","product":"MIS","quantity":1,"position_size":5}'
        ),
        State(infy=5, sent=1),
    ),
    (
        MT5,
        "modifyorder",
        (
            '{"apikey":"{key}","strategy":"MT5","symbol":"SBIN","action":"BUY","exchange":"NSE","orderid":"{order}",'
            '"product":"MIS","pricetype":"LIMIT","price":"{low}","quantity":"11","disclosed_quantity":"0",'
            '"trigger_price":"0"}'
        ),
        State(sbin=("11", "open")),
    ),
    (
        MT5,
        "cancelorder",
        '{"apikey":"{key}","strategy":"MT5","orderid":"{order}"}',
        State(sbin=("3", "cancelled")),
    ),
    (MT5, "cancelallorder", '{"apikey":"{key}","strategy":"MT5"}', State(sbin=("3", "cancelled"))),
    (MT5, "closeposition", '{"apikey":"{key}","strategy":"MT5"}', State(infy=0, sent=1)),
    (
        EXCEL,
        "placesmartorder",
        indented({**EXCEL_BUY, "quantity": 1.0, "position_size": 3.0, **AT_THE_MARKET, "price": 0.0}),
        State(infy=3, sent=1),
    ),
    (
        EXCEL,
        "splitorder",
        indented({**EXCEL_BUY, "quantity": 4.0, "splitsize": 2, **AT_THE_MARKET, "disclosed_quantity": 0}),
        State(infy=6, sent=2),
    ),
    (
        EXCEL,
        "basketorder",
        indented({"strategy": "Excel", "orders": [{**INFY, "action": "BUY", "quantity": 1.0, **AT_THE_MARKET}]}),
        State(infy=3, sent=1),
    ),
    (
        EXCEL,
        "modifyorder",
        indented(
            {
                "strategy": "Excel",
                "orderid": "{order}",
                "symbol": "SBIN",
                "action": "BUY",
                "exchange": "NSE",
                "quantity": 7.0,
                "pricetype": "LIMIT",
                "product": "MIS",
                "price": "{low}",
                "trigger_price": 0.0,
                "disclosed_quantity": 0,
            }
        ).replace('"{low}"', "{low}.0"),
        State(sbin=("7", "open")),
    ),
    (EXCEL, "cancelorder", indented({"strategy": "Excel", "orderid": "{order}"}), State(sbin=("3", "cancelled"))),
    (EXCEL, "cancelallorder", indented({"strategy": "Excel"}), State(sbin=("3", "cancelled"))),
    (EXCEL, "closeposition", indented({"strategy": "Excel"}), State(infy=0, sent=1)),
    (
        EXCEL,
        "optionsorder",
        indented(
            {
                "strategy": "Excel",
                "underlying": "NIFTY",
                "exchange": "NSE_INDEX",
                **OPTION,
                "quantity": "65",
                **AT_THE_MARKET,
                "splitsize": "0",
                "price": "0",
                "trigger_price": "0",
                "expiry_date": "23NOV26",
            }
        ),
        State(sent=1),
    ),
    (EXCEL, "orderstatus", indented({"strategy": "Excel", "orderid": "{order}"}), UNCHANGED),
    (EXCEL, "openposition", indented({"strategy": "Excel", **INFY, "product": "MIS"}), UNCHANGED),
    (
        EXCEL,
        "optionchain",
        indented({**NIFTY, "with_greeks": True, "strike_count": 3, "interest_rate": 0.0}),
        UNCHANGED,
    ),
    (EXCEL, "optionsymbol", indented({**NIFTY, "offset": "ATM", "option_type": "CE"}), UNCHANGED),
    *((EXCEL, path, indented(SBIN), UNCHANGED) for path in ("quotes", "depth", "symbol")),
    *(
        (EXCEL, path, indented({}), UNCHANGED)
        for path in ("funds", "orderbook", "tradebook", "positionbook", "holdings", "intervals", "analyzer", "ping")
    ),
    (
        NET,
        "placesmartorder",
        compact({**NET_BUY, **AT_THE_MARKET, "quantity": "1", "position_size": "4"}),
        State(infy=4, sent=1),
    ),
    (
        NET,
        "splitorder",
        compact({**NET_BUY, "quantity": "5", "splitsize": "2", **AT_THE_MARKET}),
        State(infy=7, sent=3),
    ),
    (
        NET,
        "basketorder",
        compact({"strategy": "Python", "orders": [{**INFY, "action": "SELL", "quantity": "2", **AT_THE_MARKET}]}),
        State(infy=0, sent=1),
    ),
    (
        NET,
        "modifyorder",
        compact(
            {
                "orderid": "{order}",
                "strategy": "Python",
                "symbol": "SBIN",
                "action": "BUY",
                "exchange": "NSE",
                "pricetype": "LIMIT",
                "product": "MIS",
                "quantity": "9",
                "price": "{low}",
                "disclosed_quantity": "0",
                "trigger_price": "0",
            }
        ),
        State(sbin=("9", "open")),
    ),
    (NET, "cancelorder", compact({"orderid": "{order}", "strategy": "Python"}), State(sbin=("3", "cancelled"))),
    (NET, "funds", compact({}), UNCHANGED),
    (
        RUST,
        "placesmartorder",
        compact({**RUST_BUY, **AT_THE_MARKET, "quantity": "1", "position_size": "-1"}),
        State(infy=-1, sent=1),
    ),
    (
        RUST,
        "splitorder",
        compact({**RUST_BUY, "quantity": 3, "splitsize": 2, **AT_THE_MARKET}),
        State(infy=5, sent=2),
    ),
    (
        RUST,
        "basketorder",
        compact({"strategy": "T", "orders": [{**INFY, "action": "BUY", "quantity": 2, **AT_THE_MARKET}]}),
        State(infy=4, sent=1),
    ),
    (
        RUST,
        "modifyorder",
        compact(
            {
                "orderid": "{order}",
                "strategy": "T",
                "symbol": "SBIN",
                "action": "BUY",
                "exchange": "NSE",
                "pricetype": "LIMIT",
                "product": "MIS",
                "quantity": "8",
                "price": "{low}",
            }
        ),
        State(sbin=("8", "open")),
    ),
    (RUST, "cancelorder", compact({"orderid": "{order}", "strategy": "T"}), State(sbin=("3", "cancelled"))),
    (RUST, "cancelallorder", compact({"strategy": "T"}), State(sbin=("3", "cancelled"))),
    (RUST, "closeposition", compact({"strategy": "T"}), State(infy=0, sent=1)),
    (
        RUST,
        "optionsorder",
        compact({"strategy": "T", **NIFTY, **OPTION, "quantity": "130", **AT_THE_MARKET, "splitsize": "65"}),
        State(sent=2),
    ),
    (
        RUST,
        "optionsmultiorder",
        compact({"strategy": "T", **NIFTY, "legs": [{**OPTION, "quantity": "65"}]}),
        State(sent=1),
    ),
    (RUST, "orderstatus", compact({"orderid": "{order}", "strategy": "T"}), UNCHANGED),
    (RUST, "openposition", compact({"strategy": "T", **INFY, "product": "MIS"}), UNCHANGED),
    (RUST, "quotes", compact(SBIN), UNCHANGED),
    (RUST, "multiquotes", compact({"symbols": [SBIN]}), UNCHANGED),
    (
        RUST,
        "history",
        compact({**SBIN, "interval": "5m", "start_date": "2026-11-20", "end_date": "2026-11-20"}),
        UNCHANGED,
    ),
    (RUST, "optionchain", compact({**NIFTY, "strike_count": 2}), UNCHANGED),
    (RUST, "intervals", compact({}), UNCHANGED),
]

# A sheet has no other numbers than doubles: what a macro takes from its cells, and what other add-ins send.
DOUBLES: list[tuple[str, dict[str, Any], State]] = [
    ("placesmartorder", {**EXCEL_BUY, "quantity": 0.0, "position_size": 3.0, "price": 0.0}, State(infy=3, sent=1)),
    ("splitorder", {**EXCEL_BUY, "quantity": 4.0, "splitsize": 2.0, "trigger_price": 0.0}, State(infy=6, sent=2)),
    (
        "optionsorder",
        {"strategy": "Excel", **NIFTY, **OPTION, "quantity": 130.0, "splitsize": 65.0, "price": 0.0},
        State(sent=2),
    ),
    ("margin", {"positions": [{**INFY, "action": "BUY", **AT_THE_MARKET, "quantity": 1.0, "price": 0.0}]}, UNCHANGED),
    ("optionchain", {**NIFTY, "strike_count": 3.0, "interest_rate": 6.5}, UNCHANGED),
    ("market/holidays", {"year": 2026.0}, UNCHANGED),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The order in SBIN that works, its price, and how many orders there are."""

    order: str
    low: int
    orders: int


def orders(bridge: Bridge) -> int:
    return len(bridge.ask("orderbook")["data"]["orders"])


@pytest.fixture
def before(bridge: Bridge) -> Iterator[Before]:
    """The account as :class:`State` begins."""
    low = round(bridge.ask("quotes", **SBIN)["data"]["ltp"] * 0.9)
    limit = {**SBIN, "strategy": "t", "action": "BUY", "pricetype": "LIMIT", "quantity": 3, "price": low}
    bridge.ask("placeorder", strategy="t", **INFY, action="BUY", quantity=2)
    order = bridge.ask("placeorder", **limit)["orderid"]
    yield Before(order=order, low=low, orders=orders(bridge))
    bridge.ask("cancelallorder")
    bridge.ask("closeposition")


def left(bridge: Bridge, before: Before) -> State:
    sbin = bridge.ask("orderstatus", orderid=before.order)["data"]
    return State(
        infy=bridge.held("INFY"), sbin=(sbin["quantity"], sbin["order_status"]), sent=orders(bridge) - before.orders
    )


def asked(bridge: Bridge, before: Before, client: str, path: str, body: str) -> Any:
    """The answer to the client's own head with this body."""
    recorded = RECORDED[client]
    first, *further = recorded.head
    assert first == "POST /api/v1/placeorder HTTP/1.1"
    filled = body.replace("{order}", before.order).replace("{low}", str(before.low))
    call: Recorded = replace(recorded, head=(f"POST /api/v1/{path} HTTP/1.1", *further), body=filled)
    with Wire(bridge.port) as wire:
        answer = wire.ask(call.bytes(bridge))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("client", "path", "body", "leaves"), CALLS, ids=[f"{client.split(',')[0]} {path}" for client, path, *_ in CALLS]
)
def test_a_call_does_what_its_client_means(
    bridge: Bridge, before: Before, client: str, path: str, body: str, leaves: State
) -> None:
    assert left(bridge, before) == UNCHANGED
    assert asked(bridge, before, client, path, body)["status"] == "success"
    assert left(bridge, before) == leaves


@pytest.mark.parametrize(("path", "fields", "leaves"), DOUBLES, ids=[path for path, *_ in DOUBLES])
def test_a_whole_number_may_come_as_a_double(
    bridge: Bridge, before: Before, path: str, fields: dict[str, Any], leaves: State
) -> None:
    assert asked(bridge, before, EXCEL, path, indented(fields))["status"] == "success"
    assert left(bridge, before) == leaves


def test_the_add_in_asks_for_what_is_a_get_with_the_key_in_the_address(bridge: Bridge) -> None:
    request = (
        f"GET /api/v1/chart?apikey={bridge.key} HTTP/1.1\r\nHost: 127.0.0.1:{bridge.port}\r\n"
        "User-Agent: OpenAlgo-Excel/1.0.7\r\n\r\n"
    )
    with Wire(bridge.port) as wire:
        answer = wire.ask(request.encode())
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "success")
