"""The limits on the path of an order: what is refused is named, written down and not sent; exits pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotSent, OutcomeUnknown
from openalgo_bridge.model.guards import Guard, GuardSettings, TradingWindow
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, PriceType
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, orders
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, action=Action.SELL)
FAR_LIMIT = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(1300))


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def limit(desk: Desk) -> Callable[[GuardSettings], None]:
    return lambda settings: desk.store.guards.save(settings, by=TRADER)


@pytest.fixture
def semi_auto(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)


Limit = Callable[[GuardSettings], None]

# What is set, what is known of the account, and the order that is then refused. One for each guard of an entry.
REFUSED: dict[Guard, tuple[GuardSettings, Callable[[ScriptedBroker], None], OrderRequest]] = {
    Guard.MAXIMUM_QUANTITY: (GuardSettings(maximum_quantity=9), lambda broker: None, BUY),
    Guard.ORDER_VALUE: (GuardSettings(order_value=Decimal(9999)), lambda broker: None, BUY),
    Guard.OPEN_POSITIONS: (GuardSettings(open_positions=1), lambda broker: broker.hold("TCS", 5), BUY),
    Guard.LOSS_OF_DAY: (
        GuardSettings(loss_of_day=Decimal(100)),
        lambda broker: setattr(broker, "profit", Decimal(-100)),
        BUY,
    ),
    Guard.ALLOWED_SYMBOLS: (GuardSettings(allowed_symbols=frozenset({"NSE:TCS"})), lambda broker: None, BUY),
    Guard.TRADING_WINDOW: (
        GuardSettings(trading_window=TradingWindow(opens=time(11, 0), closes=time(12, 0))),
        lambda broker: None,
        BUY,
    ),
    Guard.PRICE_BAND: (GuardSettings(), lambda broker: None, FAR_LIMIT),
}


@pytest.mark.parametrize("guard", REFUSED)
def test_a_refused_order_is_named_written_down_and_not_sent(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, guard: Guard
) -> None:
    settings, prepare, order = REFUSED[guard]
    limit(settings)
    prepare(broker)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, order, ORIGIN)
    assert (refused.value.guard, broker.calls) == (guard, [])
    assert guard in refused.value.message
    (ticket,) = scripted.store.journal.tickets()
    assert (ticket.state, ticket.id) == (TicketState.DENIED, refused.value.ticket_id)
    assert ticket.reason in refused.value.message
    assert scripted.store.journal.orders_of([ticket.id]) == []


@pytest.mark.parametrize("guard", REFUSED)
def test_a_refused_order_is_not_held_in_semi_auto_either(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None, guard: Guard
) -> None:
    settings, prepare, order = REFUSED[guard]
    limit(settings)
    prepare(broker)
    with pytest.raises(Denied):
        orders.place(scripted, order, ORIGIN)
    assert scripted.store.journal.held() == []


@pytest.mark.parametrize("guard", [guard for guard in REFUSED if guard is not Guard.PRICE_BAND])
def test_an_exit_passes_what_only_makes_sense_for_entries(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, guard: Guard
) -> None:
    settings, prepare, order = REFUSED[guard]
    limit(settings)
    prepare(broker)
    broker.hold("RELIANCE", -10)
    assert isinstance(orders.place(scripted, order, ORIGIN), Sent)
    with pytest.raises(Denied):
        orders.place(scripted, replace(order, quantity=order.quantity + 1), ORIGIN)


def test_a_slip_in_the_price_of_an_exit_is_refused_too(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", -10)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, FAR_LIMIT, ORIGIN)
    assert refused.value.guard is Guard.PRICE_BAND


def test_guards_that_are_off_ask_the_broker_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    orders.place(scripted, BUY, ORIGIN)
    assert broker.reads == []


def test_the_order_after_the_last_of_the_day_is_refused_until_midnight(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, clock: FixedClock
) -> None:
    limit(GuardSettings(orders_per_day=2))
    orders.place(scripted, BUY, ORIGIN)
    orders.place(scripted, BUY, ORIGIN)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, ORIGIN)
    assert refused.value.guard is Guard.ORDERS_PER_DAY
    clock.move(hours=13, minutes=29)  # 23:59 IST
    with pytest.raises(Denied):
        orders.place(scripted, BUY, ORIGIN)
    clock.move(minutes=1)
    orders.place(scripted, BUY, ORIGIN)
    assert len(broker.calls) == 3


def test_five_hundred_orders_a_day_are_the_most_unless_the_trader_says_otherwise(scripted: Desk, limit: Limit) -> None:
    assert GuardSettings().orders_per_day == 500
    limit(GuardSettings(orders_per_day=501))
    assert scripted.store.guards.load().orders_per_day == 501


def test_the_same_signal_again_is_refused_and_a_different_one_is_not(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, clock: FixedClock
) -> None:
    limit(GuardSettings(duplicate_window=10))
    orders.place(scripted, BUY, ORIGIN)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, ORIGIN)
    assert refused.value.guard is Guard.DUPLICATE_SIGNAL
    orders.place(scripted, replace(BUY, quantity=11), ORIGIN)
    orders.place(scripted, BUY, replace(ORIGIN, source="webhook:chart"))
    clock.move(seconds=11)
    orders.place(scripted, BUY, ORIGIN)
    assert len(broker.calls) == 4


def test_eight_orders_at_once_do_not_use_up_more_than_the_day_has(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    limit(GuardSettings(orders_per_day=3))
    outcomes = in_threads(8, lambda: orders.place(scripted, BUY, ORIGIN))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Denied)]
    assert {each.guard for each in refused} == {Guard.ORDERS_PER_DAY}
    assert (len(refused), len(broker.calls)) == (5, 3)


def test_the_same_signal_eight_times_at_once_is_sent_once(scripted: Desk, broker: ScriptedBroker, limit: Limit) -> None:
    limit(GuardSettings(duplicate_window=10))
    outcomes = in_threads(8, lambda: orders.place(scripted, BUY, ORIGIN))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Denied)]
    assert {each.guard for each in refused} == {Guard.DUPLICATE_SIGNAL}
    assert (len(refused), len(broker.calls)) == (7, 1)


def test_an_old_signal_is_refused(scripted: Desk, limit: Limit, clock: FixedClock) -> None:
    limit(GuardSettings(stale_after=30))
    arisen: datetime = clock.now() - timedelta(seconds=31)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, replace(ORIGIN, signal_at=arisen))
    assert refused.value.guard is Guard.STALE_SIGNAL
    orders.place(scripted, BUY, replace(ORIGIN, signal_at=clock.now()))


@pytest.mark.parametrize(
    "limits",
    [
        GuardSettings(order_value=Decimal(10**9)),
        GuardSettings(open_positions=9),
        GuardSettings(loss_of_day=Decimal(10**9)),
    ],
    ids=["price", "positions", "funds"],
)
def test_a_limit_that_cannot_be_checked_holds_the_order_and_says_why(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, limits: GuardSettings
) -> None:
    limit(limits)
    broker.unreadable = NotSent("no connection")
    result = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(result, Held)
    assert "no connection" in result.reason
    assert broker.calls == []


def test_guards_that_cannot_be_read_hold_everything(scripted: Desk, broker: ScriptedBroker, desk: Desk) -> None:
    desk.store.files[0].write("INSERT INTO guard VALUES ('price_band', 'x')")
    result = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(result, Held)
    assert "guards cannot be read" in result.reason
    assert broker.calls == []


def test_an_order_in_doubt_holds_entries_of_its_symbol_and_lets_exits_pass(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    doubtful = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(doubtful, InDoubt)
    broker.fault = None
    held = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert doubtful.ticket.ref in held.reason
    assert isinstance(orders.place(scripted, replace(BUY, symbol="TCS"), ORIGIN), Sent)
    broker.hold("RELIANCE", 10)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Sent)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Held)


# -- once more when the trader approves --------------------------------------------------------------------------


def test_an_approval_is_judged_by_the_limits_of_now(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    held = orders.place(scripted, BUY, ORIGIN).ticket
    limit(GuardSettings(maximum_quantity=9))
    with pytest.raises(Denied) as refused:
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert refused.value.guard is Guard.MAXIMUM_QUANTITY
    assert scripted.store.journal.ticket(held.id).state is TicketState.HELD
    limit(GuardSettings())
    approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert broker.calls == [held.ref]


def test_a_ticket_does_not_count_against_itself(scripted: Desk, limit: Limit, semi_auto: None) -> None:
    limit(GuardSettings(orders_per_day=1, duplicate_window=60))
    held = orders.place(scripted, BUY, ORIGIN).ticket
    assert isinstance(approvals.approve(scripted, held.id, held.shown, by=TRADER), Sent)


def test_an_approval_is_refused_when_the_price_ran_away_and_stays_held(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    limit(GuardSettings(price_drift=Decimal(1)))
    held = orders.place(scripted, BUY, ORIGIN).ticket
    assert held.price_then == broker.ltp
    broker.ltp = Decimal("1010.05")
    with pytest.raises(Denied) as refused:
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert refused.value.guard is Guard.PRICE_DRIFT
    broker.ltp = Decimal(1010)
    assert isinstance(approvals.approve(scripted, held.id, held.shown, by=TRADER), Sent)


def test_an_approval_in_a_symbol_in_doubt_waits(
    scripted: Desk, broker: ScriptedBroker, semi_auto: None, desk: Desk
) -> None:
    held = orders.place(scripted, BUY, ORIGIN).ticket
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, BUY, ORIGIN)
    with pytest.raises(Conflict):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert len(broker.calls) == 1


def test_a_held_order_waits_as_long_as_the_trader_set(
    scripted: Desk, limit: Limit, semi_auto: None, clock: FixedClock
) -> None:
    limit(GuardSettings(held_for=30))
    held = orders.place(scripted, BUY, ORIGIN).ticket
    assert held.expires_at == clock.now() + timedelta(seconds=30)


def test_a_held_exit_waits_until_the_end_of_the_session(
    scripted: Desk, broker: ScriptedBroker, semi_auto: None, clock: FixedClock
) -> None:
    broker.hold("RELIANCE", 10)
    held = orders.place(scripted, SELL, ORIGIN).ticket
    assert held.expires_at == clock.now() + timedelta(hours=5)  # 10:30 to 15:30 IST
