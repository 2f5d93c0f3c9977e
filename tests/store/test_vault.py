"""The wrapped vault key: one row, begun once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openalgo_bridge.errors import Conflict
from openalgo_bridge.store import vault
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.vault import Vault, Wrapped

WRAPPED = Wrapped(wrapped_key=b"wrapped", salt=b"salt", cost="m=64,t=1,p=1", place="vault|wrapped_key|1")


def test_a_fresh_bridge_has_no_vault(db: Database) -> None:
    assert Vault(db).get() is None


def test_a_vault_is_begun_once_and_never_lost(db: Database) -> None:
    Vault(db).begin(WRAPPED)
    with pytest.raises(Conflict):
        Vault(db).begin(replace(WRAPPED, wrapped_key=b"other"))
    assert Vault(db).get() == WRAPPED


def test_a_new_wrapping_takes_the_place_of_the_old_one(db: Database) -> None:
    Vault(db).begin(WRAPPED)
    again = replace(WRAPPED, wrapped_key=b"again", salt=b"other")
    with db.transaction() as transaction:
        vault.put(transaction, again)
    assert Vault(db).get() == again


def test_a_wrapping_shows_no_bytes_in_a_log() -> None:
    told = repr(replace(WRAPPED, wrapped_key=b"very secret", salt=b"quite secret"))
    assert "secret" not in told
