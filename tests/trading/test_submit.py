"""The one path of an order: what is sent, what is held, what is unknown, and that nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import (
    Conflict,
    Invalid,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Rejected,
    SessionExpired,
    StorageError,
)
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin, TicketDraft
from openalgo_bridge.trading import approvals, books, orders
from openalgo_bridge.trading.orders import Held, Withdrawn
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1", may_trade_live=True)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def state_of_only_order(desk: Desk) -> OrderState:
    (ticket,) = desk.store.journal.tickets()
    (order,) = desk.store.journal.orders_of([ticket.id])
    return order.state


def test_auto_sends_once(scripted: Desk, broker: ScriptedBroker) -> None:
    result = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(result, Sent)
    assert broker.calls == [result.ticket.ref]
    assert state_of_only_order(scripted) is OrderState.SENT


def test_the_order_stands_as_sending_while_the_broker_is_called(scripted: Desk, broker: ScriptedBroker) -> None:
    seen: list[OrderState] = []

    def look() -> Exception:
        seen.append(state_of_only_order(scripted))
        return Rejected("no")

    broker.fault = look
    with pytest.raises(Rejected):
        orders.place(scripted, BUY, ORIGIN)
    assert seen == [OrderState.SENDING]


def test_semi_auto_holds_and_sends_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    result = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(result, Held)
    assert (result.ticket.state, broker.calls) == (TicketState.HELD, [])


def test_an_approval_sends_what_was_held_once(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    result = approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert isinstance(result, Sent)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert broker.calls == [held.ref]


def test_a_rejected_ticket_never_leaves(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    approvals.reject(scripted, held.id, held.shown, "", by=TRADER)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert broker.calls == []


def test_switching_to_auto_releases_nothing_that_was_held(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    assert broker.calls == []
    assert scripted.store.journal.ticket(held.id).order_mode is OrderMode.SEMI_AUTO


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (lambda: Rejected("Insufficient funds"), OrderState.REJECTED),
        (lambda: NotSent("connection refused"), OrderState.REJECTED),
        (lambda: SessionExpired("log in"), OrderState.REJECTED),
        (lambda: OutcomeUnknown("timed out"), OrderState.UNKNOWN),
        (lambda: StorageError("disk"), OrderState.UNKNOWN),
        (lambda: TimeoutError("read"), OrderState.UNKNOWN),
        (lambda: ConnectionResetError("reset"), OrderState.UNKNOWN),
        (lambda: KeyError("order_id"), OrderState.UNKNOWN),
        (lambda: ValueError("half an answer"), OrderState.UNKNOWN),
        (lambda: AssertionError("a bug in an adapter"), OrderState.UNKNOWN),
        (lambda: SystemExit("an SDK that ends the program"), OrderState.UNKNOWN),
        (lambda: BaseException("a panic of a compiled SDK"), OrderState.UNKNOWN),
    ],
)
def test_every_fault_of_a_broker_ends_in_the_right_state_and_is_not_repeated(
    scripted: Desk, broker: ScriptedBroker, fault: Callable[[], BaseException], state: OrderState
) -> None:
    broker.fault = fault
    if state is OrderState.UNKNOWN:
        result = orders.place(scripted, BUY, ORIGIN)
        assert isinstance(result, InDoubt)
        assert "Do not send it again" in result.message
    else:
        with pytest.raises(type(fault())):
            orders.place(scripted, BUY, ORIGIN)
    assert state_of_only_order(scripted) is state
    assert len(broker.calls) == 1


def test_an_unreadable_order_mode_holds_and_says_why(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write("UPDATE preference SET value = 'automatic' WHERE name = 'order_mode'")
    result = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(result, Held)
    assert "cannot be read" in result.reason
    assert broker.calls == []


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE preference",
        "DELETE FROM preference",
        "UPDATE preference SET value = 'paper' WHERE name = 'trading_mode'",
        "ALTER TABLE preference RENAME COLUMN value TO val",
    ],
)
def test_an_unreadable_mode_table_sends_nothing(scripted: Desk, broker: ScriptedBroker, damage: str) -> None:
    scripted.store.files[0].write(damage)
    with pytest.raises(StorageError):
        orders.place(scripted, BUY, ORIGIN)
    assert broker.calls == []


@pytest.mark.parametrize("table", ["ticket", "orders", "order_event"])
def test_a_journal_that_cannot_be_written_sends_nothing(scripted: Desk, broker: ScriptedBroker, table: str) -> None:
    scripted.store.files[0].write(
        f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    with pytest.raises(StorageError):
        orders.place(scripted, BUY, ORIGIN)
    assert broker.calls == []
    assert scripted.store.journal.tickets() == []


def test_what_the_broker_took_is_told_even_when_it_cannot_be_written(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write(
        "CREATE TRIGGER broken BEFORE UPDATE OF state ON orders WHEN new.state = 'sent'"
        " BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    result = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(result, Sent)
    assert state_of_only_order(scripted) is OrderState.SENDING
    assert len(broker.calls) == 1


def test_live_without_a_live_broker_never_falls_back_to_paper(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write("UPDATE preference SET value = 'live' WHERE name = 'trading_mode'")
    with pytest.raises(NotSent):
        orders.place(scripted, BUY, ORIGIN)
    assert (broker.calls, scripted.store.journal.tickets()) == ([], [])


def test_a_ticket_held_in_analyze_goes_to_analyze_after_a_switch_to_live(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    scripted.store.files[0].write("UPDATE preference SET value = 'live' WHERE name = 'trading_mode'")
    result = approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert result.ticket.trading_mode is TradingMode.ANALYZE
    assert broker.calls == [held.ref]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (OrderRequest(symbol="NOSUCH", exchange=Exchange.NSE, action=Action.BUY, quantity=1), "symbol"),
        (OrderRequest(symbol="NIFTY", exchange=Exchange.NSE_INDEX, action=Action.BUY, quantity=1), "symbol"),
        (
            OrderRequest(
                symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1, price_type=PriceType.LIMIT
            ),
            "price",
        ),
        (
            OrderRequest(
                symbol="RELIANCE",
                exchange=Exchange.NSE,
                action=Action.BUY,
                quantity=1,
                price_type=PriceType.LIMIT,
                price=Decimal("1000.003"),
            ),
            "price",
        ),
        (
            OrderRequest(
                symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1, price_type=PriceType.SL_M
            ),
            "trigger_price",
        ),
        (
            OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1, disclosed_quantity=2),
            "disclosed_quantity",
        ),
    ],
)
@pytest.mark.parametrize("mode", OrderMode)
def test_nonsense_is_refused_before_it_is_held_or_sent(
    scripted: Desk, broker: ScriptedBroker, mode: OrderMode, order: OrderRequest, field: str
) -> None:
    scripted.store.preferences.set_order_mode(mode, by=TRADER)
    with pytest.raises(Invalid) as refused:
        orders.place(scripted, order, ORIGIN)
    assert set(refused.value.faults) == {field}
    assert (broker.calls, scripted.store.journal.tickets()) == ([], [])


def a_limit(price: str) -> OrderRequest:
    return OrderRequest(
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        action=Action.BUY,
        quantity=10,
        price_type=PriceType.LIMIT,
        price=Decimal(price),
    )


def test_a_cancel_never_waits_in_semi_auto(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert isinstance(orders.cancel(scripted, placed.broker_order_id, ORIGIN), Sent)


def test_a_change_is_held_in_semi_auto_and_done_when_approved(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.modify(scripted, placed.broker_order_id, a_limit("1001"), ORIGIN)
    assert isinstance(held, Held)
    approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)
    there = broker.order(placed.broker_order_id)
    assert there is not None
    assert there.request.price == 1001


def test_a_change_of_an_order_that_is_not_there_is_not_held(scripted: Desk) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    with pytest.raises(NotFound):
        orders.modify(scripted, "404", a_limit("1001"), ORIGIN)
    assert scripted.store.journal.tickets() == []


def test_a_change_must_name_the_order_it_changes(scripted: Desk) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    other = OrderRequest(
        symbol="SBIN",
        exchange=Exchange.NSE,
        action=Action.BUY,
        quantity=10,
        price_type=PriceType.LIMIT,
        price=Decimal(800),
    )
    with pytest.raises(Invalid):
        orders.modify(scripted, placed.broker_order_id, other, ORIGIN)


def test_a_ticket_nobody_decided_expires(scripted: Desk, broker: ScriptedBroker, clock: FixedClock) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    clock.move(minutes=6)
    with pytest.raises(Conflict, match="expired"):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert broker.calls == []


def test_eight_threads_approve_at_once_and_one_order_fills(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for number in range(1, 6):
        held = orders.place(desk, BUY, ORIGIN).ticket
        results = in_threads(8, lambda held=held: approvals.approve(desk, held.id, held.shown, by=TRADER))
        assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 7 + ["Sent"]
        assert len(desk.broker(TradingMode.ANALYZE).trade_book()) == number


def test_nothing_is_released_under_auto_once_semi_auto_is_saved(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    broker.before_answering = lambda: scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    change = orders.modify(scripted, placed.broker_order_id, a_limit("1001"), ORIGIN)
    assert isinstance(change, Held)
    assert change.ticket.order_mode is OrderMode.SEMI_AUTO


def test_the_mode_is_checked_again_where_the_ticket_is_written(scripted: Desk) -> None:
    draft = TicketDraft(
        ref=new_ref(datetime.now(UTC)),
        operation=Operation.PLACE,
        request=BUY,
        order_mode=OrderMode.AUTO,
        trading_mode=TradingMode.ANALYZE,
        origin=ORIGIN,
    )
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    with pytest.raises(Conflict):
        scripted.store.journal.release(draft)
    assert scripted.store.journal.tickets() == []


def test_what_the_broker_would_refuse_anyway_is_not_held(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    broker.refuses = "NRML product not allowed"
    with pytest.raises(Rejected):
        orders.place(scripted, BUY, ORIGIN)
    assert scripted.store.journal.tickets() == []


def test_a_program_withdraws_what_is_held_by_its_reference(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    assert isinstance(orders.cancel(scripted, held.ref, ORIGIN), Withdrawn)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert (broker.calls, scripted.store.journal.held()) == ([], [])


def test_a_reference_cancels_the_order_it_became(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    cancelled = orders.cancel(scripted, placed.ticket.ref, ORIGIN)
    assert isinstance(cancelled, Sent)
    assert cancelled.broker_order_id == placed.broker_order_id


def test_cancelling_an_order_in_doubt_looks_it_up_and_never_sends_a_reference_as_an_id(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.fault, broker.accepts_before_fault = lambda: TimeoutError("read"), True
    doubt = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(doubt, InDoubt)
    broker.fault = None
    cancelled = orders.cancel(scripted, doubt.ticket.ref, ORIGIN)
    assert isinstance(cancelled, Sent)
    assert cancelled.broker_order_id == "S1"
    assert doubt.ticket.ref not in broker.asked_for


def test_cancelling_an_order_nobody_can_find_says_so_and_not_that_it_is_not_there(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.fault = lambda: TimeoutError("read")
    doubt = orders.place(scripted, BUY, ORIGIN).ticket
    broker.fault = None
    with pytest.raises(Conflict, match="not known"):
        orders.cancel(scripted, doubt.ref, ORIGIN)


def test_the_reference_of_a_change_names_no_order(scripted: Desk) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    change = orders.modify(scripted, placed.broker_order_id, a_limit("1001"), ORIGIN)
    with pytest.raises(NotFound):
        orders.cancel(scripted, change.ticket.ref, ORIGIN)


def test_an_order_is_cancelled_where_it_was_placed_whatever_the_mode_is_now(scripted: Desk) -> None:
    by_id = orders.place(scripted, a_limit("1000"), ORIGIN)
    by_reference = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(by_id, Sent)
    scripted.store.files[0].write("UPDATE preference SET value = 'live' WHERE name = 'trading_mode'")
    for name in (by_id.broker_order_id, by_reference.ticket.ref):
        assert orders.cancel(scripted, name, ORIGIN).ticket.trading_mode is TradingMode.ANALYZE


def test_the_fate_of_a_cancel_in_doubt_is_the_order_it_was_about(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    broker.fault = lambda: TimeoutError("read")
    doubt = orders.cancel(scripted, placed.broker_order_id, ORIGIN)
    broker.fault = None
    fate = books.order_fate(scripted, doubt.ticket.ref)
    assert (fate.id, fate.status) == (placed.broker_order_id, "cancelled")
    assert "cancelorder" in fate.remark


def test_a_refused_change_leaves_the_order_as_it_is_in_every_answer(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    broker.fault = lambda: Rejected("no")
    with pytest.raises(Rejected) as refused:
        orders.modify(scripted, placed.broker_order_id, a_limit("1000"), ORIGIN)
    assert refused.value.ticket_id is not None
    change = scripted.store.journal.ticket(refused.value.ticket_id)
    fate = books.order_fate(scripted, change.ref)
    assert (fate.id, fate.status) == (placed.broker_order_id, "open")
    assert "rejected" in fate.remark


def test_asking_for_an_order_in_doubt_looks_it_up(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault, broker.accepts_before_fault = lambda: TimeoutError("read"), True
    doubt = orders.place(scripted, BUY, ORIGIN).ticket
    assert scripted.store.journal.in_doubt_count() == 1
    broker.fault = None
    assert books.order_fate(scripted, doubt.ref).id == "S1"
    assert scripted.store.journal.in_doubt_count() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (replace(a_limit("1000"), price_type=PriceType.MARKET), "price"),
        (replace(a_limit("1000"), trigger_price=Decimal(5)), "trigger_price"),
    ],
)
def test_a_change_with_a_price_its_type_does_not_use_is_refused(
    scripted: Desk, change: OrderRequest, field: str
) -> None:
    placed = orders.place(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    with pytest.raises(Invalid) as refused:
        orders.modify(scripted, placed.broker_order_id, change, ORIGIN)
    assert set(refused.value.faults) == {field}


def test_expired_tickets_never_hide_the_ones_that_wait(scripted: Desk, clock: FixedClock) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    old = [orders.place(scripted, BUY, ORIGIN).ticket for _ in range(201)]
    clock.move(minutes=6)
    fresh = orders.place(scripted, BUY, ORIGIN).ticket
    assert [ticket.id for ticket in approvals.waiting(scripted)] == [fresh.id]
    assert approvals.ticket(scripted, old[0].id).state is TicketState.EXPIRED
    assert books.order_fate(scripted, old[0].ref).status == "expired"


def test_a_clock_that_was_set_back_revives_nothing(scripted: Desk, clock: FixedClock) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, BUY, ORIGIN).ticket
    clock.move(minutes=6)
    approvals.waiting(scripted)
    clock.move(minutes=-6)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)


def test_a_fate_carries_the_mode_of_its_order_not_the_present_one(scripted: Desk) -> None:
    placed = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(placed, Sent)
    scripted.store.files[0].write("UPDATE preference SET value = 'live' WHERE name = 'trading_mode'")
    for name in (placed.broker_order_id, placed.ticket.ref):
        assert books.order_fate(scripted, name).trading_mode is TradingMode.ANALYZE


def test_an_adapters_own_exception_leaves_an_order_in_doubt_in_doubt(
    scripted: Desk, broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.fault = lambda: TimeoutError("read")
    doubt = orders.place(scripted, BUY, ORIGIN).ticket

    def broken(tag: object) -> None:
        raise ValueError("half an answer")

    monkeypatch.setattr(broker, "find", broken)
    assert books.order_fate(scripted, doubt.ref).status == "unknown"
    with pytest.raises(Conflict, match="not known"):
        orders.cancel(scripted, doubt.ref, ORIGIN)


def test_an_order_whose_end_could_not_be_written_is_asked_of_the_broker(scripted: Desk) -> None:
    scripted.store.files[0].write(
        "CREATE TRIGGER broken BEFORE UPDATE OF state ON orders WHEN new.state = 'sent'"
        " BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    placed = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(placed, Sent)
    assert books.order_fate(scripted, placed.ticket.ref).id == placed.broker_order_id
