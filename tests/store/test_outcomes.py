"""What was received is the sum of what became of it, whatever the states and whatever the brokers say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin, TicketDraft, operation_of
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.outcomes import DayFilter, Seen
from tests.conftest import TRADER, FixedClock

BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
PAPER = TradingMode.ANALYZE


def draft(desk: Desk, request: TicketRequest = BUY, strategy: str = "s", mode: TradingMode = PAPER) -> TicketDraft:
    now = desk.clock.now()
    return TicketDraft(
        ref=new_ref(now),
        operation=operation_of(request),
        request=request,
        order_mode=OrderMode.AUTO,
        trading_mode=mode,
        origin=Origin(source="api", strategy=strategy, request_id="r"),
    )


def today(desk: Desk, **narrower: str) -> DayFilter:
    now = desk.clock.now()
    return DayFilter(since=now - timedelta(hours=10), until=now + timedelta(hours=10), **narrower)


class Day:
    """Makes a ticket of each kind, and remembers the outcome that it must have."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.expected: dict[int, Outcome] = {}
        self.seen: dict[tuple[TradingMode, BrokerOrderId], BrokerOrder] = {}

    def sent(self, outcome: Outcome, status: OrderStatus | None, filled: int = 0) -> int:
        ticket, permit = self.desk.store.journal.release(draft(self.desk))
        number = BrokerOrderId(f"B{ticket.id}")
        self.desk.store.journal.settle(permit.order_id, Settlement(state=OrderState.SENT, broker_order_id=number))
        if status is not None:
            self.seen[PAPER, number] = BrokerOrder(
                id=number,
                tag=permit.ref,
                request=BUY,
                status=status,
                filled_quantity=filled,
                average_price=Decimal(100),
                placed_at=self.desk.clock.now(),
            )
        self.expected[ticket.id] = outcome
        return ticket.id

    def ended(self, outcome: Outcome, *path: OrderState) -> None:
        ticket, permit = self.desk.store.journal.release(draft(self.desk))
        was = OrderState.SENDING
        for state in path:
            self.desk.store.journal.settle(permit.order_id, Settlement(state=state), was=was)
            was = state
        self.expected[ticket.id] = outcome

    def many(self, outcome: Outcome, *ends: OrderState) -> None:
        legs = [CancelRequest(broker_order_id=BrokerOrderId(f"X{number}")) for number in range(len(ends))]
        ticket, planned = self.desk.store.journal.plan(draft(self.desk, CancelAllRequest()), legs)
        for order, end in zip(planned, ends, strict=True):
            if end is OrderState.DROPPED:
                self.desk.store.journal.settle(order.id, Settlement(state=end), was=OrderState.PLANNED)
            elif end is not OrderState.PLANNED:
                self.desk.store.journal.claim(order.id)
                self.desk.store.journal.settle(order.id, Settlement(state=end))
        self.expected[ticket.id] = outcome

    def held(self, outcome: Outcome, minutes: int | None = 5) -> None:
        expires_at = None if minutes is None else self.desk.clock.now() + timedelta(minutes=minutes)
        ticket = self.desk.store.journal.hold(draft(self.desk), expires_at=expires_at, reason="")
        self.expected[ticket.id] = outcome


@pytest.fixture
def day(desk: Desk, clock: FixedClock) -> Day:
    """One ticket of every kind there is, and two of some."""
    made = Day(desk)
    journal = desk.store.journal
    made.held(Outcome.EXPIRED, minutes=1)
    clock.move(minutes=2)
    journal.expire_held()
    made.held(Outcome.EXPIRED, minutes=1)
    clock.move(minutes=2)
    made.held(Outcome.WAITING)
    made.held(Outcome.WAITING, minutes=None)
    turned_down = journal.hold(draft(desk), expires_at=None, reason="")
    journal.reject(turned_down.id, turned_down.shown, "no", by=TRADER)
    made.expected[turned_down.id] = Outcome.TURNED_DOWN
    made.expected[journal.deny(draft(desk), guard=Guard.ORDER_VALUE, reason="too large").id] = Outcome.DENIED
    made.ended(Outcome.SENDING)
    made.ended(Outcome.REFUSED, OrderState.REJECTED)
    made.ended(Outcome.NOT_PLACED, OrderState.UNKNOWN, OrderState.NOT_PLACED)
    made.sent(Outcome.SENT, None)
    made.sent(Outcome.WORKING, OrderStatus.OPEN)
    made.sent(Outcome.WORKING, OrderStatus.OPEN, filled=3)
    made.sent(Outcome.WORKING, OrderStatus.TRIGGER_PENDING)
    made.sent(Outcome.FILLED, OrderStatus.COMPLETE, filled=10)
    made.sent(Outcome.CANCELLED, OrderStatus.CANCELLED)
    made.sent(Outcome.PARTLY_FILLED, OrderStatus.CANCELLED, filled=4)
    made.sent(Outcome.REFUSED, OrderStatus.REJECTED)
    made.many(Outcome.NOTHING_TO_DO)
    made.many(Outcome.DONE, OrderState.SENT, OrderState.SENT)
    made.many(Outcome.PARTLY_DONE, OrderState.SENT, OrderState.REJECTED, OrderState.SENT)
    made.many(Outcome.REFUSED, OrderState.REJECTED, OrderState.DROPPED)
    made.many(Outcome.DROPPED, OrderState.DROPPED)
    made.many(Outcome.SENDING, OrderState.SENT, OrderState.PLANNED)
    # Nothing new in this symbol goes after these.
    made.many(Outcome.IN_DOUBT, OrderState.SENT, OrderState.UNKNOWN)
    made.ended(Outcome.DECIDE, OrderState.UNKNOWN, OrderState.PARKED)
    return made


