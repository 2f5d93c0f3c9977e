"""What an order finds in the market's depth. Bids 999.90 and down, asks 1000.00 and up, 100 units at each."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.brokers.paper.fills import Fill, fills
from openalgo_bridge.model.books import Depth, Level, Quote
from openalgo_bridge.model.order import Action
from openalgo_bridge.model.paper import to_units

NOTHING = Level(price=Decimal(0), quantity=0)


def ladder(best: str, step: str, count: int = 5) -> tuple[Level, ...]:
    there = [Level(price=Decimal(best) + Decimal(step) * n, quantity=100) for n in range(count)]
    return (*there, *[NOTHING] * (5 - count))


def market(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> Depth:
    last = Decimal("999.95")
    quote = Quote(
        ltp=last, bid=bids[0].price, ask=asks[0].price, open=last, high=last, low=last, prev_close=last, volume=0, oi=0
    )
    return Depth(
        quote=quote,
        bids=bids,
        asks=asks,
        last_quantity=1,
        total_bid_quantity=sum(level.quantity for level in bids),
        total_ask_quantity=sum(level.quantity for level in asks),
    )


MARKET = market(ladder("999.90", "-0.10"), ladder("1000.00", "0.10"))


def units(rupees: str) -> int:
    return to_units(Decimal(rupees))


def test_a_buy_takes_the_asks_from_the_lowest_up() -> None:
    found = fills(MARKET, Action.BUY, 250, units("1005"))
    assert found == [Fill(units("1000"), 100), Fill(units("1000.1"), 100), Fill(units("1000.2"), 50)]


def test_a_sale_takes_the_bids_from_the_highest_down() -> None:
    found = fills(MARKET, Action.SELL, 150, units("990"))
    assert found == [Fill(units("999.9"), 100), Fill(units("999.8"), 50)]


def test_nothing_is_taken_beyond_the_bound() -> None:
    bought = fills(MARKET, Action.BUY, 500, units("1000.10"))
    assert bought == [Fill(units("1000"), 100), Fill(units("1000.1"), 100)]
    sold = fills(MARKET, Action.SELL, 500, units("999.90"))
    assert sold == [Fill(units("999.9"), 100)]


def test_an_order_that_the_market_has_not_reached_takes_nothing() -> None:
    assert fills(MARKET, Action.BUY, 1, units("999.95")) == []
    assert fills(MARKET, Action.SELL, 1, units("999.95")) == []


def test_what_is_larger_than_the_depth_takes_all_of_it_and_no_more() -> None:
    assert sum(fill.quantity for fill in fills(MARKET, Action.BUY, 10_000, units("2000"))) == 500


def test_levels_that_are_empty_are_no_price() -> None:
    thin = market(ladder("999.90", "-0.10", count=1), ladder("1000.00", "0.10", count=0))
    assert fills(thin, Action.BUY, 10, units("2000")) == []
    assert fills(thin, Action.SELL, 500, units("1")) == [Fill(units("999.9"), 100)]


@given(action=st.sampled_from(Action), quantity=st.integers(0, 700), bound=st.integers(9_990_000, 10_010_000))
def test_no_fill_is_worse_than_the_bound_and_none_is_left_out(action: Action, quantity: int, bound: int) -> None:
    levels = MARKET.asks if action is Action.BUY else MARKET.bids
    within = sum(level.quantity for level in levels if action.sign * (to_units(level.price) - bound) <= 0)
    found = fills(MARKET, action, quantity, bound)
    assert sum(fill.quantity for fill in found) == min(quantity, within)
    assert all(fill.quantity > 0 and action.sign * (fill.price - bound) <= 0 for fill in found)
