"""An order book that is one read late: what the broker took a moment ago and does not show yet is not closed again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, NotSent, Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.guards import GuardSettings
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
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import PAGE, Origin, Ticket
from openalgo_bridge.trading import approvals, closing, kill_switch, orders, stopping
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BY_HAND = Origin(source=PAGE, strategy="", request_id="", may_trade_live=True)
SELL = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.SELL, quantity=10)
STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
TARGET = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
ENTRY = replace(SELL, action=Action.BUY, price_type=PriceType.LIMIT, price=Decimal(900))


@dataclass
class Late(ScriptedBroker):
    """Its order book is the one of when a test last asked it to catch up; ``is_blind``: its orders by number, too.

    It refuses to withdraw what is over, or anything at all while it ``refuses_withdrawals``.
    """

    reread_after: float | None = 2.0
    shown: list[BrokerOrder] = field(default_factory=list)
    is_blind: bool = False
    refuses_withdrawals: bool = False

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        return None if self.is_blind else super().order(order_id)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self.calls.append(permit.ref)
        (there,) = (each for each in self.book.values() if each.id == permit.request.broker_order_id)
        if not there.status.is_working or self.refuses_withdrawals:
            raise Rejected("unknown order")
        self.book[there.tag] = replace(there, status=OrderStatus.CANCELLED)

    def order_book(self) -> list[BrokerOrder]:
        self._read("order_book")
        return self.shown

    def catch_up(self) -> None:
        self.shown = list(reversed(self.book.values()))

    @property
    def working(self) -> int:
        return sum(each.status.is_working for each in self.book.values())


@pytest.fixture
def broker(desk: Desk) -> Late:
    broker = Late(desk)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def scripted(desk: Desk, broker: Late) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def stopped(scripted: Desk) -> Desk:
    scripted.store.kill_switch.engage("stop", by=TRADER)
    return scripted


@pytest.fixture
def semi_auto(scripted: Desk) -> Desk:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return scripted


def is_sent(desk: Desk, order: OrderRequest = SELL) -> bool:
    try:
        return isinstance(orders.place(desk, order, ORIGIN), Sent)
    except BridgeError:
        return False


def held(desk: Desk, order: OrderRequest) -> Ticket:
    result = orders.place(desk, order, ORIGIN)
    assert isinstance(result, Held)
    return result.ticket


def stop_in_vain(desk: Desk, broker: Late, clock: FixedClock) -> None:
    """The kill switch with "cancel all", a second after an entry that the broker then refuses to withdraw."""
    assert is_sent(desk, ENTRY)
    clock.move(seconds=1)
    broker.refuses_withdrawals = True
    kill_switch.engage(desk, "stop", cancel_all=True, close_all=False, by=TRADER)


@pytest.mark.parametrize("reread_after", [2.0, None], ids=["late", "absence cannot be proven"])
def test_an_exit_that_does_not_show_yet_is_not_sent_a_second_time(
    stopped: Desk, broker: Late, reread_after: float | None
) -> None:
    broker.reread_after = reread_after
    assert [is_sent(stopped) for _ in range(3)] == [True, False, False]


def test_exits_that_are_let_through_go_once(semi_auto: Desk) -> None:
    semi_auto.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    assert [is_sent(semi_auto) for _ in range(3)] == [True, False, False]


def test_three_clicks_on_close_send_one_order(scripted: Desk, broker: Late) -> None:
    for _ in range(3):
        closing.close(scripted, CloseRequest(), BY_HAND)
    assert len(broker.calls) == 1


def test_what_is_left_beside_it_can_be_closed(stopped: Desk, broker: Late) -> None:
    broker.held[0] = replace(broker.held[0], quantity=15)
    assert [is_sent(stopped, each) for each in (SELL, SELL, replace(SELL, quantity=5))] == [True, False, True]


def test_an_exit_of_another_symbol_is_not_in_its_way(stopped: Desk, broker: Late) -> None:
    broker.hold("TCS", 10)
    assert [is_sent(stopped, each) for each in (SELL, replace(SELL, symbol="TCS"))] == [True, True]


def test_a_book_that_had_time_to_show_it_is_believed(stopped: Desk, broker: Late, clock: FixedClock) -> None:
    assert is_sent(stopped)
    clock.move(seconds=1.5)
    assert not is_sent(stopped)
    clock.move(seconds=0.6)
    assert is_sent(stopped)


def test_a_clock_that_is_set_makes_no_order_an_old_one(stopped: Desk, clock: FixedClock) -> None:
    assert is_sent(stopped)
    clock.moment += timedelta(seconds=10)
    assert not is_sent(stopped)


def test_a_broker_whose_book_is_always_fresh_is_believed_at_once(stopped: Desk, broker: Late) -> None:
    broker.reread_after = 0.0
    assert [is_sent(stopped), is_sent(stopped)] == [True, True]


def test_an_order_that_was_made_larger_and_does_not_show_it_counts_as_the_larger(stopped: Desk, broker: Late) -> None:
    broker.held[0] = replace(broker.held[0], quantity=20)
    target = orders.place(stopped, TARGET, ORIGIN)
    assert isinstance(target, Sent)
    broker.catch_up()
    assert isinstance(orders.modify(stopped, target.broker_order_id, replace(TARGET, quantity=20), ORIGIN), Sent)
    assert not is_sent(stopped)


def test_an_order_that_was_made_smaller_counts_as_what_the_book_shows(stopped: Desk, broker: Late) -> None:
    target = orders.place(stopped, TARGET, ORIGIN)
    assert isinstance(target, Sent)
    broker.catch_up()
    orders.modify(stopped, target.broker_order_id, replace(TARGET, quantity=4), ORIGIN)
    assert not is_sent(stopped, replace(SELL, quantity=6))
    broker.catch_up()
    assert is_sent(stopped, replace(SELL, quantity=6))


def test_an_order_that_does_not_show_yet_can_be_changed(stopped: Desk, broker: Late) -> None:
    target = orders.place(stopped, TARGET, ORIGIN)
    assert isinstance(target, Sent)
    cheaper = replace(TARGET, price=Decimal(1050))
    assert isinstance(orders.modify(stopped, target.broker_order_id, cheaper, ORIGIN), Sent)


def test_of_two_exits_that_waited_the_second_does_not_pass_flat(semi_auto: Desk, broker: Late) -> None:
    first, second = held(semi_auto, SELL), held(semi_auto, SELL)
    assert isinstance(approvals.approve(semi_auto, first.id, first.shown, by=TRADER), Sent)
    with pytest.raises(Conflict, match="only 0 are left"):
        approvals.approve(semi_auto, second.id, second.shown, by=TRADER)
    assert broker.calls == [first.ref]


def test_a_stop_and_its_target_that_waited_both_go(semi_auto: Desk) -> None:
    for each in (held(semi_auto, STOP), held(semi_auto, TARGET)):
        assert isinstance(approvals.approve(semi_auto, each.id, each.shown, by=TRADER), Sent)


# -- when everything is stopped --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_blind", [False, True])
def test_cancel_all_withdraws_by_its_number_what_does_not_show_yet(
    scripted: Desk, broker: Late, is_blind: bool
) -> None:
    broker.is_blind = is_blind
    assert is_sent(scripted, ENTRY)
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert ([request.broker_order_id for request, _ in report.cancels()], report.is_done) == (["S1"], True)
    assert broker.working == 0


def test_the_kill_switch_leaves_nothing_working_that_the_broker_took_just_before(scripted: Desk, broker: Late) -> None:
    broker.held.clear()
    assert is_sent(scripted, ENTRY)
    engaged = kill_switch.engage(scripted, "stop", cancel_all=True, close_all=True, by=TRADER)
    assert (engaged.is_done, broker.working) == (True, 0)


def test_cancel_all_of_one_symbol_leaves_what_does_not_show_yet_of_another(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, ENTRY)
    report = closing.cancel_all(scripted, CancelAllRequest(symbol="TCS", exchange=Exchange.NSE), ORIGIN)
    assert (report.legs, broker.working) == ((), 1)


def test_what_did_not_show_and_was_withdrawn_before_is_neither_called_withdrawn_nor_a_failure(
    scripted: Desk, broker: Late
) -> None:
    assert is_sent(scripted, ENTRY)
    (ref,) = broker.book
    broker.book[ref] = replace(broker.book[ref], status=OrderStatus.CANCELLED)
    assert closing.cancel_all(scripted, CancelAllRequest(), ORIGIN).legs == ()


@pytest.mark.parametrize("by_switch", [False, True])
def test_what_did_not_show_and_filled_is_told_and_not_called_withdrawn(
    scripted: Desk, broker: Late, by_switch: bool
) -> None:
    assert is_sent(scripted, ENTRY)
    (ref,) = broker.book
    broker.complete(ref)
    if by_switch:
        (report,) = kill_switch.engage(scripted, "stop", cancel_all=True, close_all=False, by=TRADER).cancelled
    else:
        report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert [leg.why_not for leg in report.legs] == ["Not withdrawn: it is over, and 10 of it filled."]
    assert not report.is_done


def test_an_order_that_the_broker_cannot_tell_of_says_nothing_about_the_others(scripted: Desk, broker: Late) -> None:
    for _ in range(3):
        assert is_sent(scripted, ENTRY)
    for ref, each in broker.book.items():
        broker.book[ref] = replace(each, status=OrderStatus.CANCELLED)

    def fail_once() -> None:
        if broker.asked_for == ["S1"]:
            raise NotSent("order id not found")

    broker.before_answering = fail_once
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert [request.broker_order_id for request, _ in report.cancels()] == ["S1"]


def test_what_showed_and_filled_before_its_withdrawal_is_told(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, ENTRY)
    broker.catch_up()
    (ref,) = broker.book
    broker.complete(ref)
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert [leg.why_not for leg in report.legs] == ["unknown order"]


@pytest.mark.parametrize("is_blind", [False, True])
def test_a_refused_withdrawal_of_what_may_work_is_no_success(scripted: Desk, broker: Late, is_blind: bool) -> None:
    assert is_sent(scripted, ENTRY)
    broker.refuses_withdrawals, broker.is_blind = True, is_blind
    assert not closing.cancel_all(scripted, CancelAllRequest(), ORIGIN).is_done


def test_cancel_all_withdraws_what_shows_first_and_asks_about_no_single_order(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, ENTRY)
    assert is_sent(scripted, ENTRY)
    broker.shown = list(broker.book.values())[1:]
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    assert [request.broker_order_id for request, _ in report.cancels()] == ["S2", "S1"]
    assert broker.asked_for == []


def test_the_page_of_a_cancel_all_asks_about_no_single_order(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, ENTRY)
    report = closing.cancel_all(scripted, CancelAllRequest(), ORIGIN)
    reads = len(broker.reads)
    assert stopping.unseen(scripted, report.ticket) == []
    assert (broker.asked_for, len(broker.reads)) == ([], reads)


def test_a_closing_asks_about_single_orders_once_it_is_sent(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, replace(ENTRY, symbol="TCS"))
    sent_before: list[int] = []
    broker.before_answering = lambda: sent_before.append(len(broker.calls))
    closing.close(scripted, CloseRequest(), BY_HAND)
    assert sent_before == [2], "the entry and the closing"


def test_the_switch_asks_about_single_orders_once_everything_is_closed(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, ENTRY)
    broker.refuses_withdrawals = True
    sent_before: list[int] = []
    broker.before_answering = lambda: sent_before.append(len(broker.calls))
    kill_switch.engage(scripted, "stop", cancel_all=True, close_all=True, by=TRADER)
    assert set(sent_before) == {3}, "the entry, its withdrawal and the closing"


@pytest.mark.parametrize("hangs", [False, True])
def test_a_broker_that_fails_or_hangs_is_not_asked_about_each_order(
    scripted: Desk, broker: Late, clock: FixedClock, hangs: bool
) -> None:
    broker.held.clear()
    assert [is_sent(scripted, ENTRY) for _ in range(3)] == [True] * 3

    def fail() -> None:
        clock.move(seconds=10)
        if not hangs:
            raise NotSent("timeout")

    broker.before_answering = fail
    report = closing.close(scripted, CloseRequest(), BY_HAND)
    assert isinstance(report, Report)
    assert (len(report.legs), len(broker.asked_for)) == (3, 1)


@pytest.mark.parametrize(("is_open", "lag", "is_done"), [(True, 0.0, False), (False, 0.0, True), (False, 30.0, False)])
def test_what_filled_while_a_closing_was_sent_is_told_unless_the_positions_must_show_it_and_do_not(
    scripted: Desk, broker: Late, is_open: bool, lag: float, is_done: bool
) -> None:
    broker.positions_lag = lag
    assert is_sent(scripted, replace(ENTRY, symbol="TCS"))
    (ref,) = broker.book

    def fill() -> None:
        broker.complete(ref)
        if is_open:
            broker.hold("TCS", 10)

    broker.before_answering = fill
    report = closing.close(scripted, CloseRequest(), BY_HAND)
    assert isinstance(report, Report)
    assert report.is_done is is_done


def test_the_switch_tries_a_refused_withdrawal_once_more_when_the_order_shows(
    scripted: Desk, broker: Late, clock: FixedClock
) -> None:
    stop_in_vain(scripted, broker, clock)
    kill_switch.withdraw_late(scripted)
    assert len(broker.calls) == 2, "not while it does not show"
    broker.catch_up()
    kill_switch.withdraw_late(scripted)
    kill_switch.withdraw_late(scripted)
    assert len(broker.calls) == 3, "once"
    assert broker.working == 1


def test_what_the_broker_refused_to_withdraw_for_a_moment_does_not_stay_there(
    scripted: Desk, broker: Late, clock: FixedClock
) -> None:
    stop_in_vain(scripted, broker, clock)
    broker.refuses_withdrawals = False
    broker.catch_up()
    kill_switch.withdraw_late(scripted)
    assert broker.working == 0


def test_a_number_that_cannot_be_asked_for_is_withdrawn_all_the_same(scripted: Desk, broker: Late) -> None:
    assert is_sent(scripted, ENTRY)

    def fail() -> None:
        raise NotSent("timeout")

    broker.before_answering = fail
    assert closing.cancel_all(scripted, CancelAllRequest(), ORIGIN).is_done
    assert broker.working == 0


def test_a_closing_is_not_called_done_while_an_entry_does_not_show_yet(
    scripted: Desk, broker: Late, clock: FixedClock
) -> None:
    broker.held.clear()
    assert is_sent(scripted, ENTRY)
    report = closing.close(scripted, CloseRequest(), BY_HAND)
    assert isinstance(report, Report)
    (ref,) = broker.book
    assert [leg.why_not for leg in report.legs] == [
        f"The broker took order {ref} a moment ago and does not show it yet: it may still open a position."
    ]
    assert [each.ref for each in stopping.unseen(scripted, report.ticket)] == [ref], "its page says so, too"
    clock.move(seconds=2.1)
    broker.catch_up()
    assert stopping.unseen(scripted, report.ticket) == []
    assert closing.close(scripted, CloseRequest(), BY_HAND).is_done  # type: ignore[union-attr]


def test_an_exit_that_does_not_show_yet_is_told_once_by_the_closing_that_it_keeps_back(scripted: Desk) -> None:
    assert is_sent(scripted, STOP)
    report = closing.close(scripted, CloseRequest(), BY_HAND)
    assert isinstance(report, Report)
    assert ["already close this position" in leg.why_not for leg in report.legs] == [True]
    assert stopping.unseen(scripted, report.ticket) == []
