"""A closing beside a stop: the stop goes only where the position can follow, and nobody is left bare unsaid."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from openalgo_bridge.api import answers
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Conflict, Denied, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    Ref,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import closing, kill_switch, orders, recovery, stopping
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

PROGRAM = Origin(source="api", strategy="test", request_id="r1")
BY_HAND = Origin(source=PAGE, strategy="", request_id="", may_trade_live=True)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
TARGET = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
OPEN = "withdrawn and the position is OPEN"


@dataclass
class Unhurried(ScriptedBroker):
    """Takes a cancel and makes it when ``settle`` is called, refuses a second one meanwhile; fills at market."""

    taken: list[BrokerOrderId] = field(default_factory=list)
    refuses_market: str = ""
    is_blind: bool = False
    while_cancelling: Callable[[], None] = lambda: None
    while_placing: Callable[[], None] = lambda: None

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self.while_cancelling()
        order_id = permit.request.broker_order_id
        if order_id in self.taken:
            raise Rejected("This order is being cancelled")
        self.calls.append(permit.ref)
        self.taken.append(order_id)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self.while_placing()
        is_market = permit.request.price_type is PriceType.MARKET
        if is_market and self.refuses_market:
            raise Rejected(self.refuses_market)
        placed = super().place(permit)
        if is_market:
            self.fill(permit.ref)
        return placed

    def order_book(self) -> list[BrokerOrder]:
        return [] if self.is_blind else super().order_book()

    def find(self, tag: Ref) -> BrokerOrder | None:
        return None if self.is_blind else super().find(tag)

    def settle(self) -> None:
        """Make every cancel that was taken."""
        for order_id in self.taken:
            self._become(order_id, OrderStatus.CANCELLED)
        self.taken.clear()

    def fill(self, tag: Ref) -> None:
        order = self.book[tag]
        self.complete(tag)
        net = self.net(order.request.symbol) + order.request.action.sign * order.pending_quantity
        self.held = [each for each in self.held if each.symbol != order.request.symbol]
        self.hold(order.request.symbol, net)

    def net(self, symbol: str = "RELIANCE") -> int:
        return sum(each.quantity for each in self.held if each.symbol == symbol)

    def working(self) -> list[BrokerOrderId]:
        return [each.id for each in self.book.values() if each.status.is_working]

    def _become(self, order_id: BrokerOrderId, status: OrderStatus) -> None:
        there = self._named(order_id)
        self.book[there.tag] = replace(there, status=status)


@pytest.fixture
def broker(desk: Desk) -> Unhurried:
    return Unhurried(desk)


@pytest.fixture
def scripted(desk: Desk, broker: Unhurried) -> Desk:
    return with_broker(desk, broker)


def settling_after(desk: Desk, broker: Unhurried, looks: int) -> Desk:
    """The same desk, with a broker that makes its cancels while the desk waits for the ``looks``-th time."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == looks:
            broker.settle()

    return replace(desk, wait=wait)


def sent(desk: Desk, order: OrderRequest) -> Sent:
    result = orders.place(desk, order, PROGRAM)
    assert isinstance(result, Sent)
    return result


def closed(desk: Desk, origin: Origin = BY_HAND) -> Report:
    report = closing.close(desk, CloseRequest(), origin)
    assert isinstance(report, Report)
    return report


def stop_and_target(desk: Desk, broker: Unhurried) -> list[Sent]:
    broker.hold("RELIANCE", 10)
    return [sent(desk, STOP), sent(desk, TARGET)]


# -- a broker that makes a cancel a moment after it took it ------------------------------------------------------


@pytest.mark.parametrize("looks", [1, 5])
def test_a_position_is_closed_as_soon_as_its_stop_is_gone(scripted: Desk, broker: Unhurried, looks: int) -> None:
    broker.hold("RELIANCE", 10)
    sent(scripted, STOP)
    report = closed(settling_after(scripted, broker, looks))
    assert (report.is_done, broker.net(), broker.working()) == (True, 0, [])


