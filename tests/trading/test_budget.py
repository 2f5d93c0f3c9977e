"""A broker that hangs or counts: nobody waits for ever, cancels get through, and nothing is written for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy, Denied, NotAsked
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, PriceType, TradingMode
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import kill_switch, orders
from openalgo_bridge.trading.budget import HISTORIES_AT_ONCE, KEPT_FOR_CANCELS, Budget
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, in_threads, taken, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


@dataclass
class Hanging(ScriptedBroker):
    """Takes orders and answers only when it is let go."""

    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go_on: threading.Event = field(default_factory=threading.Event)
    go_on_for: Action | None = None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        if permit.request.action is not self.go_on_for:
            self.entered.release()
            self.go_on.wait(60)
        return super().place(permit)


SLOTS = 3


@pytest.fixture
def broker(desk: Desk) -> Hanging:
    return Hanging(desk)


@pytest.fixture
def hanging(desk: Desk, broker: Hanging) -> Iterator[Desk]:
    """A desk of which every place at the broker is taken."""
    hanging = replace(with_broker(desk, broker), budget=Budget(SLOTS))
    names = ("SBIN", "TCS", "INFY")
    threads = [
        threading.Thread(target=orders.place, args=(hanging, replace(BUY, symbol=name), ORIGIN)) for name in names
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert broker.entered.acquire(timeout=60)
    yield hanging
    broker.go_on.set()
    for thread in threads:
        thread.join()


def test_beyond_the_budget_an_order_is_refused_and_nothing_is_written(hanging: Desk, broker: Hanging) -> None:
    before = len(hanging.store.journal.tickets())
    with pytest.raises(Busy, match="Not sent"):
        orders.place(hanging, BUY, ORIGIN)
    assert len(hanging.store.journal.tickets()) == before


def test_a_read_that_finds_no_place_says_so_at_once(hanging: Desk) -> None:
    with pytest.raises(NotAsked):
        hanging.broker(TradingMode.ANALYZE).order_book()


def test_a_cancel_still_finds_a_place(hanging: Desk, broker: Hanging) -> None:
    ref = new_ref(hanging.clock.now())
    there = BrokerOrder(
        id=BrokerOrderId("X1"),
        tag=ref,
        request=BUY,
        status=OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=hanging.clock.now(),
    )
    broker.book[ref] = there
    assert isinstance(orders.cancel(hanging, "X1", ORIGIN), Sent)
    assert broker.book[ref].status is OrderStatus.CANCELLED


def test_places_are_given_back_however_it_ends() -> None:
    budget = Budget(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), budget.slot():
            raise ZeroDivisionError
    with budget.slot(), budget.slot(is_cancel=True):
        pass


def test_at_a_broker_that_answers_a_burst_waits_its_turn() -> None:
    budget = Budget(2, quick_s=60)
    both_are_taken = threading.Barrier(2)

    def ask() -> None:
        with budget.slot():
            both_are_taken.wait(60)

    assert in_threads(40, ask) == [None] * 40


def test_cancels_have_places_of_their_own_and_no_more() -> None:
    budget = Budget(1)
    held = [taken(budget, is_cancel=False)]
    held += [taken(budget, is_cancel=True) for _ in range(KEPT_FOR_CANCELS)]
    for is_cancel in (False, True):
        with pytest.raises(Busy), budget.slot(is_cancel=is_cancel):
            pass
    for release in held:
        release.set()


def test_what_only_reads_leaves_a_quarter_of_the_places_to_orders() -> None:
    budget = Budget(8)
    held = [taken(budget, only_reads=True) for _ in range(6)]
    with budget.reading():
        with pytest.raises(Busy), budget.slot():
            pass
        with budget.slot(is_cancel=True):
            pass
    held += [taken(budget) for _ in range(2)]
    for release in held:
        release.set()


def test_who_has_read_may_order_afterwards() -> None:
    budget = Budget(4)
    held = [taken(budget) for _ in range(3)]
    with budget.reading(), budget.reading():
        pass
    with budget.slot():
        pass
    for release in held:
        release.set()


def test_charts_that_load_at_once_have_their_turn_two_by_two() -> None:
    budget = Budget(8, quick_s=60, turn_s=60)
    both_have_theirs = threading.Barrier(HISTORIES_AT_ONCE)

    def load() -> None:
        with budget.history(), budget.slot():
            both_have_theirs.wait(60)

    assert in_threads(12, load) == [None] * 12


def test_a_chart_whose_turn_does_not_come_says_so_and_gives_its_place_back() -> None:
    budget = Budget(4 * HISTORIES_AT_ONCE, turn_s=0)
    held = [taken(budget, is_history=True) for _ in range(HISTORIES_AT_ONCE)]
    for _ in range(20):
        with pytest.raises(Busy, match="Not asked"), budget.history():
            pass
    with budget.reading(), budget.slot():
        pass
    for release in held:
        release.set()


def test_charts_leave_a_place_to_other_reads_and_those_of_orders() -> None:
    budget = Budget(4)
    held = [taken(budget, is_history=True) for _ in range(HISTORIES_AT_ONCE)]
    with pytest.raises(Busy, match="charts"), budget.history():
        pass
    held += [taken(budget, only_reads=True), taken(budget)]
    for release in held:
        release.set()


def test_the_smallest_budget_still_draws_a_chart() -> None:
    with Budget(1).history():
        pass


class Wall:
    """Seconds that pass only while somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def wait(self, pause: float) -> None:
        self.seconds += pause


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def throttle(wall: Wall) -> Throttle:
    return Throttle(8, monotonic=wall.now, wait=wall.wait)


