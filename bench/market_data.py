"""Bars and instruments as a program gets them: a year of minutes, a search and the whole list of a broker's size."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import servers
from report import Verdict
from servers import Running

INSTRUMENTS, DAYS = 180_000, 365
HISTORY_BUDGET_S, SEARCH_BUDGET_MS, LIST_BUDGET_MB = 1.5, 8, 24
_QUERIES = (
    "nifty",
    "nifty 26000 ce",
    "reliance",
    "rel",
    "power bank",
    "sbin fut",
    "26000",
    "m01234 ce",
    "Q00017",
    "zzz",
)
_PATIENCE_S = 60
_READ_AT_ONCE = 65_536


def measure(folder: Path, calls: int, *, rows: int = INSTRUMENTS, days: int = DAYS) -> dict[str, Verdict]:
    """Over one connection, to a bridge whose list was filled while it did not run."""
    bridge = servers.make_bridge(folder)
    command = [sys.executable, str(servers.PROJECT / "bench" / "instruments.py"), str(folder)]
    command += ["--rows", str(rows), "--times", "1"]
    subprocess.run(command, stdout=subprocess.DEVNULL, env=servers.with_package(), check=True)
    with servers.running_bridge(bridge) as running, closing(Caller(running, bridge.key)) as caller:
        return {
            f"history, {days} days of 1m": _history(caller, max(3, calls // 10), days),
            f"search in {rows:,}": _search(caller, calls),
            f"list of {rows:,}": _list(caller),
        }


def _history(caller: Caller, calls: int, days: int) -> Verdict:
    today = datetime.now(UTC).date()
    asked = {"symbol": "RELIANCE", "exchange": "NSE", "interval": "1m", "end_date": str(today)}
    body = caller.body({**asked, "start_date": str(today - timedelta(days=days - 1))})
    size = len(caller.ask("POST", "/api/v1/history", body))
    times = _seconds(lambda: caller.ask("POST", "/api/v1/history", body), calls)
    median, worst = statistics.median(times), max(times)
    figure = f"{median:.2f} s p50, {worst:.2f} s at most, {size / 1e6:.1f} MB"
    return Verdict(figure=figure, budget=f"p50 < {HISTORY_BUDGET_S} s", ok=median < HISTORY_BUDGET_S)


def _search(caller: Caller, calls: int) -> Verdict:
    """Each question by itself: the slowest is told too."""
    medians = []
    for query in _QUERIES:
        body = caller.body({"query": query})
        medians.append(
            statistics.median(_seconds(lambda body=body: caller.ask("POST", "/api/v1/search", body), calls)) * 1000
        )
    median, worst = statistics.median(medians), max(medians)
    figure = f"{median:.1f} ms p50, {worst:.1f} ms the slowest of {len(_QUERIES)} questions"
    return Verdict(figure=figure, budget=f"p50 < {SEARCH_BUDGET_MS} ms", ok=median < SEARCH_BUDGET_MS)


def _list(caller: Caller) -> Verdict:
    """What the bridge's memory grows by while it sends the list: much less than the list is long."""
    before = caller.resident_mb()
    began = time.perf_counter()
    size = len(caller.ask("GET", "/api/v1/instruments", ""))
    seconds, after = time.perf_counter() - began, caller.resident_mb()
    if before is None or after is None:
        return Verdict(figure=f"{size / 1e6:.0f} MB in {seconds:.2f} s, memory not measured on this system")
    figure = f"{size / 1e6:.0f} MB in {seconds:.2f} s, memory +{after - before:.0f} MB"
    return Verdict(figure=figure, budget=f"+ < {LIST_BUDGET_MB} MB", ok=after - before < LIST_BUDGET_MB)


def _seconds(act: Callable[[], object], times: int) -> list[float]:
    seen = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        seen.append(time.perf_counter() - began)
    return seen


class Caller:
    """One program: a connection and the key."""

    def __init__(self, running: Running, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=_PATIENCE_S)
        self._pid = running.pid
        self._key = key

    def body(self, fields: dict[str, str]) -> str:
        return json.dumps({"apikey": self._key, **fields})

    def ask(self, method: str, path: str, body: str) -> bytes:
        """The answer, read as it comes. Raises SystemExit for one that is no success."""
        self._connection.request(method, path, body, {"X-API-KEY": self._key})
        answer = self._connection.getresponse()
        text = b"".join(iter(lambda: answer.read(_READ_AT_ONCE), b""))
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:200]!r}")
        return text

    def close(self) -> None:
        self._connection.close()

    def resident_mb(self) -> float | None:
        return servers.resident_mb(self._pid)
