"""What the account was worth from minute to minute, and for how long that is kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from openalgo_bridge.model.equity import EquitySample
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_equity import KEPT, PaperEquity
from tests.conftest import FixedClock


@pytest.fixture
def equity(db: Database) -> PaperEquity:
    return PaperEquity(db)


@pytest.fixture
def begin(clock: FixedClock) -> datetime:
    return clock.now().replace(second=0, microsecond=0)


def sample(at: datetime, profit: int) -> EquitySample:
    return EquitySample(at=at, realised=profit, unrealised=-1)


def test_samples_come_back_in_the_order_of_time(equity: PaperEquity, begin: datetime) -> None:
    later = begin + timedelta(minutes=1)
    equity.add(sample(later, 20))
    equity.add(sample(begin, 10))
    assert equity.since(begin) == [sample(begin, 10), sample(later, 20)]
    assert equity.since(begin + timedelta(seconds=1)) == [sample(later, 20)]


def test_a_minute_has_one_sample_and_the_last_counts(equity: PaperEquity, begin: datetime) -> None:
    equity.add(sample(begin + timedelta(seconds=1), 10))
    equity.add(sample(begin + timedelta(seconds=59), 20))
    assert equity.since(begin) == [sample(begin, 20)]


def test_what_is_older_than_thirty_days_is_dropped(equity: PaperEquity, begin: datetime) -> None:
    equity.add(sample(begin, 10))
    equity.add(sample(begin + timedelta(minutes=1), 20))
    equity.add(sample(begin + KEPT + timedelta(minutes=1), 30))
    assert [each.realised for each in equity.since(begin)] == [20, 30]
