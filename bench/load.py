"""The load generator: a process of its own that asks one local port the same thing again and again.

``python bench/load.py PORT PATH`` reads the bodies from the standard input, one a line, and each client sends them
in turn. An answer counts only when its status is 200 and it says ``"status":"success"``; with ``--refused`` only when
its status is 403 and it says ``"status":"error"``. Raw sockets, because http.client costs as much per call as the
server that is measured. Loopback only.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

_HOST = "127.0.0.1"
_TIMEOUT_S = 10.0
_MOST_CLIENTS, _MOST_CALLS, _MOST_SECONDS = 64, 100_000, 120.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SUCCESS = (b"HTTP/1.1 200 ", b'"status":"success"')
_REFUSAL = (b"HTTP/1.1 403 ", b'"status":"error"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to ask. ``calls`` is per client; whoever is not through after ``seconds`` stops there. ``refused``: a good
    answer is a refusal.
    """

    port: int
    path: str
    bodies: Sequence[bytes]
    clients: int = 1
    calls: int = 100
    seconds: float = 30.0
    keep_alive: bool = True
    refused: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came back.

    ``micros`` has one entry per good answer, ``why`` says what was wrong with the first bad one, ``seconds`` is how
    long all clients together took.
    """

    micros: list[int] = field(default_factory=list)
    failed: int = 0
    why: str = ""
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        self.micros += other.micros
        self.failed += other.failed
        self.why = self.why or other.why
        self.seconds += other.seconds


class BadAnswer(Exception):
    """Something came back, but not what was asked for."""


def run(job: Job) -> Tally:
    """Do the job with one thread per client, all starting together."""
    tallies = [Tally() for _ in range(job.clients)]
    begin = threading.Barrier(job.clients + 1)
    threads = [threading.Thread(target=_be_client, args=(job, tally, begin)) for tally in tallies]
    for thread in threads:
        thread.start()
    begin.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - began
    total = Tally()
    for tally in tallies:
        total.add(tally)
    total.seconds = wall
    return total


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, ``share`` from 0 to 1; NaN when nothing came back."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _be_client(job: Job, tally: Tally, begin: threading.Barrier) -> None:
    messages = [_message(job, body) for body in job.bodies]
    begin.wait()
    until = time.monotonic() + job.seconds
    with _Line(job.port) as line:
        for turn in range(job.calls):
            if time.monotonic() > until:
                break
            began = time.perf_counter_ns()
            try:
                _check(job, *line.exchange(messages[turn % len(messages)]))
            except (OSError, BadAnswer) as error:
                tally.failed += 1
                tally.why = tally.why or f"{type(error).__name__}: {error}"
                line.hang_up()
                continue
            tally.micros.append((time.perf_counter_ns() - began) // 1000)
            if not job.keep_alive:
                line.hang_up()


def _message(job: Job, body: bytes) -> bytes:
    head = (
        f"POST {job.path} HTTP/1.1\r\nHost: {_HOST}:{job.port}\r\nContent-Type: application/json\r\n"
        f"Connection: {'keep-alive' if job.keep_alive else 'close'}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


class _Line:
    """A connection that is opened by the first call that needs it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """The next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exchange(self, message: bytes) -> tuple[bytes, bytes]:
        """Send the message; returns the answer's head and body. Raises OSError, BadAnswer."""
        connection = self._open()
        connection.sendall(message)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += _more(connection)
        head = bytes(received[:end])
        length = _LENGTH.search(head)
        if length is None:
            raise BadAnswer("an answer without Content-Length")
        whole = end + 4 + int(length[1])
        while len(received) < whole:
            received += _more(connection)
        return head, bytes(received[end + 4 : whole])

    def _open(self) -> socket.socket:
        if self._connection is None:
            self._connection = socket.create_connection((_HOST, self._port), timeout=_TIMEOUT_S)
            # Otherwise Nagle's algorithm would be measured.
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise BadAnswer("the connection ended in the middle of an answer")
    return received


def _check(job: Job, head: bytes, body: bytes) -> None:
    first, word = _REFUSAL if job.refused else _SUCCESS
    if not head.startswith(first) or word not in body:
        status = head.partition(b"\r\n")[0].decode("latin-1")
        raise BadAnswer(f"{status}: {body[:200]!r}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load one local port. The standard input has the bodies, one a line.")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--calls", type=int, default=100, help="per client")
    parser.add_argument("--seconds", type=float, default=30.0, help="stop after so many seconds")
    parser.add_argument("--new-connections", action="store_true", help="one connection per call")
    parser.add_argument("--refused", action="store_true", help="a good answer is 403, as for a wrong key")
    parser.add_argument("--json", action="store_true", help="print every latency, for a program")
    given = parser.parse_args()
    if not (1 <= given.clients <= _MOST_CLIENTS and 1 <= given.calls <= _MOST_CALLS):
        parser.error(f"at most {_MOST_CLIENTS} clients and {_MOST_CALLS} calls each")
    if not 0 < given.seconds <= _MOST_SECONDS:
        parser.error(f"at most {_MOST_SECONDS:.0f} seconds")
    return given


def main() -> None:
    given = _arguments()
    bodies = [line.strip().encode() for line in sys.stdin if line.strip()]
    job = Job(
        port=given.port,
        path=given.path,
        bodies=bodies or [b"{}"],
        clients=given.clients,
        calls=given.calls,
        seconds=given.seconds,
        keep_alive=not given.new_connections,
        refused=given.refused,
    )
    tally = run(job)
    if given.json:
        print(json.dumps(asdict(tally)))
        return
    good = len(tally.micros)
    print(
        f"{good} good, {tally.failed} failed, p50 {percentile(tally.micros, 0.5) / 1000:.3f} ms,"
        f" p99 {percentile(tally.micros, 0.99) / 1000:.3f} ms, {good / tally.seconds:.0f} calls/s  {tally.why}".rstrip()
    )


if __name__ == "__main__":
    main()
