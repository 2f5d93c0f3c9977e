"""Which web pages may call the API: our own and the named ones, on the paths that take a key (security T2)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge import settings as settings_module
from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid
from openalgo_bridge.settings import Settings
from tests.api.conftest import ORDER
from tests.conftest import Account, Live, app_of, client_of
from tests.wire import Wire

CHART, OTHER = "https://chart.example", "http://localhost:3000"
NEARLY = [
    "https://evil.example",
    "http://chart.example",
    "https://chart.example:444",
    "https://chart.example.",
    "https://chart.example.evil.example",
    "https://evil-chart.example",
    "https://www.chart.example",
    "https://CHART.example",
    f"{CHART}/",
    f"{CHART} ",
    f"{CHART}, {OTHER}",
    f"{CHART} {OTHER}",
    "http://127.0.0.1:3000",
    "https://127.0.0.1:5000",
    "http://localhost:5000",
    "http://127.0.0.1",
    "null",
    "*",
    "",
]
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, cors_allowed_origins=(CHART, OTHER))


@pytest.fixture
def unnamed(desk: Desk) -> FlaskClient:
    """A bridge as it comes: no page is named."""
    return client_of(app_of(replace(desk, settings=replace(desk.settings, cors_allowed_origins=()))))


def preflight(client: FlaskClient, origin: str, path: str = "/api/v1/placeorder", **headers: str) -> TestResponse:
    return client.options(path, headers={"Origin": origin, **ASKS, **headers})


def allowed(answer: TestResponse) -> dict[str, str]:
    """What the answer allows a page."""
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def key_routes(app: Flask) -> list[str]:
    rules = app.extensions["api"].url_map.iter_rules()
    return sorted({re.sub(r"<[a-z]+>", "NSE:SBIN", rule.rule) for rule in rules if rule.endpoint != "openapi"})


@pytest.mark.parametrize("origin", [CHART, OTHER])
def test_a_named_page_may_ask_at_every_path_that_takes_a_key(app: Flask, client: FlaskClient, origin: str) -> None:
    assert len(key_routes(app)) == len({endpoint.path for endpoint in ENDPOINTS})
    for path in key_routes(app):
        answer = preflight(client, origin, path)
        assert (answer.status_code, answer.data) == (204, b""), path
        told = allowed(answer)
        assert told.pop("Access-Control-Allow-Methods") in {"POST", "GET", "GET, POST"}, path
        assert told == {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": "Content-Type, X-API-KEY, Idempotency-Key, X-Requested-With",
            "Access-Control-Expose-Headers": "Retry-After, Idempotency-Replayed",
            "Access-Control-Max-Age": "600",
        }
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", NEARLY)
def test_for_every_other_page_there_is_nothing_at_that_path(client: FlaskClient, origin: str) -> None:
    answer = preflight(client, origin)
    assert answer.status_code == 404
    assert allowed(answer) == {}


@pytest.mark.parametrize(
    "path", ["/", "/apikey", "/login", "/healthz", "/static/app.css", "/api/v1/openapi.json", "/api/v1/x"]
)
def test_no_other_path_allows_a_page_anything(client: FlaskClient, account: Account, path: str) -> None:
    for answer in (preflight(client, CHART, path), client.get(path, headers={"Origin": CHART})):
        assert allowed(answer) == {}, path
        answer.close()


def test_a_named_page_places_an_order_and_may_read_the_answer(client: FlaskClient, account: Account) -> None:
    headers = {"Origin": CHART, "X-API-KEY": account.key, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    answer = client.post("/api/v1/placeorder", json=ORDER, headers=headers)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "success")
    assert allowed(answer) == {
        "Access-Control-Allow-Origin": CHART,
        "Access-Control-Expose-Headers": "Retry-After, Idempotency-Replayed",
    }


def test_a_named_page_may_read_why_it_was_refused(client: FlaskClient, account: Account) -> None:
    for key, status in (("", 400), ("wrong", 403), (account.key, 400)):
        answer = client.post("/api/v1/quotes", json={"apikey": key}, headers={"Origin": CHART})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == CHART


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("origin", [each for each in NEARLY if each])
def test_another_page_cannot_use_even_the_right_key(
    client: FlaskClient, desk: Desk, account: Account, origin: str, kind: str
) -> None:
    """A browser sends a plain-text POST without asking first, so it must be refused here."""
    body = json.dumps({"apikey": account.key, **ORDER})
    answer = client.post("/api/v1/placeorder", data=body, content_type=kind, headers={"Origin": origin})
    assert (answer.status_code, answer.get_json()["status"]) == (403, "error")
    assert "CORS_ALLOWED_ORIGINS" in answer.get_json()["message"]
    assert allowed(answer) == {}
    assert desk.store.journal.tickets() == []


def test_a_page_that_guesses_keys_is_told_nothing_of_them(client: FlaskClient, account: Account) -> None:
    told = {
        client.post("/api/v1/ping", json={"apikey": key}, headers={"Origin": "https://evil.example"}).text
        for key in (account.key, "wrong", "")
    }
    assert len(told) == 1


def test_the_log_names_the_page_that_was_refused(client: FlaskClient, desk: Desk, account: Account) -> None:
    client.post("/api/v1/ping", json={"apikey": account.key}, headers={"Origin": "https://evil.example"})
    preflight(client, "https://worse.example")
    preflight(client, CHART)
    asked, guessed, called = desk.store.traffic.page()
    assert (called.status, called.outcome, called.key_fingerprint) == (403, "not allowed", None)
    assert "https://evil.example" in (called.message or "")
    assert guessed.status == 404
    assert "https://worse.example" in (guessed.message or "")
    assert (asked.method, asked.status, asked.outcome) == ("OPTIONS", 204, "preflight")


def test_a_key_in_the_name_of_a_page_is_not_logged(client: FlaskClient, desk: Desk, account: Account) -> None:
    preflight(client, f"https://{account.key}.example")
    assert account.key not in (desk.store.traffic.page(limit=1)[0].message or "")


def test_as_the_bridge_comes_no_page_is_named(unnamed: FlaskClient, app: Flask, account: Account) -> None:
    for path in key_routes(app):
        answer = preflight(unnamed, CHART, path)
        assert (answer.status_code, allowed(answer)) == (404, {}), path
    call = unnamed.post("/api/v1/ping", json={"apikey": account.key}, headers={"Origin": CHART})
    assert (call.status_code, allowed(call)) == (403, {})
    assert Settings().cors_allowed_origins == ()


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000", "[::1]:5000"])
def test_our_own_pages_and_programs_need_not_be_named(unnamed: FlaskClient, account: Account, host: str) -> None:
    for headers in ({}, {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}):
        answer = unnamed.post(
            "/api/v1/ping", json={"apikey": account.key}, headers=headers, environ_overrides={"HTTP_HOST": host}
        )
        assert (answer.status_code, allowed(answer)) == (200, {})


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Cf-Ray", "Forwarded"])
def test_a_named_page_does_not_open_a_tunnel(client: FlaskClient, account: Account, header: str) -> None:
    call = client.post("/api/v1/ping", json={"apikey": account.key}, headers={"Origin": CHART, header: "1"})
    for answer in (preflight(client, CHART, **{header: "1"}), call):
        assert (answer.status_code, allowed(answer)) == (421, {})


def test_a_named_page_does_not_open_a_foreign_host(client: FlaskClient) -> None:
    answer = client.options(
        "/api/v1/ping", headers={"Origin": CHART, **ASKS}, environ_overrides={"HTTP_HOST": "chart.example"}
    )
    assert (answer.status_code, allowed(answer)) == (421, {})


def test_a_named_page_gets_no_form_of_ours_through(client: FlaskClient, account: Account) -> None:
    for site in ("cross-site", "same-site", None):
        headers = {"Origin": CHART} if site is None else {"Origin": CHART, "Sec-Fetch-Site": site}
        assert client.post("/apikey/mode", data={"mode": "auto"}, headers=headers).status_code == 403


def test_a_page_of_the_network_outside_is_let_to_this_pc_only_when_named(client: FlaskClient) -> None:
    asks = {"Access-Control-Request-Private-Network": "true"}
    assert allowed(preflight(client, CHART, **asks))["Access-Control-Allow-Private-Network"] == "true"
    assert allowed(preflight(client, "https://evil.example", **asks)) == {}


def test_it_is_so_on_a_real_socket(live: Live) -> None:
    def asked(origin: str) -> bytes:
        lines = ["OPTIONS /api/v1/placeorder HTTP/1.1", f"Host: 127.0.0.1:{live.port}", f"Origin: {origin}"]
        return "\r\n".join([*lines, "Access-Control-Request-Method: POST", "", ""]).encode()

    with Wire(live.port) as wire:
        named, unknown, again = (wire.ask(asked(origin)) for origin in (CHART, "null", OTHER))
    assert (named.status, unknown.status, again.status) == (204, 404, 204)
    assert f"Access-Control-Allow-Origin: {CHART}\r\n".encode() in named.head
    assert b"Access-Control-Allow-Credentials" not in named.head
    assert b"Access-Control" not in unknown.head


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def read(env_file: Path, text: str) -> tuple[str, ...]:
    return settings_module.load(env_file, {"CORS_ALLOWED_ORIGINS": text}).cors_allowed_origins


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("https://example.com", ("https://example.com",)),
        ("https://a.example, http://localhost:3000 ,https://a.example", ("https://a.example", "http://localhost:3000")),
        # As a browser writes them.
        ("HTTPS://Example.COM:443", ("https://example.com",)),
        ("http://example.com:80", ("http://example.com",)),
        ("http://example.com:443", ("http://example.com:443",)),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
        ("chrome-extension://abcdefghijklmnop", ("chrome-extension://abcdefghijklmnop",)),
    ],
)
def test_origins_are_read_as_a_browser_writes_them(env_file: Path, text: str, origins: tuple[str, ...]) -> None:
    assert read(env_file, text) == origins


@pytest.mark.parametrize(
    "text",
    [
        "*", "null", "example.com", "https://", "https://*", "https://*.example.com", "https://example.com/",
        "https://example.com/path", "https://example.com?x", "https://example.com#x", "https://user@example.com",
        "https://example.com:0", "https://example.com:65536", "https://example.com:", "https://ex ample.com",
        "https://example..com", "https://.example.com", "https://bücher.example", "file://", "file:///c:/x",
        "https://a.example https://b.example", "https://a.example;https://b.example", "//example.com",
    ],
)  # fmt: skip
def test_what_is_no_origin_stops_the_start(env_file: Path, text: str) -> None:
    with pytest.raises(Invalid, match="CORS_ALLOWED_ORIGINS"):
        read(env_file, f"https://good.example,{text}")
