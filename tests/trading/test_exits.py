"""Exits in Semi-Auto: let through when they are proven, never past flat, whoever races with whom."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, NotSent, OutcomeUnknown
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import approvals, closing, exits, orders, parked, recovery
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
RESTING_SELL = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    """Semi-Auto, with exits let through."""
    desk.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return with_broker(desk, broker)


def test_a_proven_exit_is_sent(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Sent)


@pytest.mark.parametrize(("held", "order"), [(10, BUY), (0, SELL), (9, SELL), (-10, SELL)])
def test_what_is_no_exit_waits(scripted: Desk, broker: ScriptedBroker, held: int, order: OrderRequest) -> None:
    broker.hold("RELIANCE", held)
    assert isinstance(orders.place(scripted, order, ORIGIN), Held)
    assert broker.calls == []


def test_an_exit_waits_unless_exits_are_let_through(scripted: Desk, broker: ScriptedBroker, desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(), by=TRADER)
    broker.hold("RELIANCE", 10)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Held)


def test_an_exit_whose_position_cannot_be_read_is_held_with_an_alarm(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    broker.unreadable = NotSent("no connection")
    held = orders.place(scripted, SELL, ORIGIN)
    assert isinstance(held, Held)
    assert "cannot be read: no connection" in held.reason


def test_what_is_working_or_in_doubt_on_the_same_side_takes_the_room(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 20)
    assert isinstance(orders.place(scripted, RESTING_SELL, ORIGIN), Sent)
    broker.fault = lambda: OutcomeUnknown("timed out")
    assert isinstance(orders.place(scripted, replace(SELL, quantity=5), ORIGIN), InDoubt)
    broker.fault = None
    assert isinstance(orders.place(scripted, replace(SELL, quantity=6), ORIGIN), Held)
    assert isinstance(orders.place(scripted, replace(SELL, quantity=5), ORIGIN), Sent)


def test_a_change_of_an_exit_is_an_exit_as_long_as_it_does_not_pass_flat(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 12)
    sent = orders.place(scripted, RESTING_SELL, ORIGIN)
    assert isinstance(sent, Sent)
    larger = replace(RESTING_SELL, quantity=12)
    assert isinstance(orders.modify(scripted, sent.broker_order_id, larger, ORIGIN), Sent)
    assert isinstance(orders.modify(scripted, sent.broker_order_id, replace(larger, quantity=13), ORIGIN), Held)


def partly_filled(scripted: Desk, broker: ScriptedBroker) -> BrokerOrderId:
    """An exit of 100 that is working, of which 40 are sold."""
    broker.hold("RELIANCE", 100)
    sent = orders.place(scripted, replace(RESTING_SELL, quantity=100), ORIGIN)
    assert isinstance(sent, Sent)
    broker.book[sent.ticket.ref] = replace(broker.book[sent.ticket.ref], filled_quantity=40)
    broker.held[0] = replace(broker.held[0], quantity=60)
    return sent.broker_order_id


def test_an_exit_that_is_partly_filled_can_be_repriced_while_the_kill_switch_is_on(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    order_id = partly_filled(scripted, broker)
    scripted.store.kill_switch.engage("feed is wrong", by=TRADER)
    cheaper = replace(RESTING_SELL, quantity=100, price=Decimal(1050))
    assert isinstance(orders.modify(scripted, order_id, cheaper, ORIGIN), Sent)
    with pytest.raises(Denied):
        orders.modify(scripted, order_id, replace(cheaper, quantity=101), ORIGIN)


def test_a_change_of_an_exit_that_is_partly_filled_is_held_as_an_exit(
    scripted: Desk, broker: ScriptedBroker, desk: Desk
) -> None:
    order_id = partly_filled(scripted, broker)
    desk.store.guards.save(GuardSettings(), by=TRADER)
    held = orders.modify(scripted, order_id, replace(RESTING_SELL, quantity=100, price=Decimal(1050)), ORIGIN)
    assert isinstance(held, Held)
    assert held.ticket.is_exit
    assert isinstance(approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER), Sent)


@pytest.mark.parametrize("is_stopped", [True, False], ids=["kill switch", "semi-auto"])
def test_an_entry_does_not_pass_as_an_exit_of_another_product(
    scripted: Desk, broker: ScriptedBroker, is_stopped: bool
) -> None:
    broker.hold("RELIANCE", -100)
    resting = replace(BUY, product=Product.CNC, price_type=PriceType.LIMIT, price=Decimal(900), quantity=1)
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    entry = orders.place(scripted, resting, ORIGIN)
    assert isinstance(entry, Sent)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    if is_stopped:
        scripted.store.kill_switch.engage("feed is wrong", by=TRADER)
    as_exit = replace(resting, product=Product.MIS, quantity=100)
    with pytest.raises(Invalid, match="product CNC"):
        orders.modify(scripted, entry.broker_order_id, as_exit, ORIGIN)
    assert broker.calls == [entry.ticket.ref]


def test_eight_exits_at_once_never_pass_flat(scripted: Desk, broker: ScriptedBroker) -> None:
    """They all read the same position; the claims decide who fits."""
    broker.hold("RELIANCE", 30)
    outcomes = in_threads(8, lambda: orders.place(scripted, SELL, ORIGIN))
    assert len([outcome for outcome in outcomes if isinstance(outcome, Sent)]) == 3
    assert len([outcome for outcome in outcomes if isinstance(outcome, Held)]) == 5
    assert len(broker.calls) == 3


def test_exits_that_fill_while_others_are_proven_never_pass_flat(desk: Desk) -> None:
    """The paper exchange fills at once, so a position shrinks between one reading and the next claim."""
    buy = replace(BUY, quantity=50)
    orders.place(desk, buy, ORIGIN)
    desk.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for _ in range(4):
        in_threads(8, lambda: orders.place(desk, replace(SELL, quantity=7), ORIGIN))
        (position,) = desk.broker(TradingMode.ANALYZE).positions()
        assert position.quantity >= 0
    assert position.quantity == 50 % 7


def test_approvals_of_exits_beside_the_kill_switch_never_pass_flat(
    scripted: Desk, broker: ScriptedBroker, desk: Desk
) -> None:
    desk.store.guards.save(GuardSettings(), by=TRADER)
    broker.hold("RELIANCE", 10)
    tickets = [orders.place(scripted, SELL, ORIGIN).ticket for _ in range(4)]
    desk.store.kill_switch.engage("stop", by=TRADER)
    waiting = iter(tickets)

    def approve() -> object:
        ticket = next(waiting)
        return approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)

    outcomes = in_threads(4, approve)
    assert len([each for each in outcomes if isinstance(each, Sent)]) == 1
    assert len([each for each in outcomes if isinstance(each, BridgeError)]) == 3
    assert len(broker.calls) == 1


def test_a_closing_order_in_doubt_that_is_sent_again_is_an_exit_or_stays(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10)
    broker.reread_after, broker.fault = None, lambda: OutcomeUnknown("timed out")
    closing.close(scripted, CloseRequest(), replace(ORIGIN, source="page", may_trade_live=True))
    broker.fault = None
    recovery.recover(scripted)
    broker.held[0] = replace(broker.held[0], quantity=0)
    (order,) = scripted.store.journal.parked()
    with pytest.raises(Conflict, match="It arrived as an exit of 10, but only 0 are left"):
        parked.send_again(scripted, order.id, by=TRADER)
    assert broker.calls == [order.ref]


def test_a_filled_order_takes_no_room_twice(scripted: Desk, broker: ScriptedBroker) -> None:
    """Once a later reading shows what an exit did, it counts there and nowhere else."""
    broker.hold("RELIANCE", 20)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Sent)
    (done,) = broker.book.values()
    broker.complete(done.tag)
    broker.held.clear()
    broker.hold("RELIANCE", 10)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Sent)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Held)


def two_planned(desk: Desk) -> tuple[int, int]:
    """The closing orders of two closings of the same position, neither of them claimed yet: the second could not be
    proven, so it did not take over from the first.
    """
    first, second = (
        desk.store.journal.plan(
            orders.draft_of(desk, CloseRequest(), ORIGIN, TradingMode.ANALYZE, OrderMode.SEMI_AUTO),
            [SELL],
            spares=[SELL],
        )[1][0].id
        for _ in range(2)
    )
    return first, second


def test_what_another_closing_had_planned_counts_once_it_is_claimed(scripted: Desk, broker: ScriptedBroker) -> None:
    """It stood in the journal before the reading, and went out after it: the reading knows nothing of it."""
    broker.hold("RELIANCE", 10)
    first, second = two_planned(scripted)
    proofs = [exits.prove(scripted, broker, SELL, TradingMode.ANALYZE) for _ in range(2)]
    scripted.store.journal.claim(first, reserve=proofs[0])
    with pytest.raises(Conflict):
        scripted.store.journal.claim(second, reserve=proofs[1])


def test_what_another_closing_had_planned_and_dropped_takes_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    first, second = two_planned(scripted)
    proof = exits.prove(scripted, broker, SELL, TradingMode.ANALYZE)
    scripted.store.journal.settle(first, Settlement(state=OrderState.DROPPED), was=OrderState.PLANNED)
    assert scripted.store.journal.claim(second, reserve=proof).order_id == second
