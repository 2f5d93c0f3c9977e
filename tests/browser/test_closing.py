"""Closing and cancelling in a real browser: the truth about each order, and a double click that sends once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.ticket import Operation
from tests.browser.conftest import Script
from tests.conftest import Live

pytestmark = pytest.mark.browser


def operations(desk: Desk) -> list[Operation]:
    """What was asked for, newest first."""
    return [ticket.operation for ticket in desk.store.journal.tickets()]


def test_close_all_with_one_refusal_tells_the_truth_and_a_reload_sends_nothing(
    page: Page, script: Script, live: Live
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        assert script.place(price_type="MARKET", symbol=symbol)["status"] == "success"
    # What left the instrument list cannot be sold any more.
    live.desk.store.files[2].write("DELETE FROM instrument WHERE symbol = 'TCS'")
    live.desk.store.instruments.forget()
    page.goto("/positions")
    page.get_by_role("link", name="Close all positions").click()
    expect(page.get_by_role("listitem").filter(has_text="SELL 10 ")).to_have_count(3)
    page.get_by_role("button", name="Close every position at market: paper account").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 3 positions closed")
    refused = page.get_by_role("listitem").filter(has_text="SELL 10 TCS")
    expect(refused).to_contain_text("Refused")
    expect(refused).to_contain_text("Symbol TCS not found on NSE")
    expect(page.get_by_role("listitem").filter(has_text="Closed")).to_have_count(2)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 3 positions closed")
    assert operations(live.desk).count(Operation.CLOSE) == 1
    page.get_by_role("link", name="Positions", exact=True).first.click()
    expect(page.get_by_role("button", name="Close this position")).to_have_count(1)


def test_a_double_click_cancels_once_and_says_what_became_of_it(page: Page, script: Script, live: Live) -> None:
    script.place(price_type="LIMIT", price=1300)
    page.goto("/orders")
    page.get_by_role("button", name="Cancel this order").dblclick()
    expect(page.get_by_role("status").filter(has_text="Cancelled: order")).to_contain_text("paper account")
    expect(page.get_by_role("button", name="Cancel this order")).to_have_count(0)
    assert operations(live.desk) == [Operation.CANCEL, Operation.PLACE]
