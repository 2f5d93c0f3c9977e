"""A position with a stop and a target beside each other, the usual bracket: both may be moved, and neither doubles."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotSent, OutcomeUnknown
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    Action,
    CancelRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    Ref,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import approvals, closing, orders, parked, recovery
from openalgo_bridge.trading.budget import BoundedBroker, Budget
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="bracket", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
TARGET = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    broker = ScriptedBroker(desk)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def bracket(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def sent(desk: Desk, order: OrderRequest) -> Sent:
    result = orders.place(desk, order, ORIGIN)
    assert isinstance(result, Sent)
    return result


@pytest.mark.parametrize("quantity", [10, 5])
def test_a_stop_is_moved_with_an_approval_while_the_target_works(bracket: Desk, quantity: int) -> None:
    stop = sent(bracket, STOP)
    sent(bracket, TARGET)
    bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    moved = replace(STOP, quantity=quantity, trigger_price=Decimal(950))
    held = orders.modify(bracket, stop.broker_order_id, moved, ORIGIN)
    assert isinstance(held, Held)
    assert isinstance(approvals.approve(bracket, held.ticket.id, held.ticket.shown, by=TRADER), Sent)


def test_a_stop_is_moved_under_the_kill_switch_and_never_made_larger(bracket: Desk) -> None:
    stop = sent(bracket, STOP)
    sent(bracket, TARGET)
    bracket.store.kill_switch.engage("stop", by=TRADER)
    assert isinstance(
        orders.modify(bracket, stop.broker_order_id, replace(STOP, trigger_price=Decimal(950)), ORIGIN), Sent
    )
    with pytest.raises(Exception, match="kill switch"):
        orders.modify(bracket, stop.broker_order_id, replace(STOP, quantity=11), ORIGIN)


def test_a_working_entry_is_not_repriced_under_the_kill_switch(bracket: Desk, broker: ScriptedBroker) -> None:
    broker.held.clear()
    entry = sent(bracket, replace(BUY, price_type=PriceType.LIMIT, price=Decimal(950)))
    bracket.store.kill_switch.engage("stop", by=TRADER)
    dearer = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(990))
    with pytest.raises(Exception, match="kill switch"):
        orders.modify(bracket, entry.broker_order_id, dearer, ORIGIN)


def test_a_target_beside_a_working_stop_can_be_approved(bracket: Desk) -> None:
    sent(bracket, STOP)
    bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(bracket, TARGET, ORIGIN)
    assert isinstance(held, Held)
    assert held.ticket.is_exit
    assert isinstance(approvals.approve(bracket, held.ticket.id, held.ticket.shown, by=TRADER), Sent)


def waiting_exit(bracket: Desk) -> Ticket:
    """The strategy's exit signal, held beside its stop that works."""
    bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(bracket, SELL, ORIGIN)
    assert isinstance(held, Held)
    return held.ticket


def fill(broker: ScriptedBroker, ref: Ref) -> None:
    there = broker.book[ref]
    broker.complete(ref)
    now = broker.held[0].quantity + there.request.action.sign * there.pending_quantity
    broker.held[0] = replace(broker.held[0], quantity=now)


def test_an_exit_that_waited_beside_a_stop_does_not_open_a_position_once_the_stop_filled(
    bracket: Desk, broker: ScriptedBroker
) -> None:
    stop = sent(bracket, STOP)
    ticket = waiting_exit(bracket)
    assert ticket.expires_at == bracket.clock.now() + timedelta(days=2, hours=5), "until Monday's session ends"
    fill(broker, stop.ticket.ref)
    with pytest.raises(Conflict, match="only 0 are left to close"):
        approvals.approve(bracket, ticket.id, ticket.shown, by=TRADER)
    assert broker.calls == [stop.ticket.ref]


def test_an_exit_that_waited_beside_a_stop_is_no_proven_one(bracket: Desk, broker: ScriptedBroker) -> None:
    """The kill switch comes on between the look and the claim: what may go beside a stop is not let through by it."""
    stop = sent(bracket, STOP)
    ticket = waiting_exit(bracket)
    broker.while_reading = lambda: bracket.store.kill_switch.engage("stop", by=TRADER)
    with pytest.raises(Denied):
        approvals.approve(bracket, ticket.id, ticket.shown, by=TRADER)
    assert broker.calls == [stop.ticket.ref]


def test_of_two_exits_that_waited_beside_a_stop_the_second_does_not_pass_flat(bracket: Desk) -> None:
    sent(bracket, STOP)
    first, second = waiting_exit(bracket), waiting_exit(bracket)
    assert isinstance(approvals.approve(bracket, first.id, first.shown, by=TRADER), Sent)
    with pytest.raises(Conflict, match="only 0 are left to close"):
        approvals.approve(bracket, second.id, second.shown, by=TRADER)


@pytest.mark.parametrize("is_stopped", [True, False], ids=["kill switch", "exits let through"])
@pytest.mark.parametrize(
    "at_once",
    [SELL, replace(STOP, trigger_price=Decimal(1000)), replace(TARGET, price=Decimal(1000))],
    ids=["market", "stop", "target"],
)
def test_a_stop_and_its_target_are_not_both_made_to_fill_at_once(
    bracket: Desk, broker: ScriptedBroker, at_once: OrderRequest, is_stopped: bool
) -> None:
    pair = [sent(bracket, each) for each in (STOP, TARGET)]
    if is_stopped:
        bracket.store.kill_switch.engage("stop", by=TRADER)
    else:
        bracket.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
        bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for each in pair:
        with suppress(Denied):
            assert isinstance(orders.modify(bracket, each.broker_order_id, at_once, ORIGIN), Held)
    assert [there.request for there in broker.book.values()] == [STOP, TARGET]


