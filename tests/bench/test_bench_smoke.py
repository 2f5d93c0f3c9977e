"""The benches still run and still see what is wrong. No time is asserted."""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from openalgo_bridge.model.apikey import is_well_formed

BENCH = Path(__file__).resolve().parents[2] / "bench"
GOOD = b'{"status":"success"}'


@dataclass
class TinyServer:
    """Answers what it is told to, and remembers what came."""

    port: int = 0
    answer: bytes = GOOD
    status: int = 200
    connections: int = 0
    bodies: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def tiny() -> Iterator[TinyServer]:
    tiny = TinyServer()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with tiny.lock:
                tiny.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with tiny.lock:
                tiny.bodies.append(body)
            self.send_response(tiny.status)
            self.send_header("Content-Length", str(len(tiny.answer)))
            self.end_headers()
            self.wfile.write(tiny.answer)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        tiny.port = server.server_port
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield tiny
        server.shutdown()
        serving.join()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The bench's own modules, by their short names as ``run.py`` imports them."""
    monkeypatch.syspath_prepend(str(BENCH))
    yield importlib.import_module("report")
    for name in (
        "load",
        "rows",
        "report",
        "servers",
        "attack",
        "key_check",
        "market_data",
        "option_chain",
        "resting_orders",
    ):
        sys.modules.pop(name, None)


def load(port: int, *arguments: str, bodies: str = "{}") -> dict[str, Any]:
    command = [sys.executable, str(BENCH / "load.py"), str(port), "/some/path", "--json", *arguments]
    done = subprocess.run(command, input=bodies, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_client_sends_every_call_over_one_connection(tiny: TinyServer) -> None:
    tally = load(tiny.port, "--clients", "3", "--calls", "4", bodies='{"n":1}\n{"n":2}\n')
    assert (len(tally["micros"]), tally["failed"], tally["why"]) == (12, 0, "")
    assert tiny.connections == 3
    assert sorted(tiny.bodies) == [b'{"n":1}'] * 6 + [b'{"n":2}'] * 6


def test_new_connections_means_one_per_call(tiny: TinyServer) -> None:
    assert len(load(tiny.port, "--calls", "5", "--new-connections")["micros"]) == 5
    assert tiny.connections == 5


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [(500, GOOD, "500"), (200, b'{"status":"error"}', "error"), (429, b"{}", "429")],
)
def test_an_answer_that_is_not_a_success_is_a_failure_and_no_time(
    tiny: TinyServer, status: int, answer: bytes, why: str
) -> None:
    tiny.status, tiny.answer = status, answer
    tally = load(tiny.port, "--calls", "3")
    assert (tally["micros"], tally["failed"]) == ([], 3)
    assert why in tally["why"]


@pytest.mark.parametrize(
    ("status", "answer", "good"), [(403, b'{"status":"error"}', 3), (200, GOOD, 0), (429, b"{}", 0)]
)
def test_to_an_attacker_only_a_refusal_is_good(tiny: TinyServer, status: int, answer: bytes, good: int) -> None:
    tiny.status, tiny.answer = status, answer
    tally = load(tiny.port, "--calls", "3", "--refused")
    assert (len(tally["micros"]), tally["failed"]) == (good, 3 - good)


def test_a_port_where_nobody_listens_is_a_failure() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    tally = load(port, "--calls", "2")
    assert (tally["micros"], tally["failed"]) == ([], 2)


def test_the_floor_serves_and_the_durable_one_writes_each_call(bench: ModuleType, tmp_path: Path) -> None:
    servers = importlib.import_module("servers")
    folder = tmp_path / "floor"
    with servers.running_floor(folder) as running:
        for path in ("/floor", "/durable"):
            command = [
                sys.executable,
                str(BENCH / "load.py"),
                str(running.port),
                path,
                "--calls",
                "3",
                "--clients",
                "2",
            ]
            done = subprocess.run(command, input="{}", capture_output=True, text=True, encoding="utf-8")
            assert done.stdout.startswith("6 good, 0 failed"), done
    with closing(sqlite3.connect(folder / "floor.db")) as database:
        assert database.execute("SELECT count(*) FROM entry").fetchone()[0] == 6


