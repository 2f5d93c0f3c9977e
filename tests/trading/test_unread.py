"""What could not be read of a ticket when it came is told when it can be, and counts from then on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotSent
from openalgo_bridge.model.books import Position, Quote
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    SmartOrderRequest,
)
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import approvals, several, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL_TCS = replace(BUY, symbol="TCS", action=Action.SELL, quantity=5)
BASKET = LegsRequest(kind=LegsKind.BASKET, orders=(BUY, replace(BUY, symbol="TCS")))


@dataclass
class NoQuotes(ScriptedBroker):
    """Tells positions and takes orders, but tells prices only while ``is_quoted``."""

    is_quoted: bool = False

    def quote(self, instrument: Instrument) -> Quote:
        if not self.is_quoted:
            raise NotSent("no quotes")
        return super().quote(instrument)


@dataclass
class NoPositions(ScriptedBroker):
    """Tells prices, and positions only while ``is_readable``."""

    is_readable: bool = False

    def positions(self) -> list[Position]:
        if not self.is_readable:
            raise NotSent("no positions")
        return super().positions()


@pytest.fixture
def semi_auto(desk: Desk) -> Desk:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return desk


def held(desk: Desk, request: LegsRequest = BASKET) -> Ticket:
    outcome = several.place(desk, request, ORIGIN)
    assert isinstance(outcome, Held)
    return outcome.ticket


def approved(desk: Desk, ticket: Ticket) -> Report:
    outcome = approvals.approve(desk, ticket.id, ticket.shown, by=TRADER, seen={("NSE", "RELIANCE", "MIS"): 10})
    assert isinstance(outcome, Report)
    return outcome


def test_prices_that_were_not_known_when_a_basket_came_are_asked_about_and_compared_from_then_on(
    semi_auto: Desk,
) -> None:
    broker = NoQuotes(semi_auto)
    desk = with_broker(semi_auto, broker)
    desk.store.guards.save(GuardSettings(price_drift=Decimal(5)), by=TRADER)
    ticket = held(desk)
    broker.is_quoted, broker.ltp = True, Decimal(1300)
    with pytest.raises(Conflict, match=r"The last price of RELIANCE is 1300\. The last price of TCS is 1300\."):
        approved(desk, ticket)
    with pytest.raises(Conflict, match="is not what was shown"):
        approved(desk, ticket)
    told = desk.store.journal.ticket(ticket.id)
    assert [each.price for each in told.arrivals] == [Decimal(1300)] * 2
    broker.ltp = Decimal(1400)
    with pytest.raises(Denied, match="moved from 1300 to 1400"):
        approved(desk, told)
    assert broker.calls == []
    broker.ltp = Decimal(1310)
    assert approved(desk, told).is_done


def test_a_price_is_noted_although_the_positions_cannot_be_read(semi_auto: Desk) -> None:
    broker = NoPositions(semi_auto)
    desk = with_broker(semi_auto, broker)
    desk.store.guards.save(GuardSettings(price_drift=Decimal(5)), by=TRADER)
    ticket = held(desk)
    assert ticket.is_unread
    assert [each.price for each in ticket.arrivals] == [Decimal(1000)] * 2
    broker.is_readable, broker.ltp = True, Decimal(1700)
    with pytest.raises(Conflict, match="holds 0 RELIANCE now"):
        approved(desk, ticket)
    with pytest.raises(Denied, match="moved from 1000 to 1700"):
        approved(desk, desk.store.journal.ticket(ticket.id))
    assert broker.calls == []


def test_what_closes_in_a_basket_that_could_not_be_read_opens_nothing_after_the_question(semi_auto: Desk) -> None:
    broker = NoPositions(semi_auto)
    desk = with_broker(semi_auto, broker)
    broker.hold("TCS", 5)
    ticket = held(desk, replace(BASKET, orders=(BUY, SELL_TCS)))
    broker.is_readable = True
    with pytest.raises(Conflict, match="holds 0 RELIANCE now"):
        approved(desk, ticket)
    told = desk.store.journal.ticket(ticket.id)
    assert [each.is_exit for each in told.arrivals] == [False, True]
    broker.held.clear()
    assert [each.is_done for each in approved(desk, told).legs] == [True, False]


def test_a_price_that_was_not_known_when_a_smart_order_came_is_asked_about_and_compared_from_then_on(
    semi_auto: Desk,
) -> None:
    broker = NoQuotes(semi_auto)
    desk = with_broker(semi_auto, broker)
    desk.store.guards.save(GuardSettings(price_drift=Decimal(5)), by=TRADER)
    outcome, _ = smart.place(desk, SmartOrderRequest(order=replace(BUY, quantity=1), position_size=10), ORIGIN)
    assert isinstance(outcome, Held)
    broker.is_quoted, broker.ltp = True, Decimal(1300)
    with pytest.raises(Conflict, match="The last price is 1300"):
        approved(desk, outcome.ticket)
    told = desk.store.journal.ticket(outcome.ticket.id)
    broker.ltp = Decimal(1400)
    with pytest.raises(Denied, match="moved from 1300 to 1400"):
        approved(desk, told)
    assert broker.calls == []
    broker.ltp = Decimal(1310)
    assert approved(desk, told).is_done


def test_what_no_price_is_known_of_still_is_approved_by_the_persons_word(semi_auto: Desk) -> None:
    desk = with_broker(semi_auto, NoQuotes(semi_auto))
    assert approved(desk, held(desk)).is_done
