"""Tries are counted before they are made, once each, and a restart forgets none."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.failed_logins import FailedLogins
from tests.conftest import FixedClock

HOUR = timedelta(hours=1)
NOW = timedelta(0)


@pytest.fixture
def failures(db: Database, clock: FixedClock) -> FailedLogins:
    return FailedLogins(db, clock)


def admit(failures: FailedLogins) -> timedelta:
    return failures.admit("b", horizon=HOUR, wait=at_most_three).wait


def at_most_three(earlier: Sequence[datetime], now: datetime) -> timedelta:
    return HOUR if len(earlier) >= 3 else NOW


def test_a_refused_try_is_not_counted(failures: FailedLogins, clock: FixedClock) -> None:
    waits = [admit(failures) for _ in range(5)]
    assert waits == [NOW, NOW, NOW, HOUR, HOUR]
    assert failures.count_since("b", clock.now() - HOUR) == 3


def test_tries_at_the_same_moment_never_exceed_the_limit(failures: FailedLogins) -> None:
    barrier, waits = threading.Barrier(16), list[timedelta]()

    def slow(earlier: Sequence[datetime], now: datetime) -> timedelta:
        time.sleep(0.005)  # lets the other threads in, if anything does
        return at_most_three(earlier, now)

    def attempt() -> None:
        barrier.wait()
        waits.append(failures.admit("b", horizon=HOUR, wait=slow).wait)

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [NOW] * 3 + [HOUR] * 13


def test_only_the_horizon_and_the_own_bucket_count(failures: FailedLogins, clock: FixedClock) -> None:
    seen: list[list[datetime]] = []

    def look(earlier: Sequence[datetime], now: datetime) -> timedelta:
        seen.append(list(earlier))
        return NOW

    started = clock.now()
    failures.add("other")
    failures.add("b")
    clock.move(minutes=40)
    failures.add("b")
    failures.admit("b", horizon=HOUR, wait=look)
    clock.move(minutes=21)
    failures.admit("b", horizon=HOUR, wait=look)
    later = started + timedelta(minutes=40)
    assert seen == [[started, later], [later, later]]


def test_a_clock_set_back_does_not_lock_the_owner_out(failures: FailedLogins, clock: FixedClock) -> None:
    clock.move(days=365)
    for _ in range(3):
        failures.add("b")
    clock.move(days=-365)
    assert admit(failures) == NOW


def test_clearing_forgets_one_bucket(failures: FailedLogins, clock: FixedClock) -> None:
    failures.add("a")
    failures.add("b")
    failures.clear("a")
    assert [failures.count_since(bucket, clock.now()) for bucket in "ab"] == [0, 1]


def test_a_try_that_is_taken_back_makes_room_for_one(failures: FailedLogins) -> None:
    tries = [failures.admit("b", horizon=HOUR, wait=at_most_three) for _ in range(4)]
    assert [each.number > 0 for each in tries] == [True, True, True, False]
    failures.forget(tries[1].number)
    assert [admit(failures) for _ in range(2)] == [NOW, HOUR]


def test_a_try_taken_back_late_takes_no_other_with_it(failures: FailedLogins, clock: FixedClock) -> None:
    late = failures.admit("b", horizon=HOUR, wait=at_most_three)
    failures.clear("b")
    admit(failures)
    failures.forget(late.number)
    assert failures.count_since("b", clock.now()) == 1


def test_pruning_forgets_what_is_old(failures: FailedLogins, clock: FixedClock) -> None:
    failures.add("a")
    clock.move(days=2)
    failures.add("a")
    assert failures.prune(clock.now() - timedelta(days=1)) == 1
    assert failures.count_since("a", clock.now() - timedelta(days=9)) == 1


def test_a_reopened_database_has_forgotten_nothing(
    failures: FailedLogins, db: Database, clock: FixedClock, tmp_path: Path
) -> None:
    failures.add("b")
    db.close()
    again = Database(tmp_path / "bridge.db", synchronous="FULL")
    assert FailedLogins(again, clock).count_since("b", clock.now()) == 1
    again.close()


def test_a_missing_table_is_a_storage_error(failures: FailedLogins, db: Database) -> None:
    db.write("DROP TABLE failed_login")
    with pytest.raises(StorageError):
        admit(failures)
