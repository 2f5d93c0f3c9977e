"""One key in force; the ones before it are known, but their copies are gone."""

from __future__ import annotations

import threading

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.api_keys import ApiKeys, KeyCopy, SealedKey
from openalgo_bridge.store.database import Database
from tests.conftest import TRADER, FixedClock


@pytest.fixture
def keys(db: Database, clock: FixedClock) -> ApiKeys:
    return ApiKeys(db, clock)


MARK = b"m" * 32


def a_key(number: int, *, copied: bool = True, mark: bytes = MARK) -> SealedKey:
    lookup = bytes([number]) * 32
    copy = KeyCopy(sealed=b"sealed", wrapped_key=b"wrapped", salt=b"salt", cost="m=64,t=1,p=1")
    return SealedKey(lookup=lookup, fingerprint=lookup.hex()[:12], machine_mark=mark, copy=copy if copied else None)


def test_a_fresh_bridge_has_no_key(keys: ApiKeys) -> None:
    assert keys.active() is None
    assert keys.find(b"1" * 32) is None


@pytest.mark.parametrize("copied", [True, False])
def test_the_active_key_comes_back_as_it_was_written(keys: ApiKeys, clock: FixedClock, copied: bool) -> None:
    keys.replace(a_key(1, copied=copied))
    active = keys.active()
    assert active is not None
    assert active.key == a_key(1, copied=copied)
    assert active.created_at == clock.now()


def test_replacing_retires_the_former_key_and_forgets_its_copy(keys: ApiKeys, db: Database) -> None:
    keys.replace(a_key(1))
    keys.replace(a_key(2))
    former, current = keys.find(a_key(1).lookup), keys.find(a_key(2).lookup)
    assert former is not None
    assert current is not None
    assert (former.is_retired, current.is_retired) == (True, False)
    kept = db.read("SELECT sealed, wrapped_key, salt, cost FROM api_key WHERE retired_at IS NOT NULL")
    assert [tuple(row) for row in kept] == [(None, None, None, None)]


def test_when_the_new_key_cannot_be_written_the_former_stays_in_force(keys: ApiKeys) -> None:
    keys.replace(a_key(1))
    keys.replace(a_key(2))
    with pytest.raises(StorageError):
        keys.replace(a_key(1))  # its keyed hash is taken
    active = keys.active()
    assert active is not None
    assert active.key == a_key(2)


def test_a_key_made_under_another_machine_key_is_retired_once(keys: ApiKeys, db: Database) -> None:
    assert not keys.retire_foreign(MARK, by=TRADER)
    assert not keys.is_foreign(MARK)
    keys.replace(a_key(1, mark=b"o" * 32))
    assert [keys.retire_foreign(MARK, by=TRADER) for _ in range(2)] == [True, False]
    assert keys.active() is None
    assert keys.is_foreign(MARK), "also after it was retired: there is no other key yet"
    kept = db.read("SELECT sealed, wrapped_key, salt, cost FROM api_key")
    assert [tuple(row) for row in kept] == [(None, None, None, None)]


def test_a_key_made_under_this_machine_key_stays(keys: ApiKeys) -> None:
    keys.replace(a_key(1, mark=b"o" * 32))
    keys.replace(a_key(2))
    assert not keys.retire_foreign(MARK, by=TRADER)
    assert not keys.is_foreign(MARK)
    assert keys.active() is not None


def test_keys_replaced_at_once_leave_one_in_force(keys: ApiKeys, db: Database) -> None:
    barrier = threading.Barrier(8)

    def replace(number: int) -> None:
        barrier.wait()
        keys.replace(a_key(number))

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = db.read("SELECT retired_at IS NULL AS active, count(*) AS n FROM api_key GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(0, 7), (1, 1)]


def test_half_a_copy_cannot_be_written(db: Database) -> None:
    with pytest.raises(StorageError):
        db.write(
            "INSERT INTO api_key (lookup, fingerprint, machine_mark, sealed, wrapped_key, salt, created_at)"
            " VALUES (x'00', 'f', x'01', x'02', x'03', x'04', 1)"
        )
