"""What the database itself refuses, whoever asks: illegal moves, changed events, changed stamps."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from openalgo_bridge.errors import Conflict, Denied, Invalid, StorageError
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CloseRequest,
    LegsKind,
    LegsRequest,
    ModifyRequest,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.model.states import (
    ORDER_BIRTHS,
    ORDER_MOVES,
    TICKET_BIRTHS,
    TICKET_MOVES,
    OrderState,
    TicketState,
)
from openalgo_bridge.model.stops import actor_of
from openalgo_bridge.store.claims import OPEN_ORDERS, Reservation
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.guards import _NEWEST_FIRST
from openalgo_bridge.store.journal import Journal, Settlement
from tests.conftest import TRADER, FixedClock
from tests.fakes import in_threads
from tests.store.test_journal import BUY_TEN, a_draft, an_order


@pytest.fixture
def journal(db: Database, clock: FixedClock) -> Journal:
    return Journal(db, clock)


def a_ticket(journal: Journal, db: Database, state: TicketState) -> int:
    """The id of a new ticket in ``state``."""
    if state is TicketState.RELEASED:
        return journal.release(a_draft())[0].id
    if state is TicketState.DENIED:
        return journal.deny(a_draft(), guard=Guard.KILL_SWITCH, reason="no").id
    held = journal.hold(a_draft(), expires_at=None, reason="")
    if state is TicketState.ACCEPTED:
        # Nothing of ours leaves a ticket there; it is only where a ticket may be born.
        db.write("DROP TRIGGER ticket_moves")
    if state is not TicketState.HELD:
        db.write("UPDATE ticket SET state = ? WHERE id = ?", (state, held.id))
    return held.id


def test_the_database_knows_the_same_moves_as_the_program(db: Database) -> None:
    def moves(kind: str) -> set[tuple[str, str]]:
        rows = db.read("SELECT was, becomes FROM legal_move WHERE kind = ?", (kind,))
        return {(row["was"], row["becomes"]) for row in rows}

    assert moves("ticket") == set(TICKET_MOVES) | {("", state) for state in TICKET_BIRTHS}
    assert moves("orders") == set(ORDER_MOVES) | {("", state) for state in ORDER_BIRTHS}


def test_the_database_refuses_every_other_move_of_an_order(journal: Journal, db: Database) -> None:
    for was, becomes in itertools.product(OrderState, OrderState):
        order_id = an_order(journal, was)
        if (was, becomes) in ORDER_MOVES:
            db.write("UPDATE orders SET state = ? WHERE id = ?", (becomes, order_id))
            continue
        with pytest.raises(StorageError, match="not a legal move"):
            db.write("UPDATE orders SET state = ? WHERE id = ?", (becomes, order_id))


@pytest.mark.parametrize("was", [state for state in TicketState if state is not TicketState.ACCEPTED])
def test_the_database_refuses_every_other_move_of_a_ticket(journal: Journal, db: Database, was: TicketState) -> None:
    for becomes in TicketState:
        ticket_id = a_ticket(journal, db, was)
        if (was, becomes) in TICKET_MOVES:
            db.write("UPDATE ticket SET state = ? WHERE id = ?", (becomes, ticket_id))
            continue
        with pytest.raises(StorageError, match="not a legal move"):
            db.write("UPDATE ticket SET state = ? WHERE id = ?", (becomes, ticket_id))


@pytest.mark.parametrize("table", ["ticket", "orders"])
def test_nothing_is_born_in_the_middle_of_its_life(journal: Journal, db: Database, table: str) -> None:
    journal.release(a_draft())
    born = {"ticket": TICKET_BIRTHS, "orders": ORDER_BIRTHS}[table]
    states = {"ticket": TicketState, "orders": OrderState}[table]
    columns = [
        row["name"] for row in db.read(f"PRAGMA table_info({table})") if row["name"] not in {"id", "state", "ref"}
    ]
    copied = ", ".join(columns)
    for number, state in enumerate(states):
        sql = f"INSERT INTO {table} (state, ref, {copied}) SELECT ?, ?, {copied} FROM {table} LIMIT 1"
        if state in born:
            db.write(sql, (state, f"R{number}"))
            continue
        with pytest.raises(StorageError, match="not born in such a state"):
            db.write(sql, (state, f"R{number}"))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE order_event SET reason = 'another'",
        "DELETE FROM order_event",
        "UPDATE ticket SET request = '{}'",
        "UPDATE ticket SET trading_mode = 'live'",
        "UPDATE ticket SET order_mode = 'semi_auto'",
        "UPDATE orders SET request = '{}'",
        "UPDATE orders SET ref = 'another'",
    ],
)
def test_what_was_written_down_cannot_be_rewritten(journal: Journal, db: Database, damage: str) -> None:
    ticket, _ = journal.release(a_draft())
    before = journal.events(ticket.id)
    with pytest.raises(StorageError):
        db.write(damage)
    assert (journal.ticket(ticket.id), journal.events(ticket.id)) == (ticket, before)


def test_every_event_says_from_where_to_where_why_and_by_whom(journal: Journal) -> None:
    held = journal.hold(a_draft(), expires_at=None, reason="asked")
    _, permit = journal.approve(held.id, held.shown, by=TRADER)
    journal.settle(permit.order_id, Settlement(state=OrderState.UNKNOWN, message="timed out"))
    told = [(event.was, event.state, event.reason, event.by) for event in journal.events(held.id)]
    assert told == [
        ("", "accepted", "", "api"),
        ("accepted", "held", "asked", "api"),
        ("held", "approved", "", "trader"),
        ("approved", "released", "", "trader"),
        ("", "planned", "", "trader"),
        ("planned", "sending", "", "trader"),
        ("sending", "unknown", "timed out", "broker"),
    ]


def test_what_a_guard_refused_is_a_ticket_too(journal: Journal) -> None:
    denied = journal.deny(a_draft(), guard=Guard.KILL_SWITCH, reason="The kill switch is on.")
    assert journal.ticket(denied.id) == denied
    assert journal.orders_of([denied.id]) == []
    assert journal.events(denied.id)[-1].by == "guard kill_switch"


def test_a_refusal_at_an_approval_is_an_event_of_a_ticket_that_stays_as_it_was(journal: Journal) -> None:
    held = journal.hold(a_draft(), expires_at=None, reason="")
    journal.refuse(held.id, guard=Guard.ORDER_VALUE, reason="It is worth too much.")
    assert journal.ticket(held.id) == held
    told = journal.events(held.id)[-1]
    assert (told.was, told.state, told.by) == ("held", "refused", "guard order_value")
    journal.reject(held.id, held.shown, "", by=TRADER)
    with pytest.raises(Conflict):
        journal.refuse(held.id, guard=Guard.ORDER_VALUE, reason="It is worth too much.")


def test_a_revised_ticket_stays_held_and_must_be_shown_again(journal: Journal) -> None:
    held = journal.hold(a_draft(), expires_at=None, reason="")
    revised = journal.revise(held.id, held.shown, replace(BUY_TEN, quantity=5), by=TRADER)
    assert revised.order == replace(BUY_TEN, quantity=5)
    assert (revised.state, journal.ticket(held.id)) == (TicketState.HELD, revised)
    assert (journal.events(held.id)[-1].state, journal.events(held.id)[-1].reason) == (
        "revised",
        '[["quantity", "10", "5"]]',
    )
    for late in (
        lambda: journal.approve(held.id, held.shown, by=TRADER),
        lambda: journal.reject(held.id, held.shown, "", by=TRADER),
    ):
        with pytest.raises(Conflict, match="not what was shown"):
            late()
    _, permit = journal.approve(held.id, revised.shown, by=TRADER)
    assert permit.request == revised.request


def test_a_revision_is_of_the_same_operation_and_changes_something(journal: Journal) -> None:
    held = journal.hold(a_draft(), expires_at=None, reason="")
    for other in (BUY_TEN, modify_of(BUY_TEN)):
        with pytest.raises(Invalid):
            journal.revise(held.id, held.shown, other, by=TRADER)
    assert journal.ticket(held.id) == held


def test_eight_revisions_and_approvals_at_once_have_one_winner(journal: Journal) -> None:
    for _ in range(10):
        held = journal.hold(a_draft(), expires_at=None, reason="")
        turns = itertools.cycle(
            [
                lambda t=held: journal.approve(t.id, t.shown, by=TRADER),
                lambda t=held: journal.revise(t.id, t.shown, replace(BUY_TEN, quantity=5), by=TRADER),
            ]
        )
        outcomes = in_threads(8, lambda turns=turns: next(turns)())
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7


@pytest.mark.parametrize("route", ["release", "approve"])
def test_nothing_is_claimed_while_the_kill_switch_is_on(journal: Journal, db: Database, route: str) -> None:
    held = journal.hold(a_draft(), expires_at=None, reason="")
    db.write("UPDATE kill_switch SET is_on = 1, reason = 'losing', since = 0")
    with pytest.raises(Denied, match="losing"):
        journal.release(a_draft()) if route == "release" else journal.approve(held.id, held.shown, by=TRADER)
    assert journal.orders_of([held.id, held.id + 1]) == []
    assert journal.ticket(held.id) == held
    db.write("DELETE FROM kill_switch")
    with pytest.raises(StorageError, match="kill switch"):
        journal.release(a_draft())


def test_a_proven_exit_and_a_cancel_pass_the_kill_switch(journal: Journal, db: Database) -> None:
    db.write("UPDATE kill_switch SET is_on = 1, since = 0")
    room = Reservation(room=10, since=journal.watermark(BUY_TEN, TradingMode.ANALYZE))
    journal.release(a_draft(), reserve=room)
    journal.plan(a_draft(CancelAllRequest()), [])
    _, (leg,) = journal.plan(a_draft(CloseRequest()), [replace(BUY_TEN, symbol="SBIN")])
    with pytest.raises(Denied):
        journal.claim(leg.id)
    journal.claim(leg.id, reserve=Reservation(room=10, since=journal.watermark(BUY_TEN, TradingMode.ANALYZE)))


def test_an_entry_waits_while_its_symbol_is_in_doubt(journal: Journal) -> None:
    _, permit = journal.release(a_draft())
    journal.settle(permit.order_id, Settlement(state=OrderState.UNKNOWN))
    with pytest.raises(Conflict, match="in doubt"):
        journal.release(a_draft())
    journal.release(a_draft(replace(BUY_TEN, symbol="SBIN")))
    journal.release(a_draft(), reserve=Reservation(room=100, since=journal.watermark(BUY_TEN, TradingMode.ANALYZE)))
    journal.settle(permit.order_id, Settlement(state=OrderState.NOT_PLACED), was=OrderState.UNKNOWN)
    journal.release(a_draft())


def test_an_order_accepted_under_another_mode_is_not_released(journal: Journal, db: Database) -> None:
    for name, value in (("order_mode", "semi_auto"), ("trading_mode", "live")):
        before = db.read_one("SELECT value FROM preference WHERE name = ?", (name,))
        assert before is not None
        db.write("UPDATE preference SET value = ? WHERE name = ?", (value, name))
        with pytest.raises(Conflict, match="mode was changed"):
            journal.release(a_draft())
        db.write("UPDATE preference SET value = ? WHERE name = ?", (before["value"], name))
    assert journal.tickets() == []


def test_eight_exits_at_once_never_take_more_than_there_is(journal: Journal) -> None:
    seen = Reservation(room=25, since=journal.watermark(BUY_TEN, TradingMode.ANALYZE))
    outcomes = in_threads(8, lambda: journal.release(a_draft(), reserve=seen))
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 2
    # However they ended meanwhile: the position that was read does not show it.
    for order in journal.orders_of([1, 2]):
        journal.settle(order.id, Settlement(state=OrderState.SENT))
    with pytest.raises(Conflict):
        journal.release(a_draft(), reserve=seen)


def test_what_was_in_doubt_before_the_reading_counts_until_it_is_proven_absent(journal: Journal) -> None:
    _, permit = journal.release(a_draft())
    journal.settle(permit.order_id, Settlement(state=OrderState.UNKNOWN))
    seen = Reservation(room=10, since=journal.watermark(BUY_TEN, TradingMode.ANALYZE))
    with pytest.raises(Conflict):
        journal.release(a_draft(), reserve=seen)
    journal.settle(permit.order_id, Settlement(state=OrderState.NOT_PLACED), was=OrderState.UNKNOWN)
    journal.release(a_draft(), reserve=seen)


def test_a_ticket_of_many_orders_says_what_was_not_sent(journal: Journal) -> None:
    legs = [replace(BUY_TEN, symbol=name) for name in ("A", "B", "C")]
    basket = LegsRequest(kind=LegsKind.BASKET, orders=tuple(legs))
    ticket, (first, second, third) = journal.plan(a_draft(basket), legs)
    assert journal.claim(first.id).ref == ticket.ref
    with pytest.raises(Conflict):
        journal.claim(first.id)
    stop, _ = journal.plan(a_draft(CloseRequest()), [])
    assert [each.id for each in journal.given_up(actor_of(stop))] == [second.id, third.id]
    assert journal.order(second.id).state is OrderState.DROPPED
    assert "2 of its orders were not sent" in journal.ticket(ticket.id).reason


def test_sending_again_what_is_not_there_makes_one_ticket(journal: Journal, clock: FixedClock) -> None:
    _, permit = journal.release(a_draft())
    journal.settle(permit.order_id, Settlement(state=OrderState.UNKNOWN))
    journal.settle(permit.order_id, Settlement(state=OrderState.PARKED), was=OrderState.UNKNOWN)
    outcomes = in_threads(
        8, lambda: journal.replace_parked(permit.order_id, a_draft(), expires_at=clock.now(), by=TRADER)
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    (again, _) = journal.tickets()
    assert (again.state, permit.ref in again.reason) == (TicketState.HELD, True)
    assert again.ref in journal.order(permit.order_id).message


def modify_of(order: OrderRequest) -> ModifyRequest:
    return ModifyRequest(broker_order_id=BrokerOrderId("1"), order=order)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM orders WHERE {OPEN} AND state IN ('unknown', 'parked')",
        "SELECT 1 FROM orders WHERE {OPEN} AND orders.state = 'unknown'",
    ],
)
def test_a_question_about_open_orders_does_not_read_all_orders(db: Database, sql: str) -> None:
    (plan,) = db.read("EXPLAIN QUERY PLAN " + sql.format(OPEN=OPEN_ORDERS))
    assert "orders_open" in plan["detail"]


def test_the_search_for_an_equal_signal_begins_at_the_newest_ticket_and_sorts_nothing(db: Database) -> None:
    plan = " ".join(row["detail"] for row in db.read("EXPLAIN QUERY PLAN " + _NEWEST_FIRST, {"mode": "analyze"}))
    assert "TEMP B-TREE" not in plan
