"""Old calls go, by age and by size, whole and a few at a time; the clock may be wrong meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.calls import CallFilter
from openalgo_bridge.store.traffic import Bodies
from openalgo_bridge.store.traffic_retention import Keep, TrafficRetention
from openalgo_bridge.store.traffic_search import TrafficSearch
from openalgo_bridge.store.traffic_words import BLOCK
from tests.store.traffic_calls import BLOCK_IS_WRITTEN_AT, Recorded

PLENTY = Keep(days=30, megabytes=10_000)
TINY = Keep(days=30, megabytes=0)
SAID = Bodies(request="x " * 2000, request_bytes=4000, answer="y " * 2000, answer_bytes=4000)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path)
    yield made
    made.db.close()


def prune(recorded: Recorded, keep: Keep, retention: TrafficRetention | None = None) -> int:
    """To the end; how many steps it took."""
    retention, steps = retention or TrafficRetention(recorded.db, recorded.clock), 0
    while retention.step(keep):
        steps += 1
    return steps


def ids(recorded: Recorded, table: str = "call", column: str = "id") -> list[int]:
    return [row[0] for row in recorded.db.read(f"SELECT {column} FROM {table} ORDER BY {column}")]


def old_call(recorded: Recorded, days: float) -> int:
    return recorded.close(recorded.open(at=recorded.clock.now() - timedelta(days=days)), body=SAID)


def went_wrong(recorded: Recorded) -> None:
    """An error of this moment is in the error log."""
    recorded.db.write(
        "INSERT INTO fault (at, level, logger, message, traceback, request_id) VALUES (?, '', '', '', '', '')",
        (recorded.clock.now_ms(),),
    )


def test_calls_and_what_was_said_in_them_go_after_their_days(recorded: Recorded) -> None:
    for days in (40, 31, 29, 0):
        old_call(recorded, days)
    recorded.work_up()
    prune(recorded, PLENTY)
    assert ids(recorded) == ids(recorded, "call_body", "call_id") == [3, 4]


def test_what_was_not_counted_yet_stays(recorded: Recorded) -> None:
    old_call(recorded, 40)
    old_call(recorded, 0)
    assert prune(recorded, PLENTY) == 0
    assert ids(recorded) == [1, 2]


def test_the_newest_call_stays_so_that_no_number_is_given_twice(recorded: Recorded) -> None:
    retention = TrafficRetention(recorded.db, recorded.clock)
    assert not retention.step(PLENTY)
    for _ in range(3):
        recorded.call()
    recorded.work_up()
    recorded.clock.move(days=40)
    prune(recorded, PLENTY, retention)
    assert ids(recorded) == [3]
    assert recorded.call() == 4


def test_a_clock_set_back_by_years_deletes_nothing(recorded: Recorded) -> None:
    for days in (20, 10, 0):
        old_call(recorded, days)
    recorded.work_up()
    recorded.clock.moment -= timedelta(days=2000)
    recorded.call()
    recorded.work_up()
    prune(recorded, PLENTY)
    recorded.clock.moment += timedelta(days=2000)
    recorded.call()
    recorded.work_up()
    prune(recorded, PLENTY)
    # The one of the wrong clock looks old, but those that came before it are not.
    assert ids(recorded) == [1, 2, 3, 4, 5]


def test_a_call_that_a_clock_ahead_has_dated_holds_no_older_ones_back(recorded: Recorded) -> None:
    old_call(recorded, -400)
    for days in (40, 39, 1):
        old_call(recorded, days)
    recorded.work_up()
    prune(recorded, PLENTY)
    assert ids(recorded) == [4]


def test_a_long_time_of_a_clock_ahead_holds_no_older_ones_back_either(recorded: Recorded) -> None:
    for _ in range(450):
        old_call(recorded, -400)
    for days in (40, 39, 1):
        old_call(recorded, days)
    recorded.work_up()
    prune(recorded, PLENTY)
    assert ids(recorded) == [453]


def test_calls_of_a_clock_ahead_stay_before_those_that_are_kept(recorded: Recorded) -> None:
    for _ in range(450):
        old_call(recorded, -400)
    for days in (1, 40, 0):
        old_call(recorded, days)
    recorded.work_up()
    prune(recorded, PLENTY)
    assert len(ids(recorded)) == 453


def test_a_clock_that_leaps_ahead_takes_nothing_until_it_has_kept_that_time_for_an_hour(recorded: Recorded) -> None:
    for _ in range(5):
        recorded.call()
    recorded.work_up()
    sums = len(ids(recorded, "call_share", "slot"))
    went_wrong(recorded)
    retention = TrafficRetention(recorded.db, recorded.clock)
    assert prune(recorded, PLENTY, retention) == 0
    recorded.clock.moment += timedelta(days=400)
    recorded.call()  # programs go on calling meanwhile
    recorded.work_up()
    recorded.clock.move(minutes=59)
    assert prune(recorded, PLENTY, retention) == 0
    assert ids(recorded) == list(range(1, 7))
    assert len(ids(recorded, "call_share", "slot")) > sums
    assert ids(recorded, "fault") == [1]
    recorded.clock.move(minutes=60)
    prune(recorded, PLENTY, retention)
    assert ids(recorded) == [6]
    assert ids(recorded, "fault") == []


def test_a_start_long_after_the_newest_call_takes_nothing_for_an_hour(recorded: Recorded) -> None:
    for _ in range(5):
        recorded.call()
    recorded.work_up()
    recorded.clock.move(days=400)
    retention = TrafficRetention(recorded.db, recorded.clock)
    assert prune(recorded, PLENTY, retention) == 0
    recorded.clock.move(hours=1)
    prune(recorded, PLENTY, retention)
    assert ids(recorded) == [5]


def test_a_clock_that_leapt_and_was_set_right_within_the_hour_took_nothing(recorded: Recorded) -> None:
    for _ in range(5):
        recorded.call()
    recorded.work_up()
    retention = TrafficRetention(recorded.db, recorded.clock)
    for leap in (timedelta(), timedelta(days=400), -timedelta(days=400)):
        recorded.clock.moment += leap
        recorded.clock.move(minutes=40)
        prune(recorded, PLENTY, retention)
    recorded.clock.move(hours=2)
    assert prune(recorded, PLENTY, retention) == 0
    assert ids(recorded) == [1, 2, 3, 4, 5]


def fail(recorded: Recorded, times: int) -> None:
    row = (to_ms(recorded.clock.now()), "ERROR", "of.a.module", "m" * 1000, "t" * 8000, "")
    with recorded.db.transaction() as db:
        db.executemany(
            "INSERT INTO fault (at, level, logger, message, traceback, request_id) VALUES (?, ?, ?, ?, ?, ?)",
            [row] * times,
        )


def test_a_loop_of_errors_goes_before_any_call_and_what_was_said_in_it(recorded: Recorded) -> None:
    for _ in range(1300):
        recorded.call(body=SAID)
    recorded.work_up()
    full = TrafficRetention(recorded.db, recorded.clock).megabytes()
    fail(recorded, 3000)
    keep = Keep(days=30, megabytes=round(full) + 3)
    prune(recorded, keep)
    assert ids(recorded) == ids(recorded, "call_body", "call_id") == list(range(1, 1301))
    newest = ids(recorded, "fault")
    assert newest == list(range(3001 - len(newest), 3001))
    assert len(newest) == 10 * keep.megabytes
    assert TrafficRetention(recorded.db, recorded.clock).megabytes() <= keep.megabytes


def test_the_newest_errors_stay_whatever_the_limit(recorded: Recorded) -> None:
    recorded.call()
    recorded.work_up()
    fail(recorded, 700)
    prune(recorded, TINY)
    assert ids(recorded, "fault") == list(range(601, 701))


def test_a_full_log_loses_what_was_said_before_it_loses_calls(recorded: Recorded) -> None:
    for _ in range(1300):
        recorded.call(body=SAID)
    recorded.work_up()
    full = TrafficRetention(recorded.db, recorded.clock).megabytes()
    prune(recorded, Keep(days=30, megabytes=round(full) - 1))
    assert ids(recorded) == list(range(1, 1301))
    assert 1000 <= len(ids(recorded, "call_body", "call_id")) < 1300
    prune(recorded, TINY)
    assert ids(recorded) == ids(recorded, "call_body", "call_id") == list(range(301, 1301))


def test_room_that_was_freed_counts_as_free(recorded: Recorded) -> None:
    for _ in range(1300):
        recorded.call(body=SAID)
    recorded.work_up()
    retention = TrafficRetention(recorded.db, recorded.clock)
    full, size = retention.megabytes(), (recorded.folder / "traffic.db").stat().st_size
    assert full > 10
    prune(recorded, TINY)
    assert retention.megabytes() < full - 2
    assert (recorded.folder / "traffic.db").stat().st_size >= size


def test_words_go_with_the_last_call_of_their_block(recorded: Recorded) -> None:
    recorded.fill(BLOCK_IS_WRITTEN_AT)
    late = recorded.open("/late", at=recorded.clock.now())
    recorded.fill(2 * BLOCK_IS_WRITTEN_AT)
    recorded.work_up()
    recorded.close(late)
    recorded.work_up()
    assert ids(recorded, "call_block", "block") == [0, 1]
    assert ids(recorded, "call_late", "call_id") == [late]
    recorded.db.write("UPDATE call SET at = at - 3000000000 WHERE id <= ?", (BLOCK + 700,))
    prune(recorded, PLENTY)
    assert ids(recorded)[0] == BLOCK + 701
    assert ids(recorded, "call_block", "block") == [1]
    assert {row["block"] for row in recorded.db.read("SELECT block FROM call_word")} == {1}
    assert ids(recorded, "call_late", "call_id") == []
    found = TrafficSearch(recorded.db).page(CallFilter(program="curl/8"), before=None, limit=10_000)
    assert [call.id for call in found] == list(reversed(ids(recorded)))


def test_pruning_takes_a_few_calls_at_a_time(recorded: Recorded) -> None:
    recorded.fill(2001)
    recorded.db.write("UPDATE call SET at = at - 3000000000 WHERE id < 2001")
    recorded.work_up()
    retention, sizes = TrafficRetention(recorded.db, recorded.clock), [2001]
    while retention.step(PLENTY) and len(ids(recorded)) < sizes[-1]:
        sizes.append(len(ids(recorded)))
    assert all(before - after <= 200 for before, after in pairwise(sizes))
    assert sizes[-1] == 1


def test_an_empty_log_has_nothing_to_prune(recorded: Recorded) -> None:
    assert prune(recorded, TINY) == 0
