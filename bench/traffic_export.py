"""The traffic log as a file, as a browser gets it: how many calls a second, and what memory it takes.

``python bench/traffic_export.py [--calls 1000000]`` measures this alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servers
from action_center import Visit
from report import Verdict
from servers import Bridge, Running

ROWS_BUDGET, MEMORY_BUDGET_MB = 150_000, 40
"""Calls a second, and what the bridge's memory may grow by, however many there are. What a browser has not read yet
waits in a file."""

FILES = {
    "export, CSV": "/traffic/export.csv?kind=all",
    "export, JSONL": "/traffic/export.jsonl?kind=all",
}
NARROWED = {
    "export, refused ones": "/traffic/export.csv?status=refused",
    "export, a word": "/traffic/export.csv?words=limit",
}
_PAUSE_S = 0.1
_LOOKED_AT_EVERY = 16


def measure(bridge: Bridge) -> dict[str, Verdict]:
    """Of a bridge that does not run and has calls in its log. What is narrowed has no budget: most is left out."""
    with servers.running_bridge(bridge) as running:
        visit = Visit(running.port)
        visit.sign_in()
        whole = {name: _verdict(running, visit, path) for name, path in FILES.items()}
        return whole | {name: Verdict(figure=_download(running, visit, path)[0]) for name, path in NARROWED.items()}


def _verdict(running: Running, visit: Visit, path: str) -> Verdict:
    figure, per_second, grown = _download(running, visit, path)
    return Verdict(
        figure=figure,
        budget=f">= {ROWS_BUDGET // 1000}k rows/s, + < {MEMORY_BUDGET_MB} MB",
        ok=per_second >= ROWS_BUDGET and (grown is None or grown < MEMORY_BUDGET_MB),
    )


def _download(running: Running, visit: Visit, path: str) -> tuple[str, float, float | None]:
    """In words, in rows a second, and in megabytes: the most that the memory grew by while it was sent."""
    time.sleep(_PAUSE_S)
    resident, rows, size, began = [servers.resident_mb(running.pid)], 0, 0, time.perf_counter()
    for number, part in enumerate(visit.parts(path)):
        rows += part.count(b"\n")
        size += len(part)
        if number % _LOOKED_AT_EVERY == 0:
            resident.append(servers.resident_mb(running.pid))
    seconds = time.perf_counter() - began
    known = [each for each in resident if each is not None]
    grown = max(known) - known[0] if len(known) == len(resident) else None
    told = "memory not measured on this system" if grown is None else f"memory +{grown:.0f} MB"
    return (
        f"{rows / seconds:,.0f} rows/s: {rows} in {seconds:.2f} s, {size / 1e6:.0f} MB, {told}",
        rows / seconds,
        grown,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the export of the traffic log.")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the database goes (default: the system's temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridge-bench-", dir=options.folder) as name:
        bridge = servers.make_bridge(Path(name) / "bridge")
        command = [sys.executable, str(servers.PROJECT / "bench" / "traffic_rows.py")]
        filled = [*command, str(bridge.folder), str(options.calls)]
        subprocess.run(filled, stdout=subprocess.DEVNULL, env=servers.with_package(), check=True)
        verdicts = measure(bridge)
    for label, verdict in verdicts.items():
        print(f"{label:<24}{verdict}")
    return 0 if all(verdict.ok for verdict in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
