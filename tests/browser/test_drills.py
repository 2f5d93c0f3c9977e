"""A bad day on demand: a time-out that nobody can prove anything about, and a morning on which nobody has logged in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.trading import watch as timers
from tests.browser.conftest import Script, Watch
from tests.browser.test_trading_day import polled_until
from tests.conftest import Live

pytestmark = pytest.mark.browser


def timer_of(live: Live) -> timers.Watch:
    """The timer, by hand; it has opened the doors."""
    live.desk.doors.keep_safe("Not read yet.")
    timer = timers.Watch(live.desk)
    timer.round()
    assert not live.desk.doors.reason
    return timer


def start(page: Page, kind: str, length: str) -> None:
    page.goto("/drills")
    page.get_by_label(f"How long: {kind}").select_option(label=length)
    page.get_by_role("button", name=f"Start the drill {kind}").click()
    expect(page.get_by_role("heading", name=f"Running: {kind}")).to_be_visible()


def test_the_trader_meets_a_time_out_and_decides_and_sees_a_morning_without_a_login(
    page: Page, script: Script, live: Live, watch: Watch
) -> None:
    watch.expected.append("409 (CONFLICT)")
    page.clock.install()
    timer = timer_of(live)
    start(page, "Time-out, and the broker cannot prove anything", "5 minutes")
    assert script.place(price_type="MARKET")["order_status"] == "unknown"
    page.goto("/orders")
    row = page.get_by_role("row").filter(has_text="BUY 10 RELIANCE")
    expect(row).to_contain_text("In doubt")
    timer.round()
    page.reload()
    expect(row).to_contain_text("In doubt: decide")

    banner = page.get_by_role("status").filter(has_text="Drill:")
    expect(banner).to_contain_text("in the paper account alone")
    banner.get_by_role("button", name="Stop the drill").click()
    expect(page.get_by_role("heading", name="The last one: Time-out")).to_be_visible()
    page.get_by_role("row").filter(has_text="BUY 10 RELIANCE").get_by_role("link").click()
    page.get_by_role("button", name="It is not there: send again").click()
    expect(page.get_by_text("Filled: BUY 10 RELIANCE")).to_be_visible()
    assert [each.quantity for each in live.desk.brokers[TradingMode.ANALYZE].positions()] == [10]

    start(page, "No broker session at the start", "1 minute")
    assert script.place(symbol="INFY", price_type="MARKET")["mode"] == "semi_auto"
    page.goto("/action-center")
    expect(page.get_by_text("Orders wait for you.")).to_be_visible()
    expect(page.locator("p").filter(has_text="Why it waits:")).to_contain_text("cannot be read since the start")
    drill = live.desk.drills.running()
    assert drill is not None
    live.desk.drills.stop(drill.id)
    timer.round()
    polled_until(page, lambda: expect(banner).to_have_count(0, timeout=500))
    expect(page.get_by_text("Orders wait for you.")).to_have_count(0)
    page.get_by_role("button", name="Approve: buy 10 INFY").click()
    expect(page.get_by_text("That could not be told when it came.")).to_be_visible()
    page.goto("/action-center")
    page.get_by_role("button", name="Approve: buy 10 INFY").click()
    expect(page.get_by_text("Filled: BUY 10 INFY")).to_be_visible()