def test_the_kill_switch_cancels_and_then_closes_although_the_second_cancel_is_refused(
    scripted: Desk, broker: Unhurried
) -> None:
    stop_and_target(scripted, broker)
    kill_switch.engage(settling_after(scripted, broker, 2), "stop", cancel_all=True, close_all=True, by=TRADER)
    assert (broker.net(), broker.working()) == (0, [])


def test_a_position_whose_stop_lingers_keeps_no_other_one_waiting(scripted: Desk, broker: Unhurried) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 10)
    sent(scripted, STOP)
    nets: list[tuple[int, ...]] = []
    waiting = replace(
        scripted, wait=lambda _: nets.append(tuple(broker.net(each) for each in ("RELIANCE", "TCS", "INFY")))
    )
    assert not closed(waiting).is_done
    assert nets[0] == (10, 0, 0)


def test_nobodys_place_is_held_while_a_closing_waits(scripted: Desk, broker: Unhurried) -> None:
    broker.hold("RELIANCE", 10)
    sent(scripted, STOP)
    budget = Budget(1)
    found: list[object] = []

    def ask() -> str:
        with budget.slot():
            return "a place"

    crowded = replace(scripted, budget=budget, wait=lambda _: found.extend(in_threads(1, ask)))
    closed(crowded)
    assert set(found) == {"a place"}


@pytest.mark.parametrize("cancels", [False, True])
def test_a_withdrawal_that_is_never_made_is_an_alarm_everywhere(
    scripted: Desk, broker: Unhurried, cancels: bool
) -> None:
    broker.hold("RELIANCE", 10)
    sent(scripted, STOP)
    engaged = kill_switch.engage(scripted, "stop", cancel_all=cancels, close_all=True, by=TRADER)
    assert not engaged.is_done
    (why,) = [leg.why_not for legs in engaged.closed[0].closures().values() for leg in legs]
    becomes_of_it = "which works on" if cancels else "does not show yet"  # refused, as it is withdrawn already
    assert f"{becomes_of_it}, and the position is OPEN" in why
    told = answers.closed_positions(engaged.closed[0])
    assert (told["status"], told["failed_closures"]) == ("error" if cancels else "partial", 1)
    (tried,) = [
        each
        for each in kill_switch.tried_since(scripted, engaged.state.since or scripted.clock.now())
        if isinstance(each.request, OrderRequest)
    ]
    assert (tried.state, tried.message) == (OrderState.DROPPED, why)


def test_a_closing_order_that_the_broker_refuses_is_told_as_what_it_leaves_open(
    scripted: Desk, broker: Unhurried
) -> None:
    stop_and_target(scripted, broker)
    broker.refuses_market = "Market orders are blocked for this contract"
    report = closed(settling_after(scripted, broker, 1))
    (failure,) = answers.closed_positions(report)["failures"]  # type: ignore[misc]
    assert OPEN in failure["message"]
    assert "Market orders are blocked" in failure["message"]
    (order,) = [
        each for each in scripted.store.journal.orders_of([report.ticket.id]) if isinstance(each.request, OrderRequest)
    ]
    assert (order.state, order.message) == (OrderState.REJECTED, failure["message"])


