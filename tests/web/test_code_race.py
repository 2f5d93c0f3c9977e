"""One code, eight browsers, one moment, real sockets: one gets in."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from flask import Flask

from openalgo_bridge.commands.serve import record_refusal
from openalgo_bridge.desk import Desk
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from tests.conftest import PASSWORD, Account, FixedClock, free_port
from tests.phone import Phone, set_up
from tests.web.conftest import csrf_token


@dataclass
class SocketBrowser:
    """A browser with a jar of cookies, on a real socket."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    text: str = ""

    def get(self, path: str) -> int:
        return self._ask("GET", path)

    def post(self, path: str, **fields: str) -> int:
        """Fill the form of the page and send it."""
        self.get(path)
        return self.post_again(path, **fields)

    def post_again(self, path: str, **fields: str) -> int:
        """Fill the form that was looked at last."""
        return self._ask("POST", path, urlencode({"csrf_token": csrf_token(self.text)} | fields))

    def _ask(self, method: str, path: str, body: str = "") -> int:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            self.text = answer.read().decode()
            for header in answer.headers.get_all("Set-Cookie", []):
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
            return answer.status
        finally:
            connection.close()


@pytest.fixture
def phone(desk: Desk, account: Account, clock: FixedClock) -> Phone:
    made = set_up(desk)
    clock.move(seconds=30)
    return made


@pytest.fixture
def port(app: Flask, desk: Desk, phone: Phone) -> Iterator[int]:
    """The bridge on a real socket, with the clock that stands still: no code gets old by chance."""
    server = Server(app, port=desk.settings.flask_port, refused=partial(record_refusal, desk))
    server.start()
    yield desk.settings.flask_port
    server.close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, flask_port=free_port())


def test_of_eight_browsers_with_one_code_one_gets_in(port: int, phone: Phone, desk: Desk) -> None:
    browsers = [SocketBrowser(port) for _ in range(8)]
    assert [browser.post("/login", username="trader", password=PASSWORD) for browser in browsers] == [302] * 8
    code, barrier = phone.code(), threading.Barrier(8)

    def race(browser: SocketBrowser) -> int:
        browser.get("/login/totp")
        barrier.wait()
        return browser.post_again("/login/totp", code=code)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(race, browsers))
    assert statuses.count(302) == 1
    assert set(statuses) <= {302, 403, 429}
    assert [browser.get("/orders") for browser in browsers].count(200) == 1
    assert len(desk.store.sessions.all()) == 1
