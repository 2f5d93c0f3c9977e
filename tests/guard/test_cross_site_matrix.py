"""Cross-site requests (security T2): who may press a button here. The whole matrix, at every unsafe route.

A request *gets beyond* the guard and the token check when a view is called: every view of the app is wrapped, and
writes its endpoint down before it runs. Views run for real, so whatever should not have got beyond shows in the rows
of the database too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, product
from typing import Any

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from tests.bridge_rows import rows_of_every_table
from tests.conftest import Account
from tests.web.conftest import Person, a_browser, csrf_token, hold

HERE = "http://127.0.0.1:5000"
SITES = ("same-origin", "same-site", "cross-site", "none", None)
ORIGINS = {
    "right": HERE,
    "missing": None,
    "other port": "http://127.0.0.1:3000",
    "other scheme": "https://127.0.0.1:5000",
    "other name": "http://localhost:5000",
    "other host": "http://evil.example",
    "null": "null",
}
TOKENS = ("right", "wrong", "missing")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "BREW")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Where a request says it comes from."""

    site: str | None
    origin: str
    token: str

    @property
    def is_from_our_page(self) -> bool:
        """What a browser sends with our own forms: with Fetch Metadata, with an Origin too, or with that alone."""
        by_metadata = self.site == "same-origin" and self.origin in {"right", "missing"}
        by_origin = self.site is None and self.origin == "right"
        return (by_metadata or by_origin) and self.token == "right"

    @property
    def headers(self) -> dict[str, str]:
        given = {"Sec-Fetch-Site": self.site, "Origin": ORIGINS[self.origin]}
        return {name: value for name, value in given.items() if value is not None}


MATRIX = [Sent(site=site, origin=origin, token=token) for site, origin, token in product(SITES, ORIGINS, TOKENS)]
OURS = [sent for sent in MATRIX if sent.is_from_our_page]


@dataclass
class Doors:
    """Every view of the app, watched. ``entered`` names those that were called."""

    entered: list[str] = field(default_factory=list)

    def watch(self, app: Flask) -> None:
        for endpoint, view in app.view_functions.items():
            app.view_functions[endpoint] = self._watched(endpoint, view)

    def _watched(self, endpoint: str, view: Callable[..., Any]) -> Callable[..., Any]:
        # wraps() keeps the name by which Flask-WTF finds views that need no token.
        @functools.wraps(view)
        def enter(*arguments: Any, **named: Any) -> Any:
            self.entered.append(endpoint)
            return view(*arguments, **named)

        return enter

    def opened(self) -> list[str]:
        """What was entered since the last question."""
        opened, self.entered = self.entered, []
        return opened


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def at_the_desk(desk: Desk, app: Flask, account: Account, doors: Doors) -> Person:
    """The trader, signed in, with a held ticket to decide on; from here on every view is watched."""
    person = a_browser(app)
    assert person.sign_in().status_code == 302
    hold(desk)
    doors.watch(app)
    return person


def paths(app: Flask, method: str | None = None) -> list[str]:
    """Every address of the pages, or those that take a method, with the holes filled in."""
    rules = [rule for rule in app.url_map.iter_rules() if method is None or method in (rule.methods or ())]
    return sorted({_filled(rule.rule) for rule in rules})


def _filled(rule: str) -> str:
    """With a file, the first of several words, or a number, whichever the hole asks for."""
    named = re.sub(r"<any\((\w+)[^>]*>", r"\1", re.sub(r"<path:[^>]+>", "app.css", rule))
    return re.sub(r"<[^>]+>", "1", named)


def tokens_of(person: Person, app: Flask) -> dict[str, str]:
    """The person's own, a valid one of another browser, and none."""
    return {
        "right": csrf_token(person.client.get("/apikey").text),
        "wrong": csrf_token(a_browser(app).client.get("/login").text),
        "missing": "",
    }


def send(person: Person, method: str, path: str, sent: Sent, tokens: dict[str, str]) -> int:
    fields = {"csrf_token": tokens[sent.token]} if tokens[sent.token] else {}
    answer = person.client.open(path, method=method, data=fields, headers=sent.headers)
    answer.close()
    return answer.status_code


def test_whatever_does_not_come_from_our_page_gets_no_further(
    at_the_desk: Person, app: Flask, desk: Desk, doors: Doors
) -> None:
    tokens, routes = tokens_of(at_the_desk, app), paths(app, "POST")
    before = rows_of_every_table(desk)
    doors.opened()
    assert len(routes) >= 8
    for path in routes:
        for sent in MATRIX:
            if not sent.is_from_our_page:
                assert send(at_the_desk, "POST", path, sent, tokens) in {400, 403}, (path, sent)
                assert doors.opened() == [], (path, sent)
        assert rows_of_every_table(desk) == before, path


