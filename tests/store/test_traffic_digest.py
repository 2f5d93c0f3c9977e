"""Sums of calls: each call is counted exactly once, whenever it ends and whatever happens in between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from openalgo_bridge.clock import to_ms
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.calls import CallKind, StatusClass
from openalgo_bridge.model.latency import bucket_of
from openalgo_bridge.store.traffic import Call
from openalgo_bridge.store.traffic_digest import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    MOST_VALUES,
    MOST_WITH_KEY,
    SPANS_MS,
    THE_REST,
    Digest,
)
from tests.store.traffic_calls import BLOCK_IS_WRITTEN_AT, Recorded


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path)
    yield made
    made.db.close()


def total(recorded: Recorded) -> int:
    row = recorded.db.read_one("SELECT coalesce(sum(calls), 0) AS calls FROM call_minute")
    assert row is not None
    return int(row["calls"])


def test_sums_equal_a_recount(recorded: Recorded) -> None:
    chance = random.Random(11)
    running: list[int] = []
    digest = Digest(recorded.db)
    for _ in range(600):
        if running and chance.random() < 0.5:
            recorded.close(
                running.pop(chance.randrange(len(running))),
                status=chance.choice((200, 302, 400, 429, 500)),
                ms=chance.choice((0.5, 7.0, 1200.0)),
            )
        else:
            running.append(
                recorded.open(
                    chance.choice(("/a", "/b")),
                    at=recorded.clock.now() + timedelta(seconds=chance.randrange(-100_000, 100_000)),
                    kind=chance.choice(tuple(CallKind)),
                    address=chance.choice(("127.0.0.1", "10.0.0.9")),
                    forwarded_for=chance.choice((None, "49.36.1.2")),
                    program=chance.choice(("", "curl", "excel")),
                )
            )
        if chance.random() < 0.1:
            digest.take(chance.choice((1, 3, 50)))
    while digest.take(50):
        pass
    assert _minutes(recorded) == _recounted_minutes(recorded)
    assert _shares(recorded) == _recounted_shares(recorded)
    assert _durations(recorded) == _recounted_durations(recorded)


def _over(recorded: Recorded) -> list[Call]:
    rows = recorded.db.read("SELECT id FROM call WHERE status IS NOT NULL ORDER BY id")
    calls = [recorded.log.call(row["id"]) for row in rows]
    return [call for call in calls if call is not None]


def _minutes(recorded: Recorded) -> dict[int, tuple[int, ...]]:
    return {row["minute"]: tuple(row)[1:] for row in recorded.db.read("SELECT * FROM call_minute")}


def _recounted_minutes(recorded: Recorded) -> dict[int, tuple[int, ...]]:
    by_minute: dict[int, list[Call]] = {}
    for call in _over(recorded):
        by_minute.setdefault(to_ms(call.at) // MINUTE_MS * MINUTE_MS, []).append(call)
    return {at: _recounted(calls) for at, calls in by_minute.items()}


def _recounted(calls: list[Call]) -> tuple[int, ...]:
    ends = [StatusClass.of(call.status) for call in calls if call.kind is not CallKind.PAGE]
    refused, failed = ends.count(StatusClass.REFUSED), ends.count(StatusClass.FAILED)
    return calls[0].id, calls[-1].id, len(ends), refused, failed


def _shares(recorded: Recorded) -> dict[tuple[object, ...], tuple[int, int]]:
    return {tuple(row)[:4]: tuple(row)[4:] for row in recorded.db.read("SELECT * FROM call_share")}


def _recounted_shares(recorded: Recorded) -> dict[tuple[object, ...], tuple[int, int]]:
    calls, errors = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    for call in _over(recorded):
        for span in SPANS_MS if call.kind is not CallKind.PAGE else ():
            slot = to_ms(call.at) // span * span
            values = (("endpoint", call.endpoint), ("program", call.program))
            for key in (*values, ("address", call.forwarded_for or call.address)):
                calls[span, slot, *key] += 1
                errors[span, slot, *key] += StatusClass.of(call.status) is not StatusClass.ANSWERED
    return {key: (count, errors[key]) for key, count in calls.items()}


def _durations(recorded: Recorded) -> dict[tuple[object, ...], int]:
    return {tuple(row)[:4]: row["calls"] for row in recorded.db.read("SELECT * FROM call_latency")}


def _recounted_durations(recorded: Recorded) -> dict[tuple[object, ...], int]:
    found = Counter[tuple[object, ...]]()
    for call in _over(recorded):
        for span in SPANS_MS if call.kind is not CallKind.PAGE else ():
            assert call.duration_ms is not None
            found[span, to_ms(call.at) // span * span, call.endpoint, bucket_of(call.duration_ms)] += 1
    return dict(found)


def test_a_call_that_runs_delays_no_other_and_is_counted_once_when_it_is_over(recorded: Recorded) -> None:
    digest = Digest(recorded.db)
    long = recorded.open()
    other = recorded.call()
    assert [call.id for call in digest.take(10)] == [other]
    assert digest.take(10) == ()
    recorded.close(long)
    assert [call.id for call in digest.take(10)] == [long]
    assert digest.take(10) == ()
    assert total(recorded) == 2


def test_calls_are_taken_in_the_order_of_their_ids(recorded: Recorded) -> None:
    long = recorded.open()
    Digest(recorded.db).take(10)
    others = [recorded.call() for _ in range(3)]
    recorded.close(long)
    assert [call.id for call in Digest(recorded.db).take(10)] == [long, *others]


def test_what_a_crash_left_open_is_counted_as_failed_after_the_next_start(recorded: Recorded) -> None:
    recorded.open()
    Digest(recorded.db).take(10)
    recorded.log.mark_cut_off()
    assert [call.status for call in Digest(recorded.db).take(10)] == [0]
    assert [tuple(row) for row in recorded.db.read("SELECT calls, refused, failed FROM call_minute")] == [(1, 0, 1)]


def test_a_digest_that_fails_counts_nothing_and_can_be_done_again(recorded: Recorded) -> None:
    recorded.call()
    # The last thing of the transaction fails.
    recorded.db.write("CREATE TRIGGER stop BEFORE INSERT ON call_digest BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StorageError):
        Digest(recorded.db).take(10)
    assert total(recorded) == 0
    recorded.db.write("DROP TRIGGER stop")
    Digest(recorded.db).take(10)
    assert total(recorded) == 1


def test_a_program_that_changes_its_name_with_every_call_fills_no_disk(recorded: Recorded) -> None:
    known = [recorded.close(recorded.open(program="excel")) for _ in range(3)]
    for number in range(200):
        recorded.close(recorded.open(f"/path/{number}", program=f"scanner {number}"), status=404)
    digest = Digest(recorded.db)
    while digest.take(7):
        pass
    for kind in ("program", "endpoint"):
        rows = recorded.db.read("SELECT * FROM call_share WHERE kind = ? AND span = ?", (kind, DAY_MS))
        assert len(rows) == MOST_VALUES + 1
        assert sum(row["calls"] for row in rows) == 203
        (rest,) = [row for row in rows if row["value"] == THE_REST]
        assert rest["calls"] == rest["errors"] > 100
    (excel,) = recorded.db.read("SELECT calls FROM call_share WHERE value = 'excel' AND span = ?", (DAY_MS,))
    assert excel["calls"] == len(known)
    counted = recorded.db.read_one("SELECT sum(calls) AS calls FROM call_latency WHERE span = ?", (DAY_MS,))
    assert counted is not None
    assert counted["calls"] == 203


def test_strangers_who_came_first_leave_room_for_who_has_the_key(recorded: Recorded) -> None:
    for number in range(60):
        recorded.close(recorded.open(f"/junk/{number}", program=f"scanner {number}"), status=404)
    digest = Digest(recorded.db)
    digest.take(500)
    for endpoint in ("/api/v1/placeorder", "/api/v1/quotes"):
        recorded.close(recorded.open(endpoint, program="excel"), key_fingerprint="5f0c")
    digest.take(500)
    for value, calls in (("/api/v1/placeorder", 1), ("/api/v1/quotes", 1), ("excel", 2)):
        for span in SPANS_MS:
            rows = recorded.db.read("SELECT calls FROM call_share WHERE value = ? AND span = ?", (value, span))
            assert [row["calls"] for row in rows] == [calls]


def test_a_retired_key_takes_no_room_and_the_right_one_has_an_end_of_it(recorded: Recorded) -> None:
    for number in range(MOST_WITH_KEY + 30):
        recorded.close(recorded.open(program=f"retired {number}"), key_fingerprint="5f0c", outcome="wrong key")
    digest = Digest(recorded.db)
    digest.take(500)
    assert len(_named_programs(recorded)) == MOST_VALUES
    for number in range(MOST_WITH_KEY + 30):
        recorded.close(recorded.open(program=f"script {number}"), key_fingerprint="5f0c")
    while digest.take(50):
        pass
    assert len(_named_programs(recorded)) == MOST_WITH_KEY


def _named_programs(recorded: Recorded) -> set[str]:
    rows = recorded.db.read("SELECT value FROM call_share WHERE kind = 'program' AND span = ?", (DAY_MS,))
    return {row["value"] for row in rows} - {THE_REST}


def test_old_sums_go_the_fine_ones_first(recorded: Recorded) -> None:
    recorded.call()
    digest = Digest(recorded.db)
    digest.take(10)
    spans: list[set[int]] = []
    for days in (1, 10, 63, 367):
        while digest.drop_older(recorded.clock.now_ms() + days * DAY_MS):
            pass
        spans.append({row["span"] for row in recorded.db.read("SELECT span FROM call_share")})
    assert spans == [set(SPANS_MS), {HOUR_MS, DAY_MS}, {DAY_MS}, set()]
    assert recorded.db.read("SELECT * FROM call_latency") == recorded.db.read("SELECT * FROM call_minute") == []


def test_a_call_that_ended_after_its_block_was_written_is_still_counted_once(recorded: Recorded) -> None:
    late = recorded.open("/late")
    recorded.fill(BLOCK_IS_WRITTEN_AT)
    recorded.work_up()
    recorded.close(late)
    recorded.work_up()
    recorded.work_up()
    assert total(recorded) == BLOCK_IS_WRITTEN_AT
