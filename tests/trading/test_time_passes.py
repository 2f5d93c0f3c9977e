"""What the clock does at a broker of ours is done by the timer, before any order is let in, and told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, Product, TradingMode
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.doors import Doors, DoorState
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.watch import Watch
from tests.conftest import FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


def test_a_bridge_that_was_off_for_a_week_finds_its_day_closed(desk: Desk, clock: FixedClock) -> None:
    clock.moment = datetime(2026, 11, 20, 10, tzinfo=IST)
    for product in (Product.MIS, Product.CNC):
        assert isinstance(orders.place(desk, replace(BUY, product=product), ORIGIN), Sent)
    clock.moment = datetime(2026, 11, 27, 10, tzinfo=IST)
    started = replace(desk, doors=Doors())
    Watch(started).round()
    assert started.doors.state is DoorState.OPEN
    paper = started.broker(TradingMode.ANALYZE)
    assert list(paper.positions()) == []
    assert [(each.symbol, each.quantity) for each in paper.holdings()] == [("RELIANCE", 10)]
    assert paper.funds().used == 0
    assert started.store.breaks.open() == [], "orders of the exchange itself are nobody's dispute"


def test_what_a_broker_has_to_tell_is_told_once(desk: Desk) -> None:
    broker = ScriptedBroker(desk, news=["A contract could not be settled."])
    told: list[str] = []
    watch = Watch(replace(with_broker(desk, broker), doors=Doors()), tell=told.append)
    watch.round()
    watch.round()
    assert told.count("A contract could not be settled.") == 1
