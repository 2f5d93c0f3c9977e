"""The wall around the main listener, asked at every route of the URL map."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.guard import MAX_BODY_BYTES
from tests.conftest import Account

FOREIGN_HOSTS = [
    "",
    "evil.example",
    "evil.example:5000",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.1:5001",
    "127.0.0.1:5000.",
    "127.0.0.1:05000",
    "127.0.0.1.:5000",
    "127.1:5000",
    "127.0.0.2:5000",
    "0.0.0.0:5000",
    "0:5000",
    "2130706433:5000",
    "0x7f000001:5000",
    "017700000001:5000",
    "localhost",
    "LOCALHOST:5000",
    "localhost.:5000",
    "localhost:5000, evil.example",
    "evil.example, localhost:5000",
    "localhost:5000 evil",
    "user@localhost:5000",
    "localhost:5000@evil.example",
    "localhost.evil.example:5000",
    "app.localhost:5000",
    "localhost:5000/",
    "localhost:5000?",
    "localhost:5000#",
    "localhost:5000\\",
    "localhost%3a5000",
    "[::1]",
    "[::1]:80",
    "[::ffff:127.0.0.1]:5000",
    "[0:0:0:0:0:0:0:1]:5000",
    "::1:5000",
    "http://127.0.0.1:5000",
    "127.0.0.1:5000\t",
    " 127.0.0.1:5000",
    "127.0.0.1:5000:5000",
    "waitress.invalid",
    "127.0.0.1:５０００",
]
TUNNEL_HEADERS = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "Via",
    "CF-Connecting-IP",
    "Cf-Ray",
    "Cdn-Loop",
    "True-Client-IP",
    "Ngrok-Trace-Id",
    "Tailscale-Funnel-Request",
    "X-Proxy",
]


def every_route(app: Flask) -> list[tuple[str, str]]:
    """One (method, path) per rule of the URL map, with its holes filled in, and two paths that do not exist."""
    routes = []
    for rule in [*app.url_map.iter_rules(), *app.extensions["api"].url_map.iter_rules()]:
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        routes += [(method, path) for method in sorted(rule.methods or ()) if method != "OPTIONS"]
    return [*routes, ("GET", "/nothing/here"), ("OPTIONS", "/api/v1/placeorder")]


def test_a_foreign_host_reaches_no_route(app: Flask, client: FlaskClient) -> None:
    routes = every_route(app)
    assert len(routes) > 25
    for method, path in routes:
        for host in FOREIGN_HOSTS:
            answer = client.open(path, method=method, environ_overrides={"HTTP_HOST": host})
            assert answer.status_code == 421, (method, path, host)
            assert host == "" or host not in answer.get_data(as_text=True)
            assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost:5000", "[::1]:5000"])
def test_our_own_hosts_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", environ_overrides={"HTTP_HOST": host}).status_code == 200


def test_a_request_without_a_host_is_refused(client: FlaskClient) -> None:
    answer = client.get("/healthz", environ_overrides={"HTTP_HOST": ""})
    assert answer.status_code == 421


@pytest.mark.parametrize("header", TUNNEL_HEADERS)
def test_a_sign_of_a_tunnel_closes_every_route(app: Flask, client: FlaskClient, header: str) -> None:
    for method, path in every_route(app):
        assert client.open(path, method=method, headers={header: "1"}).status_code == 421, (method, path)


def test_what_was_turned_away_is_in_the_log(client: FlaskClient, desk: Desk) -> None:
    client.get("/login", headers={"X-Forwarded-For": "52.89.214.238"})
    (call,) = desk.store.traffic.page()
    assert (call.endpoint, call.status, call.outcome) == ("/login", 421, "refused")


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("cross-site", None),
        ("same-site", None),
        ("none", None),
        ("cross-site", "http://127.0.0.1:5000"),
        ("same-origin", "http://evil.example"),
        ("same-origin", "null"),
        (None, None),
        (None, "null"),
        (None, "http://evil.example"),
        (None, "http://127.0.0.1:3000"),
        (None, "http://localhost:5000"),
        (None, "https://127.0.0.1:5000"),
        (None, "http://127.0.0.1"),
    ],
)
def test_a_form_from_elsewhere_changes_nothing(
    app: Flask, client: FlaskClient, account: Account, site: str | None, origin: str | None
) -> None:
    headers = {"Sec-Fetch-Site": site, "Origin": origin}
    given = {name: value for name, value in headers.items() if value is not None}
    for method, path in every_route(app):
        if method == "POST" and not path.startswith("/api/"):
            assert client.post(path, headers=given, data={"mode": "auto"}).status_code == 403, path


def test_a_form_from_our_own_page_gets_in(client: FlaskClient, account: Account) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://127.0.0.1:5000"}):
        answer = client.post("/login", headers=headers)
        assert answer.status_code != 403 or b"this bridge" not in answer.data


def test_the_body_limit_is_exact(client: FlaskClient, account: Account) -> None:
    fits, too_large = b" " * MAX_BODY_BYTES, b" " * (MAX_BODY_BYTES + 1)
    assert client.post("/api/v1/ping", data=fits).status_code == 400
    assert client.post("/api/v1/ping", data=too_large).status_code == 413


def test_every_answer_carries_the_security_headers(app: Flask, client: FlaskClient) -> None:
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    for method, path in every_route(app):
        answer = client.open(path, method=method)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.status_code not in {301, 308}, path
