"""What the paper account made, minute by minute and strategy by strategy, with the real exchange and its real books."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    GttLeg,
    GttRequest,
    OrderRequest,
    PriceType,
    Product,
    TradingMode,
    TriggerSide,
)
from openalgo_bridge.model.paper import LedgerKind, to_units
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store import strategy_fills
from openalgo_bridge.trading import gtts, orders, paper_profit
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.watch import ROUNDS_BETWEEN_RECONCILIATIONS, Watch
from tests.conftest import TRADER, FixedClock

BUY = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=10, product=Product.MIS)
SELL = replace(BUY, action=Action.SELL)
FUTURE = replace(BUY, symbol="NIFTY29DEC26FUT", exchange=Exchange.NFO, quantity=65, product=Product.NRML)


LAKH = to_units(Decimal(100_000))


def place(desk: Desk, request: OrderRequest, strategy: str) -> None:
    origin = Origin(source="api", strategy=strategy, request_id="r1")
    assert isinstance(orders.place(desk, request, origin), Sent)


def told(desk: Desk) -> dict[str, int]:
    """Rupees are units here: nothing is lost to rounding."""
    broker = desk.broker(TradingMode.ANALYZE)
    profits = paper_profit.by_strategy(desk, broker.positions(), broker.holdings())
    return {each.strategy: each.total for each in profits}


def made(desk: Desk) -> int:
    """What the account itself says it made since it was begun anew."""
    funds = desk.broker(TradingMode.ANALYZE).funds()
    return desk.store.paper_capital.money().realised + to_units(funds.unrealised)


def test_every_strategy_has_its_own_profit_and_together_they_made_what_the_account_made(
    desk: Desk, clock: FixedClock
) -> None:
    place(desk, BUY, "momentum")
    clock.move(hours=1)
    place(desk, SELL, "fade")
    clock.move(hours=1)
    place(desk, replace(BUY, quantity=3), "fade")
    found = told(desk)
    assert set(found) == {"momentum", "fade"}
    assert sum(found.values()) == made(desk)


def test_what_a_gtt_fired_is_of_the_strategy_that_placed_it(desk: Desk, clock: FixedClock) -> None:
    last = quote(desk).ltp
    leg = GttLeg(side=TriggerSide.TARGET, trigger_price=last + Decimal("0.05"), price=last + 5)
    asked = GttRequest(
        symbol=BUY.symbol,
        exchange=BUY.exchange,
        action=Action.BUY,
        quantity=10,
        price_type=PriceType.LIMIT,
        product=Product.CNC,
        legs=(leg,),
    )
    sent = gtts.place(desk, asked, Origin(source="api", strategy="breakout", request_id="r1"))
    assert isinstance(sent, Sent)
    clock.move(minutes=30)
    place(desk, BUY, "momentum")
    assert desk.broker(TradingMode.ANALYZE).gtt_book() == [], "it has fired"
    clock.move(minutes=30)
    found = told(desk)
    assert set(found) == {"breakout", "momentum"}
    assert sum(found.values()) == made(desk)


def test_what_the_exchange_sent_itself_closes_what_strategies_hold(desk: Desk, clock: FixedClock) -> None:
    place(desk, BUY, "momentum")
    clock.move(days=1)
    found = told(desk)
    assert set(found) == {"momentum"}
    assert sum(found.values()) == made(desk)


def test_before_the_first_fill_there_is_nothing_to_tell(desk: Desk) -> None:
    assert told(desk) == {}


def test_what_expired_is_booked_by_the_strategy_that_held_it(desk: Desk, clock: FixedClock) -> None:
    place(desk, FUTURE, "carry")
    clock.move(hours=1)
    settle(desk, gain=12_345 * 65)
    assert told(desk) == {"carry": 12_345 * 65}
    assert sum(told(desk).values()) == made(desk)


def test_an_account_that_was_begun_anew_has_no_strategies(desk: Desk) -> None:
    place(desk, BUY, "momentum")
    desk.store.paper_capital.reset(LAKH, by=TRADER)
    assert told(desk) == {}
    place(desk, BUY, "later")
    assert set(told(desk)) == {"later"}
    assert sum(told(desk).values()) == made(desk)


def test_the_timer_keeps_a_sample_of_the_day_each_minute(desk: Desk, clock: FixedClock) -> None:
    begin = clock.now() - timedelta(minutes=1)
    place(desk, BUY, "momentum")
    watch = Watch(replace(desk, doors=Doors()))
    for _ in range(ROUNDS_BETWEEN_RECONCILIATIONS):
        watch.round()
    funds = desk.broker(TradingMode.ANALYZE).funds()
    (kept,) = desk.store.paper_equity.since(begin)
    assert kept.rupees == funds.realised + funds.unrealised


def test_what_was_before_the_account_was_begun_anew_is_not_read(desk: Desk) -> None:
    """Of references and GTTs, too, each is found by its index."""
    plan = desk.store.files[0].read(f"EXPLAIN QUERY PLAN {strategy_fills._FILLS}")
    reads = [row["detail"] for row in plan if row["detail"].startswith(("SEARCH", "SCAN paper_trade"))]
    assert "SEARCH paper_trade USING INTEGER PRIMARY KEY (rowid>?)" in reads
    assert not [detail for detail in reads if "AUTOMATIC" in detail]


def quote(desk: Desk) -> Quote:
    instrument = desk.store.instruments.find(BUY.exchange, BUY.symbol)
    assert instrument is not None
    return desk.broker(TradingMode.ANALYZE).quote(instrument)


def settle(desk: Desk, gain: int) -> None:
    """The future is over: the position is flat, and what it made is booked without a trade."""
    with desk.store.paperbook.transaction() as book:
        held = book.standing(FUTURE).position
        assert held is not None
        book.save(held, replace(held, quantity=0, cost=0, blocked=0, realised=gain), gain=gain)
        book.post(LedgerKind.EXPIRY, desk.clock.now(), held)
