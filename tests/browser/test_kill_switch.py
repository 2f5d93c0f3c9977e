"""One click stops every order, from whatever page, and only the password lets them go again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from openalgo_bridge.model.order import Exchange, TradingMode
from openalgo_bridge.trading import market
from tests.browser.conftest import Script, Watch, fresh_browser, let_in
from tests.conftest import PASSWORD, Live

pytestmark = pytest.mark.browser


def test_one_click_on_the_orders_page_stops_and_the_password_releases(page: Page, script: Script, live: Live) -> None:
    last = market.quote(live.desk, Exchange.NSE, "RELIANCE").ltp
    assert script.place(price_type="LIMIT", price=int(last * 9 / 10))["status"] == "success"
    page.goto("/orders")
    page.get_by_role("button", name="Stop all orders", exact=True).click()
    expect(page.get_by_role("heading", name="Orders are stopped", level=1)).to_be_visible()
    assert live.desk.store.kill_switch.state().is_on
    refused = script.place(price_type="MARKET")
    assert refused["status"] == "error"
    assert "kill switch" in refused["message"]

    page.get_by_role("link", name="Positions").first.click()
    banner = page.get_by_role("status").filter(has_text="Orders are stopped since")
    expect(banner).to_contain_text("exits and cancels still go")
    banner.get_by_role("link").click()
    page.get_by_label("Also cancel every open order").check()
    page.get_by_role("button", name="Do what is ticked").click()
    expect(page.get_by_text("1 of 1 done.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="BUY 10 RELIANCE")).to_contain_text("Cancelled")

    page.locator("#release-password").fill(PASSWORD)
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("Released. New orders may go again.")).to_be_visible()
    assert script.place(price_type="MARKET")["status"] == "success"


def test_on_a_phone_without_scripts_what_else_it_does_opens_over_the_page(
    browser: Browser, live: Live, script: Script, watch: Watch
) -> None:
    script.place(price_type="MARKET")
    context = fresh_browser(browser, live, java_script_enabled=False, viewport={"width": 390, "height": 800})
    let_in(context)
    page = context.new_page()
    watch.over(page)
    page.goto("/positions")
    page.get_by_text("and more").click()
    more = page.locator(".stop .card")
    box = more.bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= 390) == (True, True)
    page.get_by_label("Why (optional)").fill("the feed is wrong")
    page.get_by_label("Also close every position at market").check()
    page.get_by_role("button", name="Stop all orders, and do what is ticked here").click()
    expect(page.get_by_text("1 of 1 done.")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="the feed is wrong")).to_be_visible()
    assert [each.quantity for each in live.desk.brokers[TradingMode.ANALYZE].positions()] == [0]
    context.close()
