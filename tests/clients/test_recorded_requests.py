"""One order as each client writes it to the socket, byte for byte (callers 3.3 to 3.6): none of them runs here.

``{key}``, ``{host}`` and ``{length}`` are filled in; everything else is as it stands.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass

import pytest

from tests.serving import Bridge
from tests.wire import Answer, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a client sends. ``quantity`` is what it means."""

    head: tuple[str, ...]
    body: str
    quantity: str = "1"
    is_chunked: bool = False

    def bytes(self, bridge: Bridge) -> bytes:
        body = self.body.replace("{key}", bridge.key).encode()
        head = "\r\n".join(self.head).format(host=f"127.0.0.1:{bridge.port}", length=len(body)).encode()
        if self.is_chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        return head + b"\r\n\r\n" + body


POST = "POST /api/v1/placeorder HTTP/1.1"
# The texts of a published client's own fields, in its order.
TEXTS = (
    '"strategy":"T","symbol":"SBIN","action":"BUY","exchange":"NSE","pricetype":"MARKET","product":"MIS","quantity":"1"'
)
COMPACT = f'{{"apikey":"{{key}}",{TEXTS}}}'

RECORDED = {
    "Go, net/http": Recorded(
        head=(
            POST,
            "Host: {host}",
            "User-Agent: Go-http-client/1.1",
            "Content-Length: {length}",
            "Content-Type: application/json",
            "Accept-Encoding: gzip",
        ),
        body='{"action":"BUY","apikey":"{key}","exchange":"NSE","price":"0","pricetype":"MARKET","product":"MIS",'
        '"quantity":"1e+02","strategy":"T","symbol":"SBIN","trigger_price":"0"}',
        quantity="100",
    ),
    "Java, OkHttp": Recorded(
        head=(
            POST,
            "Content-Type: application/json; charset=utf-8",
            "Content-Length: {length}",
            "Host: {host}",
            "Connection: Keep-Alive",
            "Accept-Encoding: gzip",
            "User-Agent: okhttp/3.13.1",
        ),
        body='{"symbol":"SBIN","product":"MIS","quantity":"1","apikey":"{key}","action":"BUY","pricetype":"MARKET",'
        '"exchange":"NSE","strategy":"Java"}',
    ),
    "Node, axios": Recorded(
        head=(
            POST,
            "Accept: application/json, text/plain, */*",
            "Content-Type: application/json",
            "User-Agent: axios/0.21.4",
            "Content-Length: {length}",
            "Host: {host}",
            "Connection: keep-alive",
        ),
        body=COMPACT,
    ),
    "Rust, reqwest": Recorded(
        head=(POST, "content-type: application/json", "accept: */*", "host: {host}", "content-length: {length}"),
        body=COMPACT,
    ),
    ".NET, PostAsJsonAsync": Recorded(
        head=(POST, "Host: {host}", "Transfer-Encoding: chunked", "Content-Type: application/json; charset=utf-8"),
        body=COMPACT,
        is_chunked=True,
    ),
    "Excel add-in, HttpClient with an indented body": Recorded(
        head=(
            POST,
            "Host: {host}",
            "User-Agent: OpenAlgo-Excel/1.0.7",
            "Content-Type: application/json; charset=utf-8",
            "Content-Length: {length}",
        ),
        body='{\r\n  "apikey": "{key}",\r\n  "strategy": "Excel",\r\n  "symbol": "SBIN",\r\n  "action": "BUY",\r\n'
        '  "exchange": "NSE",\r\n  "pricetype": "MARKET",\r\n  "product": "MIS",\r\n  "quantity": 1.0,\r\n'
        '  "price": 0.0,\r\n  "trigger_price": 0.0,\r\n  "disclosed_quantity": 0.0\r\n}',
    ),
    "MetaTrader 5, the OpenAlgo library on WinINet": Recorded(
        head=(
            POST,
            "Content-Type: application/json; charset=UTF-8",
            "User-Agent: MetaTrader 5",
            "Host: {host}",
            "Content-Length: {length}",
            "Connection: Keep-Alive",
            "Cache-Control: no-cache",
        ),
        body='{"apikey":"{key}","strategy":"MT5","symbol":"SBIN","action":"BUY","exchange":"NSE",'
        '"pricetype":"MARKET","product":"MIS","quantity":1}',
    ),
    "MetaTrader 5, WebRequest with its own content type": Recorded(
        head=(
            POST,
            "Content-Type: application/x-www-form-urlencoded",
            "User-Agent: MetaTrader 5",
            "Host: {host}",
            "Content-Length: {length}",
            "Connection: Keep-Alive",
            "Cache-Control: no-cache",
        ),
        body='{"apikey":"{key}","strategy":"MT5","symbol":"SBIN","action":"BUY","exchange":"NSE",'
        '"pricetype":"MARKET","product":"MIS","quantity":1,"price":0.000000}',
    ),
    "AmiBroker 6.30, which cannot name its content type": Recorded(
        head=(
            POST,
            "Content-Type: application/x-www-form-urlencoded",
            "User-Agent: AmiBroker",
            "Host: {host}",
            "Content-Length: {length}",
            "Connection: Keep-Alive",
            "Cache-Control: no-cache",
        ),
        body='{ "apikey":"{key}", "strategy":"AFL", "symbol":"SBIN", "action":"BUY", "exchange":"NSE", '
        '"pricetype":"MARKET", "product":"MIS", "quantity":"1000.000" }',
        quantity="1000",
    ),
    "an old AmiBroker script on XMLHTTP": Recorded(
        head=(
            POST,
            "Accept: */*",
            "Content-Type: application/json",
            "Cache-Control: no-cache",
            "Pragma: no-cache",
            "Accept-Encoding: gzip, deflate",
            "User-Agent: Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0)",
            "Host: {host}",
            "Content-Length: {length}",
            "Connection: Keep-Alive",
        ),
        body=COMPACT,
    ),
}
every_client = pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED.keys())


