"""Stops in the journal: what is planned is given up in the commit that writes the stop down, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openalgo_bridge.errors import Conflict, Invalid, Stopped
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    LegsKind,
    LegsRequest,
    OrderMode,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.stops import Stop, actor_of
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.claims import Reservation
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.guards import Premises
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.journal_reads import JournalOrder
from tests.conftest import TRADER, FixedClock
from tests.store.test_journal import BUY_TEN, a_draft

BASKET = LegsRequest(kind=LegsKind.BASKET, orders=(BUY_TEN, replace(BUY_TEN, symbol="TCS")))


@pytest.fixture
def journal(db: Database, clock: FixedClock) -> Journal:
    return Journal(db, clock)


@pytest.fixture
def planned(journal: Journal) -> list[JournalOrder]:
    return journal.plan(a_draft(BASKET), BASKET.orders)[1]


def test_a_closing_that_is_written_down_gives_up_what_is_planned(journal: Journal, planned: list[JournalOrder]) -> None:
    stop, _ = journal.plan(a_draft(CloseRequest()), [])
    (ticket,) = {each.ticket_id for each in planned}
    reason = f"Not sent any more: the closing of {stop.ref} came first."
    assert [(each.state, each.message) for each in journal.orders_of([ticket])] == [(OrderState.DROPPED, reason)] * 2
    assert journal.ticket(ticket).reason == f"2 of its orders were not sent. {reason}"


def test_a_closing_that_is_not_written_down_gives_up_nothing(journal: Journal, planned: list[JournalOrder]) -> None:
    of_another_mode = replace(a_draft(CloseRequest()), order_mode=OrderMode.SEMI_AUTO)
    with pytest.raises(Conflict):
        journal.plan(of_another_mode, [])
    assert [journal.order(each.id).state for each in planned] == [OrderState.PLANNED] * 2


def test_what_a_stop_gave_up_is_found_by_its_ticket_and_by_no_other(
    journal: Journal, planned: list[JournalOrder]
) -> None:
    stops = [journal.plan(a_draft(CancelAllRequest(symbol=symbol)), [])[0] for symbol in ("TCS", "RELIANCE")]
    found = [[each.request for each in journal.given_up(actor_of(stop))] for stop in stops]
    assert found == [[BASKET.orders[1]], [BASKET.orders[0]]]


def test_what_is_planned_beside_an_exit_that_a_closing_does_not_make_goes_on(
    journal: Journal, planned: list[JournalOrder]
) -> None:
    journal.plan(a_draft(CloseRequest()), [], spares=[replace(BUY_TEN, quantity=99)])
    assert [journal.order(each.id).state for each in planned] == [OrderState.PLANNED, OrderState.DROPPED]


def test_a_closing_takes_over_from_the_closing_before_it_and_cancel_all_does_not(journal: Journal) -> None:
    _, (first,) = journal.plan(a_draft(CloseRequest()), [BUY_TEN])
    journal.plan(a_draft(CancelAllRequest()), [])
    assert journal.order(first.id).state is OrderState.PLANNED
    _, (second,) = journal.plan(a_draft(CloseRequest()), [BUY_TEN])
    assert [journal.order(each.id).state for each in (first, second)] == [OrderState.DROPPED, OrderState.PLANNED]


@pytest.mark.parametrize("stop", [CancelAllRequest(), CancelAllRequest(symbol="TCS"), CloseRequest()])
def test_a_basket_that_arrived_before_a_stop_which_means_one_of_its_orders_is_not_planned(
    journal: Journal, stop: Stop
) -> None:
    after = journal.mark()
    written, _ = journal.plan(a_draft(stop), [])
    with pytest.raises(Stopped, match=f"{written.ref} came first"):
        journal.plan(a_draft(BASKET), BASKET.orders, after=after)
    journal.plan(a_draft(BASKET), BASKET.orders, after=journal.mark())


@pytest.mark.parametrize("stop", [CancelAllRequest(), CloseRequest()])
def test_what_arrives_after_a_stop_goes_although_that_plans_more(journal: Journal, stop: Stop) -> None:
    ticket, _ = journal.plan(a_draft(stop), [])
    after = journal.mark()
    journal.plan_further(ticket.id, [CancelRequest(broker_order_id=BrokerOrderId("S1"))], by=TRADER)
    journal.plan(a_draft(BASKET), BASKET.orders, after=after)


@pytest.fixture
def held(journal: Journal) -> Ticket:
    """A closing that waits for the person."""
    return journal.hold(a_draft(CloseRequest()), expires_at=None, reason="")


def test_what_arrived_before_a_closing_was_approved_does_not_go(journal: Journal, held: Ticket) -> None:
    after = journal.mark()
    journal.approve_plan(held.id, held.shown, [BUY_TEN], by=TRADER)
    with pytest.raises(Stopped, match=f"{held.ref} came first"):
        journal.plan(a_draft(BASKET), BASKET.orders, after=after)


def test_what_arrives_after_a_closing_was_approved_goes_although_that_plans_anew(
    journal: Journal, held: Ticket
) -> None:
    journal.approve_plan(held.id, held.shown, [BUY_TEN], by=TRADER)
    after = journal.mark()
    journal.plan_anew(held.id, [replace(BUY_TEN, quantity=7)], "Less is open.", by=TRADER)
    journal.plan(a_draft(BASKET), BASKET.orders, after=after)


def test_a_ticket_can_be_planned_anew(journal: Journal) -> None:
    ticket, old = journal.plan(a_draft(CloseRequest()), [BUY_TEN, BUY_TEN])
    (new,) = journal.plan_anew(ticket.id, [replace(BUY_TEN, quantity=7)], "Less is open.", by=TRADER)
    assert [journal.order(each.id).state for each in old] == [OrderState.DROPPED] * 2
    assert (new.state, new.ticket_id) == (OrderState.PLANNED, ticket.id)
    assert new.ref not in {each.ref for each in old}


def test_a_ticket_that_cannot_name_so_many_keeps_its_plan(journal: Journal) -> None:
    ticket, (old,) = journal.plan(a_draft(CloseRequest()), [BUY_TEN])
    with pytest.raises(Invalid):
        journal.plan_anew(ticket.id, [BUY_TEN] * 1024, "More is open.", by=TRADER)
    assert journal.order(old.id).state is OrderState.PLANNED


def test_the_first_of_what_is_planned_later_carries_the_reference_of_its_ticket(journal: Journal) -> None:
    ticket, _ = journal.plan(a_draft(CancelAllRequest()), [])
    withdrawals = [CancelRequest(broker_order_id=each) for each in map(BrokerOrderId, ("S1", "S2"))]
    first, second = journal.plan_further(ticket.id, withdrawals, by=TRADER)
    assert first.ref == ticket.ref != second.ref


def test_a_proven_exit_goes_on_beside_a_closing_and_not_beside_cancel_all(journal: Journal, clock: FixedClock) -> None:
    premises = Premises(limits=GuardSettings(), day_begin=clock.now(), after=journal.mark())
    room = Reservation(room=100, since=journal.watermark(BUY_TEN, TradingMode.ANALYZE))
    journal.plan(a_draft(CloseRequest()), [])
    journal.release(a_draft(), reserve=room, premises=premises)
    journal.plan(a_draft(CancelAllRequest()), [])
    with pytest.raises(Stopped):
        journal.release(a_draft(), reserve=room, premises=premises)
