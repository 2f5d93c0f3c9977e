"""The audit list tells of every change, cannot be changed by the way, and shows where somebody did."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.store.audit import AuditLog, BrokenLine
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.preferences import Preferences
from openalgo_bridge.store.sessions import NewSession, Sessions
from openalgo_bridge.store.users import Users
from openalgo_bridge.store.vault import Vault, Wrapped
from tests.conftest import TRADER, FixedClock

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(db: Database, clock: FixedClock) -> AuditLog:
    return AuditLog(db, clock)


@pytest.fixture
def ten(log: AuditLog, clock: FixedClock) -> AuditLog:
    """Ten lines, a minute apart."""
    for number in range(1, 11):
        clock.move(minutes=1)
        log.add(TRADER, AuditEvent.KEY_SHOWN, after=f"key {number}")
    return log


def tamper(db: Database, *statements: str) -> None:
    """What somebody with a database program can do, who takes the triggers away and puts them back."""
    with sqlite3.connect(db.path) as raw:
        triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
        kept = triggers.fetchall()
        assert kept
        for name, _ in kept:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        for _, sql in kept:
            raw.execute(sql)
    raw.close()


def test_a_line_says_who_did_what_from_where_and_from_what_to_what(log: AuditLog, clock: FixedClock) -> None:
    log.add(TRADER, AuditEvent.ORDER_MODE, before="auto", after="semi_auto")
    (line,) = log.page()
    assert (line.id, line.at, line.actor) == (1, clock.now(), TRADER)
    assert (line.event, line.before, line.after) == (AuditEvent.ORDER_MODE, "auto", "semi_auto")


def test_an_empty_list_is_whole(log: AuditLog) -> None:
    assert log.page() == []
    assert log.count() == 0
    assert log.first_broken() is None


def test_the_list_is_paged_newest_first_and_by_kind(ten: AuditLog) -> None:
    ten.add(TRADER, AuditEvent.SIGNED_IN)
    assert [line.id for line in ten.page(limit=3)] == [11, 10, 9]
    assert [line.id for line in ten.page(before=9, limit=3)] == [8, 7, 6]
    assert [line.id for line in ten.page(limit=3, event=AuditEvent.SIGNED_IN)] == [11]
    assert [line.id for line in ten.page(before=9, limit=2, event=AuditEvent.KEY_SHOWN)] == [8, 7]
    assert ten.has(AuditEvent.SIGNED_IN)
    assert not ten.has(AuditEvent.PASSWORD_RESET)
    assert ten.count() == 11


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET after = 'another' WHERE id = 4",
        "DELETE FROM audit WHERE id = 4",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT id, at, actor, address, program, event, before, 'x', digest FROM audit",
    ],
)
def test_no_statement_changes_or_deletes_a_line(ten: AuditLog, db: Database, statement: str) -> None:
    before = ten.page()
    with pytest.raises(StorageError, match="append-only"):
        db.write(statement)
    assert ten.page() == before
    assert ten.first_broken() is None


@pytest.mark.parametrize(
    "column",
    [
        "at = at + 1",
        "actor = 'nobody'",
        "address = ''",
        "program = ''",
        "event = 'signed in'",
        "before = 'x'",
        "after = 'key 40'",
        "digest = zeroblob(32)",
        "digest = randomblob(32)",
    ],
)
def test_an_altered_line_is_named(ten: AuditLog, db: Database, column: str) -> None:
    tamper(db, f"UPDATE audit SET {column} WHERE id = 4")
    assert ten.first_broken() == BrokenLine(id=4, why="it was altered")


def test_a_line_cannot_swap_text_between_its_fields(log: AuditLog, db: Database) -> None:
    log.add(TRADER, AuditEvent.KEY_NAMED, before="ab", after="c")
    tamper(db, "UPDATE audit SET before = 'a', after = 'bc'")
    assert log.first_broken() == BrokenLine(id=1, why="it was altered")


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_deleted_line_is_named(ten: AuditLog, db: Database, number: int) -> None:
    tamper(db, f"DELETE FROM audit WHERE id = {number}")
    assert ten.first_broken() == BrokenLine(id=number, why="it is missing")


@pytest.mark.parametrize("first", [1, 8, 10])
def test_lines_cut_off_at_the_end_are_missed_for_ever(ten: AuditLog, db: Database, first: int) -> None:
    tamper(db, f"DELETE FROM audit WHERE id >= {first}")
    assert ten.first_broken() == BrokenLine(id=first, why="it is missing")
    for _ in range(12):
        ten.add(TRADER, AuditEvent.SIGNED_IN)
    assert ten.first_broken() == BrokenLine(id=first, why="it is missing"), "new lines do not fill the gap"


def test_a_line_put_in_is_named(ten: AuditLog, db: Database) -> None:
    columns = "at, actor, address, program, event, before, after, digest"
    tamper(
        db,
        f"CREATE TABLE kept AS SELECT id + (id >= 5) AS id, {columns} FROM audit",
        "DELETE FROM audit",
        f"INSERT INTO audit (id, {columns}) SELECT id, {columns} FROM kept",
        f"INSERT INTO audit (id, {columns}) SELECT 5, {columns} FROM kept WHERE id = 4",
    )
    assert [line.id for line in ten.page(limit=7)] == [11, 10, 9, 8, 7, 6, 5]
    assert ten.first_broken() == BrokenLine(id=5, why="it was altered")


def test_a_line_put_in_at_the_end_is_named(ten: AuditLog, db: Database) -> None:
    columns = "at, actor, address, program, event, before, after, digest"
    db.write(f"INSERT INTO audit ({columns}) SELECT {columns} FROM audit WHERE id = 10")
    assert ten.first_broken() == BrokenLine(id=11, why="it was altered")


def test_reordered_lines_are_named(ten: AuditLog, db: Database) -> None:
    tamper(
        db,
        "UPDATE audit SET id = 99 WHERE id = 4",
        "UPDATE audit SET id = 4 WHERE id = 7",
        "UPDATE audit SET id = 7 WHERE id = 99",
    )
    assert ten.first_broken() == BrokenLine(id=4, why="it was altered")


def test_a_lost_counter_neither_breaks_the_chain_nor_the_next_line(ten: AuditLog, db: Database) -> None:
    tamper(db, "DELETE FROM sqlite_sequence WHERE name = 'audit'")
    assert ten.first_broken() is None
    ten.add(TRADER, AuditEvent.SIGNED_IN)
    assert ten.page(limit=1)[0].id == 11
    assert ten.first_broken() is None


def test_threads_that_write_at_once_leave_an_unbroken_chain(log: AuditLog) -> None:
    with ThreadPoolExecutor(max_workers=8) as threads:
        written = [threads.submit(log.add, TRADER, AuditEvent.SIGNED_IN, after=str(number)) for number in range(200)]
        checks = [threads.submit(log.first_broken) for _ in range(40)]
        for each in written:
            each.result()
        assert {each.result() for each in checks} == {None}, "a line that arrives while it is checked is no fault"
    assert log.count() == 200
    assert {line.after for line in log.page(limit=300)} == {str(number) for number in range(200)}
    assert log.first_broken() is None


def test_two_processes_write_one_chain(log: AuditLog, db: Database) -> None:
    program = """
