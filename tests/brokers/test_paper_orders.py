"""How the paper exchange takes, fills, changes and refuses orders. SBIN stands at 1000.00, tick 0.05."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.errors import NotFound, Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, PriceType, Product, Ref
from tests.brokers.desk import SBIN, Floor, order

CRORE = Decimal(10_000_000)


def test_a_market_buy_fills_at_the_ask_and_a_sell_at_the_bid(floor: Floor) -> None:
    bought, sold = floor.order(floor.buy()), floor.order(floor.sell())
    assert (bought.status, bought.filled_quantity, bought.average_price) == ("complete", 10, Decimal("1000.05"))
    assert (sold.status, sold.filled_quantity, sold.average_price) == ("complete", 10, Decimal("999.95"))


def test_a_market_fill_is_one_commit(floor: Floor) -> None:
    floor.exchange.order_book()
    begun: list[str] = []
    floor.db.tables.conn.set_trace_callback(begun.append)
    floor.buy()
    assert [text for text in begun if text in {"BEGIN IMMEDIATE", "COMMIT"}] == ["BEGIN IMMEDIATE", "COMMIT"]


def test_a_limit_the_market_satisfies_fills_at_the_better_price(floor: Floor) -> None:
    assert floor.order(floor.buy(limit="1010.00")).average_price == Decimal("1000.05")
    assert floor.order(floor.sell(limit="990.00")).average_price == Decimal("999.95")


def test_a_limit_at_the_ask_fills_and_one_tick_below_rests(floor: Floor) -> None:
    assert floor.order(floor.buy(limit="1000.05")).status is OrderStatus.COMPLETE
    assert floor.order(floor.buy(limit="1000.00")).status is OrderStatus.OPEN


def test_a_resting_order_fills_at_its_limit_when_the_market_comes(floor: Floor) -> None:
    buy, sell = floor.buy(limit="980.00"), floor.sell(limit="1020.00")
    floor.market.last = Decimal("970")
    assert floor.order(buy).average_price == Decimal("980.00")
    assert floor.order(sell).status is OrderStatus.OPEN
    floor.market.last = Decimal("1030")
    assert floor.order(sell).average_price == Decimal("1020.00")


@pytest.mark.parametrize("look", ["order_book", "trade_book", "positions", "funds", "quote", "find"])
def test_whoever_looks_finds_resting_orders_matched(floor: Floor, look: str) -> None:
    order_id = floor.buy(limit="980.00")
    floor.market.last = Decimal("970")
    look_at(floor, look)
    floor.market.last = Decimal("1000")
    assert floor.order(order_id).status is OrderStatus.COMPLETE


def test_a_new_order_finds_the_older_ones_matched(floor: Floor) -> None:
    floor.buy(product=Product.CNC, limit="980.00")
    floor.market.last = Decimal("970")
    floor.sell(product=Product.CNC)
    assert floor.position(Product.CNC).quantity == 0


def test_a_matched_order_fills_once_however_often_it_is_looked_at(floor: Floor) -> None:
    floor.buy(limit="980.00")
    floor.market.last = Decimal("970")
    for look in ("order_book", "positions", "funds", "quote", "order_book"):
        look_at(floor, look)
    assert (floor.rows("paper_trade"), floor.position().quantity) == (1, 10)


def test_order_ids_are_the_ist_date_and_a_rising_number(floor: Floor) -> None:
    first = floor.buy()
    floor.clock.move(hours=14)  # 00:30 IST on the next day, still 21 November in UTC
    second = floor.buy()
    assert (first, second) == ("26112100000001", "26112200000002")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"product": Product.NRML}, "NRML product not allowed for NSE equity segment"),
        ({"symbol": "NIFTY", "exchange": Exchange.NSE_INDEX}, "NIFTY is an index: it can be quoted, not traded"),
        ({"price_type": PriceType.LIMIT}, "LIMIT orders require price"),
        ({"price_type": PriceType.LIMIT, "price": Decimal("999.97")}, "not a multiple of the tick size 0.05"),
        ({"quantity": 100_000_000}, "above the freeze quantity"),
        ({"action": Action.SELL, "product": Product.CNC}, "Insufficient shares for a CNC SELL of 10 SBIN: 0 are free"),
    ],
)
def test_a_refusal_has_a_sentence_and_a_row_in_the_book(
    floor: Floor, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(Rejected, match=sentence):
        floor.send(replace(SBIN, **changes), Ref("REFUSED"))
    recorded = floor.exchange.find(Ref("REFUSED"))
    assert recorded is not None
    assert recorded.status is OrderStatus.REJECTED
    assert sentence in recorded.rejection_reason
    assert (floor.rows("paper_trade"), floor.exchange.funds().used) == (0, 0)


@pytest.mark.parametrize(
    "request_",
    [
        replace(SBIN, symbol="NOSUCH"),
        replace(SBIN, quantity=0),
        replace(SBIN, quantity=10**18),
        replace(SBIN, quantity=10**30),
        replace(SBIN, disclosed_quantity=-1),
        replace(SBIN, price_type=PriceType.LIMIT, price=Decimal(10**30)),
        replace(SBIN, trigger_price=Decimal(-1)),
    ],
    ids=["unlisted", "zero", "overflow", "huge", "negative", "price", "trigger"],
)
def test_what_no_book_can_hold_is_refused_without_a_row(floor: Floor, request_: OrderRequest) -> None:
    with pytest.raises(Rejected):
        floor.send(request_)
    assert floor.rows("paper_order") == 0


def test_insufficient_funds_names_what_is_needed_and_what_there_is(floor: Floor) -> None:
    with pytest.raises(Rejected, match=r"Needed: 2,00,01,000\.00 rupees, available: 1,00,00,000\.00 rupees"):
        floor.buy(20_000, Product.CNC)
    with pytest.raises(Rejected, match="Insufficient funds"):
        floor.buy(20_000, Product.CNC, limit="990.00")


def test_a_used_reference_is_refused_and_leaves_the_first_order_alone(floor: Floor) -> None:
    floor.send(SBIN, Ref("SAME"))
    with pytest.raises(Rejected, match="Reference SAME was already used"):
        floor.send(replace(SBIN, quantity=99), Ref("SAME"))
    found = floor.exchange.find(Ref("SAME"))
    assert found is not None
    assert (found.request.quantity, floor.rows("paper_order"), floor.rows("paper_trade")) == (10, 1, 1)


def test_a_tag_is_found_on_any_later_day(floor: Floor) -> None:
    floor.send(SBIN, Ref("OLD"))
    floor.clock.move(days=40)
    assert floor.exchange.find(Ref("OLD")) is not None
    assert list(floor.exchange.order_book()) == []


def test_the_books_of_a_day_begin_at_three_in_the_night(floor: Floor) -> None:
    floor.clock.move(hours=16)  # 02:30 IST
    floor.buy()
    floor.clock.move(minutes=29)
    assert len(floor.exchange.order_book()) == len(floor.exchange.trade_book()) == 1
    floor.clock.move(minutes=1)
    assert list(floor.exchange.order_book()) == list(floor.exchange.trade_book()) == []


def test_the_trades_of_an_earlier_day_are_still_there(floor: Floor) -> None:
    floor.clock.move(hours=16)  # 02:30 IST of the next day: still the books of the 21st
    first = floor.buy(product=Product.CNC)
    floor.clock.move(minutes=30)
    second = floor.buy(product=Product.CNC)
    days = [date(2026, 11, day) for day in (20, 21, 22, 23)]
    told = [[trade.order_id for trade in floor.exchange.trades_of(day)] for day in days]
    assert told == [[], [first], [second], []]


def test_an_open_order_lapses_with_its_day_and_frees_its_money(floor: Floor) -> None:
    order_id = floor.buy(limit="980.00")
    floor.clock.move(days=1)
    floor.market.last = Decimal("970")
    lapsed = floor.order(order_id)
    assert (lapsed.status, lapsed.filled_quantity) == (OrderStatus.CANCELLED, 0)
    assert "lapsed" in lapsed.rejection_reason
    assert floor.exchange.funds().available == CRORE


def test_the_first_moment_of_a_day_belongs_to_it(floor: Floor) -> None:
    floor.clock.move(hours=16, minutes=30)  # 03:00 IST
    order_id = floor.buy(limit="980.00")
    floor.clock.move(hours=23, minutes=59)
    assert floor.order(order_id).status is OrderStatus.OPEN
    floor.clock.move(minutes=1)
    assert floor.order(order_id).status is OrderStatus.CANCELLED


def test_a_change_moves_the_blocked_money(floor: Floor) -> None:
    order_id = floor.buy(10, limit="900.00")
    assert floor.exchange.funds().used == Decimal(1_800)
    floor.modify(order_id, order(Action.BUY, 20, limit="950.00"))
    changed = floor.order(order_id)
    assert (changed.request.quantity, changed.request.price, changed.status) == (20, Decimal(950), "open")
    assert floor.exchange.funds().used == Decimal(3_800)


def test_a_change_may_use_the_money_the_order_itself_had_blocked(floor: Floor) -> None:
    order_id = floor.buy(10_000, Product.CNC, limit="990.00")
    floor.modify(order_id, order(Action.BUY, 10_000, Product.CNC, "995.00"))
    assert floor.exchange.funds().available == Decimal(50_000)


def test_a_change_may_sell_the_shares_the_order_itself_had_promised(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    order_id = floor.sell(6, Product.CNC, limit="1100.00")
    floor.modify(order_id, order(Action.SELL, 10, Product.CNC, "1050.00"))
    assert floor.order(order_id).request.quantity == 10
    with pytest.raises(Rejected, match="0 are free"):
        floor.sell(1, Product.CNC)


def test_a_changed_closing_order_still_blocks_nothing(floor: Floor) -> None:
    floor.buy()
    order_id, before = floor.sell(limit="1100.00"), floor.exchange.funds().used
    floor.modify(order_id, order(Action.SELL, 10, limit="1090.00"))
    assert floor.exchange.funds().used == before


def test_a_change_that_reaches_the_market_fills_at_the_market(floor: Floor) -> None:
    order_id = floor.buy(limit="980.00")
    floor.modify(order_id, order(Action.BUY, 10, limit="1010.00"))
    assert floor.order(order_id).average_price == Decimal("1000.05")
    assert floor.exchange.funds().used == Decimal("2000.1")


def test_a_limit_order_can_be_changed_to_market(floor: Floor) -> None:
    order_id = floor.buy(limit="980.00")
    floor.modify(order_id, order(Action.BUY, 10))
    assert floor.order(order_id).status is OrderStatus.COMPLETE


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (order(Action.BUY, 100_000, Product.CNC, "980.00"), "Insufficient funds"),
        (order(Action.BUY, 10, Product.CNC, "979.99"), "not a multiple of the tick"),
        (order(Action.BUY, 0, Product.CNC, "980.00"), "out of range"),
        (order(Action.SELL, 10, Product.CNC, "980.00"), "is BUY SBIN NSE CNC"),
        (order(Action.BUY, 10, Product.MIS, "980.00"), "is BUY SBIN NSE CNC"),
        (replace(order(Action.BUY, 10, Product.CNC, "980.00"), symbol="INFY"), "is BUY SBIN NSE CNC"),
    ],
)
def test_a_refused_change_leaves_the_order_as_it_was(floor: Floor, wanted: OrderRequest, sentence: str) -> None:
    order_id = floor.buy(10, Product.CNC, limit="980.00")
    before = floor.order(order_id)
    with pytest.raises(Rejected, match=sentence):
        floor.modify(order_id, wanted)
    assert floor.order(order_id) == before
    assert floor.exchange.funds().used == Decimal(9_800)


def test_a_finished_order_can_be_neither_changed_nor_withdrawn(floor: Floor) -> None:
    order_id = floor.buy()
    with pytest.raises(Rejected, match="Cannot modify order in complete status"):
        floor.modify(order_id, order(Action.BUY, 20, limit="990.00"))
    with pytest.raises(Rejected, match="Cannot cancel order in complete status"):
        floor.cancel(order_id)


def test_a_withdrawn_order_frees_its_money_and_never_fills(floor: Floor) -> None:
    order_id = floor.buy(limit="980.00")
    floor.cancel(order_id)
    floor.market.last = Decimal("970")
    assert floor.order(order_id).status is OrderStatus.CANCELLED
    assert (floor.rows("paper_trade"), floor.exchange.funds().available) == (0, CRORE)


def test_an_id_of_another_date_is_another_order(floor: Floor) -> None:
    order_id = floor.buy(limit="980.00")
    other = BrokerOrderId("261120" + order_id[6:])
    assert floor.exchange.order(other) is None
    with pytest.raises(NotFound):
        floor.cancel(other)


def test_todays_profit_starts_anew_while_the_account_keeps_it(floor: Floor) -> None:
    floor.buy(product=Product.CNC)
    floor.market.last = Decimal("1100")
    floor.sell(5, Product.CNC)
    assert floor.position(Product.CNC).realised == floor.exchange.funds().realised == Decimal("499.5")
    floor.clock.move(days=1)
    assert floor.position(Product.CNC).realised == floor.exchange.funds().realised == 0
    assert floor.exchange.funds().available == CRORE + Decimal("499.5") - Decimal("5000.25")
    floor.sell(5, Product.CNC)
    assert floor.position(Product.CNC).realised == Decimal("499.5")
    floor.clock.move(days=1)
    assert list(floor.exchange.positions()) == []
    assert floor.exchange.funds().available == CRORE + 999


def test_open_profit_is_told_apart_from_what_is_available(floor: Floor) -> None:
    floor.buy(10)
    before = floor.exchange.funds().available
    floor.market.last = Decimal("1100")
    funds = floor.exchange.funds()
    assert (funds.unrealised, funds.available) == (Decimal("999.5"), before)
    assert floor.position().pnl == Decimal("999.5")


def test_shares_that_were_bought_are_held_from_the_next_day_of_delivery_on(floor: Floor) -> None:
    floor.buy(product=Product.CNC)
    floor.clock.move(days=1)
    assert list(floor.exchange.holdings()) == [], "a Sunday"
    floor.clock.move(days=1)
    (held,) = floor.exchange.holdings()
    assert (held.symbol, held.quantity, held.average_price) == ("SBIN", 10, Decimal("1000.05"))
    assert list(floor.exchange.positions()) == []
    assert floor.exchange.funds().available == CRORE - Decimal("10000.5")


def test_a_restart_finds_the_same_books(floor: Floor) -> None:
    done, resting = floor.buy(), floor.buy(limit="980.00")
    before = floor.exchange.order_book(), floor.exchange.positions(), floor.exchange.funds()
    floor.db.close()
    assert (floor.exchange.order_book(), floor.exchange.positions(), floor.exchange.funds()) == before
    assert {order.id for order in floor.exchange.order_book()} == {done, resting}


def test_a_placement_is_dated_to_the_millisecond(floor: Floor) -> None:
    floor.clock.move(milliseconds=123)
    assert floor.order(floor.buy()).placed_at == floor.clock.now()
    (trade,) = floor.exchange.trade_book()
    assert floor.clock.now() - trade.traded_at == timedelta(0)


def look_at(floor: Floor, look: str) -> None:
    if look == "quote":
        instrument = floor.exchange._instruments.find(Exchange.NSE, "SBIN")  # type: ignore[attr-defined]
        assert instrument is not None
        floor.exchange.quote(instrument)
    elif look == "find":
        floor.exchange.find(Ref("NOSUCH"))
    else:
        getattr(floor.exchange, look)()
