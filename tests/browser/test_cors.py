"""Pages of another site in a real browser: the one that the trader named may call the API, the other may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.settings import Settings
from tests.api.conftest import ORDER
from tests.conftest import PASSWORD, Live

pytestmark = pytest.mark.browser

PAGE = b"<!doctype html><title>A page of another site</title><body>A chart"
# Asked with a preflight, and in the one way that needs none: as text.
CALLS = """
async ({url, key, order}) => {
  const told = [];
  const tries = [
    {headers: {"Content-Type": "application/json", "X-API-KEY": key}, body: JSON.stringify(order)},
    {headers: {"Content-Type": "text/plain"}, body: JSON.stringify({apikey: key, ...order})},
    {headers: {"Content-Type": "text/plain"}, body: JSON.stringify({apikey: key, ...order}), mode: "no-cors"},
  ];
  for (const options of tries) {
    try {
      const answer = await fetch(`${url}/api/v1/placeorder`, {method: "POST", ...options});
      told.push((await answer.json()).status);
    } catch {
      told.push("unread");
    }
  }
  return told;
}
"""


@pytest.fixture(scope="module")
def foreign_port() -> Iterator[int]:
    """Another program on this PC that serves pages."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


@pytest.fixture
def settings(settings: Settings, foreign_port: int) -> Settings:
    return replace(settings, cors_allowed_origins=(f"http://localhost:{foreign_port}",))


@pytest.mark.parametrize(
    ("name", "told", "orders"),
    # The last one reads nothing wherever it is from; that it arrives is what counts.
    [("localhost", ["success", "success", "unread"], 3), ("127.0.0.1", ["unread", "unread", "unread"], 0)],
)
def test_a_named_page_may_call_and_another_may_not(
    browser: Browser, live: Live, foreign_port: int, name: str, told: list[Any], orders: int
) -> None:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{name}:{foreign_port}/")
    assert page.evaluate(CALLS, {"url": live.url, "key": key, "order": ORDER}) == told
    assert len(live.desk.store.journal.tickets()) == orders
    context.close()
