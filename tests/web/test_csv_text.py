"""A file to download: every reader finds the same cells in it, and no spreadsheet finds a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openalgo_bridge.model.order import Action
from openalgo_bridge.web.csv_text import csv_text

TRIGGERS = "=+-@\t\r\n\0＝＋－＠"
# What may stand in a text of ours: no half of a character, which UTF-8 has no bytes for.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(f"{TRIGGERS}'\",;| "), max_size=20)


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(TEXTS, min_size=2, max_size=4))
@example(["=1+1", "'=1+1"])
@example(['a"b', "a\r\nb"])
def test_no_text_begins_as_a_formula_and_every_text_can_be_had_back(cells: list[str]) -> None:
    _, row = read(csv_text(["a"], [cells]))
    assert not any(cell.startswith(tuple(TRIGGERS)) for cell in row)
    assert [cell.removeprefix("'") for cell in row] == cells


def test_lines_end_and_quotes_are_doubled_as_the_standard_says() -> None:
    assert csv_text(["a", "b"], [['say "1,2"', "x"], ["", "y"]]) == 'a,b\r\n"say ""1,2""",x\r\n,y\r\n'


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (Decimal("-1234567.5"), "-1234567.50"),
        (Decimal("0.0025"), "0.0025"),
        (Decimal(10) / 3, "3.3333"),
        (-12, "-12"),
        (None, ""),
        (Action.BUY, "BUY"),
        (datetime(2026, 11, 21, 18, 40, tzinfo=UTC), "2026-11-22 00:10:00"),
    ],
)
def test_what_is_no_text_is_written_for_programs_to_read(cell: Decimal | int | datetime | None, written: str) -> None:
    assert csv_text(["a"], [["x", cell]]) == f"a\r\nx,{written}\r\n"
