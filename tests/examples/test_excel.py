"""The Excel examples: the requests that their texts make are taken out of them and sent as Excel sends them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.serving import Bridge
from tests.wire import Answer, Wire

EXCEL = Path(__file__).resolve().parents[2] / "examples" / "excel"
MACRO = (EXCEL / "bridge.bas").read_text(encoding="ascii")
HISTORY = (EXCEL / "history.pq").read_text(encoding="ascii")
POSITIONS = (EXCEL / "positions.pq").read_text(encoding="ascii")
GUIDE = (EXCEL.parents[1] / "docs" / "excel.md").read_text(encoding="utf-8")

# A text in VBA, in which a quote is doubled.
_TEXT = r'"((?:[^"]|"")*)"'
ROW = ["my sheet", "RELIANCE", "NSE", "BUY", "MIS", "LIMIT", "10", "1200.5"]


def unquoted(text: str) -> str:
    return text.replace('""', '"')


def function(name: str) -> str:
    """The lines of one function, those that go on joined."""
    found = re.search(rf"Function {name}\(.*?End Function", MACRO, re.DOTALL)
    assert found is not None
    return found[0].replace(" _\n", " ")


def pair(label: str, text: str) -> str:
    """What ``Pair`` makes, by its own two lines: first both escapes, then the frame."""
    body = function("Pair")
    for old, new in re.findall(rf"{_TEXT}, {_TEXT}\)", body):
        text = text.replace(unquoted(old), unquoted(new))
    frame = re.search(rf"Pair = {_TEXT} & name & {_TEXT} & text & {_TEXT}", body)
    assert frame is not None
    before, between, after = map(unquoted, frame.groups())
    return f"{before}{label}{between}{text}{after}"


def order(row: list[str]) -> str:
    columns = re.findall(rf"Pair\({_TEXT}, (?:Plain\()?order\.Cells\(1, (\d)\)", function("OrderOf"))
    assert [int(column) for _, column in columns] == list(range(1, 9))
    return ",".join(pair(label, row[int(column) - 1]) for label, column in columns)


def request(bridge: Bridge, row: list[str], key: str) -> bytes:
    """As WinHttpRequest writes it, which adds a charset to the type of a text."""
    post = function("Post")
    url = re.search(rf"\.Open {_TEXT}, BRIDGE_URL & {_TEXT} & endpoint, False", post)
    headers = dict(re.findall(rf"\.SetRequestHeader {_TEXT}, (.+)", post))
    assert url is not None
    assert headers == {"Content-Type": '"application/json"', "Idempotency-Key": "key"}
    assert 'Send "{" & Pair("apikey", Environ$("OPENALGO_API_KEY")) & "," & fields & "}"' in post
    body = f"{{{pair('apikey', bridge.key)},{order(row)}}}".encode()
    head = (
        f"{url[1]} {url[2]}placeorder HTTP/1.1\r\nConnection: Keep-Alive\r\n"
        f"Content-Type: application/json; Charset=UTF-8\r\nAccept: */*\r\n"
        f"User-Agent: Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)\r\nIdempotency-Key: {key}\r\n"
        f"Content-Length: {len(body)}\r\nHost: 127.0.0.1:{bridge.port}\r\n\r\n"
    )
    return head.encode() + body


def send(bridge: Bridge, sent: bytes) -> Answer:
    with Wire(bridge.port) as wire:
        return wire.ask(sent)


def test_a_row_is_one_order_however_often_it_is_sent(bridge: Bridge) -> None:
    answers = [send(bridge, request(bridge, ROW, "excel-1")) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    (ticket,) = bridge.tickets()
    assert ticket.origin.strategy == "my sheet"
    placed = bridge.ask("orderstatus", orderid=json.loads(answers[0].body)["orderid"])["data"]
    assert (placed["symbol"], placed["quantity"], placed["price"]) == ("RELIANCE", "10", 1200.5)


def test_quotes_and_backslashes_in_a_cell_are_escaped(bridge: Bridge) -> None:
    assert send(bridge, request(bridge, ['a "b" \\c', *ROW[1:]], "excel-2")).status == 200
    assert bridge.tickets()[0].origin.strategy == 'a "b" \\c'


def test_an_empty_price_is_a_market_order(bridge: Bridge) -> None:
    assert "If Len(number) = 0 Then number = 0" in function("Plain")
    row = ["my sheet", "SBIN", "NSE", "BUY", "MIS", "MARKET", "3", "0"]
    assert send(bridge, request(bridge, row, "excel-3")).status == 200
    assert bridge.held("SBIN") == 3


def test_nothing_in_the_macro_is_a_worksheet_function_or_asks_twice() -> None:
    assert re.findall(r"^Public (\w+) (\w+)", MACRO, re.MULTILINE) == [("Sub", "SendSelectedOrders")]
    assert MACRO.count(".Send ") == 1
    assert not re.search(r"\b(Do|While|GoTo Retry|Resume)\b", MACRO)


def test_the_key_of_a_row_is_written_down_before_the_row_is_sent() -> None:
    body = MACRO[MACRO.index("Private Sub SendRow") :]
    assert 0 < body.index(".Value = NewKey()") < body.index("Post(")


def test_the_history_query_gets_bars_with_the_columns_it_names(bridge: Bridge) -> None:
    path = re.search(r'RelativePath = "([^"]+)" & Instrument', HISTORY)
    instrument = re.search(r'Instrument = "([^"]+)"', HISTORY)
    query = re.search(r"Query = \[(.+)\]", HISTORY)
    assert None not in (path, instrument, query)
    asked = "&".join(f"{name}={value}" for name, value in re.findall(r'(\w+) = "([^"]+)"', query[1]))  # type: ignore[index]
    target = f"/{path[1]}{instrument[1]}?{asked}&apikey={bridge.key}"  # type: ignore[index]
    answer = send(bridge, get(bridge, target))
    rows = json.loads(answer.body)["data"]
    assert answer.status == 200
    assert len(rows) > 200
    assert set(re.findall(r'"(\w+)"', HISTORY[HISTORY.index("Table.FromRecords") :].split("\n")[0])) <= set(rows[0])


def get(bridge: Bridge, target: str) -> bytes:
    """As Power Query asks: Excel adds the key of its own store to the address."""
    return (
        f"GET {target} HTTP/1.1\r\n"
        "User-Agent: Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)\r\n"
        f"Accept-Encoding: gzip, deflate\r\nHost: 127.0.0.1:{bridge.port}\r\nConnection: Keep-Alive\r\n\r\n"
    ).encode()


def test_the_key_in_the_address_is_not_in_the_traffic_log(bridge: Bridge) -> None:
    send(bridge, get(bridge, f"/api/v1/ticker/NSE:SBIN?from=2026-11-20&to=2026-11-20&apikey={bridge.key}"))
    row = bridge.desk.store.traffic.page(limit=1)[0]
    assert (row.status, row.endpoint) == (200, "/api/v1/ticker/NSE:SBIN")
    assert bridge.key not in repr(row)


def test_the_positions_query_finds_its_columns(bridge: Bridge) -> None:
    path = re.search(r'RelativePath = "([^"]+)"', POSITIONS)
    assert path is not None
    assert "Content = Json.FromValue([apikey = Key])" in POSITIONS
    assert 'Headers = [#"Content-Type" = "application/json"]' in POSITIONS
    bridge.ask("placeorder", strategy="t", symbol="INFY", exchange="NSE", action="BUY", quantity=1)
    body = json.dumps({"apikey": bridge.key}, separators=(",", ":"))
    head = (
        f"POST /{path[1]} HTTP/1.1\r\nContent-Type: application/json\r\n"
        "User-Agent: Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)\r\n"
        f"Accept-Encoding: gzip, deflate\r\nHost: 127.0.0.1:{bridge.port}\r\nContent-Length: {len(body)}\r\n"
        "Connection: Keep-Alive\r\n\r\n"
    )
    rows = json.loads(send(bridge, (head + body).encode()).body)["data"]
    named = re.search(r"Columns = \{(.+)\}", POSITIONS)
    assert named is not None
    assert set(re.findall(r'"(\w+)"', named[1])) <= set(rows[0])


@pytest.mark.parametrize("text", [HISTORY, POSITIONS], ids=["history", "positions"])
def test_the_brackets_of_a_query_close(text: str) -> None:
    code = re.sub(r'"[^"]*"|//[^\n]*', "", text)
    for opening, closing in ("()", "[]", "{}"):
        assert code.count(opening) == code.count(closing)
    assert code.split()[0] == "let"
    assert code.count("\nin\n") == 1


def test_the_guide_tells_of_every_file_and_the_macro() -> None:
    for path in EXCEL.iterdir():
        assert f"`{path.name}`" in GUIDE
    assert "`SendSelectedOrders`" in GUIDE
