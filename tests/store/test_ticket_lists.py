"""The lists of the Action Center: filters, counts, pages in both orders, and ten thousand rows."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderMode, OrderRequest, Ref, TradingMode
from openalgo_bridge.model.refs import child_ref, new_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin, TicketDraft
from openalgo_bridge.store import ticket_lists
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Journal, Settlement
from openalgo_bridge.store.ticket_lists import Queue, TicketFilter, TicketLists
from tests.conftest import TRADER, FixedClock

BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


@pytest.fixture
def journal(db: Database, clock: FixedClock) -> Journal:
    return Journal(db, clock)


@pytest.fixture
def lists(db: Database, clock: FixedClock) -> TicketLists:
    return TicketLists(db, clock)


def a_draft(order: OrderRequest = BUY, strategy: str = "one", source: str = "api") -> TicketDraft:
    return TicketDraft(
        ref=new_ref(datetime.now(UTC)),
        operation=Operation.PLACE,
        request=order,
        order_mode=OrderMode.AUTO,
        trading_mode=TradingMode.ANALYZE,
        origin=Origin(source=source, strategy=strategy, request_id="r1"),
    )


def test_every_filter_narrows_and_all_together(journal: Journal, lists: TicketLists) -> None:
    drafts = [
        a_draft(replace(BUY, symbol=symbol, action=action, exchange=exchange), strategy, source)
        for symbol, action, exchange, strategy, source in itertools.product(
            ("SBIN", "TCS"), Action, (Exchange.NSE, Exchange.BSE), ("one", "two"), ("api", "webhook:tv")
        )
    ]
    for draft in drafts:
        journal.release(draft)
    for wanted in (
        TicketFilter(symbol="SBIN"),
        TicketFilter(action=Action.SELL),
        TicketFilter(exchange=Exchange.BSE),
        TicketFilter(strategy="two"),
        TicketFilter(source="webhook:tv"),
    ):
        found = lists.page(wanted)
        assert len(found) == len(drafts) // 2
        assert lists.counts(wanted)[TicketState.RELEASED] == len(drafts) // 2
    one = TicketFilter(
        symbol="SBIN",
        action=Action.BUY,
        exchange=Exchange.NSE,
        strategy="one",
        source="api",
        state=TicketState.RELEASED,
    )
    (only,) = lists.page(one)
    assert only.ref == drafts[0].ref
    assert lists.page(replace(one, state=TicketState.HELD)) == []
    assert lists.strategies() == ["one", "two"]


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_meet_every_ticket_once_in_both_orders(journal: Journal, lists: TicketLists, newest_first: bool) -> None:
    made = [journal.release(a_draft())[0].id for _ in range(12)]
    seen: list[int] = []
    after = None
    while page := lists.page(TicketFilter(strategy="one"), after=after, newest_first=newest_first, limit=5):
        seen += [ticket.id for ticket in page]
        after = seen[-1]
    assert seen == (made[::-1] if newest_first else made)


def test_what_is_overdue_counts_as_expired_even_before_it_is_swept(
    journal: Journal, lists: TicketLists, clock: FixedClock
) -> None:
    for minutes in (5, 10, None):
        until = None if minutes is None else clock.now() + timedelta(minutes=minutes)
        journal.hold(a_draft(), expires_at=until, reason="")
    clock.move(minutes=5)
    for _ in range(2):
        counts = lists.counts(TicketFilter())
        assert (counts[TicketState.HELD], counts[TicketState.EXPIRED]) == (2, 1)
        assert [ticket.id for ticket in lists.held(TicketFilter())] == [2, 3]
        assert [ticket.id for ticket in lists.page(TicketFilter(state=TicketState.EXPIRED))] == [1]
        assert [ticket.id for ticket in lists.page(TicketFilter(state=TicketState.HELD))] == [3, 2]
        journal.expire_held()


def test_what_is_overdue_is_shown_as_expired_when_it_did(
    journal: Journal, lists: TicketLists, clock: FixedClock
) -> None:
    until = clock.now() + timedelta(minutes=5)
    held = journal.hold(a_draft(), expires_at=until, reason="")
    assert lists.named([held.id])[0].state is TicketState.HELD
    clock.move(minutes=5)
    for found in (lists.page(TicketFilter()), lists.named([held.id])):
        assert [(ticket.state, ticket.decided_at) for ticket in found] == [(TicketState.EXPIRED, until)]


def test_every_ticket_waits_or_is_decided(journal: Journal, lists: TicketLists, clock: FixedClock) -> None:
    journal.hold(a_draft(), expires_at=clock.now() + timedelta(minutes=5), reason="")
    journal.hold(a_draft(), expires_at=None, reason="")
    journal.release(a_draft())
    clock.move(minutes=5)
    assert [ticket.id for ticket in lists.page(TicketFilter(is_decided=True))] == [3, 1]
    assert [ticket.id for ticket in lists.page(TicketFilter(is_decided=False))] == [2]
    assert sum(lists.counts(TicketFilter(is_decided=True)).values()) == 3


def test_the_queue_is_what_may_still_be_decided(journal: Journal, lists: TicketLists, clock: FixedClock) -> None:
    assert lists.queue() == Queue(count=0, latest=0, exits=0)
    for minutes in (10, 5):
        journal.hold(a_draft(), expires_at=clock.now() + timedelta(minutes=minutes), reason="")
    journal.release(a_draft())
    assert lists.queue() == Queue(count=2, latest=2, exits=0)
    clock.move(minutes=5)
    assert lists.queue() == Queue(count=1, latest=1, exits=0)
    journal.hold(replace(a_draft(), is_exit=True), expires_at=None, reason="")
    assert lists.queue() == Queue(count=2, latest=4, exits=1)


def test_named_tickets_come_in_the_order_they_arrived(journal: Journal, lists: TicketLists) -> None:
    for _ in range(3):
        journal.release(a_draft())
    assert [ticket.id for ticket in lists.named([3, 99, 1])] == [1, 3]
    assert lists.named([]) == []


def test_the_ticket_behind_an_order_is_found_by_account_and_number(journal: Journal, lists: TicketLists) -> None:
    first, second = _placed(journal, "one", "B1"), _placed(journal, "two", "B2")
    again = _placed(journal, "three", "B1")
    numbers = [BrokerOrderId(each) for each in ("B1", "B2", "elsewhere")]
    behind = lists.behind(TradingMode.ANALYZE, numbers)
    assert {number: (each.ticket_id, each.strategy) for number, each in behind.items()} == {
        "B1": (again, "three"),
        "B2": (second, "two"),
    }
    assert first < again
    assert lists.behind(TradingMode.LIVE, numbers) == {}
    assert lists.behind(TradingMode.ANALYZE, []) == {}


def test_the_ticket_behind_a_tag_is_found_though_the_order_was_refused(journal: Journal, lists: TicketLists) -> None:
    ticket, permit = journal.release(a_draft())
    journal.settle(permit.order_id, Settlement(state=OrderState.REJECTED, message="No."))
    child = child_ref(permit.ref, 1)
    found = lists.behind_tags([permit.ref, child, Ref(""), Ref("ELSEWHERE")])
    assert {tag: each.ticket_id for tag, each in found.items()} == {permit.ref: ticket.id, child: ticket.id}


def test_the_tickets_behind_many_orders_are_looked_up_in_the_indexes(db: Database) -> None:
    plan = db.read(
        f"EXPLAIN QUERY PLAN {ticket_lists.BEHIND}", {"numbers": "[]", "mode": "analyze", "placed_by": "placeorder"}
    )
    told = " ".join(row["detail"] for row in plan)
    assert "orders USING INDEX orders_by_broker_id" in told
    assert "ticket USING INTEGER PRIMARY KEY" in told


def _placed(journal: Journal, strategy: str, number: str) -> int:
    """The ticket of an order that the broker took under this number."""
    ticket, permit = journal.release(a_draft(strategy=strategy))
    journal.settle(permit.order_id, Settlement(state=OrderState.SENT, broker_order_id=BrokerOrderId(number)))
    return ticket.id


def test_the_filter_offers_each_strategy_and_source_once(journal: Journal, lists: TicketLists) -> None:
    assert (lists.strategies(), lists.sources()) == ([], [])
    for strategy, source in (("two", "page"), ("one", "api"), ("two", "api"), ("", "api")):
        journal.release(a_draft(strategy=strategy, source=source))
    assert (lists.strategies(), lists.sources()) == (["", "one", "two"], ["api", "page"])
    assert (lists.strategies(2), lists.sources(2)) == (["", "one"], ["api"])


def test_a_revised_ticket_is_found_by_what_it_asks_for_now(journal: Journal, lists: TicketLists) -> None:
    held = journal.hold(a_draft(), expires_at=None, reason="")
    journal.revise(held.id, held.shown, replace(BUY, action=Action.SELL), by=TRADER)
    assert lists.page(TicketFilter(action=Action.BUY)) == []
    assert len(lists.page(TicketFilter(action=Action.SELL))) == 1


def test_what_was_received_is_the_sum_of_what_became_of_it(journal: Journal, lists: TicketLists) -> None:
    journal.release(a_draft())
    journal.hold(a_draft(), expires_at=None, reason="")
    journal.deny(a_draft(), guard=Guard.KILL_SWITCH, reason="no")
    held = journal.hold(a_draft(), expires_at=None, reason="")
    journal.reject(held.id, held.shown, "no", by=TRADER)
    counts = lists.counts(TicketFilter())
    assert sum(counts.values()) == 4
    assert {state for state, number in counts.items() if number} == {
        TicketState.RELEASED,
        TicketState.HELD,
        TicketState.DENIED,
        TicketState.REJECTED,
    }


def test_a_page_of_ten_thousand_reads_only_its_own_rows(db: Database, lists: TicketLists, journal: Journal) -> None:
    journal.hold(a_draft(), expires_at=None, reason="")
    columns = ", ".join(row["name"] for row in db.read("PRAGMA table_info(ticket)") if row["name"] not in {"id", "ref"})
    with db.transaction() as connection:
        connection.execute(
            f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
            f" INSERT INTO ticket (ref, {columns}) SELECT 'R' || i, {columns} FROM ticket, n WHERE id = 1"
        )
    assert lists.counts(TicketFilter())[TicketState.HELD] == 10_000
    steps: Counter[str] = Counter()
    connection = db.tables.conn
    connection.set_progress_handler(lambda: steps.update(["step"]) or 0, 100)
    for wanted in (TicketFilter(), TicketFilter(state=TicketState.HELD), TicketFilter(symbol="RELIANCE")):
        lists.page(wanted)
        lists.held(wanted, limit=50)
    lists.page(TicketFilter(is_decided=None), limit=50)
    lists.strategies()
    lists.sources()
    connection.set_progress_handler(None, 0)
    # A few thousand steps of SQLite's machine for lists of 50 rows, where all rows would be hundreds of thousands.
    assert steps["step"] * 100 < 60_000
