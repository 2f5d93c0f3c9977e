"""One user, made together with the first key or not at all."""

from __future__ import annotations

import pytest

from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.store.api_keys import ApiKeys, SealedKey
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.users import Users
from tests.conftest import FixedClock


def a_key(number: int = 1) -> SealedKey:
    lookup = bytes([number]) * 32
    return SealedKey(lookup=lookup, fingerprint=lookup.hex()[:12], machine_mark=b"m" * 32, copy=None)


def test_a_fresh_bridge_has_no_user(db: Database, clock: FixedClock) -> None:
    assert Users(db, clock).get() is None


def test_the_user_is_there_with_the_moment_the_risk_was_accepted(db: Database, clock: FixedClock) -> None:
    Users(db, clock).create(username="trader", password_hash="$argon2id$", key=a_key())
    user = Users(db, clock).get()
    assert user is not None
    assert (user.username, user.password_hash) == ("trader", "$argon2id$")
    assert user.created_at == user.risk_accepted_at == clock.now()
    assert "$argon2id$" not in repr(user)


def test_a_second_user_is_a_conflict_and_changes_nothing(db: Database, clock: FixedClock) -> None:
    users, keys = Users(db, clock), ApiKeys(db, clock)
    users.create(username="first", password_hash="1", key=a_key(1))
    with pytest.raises(Conflict):
        users.create(username="second", password_hash="2", key=a_key(2))
    user, active = users.get(), keys.active()
    assert user is not None
    assert active is not None
    assert (user.username, active.key) == ("first", a_key(1))


def test_when_the_key_cannot_be_written_there_is_no_user_either(db: Database, clock: FixedClock) -> None:
    ApiKeys(db, clock).replace(a_key(1))  # a second active key breaks the index
    with pytest.raises(StorageError):
        Users(db, clock).create(username="trader", password_hash="1", key=a_key(2))
    assert Users(db, clock).get() is None
