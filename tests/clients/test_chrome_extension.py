"""A Chrome extension asks twice: first whether it may (with its own origin, or that of the page it sits in)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.settings import Settings
from tests.conftest import PASSWORD, Live
from tests.serving import Bridge
from tests.wire import Answer, Wire

NAMED = ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "https://in.tradingview.com")
ORIGINS = [*NAMED, "null"]
AGENT = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
ORDER = (
    '{"apikey":"{key}","strategy":"Chrome","symbol":"SBIN","action":"BUY","exchange":"NSE",'
    '"pricetype":"MARKET","product":"MIS","quantity":"1"}'
)


def asked(bridge: Bridge | Live, method: str, headers: list[str], body: str = "") -> Answer:
    head = [f"{method} /api/v1/placeorder HTTP/1.1", f"Host: 127.0.0.1:{bridge.port}", "Connection: keep-alive", AGENT]
    length = [f"Content-Length: {len(body)}"] if body else []
    text = "\r\n".join([*head, *length, *headers, "Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd"])
    with Wire(bridge.port) as wire:
        return wire.ask(f"{text}\r\n\r\n{body}".encode())


def question(origin: str) -> list[str]:
    return [
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
        "Access-Control-Request-Private-Network: true",
        f"Origin: {origin}",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Dest: empty",
    ]


@pytest.mark.parametrize("origin", ORIGINS)
def test_its_question_is_refused_unless_the_trader_named_it(bridge: Bridge, origin: str) -> None:
    answer = asked(bridge, "OPTIONS", question(origin))
    assert answer.status == 404
    assert b"access-control-" not in answer.head.lower()


@pytest.mark.parametrize("kind", ["application/json", "text/plain;charset=UTF-8"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_its_order_is_refused_even_with_the_right_key(bridge: Bridge, origin: str, kind: str) -> None:
    """A text needs no question before it, so the order itself must be refused too."""
    headers = [f"Content-Type: {kind}", f"Origin: {origin}", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: cross-site"]
    answer = asked(bridge, "POST", headers, ORDER.replace("{key}", bridge.key))
    assert (answer.status, b"CORS_ALLOWED_ORIGINS" in answer.body) == (403, True)
    assert b"access-control-" not in answer.head.lower()
    assert bridge.tickets() == []


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of who named the extension, and the page that it sits in."""
    return replace(settings, cors_allowed_origins=NAMED)


@pytest.mark.parametrize("origin", NAMED)
def test_the_order_of_one_that_the_trader_named_is_placed_and_its_answer_may_be_read(live: Live, origin: str) -> None:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    told = asked(live, "OPTIONS", question(origin))
    assert told.status == 204
    for line in (
        f"Access-Control-Allow-Origin: {origin}",
        "Access-Control-Allow-Methods: POST",
        "Access-Control-Allow-Headers: Content-Type, X-API-KEY, Idempotency-Key, X-Requested-With",
        "Access-Control-Allow-Private-Network: true",
    ):
        assert f"\r\n{line}\r\n".encode() in told.head
    headers = [
        "Content-Type: application/json",
        f"Origin: {origin}",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: cross-site",
    ]
    answer = asked(live, "POST", headers, ORDER.replace("{key}", key))
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "success"), answer.body
    assert f"\r\nAccess-Control-Allow-Origin: {origin}\r\n".encode() in answer.head
    assert b"access-control-allow-credentials" not in answer.head.lower()
    (ticket,) = live.desk.store.journal.tickets(limit=2)
    assert ticket.origin.strategy == "Chrome"
