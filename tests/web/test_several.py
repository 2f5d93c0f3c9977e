"""Tickets of several orders, and wishes for a position, on the pages of the trader."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    SmartOrderRequest,
)
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import several, smart
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.web import words
from openalgo_bridge.web.words import count
from tests.conftest import TRADER
from tests.web.conftest import Person

ORIGIN = Origin(source="api", strategy="t", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = OrderRequest(symbol="TCS", exchange=Exchange.NSE, action=Action.SELL, quantity=5)


@pytest.fixture
def held(desk: Desk) -> dict[str, int]:
    """A ticket of each kind that waits, by its endpoint."""
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    smart.place(desk, SmartOrderRequest(order=BUY, position_size=25), ORIGIN)
    several.place(desk, LegsRequest(kind=LegsKind.BASKET, orders=(BUY, SELL)), ORIGIN)
    several.place(desk, LegsRequest(kind=LegsKind.SPLIT, orders=(BUY, BUY, BUY)), ORIGIN)
    return {ticket.operation: ticket.id for ticket in desk.store.journal.tickets()}


def test_the_list_says_in_words_what_each_would_do(trader: Person, held: dict[str, int]) -> None:
    page = trader.get("/action-center").text
    assert "take RELIANCE to +25" in page or "Take the position to +25: RELIANCE" in page
    assert "A basket of 2 orders" in page
    assert "A split of 3 orders: BUY 30 RELIANCE on NSE at market, intraday (MIS), at most 10 in one" in page


def test_only_slices_of_one_order_are_told_as_one() -> None:
    twice = words.sentence(LegsRequest(kind=LegsKind.BASKET, orders=(BUY, replace(BUY, price=Decimal(1300)))))
    assert twice.count("BUY 10 RELIANCE") == 2
    sliced = words.sentence(LegsRequest(kind=LegsKind.SPLIT, orders=(BUY, BUY, replace(BUY, quantity=2))))
    assert "BUY 22 RELIANCE on NSE at market, intraday (MIS), at most 10 in one" in sliced
    whole = words.sentence(LegsRequest(kind=LegsKind.SPLIT, orders=(BUY,)))
    assert whole == "A split of 1 order: BUY 10 RELIANCE on NSE at market, intraday (MIS)"


def approve(trader: Person, desk: Desk, number: int, **fields: str) -> int:
    ticket = desk.store.journal.ticket(number)
    where = f"/action-center/{number}"
    return trader.post(f"{where}/approve", page=where, shown=ticket.shown, **fields).status_code


@pytest.mark.parametrize(
    ("operation", "count", "fields"),
    [
        ("placesmartorder", 1, {"position": "NSE:MIS:25:RELIANCE"}),
        ("basketorder", 2, {}),
        ("splitorder", 3, {}),
    ],
)
def test_a_ticket_is_approved_on_its_page_and_its_orders_are_told(
    desk: Desk, trader: Person, held: dict[str, int], operation: str, count: int, fields: dict[str, str]
) -> None:
    number = held[operation]
    assert approve(trader, desk, number, **fields) == 302
    sent = desk.store.journal.orders_of([number])
    assert [each.state for each in sent] == ["sent"] * count
    after = trader.get(f"/action-center/{number}").text
    assert after.count("RELIANCE") >= 1
    assert "Held" not in after


def test_the_page_of_a_wish_names_the_order_and_its_form_carries_it(trader: Person, held: dict[str, int]) -> None:
    page = trader.get(f"/action-center/{held['placesmartorder']}").text
    assert "BUY 25 RELIANCE on NSE at market" in page
    assert 'name="position" value="NSE:MIS:25:RELIANCE"' in page


def test_the_page_of_a_large_wish_names_every_order_that_the_exchange_demands(desk: Desk, trader: Person) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    listed = desk.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert listed is not None
    size = listed.freeze_quantity + 1
    held, _ = smart.place(desk, SmartOrderRequest(order=BUY, position_size=size), ORIGIN)
    assert isinstance(held, Held)
    page = trader.get(f"/action-center/{held.ticket.id}").text
    assert f"BUY {count(listed.freeze_quantity)} RELIANCE on NSE" in page
    assert "BUY 1 RELIANCE on NSE" in page
    assert f'name="position" value="NSE:MIS:{size}:RELIANCE"' in page


def test_the_page_of_a_basket_names_every_order(trader: Person, held: dict[str, int]) -> None:
    page = trader.get(f"/action-center/{held['basketorder']}").text
    assert page.index("BUY 10 RELIANCE") < page.index("SELL 5 TCS")


def test_in_bulk_baskets_go_and_wishes_are_left_to_their_pages(
    desk: Desk, trader: Person, held: dict[str, int]
) -> None:
    page = trader.get("/action-center/approve-all?which=matching").text
    assert f"Ticket {held['placesmartorder']} is left out: take RELIANCE to +25" in page
    tickets = [desk.store.journal.ticket(held[each]) for each in ("basketorder", "splitorder")]
    chosen = [f"{each.id}:{each.shown}" for each in tickets]
    trader.post("/action-center/approve-all", page="/action-center/approve-all?which=matching", ticket=chosen)
    assert [each.id for each in desk.store.journal.held()] == [held["placesmartorder"]]


def test_the_page_of_several_that_wait_tells_the_price_of_each_when_it_came_and_what_closes(
    desk: Desk, trader: Person
) -> None:
    several.place(desk, LegsRequest(kind=LegsKind.BASKET, orders=(BUY,)), ORIGIN)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    out = replace(BUY, action=Action.SELL)
    held = several.place(desk, LegsRequest(kind=LegsKind.BASKET, orders=(SELL, out)), ORIGIN)
    page = trader.get(f"/action-center/{held.ticket.id}").text
    assert page.count("Price when it came: <span") == 2
    assert page.count("It closes a position") == 1