def test_every_outcome_is_among_them(day: Day) -> None:
    assert set(day.expected.values()) == set(Outcome)


def test_the_parts_add_up_to_what_was_received(desk: Desk, day: Day) -> None:
    tally = desk.store.outcomes.tally(today(desk), day.seen)
    assert tally.counts == Counter(day.expected.values())
    assert tally.received == len(day.expected) == desk.store.journal.mark().ticket_id


def test_without_the_brokers_word_what_it_took_is_sent_and_the_sum_is_the_same(desk: Desk, day: Day) -> None:
    tally = desk.store.outcomes.tally(today(desk), {})
    of_broker = {Outcome.WORKING, Outcome.FILLED, Outcome.CANCELLED, Outcome.PARTLY_FILLED}
    assert not of_broker & set(tally.counts)
    assert tally.received == len(day.expected)


def test_each_part_lists_the_tickets_that_it_counts(desk: Desk, day: Day) -> None:
    wanted = today(desk)
    tally = desk.store.outcomes.tally(wanted, day.seen)
    for outcome in Outcome:
        listed = desk.store.outcomes.page_of(wanted, outcome, tally, day.seen, before=None, limit=99)
        mine = [number for number, each in day.expected.items() if each is outcome]
        assert [ticket.id for ticket in listed] == sorted(mine, reverse=True), outcome


def test_a_list_of_one_outcome_is_paged_by_key(desk: Desk) -> None:
    made = Day(desk)
    for _ in range(6):
        made.sent(Outcome.FILLED, OrderStatus.COMPLETE, filled=10)
        made.held(Outcome.WAITING)
    wanted = today(desk)
    tally = desk.store.outcomes.tally(wanted, made.seen)
    pages = []
    before = None
    while listed := desk.store.outcomes.page_of(wanted, Outcome.FILLED, tally, made.seen, before=before, limit=4):
        pages.append([ticket.id for ticket in listed])
        before = listed[-1].id
    assert pages == [[11, 9, 7, 5], [3, 1]]


def test_what_a_restart_took_back_is_no_part_of_what_became_of_it(desk: Desk) -> None:
    journal = desk.store.journal
    basket = LegsRequest(kind=LegsKind.BASKET, orders=(BUY, replace(BUY, symbol="TCS")))
    held = journal.hold(draft(desk, basket), expires_at=None, reason="")
    journal.approve_plan(held.id, held.shown, basket.orders, by=TRADER)
    journal.interrupt()
    assert desk.store.outcomes.tally(today(desk), {}).counts == {Outcome.WAITING: 1}
    assert journal.orders_of([held.id]) == []
    again = journal.ticket(held.id)
    _, (first, second) = journal.approve_plan(again.id, again.shown, basket.orders, by=TRADER)
    for order in (first, second):
        journal.claim(order.id, is_approved=True)
        journal.settle(order.id, Settlement(state=OrderState.REJECTED))
    assert set(desk.store.outcomes.tally(today(desk), {}).kinds[Outcome.REFUSED]) == {"released|placeorder/rejected/"}
    assert [each.id for each in journal.orders_of([held.id])] == [first.id, second.id]


