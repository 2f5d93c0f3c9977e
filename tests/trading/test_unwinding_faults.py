"""A closing whose broker fails, refuses, fills or lags half-way: what can be closed is, and what is told is so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from openalgo_bridge.api import answers
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy, Conflict, NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.trading import approvals, orders
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER
from tests.fakes import with_broker
from tests.trading.test_unwinding import PROGRAM, SELL, STOP, TARGET, Unhurried, closed, sent, settling_after

SYMBOLS = ("RELIANCE", "TCS", "INFY")


@dataclass
class Eventful(Unhurried):
    """Makes a cancel at once, unless ``is_slow``; what happens as it is asked to is the test's."""

    is_slow: bool = False
    refuses_cancel: str = ""
    on_cancel: Callable[[BrokerOrderId], None] = lambda order_id: None
    refuses_to_close: tuple[str, ...] = ()
    book_shown: list[BrokerOrder] | None = None
    positions_shown: list[Position] | None = None
    told: list[str] = field(default_factory=list)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        there = self._named(permit.request.broker_order_id)
        self.told.append(f"cancel {there.request.symbol}")
        self.on_cancel(there.id)
        if self.refuses_cancel:
            raise Rejected(self.refuses_cancel)
        super().cancel(permit)
        if not self.is_slow:
            self.settle()

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        if permit.request.price_type is PriceType.MARKET:
            self.told.append(f"close {permit.request.symbol}")
            if permit.request.symbol in self.refuses_to_close:
                raise Rejected("Market orders are blocked")
        return super().place(permit)

    def order_book(self) -> list[BrokerOrder]:
        shown = super().order_book()
        return shown if self.book_shown is None else self.book_shown

    def positions(self) -> list[Position]:
        shown = super().positions()
        return shown if self.positions_shown is None else self.positions_shown

    def fill_part(self, order_id: BrokerOrderId, quantity: int) -> None:
        there = self._named(order_id)
        self.book[there.tag] = replace(there, filled_quantity=quantity)
        net = self.net(there.request.symbol) + there.request.action.sign * quantity
        self.held = [each for each in self.held if each.symbol != there.request.symbol]
        self.hold(there.request.symbol, net)

    def sizes(self) -> list[int]:
        """Of what was sold at market, in the order it was sent."""
        return [each.request.quantity for each in self.book.values() if each.request.price_type is PriceType.MARKET]


@pytest.fixture
def broker(desk: Desk) -> Eventful:
    broker = Eventful(desk)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: Eventful) -> Desk:
    return with_broker(desk, broker)


def journalled(desk: Desk, report: Report) -> list[tuple[OrderState, int]]:
    """The closing orders of a ticket as the journal has them."""
    rows = desk.store.journal.orders_of([report.ticket.id])
    return [(each.state, each.request.quantity) for each in rows if isinstance(each.request, OrderRequest)]


def why_not(report: Report) -> list[str]:
    return [leg.why_not for legs in report.closures().values() for leg in legs if not leg.is_done]


def waiting(desk: Desk, happens: Callable[[], None]) -> Desk:
    """The same desk, where something happens each time it waits."""
    return replace(desk, wait=lambda _: happens())


def freeze_of(desk: Desk) -> int:
    instrument = desk.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert instrument is not None
    return instrument.freeze_quantity


# -- a fault before anything was claimed -------------------------------------------------------------------------


def fails_at(broker: Eventful, read: int) -> None:
    """The broker answers 502 to one of its next reads."""
    failing = len(broker.reads) + read

    def fail_once() -> None:
        broker.unreadable = NotSent("502 Bad Gateway") if len(broker.reads) == failing else None

    broker.while_reading = fail_once


@pytest.mark.parametrize("read", range(3, 9))
def test_one_read_that_fails_after_the_stop_was_withdrawn_leaves_no_position_open(
    scripted: Desk, broker: Eventful, read: int
) -> None:
    """After two reads of the plan: those of the first proof, of a look, and of the proof after it."""
    sent(scripted, STOP)
    broker.is_slow = True
    fails_at(broker, read)
    report = closed(settling_after(scripted, broker, 1))
    assert (report.is_done, broker.net(), broker.working()) == (True, 0, [])


@pytest.mark.parametrize("read", [3, 4])
def test_nor_does_it_one_without_a_stop(scripted: Desk, broker: Eventful, read: int) -> None:
    fails_at(broker, read)
    assert (closed(scripted).is_done, broker.net()) == (True, 0)


