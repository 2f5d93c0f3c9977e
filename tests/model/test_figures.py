"""Figures as sentences write them: grouped the Indian way, and never rounded to another figure."""

from __future__ import annotations

from decimal import Decimal

import pytest

from openalgo_bridge.model import figures


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("0.05", "0.05"),
        ("0.0025", "0.0025"),
        ("999.5", "999.50"),
        ("1E+3", "1,000.00"),
        ("123456.70", "1,23,456.70"),
        ("-10000000", "-1,00,00,000.00"),
        ("1000.000001", "1,000.000001"),
    ],
)
def test_rupees_are_exact_with_two_decimals_at_least(amount: str, text: str) -> None:
    assert figures.rupees(Decimal(amount)) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (1_800, "1,800"), (-100_000, "-1,00,000")])
def test_whole_numbers_are_grouped_too(number: int, text: str) -> None:
    assert figures.count(number) == text
