"""A position book that is behind the order book: what filled and does not show yet is not closed a second time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, BrokerOrderId, CloseRequest, Exchange, OrderRequest
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import closing, orders
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.sending import Sent
from tests.conftest import FixedClock
from tests.fakes import ScriptedBroker, with_broker

BY_HAND = Origin(source=PAGE, strategy="", request_id="", may_trade_live=True)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=50)


@dataclass
class Lagging(ScriptedBroker):
    """Fills at once; its positions show that only when a test says so."""

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        placed = super().place(permit)
        self.complete(permit.ref)
        return placed

    def shows(self, quantity: int) -> None:
        self.held.clear()
        self.hold("RELIANCE", quantity)

    @property
    def sold(self) -> int:
        return -sum(each.filled_quantity * each.request.action.sign for each in self.book.values())


class Ticking(FixedClock):
    """Seconds pass when a test says so."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def broker(desk: Desk) -> Lagging:
    broker = Lagging(desk)
    broker.shows(100)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: Lagging) -> Desk:
    return with_broker(desk, broker)


def click_close(desk: Desk) -> Report:
    report = closing.close(desk, CloseRequest(), BY_HAND)
    assert isinstance(report, Report)
    return report


def test_two_clicks_on_close_sell_once_although_the_positions_show_nothing_of_it(
    scripted: Desk, broker: Lagging
) -> None:
    assert click_close(scripted).is_done
    second = click_close(scripted)
    assert not second.is_done
    assert "Look at it again" in second.legs[0].why_not
    assert broker.sold == 100


def test_what_the_positions_show_by_then_can_be_closed(scripted: Desk, broker: Lagging) -> None:
    """An exit of a half is filled and shows; the other half is closed at once."""
    broker.shows(50)
    assert click_close(scripted).is_done
    broker.shows(0)
    assert click_close(scripted).legs == ()
    assert isinstance(orders.place(scripted, BUY, BY_HAND), Sent)
    broker.shows(50)
    assert click_close(scripted).is_done
    assert broker.sold == 50


def test_an_entry_that_does_not_show_yet_is_not_closed_either(scripted: Desk, broker: Lagging) -> None:
    """Only what both books show is sold."""
    assert click_close(scripted).is_done
    orders.place(scripted, BUY, BY_HAND)
    broker.shows(100)
    assert not click_close(scripted).is_done
    broker.shows(50)
    assert click_close(scripted).is_done
    assert broker.sold == 100


def test_books_that_disagree_for_longer_than_the_broker_needs_are_believed_as_they_are(
    scripted: Desk, broker: Lagging, clock: Ticking
) -> None:
    """After the day's order book was emptied, or a position was converted, the net is what it is."""
    assert click_close(scripted).is_done
    clock.seconds += broker.capabilities.positions_lag - 1
    assert not click_close(scripted).is_done
    clock.seconds += 1
    assert click_close(scripted).is_done
