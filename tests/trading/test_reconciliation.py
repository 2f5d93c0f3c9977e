"""The broker's book of the day against the journal: what disagrees is told, keeps entries waiting, sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.breaks import BreakKind, BreakState
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, Ref, TradingMode
from openalgo_bridge.model.refs import child_ref, new_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import books, orders
from openalgo_bridge.trading.doors import Doors, DoorState
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.watch import ROUNDS_BETWEEN_RECONCILIATIONS, Watch
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1", may_trade_live=True)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)


@dataclass
class Forgetful(ScriptedBroker):
    """Does not show the orders of these numbers in its book; ``knows_by_number`` still tells of them when asked."""

    hidden: set[BrokerOrderId] = field(default_factory=set)
    knows_by_number: bool = False

    def order_book(self) -> list[BrokerOrder]:
        return [order for order in super().order_book() if order.id not in self.hidden]

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        there = super().order(order_id)
        return None if order_id in self.hidden and not self.knows_by_number else there


class Ticking(FixedClock):
    """Its monotonic time is what a test says."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def broker(desk: Desk) -> Forgetful:
    return Forgetful(desk)


@pytest.fixture
def scripted(desk: Desk, broker: Forgetful) -> Desk:
    return with_broker(desk, broker)


def start(desk: Desk, tell: Callable[[str], None] = lambda told: None) -> tuple[Desk, Watch]:
    """The desk as a start leaves it, and its timer."""
    started = replace(desk, doors=Doors())
    watch = Watch(started, tell=tell)
    watch.round()
    return started, watch


def run_on(watch: Watch) -> None:
    """Until the timer has compared the books once more."""
    for _ in range(ROUNDS_BETWEEN_RECONCILIATIONS):
        watch.round()


def kinds(desk: Desk) -> list[BreakKind]:
    return [each.kind for each in desk.store.breaks.open()]


def refuse_but_take(desk: Desk, broker: ScriptedBroker, order: OrderRequest = BUY) -> Ref:
    """The broker says no, and has the order all the same; its reference."""
    broker.fault, broker.accepts_before_fault = lambda: Rejected("no"), True
    with pytest.raises(Rejected):
        orders.place(desk, order, ORIGIN)
    broker.fault = None
    return broker.calls[-1]


def place(desk: Desk, order: OrderRequest = BUY) -> Sent:
    placed = orders.place(desk, order, ORIGIN)
    assert isinstance(placed, Sent)
    return placed


def show(broker: ScriptedBroker, tag: str, at: datetime, number: str = "X1", order: OrderRequest = BUY) -> None:
    """Stand in the broker's book under this tag."""
    broker.book[Ref(f"{tag}/{number}")] = BrokerOrder(
        id=BrokerOrderId(number),
        tag=Ref(tag),
        request=order,
        status=OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=at,
    )


def becomes(broker: ScriptedBroker, ref: Ref, status: OrderStatus) -> None:
    broker.book[ref] = replace(broker.book[ref], status=status)


# -- what is found ---------------------------------------------------------------------------------------------------


def test_books_that_agree_are_nothing_to_tell(scripted: Desk, broker: Forgetful) -> None:
    place(scripted)
    place(scripted, replace(BUY, symbol="SBIN"))
    told: list[str] = []
    started, _ = start(scripted, told.append)
    assert (started.doors.state, kinds(started), told) == (DoorState.OPEN, [], [])


def test_an_order_that_the_journal_has_as_refused_and_works_at_the_broker_is_told(
    scripted: Desk, broker: Forgetful
) -> None:
    ref = refuse_but_take(scripted, broker)
    told: list[str] = []
    started, _ = start(scripted, told.append)
    (found,) = started.store.breaks.open()
    assert (found.kind, found.ref, found.symbol, found.ticket_id) == (BreakKind.UNEXPECTED, ref, "RELIANCE", 1)
    assert found.told == (
        f"The broker has order S1 under our reference {ref}: BUY 10 RELIANCE on NSE, 0 of 10 filled."
        " The journal has it as refused."
    )
    assert told == ["1 order(s) in dispute between the broker and the journal: see the Orders page."]
    assert started.doors.state is DoorState.OPEN
    assert started.store.journal.order(1).state is OrderState.REJECTED, "a finding, and no move"


