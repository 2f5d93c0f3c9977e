"""Starts and stops what is measured: the floor and bridges, each a process of its own in a folder of its own."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RAISED_LIMIT = "100000 per second"

# On Windows Ctrl+Break, the polite stop, goes to a whole group of processes: a server gets one of its own.
if sys.platform == "win32":
    _STOP_SIGNAL, _OWN_GROUP = signal.CTRL_BREAK_EVENT, subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _STOP_SIGNAL, _OWN_GROUP = signal.SIGTERM, 0

USERNAME = "bench"
PASSWORD = "bench only, never a real account"
_LIMITS = {
    "maximum_quantity": "1000000",
    "order_value": "1000000000",
    "orders_per_day": "1000000",
    "loss_of_day": "1000000000",
    "price_band": "100",
}
"""Limits that cost an order something, each too wide to refuse one. Two are not among them. The duplicate window: a
bench repeats itself, and so does each of its clients at the same time. The open positions: they are read from the order
book of the day, which the paper exchange makes anew at each look, and which grows by tens of thousands here.
"""
_START_S, _STOP_S, _POLL_S = 30.0, 15.0, 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A bridge with an account, not running yet."""

    folder: Path
    key: str

    @property
    def database(self) -> Path:
        """The file with tickets and orders."""
        return self.folder / "bridge.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers. ``first_answer_s`` is from the start of its process to its first answer."""

    port: int
    pid: int
    first_answer_s: float


def make_bridge(folder: Path, *, semi_auto: bool = False) -> Bridge:
    """Set up a bridge as a user would without a browser, with its limits on and beyond any bench."""
    folder.mkdir(mode=0o700)
    environment = _environment(folder, free_port())
    setup = ["setup", "--username", USERNAME, "--password-stdin", "--accept-risk"]
    key = _command(setup, environment, f"{PASSWORD}\n").splitlines()[-1]
    if semi_auto:
        _command(["mode", "semi_auto"], environment)
    bridge = Bridge(folder=folder, key=key)
    with closing(sqlite3.connect(bridge.database)) as db, db:
        db.executemany("INSERT INTO guard VALUES (?, ?)", _LIMITS.items())
    return bridge


@contextmanager
def running_bridge(bridge: Bridge, command: list[str] | None = None) -> Iterator[Running]:
    """The bridge, serving. ``command`` starts it; without one the package is run by this interpreter."""
    port = free_port()
    with _serving(command or package_command(), port, _environment(bridge.folder, port)) as running:
        yield running


@contextmanager
def running_floor(folder: Path) -> Iterator[Running]:
    """The floor and the durable floor, serving."""
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-X", "utf8", str(PROJECT / "bench" / "floor.py"), str(port), str(folder)]
    with _serving(command, port, os.environ) as running:
        yield running


def package_command() -> list[str]:
    """How ``run.py`` starts the package once its environment stands."""
    return [sys.executable, "-P", "-X", "utf8", "-m", "openalgo_bridge"]


def run_py_command() -> list[str] | None:
    """``run.py`` itself; None where its environment was never made, because it would install one now."""
    return [sys.executable, str(PROJECT / "run.py")] if any(PROJECT.glob(".venv/*.stamp")) else None


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process in MB (1e6 bytes); None where the system has no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text(encoding="ascii"))
    return int(found[1]) * 1024 / 1e6 if found else None


def with_package() -> Mapping[str, str]:
    """The environment of a process that imports the bridge's own code."""
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def _environment(folder: Path, port: int) -> Mapping[str, str]:
    """Wins over a ``.env`` file, so that a bench never touches the real bridge's folder or port."""
    return {
        **with_package(),
        "DB_DIR": str(folder),
        "FLASK_PORT": str(port),
        "OPEN_BROWSER": "false",
        "LOG_LEVEL": "WARNING",
        "ORDER_RATE_LIMIT": RAISED_LIMIT,
        "API_RATE_LIMIT": RAISED_LIMIT,
    }


def _command(arguments: list[str], environment: Mapping[str, str], given: str = "") -> str:
    done = subprocess.run(
        [*package_command(), *arguments],
        input=given,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"run.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def _serving(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[Running]:
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        creationflags=_OWN_GROUP,
    )
    try:
        _await_answer(process, port, began + _START_S)
        yield Running(port=port, pid=process.pid, first_answer_s=time.perf_counter() - began)
    finally:
        _stop(process)


def _await_answer(process: subprocess.Popen[bytes], port: int, until: float) -> None:
    while not _answers(port):
        if process.poll() is not None:
            raise SystemExit(f"A server ended with code {process.returncode} instead of serving; see above.")
        if time.perf_counter() > until:
            raise SystemExit(f"A server did not answer on port {port} within {_START_S:.0f} s.")
        time.sleep(_POLL_S)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(_STOP_SIGNAL)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
