"""GTTs on the pages: told in words where they wait, decided there, and told again once they are at the broker."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import (
    Action,
    OrderMode,
    PriceType,
)
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import gtts
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.web import words
from tests.conftest import TRADER
from tests.gtt_requests import SELL, STOP, TARGET
from tests.web.conftest import Person
from tests.web.test_ticket import decide, outcome_of, path_of, words_of

FAR = replace(TARGET, trigger_price=Decimal(3000), price=Decimal(3010))
BUY = replace(SELL, action=Action.BUY, legs=(STOP, FAR))
TOLD = (
    "BUY 10 RELIANCE on NSE at limit 890.00 when the price falls to 900.00,"
    " or at limit 3,010.00 when the price rises to 3,000.00, delivery (CNC)"
)


@pytest.fixture
def held(desk: Desk) -> Ticket:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    result = gtts.place(desk, BUY, Origin(source="api", strategy="breakout", request_id="r1"))
    assert isinstance(result, Held)
    return result.ticket


def test_one_that_is_placed_at_market_says_so() -> None:
    at_market = replace(BUY, price_type=PriceType.MARKET, legs=(replace(STOP, price=Decimal(0)),))
    told = "BUY 10 RELIANCE on NSE at market when the price falls to 900.00, delivery (CNC)"
    assert words.sentence(at_market) == told
    assert words.deed(at_market) == "place a GTT to buy 10 RELIANCE"


def test_the_list_and_the_page_tell_it_in_words(trader: Person, held: Ticket) -> None:
    assert TOLD in words_of(trader.get("/action-center").text)
    page = words_of(trader.get(path_of(held)).text)
    assert TOLD in page
    # What it may place at most, not what the market costs now.
    assert "30,100.00" in page
    assert "Price now" in page


def test_an_approval_lets_it_wait_at_the_broker(trader: Person, desk: Desk, held: Ticket) -> None:
    status, page = decide(trader, held, "approve")
    assert status == 302
    (waits,) = desk.broker(held.trading_mode).gtt_book()
    assert waits.request == BUY
    assert outcome_of(trader, held) == f"Sent GTT {waits.id}: the broker keeps it until its price comes."
    assert words_of(trader.get("/orders").text).count(TOLD) == 1
    assert "Traceback" not in page


def test_it_is_approved_among_others(trader: Person, desk: Desk, held: Ticket) -> None:
    confirm = trader.get("/action-center/approve-all?which=matching").text
    assert TOLD in words_of(confirm)
    answer = trader.post(
        "/action-center/approve-all",
        page="/action-center/approve-all?which=matching",
        ticket=[f"{held.id}:{held.shown}"],
    )
    assert answer.status_code in {200, 302, 303}
    assert len(desk.broker(held.trading_mode).gtt_book()) == 1


def test_its_fields_cannot_be_typed_over(trader: Person, held: Ticket) -> None:
    status, page = decide(trader, held, "modify", quantity="5", price="1", trigger_price="1", product="CNC")
    assert status == 400
    assert "has no order that could be changed" in words_of(page)


def test_a_rejected_one_sends_nothing(trader: Person, desk: Desk, held: Ticket) -> None:
    decide(trader, held, "reject", reason="no")
    assert not desk.broker(held.trading_mode).gtt_book()