def test_a_broker_that_can_be_read_no_more_is_told_with_what_it_leaves_open(scripted: Desk, broker: Eventful) -> None:
    sent(scripted, STOP)

    def fail() -> None:
        broker.unreadable = NotSent("502 Bad Gateway")

    broker.on_cancel = lambda _: fail()
    (why,) = why_not(closed(scripted))
    assert "the position is OPEN" in why
    assert why.endswith("502 Bad Gateway")


def test_a_closing_for_which_the_broker_is_busy_once_goes_a_moment_later(scripted: Desk, broker: Eventful) -> None:
    seconds = [0.0]
    throttle = Throttle(0.1, monotonic=lambda: seconds[0], wait=lambda _: None)
    sent(scripted, STOP)

    def use_up() -> None:
        with suppress(Busy):
            while True:
                throttle.take(urgent=True)

    broker.on_cancel = lambda _: use_up()
    desk = waiting(replace(scripted, throttles={broker.name: throttle}), lambda: seconds.append(seconds.pop() + 1000))
    assert closed(desk).is_done
    assert (broker.net(), seconds) == (0, [1000.0]), "it waited once"


# -- less is open than was planned -------------------------------------------------------------------------------


def test_a_stop_that_fills_in_part_as_it_is_withdrawn_leaves_the_rest_to_close(
    scripted: Desk, broker: Eventful
) -> None:
    sent(scripted, STOP)
    broker.on_cancel = lambda order_id: broker.fill_part(order_id, 4)
    report = closed(scripted)
    assert (report.is_done, broker.net(), broker.sizes()) == (True, 0, [6])
    assert journalled(scripted, report) == [(OrderState.DROPPED, 10), (OrderState.SENT, 6)]
    dropped = next(each for each in scripted.store.journal.orders_of([report.ticket.id]) if each.message)
    assert dropped.message == "Not needed any more: only 6 of it are still open."


def test_the_same_where_the_positions_do_not_show_it_yet(scripted: Desk, broker: Eventful) -> None:
    sent(scripted, STOP)

    def fill_unseen(order_id: BrokerOrderId) -> None:
        broker.positions_shown = list(broker.held)
        broker.fill_part(order_id, 4)

    broker.on_cancel = fill_unseen
    assert closed(scripted).is_done
    assert (broker.net(), broker.sizes()) == (0, [6])


def test_a_target_that_fills_in_part_while_its_withdrawal_is_made_leaves_the_rest_to_close(
    scripted: Desk, broker: Eventful
) -> None:
    sent(scripted, STOP)
    target = sent(scripted, TARGET)
    broker.is_slow = True

    def fill_and_settle() -> None:
        if broker.taken:
            broker.fill_part(target.broker_order_id, 3)
            broker.settle()

    assert closed(waiting(scripted, fill_and_settle)).is_done
    assert (broker.net(), broker.sizes()) == (0, [7])


def test_of_a_large_position_the_last_orders_are_cut(scripted: Desk, broker: Eventful) -> None:
    freeze = freeze_of(scripted)
    broker.held.clear()
    broker.hold("RELIANCE", 2 * freeze + 5)
    sent(scripted, replace(STOP, quantity=freeze))
    broker.on_cancel = lambda order_id: broker.fill_part(order_id, 15)
    report = closed(scripted)
    assert (report.is_done, broker.net(), broker.sizes()) == (True, 0, [freeze, freeze - 10])


def test_a_position_that_turned_meanwhile_is_told_and_not_touched(scripted: Desk, broker: Eventful) -> None:
    sent(scripted, STOP)

    def turn(_: BrokerOrderId) -> None:
        broker.held.clear()
        broker.hold("RELIANCE", -5)

    broker.on_cancel = turn
    (why,) = why_not(closed(scripted))
    assert "turned to the other side" in why
    assert broker.sizes() == []


# -- a large position, and a book that is late -------------------------------------------------------------------


@pytest.mark.parametrize("shows", [True, False])
def test_the_orders_of_a_large_position_wait_for_each_other_where_the_book_is_late(
    scripted: Desk, broker: Eventful, shows: bool
) -> None:
    freeze = freeze_of(scripted)
    broker.held.clear()
    broker.hold("RELIANCE", 2 * freeze + 5)
    broker.reread_after, broker.book_shown = 600.0, []

    def catch_up() -> None:
        broker.book_shown = list(reversed(broker.book.values())) if shows else []

    report = closed(waiting(scripted, catch_up))
    assert report.is_done is shows
    assert broker.sizes() == ([freeze, freeze, 5] if shows else [freeze]), "in their order, and never past flat"
    assert all("the rest of the position is OPEN" in why for why in why_not(report))


