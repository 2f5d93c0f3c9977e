"""The thread of the traffic log: it does its work by itself, survives a fault, and ends when it is told to."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

from openalgo_bridge.clock import to_ms
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calls import CallFilter
from openalgo_bridge.store.traffic import Arrival, Call, Ending
from openalgo_bridge.store.traffic_retention import Keep
from openalgo_bridge.traffic_upkeep import TrafficUpkeep
from tests.conftest import FixedClock

PATIENCE_S = 30


def record(desk: Desk, count: int = 1, *, days_ago: int = 0) -> None:
    for number in range(count):
        arrival = Arrival(
            request_id=f"{number:016x}",
            at=to_ms(desk.clock.now()) - days_ago * 86_400_000,
            method="POST",
            endpoint="/api/v1/ping",
            address="127.0.0.1",
            program="curl/8",
        )
        desk.store.traffic.close(desk.store.traffic.open(arrival), Ending(status=200, duration_us=900))


def test_who_watches_is_told_of_every_call_once(desk: Desk) -> None:
    record(desk, 450)
    told: list[int] = []
    upkeep = TrafficUpkeep(desk.store, desk.clock, [lambda calls: told.extend(call.id for call in calls)])
    assert not upkeep.round()
    assert not upkeep.round()
    assert told == list(range(1, 451))


def test_it_works_by_itself_until_it_is_stopped(desk: Desk) -> None:
    record(desk, 3)
    seen = threading.Event()

    def watch(calls: Sequence[Call]) -> None:
        seen.set()

    upkeep = TrafficUpkeep(desk.store, desk.clock, [watch])
    upkeep.start()
    assert seen.wait(PATIENCE_S)
    assert upkeep.stop(PATIENCE_S)


def test_full_blocks_come_into_the_index(desk: Desk) -> None:
    row = f"('1', {desk.clock.now_ms()}, 'POST', '/x', '::1', 'curl', 200, 1)"
    with desk.store.files[1].transaction() as db:
        db.execute(
            "INSERT INTO call (request_id, at, method, endpoint, address, program, status, duration_us)"
            f" VALUES {', '.join([row] * 5000)}"
        )
    upkeep = TrafficUpkeep(desk.store, desk.clock)
    assert upkeep.round()
    assert desk.store.traffic_index.end() == 4096
    assert not upkeep.round()
    assert len(desk.store.traffic_search.page(CallFilter(address="::1"), before=None, limit=9999)) == 5000


def test_what_is_too_old_goes_once_a_minute(desk: Desk, clock: FixedClock) -> None:
    record(desk, 2, days_ago=3)
    record(desk)
    upkeep = TrafficUpkeep(desk.store, clock, keep=Keep(days=2, megabytes=500))
    upkeep.round()
    assert [call.id for call in desk.store.traffic_search.page(CallFilter(), before=None, limit=9)] == [3]
    clock.move(days=3)
    record(desk)
    upkeep.round()
    assert [call.id for call in desk.store.traffic_search.page(CallFilter(), before=None, limit=9)] == [4]


def test_a_fault_is_logged_and_the_next_round_makes_up_for_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    record(desk, 2)
    told: list[int] = []
    upkeep = TrafficUpkeep(desk.store, desk.clock, [lambda calls: told.extend(call.id for call in calls)])
    with closing(sqlite3.connect(desk.store.files[1].path)) as db:
        db.execute("CREATE TRIGGER stop BEFORE INSERT ON call_digest BEGIN SELECT RAISE(ABORT, 'disk is bad'); END")
        with caplog.at_level(logging.ERROR):
            assert not upkeep.round()
        assert "disk is bad" in caplog.text
        assert told == []
        db.execute("DROP TRIGGER stop")
    upkeep.round()
    assert told == [1, 2]
