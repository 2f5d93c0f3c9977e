"""The journal: one winner for every move, and nothing leaves before it is on the disk."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.errors import Conflict, Invalid, NotFound, StorageError
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    Ref,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.refs import child_ref, child_refs, further_ref, new_ref, ticket_ref
from openalgo_bridge.model.states import ORDER_MOVES, TICKET_MOVES, OrderState, TicketState
from openalgo_bridge.model.ticket import Origin, TicketDraft, operation_of
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Journal, Settlement
from tests.conftest import TRADER, FixedClock
from tests.fakes import in_threads

BUY_TEN = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


@pytest.fixture
def journal(db: Database, clock: FixedClock) -> Journal:
    return Journal(db, clock)


def a_draft(request: TicketRequest = BUY_TEN) -> TicketDraft:
    return TicketDraft(
        ref=new_ref(datetime.now(UTC)),
        operation=operation_of(request),
        request=request,
        order_mode=OrderMode.AUTO,
        trading_mode=TradingMode.ANALYZE,
        origin=Origin(source="api", strategy="test", request_id="r1"),
    )


def an_order(journal: Journal, state: OrderState) -> int:
    """The id of a new order that was brought to ``state`` by legal moves."""
    if state in {OrderState.PLANNED, OrderState.DROPPED}:
        _, (order,) = journal.plan(a_draft(CloseRequest()), [BUY_TEN])
        if state is OrderState.DROPPED:
            journal.settle(order.id, Settlement(state=state), was=OrderState.PLANNED, by=TRADER)
        return order.id
    # Another symbol each: an order in doubt holds back the entries of its symbol.
    order_id = journal.release(a_draft(replace(BUY_TEN, symbol=f"S{next(NUMBERS)}")))[1].order_id
    was = OrderState.SENDING
    for becomes in SENDING_FIRST[state]:
        journal.settle(order_id, Settlement(state=becomes), was=was)
        was = becomes
    return order_id


NUMBERS = itertools.count()
SENDING_FIRST = {
    OrderState.SENDING: [],
    OrderState.SENT: [OrderState.SENT],
    OrderState.REJECTED: [OrderState.REJECTED],
    OrderState.UNKNOWN: [OrderState.UNKNOWN],
    OrderState.NOT_PLACED: [OrderState.UNKNOWN, OrderState.NOT_PLACED],
    OrderState.PARKED: [OrderState.UNKNOWN, OrderState.PARKED],
}


def test_a_released_ticket_is_sending_before_anybody_holds_a_permit(journal: Journal) -> None:
    ticket, permit = journal.release(a_draft())
    (order,) = journal.orders_of([ticket.id])
    assert (ticket.state, order.state, order.id) == (TicketState.RELEASED, OrderState.SENDING, permit.order_id)
    assert [event.state for event in journal.events(ticket.id)] == ["accepted", "released", "planned", "sending"]


def test_nothing_is_released_under_a_mode_that_is_not_in_force(journal: Journal, db: Database) -> None:
    for stale in ({"trading_mode": TradingMode.LIVE}, {"order_mode": OrderMode.SEMI_AUTO}):
        with pytest.raises(Conflict, match="mode was changed"):
            journal.release(replace(a_draft(), **stale))
    db.write("DELETE FROM preference WHERE name = 'trading_mode'")
    with pytest.raises(Conflict):
        journal.release(a_draft())
    assert journal.tickets() == []


def test_what_was_committed_is_what_is_read_back(journal: Journal) -> None:
    ticket, _ = journal.release(a_draft())
    assert journal.ticket(ticket.id) == ticket
    held = journal.hold(a_draft(), expires_at=None, reason="because")
    assert journal.ticket(held.id) == held


def test_a_held_ticket_has_no_order(journal: Journal) -> None:
    ticket = journal.hold(a_draft(), expires_at=None, reason="")
    assert journal.orders_of([ticket.id]) == []
    assert len(journal.held()) == 1


def test_eight_threads_approve_one_ticket_and_one_wins(journal: Journal) -> None:
    for _ in range(25):
        ticket = journal.hold(a_draft(), expires_at=None, reason="")
        outcomes = in_threads(8, lambda waiting=ticket: journal.approve(waiting.id, waiting.shown, by=TRADER))
        assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
        assert len(journal.orders_of([ticket.id])) == 1


def test_approve_and_reject_at_once_have_one_outcome(journal: Journal) -> None:
    for _ in range(25):
        ticket = journal.hold(a_draft(), expires_at=None, reason="")
        turns = itertools.cycle(
            [
                lambda t=ticket: journal.approve(t.id, t.shown, by=TRADER),
                lambda t=ticket: journal.reject(t.id, t.shown, "no", by=TRADER),
            ]
        )
        outcomes = in_threads(4, lambda turns=turns: next(turns)())
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 3
        sent = len(journal.orders_of([ticket.id]))
        assert (journal.ticket(ticket.id).state is TicketState.RELEASED) == (sent == 1)


def test_an_approval_of_something_else_than_was_shown_is_refused(journal: Journal) -> None:
    ticket = journal.hold(a_draft(), expires_at=None, reason="")
    other = journal.hold(a_draft(), expires_at=None, reason="")
    with pytest.raises(Conflict, match="not what was shown"):
        journal.approve(ticket.id, other.shown, by=TRADER)
    assert journal.ticket(ticket.id).state is TicketState.HELD


def test_what_expired_cannot_be_approved_even_before_it_is_swept(journal: Journal, clock: FixedClock) -> None:
    ticket = journal.hold(a_draft(), expires_at=clock.now() + timedelta(minutes=5), reason="")
    clock.move(minutes=5)
    with pytest.raises(Conflict, match="has expired"):
        journal.approve(ticket.id, ticket.shown, by=TRADER)
    assert journal.expire_held() == 1
    assert journal.ticket(ticket.id).state is TicketState.EXPIRED
    assert journal.expire_held() == 0


def test_an_unknown_ticket_is_not_found(journal: Journal) -> None:
    with pytest.raises(NotFound):
        journal.approve(7, "x", by=TRADER)


def test_an_order_is_settled_once(journal: Journal) -> None:
    _, permit = journal.release(a_draft())
    sent = Settlement(state=OrderState.SENT, broker_order_id=BrokerOrderId("1"))
    journal.settle(permit.order_id, sent)
    with pytest.raises(Conflict):
        journal.settle(permit.order_id, Settlement(state=OrderState.REJECTED))
    (order,) = journal.orders_of([1])
    assert (order.state, order.broker_order_id) == (OrderState.SENT, "1")


def test_every_illegal_move_of_an_order_is_refused(journal: Journal) -> None:
    for was, becomes in itertools.product(OrderState, OrderState):
        order_id = an_order(journal, was)
        if (was, becomes) in ORDER_MOVES:
            journal.settle(order_id, Settlement(state=becomes), was=was)
            assert journal.order(order_id).state is becomes
        else:
            with pytest.raises(RuntimeError):
                journal.settle(order_id, Settlement(state=becomes), was=was)
            assert journal.order(order_id).state is was


def test_final_states_have_no_way_out() -> None:
    final_orders = {OrderState.SENT, OrderState.REJECTED, OrderState.NOT_PLACED, OrderState.DROPPED}
    final_tickets = {TicketState.RELEASED, TicketState.DENIED, TicketState.REJECTED, TicketState.EXPIRED}
    assert not final_orders & {was for was, _ in ORDER_MOVES}
    assert not final_tickets & {was for was, _ in TICKET_MOVES}


def test_a_restart_drops_what_was_planned_and_doubts_what_was_sending(journal: Journal) -> None:
    an_order(journal, OrderState.PLANNED)
    _, sending = journal.release(a_draft())
    _, done = journal.release(a_draft())
    journal.settle(done.order_id, Settlement(state=OrderState.SENT, broker_order_id=BrokerOrderId("1")))
    found = journal.interrupt()
    assert "not sent" in journal.ticket(1).reason
    assert (found.dropped, found.unknown, found.held_again) == (1, 1, 0)
    assert [order.state for order in journal.orders_of([1, 2, 3])] == [
        OrderState.DROPPED,
        OrderState.UNKNOWN,
        OrderState.SENT,
    ]
    assert [order.id for order in journal.unresolved()] == [sending.order_id]


def test_a_restart_holds_again_what_was_approved_and_never_sending(journal: Journal, db: Database) -> None:
    ticket = journal.hold(a_draft(), expires_at=None, reason="")
    # A single order is released in the commit of its approval: this is what an older or a foreign program left.
    db.write("UPDATE ticket SET state = 'approved' WHERE id = ?", (ticket.id,))
    assert journal.interrupt().held_again == 1
    assert journal.ticket(ticket.id).state is TicketState.HELD
    journal.approve(ticket.id, ticket.shown, by=TRADER)


def test_the_newest_tickets_come_first(journal: Journal) -> None:
    made = [journal.release(a_draft())[0].id for _ in range(12)]
    assert [ticket.id for ticket in journal.tickets(limit=5)] == made[:-6:-1]


def test_a_full_disk_is_a_storage_error_and_leaves_nothing_half_done(journal: Journal, db: Database) -> None:
    journal.release(a_draft())
    pages = db.read_one("PRAGMA page_count")
    assert pages is not None
    db.read(f"PRAGMA max_page_count = {pages[0]}")
    with pytest.raises(StorageError):
        for _ in range(200):
            journal.release(a_draft())
    tickets_made = db.read_one("SELECT count(*) AS n FROM ticket")
    orders_made = db.read_one("SELECT count(*) AS n FROM orders WHERE state = 'sending'")
    assert tickets_made is not None
    assert orders_made is not None
    assert tickets_made["n"] == orders_made["n"]


def test_references_fit_every_brokers_tag_and_do_not_repeat() -> None:
    refs = {new_ref(datetime.now(UTC)) for _ in range(2000)}
    assert len(refs) == 2000
    for ref in list(refs)[:50]:
        children = [child_ref(ref, sequence) for sequence in range(100)]
        assert children[0] == ref
        assert len(set(children)) == 100
        assert all(len(child) <= 15 and child.isalnum() for child in children)


def test_of_more_messages_than_tags_those_that_place_keep_one_and_the_rest_a_longer_reference() -> None:
    ref, withdrawal = new_ref(datetime.now(UTC)), CancelRequest(broker_order_id=BrokerOrderId("1"))
    messages = [*[withdrawal] * 1500, *[BUY_TEN] * 1000]
    refs = child_refs(ref, messages)
    assert len(set(refs)) == len(messages)
    assert refs[0] == ref
    assert {ticket_ref(each) for each in refs} == {ref}
    assert max(len(each) for each, message in zip(refs, messages, strict=True) if message is BUY_TEN) == 15
    assert len(child_refs(ref, [BUY_TEN] * 1024)) == 1024
    for too_many in ([BUY_TEN] * 1025, [withdrawal] * 40_000):
        with pytest.raises(Invalid):
            child_refs(ref, too_many)


def test_a_planned_order_gives_way_to_another_of_its_ticket_once(journal: Journal) -> None:
    ticket, (first, second) = journal.plan(a_draft(CloseRequest()), [BUY_TEN, BUY_TEN])
    smaller = journal.replace_planned(first.id, replace(BUY_TEN, quantity=6), "4 filled", by=TRADER)
    rows = [(each.state, each.message, each.ref) for each in journal.orders_of([ticket.id])]
    assert rows == [
        (OrderState.DROPPED, "4 filled", ticket.ref),
        (OrderState.PLANNED, "", second.ref),
        (OrderState.PLANNED, "", child_ref(ticket.ref, 2)),
    ]
    assert journal.claim(smaller.id).request == replace(BUY_TEN, quantity=6)
    for gone in (first, smaller):
        with pytest.raises(Conflict):
            journal.replace_planned(gone.id, BUY_TEN, "again", by=TRADER)
    assert len(journal.orders_of([ticket.id])) == 3


def test_one_order_more_has_a_tag_that_a_broker_takes_or_none() -> None:
    ref = new_ref(datetime.now(UTC))
    many = [CancelRequest(broker_order_id=BrokerOrderId(f"S{each}")) for each in range(1500)]
    taken = child_refs(ref, [*many, BUY_TEN])
    assert len(further_ref(taken)) <= 15
    assert further_ref(taken) not in taken
    with pytest.raises(Invalid, match="no room"):
        further_ref(child_refs(ref, [BUY_TEN] * 1024))


prices = st.decimals(min_value=0, max_value=10**6, places=4)
orders = st.builds(
    OrderRequest,
    symbol=st.text(min_size=1, max_size=20),
    exchange=st.sampled_from(Exchange),
    action=st.sampled_from(Action),
    quantity=st.integers(1, 10**9),
    price_type=st.sampled_from(PriceType),
    product=st.sampled_from(Product),
    price=prices,
    trigger_price=prices,
    disclosed_quantity=st.integers(0, 10**9),
)
ids = st.text(min_size=1, max_size=20).map(BrokerOrderId)
exchanges = st.none() | st.sampled_from(Exchange)
requests = (
    orders
    | st.builds(ModifyRequest, broker_order_id=ids, order=orders)
    | st.builds(CancelRequest, broker_order_id=ids)
    | st.builds(
        CancelAllRequest,
        symbol=st.text(max_size=9),
        exchange=exchanges,
        ticket=st.none() | st.text(max_size=15).map(Ref),
    )
    | st.builds(
        CloseRequest, symbol=st.text(max_size=9), exchange=exchanges, product=st.none() | st.sampled_from(Product)
    )
)


@given(requests)
def test_a_request_survives_the_journal(request: TicketRequest) -> None:
    assert tickets.from_json(operation_of(request), tickets.to_json(request)) == request


def test_a_decimal_keeps_its_digits_in_the_journal() -> None:
    order = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=1, price=Decimal("812.35"))
    assert '"price":"812.35"' in tickets.to_json(order)
