"""The paper account in a browser: how much there is, what an order makes of it, and a reset that asks who is there."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, Page, expect

from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.trading import paper_profit
from tests.browser.conftest import Script, Watch
from tests.conftest import PASSWORD, Live

pytestmark = pytest.mark.browser


def money(page: Page, name: str) -> Decimal:
    """A figure of the section on money, in rupees."""
    told = page.get_by_role("region", name="Money").locator("div").filter(has_text=re.compile(f"^{name}"))
    return rupees(told.locator("dd"))


def rupees(shown: Locator) -> Decimal:
    return Decimal(re.sub("[₹,+]", "", shown.inner_text()).replace("−", "-"))


def test_capital_then_an_order_with_its_curve_then_a_reset(
    page: Page, script: Script, live: Live, watch: Watch
) -> None:
    watch.expected += ["400 (BAD REQUEST)", "403 (FORBIDDEN)"]
    page.goto("/analyzer")
    expect(page.get_by_text("No fill yet.")).to_be_visible()
    page.get_by_role("link", name="Change the capital").click()
    page.get_by_label("Another amount, in rupees").fill("2,50,000")
    page.get_by_role("button", name="Change the paper capital").click()
    expect(page.get_by_text("You typed an amount and chose another one.")).to_be_visible()
    page.get_by_role("radio", name="Another amount").check()
    page.get_by_role("button", name="Change the paper capital").click()
    expect(page.get_by_text("The paper account has a capital of ₹2,50,000.00.")).to_be_visible()
    assert money(page, "Available") == 250_000

    paper_profit.sample(live.desk)
    script.place(price_type="MARKET", strategy="momentum")
    page.goto("/analyzer")
    position = page.get_by_role("region", name="Positions").get_by_role("row").filter(has_text="RELIANCE")
    expect(position).to_contain_text("10")
    strategy = page.get_by_role("region", name="By strategy").get_by_role("row").filter(has_text="momentum")
    day = rupees(page.get_by_role("region", name="Profit of the day").locator(".figure"))
    assert rupees(position.get_by_role("cell").last) == rupees(strategy.get_by_role("cell").last) == day
    expect(page.get_by_role("img", name=re.compile("Profit of the day in rupees"))).to_be_visible()
    assert re.search(r"L\d", page.locator("svg path.line").get_attribute("d") or ""), "a line, and not a point alone"
    assert money(page, "Available") + money(page, "Used") == 250_000

    page.get_by_role("link", name="Reset …").click()
    expect(page.get_by_text("1 open position and 0 holdings")).to_be_visible()
    page.get_by_role("radio", name="₹1 lakh").check()
    page.get_by_label("Another amount, in rupees").fill("")
    page.get_by_role("button", name="Reset the paper account").click()
    expect(page.get_by_text("Type your password to reset the paper account.")).to_be_visible()
    assert [each.quantity for each in live.desk.brokers[TradingMode.ANALYZE].positions()] == [10]
    expect(page.get_by_role("radio", name="₹1 lakh")).to_be_checked()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Reset the paper account").click()
    expect(page.get_by_text("The paper account was reset and has ₹1,00,000.00.")).to_be_visible()
    expect(page.get_by_text("No position today.")).to_be_visible()
    assert (money(page, "Available"), money(page, "Used")) == (100_000, 0)

    page.get_by_role("link", name="Where the money went").click()
    expect(page.get_by_role("row").filter(has_text="Account reset")).to_contain_text("1,00,000.00")
    page.get_by_role("row").filter(has_text="Filled").get_by_role("link", name="Ticket 1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("RELIANCE")
