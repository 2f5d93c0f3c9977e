"""What a transaction leaves behind for the next one of its thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.store.database import Database

NORMAL, FULL = 1, 2


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database(tmp_path / "some.db", synchronous="FULL")
    db.write("CREATE TABLE line (text TEXT NOT NULL)")
    yield db
    db.close()


def waits_for_the_disk(db: Database) -> int:
    row = db.read_one("PRAGMA synchronous")
    assert row is not None
    return int(row[0])


def lines(db: Database) -> list[str]:
    return [row["text"] for row in db.read("SELECT text FROM line")]


def test_what_need_not_wait_for_the_disk_is_seen_at_once_and_the_next_waits(db: Database) -> None:
    with db.transaction(is_synced=False) as open_:
        open_.execute("INSERT INTO line VALUES ('soon')")
        assert waits_for_the_disk(db) == NORMAL
    assert waits_for_the_disk(db) == FULL
    assert lines(db) == ["soon"]


def test_after_an_error_nothing_stands_and_the_next_waits_for_the_disk(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction(is_synced=False) as open_:
        open_.execute("INSERT INTO line VALUES ('never')")
        raise ZeroDivisionError
    assert waits_for_the_disk(db) == FULL
    assert lines(db) == []
