"""What only a browser can show of one ticket: two tabs, a double click, a page read after it was changed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.errors import OutcomeUnknown
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal import Settlement
from tests.browser.conftest import Script, Watch
from tests.conftest import TRADER, Live

pytestmark = pytest.mark.browser


def ticket_page(page: Page, script: Script, live: Live) -> None:
    """Hold one order and open its page."""
    live.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    answer = script.place(price_type="MARKET", strategy="breakout")
    page.goto(f"/action-center/{answer['pending_order_id']}")


def change(page: Page, quantity: str) -> None:
    page.get_by_text("Change it first").click()
    page.get_by_label("Quantity (units)").fill(quantity)
    page.get_by_role("button", name="Change it, send nothing").click()


def quantities(live: Live) -> list[int]:
    return [order.request.quantity for order in live.desk.brokers[TradingMode.ANALYZE].order_book()]


def test_a_change_is_shown_and_approved_and_a_page_from_before_it_is_too_late(
    page: Page, script: Script, live: Live, watch: Watch
) -> None:
    ticket_page(page, script, live)
    old = page.context.new_page()
    watch.over(old)
    watch.expected += ["409 (CONFLICT)", "400 (BAD REQUEST)"]
    old.goto(page.url)

    change(page, "nonsense")
    expect(page.get_by_text("Type a whole number above 0.")).to_be_visible()
    expect(page.get_by_label("Quantity (units)")).to_have_value("nonsense")
    page.get_by_label("Quantity (units)").fill("4")
    page.get_by_role("button", name="Change it, send nothing").click()
    expect(page.locator("main .alert ins")).to_have_text("4")

    old.get_by_role("button", name="Approve: buy 10 RELIANCE").click()
    expect(old.get_by_role("heading", name="Too late")).to_be_visible()
    assert quantities(live) == []
    old.get_by_role("link", name="See the ticket as it is now").click()
    expect(old.get_by_role("button", name="Approve: buy 4 RELIANCE")).to_be_visible()

    page.get_by_role("button", name="Approve: buy 4 RELIANCE").click()
    expect(page.locator(".outcome")).to_contain_text("Filled")
    assert quantities(live) == [4]


def test_a_double_click_on_send_again_sends_once(page: Page, script: Script, live: Live) -> None:
    live.desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    live.desk.store.files[0].write(
        "CREATE TRIGGER nothing_is_sent BEFORE UPDATE OF state ON orders WHEN new.state = 'sent'"
        " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    script.place(price_type="MARKET")
    live.desk.store.files[0].write("DROP TRIGGER nothing_is_sent")
    journal = live.desk.store.journal
    (order,) = journal.orders_of([1])
    journal.settle(order.id, Settlement(state=OrderState.UNKNOWN, message=OutcomeUnknown("No answer.").message))
    parked = Settlement(state=OrderState.PARKED, message="Look there.")
    journal.settle(order.id, parked, was=OrderState.UNKNOWN)
    # The broker has it without our tag, so that nobody can find it there.
    live.desk.store.files[0].write("UPDATE paper_order SET tag = 'SOMEBODYELSE'")

    page.goto("/action-center/1")
    page.get_by_role("button", name="It is not there: send again").dblclick()
    expect(page.get_by_text("Filled: BUY 10 RELIANCE")).to_be_visible()
    expect(page.locator(".outcome")).to_contain_text("Filled")
    assert quantities(live) == [10, 10], "the first one, which was there after all, and one more"
