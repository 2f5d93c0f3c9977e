"""A hostile page in the trader's own browser (security T2): it may knock at every door, and nothing happens.

It is served on another port of this PC. From ``localhost`` it is another site and gets no cookie along. From
127.0.0.1 it is the same site, and the browser does send the cookie: there the guard alone stands.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page

from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from tests.bridge_rows import calls_logged, rows_of_every_table
from tests.browser.conftest import Script
from tests.conftest import CHEAP, PASSWORD, TRADER, Live, app_of, free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.browser

HOSTILE_PAGE = b"<!doctype html><title>A page of another site</title><body>Knock knock"
# What a page can do with an address. Each attempt tells what it could read: nothing, if all is well.
ATTEMPTS = """
async ({url, gets, posts, fields, order, thorough}) => {
  const read = [];
  const tell = (how, what) => what && read.push(`${how}: ${what}`);
  const attempts = [];
  const attempt = (how, work) => attempts.push(work().then(what => tell(how, what), () => undefined));
  const text = async answer => answer.type === "opaque" ? "" : `${answer.status} ${await answer.text()}`;

  for (const path of gets) {
    for (const mode of ["cors", "no-cors"])
      for (const credentials of ["include", "omit"])
        attempt(`${mode} fetch of ${path}`, async () => text(await fetch(url + path, {mode, credentials})));
    attempt(`XMLHttpRequest of ${path}`, () => new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.withCredentials = true;
      request.onload = () => done(request.responseText);
      request.onerror = fail;
      request.open("GET", url + path);
      request.send();
    }));
    for (const tag of ["img", "script", "link", "video", "object"])
      attempt(`${tag} of ${path}`, () => new Promise((done, fail) => {
        const element = document.createElement(tag);
        element.onload = () => done("loaded");
        element.onerror = fail;
        element.onloadedmetadata = () => done("loaded");
        element.rel = "stylesheet";
        element.type = tag === "link" ? "text/css" : "";
        element[{link: "href", object: "data"}[tag] ?? "src"] = url + path;
        document.body.append(element);
      }));
    attempt(`iframe of ${path}`, () => new Promise(done => {
      const frame = document.createElement("iframe");
      frame.onload = () => {
        let seen = "";
        try { seen = frame.contentDocument?.body.innerText ?? ""; } catch { }
        done(seen);
      };
      frame.src = url + path;
      document.body.append(frame);
    }));
    attempt(`WebSocket to ${path}`, () => new Promise((done, fail) => {
      const line = new WebSocket(url.replace("http", "ws") + path);
      line.onopen = () => done("open");
      line.onerror = fail;
    }));
    attempt(`EventSource of ${path}`, () => new Promise((done, fail) => {
      const events = new EventSource(url + path, {withCredentials: true});
      events.onopen = () => done("open");
      events.onerror = () => { events.close(); fail(); };
    }));
  }
  const enctypes = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
  for (const [place, path] of posts.entries()) {
    const form = new URLSearchParams(fields);
    for (const body of [form, JSON.stringify(order)])
      for (const mode of ["cors", "no-cors"])
        attempt(`${mode} POST to ${path}`,
          async () => text(await fetch(url + path, {method: "POST", mode, credentials: "include", body})));
    attempt(`JSON POST to ${path}`, async () => text(await fetch(url + path, {
      method: "POST", credentials: "include", body: JSON.stringify(order),
      headers: {"Content-Type": "application/json", "X-CSRFToken": "x", "X-API-KEY": order.apikey}})));
    attempt(`DELETE of ${path}`, async () => text(await fetch(url + path, {method: "DELETE", credentials: "include"})));
    attempt(`beacon to ${path}`, async () => { navigator.sendBeacon(url + path, JSON.stringify(order)); return ""; });
    for (const enctype of thorough ? enctypes : [enctypes[place % enctypes.length]])
      attempt(`form to ${path}`, () => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.name = `f${document.body.childElementCount}`;
        document.body.append(frame);
        const sender = document.createElement("form");
        Object.assign(sender, {method: "post", action: url + path, target: frame.name, enctype});
        for (const [name, value] of Object.entries(fields)) {
          const field = document.createElement("input");
          Object.assign(field, {name, value});
          sender.append(field);
        }
        frame.onload = () => {
          let seen = "";
          try { seen = frame.contentDocument?.body.innerText ?? ""; } catch { }
          done(seen);
        };
        document.body.append(sender);
        sender.submit();
      }));
  }
  await Promise.all(attempts);
  return {read, count: attempts.length};
}
"""


@dataclass(frozen=True)
class Knocks:
    """What the hostile page asks for, and says."""

    gets: list[str]
    posts: list[str]

    def arguments(self, url: str, *, thorough: bool = False) -> dict[str, Any]:
        """``thorough``: a form of every kind to every path. Each is a navigation, so otherwise the kinds take turns;
        all of them are asked without a browser in tests/guard.
        """
        fields = {
            "csrf_token": "guessed",
            "mode": "semi_auto",
            "username": "trader",
            "password": PASSWORD,
            "confirm": "yes",
            "shown": "x",
            "reason": "x",
        }
        order = {"apikey": new_key(), "symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": "1"}
        return {
            "url": url,
            "gets": self.gets,
            "posts": self.posts,
            "fields": fields,
            "order": order,
            "thorough": thorough,
        }


@dataclass(frozen=True)
class Arrival:
    """What the browser said of itself when it asked the bridge."""

    site: str
    cookie: str


@pytest.fixture
def arrivals() -> list[Arrival]:
    return []


@pytest.fixture
def live(settings: Settings, new_files: Path, arrivals: list[Arrival]) -> Iterator[Live]:
    """The bridge on a real socket, with a look at what arrives before anything else sees it."""
    shutil.copytree(new_files, settings.db_dir, dirs_exist_ok=True)
    port = free_port()
    opened = open_desk(replace(settings, flask_port=port), Clock(), CHEAP)
    opened.doors.open()
    app = app_of(opened)

    def watched(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        arrivals.append(Arrival(environ.get("HTTP_SEC_FETCH_SITE", ""), environ.get("HTTP_COOKIE", "")))
        return app(environ, start_response)

    server = Server(watched, port=port)
    server.start()
    yield Live(f"http://127.0.0.1:{port}", port, opened)
    server.close()
    opened.close()


@pytest.fixture(scope="module")
def hostile_port() -> Iterator[int]:
    """Another program on this PC that serves pages."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(HOSTILE_PAGE)))
            self.end_headers()
            self.wfile.write(HOSTILE_PAGE)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.fixture