def test_the_tickets_of_the_action_center_are_what_they_are_called(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "tickets.py"), str(tmp_path), "4", "2"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(BENCH.parent)}, check=True)
    with closing(sqlite3.connect(tmp_path / "bridge.db")) as database:
        found = database.execute("SELECT state, count(*) FROM ticket GROUP BY state ORDER BY state").fetchall()
        sent = database.execute("SELECT count(*) FROM orders WHERE state = 'sent'").fetchone()
    assert (found, sent) == ([("denied", 2), ("held", 2), ("released", 2)], (2,))


def test_the_command_knows_its_options() -> None:
    done = subprocess.run([sys.executable, str(BENCH / "run.py"), "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout


def test_a_row_over_its_budget_fails_the_run(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.report(measured(bench, {"ping": 1900}), {})
    assert "OVER" not in capsys.readouterr().out
    assert not bench.report(measured(bench, {"ping": 2100}), {})
    assert "OVER" in capsys.readouterr().out


def test_a_slow_burst_a_failed_call_and_a_lost_order_fail_the_run(bench: ModuleType) -> None:
    assert not bench.report(measured(bench, {"placeorder, 8 clients": 61_000}), {})
    failed = measured(bench, {})
    failed["funds"].warm_up.failed = 1
    assert not bench.report(failed, {})
    assert not bench.report(measured(bench, {}), {"nothing lost": bench.Verdict(figure="7", budget="8", ok=False)})


def test_one_wrong_key_that_gets_in_fails_the_run(bench: ModuleType) -> None:
    attack, tally = importlib.import_module("attack"), importlib.import_module("load").Tally
    owner, refused = tally(micros=[1000] * 10, seconds=1.0), tally(micros=[900] * 50, seconds=1.0)
    verdict = attack.Siege(quiet=owner, attacked=owner, wrong=refused).verdict
    assert verdict.ok
    assert "1.00 ms quiet, 1.00 ms under attack; 50 wrong keys (50/s), 0 not refused" in str(verdict)
    let_in = tally(micros=[900] * 50, failed=1, why="BadAnswer: HTTP/1.1 200 OK", seconds=1.0)
    assert not attack.Siege(quiet=owner, attacked=owner, wrong=let_in).verdict.ok
    assert not attack.Siege(quiet=owner, attacked=let_in, wrong=refused).verdict.ok
    assert not attack.Siege(quiet=owner, attacked=owner, wrong=tally(seconds=1.0)).verdict.ok


def test_the_owner_and_the_attackers_ask_at_the_same_time(bench: ModuleType, tiny: TinyServer, tmp_path: Path) -> None:
    attack = importlib.import_module("attack")
    siege = attack.besiege(tiny.port, "the owner's key", tmp_path, 0.2)
    # This server takes every key, so the owner is served and no attacker is refused.
    assert len(siege.quiet.micros) > 0 < len(siege.attacked.micros)
    assert siege.wrong.failed > 0 == len(siege.wrong.micros)
    assert not siege.verdict.ok
    bodies = {json.loads(body)["apikey"] for body in tiny.bodies}
    assert len(bodies) > 2
    assert all(is_well_formed(key) for key in bodies - {"the owner's key"})


def test_the_key_check_is_measured(bench: ModuleType, tmp_path: Path) -> None:
    servers = importlib.import_module("servers")
    command = [sys.executable, str(BENCH / "key_check.py"), str(tmp_path), "--samples", "50"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=servers.with_package())
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["samples"] == 50
    assert seen["check_us"] > 0
    assert seen["listed_us"] > 0
    assert math.isfinite(seen["t"])


def test_the_market_is_measured(bench: ModuleType) -> None:
    servers = importlib.import_module("servers")
    command = [sys.executable, str(BENCH / "market.py"), "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=servers.with_package())
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("bars") > 364 * 376
    assert all(figure > 0 for figure in seen.values())


def test_bars_searches_and_the_whole_list_are_measured_over_http(bench: ModuleType, tmp_path: Path) -> None:
    market_data = importlib.import_module("market_data")
    # Ten days hold a session whatever day it is: no weekend with its holidays is as long.
    seen = market_data.measure(tmp_path / "bridge", calls=2, rows=18_000, days=10)
    assert list(seen) == ["history, 10 days of 1m", "search in 18,000", "list of 18,000"]
    assert all(each.budget for each in seen.values() if "not measured" not in each.figure)
    assert not any(" 0.0 MB" in each.figure for each in seen.values())


def test_a_chain_of_a_hundred_strikes_with_greeks_is_measured_over_http(bench: ModuleType, tmp_path: Path) -> None:
    option_chain = importlib.import_module("option_chain")
    seen = option_chain.measure(tmp_path / "bridge", calls=1)
    assert list(seen) == ["option chain with greeks"]
    measured = re.fullmatch(r"(.+) ms p50, (.+) ms at most, (.+) strikes", seen["option chain with greeks"].figure)
    assert measured is not None
    median, worst, strikes = map(float, measured.groups())
    assert 0 < median == worst
    assert strikes >= option_chain.STRIKES


def test_what_waits_and_a_basket_are_measured_over_http(bench: ModuleType, tmp_path: Path) -> None:
    resting_orders = importlib.import_module("resting_orders")
    seen = resting_orders.measure(tmp_path / "bridge", calls=1)
    assert list(seen) == ["price, 5000 resting", "order book, 5000 resting", "basket of 50"]
    for verdict in seen.values():
        measured = re.fullmatch(r"(.+) ms p50, (.+) ms at most", verdict.figure)
        assert measured is not None
        assert 0 < float(measured[1]) == float(measured[2])


def test_what_is_no_success_is_no_time_of_it(bench: ModuleType, tiny: TinyServer) -> None:
    market_data, servers = (importlib.import_module(name) for name in ("market_data", "servers"))
    running = servers.Running(port=tiny.port, pid=os.getpid(), first_answer_s=0.0)
    with closing(market_data.Caller(running, "key")) as caller:
        assert caller.ask("POST", "/api/v1/history", "{}") == GOOD
        tiny.status = 503
        with pytest.raises(SystemExit, match="503"):
            caller.ask("POST", "/api/v1/history", "{}")


def test_the_instrument_list_is_measured(bench: ModuleType, tmp_path: Path) -> None:
    servers = importlib.import_module("servers")
    command = [sys.executable, str(BENCH / "instruments.py"), str(tmp_path), "--rows", "18000", "--times", "2"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=servers.with_package())
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["rows"], seen["chain_strikes"]) == (18_000, 121)
    assert all(figure > 0 for figure in seen.values())


def test_a_difference_in_time_is_seen_and_chance_is_not(bench: ModuleType) -> None:
    key_check, chance = importlib.import_module("key_check"), random.Random(1)
    first, same = ([chance.gauss(20_000, 2000) for _ in range(5000)] for _ in range(2))
    assert abs(key_check.welch_t(first, same)) < 4.5
    assert key_check.welch_t([time + 200 for time in first], same) > 4.5
    assert key_check.welch_t(same, [time + 200 for time in first]) < -4.5


def measured(bench: ModuleType, slow: dict[str, int]) -> dict[str, Any]:
    """Every row as it would look after two rounds of calls of a millisecond, but for the ``slow`` ones (in µs)."""
    rows = importlib.import_module("rows")
    seen = {}
    for row in bench.ROWS:
        seen[row.name] = rows.Measured()
        for _ in range(2):
            tally = rows.Tally(micros=[slow.get(row.name, 1000)] * 10, seconds=0.02)
            seen[row.name].add(tally)
    return seen
