"""Exits that waited for the trader: however many, and whatever happened meanwhile, they close no more than is open."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotSent, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Ref,
)
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import approvals, orders, parked, several
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="bracket", request_id="r1")
SELL = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.SELL, quantity=10)
STOP = replace(SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
TARGET = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(1100))
MARKETABLE = replace(SELL, price_type=PriceType.LIMIT, price=Decimal(995))
THROUGH = replace(STOP, trigger_price=Decimal(1005))


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    broker = ScriptedBroker(desk)
    broker.hold("RELIANCE", 10)
    return broker


@pytest.fixture
def semi_auto(desk: Desk, broker: ScriptedBroker) -> Desk:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return with_broker(desk, broker)


def hold(desk: Desk, order: OrderRequest) -> Ticket:
    result = orders.place(desk, order, ORIGIN)
    assert isinstance(result, Held)
    return result.ticket


def approve(desk: Desk, ticket: Ticket) -> object:
    return approvals.approve(desk, ticket.id, ticket.shown, by=TRADER)


@pytest.mark.parametrize("first", [SELL, MARKETABLE, THROUGH], ids=["market", "marketable limit", "triggered stop"])
def test_of_two_exits_that_would_fill_at_once_one_is_approved(
    semi_auto: Desk, broker: ScriptedBroker, first: OrderRequest
) -> None:
    one, two = hold(semi_auto, first), hold(semi_auto, MARKETABLE)
    assert isinstance(approve(semi_auto, one), Sent)
    with pytest.raises(Conflict, match="would open a short position"):
        approve(semi_auto, two)
    assert len(broker.calls) == 1


def test_beside_a_stop_that_was_triggered_nothing_is_left_to_close(semi_auto: Desk, broker: ScriptedBroker) -> None:
    assert isinstance(approve(semi_auto, hold(semi_auto, STOP)), Sent)
    waiting = hold(semi_auto, TARGET)
    (tag,) = broker.book
    broker.book[tag] = replace(broker.book[tag], status=OrderStatus.OPEN)
    with pytest.raises(Conflict, match="would open a short position"):
        approve(semi_auto, waiting)


def test_a_stop_and_a_target_that_both_wait_for_their_price_may_both_go(semi_auto: Desk) -> None:
    waiting = [hold(semi_auto, each) for each in (STOP, TARGET)]
    assert all(isinstance(approve(semi_auto, each), Sent) for each in waiting)


def test_an_approval_asks_one_price_however_many_orders_the_day_had(
    semi_auto: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    elsewhere = replace(STOP, symbol="TCS")
    for number, order in enumerate([TARGET, elsewhere] * 20):
        tag = Ref(f"X{number}")
        broker.book[tag] = BrokerOrder(
            id=BrokerOrderId(tag),
            tag=tag,
            request=replace(order, quantity=1),
            status=OrderStatus.TRIGGER_PENDING if order is elsewhere else OrderStatus.COMPLETE,
            filled_quantity=0 if order is elsewhere else 1,
            average_price=Decimal(1000),
            placed_at=clock.now(),
        )
    assert isinstance(approve(semi_auto, hold(semi_auto, STOP)), Sent)
    waiting = hold(semi_auto, TARGET)
    broker.reads.clear()
    assert isinstance(approve(semi_auto, waiting), Sent)
    assert broker.reads.count("quote") == 2, "one for the price band, one for what works beside it"


def test_what_arrives_while_the_broker_cannot_be_read_is_held_with_an_alarm_until_the_session_ends(
    semi_auto: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    broker.unreadable = NotSent("no connection")
    waiting = hold(semi_auto, SELL)
    assert "Whether this is an exit cannot be told" in waiting.reason
    assert waiting.expires_at is not None
    assert waiting.expires_at - clock.now() > timedelta(hours=1)


def unread(desk: Desk, broker: ScriptedBroker, order: OrderRequest) -> Ticket:
    """A ticket that came while the broker could not be read, which it can be by now."""
    broker.unreadable = NotSent("no connection")
    waiting = hold(desk, order)
    broker.unreadable = None
    return waiting


def test_what_could_not_be_read_when_it_came_closes_no_more_than_there_is(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    first, second = unread(semi_auto, broker, SELL), unread(semi_auto, broker, SELL)
    assert isinstance(approve(semi_auto, first), Sent)
    with pytest.raises(Conflict, match="would open a short position"):
        approve(semi_auto, second)


@pytest.mark.parametrize("shows_flat", [True, False], ids=["shown as 0", "not shown any more"])
def test_what_could_not_be_read_and_would_open_a_position_now_is_asked_about_first(
    semi_auto: Desk, broker: ScriptedBroker, shows_flat: bool
) -> None:
    waiting = unread(semi_auto, broker, SELL)
    broker.held.clear()
    if shows_flat:
        broker.hold("RELIANCE", 0)
    question = "The account holds 0 RELIANCE now; with this it would hold -10. The last price is 1000."
    with pytest.raises(Conflict) as asked:
        approve(semi_auto, waiting)
    told = semi_auto.store.journal.ticket(waiting.id)
    assert question in asked.value.message
    assert (told.reason, told.state, broker.calls) == (asked.value.message, TicketState.HELD, [])


def test_a_second_click_on_the_page_without_the_question_is_no_answer(semi_auto: Desk, broker: ScriptedBroker) -> None:
    waiting = unread(semi_auto, broker, SELL)
    broker.held.clear()
    for why in ("with this it would hold -10", "is not what was shown"):
        with pytest.raises(Conflict, match=why):
            approve(semi_auto, waiting)
    assert isinstance(approve(semi_auto, semi_auto.store.journal.ticket(waiting.id)), Sent)


def test_the_price_that_was_not_known_is_compared_from_the_question_on(semi_auto: Desk, broker: ScriptedBroker) -> None:
    semi_auto.store.guards.save(replace(semi_auto.store.guards.load(), price_drift=Decimal(1)), by=TRADER)
    waiting = unread(semi_auto, broker, replace(SELL, action=Action.BUY))
    broker.ltp = Decimal(1300)
    with pytest.raises(Conflict, match="The last price is 1300"):
        approve(semi_auto, waiting)
    broker.ltp = Decimal(1400)
    with pytest.raises(Denied, match="price"):
        approve(semi_auto, semi_auto.store.journal.ticket(waiting.id))
    assert broker.calls == []


def test_a_basket_that_could_not_be_read_is_asked_about_where_it_would_open_a_position_now(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    basket = LegsRequest(kind=LegsKind.BASKET, orders=(SELL, replace(SELL, symbol="TCS")))
    broker.hold("TCS", 10)
    broker.unreadable = NotSent("no connection")
    held = several.place(semi_auto, basket, ORIGIN)
    assert isinstance(held, Held)
    broker.unreadable = None
    del broker.held[0]
    with pytest.raises(Conflict) as asked:
        approve(semi_auto, held.ticket)
    assert "The account holds 0 RELIANCE now; with this it would hold -10." in asked.value.message
    assert "TCS" not in asked.value.message
    assert broker.calls == []


def test_a_basket_of_exits_that_could_not_be_read_goes_where_it_still_closes(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    broker.unreadable = NotSent("no connection")
    held = several.place(semi_auto, LegsRequest(kind=LegsKind.BASKET, orders=(SELL,)), ORIGIN)
    assert isinstance(held, Held)
    broker.unreadable = None
    report = approve(semi_auto, held.ticket)
    assert isinstance(report, Report)
    assert report.is_done


def test_while_nothing_can_be_read_the_persons_word_counts_for_what_the_alarm_told(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    waiting = unread(semi_auto, broker, SELL)
    broker.unreadable = NotSent("no connection")
    assert isinstance(approve(semi_auto, waiting), Sent)


def test_an_exit_beside_a_stop_is_approved_while_another_order_of_its_symbol_is_in_doubt(
    semi_auto: Desk, broker: ScriptedBroker
) -> None:
    assert isinstance(approve(semi_auto, hold(semi_auto, STOP)), Sent)
    entry = hold(semi_auto, replace(SELL, action=Action.BUY, quantity=1))
    broker.fault, broker.reread_after = (lambda: OutcomeUnknown("timed out")), None
    approve(semi_auto, entry)
    broker.fault, broker.reread_after = None, 0.0
    assert isinstance(approve(semi_auto, hold(semi_auto, TARGET)), Sent)
    with pytest.raises(Conflict, match="in doubt"):
        approve(semi_auto, hold(semi_auto, replace(SELL, action=Action.BUY, quantity=2)))


def test_an_exit_that_is_sent_again_and_refused_waits_until_the_session_ends(
    desk: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    scripted = with_broker(desk, broker)
    broker.fault, broker.reread_after = (lambda: OutcomeUnknown("timed out")), None
    orders.place(scripted, SELL, ORIGIN)
    recover(scripted)
    broker.fault = lambda: NotSent("no connection")
    (order,) = scripted.store.journal.doubts()
    with pytest.raises(NotSent):
        parked.send_again(scripted, order.id, by=TRADER)
    newest = scripted.store.journal.tickets()[0]
    assert newest.expires_at is not None
    assert newest.expires_at - clock.now() > timedelta(hours=1)


def test_a_stop_is_moved_under_the_kill_switch_although_its_target_has_filled_in_part(
    desk: Desk, broker: ScriptedBroker
) -> None:
    scripted = with_broker(desk, broker)
    stop = orders.place(scripted, STOP, ORIGIN)
    assert isinstance(stop, Sent)
    orders.place(scripted, TARGET, ORIGIN)
    target: Ref = broker.calls[1]
    broker.book[target] = replace(broker.book[target], filled_quantity=4)
    broker.held[0] = replace(broker.held[0], quantity=6)
    scripted.store.kill_switch.engage("test", by=TRADER)
    moved = replace(STOP, trigger_price=Decimal(950))
    assert isinstance(orders.modify(scripted, stop.broker_order_id, moved, ORIGIN), Sent)