def test_the_first_second_is_free_but_for_what_is_kept_back(throttle: Throttle, wall: Wall) -> None:
    for _ in range(6):
        throttle.take()
    assert wall.seconds == 0
    throttle.take()
    assert wall.seconds == pytest.approx(1 / 8)


def test_a_cancel_or_an_exit_does_not_wait_behind_entries(throttle: Throttle, wall: Wall) -> None:
    for _ in range(6):
        throttle.take()
    throttle.take(urgent=True)
    throttle.take(urgent=True)
    assert wall.seconds == 0


def test_only_so_many_entries_wait_and_exits_pass_all_of_them() -> None:
    """Who waits has a place at the broker: a line without end would leave no place for an exit."""
    asleep, go_on = threading.Semaphore(0), threading.Event()

    def wait(_: float) -> None:
        asleep.release()
        go_on.wait()

    wall = Wall()
    throttle = Throttle(8, monotonic=wall.now, wait=wait)
    while throttle.take_now():
        pass

    def enter() -> None:
        with throttle.line():
            throttle.take()

    entries = [threading.Thread(target=enter) for _ in range(3)]
    try:
        for entry in entries:
            entry.start()
            asleep.acquire()
        with pytest.raises(Busy), throttle.line():
            pass
        with throttle.line(urgent=True):
            throttle.take(urgent=True)
    finally:
        wall.seconds = 1.0
        go_on.set()
        for entry in entries:
            entry.join()


def test_exits_and_the_kill_switch_get_through_a_crowd_of_entries(desk: Desk) -> None:
    rehearse(desk, is_on=True)
    assert isinstance(orders.place(desk, BUY, ORIGIN), Sent)
    placed, is_over = threading.Semaphore(0), threading.Event()

    def enter() -> None:
        while not is_over.is_set():
            try:
                orders.place(desk, replace(BUY, symbol="TCS", quantity=1), ORIGIN)
                placed.release()
            except Busy:
                pass
            except Denied:
                return

    crowd = [threading.Thread(target=enter) for _ in range(12)]
    for each in crowd:
        each.start()
    try:
        for _ in range(10):
            placed.acquire()  # What was free of the first second is gone.
        out = in_threads(3, lambda: orders.place(desk, replace(BUY, action=Action.SELL, quantity=2), ORIGIN))
        engaged = kill_switch.engage(desk, "panic", cancel_all=True, close_all=True, by=TRADER)
    finally:
        is_over.set()
        for each in crowd:
            each.join()
    assert [type(each) for each in out] == [Sent] * 3
    assert engaged.faults == ()
    (report,) = engaged.closed
    assert [leg.why_not for leg in report.legs if "busy" in leg.why_not] == []
    assert ("NSE", "RELIANCE", "MIS") in report.closures()


def test_an_order_in_auto_is_read_for_only_where_it_would_have_to_wait(desk: Desk, wall: Wall) -> None:
    broker = ScriptedBroker(desk)
    broker.hold("RELIANCE", 10)
    throttle = Throttle(8, monotonic=wall.now, wait=wall.wait)
    throttled = replace(with_broker(desk, broker), throttles={"scripted": throttle})
    orders.place(throttled, BUY, ORIGIN)
    for _ in range(5):
        orders.place(throttled, replace(BUY, symbol="TCS"), ORIGIN)
    assert broker.reads == []
    assert isinstance(orders.place(throttled, replace(BUY, action=Action.SELL), ORIGIN), Sent)
    assert (broker.reads, wall.seconds) == (["order_book", "positions"], 0)
    orders.place(throttled, replace(BUY, symbol="TCS"), ORIGIN)
    assert wall.seconds > 0, "an entry waits"
    assert len(broker.reads) == 2, "and what nothing was bought for is no exit, without a look"


