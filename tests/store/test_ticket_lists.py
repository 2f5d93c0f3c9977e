"""The lists of the Action Center: filters, counts, pages in both orders, and ten thousand rows."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Operation, Origin, TicketDraft, new_ref
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.ticket_lists import TicketFilter, TicketLists
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
    connection.set_progress_handler(None, 0)
    # Six lists of 50 rows: a few thousand steps of SQLite's machine, where all rows would be hundreds of thousands.
    assert steps["step"] * 100 < 60_000
