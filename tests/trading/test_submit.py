"""The one path of an order: what is sent, what is held, what is unknown, and that nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable
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
    BrokerOrderId,
    CancelRequest,
    Exchange,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, orders
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
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
    result = orders.submit(scripted, BUY, ORIGIN)
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
        orders.submit(scripted, BUY, ORIGIN)
    assert seen == [OrderState.SENDING]


def test_semi_auto_holds_and_sends_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    result = orders.submit(scripted, BUY, ORIGIN)
    assert isinstance(result, Held)
    assert (result.ticket.state, broker.calls) == (TicketState.HELD, [])


def test_an_approval_sends_what_was_held_once(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    held = orders.submit(scripted, BUY, ORIGIN).ticket
    result = approvals.approve(scripted, held.id, held.shown)
    assert isinstance(result, Sent)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown)
    assert broker.calls == [held.ref]


def test_a_rejected_ticket_never_leaves(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    held = orders.submit(scripted, BUY, ORIGIN).ticket
    approvals.reject(scripted, held.id, held.shown, "")
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown)
    assert broker.calls == []


def test_switching_to_auto_releases_nothing_that_was_held(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    held = orders.submit(scripted, BUY, ORIGIN).ticket
    scripted.store.preferences.set_order_mode(OrderMode.AUTO)
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
    ],
)
def test_every_fault_of_a_broker_ends_in_the_right_state_and_is_not_repeated(
    scripted: Desk, broker: ScriptedBroker, fault: Callable[[], Exception], state: OrderState
) -> None:
    broker.fault = fault
    if state is OrderState.UNKNOWN:
        result = orders.submit(scripted, BUY, ORIGIN)
        assert isinstance(result, InDoubt)
        assert "Do not send it again" in result.message
    else:
        with pytest.raises(type(fault())):
            orders.submit(scripted, BUY, ORIGIN)
    assert state_of_only_order(scripted) is state
    assert len(broker.calls) == 1


def test_an_unreadable_order_mode_holds_and_says_why(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write("UPDATE preference SET value = 'automatic' WHERE name = 'order_mode'")
    result = orders.submit(scripted, BUY, ORIGIN)
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
        orders.submit(scripted, BUY, ORIGIN)
    assert broker.calls == []


@pytest.mark.parametrize("table", ["ticket", "orders", "order_event"])
def test_a_journal_that_cannot_be_written_sends_nothing(scripted: Desk, broker: ScriptedBroker, table: str) -> None:
    scripted.store.files[0].write(
        f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    with pytest.raises(StorageError):
        orders.submit(scripted, BUY, ORIGIN)
    assert broker.calls == []
    assert scripted.store.journal.tickets() == []


def test_what_the_broker_took_is_told_even_when_it_cannot_be_written(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write(
        "CREATE TRIGGER broken BEFORE UPDATE OF state ON orders WHEN new.state = 'sent'"
        " BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    result = orders.submit(scripted, BUY, ORIGIN)
    assert isinstance(result, Sent)
    assert state_of_only_order(scripted) is OrderState.SENDING
    assert len(broker.calls) == 1


def test_live_without_a_live_broker_never_falls_back_to_paper(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write("UPDATE preference SET value = 'live' WHERE name = 'trading_mode'")
    with pytest.raises(NotSent):
        orders.submit(scripted, BUY, ORIGIN)
    assert (broker.calls, scripted.store.journal.tickets()) == ([], [])


def test_a_ticket_held_in_analyze_goes_to_analyze_after_a_switch_to_live(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    held = orders.submit(scripted, BUY, ORIGIN).ticket
    scripted.store.files[0].write("UPDATE preference SET value = 'live' WHERE name = 'trading_mode'")
    result = approvals.approve(scripted, held.id, held.shown)
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
    scripted.store.preferences.set_order_mode(mode)
    with pytest.raises(Invalid) as refused:
        orders.submit(scripted, order, ORIGIN)
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
    placed = orders.submit(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    cancel = CancelRequest(broker_order_id=placed.broker_order_id)
    assert isinstance(orders.submit(scripted, cancel, ORIGIN), Sent)


def test_a_change_is_held_in_semi_auto_and_done_when_approved(scripted: Desk, broker: ScriptedBroker) -> None:
    placed = orders.submit(scripted, a_limit("1000"), ORIGIN)
    assert isinstance(placed, Sent)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    change = ModifyRequest(broker_order_id=placed.broker_order_id, order=a_limit("1001"))
    held = orders.submit(scripted, change, ORIGIN)
    assert isinstance(held, Held)
    approvals.approve(scripted, held.ticket.id, held.ticket.shown)
    there = broker.order(placed.broker_order_id)
    assert there is not None
    assert there.request.price == 1001


def test_a_change_of_an_order_that_is_not_there_is_not_held(scripted: Desk) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    change = ModifyRequest(broker_order_id=BrokerOrderId("404"), order=a_limit("1001"))
    with pytest.raises(NotFound):
        orders.submit(scripted, change, ORIGIN)
    assert scripted.store.journal.tickets() == []


def test_a_change_must_name_the_order_it_changes(scripted: Desk) -> None:
    placed = orders.submit(scripted, a_limit("1000"), ORIGIN)
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
        orders.submit(scripted, ModifyRequest(broker_order_id=placed.broker_order_id, order=other), ORIGIN)


def test_a_ticket_nobody_decided_expires(scripted: Desk, broker: ScriptedBroker, clock: FixedClock) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    held = orders.submit(scripted, BUY, ORIGIN).ticket
    clock.move(minutes=6)
    with pytest.raises(Conflict, match="expired"):
        approvals.approve(scripted, held.id, held.shown)
    assert broker.calls == []


def test_eight_threads_approve_at_once_and_one_order_fills(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO)
    for number in range(1, 6):
        held = orders.submit(desk, BUY, ORIGIN).ticket
        results = in_threads(8, lambda held=held: approvals.approve(desk, held.id, held.shown))
        assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 7 + ["Sent"]
        assert len(desk.broker(TradingMode.ANALYZE).trade_book()) == number
