"""Summaries: they agree with the calls, over any time, and read nothing but sums."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.store.traffic_digest import SPANS_MS
from openalgo_bridge.store.traffic_summary import Minute, Share, Summary, TrafficSummary, stretches
from tests.store.traffic_calls import Recorded

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path)
    yield made
    made.db.close()


def summary(recorded: Recorded, since: datetime, until: datetime) -> Summary:
    recorded.work_up()
    return TrafficSummary(recorded.db).of(since, until)


def test_a_summary_tells_minutes_endpoints_programs_and_addresses(recorded: Recorded) -> None:
    for minute, status in ((0, 200), (0, 400), (3, 500)):
        call_id = recorded.open("/orders", at=NOON + timedelta(minutes=minute, seconds=7), program="excel")
        recorded.close(call_id, status=status, ms=20)
    recorded.close(recorded.open("/quotes", at=NOON, program="curl", address="::1"), ms=4)
    found = summary(recorded, NOON, NOON + timedelta(minutes=15))
    assert (found.calls, found.errors) == (4, 2)
    assert found.minutes == (
        Minute(at=NOON, calls=3, refused=1, failed=0),
        Minute(at=NOON + timedelta(minutes=3), calls=1, refused=0, failed=1),
    )
    assert found.programs == (Share(value="excel", calls=3, errors=2), Share(value="curl", calls=1, errors=0))
    assert found.addresses == (Share(value="127.0.0.1", calls=3, errors=2), Share(value="::1", calls=1, errors=0))
    orders, quotes = found.endpoints
    assert (orders.endpoint, orders.calls, orders.errors) == ("/orders", 3, 2)
    assert orders.p50_ms == pytest.approx(20, rel=0.05)
    assert quotes.p99_ms == pytest.approx(4, rel=0.05)


def test_percentiles_are_right_to_a_twentieth(recorded: Recorded) -> None:
    times = [random.Random(5).lognormvariate(3, 1) for _ in range(400)]
    for ms in times:
        recorded.close(recorded.open("/x", at=NOON), ms=ms)
    (found,) = summary(recorded, NOON, NOON + timedelta(minutes=1)).endpoints
    exact = sorted(times)
    assert found.p50_ms == pytest.approx(exact[199], rel=0.051)
    assert found.p95_ms == pytest.approx(exact[379], rel=0.051)
    assert found.p99_ms == pytest.approx(exact[395], rel=0.051)


def test_nothing_was_called_is_a_summary_too(recorded: Recorded) -> None:
    empty = Summary(calls=0, errors=0, minutes=(), endpoints=(), programs=(), addresses=())
    assert summary(recorded, NOON, NOON + timedelta(days=7)) == empty
    assert summary(recorded, NOON, NOON) == empty


def test_a_time_whose_end_comes_first_is_meant_the_other_way_round(recorded: Recorded) -> None:
    recorded.close(recorded.open(at=NOON))
    later = NOON + timedelta(minutes=2)
    assert summary(recorded, later, NOON) == summary(recorded, NOON, later)
    assert summary(recorded, later, NOON).calls == 1


def test_a_week_needs_no_calls(recorded: Recorded) -> None:
    for hours in range(0, 170, 5):
        recorded.close(recorded.open(at=NOON - timedelta(hours=hours, minutes=11)))
    recorded.work_up()
    recorded.db.write("DELETE FROM call")
    found = summary(recorded, NOON - timedelta(days=7), NOON)
    assert found.calls == sum(share.calls for share in found.programs) == 34


AT = st.integers(1_700_000_000_000, 1_700_000_000_000 + 20 * 86_400_000)


@given(AT, AT)
def test_stretches_are_the_whole_time_without_gap_or_overlap(one: int, other: int) -> None:
    first, end = sorted((one, other))
    found = list(stretches(first, end))
    for span, begin, upto in found:
        assert span in SPANS_MS
        assert begin % span == upto % span == 0
        assert begin < upto
    for (_, _, upto), (_, begin, _) in pairwise(found):
        assert upto == begin
    if first < end:
        assert 0 <= first - found[0][1] < SPANS_MS[0]
        assert 0 <= found[-1][2] - end < SPANS_MS[0]
    # Days in the middle, hours and five minutes on both sides.
    assert len(found) <= 5
