"""How long the Action Center takes to open once ten thousand orders went through it."""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import servers
from report import Verdict

DECIDED, HELD = 9_800, 200
PAGES = {
    "Action Center, waiting": "/action-center",
    "Action Center, decided": "/action-center?tab=decided",
    "Action Center, filtered": "/action-center?tab=all&symbol=INFY",
}
BUDGET_MS = 80

# Below the limit of pages in a second, which counts for everybody.
_PAUSE_S = 0.03
_READ_AT_ONCE = 65_536
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def fill(folder: Path) -> None:
    """Put the tickets in, in a process that has the bridge's own code."""
    command = [sys.executable, str(servers.PROJECT / "bench" / "tickets.py"), str(folder), str(DECIDED), str(HELD)]
    subprocess.run(command, env=servers.with_package(), check=True)


def measure(port: int, calls: int) -> dict[str, Verdict]:
    """The pages as a browser that has signed in gets them, over one connection."""
    visit = Visit(port)
    visit.sign_in()
    return {name: _verdict(visit, path, calls) for name, path in PAGES.items()}


def _verdict(visit: Visit, path: str, calls: int) -> Verdict:
    times = []
    for _ in range(calls + 1):
        time.sleep(_PAUSE_S)
        began = time.perf_counter()
        visit.get(path)
        times.append((time.perf_counter() - began) * 1000)
    median, worst = statistics.median(times[1:]), max(times[1:])
    figure = f"{median:.1f} ms p50, {worst:.1f} ms at most, {DECIDED + HELD} tickets"
    return Verdict(figure=figure, budget=f"p50 < {BUDGET_MS} ms", ok=median < BUDGET_MS)


class Visit:
    """One browser: a connection and its cookies."""

    def __init__(self, port: int) -> None:
        self._address = f"127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection(self._address, timeout=30)
        self._cookies: dict[str, str] = {}

    def sign_in(self) -> None:
        token = _TOKEN.search(self.get("/login"))
        if token is None:
            raise SystemExit("The sign-in page has no form.")
        typed = {"csrf_token": token[1], "username": servers.USERNAME, "password": servers.PASSWORD}
        self._ask("POST", "/login", urlencode(typed), 302)

    def get(self, path: str) -> str:
        return self._ask("GET", path, None, 200)

    def parts(self, path: str) -> Iterator[bytes]:
        """A file, as it comes."""
        answer = self._asked("GET", path, None, 200)
        while part := answer.read(_READ_AT_ONCE):
            yield part

    def _ask(self, method: str, path: str, body: str | None, status: int) -> str:
        return self._asked(method, path, body, status).read().decode()

    def _asked(self, method: str, path: str, body: str | None, status: int) -> http.client.HTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self._address}"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        if answer.status != status:
            raise SystemExit(f"{path} was answered with {answer.status}.")
        return answer