import sys
from pathlib import Path
from openalgo_bridge.clock import Clock
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
db = Database(Path(sys.argv[1]), synchronous="NORMAL")
log = AuditLog(db, Clock())
for _ in range(50):
    log.add(Actor(name="run.py"), AuditEvent.ORDER_MODE)
db.close()
"""
    other = subprocess.Popen([sys.executable, "-c", program, str(db.path)], cwd=PROJECT)
    for _ in range(50):
        log.add(TRADER, AuditEvent.SIGNED_IN)
    assert other.wait(timeout=60) == 0
    assert log.count() == 100
    assert log.first_broken() is None


def test_nothing_secret_gets_into_a_line(log: AuditLog, db: Database) -> None:
    key = new_key()
    mistyped = ("a" if key[0] != "a" else "b") + key[1:]
    for secret in (key, mistyped, f"x{key}y"):
        by = Actor(name=f"n {secret}", address=secret, program=f"script/1.0 ({secret})")
        log.add(by, AuditEvent.KEY_SHOWN, before=secret, after=f"to {secret}")
    db.close()
    written = b"".join(path.read_bytes() for path in db.path.parent.iterdir())
    assert key[1:].encode() not in written
    assert "[key]" in log.page()[-1].actor.program


def test_any_text_becomes_a_line_and_a_long_one_is_cut_visibly(log: AuditLog) -> None:
    log.add(Actor(name="\ud800", program="\0\x1b[31m"), AuditEvent.KEY_NAMED, before="an " * 4000, after="ab " * 1000)
    (line,) = log.page()
    assert (line.actor.name, line.actor.program) == ("?", "\0\x1b[31m")
    assert len(line.before) == 4000
    assert line.before.endswith("…")
    assert line.after == "ab " * 1000
    assert log.first_broken() is None


def test_an_event_of_a_later_version_is_still_shown(log: AuditLog, db: Database) -> None:
    log.add(TRADER, AuditEvent.SIGNED_IN)
    tamper(db, "UPDATE audit SET event = 'moon landed'")
    assert log.page()[0].event == "moon landed"


# One commit


@dataclass(frozen=True)
class Everything:
    """What can be changed with a line in the list."""

    db: Database
    users: Users
    sessions: Sessions
    preferences: Preferences


@pytest.fixture
def everything(db: Database, clock: FixedClock) -> Everything:
    store = Everything(db, Users(db, clock), Sessions(db, clock), Preferences(db, clock))
    db.write("INSERT INTO user (id, username, password_hash, created_at) VALUES (1, 'trader', 'old', 1)")
    for name in (b"mine", b"other"):
        session = NewSession(id_hash=name, content="{}", address="127.0.0.1", program="Firefox")
        assert store.sessions.create(session, password_hash="old")
    return store


def a_wrapping() -> Wrapped:
    return Wrapped(wrapped_key=b"new", salt=b"s", cost="m=64,t=1,p=1", place="vault|wrapped_key|1")


def number_of(sessions: Sessions, id_hash: bytes) -> int:
    found = sessions.load(id_hash)
    assert found is not None
    return found.number


def contents(db: Database) -> dict[str, list[tuple[object, ...]]]:
    names = [row["name"] for row in db.read("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [tuple(row) for row in db.read(f"SELECT * FROM {name}")] for name in names}


CHANGES: dict[str, Callable[[Everything], object]] = {
    "ending a session": lambda store: store.sessions.end(number_of(store.sessions, b"other"), by=TRADER),
    "ending all others": lambda store: store.sessions.end_others(number_of(store.sessions, b"mine"), by=TRADER),
    "the order mode": lambda store: store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER),
    "a new password": lambda store: store.users.change_password(
        "new", a_wrapping(), keep_session=number_of(store.sessions, b"mine"), by=TRADER
    ),
    "a reset": lambda store: store.users.reset_password("new", a_wrapping(), opens_copies=False, by=TRADER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_whose_line_cannot_be_written_is_not_made(everything: Everything, change: str) -> None:
    db = everything.db
    db.write("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    before = contents(db)
    with pytest.raises(StorageError, match="disk full"):
        CHANGES[change](everything)
    assert contents(db) == before
    db.write("DROP TRIGGER full")
    CHANGES[change](everything)
    assert contents(db) != before
    assert AuditLog(db, FixedClock()).count() == 1


def test_a_death_between_the_change_and_the_end_leaves_neither(everything: Everything) -> None:
    program = """
import os, sys
from pathlib import Path
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database
db = Database(Path(sys.argv[1]), synchronous="FULL")
with db.transaction() as open_one:
    open_one.execute("DELETE FROM session")
    audit.append(open_one, 1, Actor(name="dead"), AuditEvent.SESSIONS_ENDED)
    os._exit(9)
"""
    before = contents(everything.db)
    dead = subprocess.run([sys.executable, "-c", program, str(everything.db.path)], cwd=PROJECT, timeout=60)
    assert dead.returncode == 9
    assert contents(everything.db) == before


def test_the_vault_is_what_the_new_password_made(everything: Everything) -> None:
    mine = number_of(everything.sessions, b"mine")
    everything.users.change_password("new", a_wrapping(), keep_session=mine, by=TRADER)
    user = everything.users.get()
    assert user is not None
    assert user.password_hash == "new"
    assert Vault(everything.db).get() == a_wrapping()
    assert [each.id_hash for each in everything.sessions.all()] == [b"mine"]
