"""What the person decides: once, what was shown, in the order it arrived; and may change before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, NotFound, NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    CloseRequest,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
)
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import approvals, closing, orders, several
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
LIMIT = OrderRequest(
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    price=Decimal(1000),
)
WANTED = Revision(quantity=5, price=Decimal(999), trigger_price=Decimal(0), product=Product.CNC)


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    return with_broker(desk, broker)


def held(desk: Desk, order: OrderRequest = LIMIT) -> Ticket:
    return orders.place(desk, order, ORIGIN).ticket


def test_what_is_sent_is_what_was_revised_and_shown_again(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = held(scripted)
    revised = approvals.revise(scripted, waiting.id, waiting.shown, WANTED, by=TRADER)
    assert (revised.state, revised.ref, broker.calls) == (TicketState.HELD, waiting.ref, [])
    with pytest.raises(Conflict):
        approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER)
    assert isinstance(approvals.approve(scripted, waiting.id, revised.shown, by=TRADER), Sent)
    (there,) = broker.book.values()
    assert there.request == replace(LIMIT, quantity=5, price=Decimal(999), product=Product.CNC)
    assert '["quantity", "10", "5"]' in scripted.store.journal.events(waiting.id)[2].reason


@pytest.mark.parametrize(
    "nonsense",
    [
        replace(WANTED, quantity=0),
        replace(WANTED, quantity=-5),
        replace(WANTED, price=Decimal(0)),
        replace(WANTED, price=Decimal("999.001")),
        Revision(quantity=10, price=Decimal(1000), trigger_price=Decimal(0), product=Product.MIS),
    ],
)
def test_a_revision_that_makes_no_sense_changes_nothing(
    scripted: Desk, broker: ScriptedBroker, nonsense: Revision
) -> None:
    waiting = held(scripted)
    with pytest.raises(Invalid):
        approvals.revise(scripted, waiting.id, waiting.shown, nonsense, by=TRADER)
    assert (approvals.ticket(scripted, waiting.id), broker.calls) == (waiting, [])


def test_what_the_broker_would_refuse_is_not_revised(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = held(scripted)
    broker.refuses = "CNC not allowed"
    with pytest.raises(Rejected):
        approvals.revise(scripted, waiting.id, waiting.shown, WANTED, by=TRADER)
    assert approvals.ticket(scripted, waiting.id) == waiting


def test_what_was_decided_or_has_expired_or_never_was_cannot_be_revised(scripted: Desk, clock: FixedClock) -> None:
    gone, late = held(scripted), held(scripted)
    approvals.reject(scripted, gone.id, gone.shown, "no", by=TRADER)
    with pytest.raises(Conflict):
        approvals.revise(scripted, gone.id, gone.shown, WANTED, by=TRADER)
    clock.move(minutes=6)
    with pytest.raises(Conflict):
        approvals.revise(scripted, late.id, late.shown, WANTED, by=TRADER)
    with pytest.raises(NotFound):
        approvals.revise(scripted, 99, "x", WANTED, by=TRADER)


def test_many_go_in_the_order_in_which_they_arrived(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = [held(scripted) for _ in range(4)]
    chosen = [(ticket.id, ticket.shown) for ticket in reversed(waiting)]
    verdicts = list(approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=True))
    assert [verdict.ticket_id for verdict in verdicts] == [ticket.id for ticket in waiting]
    assert broker.calls == [ticket.ref for ticket in waiting]


@pytest.mark.parametrize("stop", [True, False])
def test_a_refusal_stops_the_rest_where_that_is_wanted(scripted: Desk, broker: ScriptedBroker, stop: bool) -> None:
    waiting = [held(scripted) for _ in range(3)]
    chosen = [(ticket.id, "stale" if ticket is waiting[1] else ticket.shown) for ticket in waiting]
    verdicts = list(approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=stop))
    assert isinstance(verdicts[1].refusal, Conflict)
    assert len(verdicts) == (2 if stop else 3)
    states = [approvals.ticket(scripted, ticket.id).state for ticket in waiting]
    released, still = TicketState.RELEASED, TicketState.HELD
    assert states == [released, still, still if stop else released]


def refuse_all(broker: ScriptedBroker) -> None:
    """What it took, it refuses in its book a moment later."""
    for ref, there in broker.book.items():
        broker.book[ref] = replace(there, status=OrderStatus.REJECTED)


@pytest.mark.parametrize(
    "goes_wrong",
    [
        lambda broker: setattr(broker, "fault", lambda: OutcomeUnknown("timed out")),
        lambda broker: setattr(broker, "before_answering", lambda: refuse_all(broker)),
    ],
    ids=["in doubt", "refused in its book"],
)
@pytest.mark.parametrize("stop", [True, False])
def test_whatever_is_not_well_stops_the_rest_where_that_is_wanted(
    scripted: Desk, broker: ScriptedBroker, goes_wrong: Callable[[ScriptedBroker], None], stop: bool
) -> None:
    waiting = [held(scripted, replace(LIMIT, symbol=symbol)) for symbol in ("RELIANCE", "TCS")]
    goes_wrong(broker)
    chosen = [(ticket.id, ticket.shown) for ticket in waiting]
    assert len(list(approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=stop))) == (1 if stop else 2)
    assert len(broker.calls) == (1 if stop else 2)


@pytest.mark.parametrize("stop", [True, False])
def test_a_closing_that_closed_less_than_all_stops_the_rest_where_that_is_wanted(
    scripted: Desk, broker: ScriptedBroker, stop: bool
) -> None:
    broker.hold("INFY", 10)
    closes, order = closing_held(scripted), held(scripted)
    broker.fault = lambda: Rejected("Not allowed.")
    chosen = [(ticket.id, ticket.shown) for ticket in (closes, order)]
    verdicts = list(approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=stop))
    assert len(verdicts) == (1 if stop else 2)


def test_what_was_decided_before_is_no_refusal(scripted: Desk, broker: ScriptedBroker) -> None:
    gone, waiting = held(scripted), held(scripted)
    approvals.reject(scripted, gone.id, gone.shown, "no", by=TRADER)
    chosen = [(ticket.id, ticket.shown) for ticket in (gone, waiting)]
    first, second = approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=True)
    assert isinstance(first.refusal, Conflict)
    assert (isinstance(second.result, Sent), broker.calls) == (True, [waiting.ref])


# -- exits that waited -------------------------------------------------------------------------------------------


SELL_ALL = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.SELL, quantity=100)


def sold(broker: ScriptedBroker) -> int:
    return sum(there.request.quantity for there in broker.book.values() if there.request.action is Action.SELL)


def test_of_a_stop_and_a_target_that_both_waited_one_closes(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 100)
    stop, target = held(scripted, SELL_ALL), held(scripted, SELL_ALL)
    assert (stop.is_exit, approvals.ticket(scripted, stop.id)) == (True, stop)
    chosen = [(ticket.id, ticket.shown) for ticket in (stop, target)]
    first, second = approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=False)
    assert isinstance(first.result, Sent)
    assert isinstance(second.refusal, Conflict)
    assert second.refusal.message.startswith("It arrived as an exit of 100, but only 0 are left to close")
    assert "would open a short position. Reject it." in second.refusal.message
    assert (approvals.ticket(scripted, target.id), sold(broker)) == (target, 100)


def test_two_exits_that_are_approved_at_once_close_once(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 100)
    waiting = [held(scripted, SELL_ALL) for _ in range(8)]
    turn = iter(waiting)

    def approve_one() -> object:
        ticket = next(turn)
        return approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)

    outcomes = in_threads(8, approve_one)
    assert sum(isinstance(each, Sent) for each in outcomes) == 1
    assert (sum(isinstance(each, Conflict) for each in outcomes), sold(broker)) == (7, 100)


def test_an_exit_of_more_than_is_left_can_be_made_smaller(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 100)
    waiting = held(scripted, SELL_ALL)
    broker.held[0] = replace(broker.held[0], quantity=40)
    with pytest.raises(Conflict, match="change its quantity to 40"):
        approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER)
    wanted = Revision(quantity=40, price=Decimal(0), trigger_price=Decimal(0), product=SELL_ALL.product)
    revised = approvals.revise(scripted, waiting.id, waiting.shown, wanted, by=TRADER)
    assert isinstance(approvals.approve(scripted, waiting.id, revised.shown, by=TRADER), Sent)
    assert sold(broker) == 40


def test_an_exit_whose_position_cannot_be_read_waits_on(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 100)
    waiting = held(scripted, SELL_ALL)
    broker.unreadable = NotSent("No line.")
    with pytest.raises(BridgeError, match="No line"):
        approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER)
    assert (approvals.ticket(scripted, waiting.id), sold(broker)) == (waiting, 0)


def test_an_entry_and_a_closing_are_what_they_arrived_as(scripted: Desk, broker: ScriptedBroker) -> None:
    assert not held(scripted).is_exit
    assert not held(scripted, SELL_ALL).is_exit, "there is nothing to close"
    broker.hold("RELIANCE", 100)
    assert closing_held(scripted).is_exit


# -- changes that waited -----------------------------------------------------------------------------------------


def a_change(desk: Desk, order_id: str, **changes: Any) -> Ticket:
    return orders.modify(desk, order_id, replace(LIMIT, **changes), ORIGIN).ticket


def test_a_change_is_never_of_another_product(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = held(scripted)
    sent = approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER)
    assert isinstance(sent, Sent)
    change = a_change(scripted, sent.broker_order_id, quantity=5)
    with pytest.raises(Invalid) as refused:
        approvals.revise(scripted, change.id, change.shown, WANTED, by=TRADER)
    assert list(refused.value.faults) == ["product"]
    same = approvals.revise(scripted, change.id, change.shown, replace(WANTED, product=LIMIT.product), by=TRADER)
    there = broker.book[waiting.ref]
    broker.book[waiting.ref] = replace(there, request=replace(there.request, product=Product.CNC))
    with pytest.raises(Invalid, match="CNC"):
        approvals.approve(scripted, change.id, same.shown, by=TRADER)
    assert (approvals.ticket(scripted, change.id).state, len(broker.calls)) == (TicketState.HELD, 1)


def test_a_change_of_an_order_that_is_over_by_now_is_not_sent(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = held(scripted)
    sent = approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER)
    assert isinstance(sent, Sent)
    change = a_change(scripted, sent.broker_order_id, quantity=5)
    broker.complete(waiting.ref)
    with pytest.raises(Invalid, match="complete"):
        approvals.approve(scripted, change.id, change.shown, by=TRADER)
    assert len(broker.calls) == 1


TEN_INFY = {("NSE", "INFY", "MIS"): 10}
"""What the page of a closing named."""


def closing_held(desk: Desk) -> Ticket:
    asked = closing.close(desk, CloseRequest(), ORIGIN)
    assert isinstance(asked, Held)
    return asked.ticket


def test_a_held_closing_is_approved_once_for_what_its_page_named(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("INFY", 10)
    closes = closing_held(scripted)
    closed = approvals.approve(scripted, closes.id, closes.shown, by=TRADER, seen=TEN_INFY)
    assert isinstance(closed, Report)
    assert (closed.is_done, len(broker.calls)) == (True, 1)
    with pytest.raises(Conflict):
        approvals.approve(scripted, closes.id, closes.shown, by=TRADER, seen=TEN_INFY)
    assert len(broker.calls) == 1


def test_a_held_closing_is_never_approved_unseen_nor_among_others(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("INFY", 10)
    order, closes = held(scripted), closing_held(scripted)
    chosen = [(ticket.id, ticket.shown) for ticket in (closes, order)]
    sent, unseen = approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=True)
    assert isinstance(sent.result, Sent)
    assert isinstance(unseen.refusal, Conflict)
    assert "approved on its page" in unseen.refusal.message
    assert (approvals.ticket(scripted, closes.id), broker.calls) == (closes, [order.ref])


@pytest.mark.parametrize("quantity", [-40, 11])
def test_a_held_closing_of_what_turned_or_grew_since_it_was_shown_closes_nothing(
    scripted: Desk, broker: ScriptedBroker, quantity: int
) -> None:
    broker.hold("INFY", 10)
    closes = closing_held(scripted)
    broker.held = [replace(broker.held[0], quantity=quantity)]
    with pytest.raises(Conflict, match=f"INFY is {quantity} now, and was 10"):
        approvals.approve(scripted, closes.id, closes.shown, by=TRADER, seen=TEN_INFY)
    assert (approvals.ticket(scripted, closes.id), broker.calls) == (closes, [])


def test_a_held_closing_takes_what_became_smaller_and_leaves_what_opened_since(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("INFY", 4)
    closes = closing_held(scripted)
    broker.hold("TCS", 300)
    approvals.approve(scripted, closes.id, closes.shown, by=TRADER, seen=TEN_INFY)
    sent = [(order.request.action, order.request.quantity, order.request.symbol) for order in broker.order_book()]
    assert sent == [(Action.SELL, 4, "INFY")]


def test_eight_approvals_of_a_closing_close_once(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("INFY", 10)
    closes = closing_held(scripted)
    outcomes = in_threads(8, lambda: approvals.approve(scripted, closes.id, closes.shown, by=TRADER, seen=TEN_INFY))
    assert sum(isinstance(each, Report) for each in outcomes) == 1
    assert sum(isinstance(each, Conflict) for each in outcomes) == 7
    assert len(broker.calls) == 1


def test_a_closing_that_is_not_what_was_shown_closes_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("INFY", 10)
    closes = closing_held(scripted)
    with pytest.raises(Conflict):
        approvals.approve(scripted, closes.id, "x", by=TRADER, seen=TEN_INFY)
    assert (approvals.ticket(scripted, closes.id), broker.calls) == (closes, [])


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (GuardSettings(maximum_quantity=4), "quantity"),
        (GuardSettings(order_value=Decimal(4000)), "quantity"),
        (GuardSettings(price_band=Decimal("0.05")), "price"),
    ],
)
def test_a_limit_that_the_revision_could_keep_is_told_at_its_field(
    scripted: Desk, broker: ScriptedBroker, limits: GuardSettings, field: str
) -> None:
    waiting = held(scripted)
    scripted.store.guards.save(limits, by=TRADER)
    with pytest.raises(Invalid) as refused:
        approvals.revise(scripted, waiting.id, waiting.shown, WANTED, by=TRADER)
    assert list(refused.value.faults) == [field]
    assert (approvals.ticket(scripted, waiting.id), broker.calls) == (waiting, [])


def test_what_a_revision_cannot_mend_is_left_to_the_approval(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = held(scripted)
    scripted.store.kill_switch.engage("lunch", by=TRADER)
    revised = approvals.revise(scripted, waiting.id, waiting.shown, WANTED, by=TRADER)
    broker.unreadable = NotSent("No line.")
    again = replace(WANTED, quantity=4)
    assert approvals.revise(scripted, waiting.id, revised.shown, again, by=TRADER).state is TicketState.HELD
    assert broker.calls == []


def test_a_revision_that_keeps_an_exit_needs_no_limit_of_entries(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", -50, Product.CNC)
    waiting = held(scripted)
    scripted.store.guards.save(GuardSettings(maximum_quantity=4), by=TRADER)
    assert approvals.revise(scripted, waiting.id, waiting.shown, WANTED, by=TRADER).state is TicketState.HELD


def test_two_threads_approve_and_revise_with_one_outcome(scripted: Desk, broker: ScriptedBroker) -> None:
    for _ in range(10):
        waiting = held(scripted)
        deeds = iter(
            [
                lambda ticket=waiting: approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER),
                lambda ticket=waiting: approvals.revise(scripted, ticket.id, ticket.shown, WANTED, by=TRADER),
            ]
        )
        outcomes = in_threads(2, lambda deeds=deeds: next(deeds)())
        assert sum(isinstance(each, Conflict) for each in outcomes) == 1
        was_sent = any(isinstance(each, Sent) for each in outcomes)
        now = approvals.ticket(scripted, waiting.id)
        assert now.state is (TicketState.RELEASED if was_sent else TicketState.HELD)
        assert broker.calls.count(waiting.ref) == int(was_sent)
        assert (now.order == waiting.order) is was_sent


def test_what_the_kill_switch_refuses_stays_held(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = held(scripted)
    scripted.store.files[0].write("UPDATE kill_switch SET is_on = 1, since = 0")
    with pytest.raises(Denied):
        approvals.approve(scripted, waiting.id, waiting.shown, by=TRADER)
    assert (approvals.ticket(scripted, waiting.id), broker.calls) == (waiting, [])


def approved_by_eight_threads(scripted: Desk, broker: ScriptedBroker, number: int) -> None:
    waiting = [held(scripted) for _ in range(number)]

    def approve_all() -> int:
        sent = 0
        for ticket in waiting:
            try:
                approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)
            except BridgeError:
                continue
            sent += 1
        return sent

    won = in_threads(8, approve_all)
    assert sum(each for each in won if isinstance(each, int)) == number
    assert sorted(broker.calls) == sorted(ticket.ref for ticket in waiting)


def test_sixty_tickets_and_eight_threads_send_sixty_orders(scripted: Desk, broker: ScriptedBroker) -> None:
    approved_by_eight_threads(scripted, broker, 60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_hundred_tickets_and_eight_threads_send_five_hundred_orders(
    scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    approved_by_eight_threads(scripted, broker, 500)


def held_basket(desk: Desk, *symbols: str) -> Ticket:
    orders = tuple(replace(LIMIT, symbol=symbol) for symbol in symbols)
    outcome = several.place(desk, LegsRequest(kind=LegsKind.BASKET, orders=orders), ORIGIN)
    assert isinstance(outcome, Held)
    return outcome.ticket


def test_a_basket_that_went_whole_does_not_stop_the_rest(scripted: Desk, broker: ScriptedBroker) -> None:
    waiting = [held_basket(scripted, "RELIANCE", "TCS"), held(scripted)]
    chosen = [(ticket.id, ticket.shown) for ticket in waiting]
    assert len(list(approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=True))) == 2
    assert len(broker.calls) == 3


@pytest.mark.parametrize(
    "goes_wrong",
    [
        lambda broker: setattr(broker, "fault", lambda: OutcomeUnknown("timed out")),
        lambda broker: setattr(broker, "fault", lambda: Rejected("no")),
        lambda broker: setattr(broker, "before_answering", lambda: refuse_all(broker)),
    ],
    ids=["in doubt", "refused", "refused in its book"],
)
def test_a_basket_of_which_anything_went_wrong_stops_the_rest(
    scripted: Desk, broker: ScriptedBroker, goes_wrong: Callable[[ScriptedBroker], None]
) -> None:
    waiting = [held_basket(scripted, "RELIANCE", "TCS"), held(scripted, replace(LIMIT, symbol="INFY"))]
    goes_wrong(broker)
    chosen = [(ticket.id, ticket.shown) for ticket in waiting]
    assert len(list(approvals.approve_many(scripted, chosen, by=TRADER, stop_at_refusal=True))) == 1
    assert approvals.ticket(scripted, waiting[1].id).state is TicketState.HELD
