"""The Action Center in a real Chromium: it keeps itself up to date and never moves under a hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.trading import approvals
from tests.browser.conftest import Script, Watch
from tests.conftest import TRADER, Live

pytestmark = pytest.mark.browser

POLL_MS = 3_100
# What a page would play or show, noted instead.
LISTEN = """
    window.called = [];
    window.AudioContext = class extends AudioContext {
      createOscillator() { window.called.push("tone"); return super.createOscillator(); }
    };
    window.Notification = class {
      static permission = "granted";
      static requestPermission() { window.called.push("asked"); return Promise.resolve("granted"); }
      constructor(title, { body }) { window.called.push(body); }
      addEventListener() {}
    };
"""


def trades(desk: Desk) -> int:
    row = desk.store.files[0].read_one("SELECT count(*) AS n FROM paper_trade")
    assert row is not None
    return int(row["n"])


def tones(page: Page) -> int:
    """How many were played, when every call that was due has been made."""
    played: int = page.evaluate('navigator.locks.request("bridge.called", () => called.length)')
    return played


def time_passes(*pages: Page) -> None:
    """Until each page has asked again."""
    for each in pages:
        each.clock.run_for(POLL_MS)


def until(is_so: Callable[[], bool], page: Page) -> None:
    """Time passes in the browser until it is so, or the test ends."""
    while not is_so():
        time_passes(page)


@pytest.fixture(autouse=True)
def semi_auto(live: Live, script: Script) -> None:
    live.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)


def test_a_new_order_appears_by_itself_and_ticks_reasons_and_places_stay(
    page: Page, script: Script, live: Live
) -> None:
    script.place(symbol="RELIANCE")
    script.place(symbol="TCS")
    page.clock.install()
    page.goto("/action-center")
    rows = page.locator("[data-ticket]")
    expect(page.get_by_role("button", name="Approve the ticked…")).to_be_disabled()
    page.get_by_role("checkbox", name="BUY 10 RELIANCE").check()
    reason = page.get_by_label("Why you reject ticket 1")
    reason.fill("because")
    script.place(symbol="INFY")
    # The page is not loaded again.
    time_passes(page)
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("BUY 10 INFY")
    expect(page.locator("[data-news]")).to_contain_text("New: BUY 10 INFY")
    expect(page.locator("[data-waiting-count]")).to_have_text("3")
    expect(page.get_by_role("checkbox", name="BUY 10 RELIANCE")).to_be_checked()
    expect(reason).to_have_value("because")
    expect(reason).to_be_focused()

    first, second = live.desk.store.ticket_lists.named([1, 2])
    for ticket in (first, second):
        approvals.reject(live.desk, ticket.id, ticket.shown, "elsewhere", by=TRADER)
    time_passes(page)
    expect(rows.nth(1)).to_contain_text("it waits no more")
    expect(rows.nth(1).get_by_role("button")).to_have_count(0)
    expect(reason).to_be_focused()
    expect(rows.nth(0)).not_to_contain_text("it waits no more")
    reason.blur()
    time_passes(page)
    expect(rows.nth(0)).to_contain_text("it waits no more")
    expect(page.get_by_role("checkbox", name="BUY 10 RELIANCE")).not_to_be_checked()
    # What arrived by itself can be decided like any other.
    page.get_by_role("button", name="Approve: buy 10 INFY").click()
    expect(page.get_by_text("Filled")).not_to_have_count(0)
    assert trades(live.desk) == 1


def test_the_first_order_fills_an_empty_page(page: Page, script: Script) -> None:
    page.clock.install()
    page.goto("/action-center")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    expect(page.locator("#bulk")).to_be_hidden()
    script.place()
    time_passes(page)
    expect(page.get_by_role("button", name="Approve: buy 10 RELIANCE")).to_be_visible()
    expect(page.get_by_text("Nothing waits for you")).to_be_hidden()
    expect(page.get_by_role("link", name="Approve all waiting…")).to_be_visible()


def test_two_tabs_approve_the_same_orders_at_once_and_each_leaves_once(
    page: Page, script: Script, live: Live, watch: Watch
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        script.place(symbol=symbol)
    other = page.context.new_page()
    watch.over(other)
    for tab in (page, other):
        tab.goto("/action-center")
        tab.get_by_role("button", name="Tick all").click()
        tab.get_by_role("button", name="Approve the ticked (3)…").click()
        expect(tab.get_by_role("heading", name="Approve these 3 orders?")).to_be_visible()
    # Nothing can be written before both have asked, so neither has an answer when the other is clicked.
    with live.desk.store.files[0].transaction():
        for tab in (page, other):
            with tab.expect_request(lambda request: request.method == "POST"):
                tab.locator("form[data-once] button.btn-success").evaluate("button => setTimeout(() => button.click())")
    for tab in (page, other):
        expect(tab.get_by_role("heading", name="3 orders:")).to_be_visible()
    assert trades(live.desk) == 3


def test_a_double_click_on_the_confirmation_shows_what_became_of_each(page: Page, script: Script, live: Live) -> None:
    for symbol in ("RELIANCE", "TCS"):
        script.place(symbol=symbol)
    page.goto("/action-center/approve-all?which=matching")
    page.get_by_role("button", name="Approve 2: send 2 to the paper account").dblclick()
    expect(page.get_by_role("heading", name="2 orders: 2 filled")).to_be_visible()
    assert trades(live.desk) == 2


def test_an_approval_of_a_page_whose_order_has_expired_sends_nothing(
    page: Page, script: Script, live: Live, watch: Watch
) -> None:
    """The clock of the bridge is ahead of the browser's, so the button is still there."""
    script.place()
    page.goto("/action-center/1")
    live.desk.store.files[0].write("UPDATE ticket SET expires_at = created_at")
    watch.expected += ["409 (CONFLICT)"]
    page.get_by_role("button", name="Approve: buy 10 RELIANCE").click()
    expect(page.get_by_role("heading", name="Too late")).to_be_visible()
    expect(page.get_by_text("expired").first).to_be_visible()
    assert trades(live.desk) == 0


