"""``/apikey`` in a real Chromium: copy, eye, auto-hide, boxes that follow the preset; quiet and narrow enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from openalgo_bridge.account import keys
from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.serve import record_refusal
from openalgo_bridge.model.address import AddressRule
from openalgo_bridge.model.permission import PRESETS, Permission, Preset
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from tests.browser.conftest import Script, Watch, fresh_browser, let_in
from tests.conftest import CHEAP, PASSWORD, TRADER, Live, app_of, free_port

pytestmark = pytest.mark.browser


@pytest.fixture
def clipboard(page: Page) -> Iterator[Page]:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield page


def view(page: Page) -> None:
    page.goto("/apikey")
    page.locator("#view-password").fill(PASSWORD)
    page.get_by_role("button", name="View the key").click()
    expect(page.locator("#key")).to_be_visible()


def regenerate(page: Page) -> str:
    page.goto("/apikey")
    page.locator("summary", has_text="Generate a new key").click()
    page.get_by_label("I know that programs using the old key stop working at once").check()
    page.locator("#regenerate-password").fill(PASSWORD)
    page.get_by_role("button", name="Generate a new key, end the old one").click()
    expect(page.get_by_role("heading", name="Your new API key")).to_be_visible()
    return page.locator("#key").input_value()


def boxes(page: Page) -> set[str]:
    return set(page.locator('input[name="permissions"]:checked').evaluate_all("all => all.map(one => one.value)"))


def test_the_shown_key_is_copied_and_covered_and_shown_again(clipboard: Page, script: Script, watch: Watch) -> None:
    view(clipboard)
    clipboard.get_by_role("button", name="Copy the key").click()
    expect(clipboard.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard.evaluate("navigator.clipboard.readText()") == script.key
    field = clipboard.locator("#key")
    clipboard.get_by_role("button", name="Hide", exact=True).click()
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_value(script.key)
    clipboard.get_by_role("button", name="Show", exact=True).click()
    expect(field).to_have_attribute("type", "text")


def test_a_viewed_key_leaves_the_page_after_thirty_seconds(page: Page, script: Script, watch: Watch) -> None:
    page.clock.install()
    view(page)
    page.clock.run_for(29_000)
    assert script.key in page.content()
    page.clock.run_for(2_000)
    expect(page.locator("#key")).to_have_value("")
    assert script.key not in page.content()
    expect(page.get_by_role("button", name="Copy the key")).to_be_hidden()
    expect(page.get_by_role("button", name="Hide", exact=True)).to_be_hidden()


def test_a_covered_key_leaves_the_page_as_well(page: Page, script: Script) -> None:
    page.clock.install()
    view(page)
    page.get_by_role("button", name="Hide", exact=True).click()
    page.clock.run_for(31_000)
    expect(page.locator("#key")).to_have_value("")
    expect(page.locator("#key")).to_have_attribute("type", "text")


def test_the_back_button_does_not_bring_the_key_back(page: Page, script: Script, watch: Watch) -> None:
    view(page)
    page.goto("/orders")
    # The answer may be kept nowhere, so the browser would have to send the password again.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    expect(page.locator("#key")).to_have_count(0)


def test_a_new_key_stays_until_it_is_copied(page: Page, live: Live, script: Script, watch: Watch) -> None:
    page.clock.install()
    key = regenerate(page)
    page.clock.run_for(120_000)
    expect(page.locator("#key")).to_have_value(key)
    assert keys.verify(live.desk, key)


def test_a_double_click_makes_one_key(page: Page, live: Live, script: Script, watch: Watch) -> None:
    page.goto("/apikey")
    page.locator("summary", has_text="Generate a new key").click()
    page.locator("#regenerate-confirm").check()
    page.locator("#regenerate-password").fill(PASSWORD)
    page.get_by_role("button", name="Generate a new key, end the old one").dblclick()
    expect(page.get_by_role("heading", name="Your new API key")).to_be_visible()
    assert keys.verify(live.desk, page.locator("#key").input_value())
    assert [line.event for line in live.desk.store.audit.page(limit=99)].count("API key regenerated") == 1


def test_the_boxes_follow_the_preset_and_the_preset_follows_the_boxes(page: Page, watch: Watch, live: Live) -> None:
    page.goto("/apikey")
    page.get_by_label("Read-only").check()
    assert boxes(page) == PRESETS[Preset.READ_ONLY]
    page.get_by_label("Place orders").check()
    expect(page.get_by_label("Custom")).to_be_checked()
    page.get_by_label("Place orders").uncheck()
    expect(page.get_by_label("Read-only")).to_be_checked()
    page.get_by_label("Holdings").uncheck()
    page.get_by_role("button", name="Save the permissions").click()
    expect(page.get_by_text("it cannot place orders")).to_be_visible()
    active = live.desk.store.api_keys.active()
    assert active is not None
    assert active.rules.permissions == PRESETS[Preset.READ_ONLY] - {Permission.VIEW_HOLDINGS}


def test_more_permissions_are_allowed_in_two_steps(page: Page, watch: Watch, live: Live) -> None:
    watch.expected.append("403 (FORBIDDEN)")
    live.desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    page.goto("/apikey")
    page.get_by_label("Full", exact=True).check()
    page.get_by_role("button", name="Save the permissions").click()
    expect(page.get_by_text("The key could do more than now.")).to_be_in_viewport()
    page.locator("#permissions-password").fill(PASSWORD)
    page.get_by_role("button", name="Allow it and save").click()
    expect(page.get_by_text("The key is Full now.")).to_be_in_viewport()


def test_every_entry_of_the_index_leads_to_its_section(page: Page, watch: Watch) -> None:
    page.goto("/apikey")
    entries = page.get_by_label("On this page").get_by_role("link").all()
    assert len(entries) == 7
    for entry in entries:
        entry.click()
        anchor = str(entry.get_attribute("href"))
        expect(page.locator(anchor)).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_no_state_of_the_page_scrolls_sideways_on_a_phone(
    page: Page, live: Live, script: Script, watch: Watch, scheme: str
) -> None:
    watch.expected += ["403 (FORBIDDEN)", "400 (BAD REQUEST)"]
    desk = live.desk
    networks = AddressRule.of_networks(" ".join(f"2001:db8:0:{number:x}::/64" for number in range(20)))
    for number in range(3):
        desk.store.key_uses.note(
            fingerprint=keys.verify(desk, script.key).fingerprint,
            program=f"{number}{'P' * 120}",
            address="2001:db8:1111:2222:3333:4444:5555:6666",
            endpoint="/api/v1/" + "e" * 120,
        )
    desk.store.api_keys.rename("n" * 64, by=TRADER)
    desk.store.api_keys.restrict(networks, by=TRADER)
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto("/apikey")
    for summary in page.locator("main summary").all():
        if summary.locator("..").get_attribute("open") is None:
            summary.click()
    assert narrow(page)
    page.get_by_label("Anywhere").check()
    page.get_by_role("button", name="Save the addresses").click()
    expect(page.get_by_role("button", name="Allow it and save")).to_be_visible()
    assert narrow(page)
    regenerate(page)
    assert narrow(page)
    page.goto("/traffic")
    assert narrow(page)
    page.goto("/")
    assert narrow(page)


def narrow(page: Page) -> bool:
    return int(page.evaluate("() => document.documentElement.scrollWidth")) <= 390


def test_everything_but_copy_eye_and_hiding_works_without_scripts(
    browser: Browser, live: Live, script: Script, watch: Watch
) -> None:
    watch.expected.append("403 (FORBIDDEN)")
    context = fresh_browser(browser, live, java_script_enabled=False)
    let_in(context)
    page = context.new_page()
    watch.over(page)
    view(page)
    expect(page.locator("#key")).to_have_value(script.key)
    expect(page.get_by_role("button", name=re.compile("^(Copy|Hide)"))).to_have_count(0)
    page.get_by_label("Read-only").check()
    page.get_by_role("button", name="Save the permissions").click()
    expect(page.get_by_text("it cannot place orders")).to_be_visible()
    key = regenerate(page)
    page.get_by_label(re.compile("^TradingView")).check()
    page.get_by_role("button", name="Save the ticks").click()
    expect(page.get_by_label(re.compile("^TradingView"))).to_be_checked()
    assert keys.verify(live.desk, key)
    context.close()


@pytest.fixture
def fresh(settings: Settings) -> Iterator[tuple[Live, list[str]]]:
    """A bridge without an account, and what its console was told."""
    codes: list[str] = []
    port = free_port()
    opened = open_desk(replace(settings, flask_port=port), Clock(), CHEAP)
    server = Server(app_of(opened, codes.append), port=port, refused=partial(record_refusal, opened))
    server.start()
    yield Live(f"http://127.0.0.1:{port}", port, opened), codes
    server.close()
    opened.close()


def test_the_key_made_at_set_up_is_copied_and_covered(browser: Browser, fresh: tuple[Live, list[str]]) -> None:
    live, codes = fresh
    context = fresh_browser(browser, live, permissions=["clipboard-read", "clipboard-write"])
    page, watching = context.new_page(), Watch(live.url)
    watching.over(page)
    page.goto("/")
    page.get_by_label("Set-up code").fill(codes[-1])
    page.get_by_label("User name").fill("trader")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("I have read this and accept the risk").check()
    page.locator("main button").click()
    expect(page.get_by_role("heading", name="This is your API key")).to_be_visible()
    page.get_by_role("button", name="Copy the key").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert keys.verify(live.desk, page.evaluate("navigator.clipboard.readText()"))
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(page.locator("#key")).to_have_attribute("type", "password")
    assert watching.left() == []
    context.close()