def test_an_exit_has_a_place_where_every_other_is_taken_and_leaves_one_for_a_cancel(
    hanging: Desk, broker: Hanging
) -> None:
    broker.hold("SBIN", 10)
    broker.go_on_for = Action.SELL
    assert isinstance(orders.place(hanging, replace(BUY, symbol="SBIN", action=Action.SELL), ORIGIN), Sent)
    with hanging.budget.slot(is_exit=True):
        release = taken(hanging.budget, is_cancel=True)
    release.set()


def test_exits_take_all_places_but_one() -> None:
    budget = Budget(0)
    release = taken(budget, is_exit=True)
    with pytest.raises(Busy), budget.slot(is_exit=True):
        pass
    with budget.slot(is_cancel=True):
        release.set()


def test_never_more_than_the_rate(throttle: Throttle, wall: Wall) -> None:
    for _ in range(80):
        throttle.take(urgent=True)
    assert wall.seconds == pytest.approx((80 - 8) / 8)


def test_who_would_wait_too_long_is_told_at_once(wall: Wall) -> None:
    slow = Throttle(0.1, monotonic=wall.now, wait=wall.wait)
    slow.take(urgent=True)
    before = wall.seconds
    with pytest.raises(Busy, match=r"0\.1 orders a second"):
        slow.take()
    assert wall.seconds == before


def test_an_order_that_the_throttle_refuses_was_not_written(desk: Desk, wall: Wall) -> None:
    broker = ScriptedBroker(desk)
    slow = Throttle(0.1, monotonic=wall.now, wait=wall.wait)
    throttled = replace(with_broker(desk, broker), throttles={"scripted": slow})
    placed = orders.place(throttled, BUY, ORIGIN)
    assert isinstance(placed, Sent)
    with pytest.raises(Busy):
        orders.place(throttled, BUY, ORIGIN)
    assert (len(broker.calls), len(throttled.store.journal.tickets())) == (1, 1)
    assert isinstance(orders.cancel(throttled, placed.broker_order_id, ORIGIN), Sent)


def rehearse(desk: Desk, *, is_on: bool) -> None:
    desk.store.guards.save(GuardSettings(rehearse_rate=is_on), by=TRADER)


def test_paper_takes_any_number_unless_the_brokers_rate_is_rehearsed(desk: Desk, wall: Wall) -> None:
    assert list(desk.throttles) == ["paper"]
    paced = replace(desk, throttles={"paper": Throttle(8, monotonic=wall.now, wait=wall.wait)})
    for _ in range(20):
        orders.place(paced, BUY, ORIGIN)
    assert wall.seconds == 0
    rehearse(desk, is_on=True)
    for _ in range(20):
        orders.place(paced, BUY, ORIGIN)
    assert wall.seconds == pytest.approx((20 - 6) / 8)
    rehearse(desk, is_on=False)
    orders.place(paced, BUY, ORIGIN)
    assert wall.seconds == pytest.approx((20 - 6) / 8), "the next order is asked of the disk again"


def test_in_the_rehearsal_who_would_wait_too_long_is_not_sent_and_a_cancel_is(desk: Desk, wall: Wall) -> None:
    slow = replace(desk, throttles={"paper": Throttle(0.1, monotonic=wall.now, wait=wall.wait)})
    rehearse(desk, is_on=True)
    resting = orders.place(slow, replace(BUY, price_type=PriceType.LIMIT, price=Decimal(1200)), ORIGIN)
    assert isinstance(resting, Sent)
    with pytest.raises(Busy, match="Not sent"):
        orders.place(slow, BUY, ORIGIN)
    assert len(desk.store.journal.tickets()) == 1
    assert isinstance(orders.cancel(slow, resting.broker_order_id, ORIGIN), Sent)


def test_a_rehearsal_that_cannot_be_read_keeps_no_cancel_from_going(desk: Desk, wall: Wall) -> None:
    resting = orders.place(desk, replace(BUY, price_type=PriceType.LIMIT, price=Decimal(1200)), ORIGIN)
    assert isinstance(resting, Sent)
    desk.store.files[0].write("INSERT INTO guard VALUES ('price_band', 'x')")
    assert isinstance(orders.cancel(desk, resting.broker_order_id, ORIGIN), Sent)
