"""The main job, as the trader does it: a script places, a person decides, the log shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Page, expect

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode
from tests.browser.conftest import Script, Watch, fresh_browser, sign_in
from tests.conftest import PASSWORD, TRADER, Live

pytestmark = pytest.mark.browser

PATIENCE_MS = 20_000
POLL_MS = 3_100
SOON_MS = 500
# A browser that gives up fifty times sooner than it is told, while a test wants that.
IMPATIENT = """
    window.haste = 1;
    const wait = AbortSignal.timeout;
    AbortSignal.timeout = (ms) => wait.call(AbortSignal, ms / haste);
    const { set } = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, "timeout");
    Object.defineProperty(XMLHttpRequest.prototype, "timeout", { set(ms) { set.call(this, ms / haste); } });
"""


def trades(desk: Desk) -> int:
    row = desk.store.files[0].read_one("SELECT count(*) AS n FROM paper_trade")
    assert row is not None
    return int(row["n"])


def choose_semi_auto(page: Page) -> None:
    page.goto("/apikey")
    page.get_by_label("Semi-Auto").check()
    page.get_by_role("button", name="Save the order mode").click()
    expect(page.get_by_text("every new order waits for you")).to_be_visible()


def test_a_held_order_is_approved_in_the_browser_and_fills_once(page: Page, script: Script, live: Live) -> None:
    choose_semi_auto(page)
    assert live.desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    badge = page.locator("[data-pending]")
    expect(badge).to_be_hidden()

    answer = script.place(price_type="MARKET", strategy="breakout")
    assert answer["mode"] == "semi_auto"
    # The page was not loaded again.
    expect(badge).to_be_visible(timeout=PATIENCE_MS)
    expect(badge).to_contain_text("1")
    expect(page).to_have_title("(1) API key · OpenAlgo Bridge")
    assert trades(live.desk) == 0

    page.get_by_role("link", name="Action Center").click()
    page.get_by_role("button", name="Approve: buy 10 RELIANCE").click()
    expect(page.get_by_text("Filled: BUY 10 RELIANCE on NSE at market")).to_be_visible()
    assert trades(live.desk) == 1

    menu = page.get_by_role("navigation", name="Main")
    menu.get_by_role("link", name="Orders").click()
    expect(page.get_by_role("row").filter(has_text="BUY 10 RELIANCE")).to_contain_text("10 of 10")
    menu.get_by_role("link", name="Positions").click()
    expect(page.get_by_role("row").filter(has_text="RELIANCE")).to_contain_text("10")
    menu.get_by_role("link", name="Traffic").click()
    call = page.get_by_role("row").filter(has_text="/api/v1/placeorder")
    expect(call).to_have_count(1)
    expect(call).to_contain_text("200")
    expect(call).to_contain_text("127.0.0.1")


def test_two_tabs_approve_and_one_order_leaves(page: Page, script: Script, live: Live, watch: Watch) -> None:
    choose_semi_auto(page)
    script.place(price_type="MARKET")
    other = page.context.new_page()
    watch.over(other)
    watch.expected.append("409 (CONFLICT)")
    for tab in (page, other):
        tab.goto("/action-center")
    for tab in (page, other):
        tab.get_by_role("button", name="Approve: buy 10 RELIANCE").click()
    expect(page.get_by_text("Filled:")).to_be_visible()
    expect(other.get_by_role("heading", name="Too late")).to_be_visible()
    assert trades(live.desk) == 1


def polled_until(page: Page, check: Callable[[], None]) -> None:
    """A poll that was under way when the page's clock moved is planned anew only afterwards: so it is moved again."""
    for _ in range(20):
        page.clock.run_for(POLL_MS)
        with suppress(AssertionError):
            check()
            return
    check()


def test_a_lost_connection_is_said_and_taken_back(page: Page, watch: Watch) -> None:
    watch.expected.append("ERR_INTERNET_DISCONNECTED")
    page.clock.install()
    page.goto("/")
    lost = page.get_by_text("Connection lost")
    expect(lost).to_be_hidden()
    page.context.set_offline(True)
    polled_until(page, lambda: expect(lost).to_be_visible(timeout=SOON_MS))
    page.context.set_offline(False)
    polled_until(page, lambda: expect(lost).to_be_hidden(timeout=SOON_MS))