def test_our_own_page_gets_to_every_view(at_the_desk: Person, app: Flask, doors: Doors) -> None:
    assert len(OURS) == 3
    # One of the ways after the other: a sign-in for each way at each view takes as long as a hundred other tests.
    gets_there(list(zip(paths(app, "POST"), cycle(OURS), strict=False)), app, doors)


@pytest.mark.slow
def test_our_own_page_gets_to_every_view_in_every_way(at_the_desk: Person, app: Flask, doors: Doors) -> None:
    gets_there(list(product(paths(app, "POST"), OURS)), app, doors)


def gets_there(requests: Sequence[tuple[str, Sent]], app: Flask, doors: Doors) -> None:
    for path, sent in requests:
        # A session each: one of them is signed out by the way, and each has a limit of pages a second.
        person = a_browser(app)
        assert person.sign_in().status_code == 302
        tokens = tokens_of(person, app)
        doors.opened()
        send(person, "POST", path, sent, tokens)
        assert len(doors.opened()) == 1, (path, sent)


def test_a_method_that_a_page_does_not_take_changes_nothing(
    at_the_desk: Person, app: Flask, desk: Desk, doors: Doors
) -> None:
    ours = Sent(site="same-origin", origin="right", token="right")
    tokens, taken = tokens_of(at_the_desk, app), set(paths(app, "POST"))
    before = rows_of_every_table(desk)
    doors.opened()
    for method, path in product(UNSAFE, [*paths(app), "/no-such-page"]):
        if method != "POST" or path not in taken:
            assert send(at_the_desk, method, path, ours, tokens) in {400, 404, 405}, (method, path)
    assert doors.opened() == []
    assert rows_of_every_table(desk) == before


@pytest.mark.slow
def test_no_unsafe_method_gets_further_in_the_whole_matrix(
    at_the_desk: Person, app: Flask, desk: Desk, doors: Doors
) -> None:
    tokens, taken = tokens_of(at_the_desk, app), set(paths(app, "POST"))
    before = rows_of_every_table(desk)
    doors.opened()
    for method, path, sent in product(UNSAFE, [*paths(app), "/no-such-page"], MATRIX):
        if not (sent.is_from_our_page and path in taken):
            send(at_the_desk, method, path, sent, tokens)
            assert doors.opened() == [], (method, path, sent)
    assert rows_of_every_table(desk) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_at_a_page_changes_nothing(
    at_the_desk: Person, app: Flask, desk: Desk, doors: Doors, method: str
) -> None:
    """Fields in the address, as a form with ``method=get`` would send them, are no way around the rule."""
    query = f"?csrf_token={tokens_of(at_the_desk, app)['right']}&mode=auto&confirm=yes&_method=POST"
    # The first look at the traffic log ticks a line of the checklist, once for each key.
    desk.store.preferences.note_traffic_log_opened()
    before = rows_of_every_table(desk)
    doors.opened()
    for path in [*paths(app), "/no-such-page"]:
        headers = {"X-HTTP-Method-Override": "POST"}
        at_the_desk.client.open(path + query, method=method, headers=headers).close()
        assert rows_of_every_table(desk) == before, path
    assert method == "OPTIONS" or len(doors.opened()) > 8


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data", ""])
def test_another_kind_of_body_needs_the_token_too(
    at_the_desk: Person, app: Flask, desk: Desk, doors: Doors, kind: str
) -> None:
    before = rows_of_every_table(desk)
    doors.opened()
    for path in paths(app, "POST"):
        body = b'{"csrf_token":"x","mode":"semi_auto","username":"trader"}'
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": kind}
        assert at_the_desk.client.post(path, data=body, headers=headers).status_code == 400, path
    assert doors.opened() == []
    assert rows_of_every_table(desk) == before


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
def test_a_form_of_another_site_is_refused_whatever_its_kind(
    at_the_desk: Person, app: Flask, desk: Desk, doors: Doors, kind: str, site: str
) -> None:
    token = tokens_of(at_the_desk, app)["right"]
    before = rows_of_every_table(desk)
    doors.opened()
    for path in paths(app, "POST"):
        fields = {"csrf_token": token, "mode": "semi_auto", "confirm": "yes"}
        answer = at_the_desk.client.post(path, data=fields, headers={"Sec-Fetch-Site": site}, content_type=kind)
        assert answer.status_code in {400, 403}, path
    assert doors.opened() == []
    assert rows_of_every_table(desk) == before


def test_a_cookie_opens_nothing_of_the_api(at_the_desk: Person, app: Flask, desk: Desk, account: Account) -> None:
    before = rows_of_every_table(desk)
    takers = [rule for rule in app.extensions["api"].url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert len(takers) >= 16
    for rule in takers:
        answer = at_the_desk.client.post(rule.rule, json={"symbol": "SBIN"}, headers={"Origin": HERE})
        assert answer.status_code == 400, rule
        assert "apikey" in answer.text
    assert rows_of_every_table(desk) == before