@every_client
def test_its_orders_are_placed_over_one_connection(bridge: Bridge, recorded: Recorded) -> None:
    with Wire(bridge.port) as wire:
        answers = [wire.ask(recorded.bytes(bridge)) for _ in range(2)]
    for answer in answers:
        assert answer.status == 200, answer.body
        order = bridge.ask("orderstatus", orderid=json.loads(answer.body)["orderid"])["data"]
        assert (order["symbol"], order["quantity"], order["order_status"]) == ("SBIN", recorded.quantity, "complete")
        assert b"\r\nContent-Type: application/json\r\n" in answer.head
        assert b"\r\nContent-Length: %d\r\n" % len(answer.body) in answer.head
        assert b"content-encoding" not in answer.head.lower()
        assert b"connection: close" not in answer.head.lower()


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(bridge: Bridge) -> None:
    """.NET Framework, and Power Query with it, sends the head and waits for ``100 Continue``."""
    recorded = RECORDED["Java, OkHttp"]
    head = ("POST /api/v1/placeorder HTTP/1.1", "Expect: 100-continue", *recorded.head[1:])
    whole = Recorded(head=head, body=recorded.body).bytes(bridge)
    cut = whole.index(b"\r\n\r\n") + 4
    with socket.create_connection(("127.0.0.1", bridge.port), timeout=30) as line, line.makefile("rb") as stream:
        line.sendall(whole[:cut])
        assert stream.readline().startswith(b"HTTP/1.1 100 ")
        assert stream.readline() == b"\r\n"
        line.sendall(whole[cut:])
        assert stream.readline().startswith(b"HTTP/1.1 200 ")


def test_a_request_in_single_bytes_is_one_order(bridge: Bridge) -> None:
    before = len(bridge.tickets())
    with socket.create_connection(("127.0.0.1", bridge.port), timeout=30) as line, line.makefile("rb") as stream:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in RECORDED["Rust, reqwest"].bytes(bridge):
            line.sendall(bytes([byte]))
        assert stream.readline().startswith(b"HTTP/1.1 200 ")
    assert len(bridge.tickets()) == before + 1


def posted(bridge: Bridge, recorded: Recorded, body: bytes) -> Answer:
    """The client's head with another body."""
    head = "\r\n".join(recorded.head).format(host=f"127.0.0.1:{bridge.port}", length=len(body))
    with Wire(bridge.port) as wire:
        return wire.ask(head.encode() + b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("client", "told", "instead"),
    [
        ("AmiBroker 6.30, which cannot name its content type", '"1000.000"', '"1,000.000"'),
        ("MetaTrader 5, the OpenAlgo library on WinINet", '"', "'"),
    ],
    ids=["thousands separator", "single quotes"],
)
def test_what_a_client_gets_wrong_is_refused_in_words(bridge: Bridge, client: str, told: str, instead: str) -> None:
    recorded = RECORDED[client]
    assert told in recorded.body
    wrong = recorded.body.replace("{key}", bridge.key).replace(told, instead).encode("cp1252")
    before = len(bridge.tickets())
    answer = posted(bridge, recorded, wrong)
    assert (answer.status, json.loads(answer.body)["status"]) == (400, "error")
    assert len(bridge.tickets()) == before


@pytest.mark.parametrize(
    ("client", "told", "instead"),
    [
        ("AmiBroker 6.30, which cannot name its content type", '"AFL"', '"\xdcber"'),
        ("MetaTrader 5, WebRequest with its own content type", "}", "}\x00"),
    ],
    ids=["strategy in the Windows code page", "closing NUL of MQL5"],
)
def test_what_only_its_platform_writes_so_is_an_order_all_the_same(
    bridge: Bridge, client: str, told: str, instead: str
) -> None:
    recorded = RECORDED[client]
    assert told in recorded.body
    sent = recorded.body.replace("{key}", bridge.key).replace(told, instead).encode("cp1252")
    before = len(bridge.tickets())
    assert posted(bridge, recorded, sent).status == 200
    assert len(bridge.tickets()) == before + 1


def test_a_head_that_wininet_sends_again_without_its_body_is_no_order(bridge: Bridge) -> None:
    answer = posted(bridge, RECORDED["MetaTrader 5, the OpenAlgo library on WinINet"], b"")
    assert (answer.status, b"The request has no body." in answer.body) == (400, True)
