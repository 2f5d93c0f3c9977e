"""ATM, ITM and OTM: always a listed strike, counted by its listed neighbours."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model.options import (
    Offset,
    OptionType,
    at_the_money,
    on_grid,
    strike_at,
)

CE, PE = OptionType.CE, OptionType.PE
EXPIRY = date(2026, 11, 23)
# As exchanges list them: dense around the price, wide outside.
LISTED = [Decimal(strike) for strike in (22000, 23000, 23400, 23450, 23500, 23550, 23600, 24000, 25000)]
PRICE = Decimal("23512.35")


def strike(offset: str, option_type: OptionType, price: Decimal = PRICE) -> Decimal:
    return strike_at(LISTED, price, Offset.parse(offset), option_type)


@pytest.mark.parametrize(
    ("offset", "option_type", "expected"),
    [
        ("ATM", CE, 23500),
        ("ATM", PE, 23500),
        ("ITM1", CE, 23450),
        ("OTM1", CE, 23550),
        ("ITM1", PE, 23550),
        ("OTM1", PE, 23450),
        ("OTM3", CE, 24000),
        ("ITM3", CE, 23000),
        ("OTM4", PE, 22000),
        ("itm2", CE, 23400),
    ],
)
def test_an_offset_counts_listed_neighbours(offset: str, option_type: OptionType, expected: int) -> None:
    assert strike(offset, option_type) == expected


@pytest.mark.parametrize(
    ("price", "expected"),
    [("23524.99", 23500), ("23525", 23500), ("23525.01", 23550), ("1", 22000), ("99999", 25000), ("23500", 23500)],
)
def test_at_the_money_is_the_nearest_listed_strike_and_of_two_the_lower(price: str, expected: int) -> None:
    assert at_the_money(LISTED, Decimal(price)) == expected


def test_beyond_the_list_is_a_sentence() -> None:
    for offset, option_type in (("OTM5", CE), ("ITM5", CE), ("OTM5", PE), ("OTM50", CE)):
        with pytest.raises(Invalid) as refusal:
            strike(offset, option_type)
        told = f"Offset {offset} is out of range for available strikes. Please use a smaller offset."
        assert refusal.value.message == told


def test_without_a_listed_strike_there_is_none() -> None:
    with pytest.raises(NotFound):
        strike_at([], PRICE, Offset.parse("ATM"), CE)


@pytest.mark.parametrize("text", ["", "ITM", "ITM0", "OTM51", "OTM99", "ATM1", "XTM1", "ITM-1", "ITM1.5", "ITM01", "²"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="Offset must be ATM, ITM1-ITM50, or OTM1-OTM50"):
        Offset.parse(text)


@given(st.integers(-50, 50))
def test_an_offset_is_read_as_it_is_written(steps: int) -> None:
    assert Offset.parse(str(Offset(steps=steps))) == Offset(steps=steps)


ladders = st.lists(st.decimals("0.25", 90_000, places=2), min_size=1, max_size=40, unique=True).map(sorted)


@given(ladders, st.decimals("0.05", 99_999, places=2), st.sampled_from(OptionType), st.data())
def test_every_listed_strike_has_an_offset_that_finds_it(
    strikes: list[Decimal], price: Decimal, option_type: OptionType, data: st.DataObject
) -> None:
    wanted = data.draw(st.sampled_from(strikes))
    above = strikes.index(wanted) - strikes.index(at_the_money(strikes, price))
    assert strike_at(strikes, price, Offset.above(above, option_type), option_type) == wanted
    nearest = min(abs(each - price) for each in strikes)
    assert abs(at_the_money(strikes, price) - price) == nearest


def test_a_grid_leaves_out_the_strikes_between() -> None:
    assert on_grid(LISTED, None) == tuple(LISTED)
    on_hundreds = on_grid(LISTED, 100)
    assert Decimal(23450) not in on_hundreds
    assert strike_at(on_hundreds, PRICE, Offset.parse("ITM1"), CE) == 23400