def test_the_story_of_its_ticket_tells_it(scripted: Desk, broker: Forgetful) -> None:
    refuse_but_take(scripted, broker)
    started, _ = start(scripted)
    (found,) = started.store.breaks.open()
    last = started.store.journal.events(1)[-1]
    assert (last.was, last.state, last.reason) == (OrderState.REJECTED, BreakState.OPEN.event, found.told)
    assert (last.by, last.order_id) == ("reconciliation", 1)


def test_an_order_that_arrives_after_it_was_proven_absent_is_told_by_the_timer(
    scripted: Desk, broker: Forgetful, clock: FixedClock
) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, BUY, ORIGIN)
    broker.fault = None
    started, watch = start(scripted)
    order = started.store.journal.order(1)
    assert order.state is OrderState.NOT_PLACED
    show(broker, order.ref, clock.now())
    run_on(watch)
    assert kinds(started) == [BreakKind.UNEXPECTED]


def test_an_order_that_was_dropped_and_is_at_the_broker_is_told(
    scripted: Desk, broker: Forgetful, clock: FixedClock
) -> None:
    draft = orders.draft_of(
        scripted, BUY, ORIGIN, scripted.store.preferences.trading_mode(), scripted.store.preferences.order_mode()
    )
    ticket, _ = scripted.store.journal.plan(draft, [BUY, BUY])
    show(broker, child_ref(ticket.ref, 1), clock.now())
    started, _ = start(scripted)
    (found,) = started.store.breaks.open()
    assert (found.order_id, found.told.endswith("The journal has it as not sent.")) == (2, True)


def test_an_order_under_a_reference_that_the_journal_lost_is_told(
    scripted: Desk, broker: Forgetful, clock: FixedClock
) -> None:
    show(broker, new_ref(clock.now()), clock.now())
    started, _ = start(scripted)
    (found,) = started.store.breaks.open()
    assert (found.kind, found.ticket_id) == (BreakKind.UNEXPECTED, None)
    assert "older backup" in found.told


@pytest.mark.parametrize("tag", ["", "breakout", "NIFTYSTRADDLE", "abcdefghijklm", "A" * 13, "7" * 15, "ÄÖÜ"])
def test_an_order_that_somebody_else_placed_is_none_of_ours(
    scripted: Desk, broker: Forgetful, clock: FixedClock, tag: str
) -> None:
    show(broker, tag, clock.now())
    started, _ = start(scripted)
    assert kinds(started) == []


def test_a_reference_of_a_basket_is_known_and_one_carried_over_by_a_restore_too(
    scripted: Desk, broker: Forgetful, clock: FixedClock
) -> None:
    carried = place(scripted)
    second = Ref(new_ref(clock.now()))
    scripted.store.files[0].write("DROP TRIGGER orders_kept")
    scripted.store.files[0].write("UPDATE orders SET ref = ? WHERE id = 1", (second,))
    broker.book[second] = replace(broker.book.pop(carried.ticket.ref), tag=second)
    started, _ = start(scripted)
    assert kinds(started) == []


def test_what_the_broker_refused_too_is_no_break(scripted: Desk, broker: Forgetful) -> None:
    ref = refuse_but_take(scripted, broker)
    becomes(broker, ref, OrderStatus.REJECTED)
    started, _ = start(scripted)
    assert kinds(started) == []


def test_a_second_order_under_the_reference_of_one_that_was_sent_is_told(
    scripted: Desk, broker: Forgetful, clock: FixedClock
) -> None:
    placed = place(scripted)
    show(broker, placed.ticket.ref, clock.now(), number="S9")
    started, _ = start(scripted)
    (found,) = started.store.breaks.open()
    assert (found.kind, found.broker_order_id) == (BreakKind.DUPLICATE, "S9")
    assert "as order S1: it may be there twice" in found.told


