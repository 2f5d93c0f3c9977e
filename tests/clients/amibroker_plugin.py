"""The HTTP half of the AmiBroker data plug-in, as far as a bridge can tell (contract 3.3, callers 1.6).

It opens a socket for each question, puts values into JSON unescaped, and reads no JSON: it looks for texts.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Candle:
    """``timestamp`` in epoch seconds."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Plugin:
    """What it is told in its Configure dialog."""

    port: int
    key: str

    def ping(self) -> str | None:
        """The broker's name, or None while it takes the server for unreachable."""
        text = self._post("ping", "")
        if text is None or not any(f'"message":{space}"pong"' in text for space in ("", " ")):
            return None
        start = text.find('"broker":"')
        return text[start + 10 : text.index('"', start + 10)] if start >= 0 else ""

    def quotes(self, symbol: str, exchange: str) -> dict[str, float] | None:
        """The seven numbers of its quote window; a missing one is 0, as is a quoted one."""
        text = self._post("quotes", f',"symbol":"{symbol}","exchange":"{exchange}"')
        if text is None or '"status":"success"' not in text:
            return None
        return {name: _number(text, name) for name in ("ltp", "open", "high", "low", "volume", "oi", "prev_close")}

    def history(self, symbol: str, exchange: str, interval: str, first: str, last: str) -> list[Candle] | None:
        """Its array of bars."""
        fields = f',"symbol":"{symbol}","exchange":"{exchange}","interval":"{interval}"'
        text = self._post("history", f'{fields},"start_date":"{first}","end_date":"{last}"')
        if text is None or '"status":"success"' not in text or (start := text.find('"data":[')) < 0:
            return None
        rows = text[start + 8 : text.index("]", start)].split("}")[:-1]
        return [_candle(row[row.index("{") :]) for row in rows]

    def _post(self, endpoint: str, fields: str) -> str | None:
        body = f'{{"apikey":"{self.key}"{fields}}}'
        request = (
            f"POST /api/v1/{endpoint} HTTP/1.1\r\nContent-Type: application/json\r\n"
            f"User-Agent: OpenAlgo Data Plugin\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-cache\r\n\r\n{body}"
        )
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S) as line:
            line.sendall(request.encode())
            status, text = _answer(line)
        return text if status == 200 else None


def _answer(line: socket.socket) -> tuple[int, str]:
    with line.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        if length is not None:
            return int(head[9:12]), stream.read(int(length[1])).decode()
        body = b""
        while "transfer-encoding: chunked" in head and (size := int(stream.readline(), 16)):
            body += stream.read(size)
            stream.readline()
        return int(head[9:12]), body.decode()


def _candle(row: str) -> Candle:
    # Those three end at a comma, or are lost.
    open_, high, low = (_number(row, name, ends=",") for name in ("open", "high", "low"))
    return Candle(int(_number(row, "timestamp")), open_, high, low, _number(row, "close"), _number(row, "volume"))


def _number(text: str, name: str, ends: str = ",}") -> float:
    found = re.search(rf'"{name}":([^{ends}]*)(?:[{ends}]|$)', text)
    try:
        return float(found[1]) if found else 0.0
    except ValueError:
        return 0.0
