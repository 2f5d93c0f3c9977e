"""What happens between two slices of a smart order: the rest is never more than is still missing, and never torn off
by what lasts a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing as closed_at_the_end
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, StorageError
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    Exchange,
    OrderRequest,
    PriceType,
    SmartOrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import closing, kill_switch, orders, smart
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker
from tests.faults import WatchedDatabase, with_database

PROGRAM = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
FLAT = SmartOrderRequest(order=replace(SELL, quantity=0), position_size=0)
BOOK_THEN_POSITIONS = ["order_book", "positions"]


def nothing() -> None:
    pass


@dataclass
class Filling(ScriptedBroker):
    """Fills market orders at once, or where they ``rest`` between the reading of its two books; where it ``lags`` its
    positions stay as they were. ``then`` is done when so many market orders were placed as it is keyed by.
    """

    rests: bool = False
    lags: bool = False
    then: dict[int, Callable[[], object]] = field(default_factory=dict)
    placed: int = 0
    shown: list[Position] = field(default_factory=list)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        order_id = super().place(permit)
        if permit.request.price_type is PriceType.MARKET:
            self.placed += 1
            if not self.rests:
                self.fill(PriceType.MARKET)
            self.then.get(self.placed, nothing)()
        return order_id

    def positions(self) -> list[Position]:
        super().positions()
        self.fill(PriceType.MARKET)
        self.shown = self.shown if self.lags and self.shown else list(self.held)
        return self.shown

    def fill(self, price_type: PriceType) -> None:
        for tag, each in self.book.items():
            if each.request.price_type is price_type and each.status.is_working:
                self.complete(tag)
                self.move(each)

    def move(self, filled: BrokerOrder) -> None:
        units = filled.request.action.sign * filled.request.quantity
        self.held[:] = [
            replace(each, quantity=each.quantity + units * (each.symbol == filled.request.symbol)) for each in self.held
        ]

    @property
    def net(self) -> int:
        return sum(each.quantity for each in self.held)


@pytest.fixture
def freeze(desk: Desk) -> int:
    instrument = desk.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert instrument is not None
    return instrument.freeze_quantity


@pytest.fixture
def broker(desk: Desk, freeze: int) -> Filling:
    """It holds three times what goes in one order."""
    broker = Filling(desk)
    broker.hold("RELIANCE", 3 * freeze)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: Filling) -> Desk:
    return with_broker(desk, broker)


def placed(desk: Desk, wish: SmartOrderRequest = FLAT) -> Report:
    report, _ = smart.place(desk, wish, PROGRAM)
    assert isinstance(report, Report)
    planned = [each for each in desk.store.journal.on_their_way() if each.state is OrderState.PLANNED]
    assert not [each for each in planned if each.ticket_id == report.ticket.id]
    return report


def went(report: Report) -> list[bool]:
    return [isinstance(leg.result, Sent) for leg in report.legs]


def cancel_all(desk: Desk) -> None:
    closing.cancel_all(desk, CancelAllRequest(), PROGRAM)


def engage(desk: Desk) -> None:
    kill_switch.engage(desk, "stop", cancel_all=False, close_all=False, by=TRADER)


def go_away(broker: Filling) -> None:
    broker.unreadable = NotSent("the broker does not answer")


def beside(desk: Desk, quantity: int) -> None:
    stop = replace(SELL, quantity=quantity, price_type=PriceType.SL_M, trigger_price=Decimal(900))
    assert isinstance(orders.place(desk, stop, PROGRAM), Sent)


@pytest.mark.parametrize("rests", [False, True])
def test_a_stop_that_fills_meanwhile_leaves_less_to_go(
    scripted: Desk, broker: Filling, freeze: int, rests: bool
) -> None:
    beside(scripted, freeze + 5)
    broker.rests = rests
    broker.then[1] = lambda: broker.fill(PriceType.SL_M)
    report = placed(scripted)
    broker.fill(PriceType.MARKET)
    assert broker.net == 0
    assert report.is_done
    assert went(report) == [True, True, False]
    assert report.legs[2].refusal.startswith("Not needed any more:")


def test_a_stop_that_fills_more_than_was_left_is_told(scripted: Desk, broker: Filling, freeze: int) -> None:
    beside(scripted, 3 * freeze)
    broker.then[1] = lambda: broker.fill(PriceType.SL_M)
    report = placed(scripted)
    assert went(report) == [True, False, False]
    assert "turned to the other side" in report.legs[1].refusal
    assert not report.is_done


@pytest.mark.parametrize("lags", [False, True])
@pytest.mark.parametrize("rests", [False, True])
def test_slices_that_went_are_counted_once_and_not_waited_for(
    scripted: Desk, broker: Filling, rests: bool, lags: bool
) -> None:
    pauses: list[float] = []
    broker.rests, broker.lags = rests, lags
    assert went(placed(replace(scripted, wait=pauses.append))) == [True, True, True]
    assert pauses == []
    broker.fill(PriceType.MARKET)
    assert broker.net == 0


@pytest.mark.parametrize("rests", [False, True])
def test_the_kill_switch_lets_an_exit_under_way_through(scripted: Desk, broker: Filling, rests: bool) -> None:
    broker.rests = rests
    broker.then[2] = lambda: engage(scripted)
    assert went(placed(scripted)) == [True, True, True]
    broker.fill(PriceType.MARKET)
    assert broker.net == 0


def test_the_kill_switch_stops_an_entry_under_way_and_is_named(scripted: Desk, broker: Filling, freeze: int) -> None:
    broker.then[1] = lambda: engage(scripted)
    report = placed(scripted, SmartOrderRequest(order=BUY, position_size=6 * freeze))
    assert went(report) == [True, False, False]
    assert all("kill_switch" in leg.refusal for leg in report.legs[1:])


def test_a_reversal_under_way_is_no_exit(scripted: Desk, broker: Filling, freeze: int) -> None:
    broker.then[1] = lambda: engage(scripted)
    report = placed(scripted, SmartOrderRequest(order=SELL, position_size=-2 * freeze))
    assert went(report) == [True, False, False, False, False]
    assert broker.net == 2 * freeze


def test_slices_that_were_given_up_meanwhile_are_looked_at_once_and_not_judged(scripted: Desk, broker: Filling) -> None:
    def give_up() -> None:
        cancel_all(scripted)
        broker.reads.clear()

    broker.then[1] = give_up
    assert went(placed(scripted)) == [True, False, False]
    assert broker.reads == ["order_book"]


def test_slices_that_were_given_up_are_not_waited_for(scripted: Desk, broker: Filling) -> None:
    def give_up() -> None:
        cancel_all(scripted)
        broker.unreadable = NotSent("the broker does not answer")

    pauses: list[float] = []
    broker.then[1] = give_up
    report = placed(replace(scripted, wait=pauses.append))
    assert ["came first" in leg.refusal for leg in report.legs] == [False, True, True]
    assert pauses == []


def test_slices_that_are_given_up_while_they_wait_wait_no_longer(scripted: Desk, broker: Filling) -> None:
    pauses: list[float] = []

    def give_up(seconds: float) -> None:
        pauses.append(seconds)
        with pytest.raises(NotSent):
            cancel_all(scripted)

    broker.then[1] = lambda: go_away(broker)
    report = placed(replace(scripted, wait=give_up))
    assert ["came first" in leg.refusal for leg in report.legs] == [False, True, True]
    assert len(pauses) == 1


def test_a_stop_that_fills_while_the_position_is_read_is_taken_off_once(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    beside(scripted, freeze)
    broker.reads.clear()
    broker.while_reading = lambda: broker.fill(PriceType.SL_M) if broker.reads == BOOK_THEN_POSITIONS else None
    report = placed(scripted)
    assert broker.net == 0
    assert went(report) == [True, True]


@pytest.mark.parametrize("shown_at", [3, 4])
@pytest.mark.parametrize(("lag", "is_shown"), [(0.0, True), (5.0, True), (30.0, False)])
def test_what_a_late_order_book_takes_off_twice_is_sent_once_the_positions_must_be_right(
    scripted: Desk, broker: Filling, freeze: int, clock: FixedClock, lag: float, is_shown: bool, shown_at: int
) -> None:
    """A stop filled before: the positions show that at once, the order book when it has been read a few times."""
    beside(scripted, freeze)
    (stop,) = broker.book
    broker.reads.clear()
    broker.while_reading = lambda: broker.complete(stop) if broker.reads.count("order_book") == shown_at else None
    broker.positions_lag = lag
    report = placed(replace(scripted, wait=lambda seconds: clock.move(seconds=seconds)))
    assert (report.is_done, broker.net) == ((True, 0) if is_shown else (False, freeze))
    assert report.legs[2].why_not == ("" if is_shown else "The position in RELIANCE does not show the last fills yet.")


def test_positions_that_are_behind_after_a_long_wait_for_a_token_are_not_taken_for_what_is_left(
    scripted: Desk, broker: Filling, freeze: int, clock: FixedClock
) -> None:
    beside(scripted, freeze)
    broker.lags = True
    broker.then[1] = lambda: broker.fill(PriceType.SL_M)
    broker.then[2] = lambda: clock.move(seconds=60)
    report = placed(scripted)
    assert went(report) == [True, True, False]
    assert (report.is_done, broker.net) == (False, 0)


def test_what_fills_beside_all_the_time_keeps_no_exit_back(scripted: Desk, broker: Filling, freeze: int) -> None:
    target = replace(SELL, quantity=freeze, price_type=PriceType.LIMIT, price=Decimal(1000))
    assert isinstance(orders.place(scripted, target, PROGRAM), Sent)
    (tag,) = broker.book

    def fill_one() -> None:
        there, (position,) = broker.book[tag], broker.held
        broker.book[tag] = replace(there, filled_quantity=there.filled_quantity + 1)
        broker.held[:] = [replace(position, quantity=position.quantity - 1)]

    broker.while_reading = fill_one
    pauses: list[float] = []
    assert went(placed(replace(scripted, wait=pauses.append))) == [True, True]
    assert pauses == []
    assert 0 <= broker.net - broker.book[tag].pending_quantity <= 1, "never past flat, and too little by one fill"


@pytest.mark.parametrize("fills", [1, 4, 8])
@pytest.mark.parametrize(
    "at",
    [
        {"positions": Action.BUY},
        {"order_book": Action.BUY},
        {"positions": Action.BUY, "order_book": Action.SELL},
        {"positions": Action.SELL, "order_book": Action.BUY},
    ],
)
def test_what_fills_on_either_side_while_the_position_is_read_takes_no_exit_past_flat(
    scripted: Desk, broker: Filling, freeze: int, at: dict[str, Action], fills: int
) -> None:
    """One unit at each such reading, a few times. A stop fills between the slices, so that no slice is spare."""
    beside(scripted, freeze // 2)
    tags = {}
    for action in at.values():
        limit = replace(BUY, action=action, quantity=100, price_type=PriceType.LIMIT, price=Decimal(1000))
        orders.place(scripted, limit, PROGRAM)
        tags[action] = list(broker.book)[-1]
    broker.reads.clear()

    def fill_one() -> None:
        action = at.get(broker.reads[-1])
        if action is None or broker.book[tags[action]].filled_quantity == fills:
            return
        there, (position,) = broker.book[tags[action]], broker.held
        broker.book[tags[action]] = replace(there, filled_quantity=there.filled_quantity + 1)
        broker.held[:] = [replace(position, quantity=position.quantity + action.sign)]

    broker.while_reading = fill_one
    broker.then[1] = lambda: broker.fill(PriceType.SL_M)
    placed(scripted)
    still_sells = broker.book[tags[Action.SELL]].pending_quantity if Action.SELL in tags else 0
    assert 0 <= broker.net - still_sells <= 2 * fills


def test_what_is_bought_while_the_positions_are_asked_once_more_is_sold_once(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    """The order book shows late that a stop was filled before. After the first slice another one leaves five units."""
    beside(scripted, 2 * freeze)
    (late,) = broker.book
    beside(scripted, 2 * freeze - 5)
    orders.place(scripted, replace(BUY, quantity=1, price_type=PriceType.LIMIT, price=Decimal(1000)), PROGRAM)

    def leave_five() -> None:
        broker.complete(late)
        broker.fill(PriceType.SL_M)
        broker.reads.clear()
        broker.while_reading = buy_one

    def buy_one() -> None:
        if broker.reads[-2:] == BOOK_THEN_POSITIONS:
            broker.fill(PriceType.LIMIT)

    broker.positions_lag = 0.0
    broker.then[1] = leave_five
    assert placed(scripted).is_done
    assert broker.net == 0


def test_what_goes_in_one_order_reads_each_book_once(scripted: Desk, broker: Filling, freeze: int) -> None:
    broker.held[:] = [replace(broker.held[0], quantity=freeze)]
    assert isinstance(smart.place(scripted, FLAT, PROGRAM)[0], Sent)
    assert broker.reads == BOOK_THEN_POSITIONS


def test_a_limit_that_is_changed_meanwhile_is_asked_about_the_rest(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    loose = GuardSettings(maximum_quantity=10 * freeze)
    broker.then[1] = lambda: scripted.store.guards.save(loose, by=TRADER)
    assert went(placed(scripted)) == [True, True, True]


def test_a_book_that_cannot_be_read_once_tears_nothing_however_many_others_look_again(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    broker.hold("TCS", 3 * freeze)
    broker.then = {each: lambda: go_away(broker) for each in (1, 2)}
    other: list[Report] = []

    def come_back(seconds: float) -> None:
        broker.unreadable = None
        if broker.placed == 1:
            other.append(placed(scripted_to_wait, replace(FLAT, order=replace(FLAT.order, symbol="TCS"))))

    scripted_to_wait = replace(scripted, wait=come_back)
    with scripted.turns.patience(), scripted.turns.patience():
        assert went(placed(scripted_to_wait)) == [True, True, True]
    assert went(other[0]) == [True] * len(other[0].legs)
    assert [each.quantity for each in broker.held] == [0, 0]


def places(desk: Desk, found: list[object]) -> None:
    """Somebody else asks for the only place at the broker."""

    def enter() -> str:
        with desk.budget.slot():
            return "a place"

    found.extend(in_threads(1, enter))


def test_what_has_begun_keeps_no_place_at_the_broker_while_it_waits(scripted: Desk, broker: Filling) -> None:
    crowded = replace(scripted, budget=Budget(1, quick_s=0))
    found: list[object] = []

    def ask(seconds: float) -> None:
        broker.unreadable = None
        places(crowded, found)

    broker.then[1] = lambda: go_away(broker)
    assert went(placed(replace(crowded, wait=ask))) == [True, True, True]
    assert found == ["a place"]


def test_a_slice_that_the_broker_has_no_room_for_is_tried_again_and_worked_out_anew(
    scripted: Desk, broker: Filling, freeze: int, clock: FixedClock
) -> None:
    """Its token takes longer than anything may wait for it, until some pauses are over. A stop fills in the first."""
    beside(scripted, freeze + 5)
    throttle = Throttle(3 / 65, monotonic=clock.monotonic, wait=lambda seconds: clock.move(seconds=seconds))
    crowded = replace(scripted, budget=Budget(1, quick_s=0), throttles={"scripted": throttle})
    found: list[object] = []

    def fill_the_stop(seconds: float) -> None:
        broker.fill(PriceType.SL_M)
        places(crowded, found)
        clock.move(seconds=seconds)

    broker.then[1] = lambda: [throttle.take(urgent=True) for _ in range(2)]
    report = placed(replace(crowded, wait=fill_the_stop))
    assert broker.net == 0
    assert went(report) == [True, True, False]
    assert report.is_done
    assert found
    assert set(found) == {"a place"}


def test_a_slice_that_the_broker_has_no_room_for_at_all_is_told_and_not_waited_for_without_end(
    scripted: Desk, broker: Filling, clock: FixedClock
) -> None:
    throttle = Throttle(1 / 90, monotonic=clock.monotonic, wait=lambda seconds: clock.move(seconds=seconds))
    broker.then[1] = lambda: [throttle.take(urgent=True) for _ in range(2)]
    pauses: list[float] = []
    report = placed(replace(scripted, throttles={"scripted": throttle}, wait=pauses.append))
    assert went(report) == [True, False, False]
    assert all("busy" in leg.refusal for leg in report.legs[1:])
    assert 5 < sum(pauses) <= 10


def test_where_the_book_cannot_be_read_any_more_the_rest_is_given_up_at_once(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    pauses: list[float] = []
    broker.then[1] = lambda: go_away(broker)
    report = placed(replace(scripted, wait=pauses.append))
    assert went(report) == [True, False, False]
    assert [leg.refusal for leg in report.legs[1:]] == ["the broker does not answer"] * 2
    assert 5 < sum(pauses) <= 10
    assert len(broker.reads) == 3 + 1 + len(pauses), "nobody asks for the last slice again"
    assert broker.net == 2 * freeze


def test_a_fresh_trade_that_a_setting_allows_while_flat_goes_as_far_as_it_says(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    scripted.store.preferences.set_smart_orders(SmartOrderSettings(opens_while_flat=True), by=TRADER)
    broker.held[:] = [replace(broker.held[0], quantity=0)]
    whole = replace(BUY, quantity=3 * freeze)
    assert went(placed(scripted, SmartOrderRequest(order=whole, position_size=0))) == [True, True, True]
    assert broker.net == 3 * freeze


def test_nothing_has_to_be_read_from_the_journal_to_know_the_slices(desk: Desk, broker: Filling) -> None:
    class Unlisted(Journal):
        def orders_of(self, ticket_ids: object) -> list[JournalOrder]:
            raise StorageError("disk I/O error")

    with closed_at_the_end(WatchedDatabase(desk.settings.db_dir / "bridge.db")) as database:
        scripted = with_broker(with_database(desk, database, Unlisted), broker)
        assert went(placed(scripted)) == [True, True, True]