# -- what the broker misses ------------------------------------------------------------------------------------------


def test_a_sent_order_that_the_broker_does_not_know_is_told(scripted: Desk, broker: Forgetful) -> None:
    placed = place(scripted)
    broker.hidden = {placed.broker_order_id}
    started, watch = start(scripted)
    run_on(watch)
    (found,) = started.store.breaks.open()
    assert (found.kind, found.broker_order_id, found.ticket_id) == (BreakKind.MISSING, "S1", 1)
    assert found.told.endswith("as sent under number S1. The broker has no such order.")
    assert started.store.journal.order(1).state is OrderState.SENT


def test_its_absence_takes_two_complete_reads_apart(desk: Desk) -> None:
    broker = Forgetful(desk, reread_after=100.0)
    ticking = Ticking()
    scripted = replace(with_broker(desk, broker), clock=ticking)
    broker.hidden = {place(scripted).broker_order_id}
    started, watch = start(scripted)
    found = []
    for seconds in (60, 99, 100):
        ticking.seconds = seconds
        run_on(watch)
        found.append(kinds(started))
    assert found == [[], [], [BreakKind.MISSING]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda broker: setattr(broker, "reread_after", None),
        lambda broker: setattr(broker, "knows_by_number", True),
        lambda broker: setattr(broker, "before_answering", _unreachable),
    ],
    ids=["a broker that proves no absence", "one that knows its number", "one that cannot be asked for it"],
)
def test_what_is_not_proven_absent_is_not_told(
    scripted: Desk, broker: Forgetful, spoil: Callable[[Forgetful], None]
) -> None:
    broker.hidden = {place(scripted).broker_order_id}
    spoil(broker)
    started, watch = start(scripted)
    run_on(watch)
    assert kinds(started) == []


def _unreachable() -> None:
    raise NotSent("no connection")


def test_an_order_of_yesterday_is_not_missed(scripted: Desk, broker: Forgetful, clock: FixedClock) -> None:
    broker.hidden = {place(scripted).broker_order_id}
    clock.move(days=1)
    started, watch = start(scripted)
    run_on(watch)
    assert kinds(started) == []


# -- what it does ----------------------------------------------------------------------------------------------------