def test_a_refused_closing_without_a_stop_strips_nothing_and_says_nothing_of_it(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    broker.refuses_market = "Market orders are blocked for this contract"
    (leg,) = closed(scripted).legs
    assert leg.why_not == "Market orders are blocked for this contract"


def test_a_stop_that_filled_before_its_withdrawal_leaves_nothing_open_to_warn_of(
    scripted: Desk, broker: Unhurried
) -> None:
    stop, _ = stop_and_target(scripted, broker)

    def fill_and_settle(_: float) -> None:
        if broker.net():
            broker.taken.remove(stop.broker_order_id)
            broker.fill(stop.ticket.ref)
            broker.settle()

    report = closed(replace(scripted, wait=fill_and_settle))
    (leg,) = report.closures()["NSE", "RELIANCE", "MIS"]
    assert (leg.is_done, leg.result, report.is_done) == (True, None, True)
    assert leg.why_not == "Not needed any more: the position is flat."
    assert (broker.net(), broker.working()) == (0, [])


# -- what stands in the way is found out before the stop is touched ----------------------------------------------


def move(desk: Desk, stop: Sent, **changes: object) -> object:
    return orders.modify(desk, stop.broker_order_id, replace(STOP, **changes), PROGRAM)  # type: ignore[arg-type]


def moved_in_doubt(desk: Desk, broker: Unhurried, **changes: object) -> Sent:
    """A working stop, of which nobody knows whether its change was made."""
    stop = sent(desk, STOP)
    before = dict(broker.book)
    broker.fault = lambda: OutcomeUnknown("timed out")
    assert isinstance(move(desk, stop, **changes), InDoubt)
    broker.fault = None
    broker.book = before
    return stop


@pytest.mark.parametrize("is_parked", [False, True])
def test_a_move_of_the_stop_in_doubt_keeps_no_position_from_being_closed(
    scripted: Desk, broker: Unhurried, is_parked: bool
) -> None:
    broker.hold("RELIANCE", 10)
    stop = moved_in_doubt(scripted, broker, trigger_price=Decimal(910))
    if is_parked:
        assert isinstance(move(scripted, stop, trigger_price=Decimal(920)), Sent)
        recovery.recover(scripted)
        assert [each.state for each in scripted.store.journal.doubts()] == [OrderState.PARKED]
    report = closed(settling_after(scripted, broker, 1))
    assert (report.is_done, broker.net()) == (True, 0)


def test_a_change_in_doubt_of_an_order_that_works_no_more_takes_nothing_from_an_exit(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    stop = moved_in_doubt(scripted, broker, quantity=20)
    orders.cancel(scripted, stop.broker_order_id, PROGRAM)
    broker.settle()
    scripted.store.kill_switch.engage("stop", by=TRADER)
    assert isinstance(orders.place(scripted, SELL, PROGRAM), Sent)


@pytest.mark.parametrize(("grows_to", "passes"), [(5, True), (6, False)])
def test_a_change_in_doubt_takes_what_it_may_add_from_an_exit(
    scripted: Desk, broker: Unhurried, grows_to: int, passes: bool
) -> None:
    broker.hold("RELIANCE", 10)
    stop = sent(scripted, replace(STOP, quantity=5))
    before = dict(broker.book)
    broker.fault = lambda: OutcomeUnknown("timed out")
    move(scripted, stop, quantity=grows_to)
    broker.fault, broker.book = None, before
    scripted.store.kill_switch.engage("stop", by=TRADER)
    half = replace(SELL, quantity=5)
    if passes:
        assert isinstance(orders.place(scripted, half, PROGRAM), Sent)
        return
    with pytest.raises(Denied):
        orders.place(scripted, half, PROGRAM)


def test_a_stop_stays_where_an_exit_in_doubt_keeps_its_position_from_being_closed(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    stop = sent(scripted, STOP)
    broker.fault = lambda: OutcomeUnknown("timed out")
    broker.fill = lambda tag: None  # type: ignore[method-assign]
    assert isinstance(orders.place(scripted, SELL, PROGRAM), InDoubt)
    broker.fault = None
    report = closed(scripted)
    assert not report.is_done
    assert (report.cancels(), broker.taken, broker.working()) == ([], [], [stop.broker_order_id])
    assert all("OPEN" not in leg.why_not for leg in report.legs)


def test_a_stop_stays_where_the_broker_is_known_to_refuse_the_closing(scripted: Desk, broker: Unhurried) -> None:
    broker.hold("RELIANCE", 10)
    stop = sent(scripted, STOP)
    broker.refuses = "Quantity must be in multiples of lot size 15"
    report = closed(scripted)
    (leg,) = report.legs
    assert leg.why_not == (
        "Not sent, and its stop or target works on: the broker would refuse it."
        " Quantity must be in multiples of lot size 15"
    )
    assert (broker.taken, broker.working()) == ([], [stop.broker_order_id])
    (planned,) = scripted.store.journal.orders_of([report.ticket.id])
    assert (planned.state, planned.message) == (OrderState.DROPPED, leg.why_not)


def test_a_position_that_the_broker_refuses_to_close_keeps_no_other_one_from_being_closed(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", 10)
    stop = sent(scripted, STOP)
    refused = Rejected("Quantity must be in multiples of lot size 15")

    def check(order: OrderRequest) -> None:
        if order.symbol == "RELIANCE":
            raise refused

    broker.check = check  # type: ignore[method-assign]
    report = closed(scripted)
    assert {name[1]: legs[0].is_done for name, legs in report.closures().items()} == {"RELIANCE": False, "TCS": True}
    assert broker.working() == [stop.broker_order_id]


# -- Semi-Auto, saved while a program closes ---------------------------------------------------------------------


def semi_auto(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)


@pytest.mark.parametrize("refusal", ["", "RMS"])
def test_what_has_no_stop_to_lose_is_not_closed_after_semi_auto_is_saved(
    scripted: Desk, broker: Unhurried, refusal: str
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY", "SBIN"):
        broker.hold(symbol, 10)

    def save() -> None:
        semi_auto(scripted)
        broker.refuses_market = refusal

    broker.while_placing = save
    report = closed(scripted, PROGRAM)
    assert [leg.is_done for leg in report.legs] == [not refusal, False, False, False]
    assert all("order mode was changed" in leg.why_not for leg in report.legs[1:])


def test_only_the_position_whose_stop_was_withdrawn_is_finished_after_semi_auto_is_saved(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", 10)
    sent(scripted, STOP)
    sent(scripted, TARGET)
    (kept,) = [sent(scripted, replace(STOP, symbol="TCS")).broker_order_id]
    broker.while_cancelling = lambda: semi_auto(scripted)
    report = closed(settling_after(scripted, broker, 1), PROGRAM)
    assert (broker.net("RELIANCE"), broker.net("TCS")) == (0, 10)
    assert broker.working() == [kept], "its stop stays with the position"
    assert not report.is_done


# -- what is in doubt, many and late -----------------------------------------------------------------------------


def test_an_entry_in_doubt_may_still_open_a_position_and_the_report_says_so(scripted: Desk, broker: Unhurried) -> None:
    broker.fault, broker.reread_after = lambda: OutcomeUnknown("timed out"), 5.0
    entry = orders.place(scripted, BUY, PROGRAM)
    broker.fault = None
    report = closed(scripted, PROGRAM)
    told = answers.closed_positions(report)
    assert told["status"] == "error"
    (failure,) = told["failures"]  # type: ignore[misc]
    assert failure["symbol"] == "RELIANCE"
    assert f"{entry.ticket.ref} may still open a position" in failure["message"]
    assert not kill_switch.engage(scripted, "stop", cancel_all=False, close_all=True, by=TRADER).is_done
    assert [each.ref for each in stopping.unseen(scripted, report.ticket)] == [entry.ticket.ref]


def test_an_entry_in_doubt_elsewhere_or_one_that_shows_is_no_such_doubt(scripted: Desk, broker: Unhurried) -> None:
    broker.fault, broker.accepts_before_fault = lambda: OutcomeUnknown("timed out"), True
    orders.place(scripted, replace(BUY, price_type=PriceType.LIMIT, price=Decimal(990)), PROGRAM)
    broker.fault = None
    assert closed(scripted).is_done, "it shows: it is an order that works"
    broker.is_blind = True
    other = closing.close(scripted, CloseRequest(symbol="TCS", exchange=Exchange.NSE), BY_HAND)
    assert isinstance(other, Report)
    assert other.is_done
    assert not closed(scripted).is_done


def test_a_closing_order_in_doubt_is_cancelled_by_the_reference_that_names_it(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    broker.refuses_market, broker.is_blind, broker.reread_after = "", True, 5.0
    broker.fault, broker.accepts_before_fault = lambda: OutcomeUnknown("timed out"), True
    broker.fill = lambda tag: None  # type: ignore[method-assign]
    closed(scripted)
    broker.fault = None
    ((named, _),) = closing.cancel_all(scripted, CancelAllRequest(), PROGRAM).cancels()
    with pytest.raises(Conflict, match="not known yet"):
        orders.cancel(scripted, named.broker_order_id, PROGRAM)
    broker.is_blind = False
    assert isinstance(orders.cancel(scripted, named.broker_order_id, PROGRAM), Sent)
    assert broker.taken == ["S1"]


def crowd(broker: Unhurried, count: int) -> None:
    for number in range(count):
        tag = Ref(f"X{number}")
        broker.book[tag] = BrokerOrder(
            id=BrokerOrderId(f"B{number}"),
            tag=tag,
            request=TARGET,
            status=OrderStatus.OPEN,
            filled_quantity=0,
            average_price=Decimal(0),
            placed_at=broker.desk.clock.now(),
        )


def test_more_orders_than_a_tag_can_number_are_all_withdrawn_and_the_position_is_closed(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    crowd(broker, 1030)
    report = closed(settling_after(scripted, broker, 1))
    assert (report.is_done, broker.net(), broker.working()) == (True, 0, [])
    (placed,) = [each.tag for each in broker.book.values() if each.request.price_type is PriceType.MARKET]
    assert len(placed) <= 15, "what goes to the broker as a tag stays short"


@contextmanager
def every_slot_taken(budget: Budget) -> Iterator[None]:
    let_go, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with budget.slot():
            taken.set()
            let_go.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    try:
        yield
    finally:
        let_go.set()
        holder.join()


def test_a_page_that_looks_at_a_closing_takes_no_place_that_is_kept_for_exits(
    scripted: Desk, broker: Unhurried
) -> None:
    broker.hold("RELIANCE", 10)
    crowded = replace(scripted, budget=Budget(1))
    with every_slot_taken(crowded.budget):
        with pytest.raises(BrokerError):
            closing.ways_out(crowded, CloseRequest(), TradingMode.ANALYZE)
        assert closed(crowded).is_done


class Counted(list[BrokerOrder]):
    """An order book that counts how often somebody went through all of it."""

    passes = 0

    def __iter__(self) -> Iterator[BrokerOrder]:
        self.passes += 1
        return super().__iter__()

    def __reversed__(self) -> Iterator[BrokerOrder]:
        self.passes += 1
        return super().__reversed__()


def test_the_orders_of_a_day_are_not_gone_through_for_each_position(
    scripted: Desk, broker: Unhurried, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 10)
        assert isinstance(orders.place(scripted, replace(STOP, symbol=symbol), BY_HAND), Sent)
        book = Counted(broker.order_book())
        monkeypatch.setattr(broker, "order_book", lambda book=book: book)
        ways = closing.ways_out(scripted, CloseRequest(), TradingMode.ANALYZE)
        assert all(way.beside for way in ways)
        passes.append(book.passes)
        monkeypatch.undo()
    assert passes == [passes[0]] * 3


def test_a_held_closing_of_everything_waits_for_the_exchange_that_closes_last(
    scripted: Desk, clock: FixedClock
) -> None:
    clock.moment = datetime(2026, 11, 23, 9, 50, tzinfo=UTC)
    semi_auto(scripted)
    held = closing.close(scripted, CloseRequest(), PROGRAM)
    only_shares = closing.close(scripted, CloseRequest(symbol="TCS", exchange=Exchange.NSE), PROGRAM)
    assert isinstance(held, Held)
    assert isinstance(only_shares, Held)
    assert held.ticket.expires_at is not None
    assert held.ticket.expires_at >= datetime(2026, 11, 23, 18, 0, tzinfo=UTC), "MCX closes at 23:30 IST"
    assert only_shares.ticket.expires_at == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
