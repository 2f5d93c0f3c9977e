"""Hypothesis plays trader, programs, crashes and a failing broker; bridge and exchange agree after every step."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, NotSent, OutcomeUnknown, Rejected, SessionExpired
from openalgo_bridge.model.order import Action, BrokerOrderId, BrokerRequest, Exchange, OrderMode, OrderRequest, Product
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.trading import approvals, orders, parked
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.watch import Watch
from tests.conftest import CHEAP, TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="machine", request_id="r1")
SYMBOLS = ("RELIANCE", "SBIN", "TCS")
REFUSALS = (Rejected, NotSent, SessionExpired)
DOUBTS = (OutcomeUnknown, TimeoutError, ConnectionResetError, KeyError, SystemExit)
MAY_HAVE_LEFT = {OrderState.SENDING, OrderState.SENT, OrderState.UNKNOWN, OrderState.PARKED}

symbols = st.sampled_from(SYMBOLS)


class OrderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FixedClock()
        self.opened: Desk = open_desk(Settings(db_dir=self.folder), self.clock, CHEAP)
        self.broker = ScriptedBroker(self.opened)
        self.desk = self._started()
        self.seen: list[Ticket] = []

    def teardown(self) -> None:
        self.opened.close()
        shutil.rmtree(self.folder)

    def _started(self) -> Desk:
        """As a start leaves it: everything in memory is new."""
        desk = replace(with_broker(self.opened, self.broker), doors=Doors())
        Watch(desk).round()
        return desk

    @rule(symbol=symbols, quantity=st.integers(1, 50))
    def place(self, symbol: str, quantity: int) -> None:
        order = OrderRequest(symbol=symbol, exchange=Exchange.NSE, action=Action.BUY, quantity=quantity)
        with contextlib.suppress(BridgeError):
            self.seen.append(orders.place(self.desk, order, ORIGIN).ticket)

    @rule(symbol=symbols, fault=st.sampled_from(DOUBTS), arrived=st.booleans(), provable=st.booleans())
    def place_at_a_failing_broker(
        self, symbol: str, fault: Callable[[str], BaseException], arrived: bool, provable: bool
    ) -> None:
        self.broker.fault, self.broker.accepts_before_fault = lambda: fault("scripted"), arrived
        self.broker.reread_after = 0.0 if provable else None
        self.place(symbol, 1)
        self.broker.fault, self.broker.accepts_before_fault = None, False

    @rule(symbol=symbols, fault=st.sampled_from(REFUSALS))
    def place_at_a_refusing_broker(self, symbol: str, fault: Callable[[str], BaseException]) -> None:
        self.broker.fault = lambda: fault("scripted")
        self.place(symbol, 1)
        self.broker.fault = None

    @rule(mode=st.sampled_from(OrderMode))
    def switch(self, mode: OrderMode) -> None:
        self.desk.store.preferences.set_order_mode(mode, by=TRADER)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), is_stale=st.booleans())
    def approve(self, data: st.DataObject, is_stale: bool) -> None:
        known = data.draw(st.sampled_from(self.seen))
        shown = known.shown if is_stale else self.desk.store.journal.ticket(known.id).shown
        with contextlib.suppress(BridgeError):
            approvals.approve(self.desk, known.id, shown, by=TRADER)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.seen))
        with contextlib.suppress(BridgeError):
            approvals.reject(self.desk, known.id, known.shown, "no", by=TRADER)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), quantity=st.integers(1, 50))
    def revise(self, data: st.DataObject, quantity: int) -> None:
        known = data.draw(st.sampled_from(self.seen))
        before = self.desk.store.journal.ticket(known.id)
        revision = (
            Revision(
                quantity=quantity,
                price=before.order.price,
                trigger_price=before.order.trigger_price,
                product=Product.MIS,
            )
            if before.order
            else None
        )
        if revision is None:
            return
        with contextlib.suppress(BridgeError):
            revised = approvals.revise(self.desk, known.id, before.shown, revision, by=TRADER)
            assert revised.state is TicketState.HELD
            with contextlib.suppress(BridgeError):
                approvals.approve(self.desk, known.id, before.shown, by=TRADER)
                raise AssertionError("something else than was shown was approved")

    @rule(symbol=symbols, has_arrived=st.booleans())
    def crash_while_sending(self, symbol: str, has_arrived: bool) -> None:
        """The process dies after the claim, before or after the exchange took it; what was in memory is gone."""
        order = OrderRequest(symbol=symbol, exchange=Exchange.NSE, action=Action.BUY, quantity=1)
        modes = self.desk.store.preferences.trading_mode(), self.desk.store.preferences.order_mode()
        with contextlib.suppress(BridgeError):
            ticket, permit = self.desk.store.journal.release(orders.draft_of(self.desk, order, ORIGIN, *modes))
            self.seen.append(ticket)
            if has_arrived:
                self.broker.place(_placing(permit))
        self.desk = self._started()

    @rule()
    def restart(self) -> None:
        self.desk = self._started()

    @rule(minutes=st.integers(-10, 10))
    def jump(self, minutes: int) -> None:
        self.clock.move(minutes=minutes)

    @rule(decision=st.sampled_from(["there", "again", "handled"]))
    def decide_what_is_parked(self, decision: str) -> None:
        """The trader looks at the exchange before he decides."""
        for order in self.desk.store.journal.parked():
            there = self.broker.book.get(order.ref)
            with contextlib.suppress(BridgeError):
                if there is not None:
                    parked.it_is_there(self.desk, order.id, BrokerOrderId(there.id), by=TRADER)
                elif decision == "again":
                    self.seen.append(parked.send_again(self.desk, order.id, by=TRADER).ticket)
                else:
                    parked.handled(self.desk, order.id, by=TRADER)

    @invariant()
    def bridge_and_exchange_agree(self) -> None:
        journal = self.desk.store.journal
        tickets = journal.tickets(limit=10_000)
        known = {order.ref: order for order in journal.orders_of([ticket.id for ticket in tickets])}
        assert len(set(self.broker.calls)) == len(self.broker.calls), "a message left twice"
        for ref in self.broker.calls:
            assert known[ref].state in MAY_HAVE_LEFT | {OrderState.REJECTED, OrderState.NOT_PLACED}
        for ref, there in self.broker.book.items():
            assert known[ref].state in MAY_HAVE_LEFT, "it is at the exchange, and the journal denies it"
            assert known[ref].request == there.request
        for order in known.values():
            assert order.state is not OrderState.SENT or order.ref in self.broker.book
            assert order.state not in {OrderState.PLANNED, OrderState.SENDING}, "nothing runs just now"

    @invariant()
    def only_released_tickets_have_orders(self) -> None:
        journal = self.desk.store.journal
        for ticket in journal.tickets(limit=10_000):
            assert (ticket.state is TicketState.RELEASED) == bool(journal.orders_of([ticket.id]))
        assert sum(self.desk.store.ticket_lists.counts(TicketFilter()).values()) == len(journal.tickets(limit=10_000))

    @invariant()
    def every_story_has_no_gap(self) -> None:
        journal = self.desk.store.journal
        for ticket in journal.tickets(limit=3):
            last: dict[int | None, str] = {}
            for event in journal.events(ticket.id):
                assert event.was == last.get(event.order_id, "")
                last[event.order_id] = event.was if event.state == "revised" else event.state
            assert last[None] == journal.ticket(ticket.id).state


def _placing(permit: SendPermit[BrokerRequest]) -> SendPermit[OrderRequest]:
    assert isinstance(permit.request, OrderRequest)
    return permit  # type: ignore[return-value]


def play(examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks, database=None
    )
    run_state_machine_as_test(OrderMachine, settings=chosen)


def test_bridge_and_exchange_agree_after_every_step() -> None:
    play(examples=30, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_bridge_and_exchange_agree_in_a_long_campaign() -> None:
    play(examples=400, steps=50)
