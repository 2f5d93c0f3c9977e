"""A Chrome extension asks twice: first whether it may (with its own origin, or that of the page it sits in)."""

from __future__ import annotations

import pytest

from tests.serving import Bridge
from tests.wire import Answer, Wire

ORIGINS = ["chrome-extension://abcdefghijklmnopabcdefghijklmnop", "https://in.tradingview.com", "null"]
AGENT = "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
ORDER = (
    '{"apikey":"{key}","strategy":"Chrome","symbol":"SBIN","action":"BUY","exchange":"NSE",'
    '"pricetype":"MARKET","product":"MIS","quantity":"1"}'
)


def asked(bridge: Bridge, method: str, headers: list[str], body: str = "") -> Answer:
    head = [f"{method} /api/v1/placeorder HTTP/1.1", f"Host: 127.0.0.1:{bridge.port}", "Connection: keep-alive", AGENT]
    length = [f"Content-Length: {len(body)}"] if body else []
    text = "\r\n".join([*head, *length, *headers, "Accept: */*", "Accept-Encoding: gzip, deflate, br, zstd"])
    with Wire(bridge.port) as wire:
        return wire.ask(f"{text}\r\n\r\n{body}".encode())


@pytest.mark.parametrize("origin", ORIGINS)
def test_its_question_is_refused_unless_the_trader_named_it(bridge: Bridge, origin: str) -> None:
    asks = [
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
        "Access-Control-Request-Private-Network: true",
        f"Origin: {origin}",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Dest: empty",
    ]
    answer = asked(bridge, "OPTIONS", asks)
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
