"""The Positions page: what is open in which product, and what already closes it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown
from openalgo_bridge.model.order import Action, OrderMode, Product, TradingMode
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import orders
from openalgo_bridge.web.closing import BY_HAND
from tests.conftest import TRADER, Account
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, hold, send
from tests.web.test_action_center_lists import many

STOP = replace(an_order(quantity=4, price="1010"), action=Action.SELL)


def row_of(text: str, symbol: str, product: str = "MIS") -> str:
    """The text of one position's row."""
    rows = re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
    (row,) = [row for row in rows if f">{symbol} <" in row and f">{product}<" in row]
    return str(row)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, account: Account, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def person(scripted: Desk) -> Person:
    return a_trader_at(scripted)


def test_a_line_names_what_its_button_sends_and_to_which_account(person: Person, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", -1200, Product.NRML)
    broker.hold("INFY", 0)
    text = person.get("/positions").text
    assert "Close this position, paper account:<br>sell 10 RELIANCE at market" in row_of(text, "RELIANCE")
    assert "Close this position, paper account:<br>buy 1,200 TCS at market" in row_of(text, "TCS", "NRML")
    assert "<button" not in row_of(text, "INFY"), "nothing is open there"


def test_products_are_summed_where_there_are_several(person: Person, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    assert "intraday (MIS)</th>" not in person.get("/positions").text
    broker.hold("RELIANCE", 7, Product.CNC)
    text = person.get("/positions").text
    assert text.index("delivery (CNC)</th>") < text.index("intraday (MIS)</th>") < text.index(">Total</th>")


def test_profit_is_told_for_each_line_and_adds_up(trader: Person, desk: Desk) -> None:
    send(desk, an_order("RELIANCE", 10))
    send(desk, an_order("INFY", 10))
    send(desk, replace(an_order("INFY", 10), action=Action.SELL))
    text = trader.get("/positions").text
    booked = [
        float(each.replace("\N{MINUS SIGN}", "-").replace("₹", "").replace("+", "").replace(",", ""))
        for each in re.findall(r'data-label="Booked"[^>]*><span[^>]*>([^<]*)<', text)
    ]
    assert len(booked) == 3
    assert booked[-1] == pytest.approx(sum(booked[:-1]))
    assert booked[-1] != 0


def test_what_already_closes_a_position_stands_beside_it(
    person: Person, scripted: Desk, desk: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10)
    orders.place(scripted, STOP, BY_HAND)
    orders.place(scripted, replace(STOP, action=Action.BUY, price=STOP.price - 50), BY_HAND)
    held = replace(STOP, quantity=2)
    hold(scripted, held)
    row = row_of(person.get("/positions").text, "RELIANCE")
    assert "An exit of 4 is already working at the broker." in row
    assert "An exit of 2 waits for you in the Action Center." in row
    assert "in doubt" not in row


def test_an_exit_is_seen_behind_however_many_orders_that_wait(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10)
    many(scripted, 201)
    hold(scripted, replace(STOP, quantity=2))
    assert "An exit of 2 waits for you" in row_of(person.get("/positions").text, "RELIANCE")


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.PARKED])
def test_an_exit_in_doubt_is_said_until_the_broker_shows_it(
    person: Person, scripted: Desk, desk: Desk, broker: ScriptedBroker, state: OrderState
) -> None:
    broker.hold("RELIANCE", 10)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, STOP, BY_HAND)
    (order,) = desk.store.journal.orders_of([1])
    if state is OrderState.PARKED:
        desk.store.journal.settle(order.id, Settlement(state=state), was=OrderState.UNKNOWN)
    row = row_of(person.get("/positions").text, "RELIANCE")
    assert "An exit of 4 is in doubt: look at the broker first." in row
    broker.fault, broker.accepts_before_fault = None, True
    orders.place(scripted, replace(STOP, quantity=1), BY_HAND)
    (there,) = broker.book.values()
    broker.book = {order.ref: replace(there, tag=order.ref, request=STOP)}
    row = row_of(person.get("/positions").text, "RELIANCE")
    assert "An exit of 4 is already working at the broker." in row
    assert "in doubt" not in row, "it is counted once"


def test_what_works_in_the_other_account_is_not_counted(desk: Desk, account: Account, broker: ScriptedBroker) -> None:
    live = ScriptedBroker(desk)
    both = with_broker(with_broker(desk, broker), live, TradingMode.LIVE)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert isinstance(orders.place(both, STOP, BY_HAND), orders.Held)
    desk.store.preferences.set_trading_mode(TradingMode.ANALYZE, by=TRADER)
    broker.hold("RELIANCE", 10)
    assert "An exit of" not in a_trader_at(both).get("/positions").text


def test_a_broker_that_does_not_answer_is_said(person: Person, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    broker.unreadable = NotSent("The connection never opened.")
    text = person.get("/positions").text
    assert "cannot be read: The connection never opened." in text
    assert "Close this position" not in text
