"""Every answer is compact JSON: the AmiBroker plugin looks for texts in it, and unpacks nothing (contract 1.4)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from openalgo_bridge.api.endpoint import Method
from openalgo_bridge.api.endpoints import ENDPOINTS, Endpoint
from tests.api.conftest import ORDER, address_of
from tests.serving import Bridge
from tests.wire import Answer, Wire

RESTING = "the number of an order that works"
WAITING = "the number of a GTT that waits"
RELIANCE = {"symbol": "RELIANCE", "exchange": "NSE"}
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "23NOV26"}
OPTION = {"symbol": "NIFTY23NOV2626000CE", "exchange": "NFO"}
AT_THE_MONEY = {"offset": "ATM", "option_type": "CE"}
LEG = {**AT_THE_MONEY, "action": "BUY", "quantity": 65}
GTT = {**ORDER, "trigger_type": "SINGLE", "product": "CNC", "price": "1000", "triggerprice_sl": "1000"}

# What the least call of each endpoint says beside the key.
LEAST: dict[str, dict[str, Any]] = {
    "placeorder": ORDER,
    "modifyorder": {**ORDER, "orderid": RESTING, "pricetype": "LIMIT", "product": "MIS", "price": "1300"},
    "placesmartorder": {**ORDER, "position_size": 5},
    "basketorder": {"strategy": "test", "orders": [{**RELIANCE, "action": "BUY", "quantity": 1}]},
    "splitorder": {**ORDER, "splitsize": 4},
    "optionsorder": {"strategy": "test", **NIFTY, **LEG},
    "optionsmultiorder": {"strategy": "test", **NIFTY, "legs": [LEG]},
    "cancelorder": {"orderid": RESTING},
    "cancelallorder": {},
    "closeposition": {},
    "orderstatus": {"orderid": RESTING},
    "orderbook": {},
    "tradebook": {},
    "positionbook": {},
    "openposition": {**RELIANCE, "product": "MIS"},
    "holdings": {},
    "funds": {},
    "pnl_symbols": {},
    "placegttorder": GTT,
    "modifygttorder": {**GTT, "trigger_id": WAITING},
    "cancelgttorder": {"trigger_id": WAITING},
    "gttorderbook": {},
    "quotes": RELIANCE,
    "multiquotes": {"symbols": [RELIANCE]},
    "depth": RELIANCE,
    "history": {**RELIANCE, "interval": "D", "start_date": "2026-11-16", "end_date": "2026-11-20"},
    "get_ticker": {"from": "2026-11-16", "to": "2026-11-20"},
    "intervals": {},
    "symbol": RELIANCE,
    "search": {"query": "RELI"},
    "expiry": {"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "options"},
    "get_instruments": {"exchange": "NSE_INDEX"},
    "market_holidays": {},
    "market_timings": {"date": "2026-11-20"},
    "optionsymbol": {**NIFTY, **AT_THE_MONEY},
    "optionchain": {**NIFTY, "strike_count": 2, "with_greeks": True},
    "optiongreeks": OPTION,
    "multioptiongreeks": {"symbols": [OPTION]},
    "syntheticfuture": NIFTY,
    "margin": {"positions": [{**RELIANCE, "action": "BUY", "product": "MIS", "pricetype": "MARKET", "quantity": "1"}]},
    "get_chart": {},
    "chart": {"tv_theme": "dark"},
    "telegram_notify": {"username": "trader", "message": "hello"},
    "whatsapp_notify": {"self": True, "message": "hello"},
    "ping": {},
    "analyzer": {},
    "analyzer_toggle": {"mode": True},
}
# What cannot be done by this version says so.
NOT_HERE = {
    "telegram_notify": 409,
    "whatsapp_notify": 409,
}


every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)


def asked(bridge: Bridge, endpoint: Endpoint, fields: dict[str, Any]) -> Answer:
    """One call by a client that says it could unpack what is packed."""
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{bridge.port}\r\nAccept-Encoding: gzip, deflate, br"
    target, body = address_of(endpoint), json.dumps(fields)
    request = f"POST {target} {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    if endpoint.method is Method.GET:
        request = f"GET {target}?{urlencode(fields)} {head}\r\n\r\n"
    with Wire(bridge.port) as wire:
        return wire.ask(request.encode())


def is_compact(answer: Answer) -> bool:
    """As one line without a space between its parts, and not packed."""
    text = answer.body.decode()
    return (
        text == json.dumps(json.loads(text), separators=(",", ":"))
        and b"\r\nContent-Type: application/json\r\n" in answer.head
        and b"content-encoding" not in answer.head.lower()
    )


def resting(bridge: Bridge) -> str:
    """The number of a new order that works."""
    low = round(bridge.ask("quotes", **RELIANCE)["data"]["ltp"] * 0.9)
    return str(bridge.ask("placeorder", **ORDER, pricetype="LIMIT", price=low)["orderid"])


def waiting(bridge: Bridge) -> str:
    """The number of a new GTT that waits."""
    return str(bridge.ask("placegttorder", **GTT)["trigger_id"])


def test_every_endpoint_has_its_least_call() -> None:
    assert set(LEAST) == {endpoint.name for endpoint in ENDPOINTS}


@every_endpoint
def test_an_answer_is_compact_json(bridge: Bridge, endpoint: Endpoint) -> None:
    made = {RESTING: resting, WAITING: waiting}
    least = LEAST[endpoint.name].items()
    fields = {name: made[value](bridge) if str(value) in made else value for name, value in least}
    answer = asked(bridge, endpoint, {"apikey": bridge.key, **fields})
    assert answer.status == NOT_HERE.get(endpoint.name, 200), answer.body
    assert json.loads(answer.body)["status"] == ("error" if endpoint.name in NOT_HERE else "success")
    assert is_compact(answer)


@every_endpoint
def test_a_refusal_is_compact_json_too(bridge: Bridge, endpoint: Endpoint) -> None:
    answer = asked(bridge, endpoint, {})
    assert answer.status == 400
    assert is_compact(answer)