def test_a_proven_exit_that_is_sent_again_never_opens_a_position(bracket: Desk, broker: ScriptedBroker) -> None:
    bracket.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    broker.reread_after, broker.fault = None, lambda: OutcomeUnknown("timed out")
    assert isinstance(orders.place(bracket, SELL, ORIGIN), InDoubt)
    broker.fault = None
    recovery.recover(bracket)
    (order,) = bracket.store.journal.parked()
    calls = len(broker.calls)
    broker.held[0] = replace(broker.held[0], quantity=0)
    with pytest.raises(Conflict, match="only 0 are left to close"):
        parked.send_again(bracket, order.id, by=TRADER)
    assert len(broker.calls) == calls


class ModeChanging(ScriptedBroker):
    """The trader saves Semi-Auto while the first withdrawal is at the broker."""

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        super().cancel(permit)
        self.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)


def test_a_closing_that_has_withdrawn_the_stop_is_finished_under_a_new_mode(desk: Desk) -> None:
    broker = ModeChanging(desk)
    broker.hold("RELIANCE", 10)
    bracket = with_broker(desk, broker)
    sent(bracket, STOP)
    report = closing.close(bracket, CloseRequest(), ORIGIN)
    assert isinstance(report, Report)
    assert [leg.is_done for leg in report.legs] == [True, True]


@contextmanager
def every_slot_taken(budget: Budget) -> Iterator[None]:
    let_go, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with budget.slot():
            taken.set()
            let_go.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(30)
    yield
    let_go.set()
    holder.join()


def test_the_proof_of_an_exit_takes_a_place_that_is_kept_back(desk: Desk, broker: ScriptedBroker) -> None:
    budget = Budget(1)
    crowded = replace(with_broker(desk, BoundedBroker(broker, budget)), budget=budget)
    sent(crowded, BUY)
    broker.book.clear()
    crowded.store.kill_switch.engage("stop", by=TRADER)
    with every_slot_taken(budget):
        assert isinstance(orders.place(crowded, SELL, ORIGIN), Sent)


def test_a_stop_is_moved_while_every_slot_is_taken(desk: Desk, broker: ScriptedBroker) -> None:
    budget = Budget(1)
    crowded = replace(with_broker(desk, BoundedBroker(broker, budget)), budget=budget)
    sent(crowded, BUY)
    broker.book.clear()
    stop = sent(crowded, STOP)
    with every_slot_taken(budget):
        moved = orders.modify(crowded, stop.broker_order_id, replace(STOP, trigger_price=Decimal(950)), ORIGIN)
    assert isinstance(moved, Sent)


class Quoteless(ScriptedBroker):
    """Its books can be read, its prices cannot."""

    is_mute = False

    def quote(self, instrument: Instrument) -> Quote:
        if self.is_mute:
            raise NotSent("quotes are down")
        return super().quote(instrument)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_proven_exit_is_approved_although_its_price_cannot_be_compared(desk: Desk, is_stopped: bool) -> None:
    broker = Quoteless(desk)
    broker.hold("RELIANCE", 10)
    bracket = with_broker(desk, broker)
    bracket.store.guards.save(GuardSettings(price_drift=Decimal(1)), by=TRADER)
    bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(bracket, SELL, ORIGIN)
    assert isinstance(held, Held)
    broker.is_mute = True
    if is_stopped:
        bracket.store.kill_switch.engage("stop", by=TRADER)
    assert isinstance(approvals.approve(bracket, held.ticket.id, held.ticket.shown, by=TRADER), Sent)


def test_a_stop_is_not_made_a_second_target_under_the_kill_switch(bracket: Desk, broker: ScriptedBroker) -> None:
    """Of two targets at one price both fill."""
    stop = sent(bracket, STOP)
    sent(bracket, TARGET)
    bracket.store.kill_switch.engage("stop", by=TRADER)
    with pytest.raises(Denied):
        orders.modify(bracket, stop.broker_order_id, TARGET, ORIGIN)
    assert broker.book[stop.ticket.ref].request == STOP


def test_a_stop_beside_a_target_waits_while_nobody_knows_whether_it_would_fill_at_once(desk: Desk) -> None:
    broker = Quoteless(desk)
    broker.hold("RELIANCE", 10)
    bracket = with_broker(desk, broker)
    stop = sent(bracket, STOP)
    sent(bracket, TARGET)
    broker.is_mute = True
    bracket.store.kill_switch.engage("stop", by=TRADER)
    moved = orders.modify(bracket, stop.broker_order_id, replace(STOP, trigger_price=Decimal(950)), ORIGIN)
    assert isinstance(moved, Held)
    assert "quotes are down" in moved.reason


def test_an_entry_whose_price_cannot_be_compared_stays_held(desk: Desk) -> None:
    broker = Quoteless(desk)
    bracket = with_broker(desk, broker)
    bracket.store.guards.save(GuardSettings(price_drift=Decimal(1)), by=TRADER)
    bracket.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(bracket, BUY, ORIGIN)
    assert isinstance(held, Held)
    broker.is_mute = True
    with pytest.raises(Conflict, match="quotes are down"):
        approvals.approve(bracket, held.ticket.id, held.ticket.shown, by=TRADER)
    assert broker.calls == []
