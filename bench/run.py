"""Measures the bridge against the floor in one run and prints one table: ``python bench/run.py [--quick]``.

Every round asks every row, floor included, so that whatever else this PC does hits all alike. A ratio is the
median over the rounds of (p50 of the row / p50 of its floor in the same round). Exit code 1 when a row is over its
budget, a call failed, or an order was lost.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import servers
from load import Tally, percentile
from servers import Bridge, Running

_BURST = 8
_WARM_UP = 30
_RATIO = "x floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that is asked. ``floor`` names the row it is compared with; ``most`` is the budget of that ratio."""

    name: str
    server: str
    path: str
    extra: tuple[Mapping[str, str], ...] = ({},)
    clients: int = 1
    keep_alive: bool = True
    floor: str | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A figure against its budget, both as they are printed."""

    figure: str
    budget: str
    ok: bool


@dataclass(slots=True, kw_only=True)
class Measured:
    """All that was seen of one row: everything together, and the median of each round in milliseconds."""

    tally: Tally = field(default_factory=Tally)
    medians: list[float] = field(default_factory=list)

    def add(self, tally: Tally) -> None:
        self.tally.add(tally)
        self.tally.seconds += tally.seconds
        self.medians.append(percentile(tally.micros, 0.5) / 1000)

    @property
    def calls_per_second(self) -> float:
        return len(self.tally.micros) / self.tally.seconds


def _order(action: str) -> Mapping[str, str]:
    return {
        "strategy": "bench",
        "exchange": "NSE",
        "symbol": "SBIN",
        "action": action,
        "pricetype": "MARKET",
        "product": "MIS",
        "quantity": "1",
    }


# Bought and sold in turn, so that the paper account never runs out of money.
_ORDERS = (_order("BUY"), _order("SELL"))
_QUOTE = ({"symbol": "SBIN", "exchange": "NSE"},)
_PLACE = "/api/v1/placeorder"
_PING = "/api/v1/ping"

ROWS = (
    Row(name="floor", server="floor", path="/floor"),
    Row(name="ping", server="auto", path=_PING, floor="floor", most=2.0),
    Row(name="quotes", server="auto", path="/api/v1/quotes", extra=_QUOTE, floor="floor", most=2.0),
    Row(name="funds", server="auto", path="/api/v1/funds", floor="floor", most=2.0),
    Row(name="durable floor", server="floor", path="/durable"),
    Row(name="placeorder, Auto", server="auto", path=_PLACE, extra=_ORDERS, floor="durable floor", most=3.0),
    Row(name="placeorder, Semi-Auto", server="semi", path=_PLACE, extra=_ORDERS, floor="durable floor", most=2.5),
    Row(name="floor, new connections", server="floor", path="/floor", keep_alive=False),
    Row(name="ping, new connections", server="auto", path=_PING, keep_alive=False, floor="floor, new connections"),
    Row(name="durable floor, 8 clients", server="floor", path="/durable", clients=_BURST),
    Row(
        name="placeorder, 8 clients",
        server="auto",
        path=_PLACE,
        extra=_ORDERS,
        clients=_BURST,
        floor="durable floor, 8 clients",
    ),
    Row(
        name="placeorder, 8 clients, new connections",
        server="auto",
        path=_PLACE,
        extra=_ORDERS,
        clients=_BURST,
        keep_alive=False,
    ),
)


def main() -> int:
    options = _options()
    rounds, calls, starts = (2, 60, 2) if options.quick else (options.rounds, options.calls, 5)
    with tempfile.TemporaryDirectory(prefix="bridge-bench-", dir=options.folder) as name, ExitStack() as stack:
        folder = Path(name)
        _say_what_is_measured(folder, rounds, calls)
        bridges = {
            "auto": servers.make_bridge(folder / "auto"),
            "semi": servers.make_bridge(folder / "semi", semi_auto=True),
        }
        verdicts = {"start to first answer": _start(bridges["auto"], starts)}
        running = {name: stack.enter_context(servers.running_bridge(bridge)) for name, bridge in bridges.items()}
        running["floor"] = stack.enter_context(servers.running_floor(folder / "floor"))
        verdicts["memory, idle"] = _memory(running["auto"], 90)
        measured = _measure(running, bridges, rounds, calls)
        verdicts["memory, after the load"] = _memory(running["auto"], None)
        verdicts["nothing lost, Auto"] = _nothing_lost(bridges["auto"], measured, _SENT, "auto")
        verdicts["nothing lost, Semi-Auto"] = _nothing_lost(bridges["semi"], measured, _HELD, "semi")
    return _report(measured, verdicts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the bridge against the floor.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--calls", type=int, default=200, help="per row, round and client")
    parser.add_argument("--quick", action="store_true", help="a minute's impression: 2 rounds of 60 calls")
    parser.add_argument("--folder", type=Path, help="where the databases go (default: the system's temporary folder)")
    return parser.parse_args()


def _say_what_is_measured(folder: Path, rounds: int, calls: int) -> None:
    print(f"Python {platform.python_version()}: {sys.executable}; SQLite {sqlite3.sqlite_version}; files in {folder}")
    print(f"{rounds} rounds of {calls} calls per row and client.")
    print(f"ORDER_RATE_LIMIT and API_RATE_LIMIT are raised to {servers.RAISED_LIMIT} for this.\n", flush=True)


def _start(bridge: Bridge, times: int) -> Verdict:
    """From the start of the process to the answer of GET /healthz; the first start makes ready and does not count."""
    command = servers.run_py_command()
    seen = []
    for _ in range(times + 1):
        with servers.running_bridge(bridge, command) as running:
            seen.append(running.first_answer_s)
    median = statistics.median(seen[1:])
    way = "run.py" if command else "the package alone: run.py never made its .venv here"
    return Verdict(figure=f"{median:.2f} s ({way})", budget="< 1.5 s", ok=median < 1.5)


def _memory(running: Running, most: float | None) -> Verdict:
    resident = servers.resident_mb(running.pid)
    if resident is None:
        return Verdict(figure="not measured on this system", budget="-", ok=True)
    budget = "-" if most is None else f"< {most:.0f} MB"
    return Verdict(figure=f"{resident:.0f} MB", budget=budget, ok=most is None or resident < most)


def _measure(
    running: Mapping[str, Running], bridges: Mapping[str, Bridge], rounds: int, calls: int
) -> dict[str, Measured]:
    measured: dict[str, Measured] = defaultdict(Measured)
    for turn in range(rounds + 1):
        for row in ROWS:
            bridge = bridges.get(row.server)
            key = {"apikey": bridge.key} if bridge else {"apikey": "x" * 32}
            bodies = "\n".join(json.dumps({**key, **extra}) for extra in row.extra)
            tally = _load(row, running[row.server].port, bodies, calls if turn else _WARM_UP)
            # The first round warms up. Its orders count, its times do not.
            (measured[row.name] if turn else measured[_warm(row)]).add(tally)
    return measured


def _warm(row: Row) -> str:
    return f"{row.name} (warm-up)"


def _load(row: Row, port: int, bodies: str, calls: int) -> Tally:
    command = [sys.executable, str(servers.PROJECT / "bench" / "load.py"), str(port), row.path]
    command += ["--calls", str(calls), "--clients", str(row.clients), "--json"]
    if not row.keep_alive:
        command.append("--new-connections")
    done = subprocess.run(command, input=bodies, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True)
    return Tally(**json.loads(done.stdout))


_SENT = {
    "tickets released": "SELECT count(*) FROM ticket WHERE state = 'released'",
    "orders sent": "SELECT count(*) FROM orders WHERE state = 'sent'",
    "paper trades": "SELECT count(*) FROM paper_trade",
}
# What waited for longer than five minutes has expired, and is not lost.
_HELD = {"tickets held": "SELECT count(*) FROM ticket WHERE state IN ('held', 'expired')"}


def _nothing_lost(
    bridge: Bridge, measured: Mapping[str, Measured], questions: Mapping[str, str], server: str
) -> Verdict:
    """Asks the database, read-only, for exactly one of everything per good answer."""
    rows = [row for row in ROWS if row.server == server and row.path == _PLACE]
    answers = sum(len(measured[name].tally.micros) for row in rows for name in (row.name, _warm(row)))
    address = f"{bridge.database.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        counts = {what: database.execute(sql).fetchone()[0] for what, sql in questions.items()}
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    return Verdict(
        figure=f"{answers} answers, {told}", budget="equal", ok=answers > 0 and set(counts.values()) == {answers}
    )


def _report(measured: Mapping[str, Measured], verdicts: Mapping[str, Verdict]) -> int:
    print(f"{'row':<40}{'p50 ms':>9}{'p99 ms':>9}{'calls/s':>9}{'ratio':>8}   {'budget':<28}")
    all_ok = True
    for row in ROWS:
        seen = measured[row.name]
        verdict = _verdict(row, measured)
        all_ok &= verdict.ok
        print(
            f"{row.name:<40}{percentile(seen.tally.micros, 0.5) / 1000:>9.2f}"
            f"{percentile(seen.tally.micros, 0.99) / 1000:>9.2f}{seen.calls_per_second:>9.0f}"
            f"{verdict.figure:>8}   {verdict.budget:<28}{_word(verdict)}"
        )
    print()
    for name, verdict in verdicts.items():
        all_ok &= verdict.ok
        print(f"{name:<28}{verdict.figure:<64}{verdict.budget:<12}{_word(verdict)}")
    failed = sum(seen.tally.failed for seen in measured.values())
    why = next((seen.tally.why for seen in measured.values() if seen.tally.why), "")
    print(f"{'failed calls':<28}{failed} {why}")
    return 0 if all_ok and not failed else 1


def _verdict(row: Row, measured: Mapping[str, Measured]) -> Verdict:
    seen = measured[row.name]
    if row.floor is None:
        return _burst_verdict(seen, "-") if row.name == "" else Verdict(figure="", budget="-", ok=True)
    ratio = _ratio(seen.medians, measured[row.floor].medians)
    if row.name == "placeorder, 8 clients":
        return _burst_verdict(seen, f"{ratio:.2f}")
    budget = "-" if row.most is None else f"<= {row.most} x {row.floor}"
    return Verdict(figure=f"{ratio:.2f}", budget=budget, ok=row.most is None or ratio <= row.most)


def _ratio(medians: Sequence[float], floors: Sequence[float]) -> float:
    return statistics.median(median / floor for median, floor in zip(medians, floors, strict=True))


def _burst_verdict(seen: Measured, ratio: str) -> Verdict:
    late = percentile(seen.tally.micros, 0.99) / 1000
    return Verdict(figure=ratio, budget=">= 250 orders/s, p99 < 60 ms", ok=seen.calls_per_second >= 250 and late < 60)


def _word(verdict: Verdict) -> str:
    if verdict.budget == "-":
        return ""
    return "ok" if verdict.ok else "OVER"


if __name__ == "__main__":
    sys.exit(main())
