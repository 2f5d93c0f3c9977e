"""Two-factor in a real Chromium: the camera's picture, the copied codes, the sign-in, and a phone's width."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from openalgo_bridge.app import open_desk
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from tests.browser.conftest import Script, Watch, fresh_browser, let_in
from tests.conftest import CHEAP, PASSWORD, FixedClock, Live, app_of, free_port
from tests.phone import Phone

pytestmark = pytest.mark.browser

PAGE = "/security/two-factor"


@pytest.fixture
def live(settings: Settings, clock: FixedClock, new_files: Path) -> Iterator[Live]:
    """With a clock that stands still, so that no code gets old on the way."""
    shutil.copytree(new_files, settings.db_dir, dirs_exist_ok=True)
    port = free_port()
    opened = open_desk(replace(settings, flask_port=port), clock, CHEAP)
    app: Flask = app_of(opened)
    server = Server(app, port=port, refused=lambda *_: None)
    server.start()
    yield Live(f"http://127.0.0.1:{port}", port, opened)
    server.close()
    opened.close()


def begin(page: Page, clock: FixedClock) -> Phone:
    """What a phone has after its camera saw the page."""
    page.goto(PAGE)
    page.get_by_role("button", name="Set up two-factor").click()
    picture = page.get_by_alt_text("QR code with the secret")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 100
    return Phone((page.locator("#secret").text_content() or "").replace(" ", ""), clock)


def finish(page: Page, phone: Phone) -> None:
    page.get_by_label("Code that the app shows now").fill(phone.code())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Switch two-factor on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    phone.recovery_codes = page.locator(".recovery-codes li").all_text_contents()


def sign_in_with(page: Page, code: str) -> None:
    page.goto("/login")
    page.fill("#username", "trader")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/login/totp*")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def test_set_up_sign_out_and_in_again_with_the_phone_and_without_it(
    page: Page, browser: Browser, live: Live, clock: FixedClock, watch: Watch
) -> None:
    watch.expected.append("401 (UNAUTHORIZED)")  # the poll of a page whose session ended
    phone = begin(page, clock)
    finish(page, phone)
    assert len(phone.recovery_codes) == 10
    page.get_by_role("button", name="Sign out").click()
    clock.move(seconds=30)
    sign_in_with(page, phone.code())
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    elsewhere = fresh_browser(browser, live)
    other = elsewhere.new_page()
    sign_in_with(other, phone.recovery_codes[0])
    expect(other.get_by_text("9 recovery codes are left")).to_be_visible()
    other.get_by_role("link", name="Set up your authenticator again").click()
    expect(other.get_by_role("heading", name="Two-factor", exact=True)).to_be_visible()
    page.goto("/orders")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    elsewhere.close()


def test_the_codes_are_copied_each_on_a_line(page: Page, clock: FixedClock) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    phone = begin(page, clock)
    page.get_by_role("button", name="Copy the secret").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()").replace(" ", "") == phone.secret
    finish(page, phone)
    page.get_by_role("button", name="Copy the codes").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()").split() == phone.recovery_codes


def test_without_scripts_everything_works_but_the_copying(
    browser: Browser, live: Live, script: Script, clock: FixedClock
) -> None:
    context = fresh_browser(browser, live, java_script_enabled=False)
    let_in(context)
    plain = context.new_page()
    phone = begin(plain, clock)
    finish(plain, phone)
    plain.get_by_role("link", name="I have written them down").click()
    plain.get_by_text("Remove two-factor …").click()
    plain.get_by_role("button", name="Remove app and recovery codes").click()
    expect(plain.get_by_role("button", name="Set up two-factor")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_no_page_scrolls_sideways_on_a_phone(page: Page, clock: FixedClock, scheme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    def assert_it_fits(what: str) -> None:
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= 390, f"{what} is {width} wide"

    page.goto(PAGE)
    assert_it_fits("the page before")
    phone = begin(page, clock)
    assert_it_fits("the picture")
    page.goto(PAGE)
    assert_it_fits("the page of a begun set-up")
    finish(page, phone)
    assert_it_fits("the recovery codes")
    clock.move(minutes=6)
    page.goto(PAGE)
    for button in page.locator("main summary").all():
        button.click()
    assert_it_fits("the page with every form open")
    page.get_by_role("button", name="Sign out").click()
    page.fill("#username", "trader")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/login/totp*")
    assert_it_fits("the page for the code")
