"""What many orders cost that wait for their price at the paper exchange, and a basket of many that go at once."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import servers
from report import Verdict

RESTING, LEGS = 5000, 50
_LOOK_BUDGET_MS, _BOOK_BUDGET_MS, _BASKET_BUDGET_MS = 20, 40, 250
_PATIENCE_S = 30
_A_MOVE_S = 1.05


def measure(folder: Path, calls: int) -> dict[str, Verdict]:
    """Over one connection. All wait in one symbol, and each look is at a price of its own second."""
    bridge = servers.make_bridge(folder)
    command = [sys.executable, str(servers.PROJECT / "bench" / "paper_orders.py"), str(folder), str(RESTING), "SBIN"]
    subprocess.run(command, env=servers.with_package(), check=True)
    with (
        servers.running_bridge(bridge) as running,
        closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=_PATIENCE_S)) as connection,
    ):
        symbol = {"apikey": bridge.key, "symbol": "SBIN", "exchange": "NSE"}
        looks = _times(connection, "/api/v1/quotes", symbol, calls)
        books = _times(connection, "/api/v1/orderbook", {"apikey": bridge.key}, calls)
        baskets = _times(connection, "/api/v1/basketorder", _basket(connection, bridge.key), calls)
    return {
        f"price, {RESTING} resting": _verdict(looks, _LOOK_BUDGET_MS),
        f"order book, {RESTING} resting": _verdict(books, _BOOK_BUDGET_MS),
        f"basket of {LEGS}": _verdict(baskets, _BASKET_BUDGET_MS),
    }


def _verdict(times: list[float], budget_ms: float) -> Verdict:
    median = statistics.median(times)
    figure = f"{median:.1f} ms p50, {max(times):.1f} ms at most"
    return Verdict(figure=figure, budget=f"p50 < {budget_ms} ms", ok=median < budget_ms)


def _basket(connection: http.client.HTTPConnection, key: str) -> Mapping[str, Any]:
    found = {symbol for letter in "AEIO" for symbol in _shares(connection, key, letter)}
    symbols = sorted(found - {"SBIN"})[:LEGS]
    order = {"exchange": "NSE", "action": "BUY", "quantity": "1", "pricetype": "MARKET", "product": "MIS"}
    return {"apikey": key, "strategy": "bench", "orders": [{**order, "symbol": symbol} for symbol in symbols]}


def _shares(connection: http.client.HTTPConnection, key: str, query: str) -> set[str]:
    listed = _ask(connection, "/api/v1/search", {"apikey": key, "query": query, "exchange": "NSE"})["data"]
    return {each["symbol"] for each in listed}


def _times(connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any], calls: int) -> list[float]:
    """Milliseconds of each call; the first does not count."""
    times = []
    for _ in range(calls + 1):
        time.sleep(_A_MOVE_S)
        began = time.perf_counter()
        _ask(connection, path, body)
        times.append((time.perf_counter() - began) * 1000)
    return times[1:]


def _ask(connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told: dict[str, Any] = json.loads(answer.read())
    if answer.status != 200 or told.get("status") != "success":
        raise SystemExit(f"{path}: {answer.status} {str(told)[:300]}")
    return told
