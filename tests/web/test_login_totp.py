"""Signing in with a code: what lies between the password and the session, and that nobody slips through there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge.account import two_factor
from openalgo_bridge.account.change_password import change_password
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.signing import sign
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.machine_key import PASSWORD_WAS_RIGHT, MachineKey
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock, app_of
from tests.phone import Phone, set_up
from tests.web.conftest import Person, a_browser, csrf_token, hold

VISIT = "bridge_5000_visit"
PENDING = "bridge_5000_code"


@pytest.fixture
def phone(desk: Desk, account: Account, clock: FixedClock) -> Phone:
    """Two-factor is on, and the phone shows a code that is not used up."""
    made = set_up(desk)
    clock.move(seconds=30)
    return made


def pending_of(person: Person) -> str:
    """What the browser carries from the password to the code."""
    found = person.client.get_cookie(PENDING, domain="127.0.0.1", path="/login/totp")
    return "" if found is None else found.value


def plant(person: Person, pending: str) -> None:
    person.client.set_cookie(PENDING, pending, domain="127.0.0.1", path="/login/totp")


def type_code(person: Person, code: str) -> TestResponse:
    return person.post("/login/totp", code=code)


def is_in(person: Person) -> bool:
    return person.get("/orders").status_code == 200


def sign_in_with(person: Person, code: str) -> None:
    assert person.sign_in().location == "/login/totp"
    assert type_code(person, code).status_code == 302


def test_without_two_factor_the_password_signs_in_and_the_code_page_leads_back(
    stranger: Person, account: Account
) -> None:
    assert stranger.get("/login/totp").location == "/login"
    assert stranger.sign_in().location == "/"
    assert stranger.get("/login/totp").location == "/login"


def test_with_two_factor_the_password_signs_nobody_in(stranger: Person, phone: Phone, desk: Desk) -> None:
    answer = stranger.sign_in()
    assert (answer.status_code, answer.location) == (302, "/login/totp")
    assert not is_in(stranger)
    assert desk.store.sessions.all() == []
    assert stranger.cookie() == stranger.cookie("bridge_device_5000") == ""


def test_the_code_signs_in_and_opens_the_page_that_was_wanted(stranger: Person, phone: Phone) -> None:
    wanted = stranger.get("/traffic").location
    assert wanted is not None
    step = stranger.post(wanted, username="trader", password=PASSWORD).location
    assert step is not None
    page = stranger.get(step).text
    action = re.search(r'action="([^"]+)"', page)
    assert action is not None
    answer = stranger.post(action[1], page=step, code=phone.code())
    assert (answer.status_code, answer.location) == (302, "/traffic")
    assert is_in(stranger)
    assert pending_of(stranger) == ""
    assert stranger.cookie("bridge_device_5000")


def test_a_wrong_password_and_a_wrong_code_are_told_apart(stranger: Person, phone: Phone) -> None:
    wrong_password = stranger.sign_in("wrong password 1")
    assert wrong_password.status_code == 403
    assert "Wrong user name or password." in wrong_password.text
    stranger.sign_in()
    wrong_code = type_code(stranger, phone.wrong_code())
    assert wrong_code.status_code == 403
    assert re.search(r'class="fault">Wrong code', wrong_code.text)
    assert not is_in(stranger)
    assert type_code(stranger, phone.code()).status_code == 302


def test_an_empty_code_is_told_beside_the_field(stranger: Person, phone: Phone) -> None:
    stranger.sign_in()
    answer = type_code(stranger, "")
    assert answer.status_code == 400
    assert 'class="fault">Type the six digits.' in answer.text


def test_a_code_that_was_seen_signs_nobody_else_in(stranger: Person, app: Flask, phone: Phone) -> None:
    code = phone.code()
    sign_in_with(stranger, code)
    thief = a_browser(app)
    thief.sign_in()
    answer = type_code(thief, code)
    assert answer.status_code == 403
    assert "used already" in answer.text
    assert not is_in(thief)


def test_with_the_sign_in_switch_off_the_password_is_enough(stranger: Person, phone: Phone, desk: Desk) -> None:
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=False, by=TRADER)
    assert stranger.sign_in().location == "/"
    assert is_in(stranger)


def test_between_password_and_code_no_page_is_open(stranger: Person, phone: Phone, app: Flask) -> None:
    stranger.sign_in()
    pending = pending_of(stranger)
    for name in ("bridge_5000", VISIT, "bridge_device_5000", "bridge_5000_kept"):
        stranger.client.set_cookie(name, pending, domain="127.0.0.1")
    for path in ("/", "/orders", "/apikey", "/security", "/security/two-factor"):
        assert (stranger.get(path).location or "").startswith("/login")


def test_what_is_carried_between_the_steps_is_dead_after_five_minutes(
    stranger: Person, phone: Phone, clock: FixedClock
) -> None:
    stranger.sign_in()
    token = csrf_token(stranger.get("/login/totp").text)
    clock.move(minutes=5)
    late = stranger.post_raw("/login/totp", csrf_token=token, code=phone.code())
    assert late.status_code == 403
    assert "Type your password again." in late.text
    assert 'action="/login"' in late.text
    assert not is_in(stranger)
    assert stranger.get("/login/totp").location == "/login"


def test_what_is_carried_between_the_steps_is_dead_after_its_use(
    stranger: Person, app: Flask, phone: Phone, clock: FixedClock
) -> None:
    stranger.sign_in()
    pending = pending_of(stranger)
    type_code(stranger, phone.code())
    clock.move(seconds=30)
    thief = a_browser(app)
    thief.get("/login")
    plant(thief, pending)
    assert thief.get("/login/totp").location == "/login"


def test_what_is_carried_between_the_steps_is_dead_after_a_recovery_code(
    stranger: Person, app: Flask, phone: Phone
) -> None:
    stranger.sign_in()
    pending = pending_of(stranger)
    type_code(stranger, phone.recovery_codes[0])
    thief = a_browser(app)
    plant(thief, pending)
    assert thief.get("/login/totp").location == "/login"


def test_what_is_carried_between_the_steps_is_dead_after_a_change_of_password(
    stranger: Person, phone: Phone, desk: Desk
) -> None:
    desk.store.two_factor.switch(AuditEvent.CREDENTIALS_CODE, is_on=False, by=TRADER)
    stranger.sign_in()
    new = "four unrelated new words"
    change_password(desk, Proof(password=PASSWORD), new, new, keep_session=None, by=TRADER)
    assert stranger.get("/login/totp").location == "/login"


@pytest.mark.parametrize("text", ["", ".", "..", "1.2.3", "9" * 500, "9" * 20 + ".a.b", "\xff" * 50])
def test_nobody_makes_up_that_the_password_was_right(stranger: Person, phone: Phone, text: str) -> None:
    plant(stranger, text)
    assert stranger.get("/login/totp").location == "/login"


def test_another_bridge_cannot_say_that_the_password_was_right(stranger: Person, phone: Phone, tmp_path: Path) -> None:
    stranger.sign_in()
    text = pending_of(stranger).split(".")[1]
    other = MachineKey.load_or_create(tmp_path / "other.key")
    plant(stranger, sign(other, PASSWORD_WAS_RIGHT, text, expires=datetime(2030, 1, 1, tzinfo=UTC)))
    assert stranger.get("/login/totp").location == "/login"


def test_a_session_planted_before_the_code_is_dead_after_it(stranger: Person, phone: Phone) -> None:
    planted = "A" * 43
    stranger.client.set_cookie("bridge_5000", planted, domain="127.0.0.1")
    sign_in_with(stranger, phone.code())
    assert stranger.cookie() not in {"", planted}
    assert is_in(stranger)
    stranger.client.set_cookie("bridge_5000", planted, domain="127.0.0.1")
    assert not is_in(stranger)


def test_the_cookie_between_the_steps_is_for_that_page_alone(stranger: Person, phone: Phone) -> None:
    (cookie,) = [each for each in stranger.sign_in().headers.getlist("Set-Cookie") if each.startswith(PENDING)]
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/login/totp", "Max-Age=300"):
        assert attribute in cookie
    assert PASSWORD not in cookie
    assert "trader" not in cookie


def test_a_code_form_without_a_token_changes_nothing(stranger: Person, phone: Phone) -> None:
    stranger.sign_in()
    assert stranger.post_raw("/login/totp", code=phone.code()).status_code == 400
    assert not is_in(stranger)
    assert type_code(stranger, phone.code()).status_code == 302, "the code is not used up"


def test_guessing_codes_is_limited_and_a_restart_clears_nothing(
    stranger: Person, phone: Phone, desk: Desk, settings: Settings, clock: FixedClock
) -> None:
    stranger.sign_in()
    for _ in range(5):
        assert type_code(stranger, phone.wrong_code()).status_code == 403
    refused = type_code(stranger, phone.code())
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == 15 * 60
    again = open_desk(settings, clock, CHEAP)
    other = a_browser(app_of(again))
    other.sign_in()
    assert type_code(other, phone.code()).status_code == 429
    again.close()


def test_strangers_who_guess_cannot_lock_out_a_browser_that_signed_in_before(
    stranger: Person, app: Flask, phone: Phone, clock: FixedClock
) -> None:
    sign_in_with(stranger, phone.code())
    stranger.post("/logout", page="/")
    clock.move(seconds=30)
    other = a_browser(app)
    other.sign_in()
    for _ in range(6):
        type_code(other, phone.wrong_code())
    assert type_code(other, phone.code()).status_code == 429
    sign_in_with(stranger, phone.code())


def test_a_sign_in_is_written_down_with_address_program_and_how(
    stranger: Person, app: Flask, phone: Phone, desk: Desk
) -> None:
    sign_in_with(stranger, phone.code())
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=False, by=TRADER)
    other = a_browser(app)
    other.client.environ_base["HTTP_USER_AGENT"] = "Another/1.0"
    other.sign_in()
    a_browser(app).sign_in("wrong password 1")
    second, first = desk.store.audit.page(event=AuditEvent.SIGNED_IN)
    assert (first.actor.name, first.actor.address, first.after) == ("trader", "127.0.0.1", "with a code")
    assert (second.actor.program, second.after) == ("Another/1.0", "")


def test_a_recovery_code_signs_in_ends_every_other_session_and_says_how_many_are_left(
    stranger: Person, app: Flask, phone: Phone
) -> None:
    sign_in_with(stranger, phone.code())
    other = a_browser(app)
    sign_in_with(other, phone.recovery_codes[0].lower())
    assert "9 recovery codes are left" in other.get("/").text
    assert is_in(other)
    assert not is_in(stranger)
    again = a_browser(app)
    again.sign_in()
    assert "used already" in type_code(again, phone.recovery_codes[0]).text


def test_after_a_recovery_code_every_page_says_so_until_an_app_is_set_up(
    stranger: Person, phone: Phone, desk: Desk, clock: FixedClock
) -> None:
    banner = "You signed in with a recovery code"
    sign_in_with(stranger, phone.recovery_codes[0])
    stranger.get("/")
    for path in ("/", "/orders", "/action-center", "/security/two-factor"):
        assert banner in stranger.get(path).text
    other = Phone(two_factor.begin(desk).secret, clock)
    proof = Proof(password=PASSWORD, code=phone.recovery_codes[1])
    two_factor.finish(desk, proof, other.code(), by=TRADER)
    assert banner not in stranger.get("/orders").text


def test_orders_can_be_acted_on_after_a_recovery_code(stranger: Person, phone: Phone, desk: Desk) -> None:
    ticket = hold(desk)
    sign_in_with(stranger, phone.recovery_codes[0])
    text = stranger.get(f"/action-center/{ticket.id}").text
    assert 'name="shown"' in text


def test_under_another_machine_key_the_code_page_says_the_ways_in_and_takes_a_recovery_code(
    stranger: Person, phone: Phone, desk: Desk, settings: Settings, clock: FixedClock
) -> None:
    desk.close()
    (settings.db_dir / "machine.key").unlink()
    fresh = open_desk(settings, clock, CHEAP)
    person = a_browser(app_of(fresh))
    person.sign_in()
    page = person.get("/login/totp").text
    assert "recovery codes" in page
    assert "run.py reset-password --remove-two-factor" in page
    assert type_code(person, phone.code()).status_code == 403
    assert not is_in(person)
    assert type_code(person, phone.recovery_codes[0]).status_code == 302
    assert is_in(person)
    fresh.close()


def test_when_it_cannot_be_read_whether_a_code_is_needed_nobody_signs_in(
    stranger: Person, phone: Phone, desk: Desk
) -> None:
    desk.store.files[0].write("DROP TABLE two_factor")
    assert stranger.sign_in().status_code == 503
    assert not is_in(stranger)


def test_the_code_page_says_what_waits(stranger: Person, phone: Phone, desk: Desk) -> None:
    hold(desk)
    stranger.sign_in()
    assert "1 order waits" in stranger.get("/login/totp").text


def test_the_key_works_whatever_the_second_factor(client: FlaskClient, account: Account, phone: Phone) -> None:
    answer = client.post("/api/v1/ping", json={"apikey": account.key})
    assert answer.status_code == 200
