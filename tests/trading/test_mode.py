"""A program leaves live trading only when nothing of it would be hidden, and no order slips in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotSent, SessionExpired
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.mode import switch_by_program
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

BUY = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=1)
ORIGIN = Origin(source="api", strategy="t", request_id="r", may_trade_live=True)


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
