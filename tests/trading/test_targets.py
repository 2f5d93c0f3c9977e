"""A broker's number leads to one order of one account, or to none: two accounts may give out the same one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import books, closing, orders, parked, several
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1", may_trade_live=True)
LIMIT = OrderRequest(
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    price=Decimal(950),
)
PAPER, LIVE = TradingMode.ANALYZE, TradingMode.LIVE
S1 = "S1"
"""The number that each scripted broker gives its first order."""


@pytest.fixture
def paper(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def live(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def both(desk: Desk, paper: ScriptedBroker, live: ScriptedBroker) -> Desk:
    return with_broker(with_broker(desk, paper), live, LIVE)


def place(desk: Desk, mode: TradingMode, order: OrderRequest = LIMIT) -> str:
    """Our reference of an order that rests in that account, which is current from then on."""
    switch(desk, mode)
    return orders.place(desk, order, ORIGIN).ticket.ref


def switch(desk: Desk, mode: TradingMode) -> None:
    if desk.store.preferences.trading_mode() is not mode:
        desk.store.preferences.set_trading_mode(mode, by=TRADER)


def working(broker: ScriptedBroker) -> list[BrokerOrder]:
    return [order for order in broker.book.values() if order.status.is_working]


@pytest.mark.parametrize("current", TradingMode)
@pytest.mark.parametrize("account", TradingMode)
def test_a_number_of_one_account_leads_there_whichever_is_current(
    both: Desk, paper: ScriptedBroker, live: ScriptedBroker, account: TradingMode, current: TradingMode
) -> None:
    place(both, account)
    switch(both, current)
    assert books.order_fate(both, S1).trading_mode is account
    assert isinstance(orders.cancel(both, S1, ORIGIN), Sent)
    assert (working(paper), working(live)) == ([], [])


@pytest.mark.parametrize("current", TradingMode)
@pytest.mark.parametrize(
    "act",
    [
        lambda desk: orders.cancel(desk, S1, ORIGIN),
        lambda desk: orders.modify(desk, S1, replace(LIMIT, quantity=5), ORIGIN),
        lambda desk: books.order_fate(desk, S1),
    ],
    ids=["cancel", "modify", "status"],
)
def test_a_number_that_both_accounts_gave_out_today_is_refused_with_the_references_that_tell_them_apart(
    both: Desk,
    paper: ScriptedBroker,
    live: ScriptedBroker,
    current: TradingMode,
    act: Callable[[Desk], object],
) -> None:
    rehearsed, real = place(both, PAPER), place(both, LIVE)
    switch(both, current)
    with pytest.raises(Conflict, match=f"{real} .*{rehearsed}|{rehearsed} .*{real}"):
        act(both)
    assert [order.request for order in (*working(paper), *working(live))] == [LIMIT, LIMIT]
    assert books.order_fate(both, real).trading_mode is LIVE
    assert isinstance(orders.cancel(both, real, ORIGIN), Sent)
    assert (len(working(paper)), working(live)) == (1, [])


@pytest.mark.parametrize("current", TradingMode)
def test_a_number_that_the_other_account_gave_out_on_an_earlier_day_is_of_the_current_one(
    both: Desk, paper: ScriptedBroker, live: ScriptedBroker, clock: FixedClock, current: TradingMode
) -> None:
    place(both, LIVE if current is PAPER else PAPER)
    clock.move(days=1)
    place(both, current)
    assert books.order_fate(both, S1).trading_mode is current
    assert isinstance(orders.cancel(both, S1, ORIGIN), Sent)
    current_broker, other_broker = (paper, live) if current is PAPER else (live, paper)
    assert (working(current_broker), len(working(other_broker))) == ([], 1)


def test_an_order_of_an_earlier_day_that_may_still_work_does_not_hide_one_of_today(
    both: Desk, paper: ScriptedBroker, live: ScriptedBroker, clock: FixedClock
) -> None:
    place(both, PAPER)
    clock.move(days=1)
    place(both, LIVE)
    switch(both, PAPER)
    orders.cancel(both, S1, ORIGIN)
    assert (len(working(paper)), len(working(live))) == (1, 0)


def test_the_number_of_an_order_in_doubt_may_be_one_that_the_other_account_gave_out(
    both: Desk, live: ScriptedBroker
) -> None:
    place(both, PAPER)
    live.fault, live.accepts_before_fault = lambda: OutcomeUnknown("timed out"), True
    place(both, LIVE)
    (order,) = both.store.journal.unresolved()
    both.store.journal.settle(order.id, Settlement(state=OrderState.PARKED), was=OrderState.UNKNOWN)
    parked.it_is_there(both, order.id, BrokerOrderId(S1), by=TRADER)
    assert both.store.journal.order(order.id).broker_order_id == S1


@dataclass
class Interrupted(ScriptedBroker):
    """While it takes its first order, somebody does something."""

    meanwhile: Callable[[], None] = lambda: None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        order_id = super().place(permit)
        if len(self.calls) == 1:
            self.meanwhile()
        return order_id


def test_a_cancel_of_several_keeps_back_what_was_not_sent_yet_and_nothing_of_others(desk: Desk) -> None:
    broker = Interrupted(desk)
    one = with_broker(desk, broker)
    orders_of_both = tuple(replace(LIMIT, symbol=symbol) for symbol in ("RELIANCE", "TCS", "INFY"))
    others, planned = one.store.journal.plan(
        orders.draft_of(one, LegsRequest(kind=LegsKind.BASKET, orders=(LIMIT, LIMIT)), ORIGIN, PAPER, OrderMode.AUTO),
        [LIMIT, LIMIT],
    )
    withdrawn: list[Report] = []

    def withdraw() -> None:
        withdrawn.append(closing.cancel_ticket(one, one.store.journal.tickets()[0], ORIGIN))

    broker.meanwhile = withdraw
    report = several.place(one, LegsRequest(kind=LegsKind.BASKET, orders=orders_of_both), ORIGIN)
    assert isinstance(report, Report)
    assert [leg.result is None for leg in report.legs] == [False, True, True]
    assert (len(broker.book), working(broker)) == (1, [])
    assert sum(leg.was_needless for leg in withdrawn[0].legs) == 2
    assert [each.state for each in one.store.journal.orders_of([others.id])] == [OrderState.PLANNED] * len(planned)


@pytest.mark.parametrize("place_again", [orders.place, several.place], ids=["one", "several"])
def test_what_was_chosen_by_the_prices_of_one_account_never_goes_to_the_other(
    both: Desk, paper: ScriptedBroker, live: ScriptedBroker, place_again: Callable[..., object]
) -> None:
    request = LIMIT if place_again is orders.place else LegsRequest(kind=LegsKind.OPTIONS, orders=(LIMIT, LIMIT))
    with pytest.raises(Conflict, match="trading mode was changed"):
        place_again(both, request, ORIGIN, LIVE)
    assert (paper.calls, live.calls, both.store.journal.tickets()) == ([], [], [])
