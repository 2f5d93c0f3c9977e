"""A chain of options with greeks as a program gets it: once a second, because within one nothing moves."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import servers
from report import Verdict

STRIKES, BUDGET_MS = 100, 60
_NIFTY = {"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "options"}
_PATIENCE_S = 30
_A_MOVE_S = 1.05


def measure(folder: Path, calls: int) -> dict[str, Verdict]:
    """Over one connection, every strike of the second expiry: none of it expires while it is measured."""
    bridge = servers.make_bridge(folder)
    with (
        servers.running_bridge(bridge) as running,
        closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=_PATIENCE_S)) as connection,
    ):
        asked = {
            "apikey": bridge.key,
            "underlying": "NIFTY",
            "exchange": "NSE_INDEX",
            "expiry_date": _expiry(connection, bridge.key),
            "with_greeks": True,
        }
        strikes = len(_ask(connection, "/api/v1/optionchain", asked)["chain"])
        times = []
        for _ in range(calls):
            time.sleep(_A_MOVE_S)
            began = time.perf_counter()
            _text(connection, "/api/v1/optionchain", asked)
            times.append((time.perf_counter() - began) * 1000)
    median = statistics.median(times)
    figure = f"{median:.1f} ms p50, {max(times):.1f} ms at most, {strikes} strikes"
    budget = f"p50 < {BUDGET_MS} ms, {STRIKES} strikes"
    is_kept = median < BUDGET_MS and strikes >= STRIKES
    return {"option chain with greeks": Verdict(figure=figure, budget=budget, ok=is_kept)}


def _expiry(connection: http.client.HTTPConnection, key: str) -> str:
    """The list of contracts is made right after the start."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        days = _ask(connection, "/api/v1/expiry", {"apikey": key, **_NIFTY})["data"]
        if len(days) > 1:
            return str(days[1]).replace("-", "")
        time.sleep(0.1)
    raise SystemExit("no options were listed in time")


def _ask(connection: http.client.HTTPConnection, path: str, fields: dict[str, Any]) -> Any:
    return json.loads(_text(connection, path, fields))


def _text(connection: http.client.HTTPConnection, path: str, fields: dict[str, Any]) -> bytes:
    connection.request("POST", path, json.dumps(fields))
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {text[:200]!r}")
    return text
