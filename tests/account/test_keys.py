"""One key opens the API; only the password shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.password import hash_password
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, Denied, NotFound, StorageError
from openalgo_bridge.model.apikey import is_well_formed, new_key
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.machine_key import MachineKey
from tests.account.conftest import open_desk
from tests.conftest import CHEAP, TRADER, Account, FixedClock
from tests.model.test_apikey import ANY_TEXT

INVALID = "Invalid openalgo apikey"
HOSTILE = ["", "\x00", "\ud800" * 32, "é" * 32, "x" * 1_000_000, "0" * 64, "' OR 1=1 --", "\n"]


def refusal(desk: Desk, presented: str) -> str:
    with pytest.raises(BadApiKey) as refused:
        keys.verify(desk, presented)
    return refused.value.message


def test_the_key_of_the_account_is_verified(desk: Desk, account: Account) -> None:
    caller = keys.verify(desk, account.key)
    assert len(caller.fingerprint) == 12
    assert set(caller.fingerprint) <= set("0123456789abcdef")
    assert caller == keys.verify(desk, account.key)


def test_a_key_that_was_never_ours_is_refused_without_a_hint(desk: Desk, account: Account) -> None:
    assert refusal(desk, new_key()) == INVALID


def test_a_mistyped_key_is_told(desk: Desk, account: Account) -> None:
    mistyped = ("B" if account.key[0] != "B" else "C") + account.key[1:]
    assert refusal(desk, mistyped) == f"{INVALID}. The key looks mistyped."


def test_a_replaced_key_is_refused_on_the_very_next_call(desk: Desk, account: Account) -> None:
    assert keys.verify(desk, account.key)
    fresh = keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert refusal(desk, account.key) == f"{INVALID}. This key was replaced; use the new one."
    assert keys.verify(desk, fresh)
    assert is_well_formed(fresh)


def test_the_key_means_nothing_without_the_machine_key(desk: Desk, account: Account, tmp_path: Path) -> None:
    other = MachineKey.load_or_create(tmp_path / "other.key")
    assert refusal(replace(desk, store=replace(desk.store, machine_key=other)), account.key) == INVALID


def test_a_lost_machine_key_retires_the_key_and_says_so(
    desk: Desk, account: Account, settings: Settings, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert not keys.machine_key_was_replaced(desk)
    desk.close()
    (settings.db_dir / "machine.key").unlink()
    again = open_desk(settings, clock)
    assert "machine.key was lost or replaced" in caplog.text
    assert keys.machine_key_was_replaced(again)
    assert refusal(again, account.key) == INVALID
    with pytest.raises(NotFound, match="Generate one"):
        keys.view(again, Proof(password=account.password), by=TRADER)
    fresh = keys.issue(again, Proof(password=account.password), by=TRADER)
    assert not keys.machine_key_was_replaced(again)
    again.close()
    once_more = open_desk(settings, clock)
    assert keys.verify(once_more, fresh)
    assert caplog.text.count("machine.key") == 1
    once_more.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_key_is_refused_like_any_other(desk: Desk, account: Account, text: str) -> None:
    assert refusal(desk, text).startswith(INVALID)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT)
def test_no_text_makes_the_check_raise_anything_else(desk: Desk, text: str) -> None:
    assert refusal(desk, text).startswith(INVALID)


def test_a_broken_database_is_not_called_a_bad_key(desk: Desk, account: Account) -> None:
    desk.store.files[0].write("DROP TABLE api_key")
    with pytest.raises(StorageError):
        keys.verify(desk, account.key)


def test_the_password_shows_the_key(desk: Desk, account: Account) -> None:
    assert keys.view(desk, Proof(password=account.password), by=TRADER) == account.key
    fresh = keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert keys.view(desk, Proof(password=account.password), by=TRADER) == fresh


def test_the_password_shows_the_key_after_the_cost_of_new_hashes_changed(desk: Desk, account: Account) -> None:
    dearer = replace(desk, argon2=replace(CHEAP, iterations=2))
    assert keys.view(dearer, Proof(password=account.password), by=TRADER) == account.key
    fresh = keys.issue(dearer, Proof(password=account.password), by=TRADER)
    assert keys.view(desk, Proof(password=account.password), by=TRADER) == fresh


@pytest.mark.parametrize("cost", ["", "cheap", "m=64,t=0,p=1"])
def test_a_damaged_cost_is_no_wrong_password(desk: Desk, account: Account, cost: str) -> None:
    desk.store.files[0].write("UPDATE api_key SET cost = ?", (cost,))
    for _ in range(9):
        with pytest.raises(StorageError, match="damaged"):
            keys.view(desk, Proof(password=account.password), by=TRADER)


def test_a_wrong_password_shows_nothing(desk: Desk, account: Account) -> None:
    with pytest.raises(Denied, match="Wrong password"):
        keys.view(desk, Proof(password=account.password + "x"), by=TRADER)


def test_it_is_the_cryptography_that_refuses(desk: Desk, account: Account) -> None:
    # Whoever can write the database can put a password hash of their own there. It opens nothing.
    planted = "a planted password"
    desk.store.files[0].write("UPDATE user SET password_hash = ?", (hash_password(planted, CHEAP),))
    with pytest.raises(Denied):
        keys.view(desk, Proof(password=planted), by=TRADER)
    assert keys.view(desk, Proof(password=account.password), by=TRADER) == account.key


def test_a_wrong_password_replaces_nothing(desk: Desk, account: Account) -> None:
    with pytest.raises(Denied):
        keys.issue(desk, Proof(password="wrong password"), by=TRADER)
    assert keys.verify(desk, account.key)


def test_without_a_key_there_is_nothing_to_show(desk: Desk) -> None:
    with pytest.raises(NotFound, match="Generate one"):
        keys.view(desk, Proof(password="any password"), by=TRADER)


def test_where_no_copy_was_kept_it_cannot_be_shown_but_still_works(desk: Desk, account: Account) -> None:
    desk.store.files[0].write("UPDATE api_key SET sealed = NULL, wrapped_key = NULL, salt = NULL, cost = NULL")
    with pytest.raises(NotFound, match="No copy"):
        keys.view(desk, Proof(password=account.password), by=TRADER)
    assert keys.verify(desk, account.key)


@pytest.mark.parametrize("damage", [b"", b"\x01short", b"\x02" + b"x" * 60, b"\x01" + b"x" * 60])
def test_a_damaged_copy_is_told_apart_from_a_wrong_password(desk: Desk, account: Account, damage: bytes) -> None:
    desk.store.files[0].write("UPDATE api_key SET sealed = ?", (damage,))
    with pytest.raises(StorageError, match="damaged"):
        keys.view(desk, Proof(password=account.password), by=TRADER)


def test_the_cells_of_two_keys_cannot_be_swapped(desk: Desk, account: Account) -> None:
    first = desk.store.api_keys.active()
    keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert first is not None
    assert first.key.copy is not None
    old = first.key.copy
    desk.store.files[0].write(
        "UPDATE api_key SET sealed = ?, wrapped_key = ?, salt = ? WHERE retired_at IS NULL",
        (old.sealed, old.wrapped_key, old.salt),
    )
    with pytest.raises(Denied):
        keys.view(desk, Proof(password=account.password), by=TRADER)


def test_two_copies_of_one_key_share_no_bytes(desk: Desk) -> None:
    made = [keys.make(desk.store.machine_key, "the same password", CHEAP) for _ in range(2)]
    copies = [fresh.row.copy for fresh in made]
    assert copies[0] is not None
    assert copies[1] is not None
    assert copies[0].salt != copies[1].salt
    assert copies[0].wrapped_key[1:13] != copies[1].wrapped_key[1:13]
    assert made[0].text not in repr(made[0])
