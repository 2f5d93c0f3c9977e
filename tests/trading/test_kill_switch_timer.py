"""What the kill switch's "cancel all" could not withdraw: the timer tries it once more, and then it is the trader's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import OutcomeUnknown, Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelRequest,
    Exchange,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.trading import kill_switch, orders, recovery
from openalgo_bridge.trading.kill_switch import Engaged
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1", may_trade_live=True)
BY_HAND = replace(ORIGIN, source=PAGE)
ENTRY = OrderRequest(
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    price=Decimal(900),
)
STOP = replace(ENTRY, action=Action.SELL, price_type=PriceType.SL_M, price=Decimal(0), trigger_price=Decimal(900))


@dataclass
class Refusing(ScriptedBroker):
    """Refuses to withdraw anything for a while."""

    refuses_withdrawals: bool = True
    withdrawals: int = 0

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self.withdrawals += 1
        if self.refuses_withdrawals:
            raise Rejected("order is being processed")
        super().cancel(permit)

    @property
    def statuses(self) -> list[OrderStatus]:
        return [each.status for each in self.book.values()]


@pytest.fixture
def broker(desk: Desk) -> Refusing:
    return Refusing(desk)


@pytest.fixture
def scripted(desk: Desk, broker: Refusing) -> Desk:
    return with_broker(desk, broker)


def sent(desk: Desk, order: OrderRequest = ENTRY) -> BrokerOrderId:
    outcome = orders.place(desk, order, ORIGIN)
    assert isinstance(outcome, Sent)
    return outcome.broker_order_id


def engage(desk: Desk) -> Engaged:
    return kill_switch.engage(desk, "stop", cancel_all=True, close_all=False, by=TRADER)


def rounds_of_the_timer(desk: Desk, clock: FixedClock, count: int = 3) -> None:
    for _ in range(count):
        clock.move(seconds=5)
        kill_switch.withdraw_late(desk)


@pytest.mark.parametrize(("by", "status"), [(BY_HAND, OrderStatus.TRIGGER_PENDING), (ORIGIN, OrderStatus.CANCELLED)])
def test_a_stop_is_kept_that_the_trader_has_changed_since_and_none_that_a_program_did(
    scripted: Desk, broker: Refusing, clock: FixedClock, by: Origin, status: OrderStatus
) -> None:
    broker.hold("RELIANCE", 10)
    number = sent(scripted, STOP)
    clock.move(seconds=60)
    assert not engage(scripted).is_done
    broker.refuses_withdrawals = False
    clock.move(seconds=2)
    assert isinstance(orders.modify(scripted, number, replace(STOP, trigger_price=Decimal(950)), by), Sent)
    rounds_of_the_timer(scripted, clock)
    assert broker.statuses == [status]


def test_what_was_changed_before_the_switch_is_withdrawn_by_the_timer(
    scripted: Desk, broker: Refusing, clock: FixedClock
) -> None:
    broker.hold("RELIANCE", 10)
    number = sent(scripted, STOP)
    orders.modify(scripted, number, replace(STOP, trigger_price=Decimal(950)), ORIGIN)
    clock.move(seconds=60)
    engage(scripted)
    broker.refuses_withdrawals = False
    rounds_of_the_timer(scripted, clock)
    assert broker.statuses == [OrderStatus.CANCELLED]


def test_a_second_switch_starts_the_tries_anew(scripted: Desk, broker: Refusing, clock: FixedClock) -> None:
    sent(scripted)
    for tries in (2, 4):
        clock.move(seconds=9)
        assert not engage(scripted).is_done
        rounds_of_the_timer(scripted, clock)
        assert broker.withdrawals == tries, "the switch's and one of the timer"
    engage(scripted)
    broker.refuses_withdrawals = False
    rounds_of_the_timer(scripted, clock)
    assert broker.statuses == [OrderStatus.CANCELLED]


def test_each_account_has_its_own_switch_to_try_again_for(desk: Desk, clock: FixedClock) -> None:
    brokers = {mode: Refusing(desk) for mode in TradingMode}
    both = replace(desk, brokers=dict(brokers), wait=lambda seconds: None)
    for mode in (TradingMode.ANALYZE, TradingMode.LIVE):
        both.store.preferences.set_trading_mode(mode, by=TRADER)
        sent(both)
    clock.move(seconds=9)
    engage(both)
    for broker in brokers.values():
        broker.refuses_withdrawals = False
    rounds_of_the_timer(both, clock)
    assert [each.statuses for each in brokers.values()] == [[OrderStatus.CANCELLED]] * 2


class Ending(Throttle):
    """The process ends before the next message is claimed."""

    def __init__(self) -> None:
        super().__init__(8, monotonic=lambda: 0.0, wait=lambda _: None)

    def take_now(self) -> bool:
        raise SystemExit


def test_what_a_crash_kept_from_being_withdrawn_is_withdrawn_by_the_timer(
    scripted: Desk, broker: Refusing, clock: FixedClock
) -> None:
    broker.refuses_withdrawals = False
    for _ in range(3):
        sent(scripted)
    clock.move(seconds=2)
    with pytest.raises(SystemExit):
        engage(replace(scripted, throttles={"scripted": Ending()}))
    recovery.recover(scripted)
    assert [each.state for each in scripted.store.journal.orders_of([4])] == [OrderState.DROPPED] * 3
    rounds_of_the_timer(scripted, clock)
    assert broker.statuses == [OrderStatus.CANCELLED] * 3


def test_a_withdrawal_that_provably_never_arrived_is_tried_again(
    scripted: Desk, broker: Refusing, clock: FixedClock
) -> None:
    broker.refuses_withdrawals = False
    sent(scripted)
    clock.move(seconds=2)

    def lost(permit: SendPermit[CancelRequest]) -> None:
        raise OutcomeUnknown("timed out")

    broker.cancel = lost  # type: ignore[method-assign]
    assert not engage(scripted).is_done
    del broker.cancel
    recovery.recover(scripted)
    assert [each.state for each in scripted.store.journal.orders_of([2])] == [OrderState.NOT_PLACED]
    rounds_of_the_timer(scripted, clock)
    assert broker.statuses == [OrderStatus.CANCELLED]


def test_a_withdrawal_in_doubt_is_not_repeated(scripted: Desk, broker: Refusing, clock: FixedClock) -> None:
    broker.reread_after = None
    sent(scripted)
    clock.move(seconds=61)
    broker.refuses_withdrawals = False
    broker.fault = lambda: OutcomeUnknown("timed out")
    engage(scripted)
    (ref,) = broker.book
    broker.book[ref] = replace(broker.book[ref], status=OrderStatus.OPEN)
    rounds_of_the_timer(scripted, clock)
    assert broker.withdrawals == 1
