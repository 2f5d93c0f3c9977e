"""One user, made together with the first key or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.store.api_keys import ApiKeys, SealedKey
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.users import NewUser, Users
from openalgo_bridge.store.vault import Vault, Wrapped
from tests.conftest import TRADER, FixedClock


def a_key(number: int = 1) -> SealedKey:
    lookup = bytes([number]) * 32
    return SealedKey(lookup=lookup, fingerprint=lookup.hex()[:12], machine_mark=b"m" * 32, sealed=None)


def a_user(name: str = "trader", key: int = 1) -> NewUser:
    vault = Wrapped(wrapped_key=b"wrapped", salt=b"salt", cost="m=64,t=1,p=1", place="vault|wrapped_key|1")
    return NewUser(username=name, password_hash="$argon2id$", risk_version="v1", key=a_key(key), vault=vault)


def test_a_fresh_bridge_has_no_user(db: Database, clock: FixedClock) -> None:
    assert Users(db, clock).get() is None


def test_the_user_is_there_with_the_moment_the_risk_was_accepted(db: Database, clock: FixedClock) -> None:
    Users(db, clock).create(a_user(), by=TRADER)
    user = Users(db, clock).get()
    assert user is not None
    assert (user.username, user.password_hash) == ("trader", "$argon2id$")
    assert user.created_at == user.risk_accepted_at == clock.now()
    assert "$argon2id$" not in repr(user)


def test_a_second_user_is_a_conflict_and_changes_nothing(db: Database, clock: FixedClock) -> None:
    users, keys = Users(db, clock), ApiKeys(db, clock)
    users.create(a_user("first"), by=TRADER)
    with pytest.raises(Conflict):
        users.create(a_user("second", key=2), by=TRADER)
    user, active = users.get(), keys.active()
    assert user is not None
    assert active is not None
    assert (user.username, active.key) == ("first", a_key(1))


def test_when_the_key_cannot_be_written_there_is_no_user_either(db: Database, clock: FixedClock) -> None:
    ApiKeys(db, clock).replace(a_key(1), by=TRADER)  # a second active key breaks the index
    with pytest.raises(StorageError):
        Users(db, clock).create(a_user(key=2), by=TRADER)
    assert Users(db, clock).get() is None
    assert Vault(db).get() is None


def test_a_new_password_and_its_wrapping_are_one_commit(db: Database, clock: FixedClock) -> None:
    users = Users(db, clock)
    users.create(a_user(), by=TRADER)
    other = replace(a_user().vault, wrapped_key=b"other")
    db.write("CREATE TRIGGER full BEFORE INSERT ON vault BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StorageError):
        users.change_password("$new$", other, keep_session=None, by=TRADER)
    user = users.get()
    assert user is not None
    assert (user.password_hash, Vault(db).get()) == ("$argon2id$", a_user().vault)
    db.write("DROP TRIGGER full")
    users.change_password("$new$", other, keep_session=None, by=TRADER)
    user = users.get()
    assert user is not None
    assert (user.password_hash, Vault(db).get()) == ("$new$", other)


def test_set_up_tells_the_audit_list_which_warning_was_accepted(db: Database, clock: FixedClock) -> None:
    Users(db, clock).create(a_user(), by=TRADER)
    told = {entry.event: entry.after for entry in AuditLog(db, clock).page()}
    assert told[AuditEvent.RISK_ACCEPTED] == "v1"
    assert set(told) == {AuditEvent.ACCOUNT_MADE, AuditEvent.RISK_ACCEPTED, AuditEvent.KEY_GENERATED}
