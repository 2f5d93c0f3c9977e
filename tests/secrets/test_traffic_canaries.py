"""Canary secrets, sent in every spelling and every place of a call, are nowhere in the traffic log (G11)."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store.api_keys import SealedKey
from openalgo_bridge.store.machine_key import APIKEY_LOOKUP
from openalgo_bridge.store.sessions import NewSession, hashed
from tests.conftest import Account, open_session
from tests.secrets.test_canaries import found_in
from tests.traffic_rows import last_row, rows

# One of an older release, in a form that says nothing: only its keyed hash tells.
ODD_KEY = "legacy-key_of-2024_ab-CD-ef-GH"
# As an id is made, and never 32 letters and digits in a row: only its keyed hash tells.
SESSION = "Zq7-" * 10 + "Zq7"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = 'Hunter2 & "Co" <ça>'
CODE = "7B2K-9QXM-4TZR-0AAA-1BBB"


def encoded(secret: str) -> list[str]:
    """The eight spellings, as a confused script may send them."""
    raw = secret.encode()
    quoted = urllib.parse.quote(secret, safe="")
    return [
        secret,
        raw.hex(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        quoted,
        urllib.parse.quote(quoted, safe=""),
        "".join(f"\\u{ord(character):04x}" for character in secret),
        html.escape(secret),
    ]


def send_everywhere(client: FlaskClient, text: str) -> None:
    """In a field of its own, in others, in a body that is no JSON, in a form, in the path and in the headers."""
    quoted = urllib.parse.quote(text, safe="")
    headers = {"User-Agent": f"script {text}", "Authorization": f"Bearer {text}", "Cookie": f"session={text}"}
    if not text.isascii():
        headers = {}
    for path in ("/api/v1/placeorder", "/api/v1/nosuch"):
        client.post(
            path, json={"apikey": text, "strategy": text, "symbol": text, "note": {"deep": [text]}}, headers=headers
        )
        client.post(path, data=f'{{"strategy":"{text}","symbol":"{text}'.encode(), headers=headers)
        client.post(path, data=f"strategy={quoted}&symbol=SBIN".encode())
        client.get(path, query_string={"apikey": text, "strategy": text})
    for before in ("/api/v1", "/hook", "/strategy/webhook", "/webhook", ""):
        client.post(f"{before}/{quoted}", json={}).close()


def send_by_name(client: FlaskClient, name: str, text: str) -> None:
    """Where a secret that nobody could recognise is said to be one."""
    quoted = urllib.parse.quote(text)
    fields = {"strategy": "mine", name: text, "symbol": "SBIN"}
    for body in (json.dumps(fields), json.dumps({"text": json.dumps(fields)}), json.dumps(fields)[:-20], str(fields)):
        client.post("/api/v1/placeorder", data=body.encode())
    client.post("/api/v1/placeorder", data=f"{name}={quoted}&symbol=SBIN".encode())
    client.post("/api/v1/placeorder", data=f"payload={urllib.parse.quote(json.dumps(fields))}".encode())


def everything_kept(desk: Desk) -> Iterator[str]:
    """Every text of the traffic log, and what it would say with its escapes undone."""
    for row in desk.store.files[1].read("SELECT * FROM call LEFT JOIN call_body ON call_id = id"):
        for value in tuple(row):
            if isinstance(value, str):
                yield value
                yield urllib.parse.unquote(urllib.parse.unquote(html.unescape(value)))


def is_anywhere(desk: Desk, secret: str) -> list[str]:
    plain = [text for text in everything_kept(desk) if secret in text]
    files = found_in(desk.settings.db_dir, {"secret": secret})
    for file in desk.store.files:
        file.read("PRAGMA wal_checkpoint(TRUNCATE)")
    return [*plain, *files, *found_in(desk.settings.db_dir, {"secret": secret})]


def retire(desk: Desk, key: str) -> None:
    """Put a key in force that is replaced at once."""
    lookup = desk.store.machine_key.digest(APIKEY_LOOKUP, key.encode())
    sealed = SealedKey(lookup=lookup, fingerprint="odd", machine_mark=desk.store.machine_key.mark, sealed=None)
    desk.store.api_keys.replace(sealed, by=Actor(name="test"))
    another = desk.store.machine_key.digest(APIKEY_LOOKUP, new_key().encode())
    desk.store.api_keys.replace(
        SealedKey(lookup=another, fingerprint="new", machine_mark=sealed.machine_mark, sealed=None),
        by=Actor(name="test"),
    )


def test_a_key_is_nowhere_however_it_was_spelled(client: FlaskClient, desk: Desk, account: Account) -> None:
    for text in encoded(account.key):
        send_everywhere(client, text)
    assert len(rows(desk)) == 8 * 13
    assert is_anywhere(desk, account.key) == []


def test_a_retired_key_whose_form_says_nothing_is_known_all_the_same(
    client: FlaskClient, desk: Desk, account: Account
) -> None:
    retire(desk, ODD_KEY)
    for text in encoded(ODD_KEY):
        send_everywhere(client, text)
    assert is_anywhere(desk, ODD_KEY) == []


def test_a_session_of_a_browser_is_nowhere(client: FlaskClient, desk: Desk, account: Account) -> None:
    number = open_session(
        desk, NewSession(id_hash=hashed(desk.store.machine_key, SESSION), content="{}", address="a", program="p")
    )
    assert number
    for text in encoded(SESSION):
        send_everywhere(client, text)
        send_everywhere(client, f"session_{text}_x")
    assert is_anywhere(desk, SESSION) == []


def test_a_secret_of_an_authenticator_is_nowhere(client: FlaskClient, desk: Desk) -> None:
    for text in encoded(TOTP_SECRET):
        send_everywhere(client, text)
    assert is_anywhere(desk, TOTP_SECRET) == []


@pytest.mark.parametrize("name", ["password", "passwd", "otp", "totp", "secret", "access_token", "Cookie", "pin"])
def test_a_password_is_nowhere_where_it_goes_by_such_a_name(client: FlaskClient, desk: Desk, name: str) -> None:
    for text in encoded(PASSWORD):
        send_by_name(client, name, text)
    assert len(rows(desk)) == 8 * 6
    assert is_anywhere(desk, PASSWORD) == []
    assert [text for text in everything_kept(desk) if "Hunter2" in text] == []


def test_a_code_of_the_bridge_is_nowhere_in_a_body(client: FlaskClient, desk: Desk) -> None:
    client.post("/api/v1/placeorder", json={"strategy": f"x {CODE} y"})
    said = desk.store.traffic.bodies(last_row(desk).id)
    assert said is not None
    assert "x [redacted] y" in said.request


def test_while_nobody_can_tell_whatever_may_be_a_secret_is_left_out(client: FlaskClient, desk: Desk) -> None:
    desk.store.files[0].write("ALTER TABLE session RENAME TO gone")
    client.post("/api/v1/nosuch", json={"strategy": "a-strategy-with-quite-a-long-name"})
    said = desk.store.traffic.bodies(last_row(desk).id)
    assert said is not None
    assert "[redacted]" in said.request
    assert "quite" not in said.request


def test_what_is_no_secret_is_kept_as_it_came(client: FlaskClient, desk: Desk) -> None:
    """Else a log that keeps nothing would pass."""
    sent = '{"strategy":"a-strategy-with-quite-a-long-name %41\\u0041","symbol":"NIFTY25DEC2524000CE","x":"é₹"}'
    client.post("/api/v1/nosuch", data=sent.encode())
    said = desk.store.traffic.bodies(last_row(desk).id)
    assert said is not None
    assert (said.request, said.request_bytes) == (sent, len(sent.encode()))


def test_a_secret_that_is_cut_off_with_its_body_is_nowhere(client: FlaskClient, desk: Desk, account: Account) -> None:
    cookie = "x" * 20
    for length in range(4050, 4100):
        client.post("/api/v1/nosuch", data=("[" + " " * length + account.key + cookie).encode())
    for length in range(4560, 4620):
        client.post(
            "/api/v1/nosuch", data=("[" + f'"{account.key}",' * 40 + " " * (length - 1400) + account.key).encode()
        )
    part = account.key[:8]
    assert [text for text in everything_kept(desk) if part in text] == []
    assert len(rows(desk)) == 110


UTF_16 = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]


@pytest.mark.parametrize("encoding", UTF_16)
def test_a_key_is_nowhere_whatever_its_body_is_encoded_in(
    client: FlaskClient, desk: Desk, account: Account, encoding: str
) -> None:
    for before in ("", "é₹ " * 40, "x" * 100 + "\n"):
        client.post("/api/v1/placeorder", data=f'{before}{{"apikey":"{account.key}","pin":"Hunter2"}}'.encode(encoding))
    kept = "".join(everything_kept(desk)).replace("\N{REPLACEMENT CHARACTER}", "")
    assert account.key not in kept
    assert "Hunter2" not in kept
    assert "[key]" in kept


@pytest.mark.parametrize("encoding", UTF_16[:3])
def test_a_key_that_is_cut_off_with_its_body_is_nowhere_in_any_encoding(
    client: FlaskClient, desk: Desk, account: Account, encoding: str
) -> None:
    for length in range(2250, 2310, 3):
        body = ("[" + f'"{account.key}",' * 40 + " " * (length - 1401) + account.key + "x" * 20).encode(encoding)
        client.post("/api/v1/nosuch", data=body)
    part = account.key[:8]
    kept = [text.replace("\N{REPLACEMENT CHARACTER}", "") for text in everything_kept(desk)]
    assert [text for text in kept if part in text] == []
    assert len(rows(desk)) == 20


def test_a_body_in_utf_16_is_kept_as_the_text_that_it_is(client: FlaskClient, desk: Desk) -> None:
    client.post("/api/v1/nosuch", data='{"symbol":"SBIN"}'.encode("utf-16-le"))
    said = desk.store.traffic.bodies(last_row(desk).id)
    assert said is not None
    assert (said.request, said.request_bytes) == ('{"symbol":"SBIN"}', 34)


@pytest.mark.parametrize(
    "path",
    [
        "/hook/abc123", "/HOOK/abc123/x", "/hook//abc123", "/strategy/webhook/abc123", "/chartink/webhook/abc123",
        "/hook%2Fabc123", "/hook%252Fabc123", "/./hook/abc123", "/hook;/abc123", "/hook./abc123", "/hook\\abc123",
        "/x/hook/abc123", "/%2568ook/abc123", "/strategy/./webhook/abc123",
    ],
)  # fmt: skip
def test_an_address_that_is_a_secret_is_not_kept(client: FlaskClient, desk: Desk, path: str) -> None:
    client.post(path).close()
    assert last_row(desk).endpoint.endswith("[token]")
    assert "abc123" not in str(last_row(desk))


@pytest.mark.parametrize(
    "path", ["/webhook/tradingview", "/webhooks", "/strategy/webhooks", "/static/hook.css", "/hook"]
)
def test_an_address_that_only_resembles_one_is_kept(client: FlaskClient, desk: Desk, path: str) -> None:
    client.post(path).close()
    assert last_row(desk).endpoint == path
