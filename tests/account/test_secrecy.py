"""Nothing on the disk holds the key or the password, in any spelling, at any moment of their lives."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof, sign_in
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, Denied
from openalgo_bridge.settings import Settings
from tests.conftest import TRADER, Account


def spellings(secret: str) -> Iterator[bytes]:
    plain = secret.encode("ascii")
    yield from (plain, secret.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode())
    for offset in range(3):
        # What base64 makes of the secret wherever it starts in a text, without the characters its neighbours touch.
        coded = base64.b64encode(bytes(offset) + plain)[4 if offset else 0 : -4]
        yield from (coded, coded.replace(b"+", b"-").replace(b"/", b"_"))


def found_in(folder: Path, secret: str) -> list[str]:
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any(path.name.endswith("-wal") for path in files), "the log of the database must be searched too"
    return [path.name for path, content in files.items() if any(each in content for each in spellings(secret))]


def test_the_key_and_the_password_are_nowhere(
    desk: Desk, account: Account, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [account.key, account.password]
    keys.verify(desk, account.key)
    keys.view(desk, Proof(password=account.password), by=TRADER)
    sign_in(desk, account.username, account.password, device="", address="127.0.0.1")
    secrets.append(keys.issue(desk, Proof(password=account.password), by=TRADER))
    keys.view(desk, Proof(password=account.password), by=TRADER)
    with pytest.raises(BadApiKey):
        keys.verify(desk, account.key)
    with pytest.raises(Denied):
        sign_in(desk, "nobody", account.password, device="", address="127.0.0.1")

    bridge = desk.store.files[0]
    for moment in ("before", "after"):
        assert [found_in(settings.db_dir, secret) for secret in secrets] == [[], [], []], moment
        # The search itself works: what may be on the disk is found by it.
        assert found_in(settings.db_dir, account.username), moment
        assert found_in(settings.db_dir, keys.verify(desk, secrets[-1]).fingerprint), moment
        bridge.read("PRAGMA wal_checkpoint(FULL)")
    assert not any(secret in caplog.text for secret in secrets)


def test_the_search_finds_a_secret_in_every_spelling(tmp_path: Path) -> None:
    secret = "B" + "z9" * 15 + "x"
    coded = [base64.b64encode(b"k" * offset + secret.encode() + b"tail") for offset in range(3)]
    for content in (secret.encode(), secret.encode().hex().encode(), *coded):
        (tmp_path / "file-wal").write_bytes(b"before" + content + b"after")
        assert found_in(tmp_path, secret) == ["file-wal"]
