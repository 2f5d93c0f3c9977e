"""The traffic log as it is looked at: it moves by itself and stops when told to, and text is never more than text."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.store.traffic import Arrival, Ending
from tests.browser.conftest import Script
from tests.browser.hostile import HOSTILE, cleaned
from tests.browser.test_trading_day import SOON_MS, polled_until
from tests.conftest import Live
from tests.recorded_calls import record
from tests.wire import Wire

pytestmark = pytest.mark.browser


def test_new_calls_come_on_top_until_somebody_reads_or_says_pause(page: Page, live: Live) -> None:
    for number in range(60):
        record(live.desk, symbol=f"OLD{number}")
    page.clock.install()
    page.goto("/traffic")
    rows = page.locator("[data-rows] tr")
    news = page.get_by_role("button", name="new call")
    expect(rows).to_have_count(50)
    running = live.desk.store.traffic.open(
        Arrival(request_id="r", at=0, method="POST", endpoint="/api/v1/x", address="127.0.0.1", program="node")
    )
    polled_until(page, lambda: expect(rows.first).to_contain_text("running", timeout=SOON_MS))
    live.desk.store.traffic.close(running, Ending(status=200, duration_us=1, outcome=CallOutcome.OK))
    polled_until(page, lambda: expect(rows.first).to_contain_text("ok", timeout=SOON_MS))
    expect(rows).to_have_count(51)

    page.get_by_role("button", name="Pause").click()
    for _ in range(12):
        record(live.desk, symbol="WHILEPAUSED")
    polled_until(page, lambda: expect(news).to_have_text("12 new calls", timeout=SOON_MS))
    expect(rows).to_have_count(51)
    page.get_by_role("button", name="Go on").click()
    expect(rows.first).to_contain_text("WHILEPAUSED")
    expect(rows).to_have_count(63)
    expect(news).to_be_hidden()

    rows.nth(40).scroll_into_view_if_needed()
    record(live.desk, symbol="WHILEREADING")
    polled_until(page, lambda: expect(news).to_have_text("1 new call", timeout=SOON_MS))
    expect(rows).to_have_count(63)
    news.click()
    expect(rows.first).to_contain_text("WHILEREADING")
    page.get_by_role("link", name="Older").click()
    expect(rows.first).to_contain_text("OLD9")


def test_more_than_fits_begins_anew_and_a_filter_keeps_the_others_out(page: Page, live: Live) -> None:
    page.clock.install()
    page.goto("/traffic?symbol=SBIN")
    rows = page.locator("[data-rows] tr")
    expect(page.get_by_text("No call matches.")).to_be_visible()
    for number in range(120):
        record(live.desk, symbol="SBIN", endpoint=f"/api/v1/{number}")
        record(live.desk, symbol="INFY")
    polled_until(page, lambda: expect(rows).to_have_count(50, timeout=SOON_MS))
    expect(rows.first).to_contain_text("/api/v1/119")
    expect(page.get_by_text("No call matches.")).to_be_hidden()
    expect(page.locator("[data-rows]")).not_to_contain_text("INFY")
    page.get_by_role("link", name="Older").click()
    expect(rows.first).to_contain_text("/api/v1/69")


def test_a_slow_call_takes_its_place_among_the_younger_ones_when_it_ends(page: Page, live: Live) -> None:
    slow = {"status": 200, "duration_us": 5_000_000, "outcome": CallOutcome.OK}
    record(live.desk, endpoint="/api/v1/first", **slow)
    running = live.desk.store.traffic.open(
        Arrival(request_id="r", at=0, method="POST", endpoint="/api/v1/late", address="127.0.0.1", program="node")
    )
    page.clock.install()
    page.goto("/traffic?slow=yes")
    record(live.desk, endpoint="/api/v1/younger", **slow)
    ends = page.locator("[data-rows] tr [data-label='Endpoint']")
    polled_until(page, lambda: expect(ends).to_have_text(["/api/v1/younger", "/api/v1/first"], timeout=SOON_MS))
    live.desk.store.traffic.close(running, Ending(**slow))
    in_order = ["/api/v1/younger", "/api/v1/late", "/api/v1/first"]
    polled_until(page, lambda: expect(ends).to_have_text(in_order, timeout=SOON_MS))


def test_a_call_opens_beside_the_list_with_the_keyboard_alone(page: Page, script: Script, live: Live) -> None:
    script.place(price_type="MARKET")
    page.goto("/traffic")
    link = page.locator("[data-call]").first
    link.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name=re.compile(r"^Call \d"))).to_be_visible()
    expect(drawer).to_contain_text("Filled BUY 10 RELIANCE on NSE at market")
    expect(drawer.locator("pre").first).to_contain_text('"symbol": "RELIANCE"')
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(link).to_be_focused()
    assert page.url.endswith("/traffic")


SAMPLE = HOSTILE[::11] + HOSTILE[:2]
PARTS = [HOSTILE[start : start + 30] for start in range(0, len(HOSTILE), 30)]
_FACT = (
    "name => [...document.querySelectorAll('dt')].find(dt => dt.textContent === name).nextElementSibling.textContent"
)


@pytest.mark.parametrize("texts", [SAMPLE, *(pytest.param(part, marks=pytest.mark.slow) for part in PARTS)])
def test_whatever_is_sent_is_text(page: Page, script: Script, live: Live, texts: tuple[str, ...]) -> None:
    """The page's own rules for scripts are in force, and a breach of them fails the test."""
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    with Wire(live.port) as wire:
        paths = [sent(live, wire, f"/api/v1/{quote(text, safe='')}", text, {}) for text in texts]
        page.goto("/traffic")
        for text, number in zip(texts, paths, strict=True):
            assert cell(page, number, "Endpoint") == f"/api/v1/{cleaned(text)}"
        orders = [sent(live, wire, "/api/v1/placeorder", text, {"strategy": text, "symbol": text}) for text in texts]
        page.goto("/traffic")
        for text, number in zip(texts, orders, strict=True):
            assert cell(page, number, "Strategy, symbol") == f"{in_row(text)}, {in_row(text)}"
    for text, number in zip(texts, orders, strict=True):
        page.goto(f"/traffic/{number}")
        assert page.evaluate(_FACT, "Program").endswith(f"; it calls itself {cleaned(text)}")
        assert page.evaluate(_FACT, "Strategy") == page.evaluate(_FACT, "Symbol") == in_row(text)
        assert json.loads(page.locator("pre").first.text_content() or "")["symbol"] == in_body(text)
    assert dialogs == []


def sent(live: Live, wire: Wire, path: str, text: str, fields: dict[str, str]) -> int:
    """One call with the text in its header and wherever else it was put; its number."""
    body = json.dumps({"apikey": "x"} | fields, ensure_ascii=False).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nUser-Agent: {text}\r\nContent-Length: {len(body)}"
    wire.ask(head.encode() + b"\r\n\r\n" + body)
    return live.desk.store.traffic.page(limit=1)[0].id


def cell(page: Page, number: int, label: str) -> str | None:
    """What stands in one cell of the list."""
    return page.locator(f"[data-row='{number}'] [data-label='{label}']").text_content()


def in_row(text: str) -> str:
    """As a row has it, in which there is no room for a long one."""
    return cleaned(text.strip()[:60])


def in_body(text: str) -> str:
    """As a body has it that a key was taken out of: what nobody sees between two letters is gone as well."""
    return cleaned(re.sub("[\u00ad\u200b-\u200d\u2060\ufeff]", "", text))
