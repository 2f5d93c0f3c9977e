"""Orders in doubt for ever: the person decides, once, and what goes again goes as a new ticket."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, Invalid, NotFound, NotSent, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderMode, OrderRequest, PriceType, Ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, books, orders, parked
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.recovery import look_for_parked, recover
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.watch import Watch
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk, reread_after=None)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    """A desk whose only order is parked."""
    scripted = with_broker(desk, broker)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, BUY, ORIGIN)
    broker.fault = None
    recover(scripted)
    assert scripted.store.journal.order(1).state is OrderState.PARKED
    return scripted


def at_broker(scripted: Desk, broker: ScriptedBroker, number: str, request: OrderRequest = BUY) -> None:
    broker.book[Ref(f"OTHER{number}")] = BrokerOrder(
        id=BrokerOrderId(number),
        tag=Ref(""),
        request=request,
        status=OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=scripted.clock.now(),
    )


def test_what_the_person_found_is_sent_under_the_brokers_number(scripted: Desk, broker: ScriptedBroker) -> None:
    at_broker(scripted, broker, "B77")
    parked.it_is_there(scripted, 1, BrokerOrderId(" B77 "), by=TRADER)
    order = scripted.store.journal.order(1)
    assert (order.state, order.broker_order_id) == (OrderState.SENT, "B77")
    event = scripted.store.journal.events(1)[-1]
    assert (event.was, event.state, event.by) == ("parked", "sent", "trader")
    with pytest.raises(Conflict):
        parked.handled(scripted, 1, by=TRADER)


def test_a_number_is_needed_to_say_that_it_is_there(scripted: Desk) -> None:
    with pytest.raises(Invalid):
        parked.it_is_there(scripted, 1, BrokerOrderId("  "), by=TRADER)
    assert scripted.store.journal.order(1).state is OrderState.PARKED


@pytest.mark.parametrize("number", ["B78", "B99", "S2"])
def test_a_number_of_another_order_or_of_none_is_refused(scripted: Desk, broker: ScriptedBroker, number: str) -> None:
    at_broker(scripted, broker, "B78", replace(BUY, action=Action.SELL))
    orders.place(scripted, replace(BUY, symbol="SBIN"), ORIGIN)
    with pytest.raises(Invalid):
        parked.it_is_there(scripted, 1, BrokerOrderId(number), by=TRADER)
    assert scripted.store.journal.order(1).state is OrderState.PARKED


def test_the_persons_word_counts_where_the_broker_cannot_be_asked(scripted: Desk) -> None:
    parked.it_is_there(replace(scripted, brokers={}), 1, BrokerOrderId("B77"), by=TRADER)
    assert scripted.store.journal.order(1).broker_order_id == "B77"


def test_what_a_guard_stops_when_it_is_sent_again_names_the_ticket_that_waits(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.kill_switch.engage("lunch", by=TRADER)
    with pytest.raises(Denied) as stopped:
        parked.send_again(scripted, 1, by=TRADER)
    (again,) = scripted.store.journal.held()
    assert (stopped.value.ticket_id, len(broker.calls)) == (again.id, 1)


def test_what_the_person_handled_is_not_sent_again(scripted: Desk, broker: ScriptedBroker) -> None:
    parked.handled(scripted, 1, by=TRADER)
    assert scripted.store.journal.order(1).state is OrderState.NOT_PLACED
    with pytest.raises(Conflict):
        parked.send_again(scripted, 1, by=TRADER)
    assert len(broker.calls) == 1


def test_sending_again_is_a_new_ticket_that_names_the_old_order(scripted: Desk, broker: ScriptedBroker) -> None:
    result = parked.send_again(scripted, 1, by=TRADER)
    assert isinstance(result, Sent)
    old, new = scripted.store.journal.order(1), scripted.store.journal.ticket(result.ticket.id)
    assert (old.state, len(broker.calls), new.ref == old.ref) == (OrderState.NOT_PLACED, 2, False)
    assert new.ref in old.message
    assert old.ref in scripted.store.journal.events(new.id)[1].reason
    assert books.order_fate(scripted, new.ref).id == result.broker_order_id


def test_eight_clicks_send_again_once(scripted: Desk, broker: ScriptedBroker) -> None:
    outcomes = in_threads(8, lambda: parked.send_again(scripted, 1, by=TRADER))
    assert sum(isinstance(outcome, Sent) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    assert len(broker.calls) == 2


def test_what_the_kill_switch_stops_waits_in_the_action_center(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.files[0].write("UPDATE kill_switch SET is_on = 1, since = 0")
    with pytest.raises(Denied):
        parked.send_again(scripted, 1, by=TRADER)
    (again,) = scripted.store.journal.held()
    assert (again.state, len(broker.calls)) == (TicketState.HELD, 1)


def test_entries_in_the_symbol_wait_until_the_person_decided(scripted: Desk, broker: ScriptedBroker) -> None:
    held = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert "in doubt" in held.reason
    assert isinstance(orders.place(scripted, replace(BUY, symbol="SBIN"), ORIGIN), Sent)
    parked.handled(scripted, 1, by=TRADER)
    assert isinstance(orders.place(scripted, BUY, ORIGIN), Sent)


def test_an_order_nobody_knows_is_not_found(scripted: Desk) -> None:
    for decide in (
        lambda: parked.handled(scripted, 9, by=TRADER),
        lambda: parked.send_again(scripted, 9, by=TRADER),
        lambda: parked.it_is_there(scripted, 9, BrokerOrderId("1"), by=TRADER),
    ):
        with pytest.raises(NotFound):
            decide()


@pytest.mark.parametrize("later", ["modified", "cancelled", "nothing"])
def test_a_change_hidden_by_a_later_one_is_parked_not_called_absent(desk: Desk, later: str) -> None:
    broker = ScriptedBroker(desk)
    scripted = with_broker(desk, broker)
    limit = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(1000))
    placed = orders.place(scripted, limit, ORIGIN)
    assert isinstance(placed, Sent)
    broker.fault = lambda: OutcomeUnknown("timed out")
    doubt = orders.modify(scripted, placed.broker_order_id, replace(limit, price=Decimal(1001)), ORIGIN)
    broker.fault = None
    broker.book[placed.ticket.ref] = replace(broker.book[placed.ticket.ref], request=limit)
    if later == "modified":
        orders.modify(scripted, placed.broker_order_id, replace(limit, price=Decimal(1002)), ORIGIN)
    if later == "cancelled":
        orders.cancel(scripted, placed.broker_order_id, ORIGIN)
    recover(scripted)
    (change,) = scripted.store.journal.orders_of([doubt.ticket.id])
    assert change.state is (OrderState.NOT_PLACED if later == "nothing" else OrderState.PARKED)
    assert scripted.store.preferences.order_mode() is OrderMode.AUTO


def test_what_shows_after_all_is_not_sent_again(scripted: Desk, broker: ScriptedBroker) -> None:
    """The broker was slow: its book shows the order under our tag, in the moment the person says that it does not."""
    it_lands(scripted, broker)
    with pytest.raises(Conflict, match="It is there, under number S9"):
        parked.send_again(scripted, 1, by=TRADER)
    order = scripted.store.journal.order(1)
    assert (order.state, order.broker_order_id, len(broker.calls)) == (OrderState.SENT, "S9", 1)


def test_what_shows_after_all_is_not_called_handled(scripted: Desk, broker: ScriptedBroker) -> None:
    it_lands(scripted, broker)
    with pytest.raises(Conflict, match="S9"):
        parked.handled(scripted, 1, by=TRADER)
    assert scripted.store.journal.order(1).state is OrderState.SENT


def test_nothing_is_sent_again_while_the_broker_cannot_be_asked(scripted: Desk, broker: ScriptedBroker) -> None:
    mute = replace(scripted, brokers={})
    with pytest.raises(NotSent, match="could not be looked up"):
        parked.send_again(mute, 1, by=TRADER)
    assert (scripted.store.journal.order(1).state, len(broker.calls)) == (OrderState.PARKED, 1)
    parked.handled(mute, 1, by=TRADER)
    assert scripted.store.journal.order(1).state is OrderState.NOT_PLACED


def test_the_timer_finds_what_shows_after_all(scripted: Desk, broker: ScriptedBroker) -> None:
    watch = Watch(replace(scripted, doors=Doors()))
    watch.round()
    assert scripted.store.journal.order(1).state is OrderState.PARKED, "not showing proves nothing"
    it_lands(scripted, broker)
    watch.round()
    order = scripted.store.journal.order(1)
    assert (order.state, order.broker_order_id) == (OrderState.SENT, "S9")


def test_a_parked_order_of_another_day_is_not_looked_for(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    it_lands(scripted, broker)
    clock.move(days=1)
    look_for_parked(scripted)
    assert scripted.store.journal.order(1).state is OrderState.PARKED


@pytest.fixture
def exit_parked(scripted: Desk, broker: ScriptedBroker) -> Desk:
    """A second order is parked: the exit of a position of 10, which went in Auto like any other."""
    parked.handled(scripted, 1, by=TRADER)
    broker.hold("RELIANCE", 10)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, replace(BUY, action=Action.SELL), ORIGIN)
    broker.fault = None
    recover(scripted)
    assert scripted.store.journal.order(2).state is OrderState.PARKED
    broker.book.clear()
    return scripted


def test_an_exit_is_sent_again_while_there_is_something_to_close(exit_parked: Desk) -> None:
    again = parked.send_again(exit_parked, 2, by=TRADER)
    assert isinstance(again, Sent)
    assert again.ticket.is_exit


@pytest.mark.parametrize(("left", "told"), [(0, "holds 0 RELIANCE now.*hold -10"), (4, "holds 4 .*hold -6")])
def test_what_would_pass_flat_by_now_waits_instead_of_going_again(
    exit_parked: Desk, broker: ScriptedBroker, left: int, told: str
) -> None:
    """Whether it came to close or to open nobody can tell any more, so the person is asked."""
    broker.held[0] = replace(broker.held[0], quantity=left)
    with pytest.raises(Conflict, match=told) as refusal:
        parked.send_again(exit_parked, 2, by=TRADER)
    (waiting,) = exit_parked.store.journal.held()
    assert (refusal.value.ticket_id, waiting.state, len(broker.calls)) == (waiting.id, TicketState.HELD, 2)
    assert f"holds {left} RELIANCE now" in waiting.reason
    assert isinstance(approvals.approve(exit_parked, waiting.id, waiting.shown, by=TRADER), Sent)


def test_a_change_that_would_pass_flat_by_now_waits_too(desk: Desk) -> None:
    broker = ScriptedBroker(desk, reread_after=None)
    scripted = with_broker(desk, broker)
    broker.hold("RELIANCE", 10)
    stop = replace(BUY, action=Action.SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900))
    placed = orders.place(scripted, stop, ORIGIN)
    assert isinstance(placed, Sent)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.modify(scripted, placed.broker_order_id, replace(stop, trigger_price=Decimal(950)), ORIGIN)
    broker.fault = None
    broker.book[placed.ticket.ref] = replace(broker.book[placed.ticket.ref], request=stop)
    recover(scripted)
    (change,) = scripted.store.journal.parked()
    broker.held[0] = replace(broker.held[0], quantity=0)
    with pytest.raises(Conflict, match="holds 0 RELIANCE now"):
        parked.send_again(scripted, change.id, by=TRADER)
    assert len(broker.calls) == 2


def test_nothing_is_sent_again_while_the_position_cannot_be_read(exit_parked: Desk, broker: ScriptedBroker) -> None:
    broker.unreadable = NotSent("no line")
    with pytest.raises(NotSent, match="no line"):
        parked.send_again(exit_parked, 2, by=TRADER)
    assert (exit_parked.store.journal.order(2).state, len(broker.calls)) == (OrderState.PARKED, 2)


def it_lands(scripted: Desk, broker: ScriptedBroker) -> None:
    """The parked order shows at the broker, under number S9."""
    at_broker(scripted, broker, "S9")
    landed = broker.book.pop(Ref("OTHERS9"))
    ref = scripted.store.journal.order(1).ref
    broker.book[ref] = replace(landed, tag=ref)
