"""Where the authenticator and its codes are kept: what is decided there is decided once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.sessions import NewSession, Sessions
from openalgo_bridge.store.two_factor import RecoveryCode, TwoFactors, place_of
from openalgo_bridge.store.vault import Wrapped
from tests.conftest import TRADER, FixedClock


@pytest.fixture
def two_factors(db: Database, clock: FixedClock) -> TwoFactors:
    return TwoFactors(db, clock)


def a_code(id_: str) -> RecoveryCode:
    wrapped = Wrapped(wrapped_key=b"wrapped", salt=b"salt", cost="m=64,t=1,p=1", place=place_of(id_))
    return RecoveryCode(id=id_, wrapped=wrapped)


def set_up(two_factors: TwoFactors, *ids: str, step: int = 100) -> None:
    two_factors.begin(b"sealed")
    two_factors.set_up(b"sealed", step, [a_code(id_) for id_ in ids], by=TRADER)


def test_at_first_nothing_is_set_up(two_factors: TwoFactors) -> None:
    found = two_factors.get()
    assert (found.is_set_up, found.at_login, found.for_credentials, found.set_up_at) == (False, False, False, None)


def test_a_set_up_takes_the_pending_secret_and_forgets_that_it_was_pending(
    two_factors: TwoFactors, clock: FixedClock
) -> None:
    set_up(two_factors, "AAAA")
    found = two_factors.get()
    assert (found.secret, found.pending, found.last_step) == (b"sealed", None, 100)
    assert (found.at_login, found.for_credentials, found.set_up_at) == (True, True, clock.now())


def test_a_set_up_of_another_secret_changes_nothing(two_factors: TwoFactors) -> None:
    set_up(two_factors, "AAAA")
    two_factors.begin(b"newer")
    before = (two_factors.get(), two_factors.recovery_codes())
    with pytest.raises(Conflict):
        two_factors.set_up(b"older", 200, [a_code("BBBB")], by=TRADER)
    assert (two_factors.get(), two_factors.recovery_codes()) == before


@pytest.mark.parametrize(("step", "is_new"), [(99, False), (100, False), (101, True)])
def test_a_step_counts_when_it_is_later_than_the_last(two_factors: TwoFactors, step: int, is_new: bool) -> None:
    set_up(two_factors)
    assert two_factors.use_step(step) is is_new
    assert two_factors.get().last_step == max(step, 100)


def test_another_set_up_never_goes_back_to_an_earlier_step(two_factors: TwoFactors) -> None:
    set_up(two_factors, step=100)
    set_up(two_factors, step=50)
    assert two_factors.get().last_step == 100


def test_of_eight_threads_with_one_step_one_wins(two_factors: TwoFactors) -> None:
    set_up(two_factors)
    barrier, won = threading.Barrier(8), list[bool]()

    def race() -> None:
        barrier.wait()
        won.append(two_factors.use_step(101))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


@pytest.mark.parametrize("event", [AuditEvent.LOGIN_CODE, AuditEvent.CREDENTIALS_CODE])
def test_each_switch_is_its_own_and_needs_an_authenticator(
    two_factors: TwoFactors, db: Database, clock: FixedClock, event: AuditEvent
) -> None:
    with pytest.raises(Conflict):
        two_factors.switch(event, is_on=True, by=TRADER)
    set_up(two_factors)
    two_factors.switch(event, is_on=False, by=TRADER)
    found = two_factors.get()
    assert (found.at_login, found.for_credentials) == (
        event is not AuditEvent.LOGIN_CODE,
        event is not AuditEvent.CREDENTIALS_CODE,
    )
    line = AuditLog(db, clock).page(limit=1)[0]
    assert (line.event, line.after, line.actor) == (event, "off", TRADER)


def test_a_recovery_code_is_used_once_and_its_wrapping_is_gone(two_factors: TwoFactors, clock: FixedClock) -> None:
    set_up(two_factors, "AAAA", "BBBB")
    assert two_factors.use_recovery_code("AAAA", by=TRADER)
    assert not two_factors.use_recovery_code("AAAA", by=TRADER)
    assert not two_factors.use_recovery_code("ZZZZ", by=TRADER)
    used, unused = two_factors.recovery_codes()
    assert (used.used_at, used.wrapped.wrapped_key) == (clock.now(), b"")
    assert unused == replace(a_code("BBBB"), made_at=clock.now())


def test_sessions_end_with_the_code_only_where_that_is_asked(
    two_factors: TwoFactors, db: Database, clock: FixedClock
) -> None:
    set_up(two_factors, "AAAA", "BBBB")
    sessions = Sessions(db, clock)
    db.write("INSERT INTO user (id, username, password_hash, created_at) VALUES (1, 'trader', 'hash', 1)")
    session = NewSession(id_hash=b"one", content="{}", address="", program="")
    assert sessions.create(session, password_hash="hash")
    two_factors.use_recovery_code("AAAA", by=TRADER)
    assert len(sessions.all()) == 1
    assert not two_factors.use_recovery_code("AAAA", by=TRADER, ends_sessions=True)
    assert len(sessions.all()) == 1, "a used code ends nothing"
    two_factors.use_recovery_code("BBBB", by=TRADER, ends_sessions=True)
    assert sessions.all() == []


def test_new_codes_take_the_place_of_unused_ones_and_used_ones_stay_on_record(two_factors: TwoFactors) -> None:
    set_up(two_factors, "AAAA", "BBBB")
    two_factors.use_recovery_code("AAAA", by=TRADER)
    two_factors.replace_recovery_codes([a_code("CCCC")], by=TRADER)
    assert [code.id for code in two_factors.recovery_codes()] == ["AAAA", "CCCC"]
    set_up(two_factors, "DDDD")
    assert [code.id for code in two_factors.recovery_codes()] == ["DDDD"]


def test_a_removal_keeps_the_last_step_alone(two_factors: TwoFactors) -> None:
    set_up(two_factors, "AAAA")
    two_factors.begin(b"pending")
    two_factors.remove(by=TRADER)
    found = two_factors.get()
    assert (found.secret, found.pending, found.at_login, found.for_credentials) == (None, None, False, False)
    assert found.last_step == 100
    assert two_factors.recovery_codes() == []


def test_an_adopted_authenticator_stands_as_it_stood_with_the_age_of_its_codes(
    two_factors: TwoFactors, clock: FixedClock
) -> None:
    set_up(two_factors, "AAAA")
    other, codes = (
        replace(two_factors.get(), secret=b"other", last_step=1, at_login=False),
        two_factors.recovery_codes(),
    )
    clock.move(days=1)
    two_factors.begin(b"shown and never confirmed")
    two_factors.use_step(1 << 40)
    two_factors.adopt(other, [replace(codes[0], id="BBBB")], by=TRADER)
    assert two_factors.get() == replace(other, last_step=1 << 40)
    (code,) = two_factors.recovery_codes()
    assert (code.id, code.made_at) == ("BBBB", codes[0].made_at)
