"""Signing in and out, and what a session is."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from openalgo_bridge.account.signing import sign
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.store.machine_key import CSRF, MachineKey
from openalgo_bridge.store.sessions import SESSION_LIFE
from tests.conftest import Account, FixedClock, client_of
from tests.web.conftest import Person, a_browser, csrf_token, hold

VISIT = "bridge_5000_visit"
LINK_FROM_ELSEWHERE = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
OPEN = {"static", "bootstrap.static", "health.health", "login.login", "login.totp", "setup.setup"}


def test_every_page_but_the_listed_ones_needs_a_sign_in(stranger: Person, app: Flask, account: Account) -> None:
    rules = [
        rule for rule in app.url_map.iter_rules() if rule.endpoint not in OPEN and not rule.rule.startswith("/api")
    ]
    assert len(rules) >= 10
    for rule in rules:
        path = re.sub(r"<int[^>]*>", "1", re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule))
        for method in sorted(rule.methods or set()):
            answer = stranger.client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"})
            is_closed = answer.status_code == 401 or (answer.location or "").startswith("/login")
            assert is_closed, f"{method} {path} answered {answer.status_code}"


def test_the_right_password_opens_the_page_that_was_wanted(stranger: Person, account: Account) -> None:
    wanted = stranger.get("/orders").location
    assert wanted is not None
    answer = stranger.post(wanted, username="Trader", password=account.password)
    assert (answer.status_code, answer.location) == (302, "/orders")


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "static", "login.logout", "%00"])
def test_a_sign_in_leads_nowhere_but_to_our_own_pages(stranger: Person, account: Account, target: str) -> None:
    answer = stranger.post(f"/login?next={target}", username="trader", password=account.password)
    assert answer.location == "/"


@pytest.mark.parametrize(
    ("username", "password"), [("trader", "wrong password 1"), ("nobody", "correct horse battery")]
)
def test_a_wrong_name_and_a_wrong_password_read_the_same(
    stranger: Person, account: Account, username: str, password: str
) -> None:
    answer = stranger.post("/login", username=username, password=password)
    assert answer.status_code == 403
    assert "Wrong user name or password." in answer.text
    assert stranger.get("/orders").status_code == 302


def test_the_sixth_wrong_password_in_a_minute_is_not_even_looked_at(
    stranger: Person, account: Account, clock: FixedClock
) -> None:
    for _ in range(5):
        assert stranger.sign_in("wrong password 1").status_code == 403
    refused = stranger.sign_in(account.password)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    clock.move(minutes=2)
    assert stranger.sign_in(account.password).status_code == 302


def test_strangers_cannot_lock_out_a_browser_that_signed_in_before(
    trader: Person, app: Flask, account: Account
) -> None:
    other = a_browser(app)
    for _ in range(6):
        other.sign_in("wrong password 1")
    assert other.sign_in().status_code == 429
    trader.post("/logout", page="/")
    assert trader.sign_in().status_code == 302


def test_the_login_page_says_what_waits(stranger: Person, account: Account, desk: Desk) -> None:
    hold(desk)
    hold(desk)
    text = stranger.get("/login").text
    assert "2 orders wait" in text
    assert "Semi-Auto" in text


def test_a_session_planted_before_the_sign_in_is_dead_after_it(stranger: Person, account: Account) -> None:
    planted = "A" * 43
    stranger.client.set_cookie("bridge_5000", planted, domain="127.0.0.1")
    assert stranger.sign_in().status_code == 302
    assert stranger.cookie() not in {"", planted}
    assert stranger.get("/orders").status_code == 200
    stranger.client.set_cookie("bridge_5000", planted, domain="127.0.0.1")
    assert stranger.get("/orders").status_code == 302


def test_a_visit_planted_before_the_sign_in_opens_nothing_after_it(
    stranger: Person, app: Flask, account: Account
) -> None:
    stranger.get("/login")
    planted = stranger.cookie(VISIT)
    stranger.sign_in()
    assert planted
    assert stranger.cookie(VISIT) == "", "the sign-in ends the visit"
    attacker = a_browser(app)
    for name in (VISIT, "bridge_5000"):
        attacker.client.set_cookie(name, planted, domain="127.0.0.1")
        assert attacker.get("/orders").status_code == 302


def test_looking_at_the_login_page_costs_no_write_and_pushes_nobody_out(
    stranger: Person, app: Flask, account: Account, desk: Desk
) -> None:
    token = csrf_token(stranger.get("/login").text)
    changes = desk.store.files[0].tables.conn.total_changes
    for _ in range(250):
        answer = client_of(app).get("/login", headers=LINK_FROM_ELSEWHERE)
        assert answer.status_code == 200
        answer.close()
    assert desk.store.files[0].tables.conn.total_changes == changes
    answer = stranger.post_raw("/login", csrf_token=token, username="trader", password=account.password)
    assert answer.status_code == 302


def test_a_link_from_elsewhere_does_not_sign_the_trader_out(trader: Person) -> None:
    # The browser keeps the Strict cookies back on such a visit, but it keeps what the answer sets.
    held_back = {name: trader.cookie(name) for name in ("bridge_5000", "bridge_device_5000")}
    for name in held_back:
        trader.client.delete_cookie(name, domain="127.0.0.1")
    trader.client.get("/login", headers=LINK_FROM_ELSEWHERE).close()
    assert trader.cookie() == ""
    for name, value in held_back.items():
        trader.client.set_cookie(name, value, domain="127.0.0.1")
    assert trader.get("/orders").status_code == 200


def test_a_visit_of_another_bridge_is_none(stranger: Person, account: Account, tmp_path: Path) -> None:
    stranger.get("/login")
    token = stranger.cookie(VISIT).split(".")[1]
    other = MachineKey.load_or_create(tmp_path / "other.key")
    forged = sign(other, CSRF, token, expires=datetime(2030, 1, 1, tzinfo=UTC))
    form = csrf_token(stranger.get("/login").text)
    stranger.client.set_cookie(VISIT, forged, domain="127.0.0.1")
    refused = stranger.post_raw("/login", csrf_token=form, username="trader", password=account.password)
    assert refused.status_code == 400


@pytest.mark.parametrize("cookie", ["", ".", "..", "1.2.3", "9" * 500, "\xff" * 50, "1.é.x"])
def test_no_cookie_breaks_the_login_page(stranger: Person, account: Account, cookie: str) -> None:
    for name in (VISIT, "bridge_5000"):
        stranger.client.set_cookie(name, cookie, domain="127.0.0.1")
        assert stranger.get("/login").status_code == 200
    assert stranger.sign_in().status_code == 302


def test_a_stolen_cookie_is_worth_nothing_after_the_logout(trader: Person) -> None:
    stolen = trader.cookie()
    assert trader.post("/logout", page="/").status_code == 302
    assert trader.cookie() == ""
    trader.client.set_cookie("bridge_5000", stolen, domain="127.0.0.1")
    assert trader.get("/orders").status_code == 302


def test_the_cookie_is_a_random_id_that_scripts_and_other_sites_cannot_use(stranger: Person, account: Account) -> None:
    visit = stranger.get("/login").headers.getlist("Set-Cookie")
    signed_in = stranger.sign_in().headers.getlist("Set-Cookie")
    assert (len(visit), len(signed_in)) == (1, 3), "the visit; the session, the device and the end of the visit"
    for cookie in (*visit, *signed_in):
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
    assert len(stranger.cookie()) == 43
    assert stranger.cookie("bridge_device_5000")


def test_the_database_holds_no_cookie(trader: Person, desk: Desk) -> None:
    folder = desk.settings.db_dir
    assert all(trader.cookie().encode() not in path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_a_session_ends_after_twelve_hours_even_if_it_is_used(trader: Person, clock: FixedClock) -> None:
    for _ in range(12):
        clock.move(minutes=59)
        assert trader.get("/orders").status_code == 200
    clock.move(seconds=SESSION_LIFE.total_seconds() - 12 * 59 * 60)
    assert trader.get("/orders").status_code == 302


def test_a_poll_is_no_sign_of_a_person(trader: Person, desk: Desk, clock: FixedClock) -> None:
    def seen_at() -> int:
        row = desk.store.files[0].read_one("SELECT seen_at FROM session")
        assert row is not None
        return int(row["seen_at"])

    before = seen_at()
    clock.move(minutes=5)
    assert trader.get("/action-center/pending").status_code == 200
    assert seen_at() == before
    trader.get("/orders")
    assert seen_at() > before


def test_what_has_no_session_makes_none(stranger: Person, account: Account, desk: Desk) -> None:
    for path in ("/healthz", "/static/app.css", "/orders", "/no-such-page"):
        assert "Set-Cookie" not in stranger.get(path).headers
    stranger.client.post("/api/v1/ping", json={"apikey": account.key})
    row = desk.store.files[0].read_one("SELECT count(*) AS n FROM session")
    assert row is not None
    assert row["n"] == 0


def test_a_form_from_an_ended_session_changes_nothing_and_works_after_a_reload(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    token = csrf_token(trader.get("/apikey").text)
    clock.move(hours=13)
    late = trader.post_raw("/apikey/mode", csrf_token=token, mode="semi_auto")
    assert late.status_code == 401
    assert desk.store.preferences.order_mode() is OrderMode.AUTO
    assert trader.sign_in().status_code == 302


def test_an_old_login_form_is_refused_with_a_way_back(stranger: Person, account: Account, clock: FixedClock) -> None:
    token = csrf_token(stranger.get("/login").text)
    clock.move(hours=2)
    late = stranger.post_raw("/login", csrf_token=token, username="trader", password=account.password)
    assert late.status_code == 400
    assert 'href="/login"' in late.text
    assert stranger.sign_in().status_code == 302


def test_health_needs_nothing(stranger: Person) -> None:
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_flood_of_pages_is_slowed_down_and_keeps_nobody_from_signing_in(
    app: Flask, trader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Within one second, however slow this PC is: the limiter counts by the system's steady clock.
    monkeypatch.setattr(time, "monotonic", partial(float, time.monotonic()))
    assert [trader.get("/security").status_code for _ in range(51)] == [200] * 50 + [429]
    stranger = a_browser(app)
    assert {stranger.get("/login").status_code for _ in range(60)} == {200}
    assert stranger.sign_in().status_code == 302
    assert stranger.get("/").status_code == 200
