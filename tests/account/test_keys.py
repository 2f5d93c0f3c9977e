"""One key opens the API; only the password shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from openalgo_bridge.account import key_rules, keys, vault
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.password import hash_password
from openalgo_bridge.account.sealing import seal
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, Denied, Invalid, NotFound, StorageError
from openalgo_bridge.model.address import THIS_PC, AddressRule
from openalgo_bridge.model.apikey import is_well_formed, new_key
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.permission import PRESETS, Permission, Preset
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import schema
from openalgo_bridge.store.api_keys import KeyRules
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.machine_key import APIKEY_LOOKUP, MachineKey
from openalgo_bridge.store.preferences import KeyCopy
from tests.account.conftest import open_desk
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock
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


def test_a_key_that_was_never_ours_is_refused_with_a_hint_that_tells_nothing(desk: Desk, account: Account) -> None:
    told = {refusal(desk, new_key()) for _ in range(5)}
    assert told == {f"{INVALID}. Copy the key of this bridge from its API key page."}


def test_a_mistyped_key_is_told(desk: Desk, account: Account) -> None:
    mistyped = ("B" if account.key[0] != "B" else "C") + account.key[1:]
    assert refusal(desk, mistyped) == f"{INVALID}. The key looks mistyped. Copy it again."


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (lambda key: key[:16] + " " + key[16:], "The key has spaces or line breaks inside. Copy it again."),
        (lambda key: key[:16] + "\n" + key[16:], "The key has spaces or line breaks inside. Copy it again."),
        (lambda key: key[:-1], "The key has 31 characters instead of 32. Copy it again."),
        (lambda key: f'"{key}"', "The key has 34 characters instead of 32. Copy it again."),
    ],
)
def test_a_badly_copied_key_is_told_how(desk: Desk, account: Account, spoil: Callable[[str], str], hint: str) -> None:
    assert refusal(desk, spoil(account.key)) == f"{INVALID}. {hint}"


def test_a_replaced_key_is_refused_on_the_very_next_call(desk: Desk, account: Account) -> None:
    assert keys.verify(desk, account.key)
    fresh = keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert (
        refusal(desk, account.key) == f"{INVALID}. This key was regenerated on 2026-11-21 10:30 IST; use the new one."
    )
    assert keys.verify(desk, fresh)
    assert is_well_formed(fresh)


def test_the_key_means_nothing_without_the_machine_key(desk: Desk, account: Account, tmp_path: Path) -> None:
    other = MachineKey.load_or_create(tmp_path / "other.key")
    assert refusal(replace(desk, store=replace(desk.store, machine_key=other)), account.key).startswith(INVALID)


def test_a_lost_machine_key_retires_the_key_and_says_so(
    desk: Desk, account: Account, settings: Settings, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert not keys.machine_key_was_replaced(desk)
    desk.close()
    (settings.db_dir / "machine.key").unlink()
    again = open_desk(settings, clock)
    assert "machine.key was lost or replaced" in caplog.text
    assert keys.machine_key_was_replaced(again)
    assert refusal(again, account.key).startswith(f"{INVALID}. Copy the key")
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
    desk.store.files[0].write("UPDATE vault SET cost = ?", (cost,))
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
    desk.store.files[0].write("UPDATE api_key SET sealed = NULL")
    with pytest.raises(NotFound, match="No copy"):
        keys.view(desk, Proof(password=account.password), by=TRADER)
    assert keys.verify(desk, account.key)


@pytest.mark.parametrize("damage", [b"", b"\x01short", b"\x02" + b"x" * 60, b"\x01" + b"x" * 60])
def test_a_damaged_copy_is_told_apart_from_a_wrong_password(desk: Desk, account: Account, damage: bytes) -> None:
    desk.store.files[0].write("UPDATE api_key SET sealed = ?", (damage,))
    with pytest.raises(StorageError, match="damaged"):
        keys.view(desk, Proof(password=account.password), by=TRADER)


def test_the_copies_of_two_keys_cannot_be_swapped(desk: Desk, account: Account) -> None:
    first = desk.store.api_keys.active()
    keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert first is not None
    desk.store.files[0].write("UPDATE api_key SET sealed = ? WHERE retired_at IS NULL", (first.key.sealed,))
    with pytest.raises(StorageError, match="damaged"):
        keys.view(desk, Proof(password=account.password), by=TRADER)


def test_a_wrapping_of_another_place_opens_nothing(desk: Desk, account: Account) -> None:
    desk.store.files[0].write("UPDATE vault SET place = 'recovery_code|wrapped_key|AAAA|1'")
    with pytest.raises(Denied):
        keys.view(desk, Proof(password=account.password), by=TRADER)


def test_two_wrappings_of_one_vault_key_share_no_bytes() -> None:
    vault_key = vault.new_key()
    first, second = (vault.wrap(vault_key, "the same password", CHEAP) for _ in range(2))
    assert first.salt != second.salt
    assert first.wrapped_key[1:13] != second.wrapped_key[1:13]
    assert vault.opens(first, "the same password") == vault.opens(second, "the same password") == vault_key
    assert vault.opens(first, "another password") is None


def test_a_revoked_key_is_refused_on_the_very_next_call_and_says_when(desk: Desk, account: Account) -> None:
    keys.revoke(desk, Proof(password=account.password), by=TRADER)
    told = f"{INVALID}. This key was revoked on 2026-11-21 10:30 IST; generate a new one."
    assert refusal(desk, account.key) == told
    with pytest.raises(NotFound):
        keys.revoke(desk, Proof(password=account.password), by=TRADER)
    assert keys.verify(desk, keys.issue(desk, Proof(password=account.password), by=TRADER))


def test_a_wrong_password_revokes_nothing(desk: Desk, account: Account) -> None:
    with pytest.raises(Denied):
        keys.revoke(desk, Proof(password="wrong password"), by=TRADER)
    assert keys.verify(desk, account.key)


def test_never_show_again_deletes_the_copy_and_keeps_none_of_the_next(desk: Desk, account: Account) -> None:
    key_rules.keep_copy(desk, KeyCopy.NEVER, by=TRADER)
    with pytest.raises(NotFound, match="No copy"):
        keys.view(desk, Proof(password=account.password), by=TRADER)
    assert keys.verify(desk, account.key)
    fresh = keys.issue(desk, Proof(password=account.password), by=TRADER)
    with pytest.raises(NotFound, match="No copy"):
        keys.view(desk, Proof(password=account.password), by=TRADER)
    key_rules.keep_copy(desk, KeyCopy.KEPT, by=TRADER)
    with pytest.raises(NotFound, match="No copy"):
        keys.view(desk, Proof(password=account.password), by=TRADER)
    assert keys.verify(desk, fresh)
    last = keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert keys.view(desk, Proof(password=account.password), by=TRADER) == last


def test_showing_the_key_is_told_to_the_audit_list(desk: Desk, account: Account) -> None:
    keys.view(desk, Proof(password=account.password), by=TRADER)
    newest = desk.store.audit.page(limit=1)[0]
    assert (newest.event, newest.actor) == (AuditEvent.KEY_SHOWN, TRADER)


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "two\nlines", "\ud800"])
def test_a_name_nobody_could_read_is_told_and_not_kept(desk: Desk, account: Account, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        key_rules.rename(desk, name, by=TRADER)
    assert list(refused.value.faults) == ["name"]
    assert key_rules.rules_in_force(desk).name == "My key"


def test_a_name_in_any_script_is_kept(desk: Desk, account: Account) -> None:
    key_rules.rename(desk, " व्यापार 1 ", by=TRADER)
    assert key_rules.rules_in_force(desk).name == "व्यापार 1"


def test_a_change_knows_whether_it_makes_things_less_safe(desk: Desk, account: Account) -> None:
    before = key_rules.rules_in_force(desk)
    assert key_rules.permits_more(before, PRESETS[Preset.FULL] | {Permission.LIVE_TRADING})
    assert not key_rules.permits_more(before, PRESETS[Preset.READ_ONLY])
    assert not key_rules.reaches_further(before, THIS_PC)
    key_rules.restrict(desk, THIS_PC, before=before, by=TRADER)
    assert key_rules.reaches_further(key_rules.rules_in_force(desk), AddressRule.of_networks("203.0.113.7"))


def test_a_key_of_the_former_version_works_and_is_shown(settings: Settings, clock: FixedClock) -> None:
    key = former_database(settings.db_dir)
    desk = open_desk(settings, clock)
    assert keys.verify(desk, key).rules == KeyRules()
    assert keys.view(desk, Proof(password=PASSWORD), by=TRADER) == key
    with pytest.raises(Denied):
        keys.view(desk, Proof(password="wrong password"), by=TRADER)
    fresh = keys.issue(desk, Proof(password=PASSWORD), by=TRADER)
    assert keys.view(desk, Proof(password=PASSWORD), by=TRADER) == fresh
    assert "regenerated" in refusal(desk, key)
    desk.close()


def test_an_account_of_the_former_version_without_a_copy_makes_its_next_key_all_the_same(
    settings: Settings, clock: FixedClock
) -> None:
    former_database(settings.db_dir)
    (settings.db_dir / "machine.key").unlink()
    database = Database(settings.db_dir / "bridge.db", synchronous="FULL")
    database.write("UPDATE api_key SET sealed = NULL, wrapped_key = NULL, salt = NULL, cost = NULL, retired_at = 2")
    database.close()
    desk = open_desk(settings, clock)
    assert desk.store.vault.get() is None
    with pytest.raises(Denied):
        keys.issue(desk, Proof(password="wrong password"), by=TRADER)
    fresh = keys.issue(desk, Proof(password=PASSWORD), by=TRADER)
    assert keys.view(desk, Proof(password=PASSWORD), by=TRADER) == fresh
    desk.close()


def former_database(folder: Path) -> str:
    """A ``bridge.db`` of the version whose keys had a wrapped key each; returns its API key."""
    machine_key, key = MachineKey.load_or_create(folder / "machine.key"), new_key()
    lookup = machine_key.digest(APIKEY_LOOKUP, key.encode("ascii"))
    dek = vault.new_key()
    wrapped = vault.wrap(dek, PASSWORD, CHEAP, place=f"api_key|wrapped_key|{lookup.hex()}|1")
    sealed = seal(dek, key.encode("ascii"), f"api_key|sealed|{lookup.hex()}|1")
    database = Database(folder / "bridge.db", synchronous="FULL")
    schema.bridge.apply(database.tables, stop_before="m005_vault")
    database.write(
        "INSERT INTO user (id, username, password_hash, risk_accepted_at, created_at) VALUES (1, 'trader', ?, 1, 1)",
        (hash_password(PASSWORD, CHEAP),),
    )
    database.write(
        "INSERT INTO api_key (lookup, fingerprint, machine_mark, sealed, wrapped_key, salt, cost, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        (lookup, lookup.hex()[:12], machine_key.mark, sealed, wrapped.wrapped_key, wrapped.salt, wrapped.cost),
    )
    database.close()
    return key


def test_damaged_rules_refuse_every_call_and_are_shown_as_nothing(desk: Desk, account: Account) -> None:
    desk.store.files[0].write("UPDATE api_key SET permissions = 'telegram'")
    with pytest.raises(StorageError):
        keys.verify(desk, account.key)
    before = key_rules.rules_in_force(desk)
    assert not before.are_readable
    assert key_rules.permits_more(before, frozenset())
    assert key_rules.reaches_further(before, THIS_PC)
    key_rules.permit(desk, PRESETS[Preset.READ_ONLY], before=before, by=TRADER)
    assert keys.verify(desk, account.key).rules.permissions == PRESETS[Preset.READ_ONLY]


def test_a_key_is_no_name(desk: Desk, account: Account) -> None:
    for name in (account.key, f"old {account.key}", account.key[:-1] + "!" + "n" * 32):
        with pytest.raises(Invalid) as refused:
            key_rules.rename(desk, name, by=TRADER)
        assert "name" in refused.value.faults
    assert key_rules.rules_in_force(desk).name == "My key"
