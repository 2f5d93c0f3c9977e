"""The traffic log with a few calls and with very many: what it costs to look into it, and to take a million out of it.

``python bench/traffic.py [--calls 10000000]`` measures this alone. What the large log costs is told beside the small
one, both of the same run: it must not grow with the number of calls.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servers
import traffic_export
from action_center import Visit
from load import Tally, percentile
from report import Verdict
from servers import Bridge

FEW = 10_000
_PRUNED_DAYS_AGO = 40
_PAGE_BUDGET_MS, _MOST_GROWTH, _SLACK_MS = 60, 1.5, 1.0
_ROW_BUDGET_MS = 0.15
_MOST_HARM = 1.5
_WARM_UP_CALLS = 100
_PAUSE_S = 0.03


def measure(folder: Path, calls: int, times: int) -> dict[str, Verdict]:
    """Make both logs, and look. ``times`` is how often everything is asked, ``calls`` how many the large log has."""
    folder.mkdir(mode=0o700)
    few, many = servers.make_bridge(folder / "few"), servers.make_bridge(folder / "many")
    fill(few, FEW)
    made = fill(many, calls)
    told = f"{calls} calls in {made['recorded_s'] + made['worked_up_s']:.0f} s, worked up at "
    told += f"{1e6 * made['worked_up_s'] / calls:.0f} us and {made['found_by_bytes']:.0f} bytes each"
    return {
        "traffic log, made": Verdict(figure=told),
        **look(few, many, calls, times),
        **traffic_export.measure(many),
        **prune(folder / "pruned", min(calls, 1_000_000), 50 * times),
    }


def fill(bridge: Bridge, calls: int, days_ago: int = 0) -> dict[str, float]:
    """So many calls in the log of a bridge that does not run."""
    made: dict[str, float] = json.loads(_run("traffic_rows.py", str(bridge.folder), str(calls), str(days_ago)))
    return made


def look(few: Bridge, many: Bridge, calls: int, times: int) -> dict[str, Verdict]:
    """Everything that is read, with few calls and with many."""
    small, large = (
        json.loads(_run("traffic_reads.py", str(each.folder), "--times", str(times))) for each in (few, many)
    )
    rows = {name: small.pop(name) for name in ("row", "row with bodies")}
    found = {f"traffic, {name}": _beside(small[name], large[name], calls) for name in small}
    found["traffic, page in the web"] = _beside(_page_ms(few, times), _page_ms(many, times), calls)
    cost = rows["row with bodies"] - rows["row"]
    figure = f"{rows['row']:.3f} ms p50, bodies {cost:.3f} ms more"
    return found | {
        "traffic, a row": Verdict(figure=figure, budget=f"bodies < {_ROW_BUDGET_MS} ms", ok=cost < _ROW_BUDGET_MS)
    }


def prune(folder: Path, calls: int, orders: int) -> dict[str, Verdict]:
    """Orders with and without a log that is losing very many calls meanwhile."""
    folder.mkdir(mode=0o700)
    quiet, busy = servers.make_bridge(folder / "quiet"), servers.make_bridge(folder / "busy")
    fill(busy, calls, _PRUNED_DAYS_AGO)
    without, beside = _order_times(quiet, orders), _order_times(busy, orders)
    one, other = percentile(without.micros, 0.99) / 1000, percentile(beside.micros, 0.99) / 1000
    left = max(0, calls - _pruned(busy))
    return {
        "orders beside pruning": Verdict(
            figure=f"p99 {other:.1f} ms, {one:.1f} ms without; p50 {percentile(beside.micros, 0.5) / 1000:.1f} and"
            f" {percentile(without.micros, 0.5) / 1000:.1f} ms; {calls - left} of {calls} calls pruned meanwhile",
            budget=f"p99 <= {_MOST_HARM} x",
            ok=other <= _MOST_HARM * one and not beside.failed and _pruned(busy) > 0,
        )
    }


def _beside(few_ms: float, many_ms: float, calls: int) -> Verdict:
    """Flat, and below the budget. Of what takes less than a millisecond the ratio says nothing."""
    is_flat = many_ms <= max(_MOST_GROWTH * few_ms, few_ms + _SLACK_MS)
    return Verdict(
        figure=f"{many_ms:.2f} ms p50 in {calls} calls, {few_ms:.2f} ms in {FEW}{'' if is_flat else ' (grows)'}",
        budget=f"< {_PAGE_BUDGET_MS} ms",
        ok=many_ms < _PAGE_BUDGET_MS,
    )


def _page_ms(bridge: Bridge, times: int) -> float:
    with servers.running_bridge(bridge) as running:
        visit, seen = Visit(running.port), []
        visit.sign_in()
        for _ in range(times + 1):
            time.sleep(_PAUSE_S)
            began = time.perf_counter()
            visit.get("/traffic")
            seen.append((time.perf_counter() - began) * 1000)
    return statistics.median(seen[1:])


def _order_times(bridge: Bridge, orders: int) -> Tally:
    order = {"strategy": "bench", "exchange": "NSE", "symbol": "SBIN", "action": "BUY", "pricetype": "MARKET"}
    body = json.dumps({"apikey": bridge.key, **order, "product": "MIS", "quantity": "1"})
    with servers.running_bridge(bridge) as running:
        for calls in (_WARM_UP_CALLS, orders):
            command = [sys.executable, str(servers.PROJECT / "bench" / "load.py"), str(running.port)]
            command += ["/api/v1/placeorder", "--calls", str(calls), "--clients", "1", "--json"]
            done = subprocess.run(command, input=body, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True)
    return Tally(**json.loads(done.stdout))


def _pruned(bridge: Bridge) -> int:
    return int(_run("traffic_rows.py", str(bridge.folder), "--first")) - 1


def _run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(servers.PROJECT / "bench" / script), *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, env=servers.with_package(), text=True, encoding="utf-8", check=True
    ).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the traffic log.")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="where the databases go (default: the system's temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridge-bench-", dir=options.folder) as name:
        verdicts = measure(Path(name) / "traffic", options.calls, options.times)
    for name, verdict in verdicts.items():
        print(f"{name:<36}{verdict}")
    return 0 if all(verdict.ok for verdict in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
