"""Where the paper money went: every move in words, with what was there then, and the way to the order behind it."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.gtt import NO_PRICE
from openalgo_bridge.model.order import Action, Exchange, PriceType, Product, TradingMode
from openalgo_bridge.model.paper import LedgerKind, PaperPosition, to_rupees, to_units
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import gtts, orders
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.web.formats import money
from tests.conftest import TRADER, FixedClock
from tests.gtt_requests import SELL, STOP
from tests.web.conftest import Person, an_order, send

PROGRAM = Origin(source="api", strategy="breakout", request_id="r1")
BUY = replace(SELL, action=Action.BUY)
CRORE = Decimal(1_00_00_000)


def rows(trader: Person, query: str = "") -> list[str]:
    """Each line as it is read."""
    text = trader.get(f"/analyzer/ledger{query}").text
    body = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL) if body else []
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in found]


def numbers(desk: Desk) -> list[int]:
    return [line.number for line in desk.store.paper_ledger.lines(limit=1_000)]


def test_a_fresh_account_has_its_capital_and_says_what_comes(trader: Person) -> None:
    (capital,) = rows(trader)
    assert "Capital set" in capital
    assert "+1,00,00,000.00" in capital
    assert "Nothing has moved since." in trader.get("/analyzer/ledger").text


def test_an_order_that_waits_sets_money_aside_and_gives_it_back(desk: Desk, trader: Person) -> None:
    placed = orders.place(desk, an_order("RELIANCE", 10, "1200"), PROGRAM)
    assert isinstance(placed, Sent)
    orders.cancel(desk, placed.broker_order_id, PROGRAM)
    freed, blocked, _ = rows(trader)
    assert "Set aside for an order RELIANCE NSE MIS" in blocked
    assert "Set free of an order RELIANCE NSE MIS" in freed
    account = desk.store.paper_ledger.lines(limit=2)[1].after
    aside, left = to_rupees(account.blocked), to_rupees(account.available)
    assert f"+{money(aside)} then {money(aside)} {money(-aside)} then {money(left)}" in blocked
    assert f"{money(-aside)} then 0.00 +{money(aside)} then {money(CRORE)}" in freed
    for row in (freed, blocked):
        assert f"Ticket {placed.ticket.id}" in row


def test_a_fill_books_its_profit_and_names_its_ticket(desk: Desk, trader: Person, clock: FixedClock) -> None:
    send(desk, an_order("SBIN", 10))
    clock.move(minutes=1)
    send(desk, replace(an_order("SBIN", 10), action=Action.SELL))
    sold, bought, _ = rows(trader)
    assert "Filled SBIN NSE MIS" in bought
    booked = to_rupees(desk.store.paper_ledger.lines(limit=1)[0].realised)
    assert booked
    assert f"{'+' if booked > 0 else ''}{money(booked)} then {money(booked)}" in sold
    assert [re.findall(r"Ticket \d+", row) for row in (sold, bought)] == [["Ticket 2"], ["Ticket 1"]]


def test_a_time_is_in_india_with_the_utc_in_its_title(trader: Person, desk: Desk) -> None:
    send(desk)
    text = trader.get("/analyzer/ledger").text
    assert 'title="2026-11-21 05:00:00.000 UTC">21 Nov 2026 10:30:00</time>' in text


def test_a_gtt_leads_to_its_ticket_and_so_does_the_order_that_it_fires(
    desk: Desk, trader: Person, clock: FixedClock
) -> None:
    """RELIANCE stands at 1323.20 and moves all day."""
    near = replace(STOP, trigger_price=Decimal(1323), price=NO_PRICE)
    placed = gtts.place(desk, replace(BUY, price_type=PriceType.MARKET, legs=(near,)), PROGRAM)
    assert isinstance(placed, Sent)
    clock.move(hours=4)
    desk.broker(TradingMode.ANALYZE).positions()
    filled, freed, aside, _ = rows(trader)
    assert "Set aside for a GTT RELIANCE NSE CNC" in aside
    assert "Set free of a GTT RELIANCE NSE CNC" in freed
    assert "Filled RELIANCE NSE CNC" in filled
    assert {row.rpartition(" Ticket ")[2] for row in (filled, freed, aside)} == {str(placed.ticket.id)}


def test_what_the_exchange_did_by_itself_says_why(desk: Desk, trader: Person, clock: FixedClock) -> None:
    send(desk, an_order("SBIN", 10))
    clock.move(days=2)
    desk.broker(TradingMode.ANALYZE).positions()
    trader.sign_in()
    squared_off, bought, _ = rows(trader)
    assert squared_off.endswith("square-off")
    assert bought.endswith("Ticket 1")


def test_a_reset_is_a_line_that_is_about_no_order(desk: Desk, trader: Person) -> None:
    send(desk, an_order("SBIN", 10))
    desk.store.paper_capital.reset(to_units(Decimal(1_00_000)), by=TRADER)
    reset, *_ = rows(trader)
    assert "Account reset" in reset
    assert "then 1,00,000.00" in reset
    assert "Ticket" not in reset


def post_lines(desk: Desk, count: int) -> None:
    position = PaperPosition(
        symbol="SBIN", exchange=Exchange.NSE, product=Product.MIS, realised_on=desk.clock.now().date()
    )
    with desk.store.paperbook.transaction() as book:
        for gain in range(1, count + 1):
            book.save(position, position, gain=gain)
            book.post(LedgerKind.EXPIRY, desk.clock.now(), position)


def test_each_line_is_on_one_page_and_a_page_does_not_shift_while_lines_arrive(desk: Desk, trader: Person) -> None:
    post_lines(desk, 119)
    every = numbers(desk)
    second = rows(trader, f"?before={every[49]}")
    assert [len(rows(trader)), len(second), len(rows(trader, f"?before={every[99]}"))] == [50, 50, 20]
    assert f"?before={every[99]}" in trader.get(f"/analyzer/ledger?before={every[49]}").text
    post_lines(desk, 3)
    assert rows(trader, f"?before={every[49]}") == second


def test_below_the_oldest_line_the_page_leads_back(trader: Person) -> None:
    assert rows(trader, "?before=1") == []
    assert "There is nothing older." in trader.get("/analyzer/ledger?before=1").text
    assert len(rows(trader, "?before=x")) == 1


def test_the_analyzer_and_the_capital_lead_to_it(trader: Person) -> None:
    for page in ("/analyzer", "/analyzer/capital"):
        assert '<a href="/analyzer/ledger">Where the money went</a>' in trader.get(page).text
