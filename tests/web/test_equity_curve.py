"""Where everything stands in the picture of a day's profit."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.equity import EquitySample
from openalgo_bridge.model.paper import UNITS_PER_RUPEE
from openalgo_bridge.web.equity_curve import EquityCurve, equity_curve

OPENING = datetime(2026, 11, 20, 3, 45, tzinfo=UTC)
"""09:15 IST."""


def sample(minute: int, rupees: float) -> EquitySample:
    return EquitySample(at=OPENING + timedelta(minutes=minute), realised=0, unrealised=round(rupees * UNITS_PER_RUPEE))


def curve(*points: tuple[int, float]) -> EquityCurve:
    found = equity_curve([sample(*point) for point in points])
    assert found is not None
    return found


def labels(drawn: EquityCurve) -> list[str]:
    return [line.label for line in drawn.amounts]


def test_without_a_sample_there_is_no_picture() -> None:
    assert equity_curve([]) is None


def test_a_single_sample_is_a_dot() -> None:
    drawn = curve((0, 40))
    assert drawn.path == "M0 0h0"
    assert (drawn.end_x, drawn.end_y) == ("0.00%", 0)


def test_a_day_without_profit_is_a_line_in_the_middle() -> None:
    drawn = curve((0, 0), (1, 0))
    assert labels(drawn) == ["−₹1", "−₹0.50", "₹0", "₹0.50", "₹1"]
    assert drawn.path == "M0 100 L17 100"


def test_a_flat_gain_has_zero_below_it() -> None:
    drawn = curve((0, 800), (60, 800))
    assert labels(drawn) == ["₹0", "₹200", "₹400", "₹600", "₹800"]
    assert drawn.path == "M0 0h0 M1000 0h0"


def test_a_loss_is_drawn_below_zero() -> None:
    drawn = curve((0, 0), (4, -1_00_000))
    assert labels(drawn) == ["−₹1,00,000", "−₹50,000", "₹0"]
    assert drawn.path == "M0 0 L67 200"


def test_a_day_of_gain_and_loss_has_zero_in_it() -> None:
    drawn = curve((0, -150), (30, 240))
    assert labels(drawn) == ["−₹200", "−₹100", "₹0", "₹100", "₹200", "₹300"]
    assert [line.y for line in drawn.amounts if line.is_zero] == [120]


def test_while_the_bridge_was_off_there_is_no_line() -> None:
    drawn = curve((0, 10), (5, 10), (11, 10), (12, 10))
    assert re.findall("[A-Za-z]", drawn.path) == ["M", "L", "M", "L"]


def test_paise_are_told_where_the_lines_need_them() -> None:
    assert labels(curve((0, 0), (1, 0.07))) == ["₹0", "₹0.02", "₹0.04", "₹0.06", "₹0.08"]


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (0, ["09:15", "09:30", "09:45", "10:00", "10:15"]),
        (75, ["09:15", "09:30", "09:45", "10:00", "10:15", "10:30"]),
        (360, ["10:00", "12:00", "14:00"]),
        (1080, ["12:00", "16:00", "20:00", "00:00"]),
        (1440, ["12:00", "18:00", "00:00", "06:00"]),
    ],
)
def test_times_are_whole_ones_in_ist(minutes: int, told: list[str]) -> None:
    assert [mark.label for mark in curve((0, 1), (minutes, 1)).times][: len(told)] == told


def test_a_time_at_an_edge_is_not_cut() -> None:
    marks = curve((0, 1), (60, 1)).times
    assert [(mark.x, mark.anchor) for mark in marks] == [
        ("0.00%", "start"), ("25.00%", "middle"), ("50.00%", "middle"), ("75.00%", "middle"), ("100.00%", "end"),
    ]  # fmt: skip


def test_the_words_tell_the_last_the_highest_and_the_lowest() -> None:
    drawn = curve((0, 0), (1, 90), (2, -30), (3, 60))
    told = [(each.at - OPENING, each.profit // UNITS_PER_RUPEE) for each in (drawn.last, drawn.highest, drawn.lowest)]
    assert told == [(timedelta(minutes=3), 60), (timedelta(minutes=1), 90), (timedelta(minutes=2), -30)]


@given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=40))
def test_every_point_is_in_the_picture_and_the_lines_are_few(profits: list[int]) -> None:
    day = [
        EquitySample(at=OPENING + timedelta(minutes=n), realised=units, unrealised=0) for n, units in enumerate(profits)
    ]
    drawn = equity_curve(day)
    assert drawn is not None
    places = [(int(x), int(y)) for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", drawn.path)]
    assert len(places) == len(profits)
    assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in places)
    assert 2 <= len(drawn.amounts) <= 7
    assert sum(line.is_zero for line in drawn.amounts) == 1
    assert len(drawn.times) <= 7
