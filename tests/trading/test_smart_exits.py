"""Who wants out must get out: beside his target, whatever quantity the request names, in as many steps as he likes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, NotSent
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, PriceType, SmartOrderRequest
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, orders, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.smart import NothingToDo
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
SELL = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.SELL, quantity=10)
TARGET = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
OUT = SmartOrderRequest(order=SELL, position_size=0)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    broker = ScriptedBroker(desk)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def test_a_target_that_waits_for_its_price_keeps_nobody_in(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, TARGET, ORIGIN)
    result, note = smart.place(scripted, OUT, ORIGIN)
    assert isinstance(result, Sent)
    assert note == "Still working: SELL 10 (limit)."
    again, _ = smart.place(scripted, OUT, ORIGIN)
    assert isinstance(again, NothingToDo), "the exit itself is on its way"
    assert len(broker.book) == 2


def test_a_limit_that_fills_at_this_price_is_on_its_way_out(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, replace(TARGET, price=Decimal(1000)), ORIGIN)
    result, _ = smart.place(scripted, OUT, ORIGIN)
    assert isinstance(result, NothingToDo)
    assert result.message == "No Action needed. Still working: SELL 10."
    assert len(broker.book) == 1


def test_a_target_asked_for_twice_works_once(scripted: Desk, broker: ScriptedBroker) -> None:
    wanted = SmartOrderRequest(order=TARGET, position_size=0)
    assert isinstance(smart.place(scripted, wanted, ORIGIN)[0], Sent)
    assert isinstance(smart.place(scripted, wanted, ORIGIN)[0], NothingToDo)
    assert len(broker.book) == 1


def test_where_the_price_cannot_be_read_an_exit_beside_a_target_waits(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, TARGET, ORIGIN)

    def no_quotes() -> None:
        broker.unreadable = NotSent("no quotes today") if broker.reads[-1] == "quote" else None

    broker.while_reading = no_quotes
    held, _ = smart.place(scripted, OUT, ORIGIN)
    assert isinstance(held, Held)
    assert "no quotes today" in held.reason
    assert len(broker.book) == 1


def test_a_held_exit_beside_a_target_can_be_approved(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, TARGET, ORIGIN)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held, _ = smart.place(scripted, OUT, ORIGIN)
    assert isinstance(held, Held)
    seen = {("NSE", "RELIANCE", "MIS"): -10}
    report = approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER, seen=seen)
    assert isinstance(report, Report)
    assert report.is_done


def test_leaving_in_equal_steps_is_no_repeated_signal(desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    for size in (20, 10, 0):
        result, _ = smart.place(desk, SmartOrderRequest(order=SELL, position_size=size), ORIGIN)
        assert isinstance(result, Sent)


def test_an_order_of_the_same_size_is_no_repeat_of_a_smart_one(desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    smart.place(desk, SmartOrderRequest(order=SELL, position_size=-10), ORIGIN)
    assert isinstance(orders.place(desk, SELL, ORIGIN), Sent)


@pytest.fixture
def future(desk: Desk) -> OrderRequest:
    """One of more than one unit a lot, of which two are held."""
    desk.store.instrument_lists.roll()
    listed = next(each for each in desk.store.instruments.stream(Exchange.NFO) if each.lot > 1 and each.expiry)
    entry = replace(SELL, symbol=listed.symbol, exchange=Exchange.NFO, action=Action.BUY, quantity=2 * listed.lot)
    assert isinstance(orders.place(desk, entry, ORIGIN), Sent)
    return entry


def test_the_quantity_of_a_request_counts_only_while_the_position_is_flat(desk: Desk, future: OrderRequest) -> None:
    out = SmartOrderRequest(
        order=replace(future, action=Action.SELL, quantity=1, disclosed_quantity=1), position_size=0
    )
    assert isinstance(smart.place(desk, out, ORIGIN)[0], Sent)
    assert isinstance(smart.place(desk, out, ORIGIN)[0], NothingToDo)
    desk.store.preferences.set_smart_orders(SmartOrderSettings(opens_while_flat=True), by=TRADER)
    with pytest.raises(Invalid, match="multiples of lot size"):
        smart.place(desk, out, ORIGIN)
