"""The cross-site rules once more over real sockets, as a browser of the trader would be made to send (security T2)."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import urlencode

import pytest
from flask import Flask

from openalgo_bridge.account import key_rules
from openalgo_bridge.account.setup import create_account
from tests.bridge_rows import rows_of_every_table
from tests.conftest import PASSWORD, Live, app_of
from tests.guard.test_cross_site_matrix import paths
from tests.web.conftest import hold

HOSTILE_SITES = ("same-site", "cross-site", "none")
HOSTILE_ORIGINS = ("http://127.0.0.1:3000", "http://evil.example", "null")


@dataclass
class Browser:
    """Keeps cookies and sends what a test says, over a connection of its own each time."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None if fields is None else urlencode(fields)
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        for name, value in answer.getheaders():
            if name == "Set-Cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def token(self, path: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.send("GET", path)[1])
        assert found is not None, path
        return found[1]


@pytest.fixture
def browser(live: Live) -> Browser:
    """The trader, signed in, with a held ticket to decide on."""
    create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    hold(live.desk)
    person = Browser(live.port)
    fields = {"csrf_token": person.token("/login"), "username": "trader", "password": PASSWORD}
    assert person.send("POST", "/login", fields, Sec_Fetch_Site="same-origin")[0] == 302
    return person


def forms(live: Live) -> list[str]:
    app: Flask = app_of(live.desk)
    found = paths(app, "POST")
    assert len(found) >= 20
    return found


def test_no_foreign_page_gets_a_form_through_a_real_socket(live: Live, browser: Browser) -> None:
    fields = {"csrf_token": browser.token("/apikey"), "mode": "semi_auto", "password": PASSWORD, "confirm": "yes"}
    before = rows_of_every_table(live.desk)
    for path, site in product(forms(live), HOSTILE_SITES):
        assert browser.send("POST", path, fields, Sec_Fetch_Site=site)[0] == 403, (path, site)
    for path, origin in product(forms(live), HOSTILE_ORIGINS):
        assert browser.send("POST", path, fields, Origin=origin)[0] == 403, (path, origin)
    for path in forms(live):
        assert browser.send("POST", path, fields)[0] == 403, path
    assert rows_of_every_table(live.desk) == before


def test_without_its_token_no_form_of_our_own_page_gets_through_either(live: Live, browser: Browser) -> None:
    browser.token("/apikey")  # the session keeps its token from the first page on
    before = rows_of_every_table(live.desk)
    for path in forms(live):
        for fields in ({}, {"csrf_token": "x" * 91}):
            status, _ = browser.send("POST", path, {**fields, "mode": "semi_auto"}, Sec_Fetch_Site="same-origin")
            assert status in {400, 403}, (path, status)
    assert rows_of_every_table(live.desk) == before


def test_our_own_page_gets_through(live: Live, browser: Browser) -> None:
    fields = {"csrf_token": browser.token("/apikey"), "name": "desk"}
    assert browser.send("POST", "/apikey/name", fields, Sec_Fetch_Site="same-origin")[0] == 302
    assert key_rules.rules_in_force(live.desk).name == "desk"
