"""What the database keeps of reconciliation breaks, whoever asks, and what looking for them reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.breaks import BreakKind, Finding
from openalgo_bridge.model.order import BrokerOrderId, Exchange, Ref, TradingMode
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.breaks import Breaks
from openalgo_bridge.store.claims import DOUBT_IN_SYMBOL
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Journal, Settlement
from tests.conftest import TRADER, FixedClock
from tests.store.test_journal import BUY_TEN, a_draft

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def breaks(db: Database, clock: FixedClock) -> Breaks:
    return Breaks(db, clock)


def a_finding(number: str = "X1") -> Finding:
    return Finding(
        kind=BreakKind.UNEXPECTED,
        trading_mode=TradingMode.ANALYZE,
        broker_order_id=BrokerOrderId(number),
        ref=Ref("A" * 13),
        exchange=Exchange.NSE,
        symbol="RELIANCE",
        told="The broker has it.",
        placement=None,
    )


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM reconciliation_break",
        "UPDATE reconciliation_break SET told = 'nothing'",
        "UPDATE reconciliation_break SET state = 'open', ended_at = NULL",
        "UPDATE reconciliation_break SET state = 'cleared', ended_at = 1",
    ],
)
def test_what_was_found_is_never_changed_and_ends_once(breaks: Breaks, db: Database, change: str) -> None:
    breaks.record([a_finding()], [])
    breaks.acknowledge([1], by=TRADER)
    with pytest.raises(StorageError):
        db.write(change)


def test_the_same_finding_is_written_once(breaks: Breaks) -> None:
    assert len(breaks.record([a_finding(), a_finding("X2")], [])) == 2
    assert breaks.record([a_finding(), a_finding("X2")], []) == []
    assert breaks.open_count() == 2


def test_the_claim_of_an_entry_waits_while_a_break_of_its_symbol_and_account_is_open(
    breaks: Breaks, db: Database
) -> None:
    journal = Journal(db, Clock())
    breaks.record([a_finding(), replace(a_finding("X2"), trading_mode=TradingMode.LIVE)], [])
    draft = a_draft()
    with pytest.raises(Conflict, match=f"order {a_finding().ref} in RELIANCE is not as the broker has it"):
        journal.release(draft)
    held = journal.hold(draft, expires_at=None, reason="")
    with pytest.raises(Conflict, match="not as the broker has it"):
        journal.approve(held.id, held.shown, by=TRADER)
    breaks.acknowledge([1], by=TRADER)
    journal.approve(held.id, held.shown, by=TRADER)


def test_what_is_not_open_cannot_be_acknowledged(breaks: Breaks) -> None:
    assert breaks.acknowledge([77], by=TRADER) == []


def test_what_stands_in_another_account_is_not_known(breaks: Breaks, db: Database) -> None:
    journal, number = Journal(db, Clock()), BrokerOrderId("S1")
    ticket, permit = journal.release(a_draft())
    journal.settle(permit.order_id, Settlement(state=OrderState.SENT, broker_order_id=number))
    assert breaks.disputed(ticket.trading_mode, {number: ticket.ref}) == {}
    assert breaks.disputed(TradingMode.LIVE, {number: ticket.ref}) == {number: None}
    assert breaks.not_shown(ticket.trading_mode, LONG_AGO, [], []).keys() == {number}
    assert breaks.not_shown(TradingMode.LIVE, LONG_AGO, [], []) == {}


def test_the_looks_use_an_index(breaks: Breaks, db: Database) -> None:
    seen: list[str] = []
    db.tables.conn.set_trace_callback(seen.append)
    breaks.disputed(TradingMode.ANALYZE, {BrokerOrderId("1"): Ref("A" * 13)})
    breaks.not_shown(TradingMode.ANALYZE, LONG_AGO, [], [])
    breaks.number_at_broker(1)
    breaks.is_told(TradingMode.ANALYZE, BreakKind.MISSING, BrokerOrderId("1"))
    db.tables.conn.set_trace_callback(None)
    doubt = {"symbol": BUY_TEN.symbol, "exchange": BUY_TEN.exchange, "mode": "live", "overdue": 0}
    plans = [db.read(f"EXPLAIN QUERY PLAN {statement}") for statement in seen]
    plans.append(db.read(f"EXPLAIN QUERY PLAN {DOUBT_IN_SYMBOL}", doubt))
    assert len(plans) == 6
    for plan in plans:
        # What is handed in is read whole.
        steps = [row["detail"] for row in plan if "VIRTUAL TABLE" not in row["detail"]]
        # The one that stops at the first order of an earlier day.
        assert not [step for step in steps if step.startswith("SCAN") and step != "SCAN orders"], steps
    assert "breaks_open" in str([row["detail"] for row in plans[-1]])
