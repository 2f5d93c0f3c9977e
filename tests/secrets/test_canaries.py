"""The key, the password and the session id stand nowhere they do not belong, in no usual spelling."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.store.traffic import TrafficLog
from tests.conftest import Account


def spellings(secret: str) -> dict[str, bytes]:
    raw = secret.encode()
    quoted = urllib.parse.quote(secret, safe="")
    return {
        "plain": raw,
        "hex": raw.hex().encode(),
        "base64": base64.b64encode(raw).rstrip(b"="),
        "base64url": base64.urlsafe_b64encode(raw).rstrip(b"="),
        "url": quoted.encode(),
        "double_url": urllib.parse.quote(quoted, safe="").encode(),
        "json": json.dumps(secret).strip('"').encode(),
        "html": html.escape(secret).encode(),
    }


def found_in(folder: Path, secrets: dict[str, str]) -> list[str]:
    return [
        f"{name} as {spelling} in {path.name}"
        for path in sorted(folder.iterdir())
        for name, secret in secrets.items()
        for spelling, text in spellings(secret).items()
        if text in path.read_bytes()
    ]


def abuse(client: FlaskClient, key: str) -> None:
    """Put the key wherever a confused script might."""
    order = {"strategy": f"s {key}", "symbol": key, "exchange": key, "action": key, "quantity": key}
    for path in ("placeorder", "quotes", "ping", f"{key}", f"placeorder/{key}", f"ping?apikey={key}"):
        client.post(f"/api/v1/{path}", json={"apikey": key, **order}, headers={"User-Agent": f"script {key}"})
        client.post(f"/api/v1/{path}", data=f"apikey={key}")
        client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {key}"})
    client.post("/api/v1/orderstatus", json={"apikey": key, "orderid": key})
    client.post(
        "/api/v1/placeorder",
        json={"apikey": key, "strategy": key, "symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 1},
    )
    client.get(f"/{key}", headers={"X-Forwarded-For": key, "User-Agent": key})


def test_no_file_under_db_holds_a_secret(
    client: FlaskClient, desk: Desk, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    abuse(client, account.key)
    secrets = {"key": account.key, "password": account.password}
    folder = desk.settings.db_dir
    assert {"bridge.db-wal", "traffic.db-wal"} <= {path.name for path in folder.iterdir()}
    assert found_in(folder, secrets) == []
    for file in desk.store.files:
        file.read("PRAGMA wal_checkpoint(TRUNCATE)")
    assert found_in(folder, secrets) == []
    assert account.key not in caplog.text


def test_the_search_would_find_a_secret(desk: Desk, account: Account) -> None:
    for number, text in enumerate(spellings(account.key).values()):
        (desk.settings.db_dir / f"leak{number}").write_bytes(b"noise " + text + b" noise")
    assert len(found_in(desk.settings.db_dir, {"key": account.key})) >= 8


def test_no_answer_of_the_api_repeats_the_key(client: FlaskClient, account: Account) -> None:
    for fields in (
        {"strategy": account.key, "symbol": account.key, "exchange": account.key, "orderid": account.key},
        {"apikey": account.key, "symbol": account.key, "exchange": "NSE"},
    ):
        for path in ("placeorder", "orderstatus", "quotes", "cancelorder", account.key):
            answer = client.post(f"/api/v1/{path}", json={"apikey": account.key, **fields})
            assert account.key not in answer.get_data(as_text=True), path


def test_the_log_keeps_the_words_around_a_removed_key(desk: Desk, account: Account, client: FlaskClient) -> None:
    client.post(f"/api/v1/placeorder/{account.key}/x")
    log: TrafficLog = desk.store.traffic
    (call,) = log.page()
    assert call.endpoint == "/api/v1/placeorder/[key]/x"


def test_a_key_with_one_wrong_character_is_not_in_the_log_either(
    desk: Desk, account: Account, client: FlaskClient
) -> None:
    mistyped = account.key[:-1] + ("A" if account.key[-1] != "A" else "B")
    for path in (f"/api/v1/{mistyped}", f"/api/v1/x{mistyped}x", f"/{mistyped}"):
        client.post(path, json={"apikey": account.key}, headers={"User-Agent": f"script {mistyped}"})
    client.post("/api/v1/quotes", json={"apikey": account.key, "symbol": mistyped, "exchange": "NSE"})
    calls = desk.store.traffic.page()
    assert len(calls) == 4
    assert [call.endpoint for call in calls[1:]] == ["/[redacted]", "/api/v1/[redacted]", "/api/v1/[redacted]"]
    assert account.key[:-1] not in str(calls)
    assert found_in(desk.settings.db_dir, {"the 31 right characters": account.key[:-1]}) == []
