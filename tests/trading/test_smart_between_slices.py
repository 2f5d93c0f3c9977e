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
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, with_broker
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
        (there,) = self.held
        self.held[:] = [replace(there, quantity=there.quantity + filled.request.action.sign * filled.request.quantity)]

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
    assert not [each for each in desk.store.journal.on_their_way() if each.state is OrderState.PLANNED]
    return report


def went(report: Report) -> list[bool]:
    return [isinstance(leg.result, Sent) for leg in report.legs]


def cancel_all(desk: Desk) -> None:
    closing.cancel_all(desk, CancelAllRequest(), PROGRAM)


def engage(desk: Desk) -> None:
    kill_switch.engage(desk, "stop", cancel_all=False, close_all=False, by=TRADER)


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
    assert broker.reads == ["order_book"] * 2


def test_a_stop_that_fills_while_the_position_is_read_is_taken_off_once(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    beside(scripted, freeze)
    broker.reads.clear()
    broker.while_reading = lambda: broker.fill(PriceType.SL_M) if broker.reads == BOOK_THEN_POSITIONS else None
    report = placed(scripted)
    assert broker.net == 0
    assert went(report) == [True, True]


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


def test_a_book_that_cannot_be_read_once_tears_nothing(scripted: Desk, broker: Filling) -> None:
    def go_away() -> None:
        broker.unreadable = NotSent("the broker does not answer")

    def come_back(seconds: float) -> None:
        broker.unreadable = None

    broker.then[1] = go_away
    assert went(placed(replace(scripted, wait=come_back))) == [True, True, True]
    assert broker.net == 0


def test_where_the_book_cannot_be_read_any_more_the_rest_is_given_up_at_once(
    scripted: Desk, broker: Filling, freeze: int
) -> None:
    def go_away() -> None:
        broker.unreadable = NotSent("the broker does not answer")

    pauses: list[float] = []
    broker.then[1] = go_away
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
