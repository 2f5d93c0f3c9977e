"""Hypothesis plays trader, programs, crashes and a failing broker; bridge and exchange agree after every step."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, NotSent, OutcomeUnknown, Rejected, SessionExpired
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    BrokerRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    Ref,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import PAGE, Operation, Origin, Ticket, order_of, target_of
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.trading import approvals, closing, orders, parked
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

LIMITS = (GuardSettings(), GuardSettings(maximum_quantity=20), GuardSettings(let_exits_through=True))

symbols = st.sampled_from(SYMBOLS)


class FillingBroker(ScriptedBroker):
    """Fills a MARKET order at once; whatever else rests. ``on_sent`` sees each order and change before that, with the
    signed position of its symbol.
    """

    on_sent: Callable[[SendPermit[BrokerRequest], int], None]

    def net(self, symbol: str) -> int:
        fills = (there for there in self.book.values() if there.request.symbol == symbol)
        return sum(there.filled_quantity * there.request.action.sign for there in fills)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self.on_sent(cast("SendPermit[BrokerRequest]", permit), self.net(permit.request.symbol))
        try:
            return super().place(permit)
        finally:
            there = self.book.get(permit.ref)
            if there is not None and there.request.price_type is PriceType.MARKET:
                self.complete(permit.ref)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        self.on_sent(cast("SendPermit[BrokerRequest]", permit), self.net(permit.request.order.symbol))
        self._check_working(permit.request.broker_order_id)
        super().modify(permit)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self._check_working(permit.request.broker_order_id)
        super().cancel(permit)

    def positions(self) -> list[Position]:
        self.held.clear()
        for symbol in SYMBOLS:
            self.hold(symbol, self.net(symbol))
        return super().positions()

    def _check_working(self, order_id: BrokerOrderId) -> None:
        if not self._named(order_id).status.is_working:
            raise Rejected("It is over.")


class OrderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FixedClock()
        self.opened: Desk = open_desk(Settings(db_dir=self.folder), self.clock, CHEAP)
        self.broker = FillingBroker(self.opened)
        self.broker.on_sent = self._look_at
        self.desk = self._started()
        self.seen: list[Ticket] = []
        self.let_through: set[Ref] = set()
        self.is_closing = False
        self.faults: list[str] = []

    def teardown(self) -> None:
        self.opened.close()
        shutil.rmtree(self.folder)

    def _started(self) -> Desk:
        """As a start leaves it: everything in memory is new."""
        desk = replace(with_broker(self.opened, self.broker), doors=Doors())
        Watch(desk).round()
        return desk

    def _look_at(self, permit: SendPermit[BrokerRequest], net: int) -> None:
        """At the broker's door. A fault is kept for an invariant: raised here, it would be an order in doubt."""
        order, limits = order_of(permit.request), self.desk.store.guards.load()
        assert order is not None
        if order.quantity <= exits.reducible(net, order.action):
            if limits.let_exits_through:
                self.let_through.add(permit.ref)
            return
        if self.is_closing:
            self.faults.append(f"a closing would turn {order.symbol} round, or open it")
        if self.desk.store.kill_switch.state().is_on:
            self.faults.append("an entry was sent while the kill switch was on")
        if limits.maximum_quantity is not None and order.quantity > limits.maximum_quantity:
            self.faults.append("an entry was sent above the limit")

    @rule(symbol=symbols, quantity=st.integers(1, 50), action=st.sampled_from(Action), rests=st.booleans())
    def place(self, symbol: str, quantity: int, action: Action = Action.BUY, rests: bool = False) -> None:
        order = OrderRequest(
            symbol=symbol,
            exchange=Exchange.NSE,
            action=action,
            quantity=quantity,
            price_type=PriceType.LIMIT if rests else PriceType.MARKET,
            price=self.broker.ltp if rests else Decimal(0),
        )
        with contextlib.suppress(BridgeError):
            self.seen.append(orders.place(self.desk, order, ORIGIN).ticket)

    def _working(self) -> list[BrokerOrder]:
        return [there for there in self.broker.book.values() if there.status.is_working]

    @precondition(lambda self: self._working())
    @rule(data=st.data(), quantity=st.integers(1, 50), mode=st.sampled_from(OrderMode))
    def modify(self, data: st.DataObject, quantity: int, mode: OrderMode) -> None:
        self.switch(mode)
        there = data.draw(st.sampled_from(self._working()))
        with contextlib.suppress(BridgeError):
            wanted = replace(there.request, quantity=quantity)
            self.seen.append(orders.modify(self.desk, there.id, wanted, ORIGIN).ticket)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.seen))
        with contextlib.suppress(BridgeError):
            self.seen.append(orders.cancel(self.desk, known.ref, ORIGIN).ticket)

    @rule(source=st.sampled_from(["api", PAGE]))
    def close(self, source: str) -> None:
        self.is_closing = True
        with contextlib.suppress(BridgeError):
            asked = closing.close(self.desk, CloseRequest(), replace(ORIGIN, source=source, may_trade_live=True))
            self.seen.append(asked.ticket)
        self.is_closing = False

    @rule(is_on=st.booleans())
    def stop(self, is_on: bool) -> None:
        if is_on:
            self.desk.store.kill_switch.engage("machine", by=TRADER)
        else:
            self.desk.store.kill_switch.release(by=TRADER)

    @rule(limits=st.sampled_from(LIMITS))
    def limit(self, limits: GuardSettings) -> None:
        self.desk.store.guards.save(limits, by=TRADER)

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
        self.is_closing = known.operation is Operation.CLOSE
        seen = {position_of(each): each.quantity for each in self.broker.positions() if each.quantity}
        with contextlib.suppress(BridgeError):
            approvals.approve(self.desk, known.id, shown, by=TRADER, seen=seen)
        self.is_closing = False

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
        journal, preferences = self.desk.store.journal, self.desk.store.preferences
        draft = orders.draft_of(self.desk, order, ORIGIN, preferences.trading_mode(), preferences.order_mode())
        with contextlib.suppress(BridgeError):
            if draft.order_mode is OrderMode.AUTO:
                ticket, permit = journal.release(draft)
            else:
                ticket = journal.hold(draft, expires_at=None, reason="")
                _, permit = journal.approve(ticket.id, ticket.shown, by=TRADER)
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
            changes = [order.request for order in known.values() if target_of(order.request) == there.id]
            sent = [known[ref].request, *(change.order for change in changes if isinstance(change, ModifyRequest))]
            assert there.request in sent
        for order in known.values():
            was_placed = order.operation is Operation.PLACE
            assert order.state is not OrderState.SENT or not was_placed or order.ref in self.broker.book
            assert order.state is not OrderState.SENT or order.ref in self.broker.calls
            assert order.state not in {OrderState.PLANNED, OrderState.SENDING}, "nothing runs just now"

    @invariant()
    def only_released_tickets_have_orders(self) -> None:
        journal = self.desk.store.journal
        for ticket in journal.tickets(limit=10_000):
            has_orders = bool(journal.orders_of([ticket.id]))
            nothing_to_do = ticket.operation is Operation.CLOSE and not has_orders
            assert (ticket.state is TicketState.RELEASED) == has_orders or nothing_to_do
        assert sum(self.desk.store.ticket_lists.counts(TicketFilter()).values()) == len(journal.tickets(limit=10_000))

    @invariant()
    def nothing_was_sent_that_was_forbidden(self) -> None:
        assert self.faults == []

    @invariant()
    def nothing_was_sent_without_permission(self) -> None:
        """In Auto, by the person's word, as a cancel, or as an exit that was let through."""
        journal = self.desk.store.journal
        for ticket in journal.tickets(limit=10_000):
            if ticket.order_mode is OrderMode.AUTO or ticket.origin.is_by_hand:
                continue
            sent = [each for each in journal.orders_of([ticket.id]) if each.ref in self.broker.calls]
            if all(each.operation.is_cancel or each.ref in self.let_through for each in sent):
                continue
            moves = [(event.was, event.state) for event in journal.events(ticket.id)]
            assert ("held", "approved") in moves, f"{ticket.ref} was sent without permission"

    @invariant()
    def every_story_has_no_gap(self) -> None:
        journal = self.desk.store.journal
        for ticket in journal.tickets(limit=3):
            last: dict[int | None, str] = {}
            for event in journal.events(ticket.id):
                assert event.was == last.get(event.order_id, "")
                last[event.order_id] = event.was if event.state in {"revised", "refused"} else event.state
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
    play(examples=20, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_bridge_and_exchange_agree_in_a_long_campaign() -> None:
    play(examples=400, steps=50)
