"""The list of programs that need a new key: of one key, the newest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from openalgo_bridge.store.database import Database
from openalgo_bridge.store.integrations import Integrations
from tests.conftest import FixedClock

KEY = "0123456789ab"


@pytest.fixture
def programs(db: Database, clock: FixedClock) -> Integrations:
    return Integrations(db, clock)


def test_what_was_seen_comes_first_and_each_part_keeps_its_order(programs: Integrations, clock: FixedClock) -> None:
    seen = clock.now() - timedelta(days=1)
    programs.begin(KEY, {"Excel": None, "Python": seen, "AmiBroker": None, "Node": seen})
    lines = programs.of(KEY)
    assert [line.name for line in lines] == ["Python", "Node", "Excel", "AmiBroker"]
    assert [line.last_seen_at for line in lines] == [seen, seen, None, None]
    assert all(line.updated_at is None for line in lines)


def test_a_new_list_takes_the_place_of_the_old_one(programs: Integrations) -> None:
    programs.begin(KEY, {"Excel": None})
    programs.begin("another key", {"Python": None})
    assert programs.of(KEY) == []
    assert [line.name for line in programs.of("another key")] == ["Python"]


def test_ticks_are_of_one_list_only(programs: Integrations, clock: FixedClock) -> None:
    programs.begin(KEY, {"Excel": None, "Python": None})
    excel, python = programs.of(KEY)
    programs.tick("another key", {excel.id})
    assert programs.of(KEY)[0].updated_at is None
    programs.tick(KEY, {excel.id})
    clock.move(minutes=1)
    programs.tick(KEY, {excel.id, python.id})
    at = [line.updated_at for line in programs.of(KEY)]
    assert at == [clock.now() - timedelta(minutes=1), clock.now()], "a tick keeps its first moment"


def test_dismissing_leaves_nothing(programs: Integrations) -> None:
    programs.begin(KEY, {"Excel": None})
    programs.dismiss("another key")
    assert len(programs.of(KEY)) == 1
    programs.dismiss(KEY)
    assert programs.of(KEY) == []
