"""What each strategy made of an account that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.brokers.paper.matching import effect
from openalgo_bridge.model.order import Action, Exchange, PositionKey, Product
from openalgo_bridge.model.paper import PaperPosition
from openalgo_bridge.model.strategy_profit import StrategyFill, StrategyProfit, strategy_profits
from tests.brokers.desk import order

SBIN: PositionKey = (Exchange.NSE, "SBIN", Product.MIS)
TCS: PositionKey = (Exchange.NSE, "TCS", Product.MIS)
BY_HAND = ""


def fill(strategy: str, quantity: int, price: int, position: PositionKey = SBIN) -> StrategyFill:
    return StrategyFill(strategy=strategy, position=position, quantity=quantity, price=price)


def profits(*fills: StrategyFill, now: int = 100) -> dict[str, tuple[int, int]]:
    found = strategy_profits(fills, {SBIN: now, TCS: now})
    return {each.strategy: (each.realised, each.unrealised) for each in found}


def test_a_strategy_books_what_it_closes_and_the_rest_is_open() -> None:
    assert profits(fill("momentum", 10, 100), fill("momentum", -4, 110), now=105) == {"momentum": (40, 30)}


def test_a_short_strategy_gains_when_the_price_falls() -> None:
    assert profits(fill("fade", -10, 100), fill("fade", 4, 90), now=80) == {"fade": (40, 120)}


def test_the_cost_is_the_average_of_what_was_bought() -> None:
    assert profits(fill("grid", 10, 100), fill("grid", 10, 120), fill("grid", -10, 120)) == {"grid": (100, -100)}


def test_a_reversal_closes_at_cost_and_opens_at_the_price() -> None:
    assert profits(fill("turn", 2, 100), fill("turn", -5, 110), now=100) == {"turn": (20, 30)}


def test_strategies_do_not_close_each_others_units() -> None:
    assert profits(fill("long", 10, 100), fill("short", -10, 120), now=110) == {"long": (0, 100), "short": (0, 100)}


def test_what_no_strategy_asked_for_closes_the_oldest_units_first() -> None:
    told = profits(fill("first", 10, 100), fill("second", 10, 110), fill(BY_HAND, -15, 120), now=130)
    assert told == {"first": (200, 0), "second": (50, 100)}


def test_a_strategy_that_was_flat_in_between_is_the_youngest() -> None:
    told = profits(
        fill("back", 10, 100), fill("stayed", 10, 100), fill("back", -10, 100), fill("back", 10, 100),
        fill(BY_HAND, -10, 120), now=100,
    )  # fmt: skip
    assert told == {"back": (0, 0), "stayed": (200, 0)}


def test_it_does_not_close_what_is_on_its_own_side() -> None:
    told = profits(fill("long", 10, 100), fill("short", -4, 100), fill(BY_HAND, -6, 120), now=120)
    assert told == {"long": (120, 80), "short": (0, -80)}


def test_what_is_left_over_is_nobodys() -> None:
    told = profits(fill("long", 10, 100), fill(BY_HAND, -15, 120), now=100)
    assert told == {"long": (200, 0), BY_HAND: (0, 100)}


def test_an_order_by_hand_that_opened_first_is_closed_first() -> None:
    told = profits(fill(BY_HAND, 10, 100), fill("later", 10, 100), fill(BY_HAND, -10, 120))
    assert told == {BY_HAND: (200, 0), "later": (0, 0)}


def test_each_position_stands_for_itself() -> None:
    told = profits(fill("both", 10, 100), fill("other", -10, 100, TCS), fill(BY_HAND, -10, 120), now=100)
    assert told == {"both": (200, 0), "other": (0, 0)}


def test_strategies_that_stand_against_each_other_in_what_has_no_price_count_at_the_last_one_paid() -> None:
    found = strategy_profits([fill("long", 10, 100), fill("short", -10, 120)], {})
    assert [(each.strategy, each.total) for each in found] == [("long", 200), ("short", 0)]


def test_no_fill_is_no_strategy() -> None:
    assert strategy_profits([], {SBIN: 100}) == []


def test_the_total_is_both() -> None:
    assert StrategyProfit(strategy="both", realised=40, unrealised=-15).total == 25


@st.composite
def some_fills(draw: st.DrawFn) -> list[StrategyFill]:
    one = st.builds(
        StrategyFill,
        strategy=st.sampled_from([BY_HAND, "a", "b", "c"]),
        position=st.sampled_from([SBIN, TCS]),
        quantity=st.integers(-7, 7).filter(bool),
        price=st.integers(1, 50),
    )
    return draw(st.lists(one, max_size=30))


@given(some_fills(), st.integers(1, 50), st.integers(1, 50))
def test_all_strategies_together_made_what_the_account_made(fills: list[StrategyFill], sbin: int, tcs: int) -> None:
    prices = {SBIN: sbin, TCS: tcs}
    together = sum(each.total for each in strategy_profits(fills, prices))
    assert together == sum(account_profit(fills, key, price) for key, price in prices.items())


@given(some_fills(), st.integers(1, 50))
def test_what_nobody_asked_for_never_turns_a_strategy_round(fills: list[StrategyFill], price: int) -> None:
    """A strategy that only ever bought cannot lose by a price that rises."""
    bought = [each for each in fills if not each.strategy or each.quantity > 0]
    lower, higher = (strategy_profits(bought, {SBIN: now, TCS: now}) for now in (price, price + 1))
    for before, after in zip(lower, higher, strict=True):
        assert not before.strategy or after.total >= before.total


def account_profit(fills: Sequence[StrategyFill], key: PositionKey, price: int) -> int:
    """Booked and open, as the exchange itself counts one position."""
    today = date(2026, 11, 21)
    position = PaperPosition(exchange=key[0], symbol=key[1], product=key[2], realised_on=today)
    realised = 0
    for each in fills:
        if each.position == key:
            side = Action.BUY if each.quantity > 0 else Action.SELL
            asked = order(side, abs(each.quantity))
            after = effect(position, asked, Fill(each.price, asked.quantity), today)
            position, realised = after.position, realised + after.gain
    return realised + position.quantity * price - position.cost
