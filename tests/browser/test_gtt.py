"""A GTT that everything else leaves alone is found and withdrawn in a real browser."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from openalgo_bridge.model.order import (
    Action,
    Exchange,
    GttLeg,
    GttRequest,
    PriceType,
    Product,
    TradingMode,
    TriggerSide,
)
from openalgo_bridge.model.ticket import Operation, Origin
from openalgo_bridge.trading import gtts
from tests.browser.conftest import Script
from tests.conftest import Live

pytestmark = pytest.mark.browser

# Far below every price that a day brings.
STOP = GttRequest(
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    action=Action.SELL,
    quantity=10,
    price_type=PriceType.MARKET,
    product=Product.MIS,
    legs=(GttLeg(side=TriggerSide.STOPLOSS, trigger_price=Decimal(500), price=Decimal(0)),),
)


def test_the_report_of_a_closing_leads_to_what_it_left_and_a_double_click_withdraws_once(
    page: Page, script: Script, live: Live
) -> None:
    script.place(price_type="MARKET")
    gtts.place(live.desk, STOP, Origin(source="api", strategy="breakout", request_id="r"))
    page.goto("/positions")
    page.get_by_role("button", name="Close this position").click()
    left = page.get_by_role("status").filter(has_text="1 GTT still waits for its price in RELIANCE")
    left.get_by_role("link", name="See and withdraw GTTs").click()
    page.get_by_role("button", name="Withdraw GTT").dblclick()
    expect(page.get_by_role("status").filter(has_text="Withdrawn: GTT")).to_contain_text("paper account")
    expect(page.get_by_role("main")).to_contain_text("None waits in RELIANCE.")
    assert not live.desk.broker(TradingMode.ANALYZE).gtt_book()
    assert [each.operation for each in live.desk.store.journal.tickets()].count(Operation.CANCEL_GTT) == 1