def knocks(live: Live) -> Knocks:
    """Every POST route of the pages and some of each other kind, from the route tables."""
    app = app_of(live.desk)
    posts = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert len(posts) >= 8
    return Knocks(
        gets=["/", "/apikey", "/action-center/pending", "/traffic", "/healthz", "/static/app.css", "/no-such-page"],
        posts=[*(re.sub(r"<[^>]+>", "1", path) for path in posts), "/api/v1/placeorder", "/api/v1/analyzer/toggle"],
    )


# A page of this very PC is the harder case: the browser sends it the cookie.
CROSS_SITE = pytest.param("localhost", "cross-site", marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "site"), [CROSS_SITE, ("127.0.0.1", "same-site")])
def test_a_hostile_page_reads_and_changes_nothing(
    page: Page,
    live: Live,
    script: Script,
    knocks: Knocks,
    arrivals: list[Arrival],
    hostile_port: int,
    name: str,
    site: str,
) -> None:
    live.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    script.place(price_type="MARKET")
    page.goto("/action-center")
    hostile = page.context.new_page()
    hostile.goto(f"http://{name}:{hostile_port}/")
    before, logged = rows_of_every_table(live.desk), calls_logged(live.desk)

    found = hostile.evaluate(ATTEMPTS, knocks.arguments(live.url, thorough=site == "cross-site"))

    assert found["read"] == []
    assert rows_of_every_table(live.desk) == before
    assert found["count"] > 150
    # The knocks were heard: what the guard turned away is in the log.
    refused = [call for call in live.desk.store.traffic.page(limit=1000) if call.id > logged]
    assert {call.outcome for call in refused if not call.endpoint.startswith("/api/")} == {"refused"}
    assert {path for path in knocks.posts if not path.startswith("/api/")} <= {call.endpoint for call in refused}
    foreign = [arrival for arrival in arrivals if arrival.site == site]
    assert len(foreign) > 100
    assert any("bridge_" in arrival.cookie for arrival in foreign) is (site == "same-site")
    # And the trader is still signed in, with the order still waiting.
    page.reload()
    assert page.get_by_role("button", name="Approve: buy 10 RELIANCE").is_visible()


@pytest.mark.parametrize(
    ("name", "every"),
    [
        # A sample: each one is a navigation. All of them are asked without a browser in tests/guard.
        ("127.0.0.1", 7),
        pytest.param("127.0.0.1", 1, marks=pytest.mark.slow),
        pytest.param("localhost", 1, marks=pytest.mark.slow),
    ],
)
def test_a_form_that_takes_the_whole_window_changes_nothing(
    page: Page, live: Live, knocks: Knocks, hostile_port: int, name: str, every: int
) -> None:
    """A navigation: no prompt of the browser stands before it, and the answer is shown to the trader."""
    before = rows_of_every_table(live.desk)
    hostile = page.context.new_page()
    fields = json.dumps(knocks.arguments(live.url)["fields"])
    for path in knocks.posts[::every]:
        hostile.goto(f"http://{name}:{hostile_port}/")
        with hostile.expect_navigation() as shown:
            hostile.evaluate(
                """([action, fields]) => {
                  const form = Object.assign(document.createElement("form"), {method: "post", action});
                  for (const [name, value] of Object.entries(JSON.parse(fields)))
                    form.append(Object.assign(document.createElement("input"), {name, value}));
                  document.body.append(form);
                  form.submit();
                }""",
                [live.url + path, fields],
            )
        assert shown.value is not None
        assert shown.value.status in {400, 403}, path
    assert rows_of_every_table(live.desk) == before


def test_a_window_that_it_opens_tells_it_nothing(page: Page, live: Live, hostile_port: int) -> None:
    """A link may lead here; the window that opened ours is cut off from it."""
    hostile = page.context.new_page()
    hostile.goto(f"http://127.0.0.1:{hostile_port}/")
    before = rows_of_every_table(live.desk)
    with hostile.expect_popup() as opened:
        hostile.evaluate("url => { window.ours = window.open(url); }", f"{live.url}/apikey")
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("window.opener") is None
    assert hostile.evaluate("window.ours.closed") is True
    assert rows_of_every_table(live.desk) == before


def test_the_attempts_succeed_where_nobody_guards(page: Page, knocks: Knocks, hostile_port: int) -> None:
    """Otherwise the tests above would prove nothing: here the hostile page knocks at its own door."""
    hostile = page.context.new_page()
    hostile.goto(f"http://localhost:{hostile_port}/")
    found = hostile.evaluate(ATTEMPTS, knocks.arguments(f"http://localhost:{hostile_port}"))
    kinds = {told.partition("/")[0] for told in found["read"]}
    assert {"cors fetch of ", "no-cors fetch of ", "XMLHttpRequest of ", "script of ", "iframe of "} <= kinds
    assert {"cors POST to ", "no-cors POST to ", "JSON POST to ", "form to "} <= kinds
