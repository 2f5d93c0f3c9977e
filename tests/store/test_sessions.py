"""Sessions end when they should, and nothing brings one back."""

from __future__ import annotations

import pytest

from openalgo_bridge.errors import NotFound
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.sessions import NewSession, Sessions
from tests.conftest import TRADER, FixedClock


@pytest.fixture
def sessions(db: Database, clock: FixedClock) -> Sessions:
    return Sessions(db, clock)


HASH = "$argon2id$"


@pytest.fixture(autouse=True)
def _user(db: Database) -> None:
    db.write("INSERT INTO user (id, username, password_hash, created_at) VALUES (1, 'trader', ?, 1)", (HASH,))


def start(sessions: Sessions, session: NewSession, *, replacing: int | None = None) -> int:
    """A session of who typed the right password; its number."""
    assert sessions.create(session, password_hash=HASH, replacing=replacing)
    return number_of(sessions, session.id_hash)


def number_of(sessions: Sessions, id_hash: bytes) -> int:
    found = sessions.load(id_hash)
    assert found is not None
    return found.number


def a_session(name: str = "a", *, program: str = "Firefox") -> NewSession:
    return NewSession(id_hash=name.encode(), content='{"n":1}', address="127.0.0.1", program=program)


def test_a_session_comes_back_as_it_was_saved(sessions: Sessions, clock: FixedClock) -> None:
    number = start(sessions, a_session())
    assert sessions.save(number, lambda content: '{"n":2}')
    found = sessions.load(b"a")
    assert found is not None
    assert (found.content, found.address, found.program) == ('{"n":2}', "127.0.0.1", "Firefox")
    assert found.created_at == found.seen_at == clock.now()


def test_an_unknown_id_is_no_session(sessions: Sessions) -> None:
    assert sessions.load(b"nobody") is None


def test_a_session_ends_after_twelve_hours_whatever_it_does(sessions: Sessions, clock: FixedClock) -> None:
    start(sessions, a_session())
    clock.move(hours=12, milliseconds=-1)
    found = sessions.load(b"a")
    assert found is not None
    sessions.touch(found)
    sessions.save(found.number, lambda content: "{}")
    clock.move(milliseconds=1)
    assert sessions.load(b"a") is None


def test_a_clock_that_is_set_back_does_not_lengthen_a_session(sessions: Sessions, clock: FixedClock) -> None:
    start(sessions, a_session())
    clock.move(minutes=-1)
    assert sessions.load(b"a") is not None, "a small correction"
    clock.move(hours=-1)
    assert sessions.load(b"a") is None


def test_a_slow_request_does_not_revive_a_session_after_logout(sessions: Sessions) -> None:
    number = start(sessions, a_session())
    sessions.delete(number)
    assert not sessions.save(number, lambda content: '{"n":2}')
    assert not sessions.save(number, str, new_id_hash=b"b")
    assert sessions.load(b"a") is None
    assert sessions.load(b"b") is None


def test_a_sign_in_kills_the_id_that_was_there_before(sessions: Sessions) -> None:
    planted = start(sessions, a_session("planted"))
    start(sessions, a_session("fresh"), replacing=planted)
    assert sessions.load(b"planted") is None
    assert sessions.load(b"fresh") is not None


def test_a_step_up_gets_a_new_id_but_no_longer_life(sessions: Sessions, clock: FixedClock) -> None:
    number = start(sessions, a_session("old"))
    clock.move(hours=11)
    assert sessions.save(number, str, new_id_hash=b"new")
    assert sessions.load(b"old") is None
    assert sessions.load(b"new") is not None
    clock.move(hours=1)
    assert sessions.load(b"new") is None


def test_an_expired_session_gets_no_new_id(sessions: Sessions, clock: FixedClock) -> None:
    number = start(sessions, a_session())
    clock.move(hours=12)
    assert not sessions.save(number, str, new_id_hash=b"b")


def test_seen_at_is_written_once_a_minute(sessions: Sessions, clock: FixedClock) -> None:
    start(sessions, a_session())
    started = clock.now()
    seen = []
    for _ in range(3):
        clock.move(seconds=30)
        found = sessions.load(b"a")
        assert found is not None
        sessions.touch(found)
        again = sessions.load(b"a")
        assert again is not None
        seen.append((again.seen_at - started).total_seconds())
    assert seen == [0, 60, 60]


def test_what_has_expired_is_pruned_and_nothing_else(sessions: Sessions, clock: FixedClock) -> None:
    start(sessions, a_session("old"))
    clock.move(hours=6)
    start(sessions, a_session("young"))
    clock.move(hours=6)
    assert sessions.prune() == 1
    assert sessions.prune() == 0
    assert sessions.load(b"young") is not None


