"""How far from its price an order without a limit may fill."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action
from openalgo_bridge.model.protection import bound, protection

TICK = Decimal("0.05")


@pytest.mark.parametrize("kind", [Kind.EQ, Kind.FUT])
@pytest.mark.parametrize(
    ("price", "width"),
    [
        ("0.05", "0.02"),
        ("99.95", "0.02"),
        ("100", "0.01"),
        ("500", "0.01"),
        ("500.0025", "0.005"),
        ("500.05", "0.005"),
        ("90000", "0.005"),
    ],
)
def test_shares_and_futures_have_three_widths(kind: Kind, price: str, width: str) -> None:
    assert protection(kind, Decimal(price)) == Decimal(width)


@pytest.mark.parametrize("kind", [Kind.CE, Kind.PE])
@pytest.mark.parametrize(
    ("price", "width"),
    [
        ("0.05", "0.05"),
        ("9.95", "0.05"),
        ("10", "0.03"),
        ("99.95", "0.03"),
        ("100", "0.02"),
        ("500", "0.02"),
        ("500.05", "0.01"),
        ("2000", "0.01"),
    ],
)
def test_options_have_four_widths(kind: Kind, price: str, width: str) -> None:
    assert protection(kind, Decimal(price)) == Decimal(width)


@pytest.mark.parametrize(
    ("kind", "action", "price", "tick", "worst"),
    [
        (Kind.EQ, Action.BUY, "1000", "0.10", "1005.00"),
        (Kind.EQ, Action.SELL, "1000", "0.10", "995.00"),
        (Kind.FUT, Action.BUY, "24500.10", "0.10", "24622.60"),
        (Kind.FUT, Action.SELL, "24500.10", "0.10", "24377.60"),
        (Kind.CE, Action.BUY, "7.30", "0.05", "7.65"),
        (Kind.PE, Action.SELL, "7.30", "0.05", "6.95"),
    ],
)
def test_the_bound_is_a_whole_tick_inside_the_band(
    kind: Kind, action: Action, price: str, tick: str, worst: str
) -> None:
    assert bound(kind, action, Decimal(price), Decimal(tick)) == Decimal(worst)


def test_a_band_narrower_than_a_tick_leaves_one_tick_of_room() -> None:
    assert bound(Kind.CE, Action.BUY, Decimal("0.40"), TICK) == Decimal("0.45")
    assert bound(Kind.PE, Action.SELL, Decimal("0.40"), TICK) == Decimal("0.35")


def test_nothing_is_sold_below_one_tick() -> None:
    assert bound(Kind.PE, Action.SELL, TICK, TICK) == TICK


def test_a_trigger_between_two_ticks_still_gives_a_bound_on_a_tick() -> None:
    assert bound(Kind.CE, Action.BUY, Decimal("0.42"), TICK) == Decimal("0.45")
    assert bound(Kind.CE, Action.SELL, Decimal("0.42"), TICK) == Decimal("0.40")


@given(
    kind=st.sampled_from([Kind.EQ, Kind.FUT, Kind.CE, Kind.PE]),
    action=st.sampled_from(Action),
    tick=st.sampled_from([Decimal("0.0025"), Decimal("0.01"), TICK, Decimal(5)]),
    ticks=st.integers(1, 2_000_000),
)
def test_a_bound_is_a_price_of_the_exchange_on_the_far_side(
    kind: Kind, action: Action, tick: Decimal, ticks: int
) -> None:
    price = ticks * tick
    worst = bound(kind, action, price, tick)
    assert worst > 0
    assert worst % tick == 0
    assert (worst - price) * action.sign > 0 or worst == price == tick
    assert abs(worst - price) <= max(tick, price * protection(kind, price))