# -- a broker that refuses ---------------------------------------------------------------------------------------


def bracket(desk: Desk, broker: Eventful) -> None:
    broker.held.clear()
    for symbol in SYMBOLS:
        broker.hold(symbol, 10)
        sent(desk, replace(STOP, symbol=symbol))
    broker.told.clear()


def test_each_position_is_closed_before_the_stop_of_the_next_is_withdrawn(scripted: Desk, broker: Eventful) -> None:
    bracket(scripted, broker)
    assert closed(scripted).is_done
    assert broker.told == [f"{verb} {symbol}" for symbol in SYMBOLS for verb in ("cancel", "close")]


def test_a_broker_that_closes_nothing_costs_one_position_its_stop(scripted: Desk, broker: Eventful) -> None:
    bracket(scripted, broker)
    broker.refuses_to_close = SYMBOLS
    report = closed(waiting(scripted, pytest.fail))
    assert len(broker.working()) == len(SYMBOLS) - 1
    first, *others = why_not(report)
    assert "withdrawn and the position is OPEN" in first
    assert ["Left alone with its stop" in why for why in others] == [True, True]


def test_a_broker_that_closes_another_position_is_trusted_again(scripted: Desk, broker: Eventful) -> None:
    bracket(scripted, broker)
    broker.hold("SBIN", 10)
    broker.refuses_to_close = ("RELIANCE",)
    report = closed(scripted)
    assert len(why_not(report)) == 1
    assert [broker.net(each) for each in (*SYMBOLS, "SBIN")] == [10, 0, 0, 0]


# -- what is told ------------------------------------------------------------------------------------------------


def test_a_withdrawal_that_the_broker_refused_is_not_told_as_one_on_its_way(scripted: Desk, broker: Eventful) -> None:
    sent(scripted, STOP)
    broker.refuses_cancel = "Order cannot be cancelled now"
    report = closed(scripted)
    (why,) = why_not(report)
    assert why.startswith("The broker refused to withdraw its stop or target, which works on")
    assert "does not show yet" not in why
    assert answers.closed_positions(report)["status"] == "error"


@pytest.mark.parametrize("lags", [False, True])
def test_a_stop_that_filled_first_has_closed_the_position(scripted: Desk, broker: Eventful, lags: bool) -> None:
    stop = sent(scripted, STOP)
    broker.refuses_cancel = "Order is complete"

    def fill(_: BrokerOrderId) -> None:
        broker.positions_shown = list(broker.held) if lags else None
        broker.fill(stop.ticket.ref)

    broker.on_cancel = fill
    report = closed(scripted, PROGRAM)
    told = answers.closed_positions(report)
    assert (told["status"], told["closed_positions"], told["failed_closures"]) == ("success", 1, 0)
    assert journalled(scripted, report) == [(OrderState.DROPPED, 10)]
    assert broker.sizes() == []


def test_what_still_works_beside_a_position_that_is_flat_is_an_alarm(scripted: Desk, broker: Eventful) -> None:
    stop = sent(scripted, STOP)
    sent(scripted, TARGET)
    broker.is_slow = True
    broker.on_cancel = lambda order_id: broker.fill(stop.ticket.ref) if order_id == stop.broker_order_id else None
    broker.refuses_cancel = "Try later"
    (why,) = why_not(closed(scripted))
    assert why.startswith("The position is flat, and a stop or target of it still works")


@pytest.mark.parametrize("has_stop", [False, True])
def test_an_order_in_doubt_that_keeps_a_position_from_being_closed_is_named(
    scripted: Desk, broker: Eventful, has_stop: bool
) -> None:
    if has_stop:
        sent(scripted, STOP)
    broker.fault = lambda: OutcomeUnknown("timed out")
    broker.fill = lambda tag: None  # type: ignore[method-assign]
    doubt = orders.place(scripted, SELL if has_stop else TARGET, PROGRAM)
    assert isinstance(doubt, InDoubt)
    broker.fault = None
    why = why_not(closed(scripted))[0]
    assert why.startswith(f"Order {doubt.ticket.ref} may already close this position")
    if has_stop:
        return
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(scripted, SELL, PROGRAM)
    assert isinstance(held, Held)
    with pytest.raises(Conflict, match=doubt.ticket.ref):
        approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)
