"""Fourteen secrets of one account, lived through once, and then looked for everywhere in eight spellings (T8, G11)."""

from __future__ import annotations

import html
import logging
import re
from pathlib import Path

import pytest

from openalgo_bridge.account import vault
from openalgo_bridge.desk import Desk
from openalgo_bridge.store import backup
from openalgo_bridge.store.machine_key import CSRF
from tests.conftest import PASSWORD, Account, FixedClock
from tests.phone import Phone
from tests.secrets.test_canaries import abuse, found_in, spellings
from tests.web.conftest import Person, a_browser, app, codes, shown_key, stranger, trader

__all__ = ["app", "codes", "stranger", "trader"]  # fixtures of a person at the pages

NEW_PASSWORD = "staple battery horse!"
PAGE = "/security/two-factor"


def life(person: Person, desk: Desk, clock: FixedClock, account: Account) -> dict[str, str]:
    """A day with all of it; what must be nowhere afterwards, by name."""
    secrets = {"first key": account.key, "first password": PASSWORD}
    secrets["session before"] = person.cookie()
    secrets["device before"] = person.cookie("bridge_device_5000")
    person.post("/apikey/view", page="/apikey", password=PASSWORD)
    answer = person.post("/apikey/regenerate", page="/apikey", password=PASSWORD, confirm="yes")
    secrets["second key"] = shown_key(answer.text)
    begun = html.unescape(person.post(f"{PAGE}/begin", page=PAGE).text)
    secret = re.search(r"[A-Z2-7]{4}(?: [A-Z2-7]{4}){7}", begun)
    assert secret is not None, "the secret is shown to be typed"
    phone = Phone(secret[0].replace(" ", ""), clock)
    secrets["authenticator"] = phone.secret
    finished = person.post(f"{PAGE}/finish", page=PAGE, new_code=phone.code(), password=PASSWORD)
    written = re.findall(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}", finished.text)
    assert len(set(written)) == 10
    secrets["recovery code"], secrets["used recovery code"] = written[0], written[1]
    clock.move(seconds=30)
    person.post(
        "/security/password",
        page="/security",
        password=PASSWORD,
        code=phone.code(),
        new_password=NEW_PASSWORD,
        again=NEW_PASSWORD,
    )
    secrets["second password"] = NEW_PASSWORD
    secrets["session"], secrets["device after"] = person.cookie(), person.cookie("bridge_device_5000")
    other = a_browser(person.client.application)
    other.get("/login")
    secrets["visit"] = other.cookie("bridge_5000_visit")
    other.sign_in(NEW_PASSWORD)
    between = other.client.get_cookie("bridge_5000_code", domain="127.0.0.1", path="/login/totp")
    assert between is not None
    secrets["between password and code"] = between.value
    other.post("/login/totp", code=written[1])
    person.texts += other.texts
    secrets["session of the recovery code"] = other.cookie()
    return secrets


def test_fourteen_secrets_are_nowhere(
    trader: Person, desk: Desk, clock: FixedClock, account: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = life(trader, desk, clock, account)
    assert len(secrets) == len(set(secrets.values())) == 14
    assert all(len(secret) >= 12 for secret in secrets.values()), secrets
    abuse(trader.client, account.key)
    abuse(trader.client, secrets["second key"])

    folder = desk.settings.db_dir
    assert {"bridge.db-wal", "traffic.db-wal"} <= {path.name for path in folder.iterdir()}
    copies = tmp_path / "copies"
    copies.mkdir()
    backup.make(folder / "bridge.db", copies / "bridge.backup", overwrite=False)
    for place in (folder, copies):
        assert found_in(place, secrets) == []
    told = caplog.text.encode("utf-8", "surrogatepass")
    assert [name for name, secret in secrets.items() if any(text in told for text in spellings(secret).values())] == []


def test_no_page_but_the_two_that_must_holds_one(
    trader: Person, desk: Desk, clock: FixedClock, account: Account
) -> None:
    secrets = life(trader, desk, clock, account)
    shown_once = {"first key", "second key", "authenticator", "recovery code", "used recovery code"}
    for name, secret in secrets.items():
        pages = [text for text in trader.texts if any(coded in text.encode() for coded in spellings(secret).values())]
        assert len(pages) <= (1 if name in shown_once else 0), name
    trader.texts.clear()
    for path in ("/", "/apikey", "/security", "/security/audit", PAGE, "/traffic", "/orders", "/positions"):
        trader.get(path)
    assert [name for name, secret in secrets.items() if any(secret in text for text in trader.texts)] == []


def test_the_machine_key_and_the_vault_key_are_in_no_other_file(desk: Desk, account: Account, tmp_path: Path) -> None:
    wrapped = desk.store.vault.get()
    assert wrapped is not None
    raw = {
        "machine key": (desk.settings.db_dir / "machine.key").read_bytes(),
        "vault key": vault.unwrap(wrapped, PASSWORD),
        "derived": desk.store.machine_key.derive(CSRF),
    }
    backup.make(desk.settings.db_dir / "bridge.db", tmp_path / "copy", overwrite=False)
    files = [path for path in desk.settings.db_dir.iterdir() if path.name != "machine.key"]
    for name, secret in raw.items():
        for path in [*files, tmp_path / "copy"]:
            content = path.read_bytes()
            assert secret not in content, (name, path.name)
            assert secret.hex().encode() not in content, (name, path.name)
