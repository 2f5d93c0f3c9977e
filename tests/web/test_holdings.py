"""The Holdings page and the Funds page: what is owned, what it cost and is worth, and what a new order may use."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent
from openalgo_bridge.model.books import Holding
from openalgo_bridge.model.order import Exchange
from tests.conftest import Account
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, hold, send

GREEN, RED = "text-nowrap text-success-emphasis", "text-nowrap text-danger-emphasis"


def a_holding(symbol: str, quantity: int, paid: str, last: str, exchange: Exchange = Exchange.NSE) -> Holding:
    return Holding(symbol=symbol, exchange=exchange, quantity=quantity, average_price=Decimal(paid), ltp=Decimal(last))


SHARES = [
    a_holding("TCS", 10, "4000", "3900"),
    a_holding("INFY", 100, "1500", "1545.50"),
    a_holding("BONUS", 5, "0", "20", Exchange.BSE),
]


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk, shares=list(SHARES))


@pytest.fixture
def person(desk: Desk, account: Account, broker: ScriptedBroker) -> Person:
    return a_trader_at(with_broker(desk, broker))


def row_of(text: str, name: str) -> str:
    (row,) = [row for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL) if name in row]
    return str(row)


def test_profit_is_signed_and_coloured_and_told_in_percent(person: Person) -> None:
    text = person.get("/holdings").text
    assert f'<span class="{GREEN}">+₹4,550.00</span>' in row_of(text, "INFY")
    assert f'<span class="{GREEN}">+3.03 %</span>' in row_of(text, "INFY")
    assert f'<span class="{RED}">−₹1,000.00</span>' in row_of(text, "TCS")
    assert f'<span class="{RED}">−2.50 %</span>' in row_of(text, "TCS")


def test_the_total_adds_up_and_shares_that_cost_nothing_have_no_percent(person: Person) -> None:
    text = person.get("/holdings").text
    assert " %" not in row_of(text, "BONUS")
    total = row_of(text, "Total, 3 holdings")
    for told in ("₹1,90,000.00", "₹1,93,650.00", "+₹3,650.00", "+1.92 %"):
        assert told in total


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("", ["BONUS", "INFY", "TCS"]),
        ("symbol=inf", ["INFY"]),
        ("exchange=bse", ["BONUS"]),
        ("exchange=mars", ["BONUS", "INFY", "TCS"]),
        ("symbol=none", []),
    ],
)
def test_the_list_is_narrowed_by_symbol_and_exchange(person: Person, query: str, symbols: list[str]) -> None:
    text = person.get(f"/holdings?{query}").text
    assert re.findall(r'<th scope="row" data-label="Symbol">(\w+)', text) == symbols
    assert ("None of the 3 holdings is like that" in text) is (not symbols)
    rows = csv.DictReader(io.StringIO(person.get(f"/holdings/export.csv?{query}").text, newline=""))
    assert [row["symbol"] for row in rows] == symbols


def test_a_line_leads_to_what_was_asked_for_in_it(desk: Desk, person: Person) -> None:
    hold(desk, an_order("TCS", 3))
    hold(desk, an_order("INFY", 4))
    (link,) = re.findall(r'href="([^"]+)"', row_of(person.get("/holdings").text, "TCS"))
    text = person.get(link.replace("&amp;", "&")).text
    assert "BUY 3 TCS" in text
    assert "BUY 4 INFY" not in text


def test_without_holdings_it_is_said_where_shares_for_delivery_are(trader: Person) -> None:
    text = trader.get("/holdings").text
    assert "No holdings in the paper account." in text
    assert 'in <a href="/positions">Positions</a>' in text


@pytest.mark.parametrize("path", ["/holdings", "/funds"])
def test_a_broker_that_cannot_be_read_is_said(person: Person, broker: ScriptedBroker, path: str) -> None:
    broker.unreadable = NotSent("The connection never opened.")
    answer = person.get(path)
    assert answer.status_code == 200
    assert "cannot be read: The connection never opened." in answer.text
    assert "₹" not in answer.text


def test_funds_tell_what_an_order_blocked_and_the_profit_of_the_day(trader: Person, desk: Desk) -> None:
    before = desk.broker(desk.store.preferences.trading_mode()).funds()
    send(desk, an_order("RELIANCE", 10))
    after = desk.broker(desk.store.preferences.trading_mode()).funds()
    text = trader.get("/funds").text
    assert after.used > before.used
    amounts = [float(each.replace(",", "").replace("−", "-")) for each in re.findall(r"[+−]?₹([\d,.]+)<", text)]
    assert amounts[0] == pytest.approx(float(after.available), abs=0.01)
    assert amounts[1] == pytest.approx(float(after.used), abs=0.01)
    assert "paper account" in text
