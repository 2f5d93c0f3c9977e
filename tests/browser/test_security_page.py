"""``/security`` in a real Chromium: quiet, narrow enough, and no form is lost when the session ends under it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.permission import PRESETS, Preset
from tests.browser.conftest import Script, Watch, fresh_browser, let_in, sign_in
from tests.conftest import PASSWORD, TRADER, Live

pytestmark = pytest.mark.browser

NEW = "four unrelated new words"
LONG = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 x" + "y" * 90
)


def fill_the_list(live: Live) -> None:
    store = live.desk.store
    store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=Actor(name="run.py mode"))
    for number in range(60):
        by = Actor(name="trader", address="127.0.0.1", program=LONG)
        store.audit.add(by, AuditEvent.KEY_NAMED, before="n" * 64, after=f"name {number}")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_no_page_scrolls_sideways_on_a_phone(
    page: Page, browser: Browser, live: Live, watch: Watch, scheme: str
) -> None:
    fill_the_list(live)
    elsewhere = fresh_browser(browser, live, user_agent=LONG)
    let_in(elsewhere)
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/security", "/security/audit", "/security/audit?check=yes", "/security/audit?kind=key_permissions"):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is {width} wide"
    elsewhere.close()


def test_the_password_is_changed_and_the_other_browser_is_out(
    page: Page, browser: Browser, live: Live, watch: Watch
) -> None:
    elsewhere = fresh_browser(browser, live)
    let_in(elsewhere)
    other = elsewhere.new_page()
    page.goto("/security")
    page.get_by_label("Password now").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("The password was changed, and every other session was ended.")).to_be_visible()
    expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
    other.goto("/orders")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    elsewhere.close()


def test_another_browser_is_ended_by_a_click(page: Page, browser: Browser, live: Live) -> None:
    elsewhere = fresh_browser(browser, live, user_agent="PhoneBrowser/1.0")
    let_in(elsewhere)
    other = elsewhere.new_page()
    page.goto("/security")
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_text("Signed out there.")).to_be_visible()
    other.goto("/orders")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    elsewhere.close()


def test_the_list_is_filtered_and_checked(page: Page, live: Live) -> None:
    fill_the_list(live)
    page.goto("/security")
    page.get_by_role("link", name="The whole audit list").click()
    page.get_by_label("Show").select_option("API key permissions")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("may no longer place orders")).to_be_visible()
    page.get_by_role("button", name="Check the whole list").click()
    expect(page.get_by_text("unbroken")).to_be_visible()


def test_a_form_sent_after_the_session_ended_is_shown_again_and_sent_by_a_click(
    page: Page, live: Live, watch: Watch
) -> None:
    watch.expected.append("401 (UNAUTHORIZED)")
    page.goto("/apikey")
    page.get_by_label("Semi-Auto").check()
    live.desk.store.sessions.end_others(None, by=TRADER)
    page.get_by_role("button", name="Save the order mode").click()
    expect(page.get_by_role("heading", name="Please sign in")).to_be_visible()
    assert live.desk.store.preferences.order_mode() is OrderMode.AUTO
    page.get_by_role("link", name="Sign in").click()
    page.fill("#username", "trader")
    page.fill("#password", PASSWORD)
    page.click("main button")
    expect(page.get_by_role("heading", name="Send it again?")).to_be_visible()
    assert live.desk.store.preferences.order_mode() is OrderMode.AUTO
    page.get_by_role("button", name="Yes, change the order mode").click()
    expect(page.get_by_text("every new order waits for you")).to_be_visible()
    assert live.desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO


def test_two_tabs_and_a_sign_out_in_between_lose_nothing(page: Page, script: Script, live: Live, watch: Watch) -> None:
    watch.expected.append("400 (BAD REQUEST)")
    live.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    script.place(price_type="MARKET")
    page.goto("/action-center")
    page.get_by_label("Why you reject").fill("not today")
    other = page.context.new_page()
    watch.over(other)
    other.goto("/orders")
    other.get_by_role("button", name="Sign out").click()
    sign_in(other)
    page.get_by_role("button", name="Reject: send nothing").click()
    expect(page.get_by_text("not today")).to_be_visible()
    page.get_by_role("button", name="Yes, reject an order").click()
    expect(page.get_by_text("Nothing was sent.")).to_be_visible()
