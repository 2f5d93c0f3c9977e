"""Durations in buckets: a percentile is right to 5 %."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.latency import bucket_of, middle_ms, percentile_ms

DURATIONS = st.floats(min_value=0.001, max_value=3_600_000)


@given(DURATIONS)
def test_the_middle_of_a_bucket_is_within_a_twentieth_of_all_that_is_in_it(duration: float) -> None:
    assert middle_ms(bucket_of(duration)) == pytest.approx(duration, rel=0.05)


@given(st.lists(DURATIONS, min_size=1, max_size=300), st.sampled_from((0.5, 0.95, 0.99)))
def test_a_percentile_is_within_a_twentieth_of_the_exact_one(durations: list[float], share: float) -> None:
    buckets: dict[int, int] = {}
    for duration in durations:
        buckets[bucket_of(duration)] = buckets.get(bucket_of(duration), 0) + 1
    exact = sorted(durations)[math.ceil(share * len(durations)) - 1]
    assert percentile_ms(buckets, share) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("duration", [0.0, 0.0001, -3.0])
def test_what_took_no_time_is_in_the_first_bucket(duration: float) -> None:
    assert bucket_of(duration) == 0
