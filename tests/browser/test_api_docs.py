"""``/docs`` in a real browser: a call is tried, the programs follow what is typed, and the key stays in its field."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Script
from tests.conftest import Live

pytestmark = pytest.mark.browser


def test_a_call_is_tried_with_a_key_that_stays_nowhere(page: Page, live: Live, script: Script) -> None:
    page.goto("/docs#placeorder")
    call = page.locator("#placeorder")
    answer, send = call.locator("[data-answer]"), call.get_by_role("button", name="Send it: the paper account")

    send.click()
    expect(answer).to_contain_text("Nothing was sent")
    expect(page.locator("#docs-key")).to_be_focused()

    page.fill("#docs-key", script.key)
    page.fill("#placeorder-quantity", "7")
    expect(page.locator("#placeorder-curl")).to_contain_text('"quantity":"7"')
    page.press("#placeorder-quantity", "Enter")
    expect(page.locator("#docs-key")).to_have_value(script.key)
    assert live.desk.store.journal.tickets() == [], "Enter in a field sends nothing"

    send.click()
    expect(answer).to_contain_text('"status": "success"')
    (ticket,) = live.desk.store.journal.tickets()
    assert ticket.request.quantity == 7  # type: ignore[union-attr]
    assert script.key not in page.content()

    page.goto("/orders")
    page.go_back()
    expect(page.locator("#docs-key")).to_have_value("")


def test_a_list_a_get_and_a_refusal_are_shown_as_they_come(page: Page, script: Script) -> None:
    page.goto("/docs")
    page.fill("#docs-key", script.key)
    for name, shown in (("multiquotes", '"results"'), ("get_ticker", "200"), ("orderstatus", "404")):
        call = page.locator(f"#{name}")
        call.locator("> summary").click()
        call.locator("[data-send]").click()
        expect(call.locator("[data-answer]")).to_contain_text(shown)


@pytest.fixture(autouse=True)
def refusals_are_provoked(watch: object) -> None:
    """Chromium writes every refusal into its console."""
    watch.expected.append("status of 404")  # type: ignore[attr-defined]