def test_entries_of_its_symbol_wait_and_exits_cancels_and_other_symbols_go(scripted: Desk, broker: Forgetful) -> None:
    ref = refuse_but_take(scripted, broker)
    broker.hold("RELIANCE", 10)
    started, _ = start(scripted)
    held = orders.place(started, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert f"order {ref} in RELIANCE is not as the broker has it. See the Orders page." in held.reason
    place(started, replace(BUY, symbol="SBIN"))
    place(started, SELL)
    assert isinstance(orders.cancel(started, ref, ORIGIN), Sent), "by our reference, which the broker does have"


def test_whoever_asks_for_it_is_told_what_the_broker_says(scripted: Desk, broker: Forgetful) -> None:
    ref = refuse_but_take(scripted, broker)
    started, _ = start(scripted)
    broker.complete(ref)
    fate = books.order_fate(started, ref)
    assert (fate.id, fate.status, fate.filled_quantity) == ("S1", OrderStatus.COMPLETE, 10)


def test_nothing_is_sent_because_of_it(scripted: Desk, broker: Forgetful, clock: FixedClock) -> None:
    place(scripted)
    refuse_but_take(scripted, broker)
    show(broker, new_ref(clock.now()), clock.now())
    broker.hidden = {BrokerOrderId("S1")}
    sent = list(broker.calls)
    started, watch = start(scripted)
    run_on(watch)
    run_on(watch)
    assert (len(kinds(started)), broker.calls) == (3, sent)


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_what_the_trader_has_seen_lets_entries_go_and_is_not_told_again(scripted: Desk, broker: Forgetful) -> None:
    refuse_but_take(scripted, broker)
    started, _ = start(scripted)
    (found,) = started.store.breaks.open()
    assert [each.id for each in started.store.breaks.acknowledge([found.id], by=TRADER)] == [found.id]
    assert started.store.breaks.acknowledge([found.id], by=TRADER) == [], "a second click"
    told: list[str] = []
    again, _ = start(started, told.append)
    assert (kinds(again), told) == ([], [])
    place(again)
    events = [(event.state, event.by) for event in again.store.journal.events(1)][-2:]
    assert events == [("break_open", "reconciliation"), ("break_acknowledged", "trader")]
    line = again.store.audit.page(limit=1)[0]
    assert (line.event, line.actor.name, line.after) == ("reconciliation break acknowledged", "trader", found.told)


def test_it_clears_when_the_broker_agrees_again(scripted: Desk, broker: Forgetful) -> None:
    ref = refuse_but_take(scripted, broker)
    started, watch = start(scripted)
    becomes(broker, ref, OrderStatus.CANCELLED)
    run_on(watch)
    assert kinds(started) == []
    assert started.store.journal.events(1)[-1].state == "break_cleared"
    place(started)


def test_an_order_that_shows_up_after_all_is_missing_no_more_and_may_be_missed_anew(
    scripted: Desk, broker: Forgetful
) -> None:
    hidden = {place(scripted).broker_order_id}
    broker.hidden = hidden
    started, watch = start(scripted)
    run_on(watch)
    assert kinds(started) == [BreakKind.MISSING]
    broker.hidden = set()
    run_on(watch)
    assert kinds(started) == []
    broker.hidden = hidden
    run_on(watch)
    run_on(watch)
    assert kinds(started) == [BreakKind.MISSING]


def test_a_book_of_the_next_day_clears_nothing(scripted: Desk, broker: Forgetful, clock: FixedClock) -> None:
    ref = refuse_but_take(scripted, broker)
    start(scripted)
    del broker.book[ref]
    clock.move(days=1)
    started, _ = start(scripted)
    assert kinds(started) == [BreakKind.UNEXPECTED]


# -- when it cannot be done ------------------------------------------------------------------------------------------


def test_a_book_that_cannot_be_read_keeps_the_doors_safe_and_the_next_one_is_compared(
    scripted: Desk, broker: Forgetful
) -> None:
    refuse_but_take(scripted, broker)
    broker.unreadable = NotSent("no connection")
    started, watch = start(scripted)
    assert (started.doors.state, kinds(started)) == (DoorState.SAFE, [])
    broker.unreadable = None
    watch.round()
    assert (started.doors.state, kinds(started)) == (DoorState.OPEN, [BreakKind.UNEXPECTED])


def test_a_book_that_cannot_be_read_later_leaves_the_doors_open(scripted: Desk, broker: Forgetful) -> None:
    started, watch = start(scripted)
    broker.unreadable = NotSent("no connection")
    run_on(watch)
    assert started.doors.state is DoorState.OPEN


def test_the_doors_stay_closed_while_a_break_cannot_be_written(scripted: Desk, broker: Forgetful) -> None:
    refuse_but_take(scripted, broker)
    bridge = scripted.store.files[0]
    bridge.write("ALTER TABLE order_event RENAME TO elsewhere")
    started, watch = start(scripted)
    assert started.doors.state is DoorState.OPENING
    bridge.write("ALTER TABLE elsewhere RENAME TO order_event")
    watch.round()
    assert (started.doors.state, kinds(started)) == (DoorState.OPEN, [BreakKind.UNEXPECTED])


def test_each_account_is_compared_with_its_own_orders(scripted: Desk, broker: Forgetful, clock: FixedClock) -> None:
    placed = place(scripted)
    live = Forgetful(scripted)
    show(live, placed.ticket.ref, clock.now(), number="L1")
    started, _ = start(with_broker(scripted, live, TradingMode.LIVE))
    assert [(each.trading_mode, each.kind) for each in started.store.breaks.open()] == [
        (TradingMode.LIVE, BreakKind.UNEXPECTED)
    ]
    place(started)
