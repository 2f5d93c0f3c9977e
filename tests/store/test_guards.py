"""What the trader set survives, is audited, and fails closed; what a limit counts is counted right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.errors import Conflict, Invalid, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.guards import Guard, GuardSettings, TradingWindow
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderRequest,
    PriceType,
    Product,
    Ref,
    TradingMode,
)
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin, TicketDraft, signal_of
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.guards import Doubtful, Guards, Premises, Signal
from openalgo_bridge.store.journal import Journal, Settlement
from openalgo_bridge.store.kill_switch import KillSwitch
from tests.conftest import TRADER, FixedClock
from tests.store.test_journal import BUY_TEN, a_draft

STRICT = GuardSettings(
    maximum_quantity=100,
    order_value=Decimal("100000.50"),
    open_positions=3,
    orders_per_day=50,
    loss_of_day=Decimal(5000),
    allowed_symbols=frozenset({"NSE:RELIANCE", "NFO:NIFTY*"}),
    trading_window=TradingWindow(opens=time(9, 20), closes=time(15, 15)),
    duplicate_window=10,
    duplicate_window_source=(("api", None), ("webhook:tv", 60)),
    stale_after=30,
    price_band=Decimal("2.5"),
    price_drift=Decimal(1),
    let_exits_through=True,
    held_for=600,
    held_for_source=(("webhook:tv", 120),),
    rehearse_rate=True,
)
ORIGIN = Origin(source="api", strategy="s", request_id="r")


@pytest.fixture
def guards(db: Database, clock: FixedClock) -> Guards:
    return Guards(db, clock)


@pytest.fixture
def journal(db: Database, clock: FixedClock) -> Journal:
    return Journal(db, clock)


@pytest.fixture
def kill_switch(db: Database, clock: FixedClock) -> KillSwitch:
    return KillSwitch(db, clock)


def a_buy(clock: FixedClock, origin: Origin = ORIGIN) -> TicketDraft:
    return replace(a_draft(BUY_TEN), ref=new_ref(clock.now()), origin=origin)


def test_a_fresh_file_has_the_sanity_limits_only(guards: Guards) -> None:
    assert guards.load() == GuardSettings()


def test_what_was_saved_is_loaded_and_audited(guards: Guards, db: Database, clock: FixedClock) -> None:
    guards.save(STRICT, by=TRADER)
    assert Guards(db, clock).load() == STRICT
    assert (guards.held_for("api"), guards.held_for("webhook:tv")) == (timedelta(minutes=10), timedelta(minutes=2))
    assert guards.rehearses_rate()
    (line,) = AuditLog(db, clock).page()
    assert (line.event, line.actor.name) == (AuditEvent.GUARDS, "trader")
    assert "maximum quantity: off" in line.before
    assert "maximum quantity: 100" in line.after
    assert "held for source: webhook:tv 120" in line.after
    assert "duplicate window source: api off, webhook:tv 60" in line.after


def test_saving_what_stands_already_is_no_change(guards: Guards, db: Database, clock: FixedClock) -> None:
    guards.save(GuardSettings(), by=TRADER)
    assert AuditLog(db, clock).page() == []


@pytest.mark.parametrize(
    "settings",
    [GuardSettings(allowed_symbols=frozenset()), GuardSettings(maximum_quantity=-1), GuardSettings(orders_per_day=0)],
)
def test_limits_that_could_not_be_read_again_are_not_kept(guards: Guards, settings: GuardSettings) -> None:
    with pytest.raises(Invalid):
        guards.save(settings, by=TRADER)
    assert guards.load() == GuardSettings()


def test_a_value_that_means_nothing_is_never_taken_for_off(guards: Guards, db: Database, clock: FixedClock) -> None:
    db.write("INSERT INTO guard VALUES ('maximum_quantity', 'lots')")
    with pytest.raises(StorageError):
        guards.load()
    assert (guards.held_for("api"), guards.rehearses_rate()) == (timedelta(minutes=5), False)
    guards.save(GuardSettings(), by=TRADER)
    assert guards.load() == GuardSettings(), "the way back is open"
    (line,) = AuditLog(db, clock).page()
    assert (line.before, line.after) == ("not readable", "as after a fresh start")


def test_limits_are_saved_only_over_those_they_were_decided_on(guards: Guards, db: Database, clock: FixedClock) -> None:
    narrower = GuardSettings(maximum_quantity=10)
    guards.save(narrower, by=TRADER)
    with pytest.raises(Conflict):
        guards.save(GuardSettings(maximum_quantity=50), by=TRADER, expected=GuardSettings())
    assert guards.load() == narrower
    guards.save(GuardSettings(maximum_quantity=5), by=TRADER, expected=narrower)
    assert guards.load().maximum_quantity == 5
    assert len(AuditLog(db, clock).page()) == 2


def test_the_orders_of_a_day_are_counted_up_to_the_limit(guards: Guards, journal: Journal, clock: FixedClock) -> None:
    midnight = clock.now() - timedelta(hours=10)
    clock.move(days=-1)
    _, permit = journal.release(a_buy(clock))
    journal.settle(permit.order_id, Settlement(state=OrderState.SENT))
    clock.move(days=1)
    for _ in range(2):
        journal.release(a_buy(clock))
    journal.hold(a_buy(clock), expires_at=None, reason="")
    assert guards.has_orders_since(midnight, TradingMode.ANALYZE, 3)
    assert not guards.has_orders_since(midnight, TradingMode.ANALYZE, 4)
    assert not guards.has_orders_since(midnight, TradingMode.LIVE, 1)
    assert guards.has_orders_since(midnight, TradingMode.LIVE, 0)
    # Where one of them is to go now, what waits beside it has used up nothing.
    assert guards.has_orders_since(midnight, TradingMode.ANALYZE, 2, approved=4)
    assert not guards.has_orders_since(midnight, TradingMode.ANALYZE, 3, approved=4)
    assert not guards.has_orders_since(midnight, TradingMode.ANALYZE, 2, approved=3)


def test_what_was_refused_does_not_use_up_the_day(guards: Guards, journal: Journal, clock: FixedClock) -> None:
    for _ in range(5):
        journal.deny(a_buy(clock), guard=Guard.ORDER_VALUE, reason="no")
    held = journal.hold(a_buy(clock), expires_at=None, reason="")
    journal.reject(held.id, held.shown, "no", by=TRADER)
    assert not guards.has_orders_since(clock.now(), TradingMode.ANALYZE, 1)


def test_an_equal_signal_is_the_same_order_of_the_same_source_in_the_window(
    guards: Guards, journal: Journal, clock: FixedClock
) -> None:
    ticket, _ = journal.release(a_buy(clock))
    now = clock.now()

    def is_known(origin: Origin = ORIGIN, **changes: Any) -> bool:
        signal = Signal.of(replace(a_buy(clock), origin=origin, **changes), now + timedelta(seconds=10))
        return guards.has_equal_signal(signal, timedelta(seconds=10))

    assert is_known()
    assert not is_known(request=replace(BUY_TEN, quantity=11))
    assert not is_known(replace(ORIGIN, source="webhook:tv"))
    assert not is_known(replace(ORIGIN, strategy="t"))
    assert not is_known(trading_mode=TradingMode.LIVE)
    assert not guards.has_equal_signal(Signal.of(ticket, now), timedelta(seconds=10)), "itself"
    later = Signal.of(a_buy(clock), now + timedelta(seconds=11))
    assert not guards.has_equal_signal(later, timedelta(seconds=10))


LIMIT = replace(BUY_TEN, price_type=PriceType.LIMIT, price=Decimal(1000))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LIMIT, replace(LIMIT, price=Decimal("1000.0"))),
        (LIMIT, replace(LIMIT, price=Decimal("1e3"))),
        (LIMIT, replace(LIMIT, trigger_price=Decimal(5))),
        (BUY_TEN, replace(BUY_TEN, price=Decimal(5))),
        (
            replace(BUY_TEN, price_type=PriceType.SL_M, trigger_price=Decimal(990)),
            replace(BUY_TEN, price_type=PriceType.SL_M, trigger_price=Decimal("990.00"), price=Decimal(7)),
        ),
    ],
)
def test_however_it_is_spelled_it_is_the_same_signal(one: OrderRequest, other: OrderRequest) -> None:
    assert signal_of(one) == signal_of(other) != ""


@pytest.mark.parametrize(
    "changed",
    [
        replace(LIMIT, price=Decimal("1000.05")),
        replace(LIMIT, quantity=11),
        replace(LIMIT, product=Product.CNC),
        replace(LIMIT, action=Action.SELL),
        replace(LIMIT, price_type=PriceType.SL, trigger_price=Decimal(990)),
    ],
)
def test_what_differs_is_another_signal(changed: OrderRequest) -> None:
    assert signal_of(changed) != signal_of(LIMIT)


def test_what_the_broker_refused_may_be_asked_again(guards: Guards, journal: Journal, clock: FixedClock) -> None:
    _, permit = journal.release(a_buy(clock))
    journal.settle(permit.order_id, Settlement(state=OrderState.REJECTED, message="funds"))
    assert not guards.has_equal_signal(Signal.of(a_buy(clock), clock.now()), timedelta(seconds=10))


def test_what_is_in_flight_is_an_exposure_until_it_is_settled(
    guards: Guards, journal: Journal, clock: FixedClock
) -> None:
    _, permit = journal.release(a_buy(clock))
    assert guards.exposures(TradingMode.ANALYZE) == {(Exchange.NSE, BUY_TEN.symbol, BUY_TEN.product)}
    assert guards.exposures(TradingMode.LIVE) == set()
    journal.settle(permit.order_id, Settlement(state=OrderState.SENT))
    assert guards.exposures(TradingMode.ANALYZE) == set()


def test_a_symbol_is_in_doubt_while_one_of_its_orders_is(guards: Guards, journal: Journal, clock: FixedClock) -> None:
    _, permit = journal.release(a_buy(clock))
    assert guards.in_doubt(BUY_TEN, TradingMode.ANALYZE) is None
    journal.settle(permit.order_id, Settlement(state=OrderState.UNKNOWN))
    assert in_doubt(guards.in_doubt(BUY_TEN, TradingMode.ANALYZE)) == permit.ref
    assert in_doubt(guards.in_doubt(replace(BUY_TEN, product=Product.CNC), TradingMode.ANALYZE)) == permit.ref
    assert guards.in_doubt(replace(BUY_TEN, symbol="TCS"), TradingMode.ANALYZE) is None
    assert guards.in_doubt(BUY_TEN, TradingMode.LIVE) is None
    journal.settle(permit.order_id, Settlement(state=OrderState.PARKED), was=OrderState.UNKNOWN)
    assert in_doubt(guards.in_doubt(BUY_TEN, TradingMode.ANALYZE)) == permit.ref


def in_doubt(found: Doubtful | None) -> Ref | None:
    return None if found is None else found.ref


def test_the_looks_of_every_order_use_an_index(
    guards: Guards, db: Database, journal: Journal, clock: FixedClock
) -> None:
    """A scan of all orders ever would make each order slower than the one before."""
    limits = GuardSettings(open_positions=9)
    guards.save(limits, by=TRADER)
    seen: list[str] = []
    db.tables.conn.set_trace_callback(seen.append)
    guards.in_doubt(BUY_TEN, TradingMode.ANALYZE)
    guards.exposures(TradingMode.ANALYZE)
    premises = Premises(limits=limits, day_begin=clock.now(), last_order_id=guards.newest_order())
    journal.release(a_buy(clock), premises=premises)
    db.tables.conn.set_trace_callback(None)
    seen = [statement for statement in seen if statement.startswith("SELECT")]
    assert [statement for statement in seen if "orders.id > 0" in statement], "the look of the claim is among them"
    for statement in seen:
        if "FROM guard" in statement:
            continue  # The switches: that table has no more rows than there are limits.
        plan = [row["detail"] for row in db.read(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in plan if step.startswith("SCAN")], plan


def test_the_kill_switch_keeps_the_first_reason_and_is_audited_each_time(
    kill_switch: KillSwitch, db: Database, clock: FixedClock
) -> None:
    assert not kill_switch.state().is_on
    kill_switch.engage("feed is wrong", by=TRADER)
    clock.move(minutes=5)
    again = kill_switch.engage("again", by=TRADER)
    state = again.state
    assert again.is_recorded
    assert (state.is_on, state.reason, state.by) == (True, "feed is wrong", "trader")
    assert state.since == clock.now() - timedelta(minutes=5)
    assert "feed is wrong" in str(state)
    kill_switch.release(by=TRADER)
    kill_switch.release(by=TRADER)
    assert not KillSwitch(db, clock).state().is_on
    events = [line.event for line in AuditLog(db, clock).page()]
    assert events == [AuditEvent.KILL_SWITCH_OFF, AuditEvent.KILL_SWITCH_ON, AuditEvent.KILL_SWITCH_ON]


def test_the_kill_switch_goes_on_although_its_line_cannot_be_written(kill_switch: KillSwitch, db: Database) -> None:
    db.write("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
    engaged = kill_switch.engage("feed is wrong", by=TRADER)
    assert (engaged.state.is_on, engaged.is_recorded) == (True, False)
    assert kill_switch.state() == engaged.state
    with pytest.raises(StorageError):
        kill_switch.release(by=TRADER)
    assert kill_switch.state().is_on, "what makes things less safe is never unrecorded"


def test_a_release_is_of_the_stop_it_was_decided_on(kill_switch: KillSwitch, clock: FixedClock) -> None:
    first = kill_switch.engage("feed is wrong", by=TRADER).state.since
    kill_switch.release(by=TRADER, since=first)
    clock.move(minutes=1)
    kill_switch.engage("another reason", by=TRADER)
    with pytest.raises(Conflict):
        kill_switch.release(by=TRADER, since=first)
    assert kill_switch.state().reason == "another reason"


def test_a_kill_switch_that_is_gone_is_not_off(kill_switch: KillSwitch, db: Database) -> None:
    db.write("DELETE FROM kill_switch")
    with pytest.raises(StorageError):
        kill_switch.state()


def test_a_ticket_keeps_the_signal_it_arrived_with(journal: Journal, clock: FixedClock, db: Database) -> None:
    held = journal.hold(a_buy(clock), expires_at=None, reason="")
    revised = journal.revise(held.id, held.shown, replace(BUY_TEN, quantity=5), by=TRADER)
    assert revised.signal == held.signal == signal_of(BUY_TEN) != signal_of(revised.request)
    with pytest.raises(StorageError, match="arrived as never changes"):
        db.write("UPDATE ticket SET signal = '' WHERE id = ?", (held.id,))


def send_several(journal: Journal, number: int, *, dropped: int = 0) -> None:
    """A split of so many orders, of which the last ``dropped`` never went."""
    split = LegsRequest(kind=LegsKind.SPLIT, orders=(BUY_TEN,) * number)
    _, planned = journal.plan(a_draft(split), split.orders)
    for order in planned[: number - dropped]:
        journal.settle(journal.claim(order.id).order_id, Settlement(state=OrderState.SENT))
    for order in planned[number - dropped :]:
        journal.settle(order.id, Settlement(state=OrderState.DROPPED), was=OrderState.PLANNED, by=TRADER)


def test_each_order_of_a_ticket_of_several_is_one_of_the_day(
    guards: Guards, journal: Journal, clock: FixedClock
) -> None:
    midnight = clock.now() - timedelta(hours=10)
    clock.move(days=-1)
    send_several(journal, 5)
    clock.move(days=1)
    send_several(journal, 4, dropped=1)
    for _ in range(2):
        _, permit = journal.release(a_buy(clock))
        journal.settle(permit.order_id, Settlement(state=OrderState.SENT))
    for limit in range(1, 12):
        assert guards.has_orders_since(midnight, TradingMode.ANALYZE, limit) is (limit <= 5), limit


def test_counting_the_orders_of_a_day_stops_at_the_limit(
    guards: Guards, journal: Journal, db: Database, clock: FixedClock
) -> None:
    midnight = clock.now() - timedelta(hours=10)
    send_several(journal, 100)
    steps: dict[int, int] = {}
    for limit in (5, 1000):
        counted: Counter[str] = Counter()
        db.tables.conn.set_progress_handler(lambda counted=counted: counted.update(["step"]) or 0, 1)
        guards.has_orders_since(midnight, TradingMode.ANALYZE, limit)
        db.tables.conn.set_progress_handler(None, 0)
        steps[limit] = counted["step"]
    # A hundred orders cost SQLite's machine more than a thousand steps.
    assert max(steps.values()) < 300, steps


STRADDLES = [
    LegsRequest(kind=LegsKind.MULTI_LEG, orders=tuple(replace(BUY_TEN, symbol=each) for each in names))
    for names in (("A", "B", "C", "D"), ("E", "F", "G", "H"))
]


@pytest.fixture(params=[GuardSettings(orders_per_day=7), GuardSettings(open_positions=7)], ids=["orders", "positions"])
def one_too_few(request: pytest.FixtureRequest, guards: Guards, clock: FixedClock) -> Premises:
    """Limits that leave room for the one straddle, and for all of the other but one order."""
    guards.save(request.param, by=TRADER)
    return Premises(limits=request.param, day_begin=clock.now() - timedelta(hours=10))


def test_what_goes_whole_or_not_at_all_is_planned_only_where_there_is_room_beside_what_is_planned(
    journal: Journal, one_too_few: Premises
) -> None:
    one, other = STRADDLES
    _, planned = journal.plan(a_draft(one), one.orders, room=one_too_few)
    before = journal.mark()
    with pytest.raises(Conflict, match="meanwhile"):
        journal.plan(a_draft(other), other.orders, room=one_too_few)
    assert journal.mark() == before
    journal.settle(planned[0].id, Settlement(state=OrderState.DROPPED), was=OrderState.PLANNED, by=TRADER)
    assert len(journal.plan(a_draft(other), other.orders, room=one_too_few)[1]) == 4


def test_what_is_approved_whole_or_not_at_all_waits_on_where_there_is_no_room(
    journal: Journal, one_too_few: Premises
) -> None:
    tickets = [journal.hold(a_draft(each), expires_at=None, reason="") for each in STRADDLES]
    journal.approve_plan(tickets[0].id, tickets[0].shown, STRADDLES[0].orders, by=TRADER, room=one_too_few)
    with pytest.raises(Conflict, match="meanwhile"):
        journal.approve_plan(tickets[1].id, tickets[1].shown, STRADDLES[1].orders, by=TRADER, room=one_too_few)
    assert [each.id for each in journal.held()] == [tickets[1].id]


@pytest.mark.parametrize("number", [1, 3])
def test_what_is_more_than_a_whole_day_allows_is_not_planned_on_an_empty_one(
    guards: Guards, journal: Journal, clock: FixedClock, number: int
) -> None:
    limits = GuardSettings(orders_per_day=number)
    guards.save(limits, by=TRADER)
    premises = Premises(limits=limits, day_begin=clock.now() - timedelta(hours=10))
    with pytest.raises(Conflict, match="meanwhile"):
        journal.plan(a_draft(STRADDLES[0]), STRADDLES[0].orders, room=premises)
    assert journal.tickets() == []


def test_room_that_was_judged_by_other_limits_is_judged_again(
    guards: Guards, journal: Journal, clock: FixedClock
) -> None:
    premises = Premises(limits=guards.load(), day_begin=clock.now())
    guards.save(GuardSettings(orders_per_day=9), by=TRADER)
    with pytest.raises(Conflict, match="limits were changed"):
        journal.plan(a_draft(STRADDLES[0]), STRADDLES[0].orders, room=premises)
