"""The bars of the summary have every call of the time in them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.store.traffic_summary import Minute
from openalgo_bridge.web.call_rates import call_rates

SINCE = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # midnight in India
MINUTE = timedelta(minutes=1)


def minute(number: int, calls: int, refused: int = 0, failed: int = 0) -> Minute:
    return Minute(at=SINCE + number * MINUTE, calls=calls, refused=refused, failed=failed)


COUNTS = st.tuples(st.integers(0, 500), st.integers(0, 50), st.integers(0, 50))


@given(st.dictionaries(st.integers(0, 599), COUNTS, max_size=30), st.sampled_from([1, 15, 120]))
def test_the_bars_add_up_to_the_minutes(counts: dict[int, tuple[int, int, int]], step: int) -> None:
    minutes = [minute(at, sum(told), told[1], told[2]) for at, told in counts.items()]
    rates = call_rates(minutes, SINCE, SINCE + 600 * MINUTE, step * MINUTE)
    assert len(rates.bars) == 600 // step
    for kind, name in enumerate(("answered", "refused", "failed")):
        assert sum(getattr(bar, name) for bar in rates.bars) == sum(told[kind] for told in counts.values())
    assert rates.levels[-1].calls >= max(bar.calls for bar in rates.bars)
    assert rates.levels[-1].y == 0
    for path in (rates.answered, rates.refused, rates.failed):
        assert all(0 <= int(y) <= rates.height for y in re.findall(r"M\d+ (\d+)", path))


def test_one_refused_call_among_thousands_is_seen() -> None:
    rates = call_rates([minute(0, 5001, refused=1)], SINCE, SINCE + MINUTE, MINUTE)
    assert rates.refused.endswith("v-1h8v1z")


def test_times_stand_at_whole_hours_in_india() -> None:
    rates = call_rates([], SINCE, SINCE + timedelta(hours=10), timedelta(minutes=15))
    assert [mark.label for mark in rates.marks] == ["03:00", "06:00", "09:00"]


def test_a_week_has_its_days_at_the_foot() -> None:
    rates = call_rates([], SINCE, SINCE + timedelta(days=7), timedelta(hours=2))
    assert [mark.label for mark in rates.marks] == ["22 Nov", "23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov"]


def test_the_figures_tell_the_latest_first_and_leave_out_what_is_empty() -> None:
    rates = call_rates([minute(0, 2), minute(3, 1, failed=1)], SINCE, SINCE + 5 * MINUTE, MINUTE)
    assert [(bar.at, bar.calls, bar.failed) for bar in rates.told] == [
        (SINCE + 3 * MINUTE, 1, 1),
        (SINCE, 2, 0),
    ]
