"""On a phone every page is two taps away, by finger or keyboard, on a laptop one; none is wider than the window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import Script
from tests.conftest import Live
from tests.web.conftest import an_order, hold

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 390, "height": 844}
LAPTOP: ViewportSize = {"width": 1280, "height": 900}
OPTION = "NIFTY01DEC2624450CE"
CUT_OFF = "[...document.querySelectorAll('.table-responsive')].filter(each => each.scrollWidth > each.clientWidth)"
ACROSS = "document.documentElement.scrollWidth - window.innerWidth"


def test_the_menu_of_a_phone_leads_to_every_page_and_none_is_cut_off(page: Page, script: Script) -> None:
    page.set_viewport_size(PHONE)
    script.place(price_type="MARKET", strategy="breakout")
    page.goto("/")
    menu = page.get_by_role("navigation", name="Main")
    menu_height = menu.bounding_box()
    assert menu_height is not None
    assert menu_height["height"] < 60, "one line, not a wall of links"
    for name in ("Trades", "Holdings", "Funds", "Settings"):
        menu.locator("summary").focus()
        page.keyboard.press("Enter")
        menu.get_by_role("link", name=name).press("Enter")
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        expect(menu.locator("summary")).to_have_accessible_name(f"More ({name})")
        assert page.evaluate(ACROSS) == 0
        assert page.evaluate(CUT_OFF) == []
    with page.expect_download() as download:
        menu.locator("summary").click()
        menu.get_by_role("link", name="Trades").click()
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename.startswith("trades-")


def test_the_menu_of_a_laptop_is_one_line_while_orders_wait(page: Page, script: Script, live: Live) -> None:
    for quantity in range(1, 101):
        hold(live.desk, an_order("SBIN", quantity))
    page.set_viewport_size(LAPTOP)
    page.goto("/")
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Action Center")).to_contain_text("100")
    box = menu.bounding_box()
    assert box is not None
    assert box["height"] < 60


@pytest.mark.parametrize("window", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_what_closes_an_option_can_be_read_to_its_end(page: Page, script: Script, window: ViewportSize) -> None:
    answer = script.place(symbol=OPTION, exchange="NFO", product="NRML", quantity=65, price_type="MARKET")
    assert answer["status"] == "success"
    page.set_viewport_size(window)
    page.goto("/positions")
    expect(page.get_by_role("button", name=f"sell 65 {OPTION} at market")).to_be_visible()
    assert page.evaluate(ACROSS) == 0
    assert page.evaluate(CUT_OFF) == []
