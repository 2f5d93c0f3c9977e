"""Back to paper: one click without a password, and the page says what stays at the live account."""

from __future__ import annotations

import re

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import SessionExpired
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders
from tests.conftest import TRADER, Account
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order

PAGE = "/analyzer/paper"
PROGRAM = Origin(source="api", strategy="t", request_id="r", may_trade_live=True)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def live(desk: Desk, broker: ScriptedBroker) -> Desk:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    return with_broker(desk, broker, TradingMode.LIVE)


@pytest.fixture
def person(live: Desk, account: Account) -> Person:
    return a_trader_at(live)


def read(person: Person) -> str:
    """What a person reads on the page, without what stands around it."""
    page = person.get(PAGE).text
    return " ".join(re.sub(r"<[^>]+>", "", page[page.index("<main") :]).split())


def leave(person: Person) -> str:
    """Press the button; what the page then says."""
    assert person.post(PAGE).location == f"{PAGE}#content"
    return read(person)


def mode(desk: Desk) -> TradingMode:
    return desk.store.preferences.trading_mode()


def test_one_click_is_enough(person: Person, live: Desk) -> None:
    assert "You trade on paper: new orders reach no broker." in leave(person)
    assert mode(live) is TradingMode.ANALYZE


def test_it_counts_what_stays_before_and_after_and_touches_nothing(
    person: Person, live: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("SBIN", 10)
    orders.place(live, an_order(price="900"), PROGRAM)
    live.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    orders.place(live, an_order("TCS"), PROGRAM)
    sent = list(broker.calls)
    before = read(person)
    assert "LIVE account, real money: 1 open order (orders), 1 open position (positions)" in before
    assert "1 ticket waits for the live account in the Action Center. It stays live" in before
    after = leave(person)
    assert "LIVE account, real money: 1 open order, 1 open position" in after
    assert "1 ticket waits for the live account" in after
    assert broker.calls == sent


def test_it_is_possible_while_the_broker_cannot_be_asked_or_is_gone(
    person: Person, live: Desk, desk: Desk, broker: ScriptedBroker
) -> None:
    broker.unreadable = SessionExpired("Log in again.")
    assert "LIVE account, real money: cannot be read now" in read(person)
    leave(person)
    assert mode(live) is TradingMode.ANALYZE
    live.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    alone = a_trader_at(desk)
    assert "the bridge cannot tell what is there" in read(alone)
    leave(alone)
    assert mode(live) is TradingMode.ANALYZE


def test_it_mends_a_mode_that_cannot_be_read(person: Person, live: Desk) -> None:
    live.store.files[0].write("UPDATE preference SET value = 'x' WHERE name = 'trading_mode'")
    assert "cannot be read, so every order is refused" in read(person)
    leave(person)
    assert mode(live) is TradingMode.ANALYZE


def test_who_is_on_paper_already_changes_nothing(trader: Person, desk: Desk) -> None:
    assert "You trade on paper" in read(trader)
    assert "<button" not in trader.get(PAGE).text.split("<main")[1]
    assert trader.post(PAGE).status_code == 302
    assert "Nothing was changed." in read(trader)
    assert desk.store.audit.page(event=AuditEvent.TRADING_MODE) == []
