"""The limits on the path of an order: what is refused is named, written down and not sent; exits pass."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import cast

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotSent, OutcomeUnknown
from openalgo_bridge.model.guards import Guard, GuardSettings, TradingWindow
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, PriceType, Product, TradingMode
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import approvals, orders
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.targets import Target
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


STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))


def a_stop(desk: Desk) -> Sent:
    result = orders.place(desk, STOP, ORIGIN)
    assert isinstance(result, Sent)
    return result


@pytest.mark.parametrize("is_stopped", [True, False], ids=["kill switch", "auto"])
def test_a_stop_that_was_withdrawn_is_no_repeat_when_it_comes_again(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, is_stopped: bool
) -> None:
    limit(GuardSettings(duplicate_window=60))
    broker.hold("RELIANCE", 10)
    first = a_stop(scripted)
    if is_stopped:
        scripted.store.kill_switch.engage("stop", by=TRADER)
    orders.cancel(scripted, first.broker_order_id, ORIGIN)
    a_stop(scripted)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, STOP, ORIGIN)
    assert (refused.value.guard, len(broker.calls)) == (Guard.DUPLICATE_SIGNAL, 3)


def test_a_withdrawal_that_the_broker_refused_or_of_another_account_leaves_a_repeat_a_repeat(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    limit(GuardSettings(duplicate_window=60))
    broker.hold("RELIANCE", 10)
    stop = a_stop(scripted)
    broker.fault = lambda: NotSent("no line")
    with pytest.raises(NotSent):
        orders.cancel(scripted, stop.broker_order_id, ORIGIN)
    broker.fault = None
    other = Target(broker_order_id=stop.broker_order_id, trading_mode=TradingMode.LIVE)
    orders.withdraw(with_broker(scripted, broker, TradingMode.LIVE), other, ORIGIN)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, STOP, ORIGIN)
    assert refused.value.guard is Guard.DUPLICATE_SIGNAL


def test_a_withdrawal_of_an_earlier_order_of_the_same_number_takes_nothing_back(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    """A broker may count its orders anew each day."""
    limit(GuardSettings(duplicate_window=60))
    broker.hold("RELIANCE", 10)
    first = a_stop(scripted)
    orders.cancel(scripted, first.broker_order_id, ORIGIN)
    broker.calls.clear()
    assert a_stop(scripted).broker_order_id == first.broker_order_id
    with pytest.raises(Denied) as refused:
        orders.place(scripted, STOP, ORIGIN)
    assert refused.value.guard is Guard.DUPLICATE_SIGNAL


def test_each_source_has_its_own_window_for_repeats(scripted: Desk, limit: Limit, clock: FixedClock) -> None:
    limit(GuardSettings(duplicate_window=10, duplicate_window_source=(("api", None), ("webhook:tv", 60))))

    def goes() -> list[bool]:
        return [is_sent(scripted, replace(ORIGIN, source=source)) for source in ("api", "webhook:chart", "webhook:tv")]

    assert goes() == [True, True, True]
    clock.move(seconds=10)
    assert goes() == [True, False, False]
    clock.move(seconds=1)
    assert goes() == [True, True, False]
    clock.move(seconds=50)
    assert goes() == [True, True, True]


def is_sent(desk: Desk, origin: Origin) -> bool:
    """Whether the order goes; where it does not, it is as a repeat."""
    try:
        return isinstance(orders.place(desk, BUY, origin), Sent)
    except Denied as refused:
        assert refused.guard is Guard.DUPLICATE_SIGNAL
        return False


def test_eight_orders_at_once_do_not_use_up_more_than_the_day_has(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    limit(GuardSettings(orders_per_day=3))
    outcomes = in_threads(8, lambda: orders.place(scripted, BUY, ORIGIN))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Denied)]
    assert {each.guard for each in refused} == {Guard.ORDERS_PER_DAY}
    assert (len(refused), len(broker.calls)) == (5, 3)


@pytest.mark.parametrize("mode", OrderMode)
def test_a_doubled_exit_is_refused_and_the_traders_own_is_not(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, mode: OrderMode
) -> None:
    limit(GuardSettings(duplicate_window=10, let_exits_through=True))
    scripted.store.preferences.set_order_mode(mode, by=TRADER)
    broker.hold("RELIANCE", 40)
    assert isinstance(orders.place(scripted, SELL, ORIGIN), Sent)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, SELL, ORIGIN)
    assert (refused.value.guard, len(broker.calls)) == (Guard.DUPLICATE_SIGNAL, 1)
    by_hand = replace(ORIGIN, source="page", may_trade_live=True)
    for _ in range(2):
        assert isinstance(orders.place(scripted, SELL, by_hand), Sent)


def test_the_same_signal_eight_times_at_once_is_held_once(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    limit(GuardSettings(duplicate_window=10))
    outcomes = in_threads(8, lambda: orders.place(scripted, BUY, ORIGIN))
    assert sum(isinstance(outcome, Held) for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, Denied)]
    assert ({each.guard for each in refused}, len(refused)) == ({Guard.DUPLICATE_SIGNAL}, 7)


def test_the_same_signal_again_is_known_although_the_first_was_changed(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    limit(GuardSettings(duplicate_window=60))
    held = orders.place(scripted, BUY, ORIGIN).ticket
    wanted = Revision(quantity=5, price=Decimal(0), trigger_price=Decimal(0), product=held_product(held))
    revised = approvals.revise(scripted, held.id, held.shown, wanted, by=TRADER)
    approvals.approve(scripted, held.id, revised.shown, by=TRADER)
    scripted.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, ORIGIN)
    assert (refused.value.guard, len(broker.calls)) == (Guard.DUPLICATE_SIGNAL, 1)


def test_a_ticket_that_was_changed_is_still_the_signal_it_arrived_as(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    one, two = (orders.place(scripted, BUY, ORIGIN).ticket for _ in range(2))
    limit(GuardSettings(duplicate_window=60))
    wanted = Revision(quantity=5, price=Decimal(0), trigger_price=Decimal(0), product=held_product(two))
    revised = approvals.revise(scripted, two.id, two.shown, wanted, by=TRADER)
    approvals.approve(scripted, one.id, one.shown, by=TRADER)
    with pytest.raises(Denied) as refused:
        approvals.approve(scripted, two.id, revised.shown, by=TRADER)
    assert (refused.value.guard, broker.calls) == (Guard.DUPLICATE_SIGNAL, [one.ref])


def held_product(ticket: Ticket) -> Product:
    assert ticket.order is not None
    return ticket.order.product


def test_equal_tickets_that_waited_go_once_however_long_they_waited(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None, clock: FixedClock
) -> None:
    """They were held before the trader set the limit."""
    one, two = (orders.place(scripted, BUY, ORIGIN).ticket for _ in range(2))
    limit(GuardSettings(duplicate_window=10))
    clock.move(minutes=4)
    assert isinstance(approvals.approve(scripted, one.id, one.shown, by=TRADER), Sent)
    with pytest.raises(Denied) as refused:
        approvals.approve(scripted, two.id, two.shown, by=TRADER)
    assert (refused.value.guard, broker.calls) == (Guard.DUPLICATE_SIGNAL, [one.ref])


def test_two_signals_that_are_far_enough_apart_both_go_however_late_they_are_approved(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None, clock: FixedClock
) -> None:
    limit(GuardSettings(duplicate_window=10))
    one = orders.place(scripted, BUY, ORIGIN).ticket
    clock.move(seconds=11)
    two = orders.place(scripted, BUY, ORIGIN).ticket
    for waiting in (two, one):
        assert isinstance(approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER), Sent)


@pytest.mark.parametrize(
    "windows", [GuardSettings(duplicate_window=10), GuardSettings(duplicate_window_source=(("api", 10),))]
)
def test_the_same_signal_eight_times_at_once_is_sent_once(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, windows: GuardSettings
) -> None:
    limit(windows)
    outcomes = in_threads(8, lambda: orders.place(scripted, BUY, ORIGIN))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Denied)]
    assert {each.guard for each in refused} == {Guard.DUPLICATE_SIGNAL}
    assert (len(refused), len(broker.calls)) == (7, 1)


def once_while_reading(broker: ScriptedBroker, what: str, act: Callable[[], object]) -> None:
    """Do ``act`` in the middle of a decision: just before the broker answers its next question for ``what``."""

    def look() -> None:
        if broker.reads[-1] == what:
            broker.while_reading = lambda: None
            act()

    broker.while_reading = look


def test_two_orders_at_once_do_not_open_more_positions_than_are_allowed(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    limit(GuardSettings(open_positions=1))
    both_have_asked, symbols = threading.Barrier(2), iter(["RELIANCE", "TCS"])
    asked: Counter[int] = Counter()

    def meet() -> None:
        """Each has read the journal and the order book, and now reads the positions."""
        asked[threading.get_ident()] += 1
        if asked[threading.get_ident()] == 2:
            both_have_asked.wait(20)

    broker.while_reading = meet
    outcomes = in_threads(2, lambda: orders.place(scripted, replace(BUY, symbol=next(symbols)), ORIGIN))
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, Denied)]
    assert (refused.guard, len(broker.calls)) == (Guard.OPEN_POSITIONS, 1)


def test_a_further_order_of_a_position_that_was_opened_meanwhile_goes(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    limit(GuardSettings(open_positions=1))
    once_while_reading(broker, "positions", lambda: orders.place(scripted, BUY, ORIGIN))
    assert isinstance(orders.place(scripted, BUY, ORIGIN), Sent)
    assert len(broker.calls) == 2


def test_an_order_that_arrives_between_two_readings_is_counted(
    scripted: Desk, broker: ScriptedBroker, limit: Limit
) -> None:
    limit(GuardSettings(open_positions=1))
    journal = scripted.store.journal
    modes = scripted.store.preferences.trading_mode(), OrderMode.AUTO
    _, permit = journal.release(orders.draft_of(scripted, replace(BUY, symbol="TCS"), ORIGIN, *modes))

    def arrive() -> None:
        sent = broker.place(cast("SendPermit[OrderRequest]", permit))
        journal.settle(permit.order_id, Settlement(state=OrderState.SENT, broker_order_id=sent))

    # The book was read without it, and by now the journal does not know it as on its way.
    once_while_reading(broker, "positions", arrive)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, ORIGIN)
    assert (refused.value.guard, broker.calls) == (Guard.OPEN_POSITIONS, [permit.ref])


def test_an_old_signal_is_refused(scripted: Desk, limit: Limit, clock: FixedClock) -> None:
    limit(GuardSettings(stale_after=30))
    arisen: datetime = clock.now() - timedelta(seconds=31)
    with pytest.raises(Denied) as refused:
        orders.place(scripted, BUY, replace(ORIGIN, signal_at=arisen))
    assert refused.value.guard is Guard.STALE_SIGNAL
    orders.place(scripted, BUY, replace(ORIGIN, signal_at=clock.now()))


def test_a_signal_from_the_future_has_no_age_that_is_known(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, clock: FixedClock
) -> None:
    """As from a sender that writes its local time and calls it UTC."""
    limit(GuardSettings(stale_after=10))
    with pytest.raises(Denied, match="clock of its sender is ahead") as refused:
        orders.place(scripted, BUY, replace(ORIGIN, signal_at=clock.now() + timedelta(hours=5, minutes=30)))
    assert (refused.value.guard, broker.calls) == (Guard.STALE_SIGNAL, [])
    assert isinstance(orders.place(scripted, BUY, replace(ORIGIN, signal_at=clock.now() + timedelta(seconds=5))), Sent)


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
    broker.hold("RELIANCE", 10)
    broker.fault = lambda: OutcomeUnknown("timed out")
    doubtful = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(doubtful, InDoubt)
    broker.fault = None
    held = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert doubtful.ticket.ref in held.reason
    assert isinstance(orders.place(scripted, replace(BUY, symbol="TCS"), ORIGIN), Sent)
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


def test_a_guard_that_refuses_an_approval_is_named_and_written_down(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    held = orders.place(scripted, BUY, ORIGIN).ticket
    limit(GuardSettings(maximum_quantity=9))
    with pytest.raises(Denied) as refused:
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    reason = "Quantity 10 is above the 9 you allow for one order."
    assert refused.value.message == f"Not sent (maximum_quantity). {reason}"
    told = scripted.store.journal.events(held.id)[-1]
    assert (told.was, told.state, told.by, told.reason) == ("held", "refused", "guard maximum_quantity", reason)
    assert (approvals.ticket(scripted, held.id), broker.calls) == (held, [])
    limit(GuardSettings())
    approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert [event.state for event in scripted.store.journal.events(held.id)[3:5]] == ["approved", "released"]


def test_the_same_refusal_is_told_in_the_same_words_to_a_program_and_at_an_approval(
    scripted: Desk, limit: Limit, semi_auto: None
) -> None:
    held = orders.place(scripted, BUY, ORIGIN).ticket
    limit(GuardSettings(maximum_quantity=9))
    with pytest.raises(Denied) as of_program:
        orders.place(scripted, BUY, ORIGIN)
    with pytest.raises(Denied) as of_approval:
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert of_program.value.message == of_approval.value.message


def meanwhile(desk: Desk, order: OrderRequest) -> Callable[[], object]:
    """A program whose order goes at once, in Auto."""

    def place() -> None:
        desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
        orders.place(desk, order, ORIGIN)

    return place


def test_an_approval_whose_symbol_comes_into_doubt_at_the_last_moment_waits(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    limit(GuardSettings(price_drift=Decimal(1)))
    held = orders.place(scripted, BUY, ORIGIN).ticket
    broker.fault = lambda: OutcomeUnknown("timed out")
    once_while_reading(broker, "quote", meanwhile(scripted, BUY))
    with pytest.raises(Conflict, match="in doubt"):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert (approvals.ticket(scripted, held.id).state, len(broker.calls)) == (TicketState.HELD, 1)


@pytest.mark.parametrize(
    ("limits", "reading", "symbol"),
    [
        (GuardSettings(open_positions=1), "positions", "TCS"),
        (GuardSettings(orders_per_day=1, price_drift=Decimal(1)), "quote", "TCS"),
    ],
    ids=["positions", "day"],
)
def test_an_approval_sees_what_others_used_up_at_the_last_moment(
    scripted: Desk,
    broker: ScriptedBroker,
    limit: Limit,
    semi_auto: None,
    clock: FixedClock,
    limits: GuardSettings,
    reading: str,
    symbol: str,
) -> None:
    limit(limits)
    clock.move(hours=13, minutes=29)  # 23:59 IST
    held = orders.place(scripted, BUY, ORIGIN).ticket
    clock.move(minutes=2)
    once_while_reading(broker, reading, meanwhile(scripted, replace(BUY, symbol=symbol)))
    with pytest.raises(Conflict, match="meanwhile"):
        approvals.approve(scripted, held.id, held.shown, by=TRADER)
    assert approvals.ticket(scripted, held.id).state is TicketState.HELD
    assert (len(broker.calls), held.ref in broker.calls) == (1, False)


def test_of_two_equal_tickets_that_are_approved_at_once_one_goes(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    one, two = (orders.place(scripted, BUY, ORIGIN).ticket for _ in range(2))
    limit(GuardSettings(duplicate_window=10, price_drift=Decimal(1)))
    once_while_reading(broker, "quote", lambda: approvals.approve(scripted, two.id, two.shown, by=TRADER))
    with pytest.raises(Conflict, match="second time"):
        approvals.approve(scripted, one.id, one.shown, by=TRADER)
    assert broker.calls == [two.ref]


@pytest.mark.parametrize("mode", OrderMode)
def test_a_limit_that_is_narrowed_at_the_last_moment_holds_for_the_order_that_is_being_judged(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, mode: OrderMode
) -> None:
    limit(GuardSettings(price_drift=Decimal(1), order_value=Decimal(10**9)))
    scripted.store.preferences.set_order_mode(mode, by=TRADER)

    def judged() -> object:
        if mode is OrderMode.AUTO:
            return orders.place(scripted, BUY, ORIGIN)
        held = orders.place(scripted, BUY, ORIGIN).ticket
        narrow()
        return approvals.approve(scripted, held.id, held.shown, by=TRADER)

    def narrow() -> None:
        once_while_reading(broker, "quote", lambda: limit(GuardSettings(maximum_quantity=9)))

    if mode is OrderMode.AUTO:
        narrow()
    with pytest.raises((Denied, Conflict), match=r"maximum_quantity|limits were changed"):
        judged()
    assert broker.calls == []


def test_what_waits_uses_up_nothing_of_the_day_of_what_is_approved(
    scripted: Desk, broker: ScriptedBroker, limit: Limit, semi_auto: None
) -> None:
    one, two, three = (orders.place(scripted, replace(BUY, quantity=n), ORIGIN).ticket for n in (1, 2, 3))
    limit(GuardSettings(orders_per_day=2))
    for waiting in (one, two):
        assert isinstance(approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER), Sent)
    with pytest.raises(Denied) as refused:
        approvals.approve(scripted, three.id, three.shown, by=TRADER)
    assert (refused.value.guard, len(broker.calls)) == (Guard.ORDERS_PER_DAY, 2)


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
    clock.move(days=-1)
    held = orders.place(scripted, SELL, ORIGIN).ticket
    assert held.expires_at == clock.now() + timedelta(hours=5)  # Friday, 10:30 to 15:30 IST
