"""The two policies, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.account.attempts import BackOff, Windows

START = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = st.integers(0, 7200)


def at(*seconds: int) -> list[datetime]:
    return [START + timedelta(seconds=each) for each in sorted(seconds)]


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("5 per minute;25 per hour", ((5, timedelta(minutes=1)), (25, timedelta(hours=1)))),
        ("3/second", ((3, timedelta(seconds=1)),)),
        (" 10 per 2 minutes ; 4 / day", ((10, timedelta(minutes=2)), (4, timedelta(days=1)))),
    ],
)
def test_the_setting_is_read(text: str, windows: tuple[tuple[int, timedelta], ...]) -> None:
    assert Windows.parse(text).windows == windows


def test_the_horizon_is_the_longest_window() -> None:
    assert Windows.parse("5 per minute;25 per hour").horizon == timedelta(hours=1)


def test_a_try_waits_until_the_first_of_five_is_a_minute_old() -> None:
    policy = Windows.parse("5 per minute")
    assert policy.wait(at(0, 1, 2, 3), START + timedelta(seconds=4)) == timedelta(0)
    assert policy.wait(at(0, 1, 2, 3, 4), START + timedelta(seconds=10)) == timedelta(seconds=50)
    assert policy.wait(at(0, 1, 2, 3, 4), START + timedelta(seconds=60)) == timedelta(0)


def test_a_limit_of_none_never_opens() -> None:
    assert Windows.parse("0 per minute").wait([], START) == timedelta(minutes=1)


@given(st.lists(SECONDS))
def test_no_window_ever_holds_more_than_its_limit(arrivals: list[int]) -> None:
    policy = Windows.parse("3 per minute;5 per hour")
    passed: list[datetime] = []
    for now in at(*arrivals):
        if policy.wait(passed, now) == timedelta(0):
            passed.append(now)
    for moment in passed:
        assert len([each for each in passed if moment <= each < moment + timedelta(minutes=1)]) <= 3
        assert len([each for each in passed if moment <= each < moment + timedelta(hours=1)]) <= 5


@given(st.lists(SECONDS), SECONDS)
def test_after_the_wait_a_try_passes(earlier: list[int], moment: int) -> None:
    policy = Windows.parse("3 per minute;5 per hour")
    now = START + timedelta(seconds=max([moment, *earlier]))
    assert policy.wait(at(*earlier), now + policy.wait(at(*earlier), now)) == timedelta(0)


def test_the_back_off_doubles_up_to_thirty_seconds() -> None:
    waits = [BackOff().wait([START] * count, START).total_seconds() for count in range(9)]
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30, 30]


@given(st.lists(SECONDS), SECONDS)
def test_the_back_off_never_locks_for_longer_than_thirty_seconds(earlier: list[int], moment: int) -> None:
    wait = BackOff().wait(at(*earlier), START + timedelta(seconds=moment))
    assert timedelta(0) <= wait <= timedelta(seconds=30)
