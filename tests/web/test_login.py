"""Signing in and out, and what a session is."""

from __future__ import annotations

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.store.sessions import SIGNED_IN_LIFE
from tests.conftest import Account, FixedClock
from tests.web.conftest import Person, a_browser, csrf_token, hold

OPEN = {"static", "bootstrap.static", "health.health", "login.login", "setup.setup"}


def test_every_page_but_the_listed_ones_needs_a_sign_in(stranger: Person, app: Flask, account: Account) -> None:
    rules = [
        rule for rule in app.url_map.iter_rules() if rule.endpoint not in OPEN and not rule.rule.startswith("/api")
    ]
    assert len(rules) >= 10
    for rule in rules:
        path = rule.rule.replace("<int:ticket_id>", "1")
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
    stranger.get("/login")
    planted = stranger.cookie()
    stranger.sign_in()
    fresh = stranger.cookie()
    assert planted and fresh and planted != fresh
    stranger.client.set_cookie("bridge_5000", planted, domain="127.0.0.1")
    assert stranger.get("/orders").status_code == 302


def test_a_stolen_cookie_is_worth_nothing_after_the_logout(trader: Person) -> None:
    stolen = trader.cookie()
    assert trader.post("/logout", page="/").status_code == 302
    assert trader.cookie() == ""
    trader.client.set_cookie("bridge_5000", stolen, domain="127.0.0.1")
    assert trader.get("/orders").status_code == 302


def test_the_cookie_is_a_random_id_that_scripts_and_other_sites_cannot_use(stranger: Person, account: Account) -> None:
    answer = stranger.sign_in()
    session, device = sorted(answer.headers.getlist("Set-Cookie"), key=len)
    for cookie in (session, device):
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
    clock.move(seconds=SIGNED_IN_LIFE.total_seconds() - 12 * 59 * 60)
    assert trader.get("/orders").status_code == 302


def test_a_poll_is_no_sign_of_a_person(trader: Person, desk: Desk, clock: FixedClock) -> None:
    def seen_at() -> int:
        row = desk.store.files[0].read_one("SELECT seen_at FROM session WHERE signed_in = 1")
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
    assert late.location == "/login"
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