def test_an_account_does_not_answer_for_an_order_of_the_other(desk: Desk) -> None:
    made = Day(desk)
    number = made.sent(Outcome.FILLED, OrderStatus.COMPLETE, filled=10)
    elsewhere: Seen = {(TradingMode.LIVE, BrokerOrderId(f"B{number}")): next(iter(made.seen.values()))}
    assert desk.store.outcomes.tally(today(desk), elsewhere).counts == {Outcome.SENT: 1}


def test_symbol_and_strategy_narrow_list_and_sum_alike(desk: Desk) -> None:
    journal = desk.store.journal
    journal.release(draft(desk, BUY, "a"))
    journal.release(draft(desk, replace(BUY, symbol="TCS"), "a"))
    journal.release(draft(desk, replace(BUY, symbol="TCS"), "b"))
    for narrower, ids in (({"symbol": "TCS"}, [3, 2]), ({"strategy": "a"}, [2, 1]), ({"symbol": "x"}, [])):
        wanted = today(desk, **narrower)
        assert [ticket.id for ticket in desk.store.outcomes.page(wanted)] == ids
        assert desk.store.outcomes.tally(wanted, {}).received == len(ids)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (OrderStatus.COMPLETE, Outcome.FILLED),
        (OrderStatus.CANCELLED, Outcome.PARTLY_DONE),
        (OrderStatus.OPEN, Outcome.WORKING),
        (None, Outcome.SENT),
    ],
)
def test_a_closing_counts_under_what_all_its_legs_came_to(
    desk: Desk, second: OrderStatus | None, told: Outcome
) -> None:
    legs = [replace(BUY, symbol=symbol) for symbol in ("RELIANCE", "TCS")]
    _, planned = desk.store.journal.plan(draft(desk, CloseRequest()), legs)
    seen: dict[tuple[TradingMode, BrokerOrderId], BrokerOrder] = {}
    for order, leg, status in zip(planned, legs, (OrderStatus.COMPLETE, second), strict=True):
        number = BrokerOrderId(f"B{order.id}")
        desk.store.journal.claim(order.id)
        desk.store.journal.settle(order.id, Settlement(state=OrderState.SENT, broker_order_id=number))
        if status is not None:
            seen[PAPER, number] = BrokerOrder(
                id=number,
                tag=order.ref,
                request=leg,
                status=status,
                filled_quantity=leg.quantity if status is OrderStatus.COMPLETE else 0,
                average_price=Decimal(100),
                placed_at=desk.clock.now(),
            )
    assert desk.store.outcomes.tally(today(desk), seen).counts == {told: 1}


def test_each_ticket_is_of_one_day(desk: Desk, clock: FixedClock) -> None:
    first = clock.now()
    for _ in range(5):
        for _ in range(3):
            _, permit = desk.store.journal.release(draft(desk))
            desk.store.journal.settle(permit.order_id, Settlement(state=OrderState.SENT))
            clock.move(hours=1)
        clock.move(hours=21)
    days = [
        DayFilter(since=first + timedelta(days=number), until=first + timedelta(days=number + 1))
        for number in range(-1, 7)
    ]
    listed = [[ticket.id for ticket in desk.store.outcomes.page(each)] for each in days]
    assert listed == [[], [3, 2, 1], [6, 5, 4], [9, 8, 7], [12, 11, 10], [15, 14, 13], [], []]


def test_a_moment_belongs_to_the_day_that_begins_with_it(desk: Desk, clock: FixedClock) -> None:
    midnight = clock.now()
    clock.move(seconds=-0.001)
    desk.store.journal.release(draft(desk))
    clock.move(seconds=0.001)
    desk.store.journal.release(draft(desk))
    before = DayFilter(since=midnight - timedelta(days=1), until=midnight)
    after = DayFilter(since=midnight, until=midnight + timedelta(days=1))
    assert [ticket.id for ticket in desk.store.outcomes.page(before)] == [1]
    assert [ticket.id for ticket in desk.store.outcomes.page(after)] == [2]


def test_an_empty_journal_has_no_tickets_of_any_day(desk: Desk) -> None:
    always = DayFilter(since=datetime(1970, 1, 2, tzinfo=UTC), until=datetime(2100, 1, 1, tzinfo=UTC))
    assert desk.store.outcomes.page(always) == []
    assert desk.store.outcomes.tally(always, {}).received == 0
    assert desk.store.outcomes.accounts(always) == set()


def test_the_accounts_of_a_day_are_those_of_its_tickets(desk: Desk) -> None:
    desk.store.journal.release(draft(desk))
    assert desk.store.outcomes.accounts(today(desk)) == {TradingMode.ANALYZE}