def test_a_new_session_prunes_by_the_way(sessions: Sessions, clock: FixedClock) -> None:
    start(sessions, a_session("old"))
    clock.move(hours=12)
    start(sessions, a_session("young"))
    assert sessions.prune() == 0


def test_a_hostile_program_name_is_cut_and_kept_as_text(sessions: Sessions) -> None:
    start(sessions, a_session(program="\ud800" + "x " * 5_000))
    found = sessions.load(b"a")
    assert found is not None
    assert found.program == "?" + "x " * 99 + "x"


def test_a_key_in_a_program_name_is_taken_out(sessions: Sessions) -> None:
    key = new_key()
    start(sessions, a_session(program=f"script ({key})"))
    assert [each.program for each in sessions.all()] == ["script ([key])"]


def test_the_list_shows_the_living_ones_last_seen_first(sessions: Sessions, clock: FixedClock) -> None:
    start(sessions, a_session("old"))
    clock.move(hours=11)
    start(sessions, a_session("first"))
    clock.move(minutes=10)
    start(sessions, a_session("second"))
    clock.move(minutes=10)
    first = sessions.load(b"first")
    assert first is not None
    sessions.touch(first)
    assert [each.id_hash for each in sessions.all()] == [b"first", b"second", b"old"]
    clock.move(minutes=40)
    assert [each.id_hash for each in sessions.all()] == [b"first", b"second"]


def test_one_is_ended_by_its_number_and_the_list_says_so(sessions: Sessions, db: Database, clock: FixedClock) -> None:
    start(sessions, a_session("mine"))
    start(sessions, a_session("other", program="Chrome"))
    other = sessions.load(b"other")
    assert other is not None
    sessions.end(other.number, by=TRADER)
    assert [each.id_hash for each in sessions.all()] == [b"mine"]
    (line,) = AuditLog(db, clock).page()
    assert (line.event, line.actor, line.before) == (AuditEvent.SESSION_ENDED, TRADER, "127.0.0.1 Chrome")


def test_one_that_has_ended_is_not_found_and_leaves_no_line(
    sessions: Sessions, db: Database, clock: FixedClock
) -> None:
    start(sessions, a_session())
    with pytest.raises(NotFound):
        sessions.end(7, by=TRADER)
    assert len(sessions.all()) == 1
    assert AuditLog(db, clock).page() == []


@pytest.mark.parametrize(("keep", "left"), [(b"mine", [b"mine"]), (None, []), (b"unknown", [])])
def test_everywhere_else_is_everywhere_else(
    sessions: Sessions, db: Database, clock: FixedClock, keep: bytes | None, left: list[bytes]
) -> None:
    for name in ("mine", "a", "b"):
        start(sessions, a_session(name))
    kept = number_of(sessions, keep) if keep == b"mine" else 7 if keep else None
    assert sessions.end_others(kept, by=TRADER) == 3 - len(left)
    assert [each.id_hash for each in sessions.all()] == left
    (line,) = AuditLog(db, clock).page()
    assert (line.event, line.after) == (AuditEvent.SESSIONS_ENDED, str(3 - len(left)))


def test_the_number_of_an_ended_session_is_not_given_to_another(sessions: Sessions) -> None:
    # Else "End" on a page that was loaded before could end the session that took the number.
    start(sessions, a_session("mine"))
    start(sessions, a_session("other"))
    other = sessions.load(b"other")
    assert other is not None
    sessions.end(other.number, by=TRADER)
    start(sessions, a_session("new"))
    new = sessions.load(b"new")
    assert new is not None
    assert new.number != other.number


def test_a_session_shows_neither_its_id_nor_its_content(sessions: Sessions) -> None:
    start(sessions, a_session("canary"))
    found = sessions.load(b"canary")
    assert "canary" not in repr(found)
    assert '"n"' not in repr(found)


def test_a_logout_finds_the_session_whatever_its_id_is_by_now(sessions: Sessions) -> None:
    number = start(sessions, a_session("old"))
    assert sessions.save(number, str, new_id_hash=b"new")
    sessions.delete(number)
    assert sessions.all() == []


def test_who_was_checked_against_a_former_password_gets_no_session(sessions: Sessions, db: Database) -> None:
    planted = start(sessions, a_session("planted"))
    db.write("UPDATE user SET password_hash = '$other$'")
    assert not sessions.create(a_session("late"), password_hash=HASH, replacing=planted)
    assert sessions.all() == []
