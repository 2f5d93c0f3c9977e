"""One smart order at a time for each position: who comes second reads and sends nothing until the first is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    OrderMode,
    OrderRequest,
    Product,
    SmartOrderRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.turns import Turns
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, each_in_a_thread, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
WANTED = SmartOrderRequest(order=ORDER, position_size=10)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    """Of two who wait for one turn, one is refused at once."""
    return replace(with_broker(desk, broker), turns=Turns(quick_s=0))


@contextmanager
def turn_of(desk: Desk, order: OrderRequest) -> Iterator[ExitStack]:
    """As while another request for the position is being done, until the stack is closed."""
    with ExitStack() as held:
        held.enter_context(desk.turns.of((TradingMode.ANALYZE, position_of(order))))
        yield held


def test_a_request_for_a_position_that_is_being_reached_reads_nothing_and_sends_nothing(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    def place() -> object:
        return smart.place(scripted, WANTED, ORIGIN)[0]

    with turn_of(scripted, ORDER) as held, each_in_a_thread(place, place) as outcomes:
        assert isinstance(outcomes.get(), Busy)
        assert (broker.reads, broker.calls) == ([], [])
        held.close()
        assert isinstance(outcomes.get(), Sent)
    assert [each.request.quantity for each in broker.book.values()] == [10]


def test_an_approval_of_a_position_that_is_being_reached_reads_nothing_and_sends_nothing(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    ticket = smart.place(scripted, WANTED, ORIGIN)[0]
    assert isinstance(ticket, Held)
    broker.reads.clear()
    shown, seen = ticket.ticket.shown, {position_of(ORDER): 10}

    def approve() -> Report:
        return approvals.approve(scripted, ticket.ticket.id, shown, by=TRADER, seen=seen)

    with turn_of(scripted, ORDER) as held, each_in_a_thread(approve, approve) as outcomes:
        assert isinstance(outcomes.get(), Busy)
        assert (broker.reads, broker.calls) == ([], [])
        held.close()
        assert isinstance(outcomes.get(), Report)
    assert len(broker.calls) == 1


@pytest.mark.parametrize("other", [replace(ORDER, symbol="TCS"), replace(ORDER, product=Product.CNC)])
def test_a_request_for_another_position_goes_through(
    scripted: Desk, broker: ScriptedBroker, other: OrderRequest
) -> None:
    with turn_of(scripted, ORDER):
        assert isinstance(smart.place(scripted, replace(WANTED, order=other), ORIGIN)[0], Sent)
    (order,) = broker.book.values()
    assert position_of(order.request) == position_of(other)