def test_an_order_whose_time_is_over_loses_its_buttons(page: Page, script: Script, live: Live) -> None:
    script.place()
    page.clock.install()
    page.goto("/action-center")
    button = page.get_by_role("button", name="Approve: buy 10 RELIANCE")
    expect(button).to_be_enabled()
    page.clock.run_for(302_000)
    expect(page.locator("[data-ticket] button")).to_have_count(2)
    for control in (button, page.get_by_role("button", name="Reject: send nothing"), page.locator(".tick")):
        expect(control).to_be_disabled()
    assert approvals.ticket(live.desk, 1).state is TicketState.HELD, "only the clock of the browser went on"


def test_a_new_order_calls_once_where_that_is_switched_on(page: Page, script: Script, watch: Watch) -> None:
    page.context.add_init_script(LISTEN)
    page.context.clock.install()
    page.goto("/action-center")
    page.get_by_text("Call me when an order waits").click()
    page.get_by_label("With a sound").check()
    page.get_by_label("With a notification of this browser").check()
    page.wait_for_function("called.length === 3")
    assert page.evaluate("called") == ["tone", "tone", "asked"], "the sound is tried, the permission asked for"

    other = page.context.new_page()
    watch.over(other)
    other.goto("/orders")
    other.locator("h1").click()
    script.place()
    time_passes(page, other)
    expect(other).to_have_title("(1) Orders · OpenAlgo Bridge")
    expect(page).to_have_title("(1) Action Center · OpenAlgo Bridge")
    called = [*page.evaluate("called.slice(3)"), *other.evaluate("called")]
    assert sorted(called) == ["1 order waits for you.", "tone", "tone"], "of two open pages one calls"

    page.get_by_label("With a sound").uncheck()
    page.get_by_label("With a notification of this browser").uncheck()
    other.close()
    before = page.evaluate("called.length")
    script.place()
    time_passes(page)
    expect(page).to_have_title("(2) Action Center · OpenAlgo Bridge")
    assert page.evaluate("called.length") == before


def test_an_exit_that_waits_is_called_again_and_again_until_it_is_decided(
    page: Page, script: Script, live: Live
) -> None:
    live.desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    script.place()
    live.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    page.add_init_script(LISTEN)
    page.clock.install()
    page.goto("/action-center")
    page.get_by_text("Call me when an order waits").click()
    page.get_by_label("With a sound").check()
    assert tones(page) == 2
    script.place(action="SELL")
    time_passes(page)
    expect(page).to_have_title("(1) An exit waits · Action Center · OpenAlgo Bridge")
    expect(page.locator("[data-ticket]")).to_contain_text("An exit waits: it came to close a position")
    assert tones(page) == 4
    page.clock.run_for(40_000)
    until(lambda: tones(page) == 6, page)
    (waits,) = live.desk.store.ticket_lists.named([2])
    approvals.reject(live.desk, waits.id, waits.shown, "stays open", by=TRADER)
    until(lambda: page.title() == "Action Center · OpenAlgo Bridge", page)
    page.clock.run_for(40_000)
    script.place(symbol="INFY")
    until(lambda: page.title().startswith("(1) Action Center"), page)
    assert tones(page) == 8, "the new order called once"
