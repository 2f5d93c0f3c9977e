"""What a transaction leaves behind for the next one, and whose connection is whose."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.database import Database
from tests.faults import WatchedDatabase

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


def test_what_the_thread_reads_in_its_transaction_it_reads_inside_and_others_do_not(db: Database) -> None:
    with db.transaction() as open_:
        open_.execute("INSERT INTO line VALUES ('mine')")
        assert lines(db) == ["mine"]
        assert in_another_thread(lambda: lines(db)) == []
    assert in_another_thread(lambda: lines(db)) == ["mine"]


def test_a_read_that_is_still_streaming_is_no_part_of_a_transaction_beside_it(db: Database) -> None:
    for text in ("first", "second"):
        db.write("INSERT INTO line VALUES (?)", (text,))
    streamed = db.stream("SELECT text FROM line ORDER BY text")
    assert next(streamed)["text"] == "first"
    with db.transaction() as open_:
        open_.execute("DELETE FROM line")
    assert [row["text"] for row in streamed] == ["second"]
    assert lines(db) == []


@pytest.mark.parametrize("outer", ["transaction", "snapshot"])
@pytest.mark.parametrize("inner", ["transaction", "snapshot"])
def test_a_transaction_within_one_of_the_same_thread_is_a_mistake(db: Database, outer: str, inner: str) -> None:
    with getattr(db, outer)(), pytest.raises(RuntimeError, match="already open"), getattr(db, inner)():
        pass
    assert lines(db) == []


def test_threads_one_after_the_other_share_a_connection(db: Database) -> None:
    for text in "abc":
        in_another_thread(partial(db.write, "INSERT INTO line VALUES (?)", (text,)))
    changed = db.tables.conn.total_changes
    assert changed == 3


def test_each_of_several_threads_at_once_has_a_connection_of_its_own(db: Database) -> None:
    together = Barrier(4)

    def look() -> int:
        with db.snapshot() as open_:
            together.wait(timeout=30)
            return id(open_)

    with ThreadPoolExecutor(4) as threads:
        looks = [threads.submit(look) for _ in range(4)]
    assert len({each.result() for each in looks}) == 4


def test_a_connection_that_cannot_roll_back_is_given_up(tmp_path: Path) -> None:
    def refuse(sql: str) -> None:
        if sql == "ROLLBACK":
            raise sqlite3.OperationalError("disk I/O error")

    with closing(WatchedDatabase(tmp_path / "some.db", before=refuse)) as db:
        db.write("CREATE TABLE line (text TEXT NOT NULL)")
        with pytest.raises(ZeroDivisionError), db.transaction() as open_:
            open_.execute("INSERT INTO line VALUES ('never')")
            raise ZeroDivisionError
        assert lines(db) == []
        with db.transaction() as open_:
            open_.execute("INSERT INTO line VALUES ('next')")
        assert lines(db) == ["next"]


def test_what_is_closed_opens_again_also_where_a_transaction_was_running(db: Database) -> None:
    with pytest.raises(StorageError), db.transaction() as open_:
        db.close()
        open_.execute("INSERT INTO line VALUES ('never')")
    assert lines(db) == []
    with db.transaction() as open_:
        open_.execute("INSERT INTO line VALUES ('next')")
    assert lines(db) == ["next"]


class Timer:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def held_by_another_program(db: Database) -> Iterator[None]:
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def impatient(tmp_path: Path, timer: Timer) -> Iterator[Database]:
    db = Database(tmp_path / "side.db", synchronous="NORMAL", patience_ms=20, monotonic=timer)
    db.write("CREATE TABLE line (text TEXT NOT NULL)")
    yield db
    db.close()


def write(db: Database) -> None:
    db.write("INSERT INTO line VALUES ('x')")


def insert(db: Database) -> None:
    db.insert("INSERT INTO line VALUES ('x')")


def transact(db: Database) -> None:
    with db.transaction() as open_:
        open_.execute("INSERT INTO line VALUES ('x')")


@pytest.mark.parametrize("act", [write, insert, transact], ids=lambda act: act.__name__)
def test_who_was_kept_waiting_by_another_program_leaves_the_file_alone_for_a_second(
    impatient: Database, timer: Timer, act: Callable[[Database], None]
) -> None:
    with held_by_another_program(impatient), pytest.raises(StorageError, match="locked"):
        act(impatient)
    timer.now += 0.9
    # The file is free by now: it is not even tried.
    for refused in (write, insert, transact):
        with pytest.raises(StorageError, match="by another program"):
            refused(impatient)
    assert lines(impatient) == []
    timer.now += 0.2
    act(impatient)
    assert lines(impatient) == ["x"]


def test_only_a_file_that_is_held_is_left_alone(impatient: Database) -> None:
    with pytest.raises(StorageError, match="NOT NULL"):
        impatient.write("INSERT INTO line VALUES (NULL)")
    write(impatient)
    assert lines(impatient) == ["x"]


def test_a_file_that_must_be_written_is_tried_again_at_once(db: Database) -> None:
    with (
        held_by_another_program(db),
        pytest.raises(StorageError, match="locked"),
        db.transaction(wait_ms=0),
    ):
        pass
    write(db)
    assert lines(db) == ["x"]


def in_another_thread(act: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()
