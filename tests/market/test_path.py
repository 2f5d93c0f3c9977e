"""The path: what is small agrees with what is large, whichever way it is asked for."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.market.cells import DAY, FIVE_MINUTES, MINUTE, QUARTER, STEPS, Cell
from openalgo_bridge.market.path import PARTS, Path

OPENS = 9 * 3_600 + 15 * 60
SESSION = 375 * MINUTE

paths = st.builds(
    Path.of, st.integers(0, 2**32), st.sampled_from(["SBIN", "NIFTY", "M&M"]), st.just("NSE"), st.just(OPENS)
)
days = st.integers(-20_000, 40_000)
steps = st.sampled_from(STEPS)

PINNED_DAY = Cell(start=1795252500, open=-29227230, high=-24573836, low=-37405619, close=-36393742)
PINNED_MINUTE = Cell(start=1795264800, open=-29592272, high=-29249217, low=-29732494, close=-29433891)
PINNED_SECONDS = (-29592272, -29732494, -29381087, -29249217, -29306738)


def reach(cells: list[Cell]) -> Cell:
    """Many cells as one."""
    return Cell(
        cells[0].start,
        cells[0].open,
        max(cell.high for cell in cells),
        min(cell.low for cell in cells),
        cells[-1].close,
    )


def every_second(path: Path, day: Cell, first: int, last: int) -> list[int]:
    """One by one, as a quote asks for them."""
    values = []
    for second in range(first, last + 1):
        minute = path.minute(day, second)
        values.append(path.seconds(minute)[second - minute.start])
    return values


@settings(max_examples=60, deadline=None)
@given(path=paths, number=days, step=steps)
def test_a_day_in_cells_of_any_size_is_the_same_day(path: Path, number: int, step: int) -> None:
    day = path.day(number)
    cells = list(path.cells(day, step, day.start + DAY - 1))
    assert [cell.start for cell in cells] == list(range(day.start, day.start + DAY, step))
    assert reach(cells) == day
    assert all(before.close == after.open for before, after in pairwise(cells))
    assert all(cell.low <= min(cell.open, cell.close) <= max(cell.open, cell.close) <= cell.high for cell in cells)


@settings(max_examples=60, deadline=None)
@given(path=paths, number=days, second=st.integers(0, DAY - 1))
def test_a_minute_reaches_exactly_what_its_cell_says(path: Path, number: int, second: int) -> None:
    day = path.day(number)
    minute = path.minute(day, day.start + second)
    values = path.seconds(minute)
    assert len(values) == MINUTE
    assert (values[0], max(values), min(values), values[-1]) == minute[1:]


@settings(max_examples=40, deadline=None)
@given(path=paths, number=days, first=st.integers(0, DAY - 1), length=st.integers(1, 200))
def test_any_stretch_is_exactly_its_seconds(path: Path, number: int, first: int, length: int) -> None:
    day = path.day(number)
    begin, end = day.start + first, min(day.start + first + length, day.start + DAY) - 1
    values = every_second(path, day, begin, end)
    assert path.stretch(day, DAY, end, first=begin) == Cell(begin, values[0], max(values), min(values), values[-1])


@settings(max_examples=40, deadline=None)
@given(path=paths, number=days, step=steps, last=st.integers(0, DAY - 1))
def test_a_day_that_is_not_over_ends_where_it_is(path: Path, number: int, step: int, last: int) -> None:
    day = path.day(number)
    cells = list(path.cells(day, step, day.start + last))
    assert reach(cells) == path.stretch(day, DAY, day.start + last)
    whole = list(path.cells(day, step, day.start + DAY - 1))
    assert cells[:-1] == whole[: len(cells) - 1]


@given(path=paths, number=days)
def test_a_day_opens_with_a_gap_from_where_the_last_one_closed(path: Path, number: int) -> None:
    yesterday, today = path.day(number - 1), path.day(number)
    assert abs(today.open - yesterday.close) <= 4_000_000
    assert yesterday.close == path.level(number)


@given(path=paths, number=days)
def test_no_path_falls_to_half_its_reference(path: Path, number: int) -> None:
    """A share shows at most 1.2 of the path's movement, so its price stays above 0."""
    day = path.day(number)
    assert -PARTS * 41 // 100 < day.low <= day.high < PARTS * 41 // 100


def test_the_path_is_pinned_for_all_machines_and_versions() -> None:
    """A stored paper trade must make sense tomorrow: changing the path changes everybody's past."""
    path = Path.of(20261121, "SBIN", "NSE", OPENS)
    day = path.day(20_778)
    assert day == PINNED_DAY
    minute = path.minute(day, day.start + 12_345)
    assert minute == PINNED_MINUTE
    assert path.seconds(minute)[::12] == PINNED_SECONDS


def test_two_exchanges_share_a_path_down_to_five_minutes() -> None:
    nse, bse = (Path.of(7, "SBIN", exchange, OPENS) for exchange in ("NSE", "BSE"))
    day = nse.day(20_000)
    assert bse.day(20_000) == day
    last = day.start + SESSION - 1
    assert nse.cells(day, FIVE_MINUTES, last) == bse.cells(day, FIVE_MINUTES, last)
    minutes = zip(nse.cells(day, MINUTE, last), bse.cells(day, MINUTE, last), strict=True)
    assert sum(one != other for one, other in minutes) > 300


@pytest.mark.parametrize(("seconds", "share"), [(MINUTE, 0.7 / 360), (QUARTER, 0.7 / 24), (90 * MINUTE, 0.7 / 4)])
def test_a_session_moves_as_a_random_walk_does(seconds: int, share: float) -> None:
    """Standard deviations grow with the root of the time, from minutes to hours, within a fifth or so."""
    path = Path.of(11, "SBIN", "NSE", OPENS)
    moves = []
    for number in range(20_000, 20_120):
        day = path.day(number)
        minutes = list(path.cells(day, MINUTE, day.start + 360 * MINUTE - 1))
        size = seconds // MINUTE
        moves += [minutes[at + size - 1].close - minutes[at].open for at in range(0, 360, size)]
    usual = 15_000_000 * share**0.5
    assert 0.8 * usual < pstdev(moves) < 1.35 * usual
    assert abs(fmean(moves)) < 0.2 * usual


def test_nights_are_calm_and_sessions_are_not() -> None:
    path = Path.of(12, "SBIN", "NSE", OPENS)
    by_day, by_night = [], []
    for number in range(20_000, 20_200):
        day = path.day(number)
        by_day.append(path.stretch(day, DAY, day.start + SESSION - 1))
        by_night.append(path.stretch(day, DAY, day.start + DAY - 1, first=day.start + SESSION))
    spans = [fmean(cell.high - cell.low for cell in cells) for cells in (by_day, by_night)]
    assert 15_000_000 < spans[0] < 30_000_000
    assert spans[1] < 0.8 * spans[0]
