"""A real Chromium. Every page it opens must be quiet: no console error, no request that leaves this PC."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import openalgo
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from openalgo_bridge.account.setup import create_account
from tests.conftest import PASSWORD, Live

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Watch:
    """What a page did that it should not. ``expected`` are words of a message that a test provokes itself."""

    url: str
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("request", self._request)

    def left(self) -> list[str]:
        return [problem for problem in self.problems if not any(words in problem for words in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self.problems.append(f"request to {request.url}")


@dataclass
class Script:
    """The trader's own program: the published SDK, in a thread of its own as Playwright owns this one."""

    place: Callable[..., dict[str, Any]]
    key: str


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says why; with BRIDGE_REQUIRE_BROWSER=1 a failure."""
    program = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if program is None:
        reason = f"no Chromium found (looked for {', '.join(_NAMES)})"
        if os.environ.get("BRIDGE_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_QUIET)
        yield started
        started.close()


@pytest.fixture
def watch(live: Live) -> Iterator[Watch]:
    """Fails the test when a page was not quiet."""
    watching = Watch(live.url)
    yield watching
    assert watching.left() == []


@pytest.fixture
def script(live: Live) -> Iterator[Script]:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    client = openalgo.api(api_key=key, host=live.url)
    with ThreadPoolExecutor(max_workers=1) as thread:

        def place(**asked: Any) -> dict[str, Any]:
            order = {"symbol": "RELIANCE", "action": "BUY", "exchange": "NSE", "product": "MIS", "quantity": 10}
            answer: dict[str, Any] = thread.submit(client.placeorder, **(order | asked)).result()
            return answer

        yield Script(place, key)


@pytest.fixture
def page(browser: Browser, live: Live, watch: Watch, script: Script) -> Iterator[Page]:
    """The empty page of a fresh browser, signed in."""
    context = fresh_browser(browser, live)
    let_in(context)
    fresh = context.new_page()
    watch.over(fresh)
    yield fresh
    context.close()


def fresh_browser(browser: Browser, live: Live, **options: Any) -> BrowserContext:
    """One that was never here. It scrolls at once: each click on what is out of sight waits for the end of that."""
    return browser.new_context(base_url=live.url, reduced_motion="reduce", **options)


def let_in(context: BrowserContext) -> None:
    """Sign in as its pages would, for tests of what comes after: no page is shown for it."""
    token = _TOKEN.search(context.request.get("/login").text())
    assert token is not None, "there is no form to sign in"
    answer = context.request.post(
        "/login",
        form={"csrf_token": token[1], "username": "trader", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "same-origin"},
        max_redirects=0,
    )
    assert (answer.status, answer.headers["location"]) == (302, "/")


def sign_in(page: Page) -> None:
    """Sign in as a person does."""
    page.goto("/login")
    page.fill("#username", "trader")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/")
