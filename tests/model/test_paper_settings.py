"""The settings of the paper exchange as a person types them."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.paper import UNITS_PER_RUPEE
from openalgo_bridge.model.paper_settings import (
    CAPITAL_CHOICES,
    PaperHours,
    PaperSettings,
    SquareOffGroup,
    changes,
    parse,
    parse_capital,
    texts,
)

FRESH = PaperSettings()
STRICT = PaperSettings(
    hours=PaperHours.EXCHANGE, protects_market_orders=True, square_off=((SquareOffGroup.SHARES, time(15, 5)),)
)


def test_an_empty_form_is_a_fresh_start() -> None:
    assert parse({}) == FRESH


def test_a_filled_form_says_what_is_meant() -> None:
    fields = {"hours": "exchange", "protects_market_orders": "yes", "square_off_shares": " 15:05 "}
    assert parse(fields) == STRICT


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(Invalid) as fault:
        parse({"hours": "sometimes", "square_off_crypto": "24:00", "square_off_shares": "3 pm"})
    assert set(fault.value.faults) == {"hours", "square_off_crypto", "square_off_shares"}


@pytest.mark.parametrize("text", ["9:15", "15:60", "15:10:00", "١٥:١٠", "noon"])
def test_a_time_has_two_digits_for_hours_and_minutes(text: str) -> None:
    with pytest.raises(Invalid, match="such as 15:10"):
        parse({"square_off_derivatives": text})


@given(
    st.builds(
        PaperSettings,
        hours=st.sampled_from(PaperHours),
        protects_market_orders=st.booleans(),
        square_off=st.dictionaries(
            st.sampled_from(SquareOffGroup), st.times().map(lambda at: at.replace(second=0, microsecond=0, fold=0))
        ).map(lambda chosen: tuple((group, chosen[group]) for group in SquareOffGroup if group in chosen)),
    )
)
def test_what_is_stored_is_read_back(settings: PaperSettings) -> None:
    assert parse(texts(settings)) == settings


def test_every_exchange_belongs_to_a_group_that_can_be_set() -> None:
    everywhere = PaperSettings(square_off=tuple((group, time(15, 0)) for group in SquareOffGroup))
    assert set(everywhere.square_off_times) == {each for each in Exchange if not each.endswith("_INDEX")}


def test_a_group_has_one_time_and_one_without_follows_the_close() -> None:
    assert STRICT.square_off_times == {Exchange.NSE: time(15, 5), Exchange.BSE: time(15, 5)}


def test_a_change_is_told_in_words() -> None:
    before, after = changes(FRESH, STRICT)
    assert before == "hours: always; market protection: off; square off shares: follows the close"
    assert after == "hours: exchange; market protection: yes; square off shares: 15:05"
    assert changes(STRICT, STRICT) == ("", "")


@pytest.mark.parametrize(
    ("text", "rupees"),
    [
        ("1000", 1_000),
        ("1,000", 1_000),
        ("10,00,000", 10_00_000),
        (" 1,000,000 ", 10_00_000),
        ("100,000", 1_00_000),
        ("1,00,00,00,000", 100_00_00_000),
        ("1,000,000,000", 100_00_00_000),
        ("1000000000", 100_00_00_000),
    ],
)
def test_capital_is_whole_rupees_with_or_without_commas(text: str, rupees: int) -> None:
    assert parse_capital(text) == rupees * UNITS_PER_RUPEE


@pytest.mark.parametrize("text", ["", "999", "1000000001", "1000.50", "-1000", "1_000", "1 lakh", "١٠٠٠", ","])
def test_capital_has_bounds(text: str) -> None:
    with pytest.raises(Invalid, match="from 1,000 to 1,00,00,00,000"):
        parse_capital(text)


@pytest.mark.parametrize(
    "text", ["12,34", "1,2345", "10,0000", "1000,", "1,,000", "1,00,0000", "100,00,000", "1000,000", "1,000,00,000"]
)
def test_commas_that_group_nothing_are_a_slip(text: str) -> None:
    with pytest.raises(Invalid, match="A comma is missing or misplaced"):
        parse_capital(text)


@pytest.mark.parametrize("rupees", CAPITAL_CHOICES)
def test_every_choice_can_be_taken(rupees: int) -> None:
    assert parse_capital(str(rupees)) == rupees * UNITS_PER_RUPEE
