"""A database that fails at any one statement, or is full at any one page: nothing leaves without its row on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, OutcomeUnknown
from openalgo_bridge.model.order import (
    Action,
    CancelAllRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
)
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import approvals, closing, orders, parked
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.sending import write_again
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker
from tests.faults import NthFails, WatchedDatabase, with_database
from tests.trading.test_stopping import Filling

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
BY_HAND = replace(ORIGIN, source=PAGE)
STOP = replace(BUY, action=Action.SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
MAY_HAVE_LEFT = {OrderState.SENDING, OrderState.SENT, OrderState.UNKNOWN}


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def fault() -> NthFails:
    return NthFails()


@pytest.fixture
def failing(desk: Desk, broker: ScriptedBroker, fault: NthFails) -> Iterator[Desk]:
    database = WatchedDatabase(desk.store.files[0].path, before=fault.before, after=fault.after)
    yield with_database(with_broker(desk, broker), database)
    database.close()


@contextlib.contextmanager
def unless_claimed_nothing_is_sent(broker: ScriptedBroker, fault: NthFails) -> Iterator[None]:
    """One attempt, which may be refused. Where the fault came before the claim was on the disk, nothing leaves."""
    before = len(broker.calls)
    with contextlib.suppress(BridgeError):
        yield
    if fault.has_failed and not fault.was_claimed:
        assert len(broker.calls) == before, f"sent although statement {fault.n} failed before the claim"


def check(desk: Desk, broker: ScriptedBroker) -> None:
    """Whatever failed: no message without an intent, none twice, and none called sent that never left."""
    orders_now = desk.store.journal.orders_of([ticket.id for ticket in desk.store.journal.tickets(limit=1000)])
    by_ref = {order.ref: order for order in orders_now}
    assert len(set(broker.calls)) == len(broker.calls)
    for ref in broker.calls:
        assert by_ref[ref].state in MAY_HAVE_LEFT
    for order in orders_now:
        assert order.state is not OrderState.SENT or order.ref in broker.calls


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("mode", OrderMode)
def test_whichever_statement_of_a_submission_fails_nothing_is_sent_without_its_row(
    desk: Desk, failing: Desk, broker: ScriptedBroker, fault: NthFails, mode: OrderMode, is_late: bool
) -> None:
    desk.store.preferences.set_order_mode(mode, by=TRADER)
    for _ in fault.each_statement(is_late=is_late):
        with unless_claimed_nothing_is_sent(broker, fault):
            orders.place(failing, BUY, ORIGIN)
        check(desk, broker)
        # Otherwise the next one is held, because the symbol is in doubt.
        recover(with_broker(desk, broker))
        check(desk, broker)
    assert fault.failures >= 7, "to judge it and to write it down takes at least so many"
    assert (broker.calls == []) == (mode is OrderMode.SEMI_AUTO)


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_whichever_statement_of_an_approval_fails_the_order_goes_at_most_once(
    desk: Desk, failing: Desk, broker: ScriptedBroker, fault: NthFails, is_late: bool
) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for _ in fault.each_statement(is_late=is_late):
        held = orders.place(with_broker(desk, broker), BUY, ORIGIN).ticket
        with unless_claimed_nothing_is_sent(broker, fault):
            approvals.approve(failing, held.id, held.shown, by=TRADER)
        with contextlib.suppress(BridgeError):
            approvals.approve(failing, held.id, held.shown, by=TRADER)
        check(desk, broker)
        recover(with_broker(desk, broker))
        check(desk, broker)
        state = desk.store.journal.ticket(held.id).state
        assert (state is TicketState.RELEASED) or held.ref not in broker.calls
    assert fault.failures >= 10


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_whichever_statement_of_sending_again_fails_it_goes_at_most_once(
    desk: Desk, failing: Desk, broker: ScriptedBroker, fault: NthFails, is_late: bool
) -> None:
    for _ in fault.each_statement(is_late=is_late):
        broker.reread_after = None
        broker.fault = lambda: TimeoutError("read")
        doubt = orders.place(with_broker(desk, broker), BUY, ORIGIN).ticket
        recover(with_broker(desk, broker))
        broker.fault, broker.reread_after = None, 0.0
        (order,) = desk.store.journal.orders_of([doubt.id])
        assert order.state is OrderState.PARKED
        sent_before = len(broker.book)
        for _ in range(2):
            with contextlib.suppress(BridgeError):
                parked.send_again(failing, order.id, by=TRADER)
        recover(with_broker(desk, broker))
        assert len(broker.book) - sent_before <= 1
        for left in desk.store.journal.parked():
            parked.handled(desk, left.id, by=TRADER)
        for waiting in desk.store.journal.held():
            approvals.reject(desk, waiting.id, waiting.shown, "", by=TRADER)
    assert fault.failures >= 10


def planned(desk: Desk) -> list[OrderRequest]:
    """The orders to place that wait for their claim."""
    waiting = (each for each in desk.store.journal.on_their_way() if each.state is OrderState.PLANNED)
    return [each.request for each in waiting if isinstance(each.request, OrderRequest)]


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_whichever_statement_of_a_closing_fails_what_it_sent_is_told_and_the_next_one_closes(
    desk: Desk, fault: NthFails, is_late: bool
) -> None:
    broker = Filling(desk)
    sound = with_broker(desk, broker)
    database = WatchedDatabase(desk.store.files[0].path, before=fault.before, after=fault.after)
    for n in fault.each_statement(is_late=is_late):
        orders.place(sound, BUY, ORIGIN)
        orders.place(sound, STOP, ORIGIN)
        sent, report = len(broker.calls), None
        with contextlib.suppress(BridgeError):
            report = closing.close(with_database(sound, database), CloseRequest(), BY_HAND)
        assert report is not None or len(broker.calls) == sent, f"statement {n}: something was sent and nothing told"
        write_again(sound)
        if any(each.state is OrderState.SENDING for each in desk.store.journal.doubts()):
            recover(sound)
        closing.close(sound, CloseRequest(), BY_HAND)
        closing.cancel_all(sound, CancelAllRequest(), ORIGIN)
        assert (broker.net, broker.working, planned(sound)) == (0, 0, []), f"statement {n}"
    database.close()
    assert fault.failures >= 25


def test_whichever_statement_of_a_closing_that_is_kept_back_fails_none_of_its_orders_waits_for_good(
    desk: Desk, fault: NthFails
) -> None:
    broker = Filling(desk)
    sound = with_broker(desk, broker)
    database = WatchedDatabase(desk.store.files[0].path, before=fault.before, after=fault.after)
    broker.stand_at(10)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(sound, STOP, ORIGIN)
    broker.fault = None
    for n in fault.each_statement():
        with contextlib.suppress(BridgeError):
            closing.close(with_database(sound, database), CloseRequest(), BY_HAND)
        write_again(sound)
        assert planned(sound) == [], f"statement {n}"
    database.close()
    assert (broker.net, len(broker.calls)) == (10, 1)
    assert fault.failures >= 20


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_whichever_statement_of_cancel_all_fails_what_it_sent_is_told(
    desk: Desk, failing: Desk, broker: ScriptedBroker, fault: NthFails, is_late: bool
) -> None:
    for n in fault.each_statement(is_late=is_late):
        orders.place(with_broker(desk, broker), STOP, ORIGIN)
        sent, report = len(broker.calls), None
        with contextlib.suppress(BridgeError):
            report = closing.cancel_all(failing, CancelAllRequest(), ORIGIN)
        assert report is not None or len(broker.calls) == sent, f"statement {n}: something was sent and nothing told"
        recover(with_broker(desk, broker))
        closing.cancel_all(with_broker(desk, broker), CancelAllRequest(), ORIGIN)
        assert not [each for each in broker.order_book() if each.status.is_working]
    assert fault.failures >= 15


@pytest.mark.parametrize("act", ["submit", "approve"])
def test_a_disk_that_is_full_at_any_page_sends_nothing_without_its_row(
    desk: Desk, broker: ScriptedBroker, act: str
) -> None:
    scripted = with_broker(desk, broker)
    database = desk.store.files[0]

    def pages(pragma: str) -> int:
        row = database.read_one(pragma)
        assert row is not None
        return int(row[0])

    refused = 0
    if act == "approve":
        scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for room in [0, 0, 0, 1, 1, 2, 3, 5, 8] * 2:
        held = [orders.place(scripted, BUY, ORIGIN).ticket for _ in range(20 if act == "approve" else 0)]
        attempts: list[Callable[[], object]] = [
            *(partial(approvals.approve, scripted, each.id, each.shown, by=TRADER) for each in held),
            *([partial(orders.place, scripted, BUY, ORIGIN)] * (20 - len(held))),
        ]
        # The room that is left inside pages is used up first, so that the limit is met in the middle of a ticket.
        database.read(f"PRAGMA max_page_count = {pages('PRAGMA page_count') + room}")
        for attempt in attempts:
            sent = len(broker.calls)
            try:
                attempt()
            except BridgeError:
                refused += 1
                # The broker takes everything, so the refusal is the disk's, and it came before the claim.
                assert len(broker.calls) == sent
                break
        check(desk, broker)
        database.read("PRAGMA max_page_count = 1000000")
        recover(scripted)
        check(desk, broker)
    assert refused > 5
    assert broker.calls
