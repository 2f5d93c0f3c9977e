"""How many there were lately: never fewer than a step less than the truth, and in memory that does not grow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.sliding_window import SlidingWindows

START = datetime(2026, 11, 21, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STEP = MINUTE / 15


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=60))
def test_the_count_is_that_of_the_last_minute_to_a_step(pauses_ms: list[int]) -> None:
    windows: SlidingWindows[str] = SlidingWindows(MINUTE)
    seen: list[datetime] = []
    at = START
    for pause in pauses_ms:
        at += timedelta(milliseconds=pause)
        seen.append(at)
        lately = windows.add("python", at)
        assert sum(each > at - MINUTE + STEP for each in seen) <= lately.count
        assert lately.count <= sum(each > at - MINUTE for each in seen)
        assert lately.since == seen[-lately.count]


def test_each_key_is_counted_by_itself() -> None:
    windows: SlidingWindows[str] = SlidingWindows(MINUTE)
    assert [windows.add(key, START).count for key in ("a", "b", "a")] == [1, 1, 2]


def test_a_clock_that_was_set_back_begins_anew_and_a_small_step_back_is_none() -> None:
    windows: SlidingWindows[str] = SlidingWindows(MINUTE)
    for _ in range(3):
        windows.add("a", START)
    assert windows.add("a", START - timedelta(seconds=10)).count == 4
    assert windows.add("a", START - timedelta(hours=2)).count == 1
    assert windows.add("a", START - timedelta(hours=2)).count == 2
    assert windows.add("a", START - timedelta(hours=2) + 2 * MINUTE).count == 1


def test_the_keys_that_were_used_last_are_kept() -> None:
    windows: SlidingWindows[str] = SlidingWindows(MINUTE, most_keys=2)
    for key in ("a", "b", "a", "c"):
        windows.add(key, START)
    assert windows.add("a", START).count == 3
    assert windows.add("b", START).count == 1