def test_an_old_list_and_a_bridge_that_never_answers_are_said_and_taken_back(page: Page, watch: Watch) -> None:
    watch.expected.append("503")
    page.context.add_init_script(IMPATIENT)
    page.clock.install()
    page.goto("/action-center")
    old, lost = page.get_by_text("This list may be old"), page.get_by_text("Connection lost")
    page.route("**/action-center/waiting*", lambda route: route.fulfill(status=503, body="no"))
    polled_until(page, lambda: expect(old).to_be_visible(timeout=SOON_MS))
    expect(lost).to_be_hidden()

    page.unroute_all()
    polled_until(page, lambda: expect(old).to_be_hidden(timeout=SOON_MS))

    page.route("**/action-center/*", lambda route: None)
    page.evaluate("haste = 50")
    polled_until(page, lambda: expect(lost).to_be_visible(timeout=SOON_MS))
    polled_until(page, lambda: expect(old).to_be_visible(timeout=SOON_MS))

    page.unroute_all()
    page.evaluate("haste = 1")
    polled_until(page, lambda: expect(old).to_be_hidden(timeout=SOON_MS))
    polled_until(page, lambda: expect(lost).to_be_hidden(timeout=SOON_MS))


def test_what_is_stopped_in_one_tab_is_said_in_every_other(page: Page, live: Live) -> None:
    page.clock.install()
    page.goto("/traffic")
    stopped = page.get_by_text("Orders are stopped since")
    shut = page.get_by_role("status").filter(has_text="Every order is refused.")
    button = page.get_by_role("button", name="Stop all orders", exact=True)
    live.desk.store.kill_switch.engage("the feed lies", by=TRADER)
    page.clock.run_for(POLL_MS)
    expect(stopped).to_contain_text("the feed lies")
    expect(page.get_by_role("link", name="Orders are stopped")).to_be_visible()
    expect(button).to_have_count(0)

    live.desk.store.kill_switch.release(by=TRADER)
    live.desk.doors.shut("bridge.db is damaged.")
    page.clock.run_for(POLL_MS)
    expect(shut).to_contain_text("bridge.db is damaged")
    expect(stopped).to_have_count(0)
    button.click()
    expect(page.get_by_role("heading", name="Orders are stopped", level=1)).to_be_visible()
    assert live.desk.store.kill_switch.state().is_on


def test_a_shown_key_is_hidden_again_after_thirty_seconds(page: Page, script: Script) -> None:
    page.clock.install()
    page.goto("/apikey")
    page.locator("#view-password").fill(PASSWORD)
    page.get_by_role("button", name="View the key").click()
    expect(page.locator("#key")).to_have_value(script.key)
    page.clock.fast_forward("00:31")
    expect(page.locator("#key")).to_have_value("")
    assert script.key not in page.content()


def test_everything_but_the_live_parts_works_without_scripts(
    browser: Browser, live: Live, script: Script, watch: Watch
) -> None:
    context = fresh_browser(browser, live, java_script_enabled=False)
    page = context.new_page()
    watch.over(page)
    sign_in(page)
    choose_semi_auto(page)
    script.place(price_type="MARKET")
    page.goto("/action-center")
    page.get_by_role("button", name="Approve: buy 10 RELIANCE").click()
    expect(page.get_by_text("Filled: BUY 10 RELIANCE")).to_be_visible()
    assert trades(live.desk) == 1
    context.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_no_page_scrolls_sideways_on_a_phone(page: Page, script: Script, scheme: str) -> None:
    script.place(price_type="MARKET", strategy="a" * 64)
    choose_semi_auto(page)
    script.place(price_type="LIMIT", price=1000, strategy="b" * 64)
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/", "/action-center", "/action-center/2", "/orders", "/positions", "/traffic", "/apikey"):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is {width} wide"


def test_the_keyboard_reaches_the_content_and_the_decision(page: Page, script: Script, live: Live) -> None:
    choose_semi_auto(page)
    script.place(price_type="MARKET")
    page.goto("/action-center")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    # Three lists, the filter, the call, all waiting (nothing is ticked yet), the tick of the row, the button.
    for _ in range(8):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Approve: buy 10 RELIANCE")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Filled:")).to_be_visible()
    assert trades(live.desk) == 1
