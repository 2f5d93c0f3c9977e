"""The person goes live and back on his own word; a program leaves live trading only when nothing of it would be hidden.

No order slips in between, and what arrived under a mode keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotSent, NotSetUp, SessionExpired
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.going_live import LiveTerms
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, gtts, orders
from openalgo_bridge.trading.mode import go_live, leave_live, switch_by_program
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker
from tests.gtt_requests import OCO

BUY = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=1)
ORIGIN = Origin(source="api", strategy="t", request_id="r", may_trade_live=True)
TERMS = LiveTerms(order_mode=OrderMode.SEMI_AUTO, guards=GuardSettings(maximum_quantity=10))


class Watched(ScriptedBroker):
    """Does something in the moment after it was asked for its order book."""

    after_book: Callable[[], object] = staticmethod(lambda: None)

    def order_book(self) -> list[BrokerOrder]:
        book = super().order_book()
        self.after_book()
        return book


class Expired(ScriptedBroker):
    """Wants a new login."""

    def positions(self) -> list[Position]:
        raise SessionExpired("Log in to the broker again.")


@pytest.fixture
def broker(desk: Desk) -> Watched:
    return Watched(desk)


@pytest.fixture
def live(desk: Desk, broker: Watched) -> Desk:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    return with_broker(desk, broker, TradingMode.LIVE)


def leave(desk: Desk) -> TradingMode:
    return switch_by_program(desk, TradingMode.ANALYZE, may_switch=True, by=TRADER)


def mode(desk: Desk) -> TradingMode:
    return desk.store.preferences.trading_mode()


def test_a_flat_account_is_left_once_and_told(live: Desk) -> None:
    assert [leave(live), leave(live)] == [TradingMode.ANALYZE] * 2
    assert mode(live) is TradingMode.ANALYZE
    told = live.store.audit.page(event=AuditEvent.TRADING_MODE)
    assert [(line.before, line.after) for line in told] == [("live", "analyze"), ("analyze", "live")]


def test_an_order_in_doubt_keeps_the_account_live_and_is_logged(
    live: Desk, broker: Watched, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    broker.fault = lambda: TimeoutError("read")
    orders.place(live, BUY, ORIGIN)
    clock.move(minutes=5)
    with pytest.raises(Conflict, match="outcome is not known"):
        leave(live)
    assert mode(live) is TradingMode.LIVE
    assert "wanted paper trading and was refused" in caplog.text


def test_an_order_that_goes_out_while_the_account_is_looked_at_keeps_it_live(live: Desk, broker: Watched) -> None:
    broker.after_book = lambda: orders.place(live, BUY, ORIGIN)
    with pytest.raises(Conflict, match="on its way"):
        leave(live)
    assert mode(live) is TradingMode.LIVE
    assert len(broker.calls) == 1


def test_a_gtt_keeps_the_account_live_however_long_it_waits_until_it_is_withdrawn(
    live: Desk, broker: Watched, clock: FixedClock
) -> None:
    broker.keeps_gtts = True
    placed = gtts.place(live, OCO, ORIGIN)
    assert isinstance(placed, Sent)
    clock.move(days=30)
    with pytest.raises(Conflict, match="has 1 GTT, waiting"):
        leave(live)
    assert mode(live) is TradingMode.LIVE
    gtts.cancel(live, placed.broker_order_id, ORIGIN)
    clock.move(days=1)
    assert leave(live) is TradingMode.ANALYZE


@pytest.mark.parametrize("read", [1, 2, 3])
@pytest.mark.parametrize("is_gtt", [True, False])
def test_a_gtt_that_fires_or_an_order_that_fills_while_the_account_is_looked_at_keeps_it_live(
    live: Desk, broker: Watched, clock: FixedClock, is_gtt: bool, read: int
) -> None:
    broker.keeps_gtts = True
    assert isinstance(gtts.place(live, OCO, ORIGIN) if is_gtt else orders.place(live, BUY, ORIGIN), Sent)
    clock.move(days=1)
    broker.reads.clear()

    def become_a_position() -> None:
        if len(broker.reads) == read:
            broker.gtts.clear()
            broker.book.clear()
            broker.hold("SBIN", 1)

    broker.while_reading = become_a_position
    with pytest.raises(Conflict, match="The live account"):
        leave(live)
    assert len(broker.reads) == 3
    assert mode(live) is TradingMode.LIVE


def test_yesterdays_orders_do_not_keep_the_account_live(live: Desk, broker: Watched, clock: FixedClock) -> None:
    orders.place(live, BUY, ORIGIN)
    broker.book.clear()
    clock.move(days=1)
    assert leave(live) is TradingMode.ANALYZE


def test_an_account_that_cannot_be_asked_stays_live(live: Desk) -> None:
    with pytest.raises(SessionExpired):
        leave(with_broker(live, Expired(live), TradingMode.LIVE))
    with pytest.raises(NotSent):
        leave(replace(live, brokers={}))
    assert mode(live) is TradingMode.LIVE


class SwitchingBrokers(dict[TradingMode, ScriptedBroker]):
    """Saves another trading mode in the moment in which an order looks up its broker."""

    switch: Callable[[], object]

    def get(self, key: TradingMode, default: Any = None) -> Any:
        self.switch()
        return super().get(key, default)


@pytest.mark.parametrize(
    ("was", "becomes"), [(TradingMode.LIVE, TradingMode.ANALYZE), (TradingMode.ANALYZE, TradingMode.LIVE)]
)
def test_an_order_that_arrived_under_the_former_mode_waits_for_the_person(
    desk: Desk, was: TradingMode, becomes: TradingMode
) -> None:
    desk.store.preferences.set_trading_mode(was, by=TRADER)
    broker = ScriptedBroker(desk)
    brokers = SwitchingBrokers({was: broker})
    brokers.switch = lambda: desk.store.preferences.set_trading_mode(becomes, by=TRADER)
    held = orders.place(replace(desk, brokers=brokers), BUY, ORIGIN)
    assert isinstance(held, Held)
    assert (held.ticket.trading_mode, held.ticket.order_mode) == (was, OrderMode.AUTO)
    assert "changed" in held.reason
    assert broker.calls == []


def test_a_live_order_is_changed_and_cancelled_after_the_account_went_back_to_paper(
    live: Desk, broker: Watched
) -> None:
    limit = replace(BUY, quantity=2)
    placed = orders.place(live, BUY, ORIGIN)
    assert isinstance(placed, Sent)
    live.store.preferences.set_trading_mode(TradingMode.ANALYZE, by=TRADER)
    assert isinstance(orders.modify(live, placed.broker_order_id, limit, ORIGIN), Sent)
    nobody = replace(ORIGIN, may_trade_live=False)
    assert isinstance(orders.cancel(live, placed.broker_order_id, nobody), Sent)
    assert len(broker.calls) == 3


def go(desk: Desk, at: str = "scripted") -> None:
    go_live(desk, TERMS, at=at, expected=GuardSettings(), by=TRADER)


def test_the_person_goes_live_on_his_terms(desk: Desk, broker: Watched) -> None:
    go(with_broker(desk, broker, TradingMode.LIVE))
    assert mode(desk) is TradingMode.LIVE
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    assert desk.store.guards.load() == TERMS.guards
    assert broker.calls == []


def test_nobody_goes_live_at_a_broker_that_is_not_there_or_another_one_or_cannot_be_asked(
    desk: Desk, broker: Watched
) -> None:
    with pytest.raises(NotSetUp, match="No live broker is connected"):
        go(desk)
    with pytest.raises(Conflict, match="The live broker is scripted by now"):
        go(with_broker(desk, broker, TradingMode.LIVE), at="another")
    with pytest.raises(SessionExpired):
        go(with_broker(desk, Expired(desk), TradingMode.LIVE))
    assert mode(desk) is TradingMode.ANALYZE
    assert desk.store.preferences.order_mode() is OrderMode.AUTO
    assert desk.store.guards.load() == GuardSettings()


def test_of_many_who_go_live_at_once_one_does(desk: Desk, broker: Watched) -> None:
    both = with_broker(desk, broker, TradingMode.LIVE)
    outcomes = in_threads(8, lambda: go(both))
    assert [type(each) for each in outcomes].count(Conflict) == 7
    assert len(desk.store.audit.page(event=AuditEvent.TRADING_MODE)) == 1


def test_the_person_leaves_whatever_is_at_the_live_account_and_nothing_of_it_is_touched(
    live: Desk, broker: Watched
) -> None:
    broker.hold("SBIN", 10)
    broker.fault = lambda: TimeoutError("read")
    orders.place(live, BUY, ORIGIN)
    sent = list(broker.calls)
    assert leave_live(live, by=TRADER)
    assert mode(live) is TradingMode.ANALYZE
    assert broker.calls == sent
    assert not leave_live(live, by=TRADER), "who leaves twice changes nothing"


def test_the_person_leaves_while_the_broker_is_gone_or_the_mode_means_nothing(live: Desk) -> None:
    assert leave_live(replace(live, brokers={}), by=TRADER)
    live.store.files[0].write("UPDATE preference SET value = 'x' WHERE name = 'trading_mode'")
    assert leave_live(live, by=TRADER)
    assert mode(live) is TradingMode.ANALYZE


def test_what_waits_keeps_its_account_whichever_way_the_person_goes(desk: Desk, broker: Watched) -> None:
    paper = ScriptedBroker(desk)
    both = with_broker(with_broker(desk, broker, TradingMode.LIVE), paper)
    both.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for_paper = orders.place(both, BUY, ORIGIN)
    go(both)
    for_live = orders.place(both, BUY, ORIGIN)
    assert isinstance(for_paper, Held)
    assert isinstance(for_live, Held)
    waiting = both.store.ticket_lists.waiting_for
    assert [waiting(each) for each in (TradingMode.ANALYZE, TradingMode.LIVE)] == [1, 1]
    approvals.approve(both, for_paper.ticket.id, for_paper.ticket.shown, by=TRADER)
    assert (len(paper.calls), len(broker.calls)) == (1, 0)
    leave_live(both, by=TRADER)
    approvals.approve(both, for_live.ticket.id, for_live.ticket.shown, by=TRADER)
    assert (len(paper.calls), len(broker.calls)) == (1, 1)
    assert [waiting(each) for each in (TradingMode.ANALYZE, TradingMode.LIVE)] == [0, 0]
    assert both.store.journal.ticket(for_live.ticket.id).state is TicketState.RELEASED
