"""The step-up window: what opens it, how long it is open, and that nothing lengthens it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from openalgo_bridge.account.devices import known_device, new_device_token
from openalgo_bridge.account.setup import create_account
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.settings import Settings
from tests.conftest import CHEAP, PASSWORD, TRADER, FixedClock, app_of
from tests.phone import Phone, set_up
from tests.web.conftest import Person, a_browser, known_for_codes

PAGE = "/security/two-factor"


@pytest.fixture
def phone(trader: Person, desk: Desk, clock: FixedClock) -> Phone:
    made = set_up(desk)
    known_for_codes(trader, desk)
    clock.move(seconds=30)
    return made


def turn_off(person: Person, which: str = "login", **fields: str) -> TestResponse:
    """A form that the window is enough for."""
    return person.post(f"{PAGE}/{which}/off", page=PAGE, **fields)


def open_window(person: Person, phone: Phone) -> None:
    assert turn_off(person, password=PASSWORD, code=phone.code()).status_code == 302


def asks(person: Person) -> tuple[bool, bool]:
    """Whether the page asks for the password, and for the code."""
    text = person.get(PAGE).text
    return 'id="remove-password"' in text, 'id="remove-code"' in text


def test_a_sign_in_opens_no_window(stranger: Person, trader: Person, phone: Phone, app: Flask) -> None:
    other = a_browser(app)
    other.sign_in()
    other.post("/login/totp", code=phone.code())
    assert asks(other) == (True, True)
    assert turn_off(other).status_code == 403


def test_inside_the_window_nothing_is_asked(trader: Person, phone: Phone, clock: FixedClock) -> None:
    assert asks(trader) == (True, True)
    open_window(trader, phone)
    clock.move(minutes=5, seconds=-1)
    assert asks(trader) == (False, False)
    assert turn_off(trader, "credentials").status_code == 302


def test_after_five_minutes_both_are_asked_again(trader: Person, phone: Phone, clock: FixedClock, desk: Desk) -> None:
    open_window(trader, phone)
    clock.move(minutes=5)
    assert asks(trader) == (True, True)
    assert turn_off(trader, "credentials").status_code == 403
    assert desk.store.two_factor.get().for_credentials


def test_use_does_not_lengthen_the_window(trader: Person, phone: Phone, clock: FixedClock) -> None:
    open_window(trader, phone)
    for _ in range(4):
        clock.move(minutes=1)
        trader.post(f"{PAGE}/login/on", page=PAGE)
        assert turn_off(trader).status_code == 302
        assert trader.post(f"{PAGE}/recovery-codes", page=PAGE, password=PASSWORD).status_code == 200
    clock.move(minutes=1)
    assert asks(trader) == (True, True)


def test_the_window_belongs_to_its_session(trader: Person, phone: Phone, app: Flask, clock: FixedClock) -> None:
    other = a_browser(app)
    other.sign_in()
    other.post("/login/totp", code=phone.code())
    clock.move(seconds=30)
    open_window(trader, phone)
    assert asks(other) == (True, True)
    assert turn_off(other, "credentials").status_code == 403


def test_a_window_ends_with_the_session(trader: Person, phone: Phone, clock: FixedClock) -> None:
    open_window(trader, phone)
    trader.post("/logout", page="/")
    trader.sign_in()
    assert asks(trader) == (True, True)


def test_a_step_up_gives_the_session_a_new_id(trader: Person, phone: Phone, app: Flask) -> None:
    former = trader.cookie()
    open_window(trader, phone)
    assert trader.cookie() not in {"", former}
    thief = a_browser(app)
    thief.client.set_cookie("bridge_5000", former, domain="127.0.0.1")
    assert thief.get("/orders").status_code == 302
    assert trader.get("/orders").status_code == 200


def test_what_was_typed_never_comes_back(trader: Person, phone: Phone) -> None:
    code = phone.recovery_codes[0]
    answer = turn_off(trader, password="wrong password 1", code=code)
    assert answer.status_code == 403
    assert code not in answer.text
    assert "wrong password 1" not in answer.text


def test_a_refused_step_up_opens_no_window_and_changes_no_id(trader: Person, phone: Phone) -> None:
    former = trader.cookie()
    assert turn_off(trader, password=PASSWORD, code=phone.wrong_code()).status_code == 403
    assert trader.cookie() == former
    assert asks(trader) == (True, True)


def test_a_clock_that_is_set_back_does_not_lengthen_the_window(trader: Person, phone: Phone, clock: FixedClock) -> None:
    clock.move(hours=1)
    open_window(trader, phone)
    clock.move(seconds=-90)
    assert asks(trader) == (True, True)


def test_without_credentials_2fa_only_the_password_is_asked(trader: Person, phone: Phone, desk: Desk) -> None:
    desk.store.two_factor.switch(AuditEvent.CREDENTIALS_CODE, is_on=False, by=TRADER)
    assert asks(trader) == (True, False)
    assert turn_off(trader, password=PASSWORD).status_code == 302
    assert asks(trader) == (False, False)


def test_a_window_opened_without_a_code_closes_when_codes_are_switched_on(
    trader: Person, phone: Phone, desk: Desk
) -> None:
    desk.store.two_factor.switch(AuditEvent.CREDENTIALS_CODE, is_on=False, by=TRADER)
    turn_off(trader, password=PASSWORD)
    trader.post(f"{PAGE}/credentials/on", page=PAGE)
    assert asks(trader) == (True, True)


def test_a_form_that_needs_the_password_asks_it_inside_the_window_but_no_code(trader: Person, phone: Phone) -> None:
    open_window(trader, phone)
    text = trader.get(PAGE).text
    assert 'id="codes-password"' in text
    assert 'id="codes-code"' not in text


def test_a_code_that_is_sent_is_looked_at_inside_the_window_too(
    trader: Person, phone: Phone, clock: FixedClock
) -> None:
    code = phone.code()
    assert turn_off(trader, password=PASSWORD, code=code).status_code == 302
    used = trader.post(f"{PAGE}/recovery-codes", page=PAGE, password=PASSWORD, code=code)
    assert used.status_code == 403


def test_the_fields_of_several_forms_have_ids_of_their_own(trader: Person, phone: Phone) -> None:
    text = trader.get(PAGE).text
    for form in ("login-off", "credentials-off", "codes", "begin", "remove"):
        for field in ("password", "code"):
            assert text.count(f'id="{form}-{field}"') == 1


def test_a_recovery_code_serves_as_code_once(trader: Person, phone: Phone, clock: FixedClock) -> None:
    assert turn_off(trader, password=PASSWORD, code=phone.recovery_codes[0]).status_code == 302
    assert asks(trader) == (False, False)
    clock.move(minutes=5)
    assert turn_off(trader, "credentials", password=PASSWORD, code=phone.recovery_codes[0]).status_code == 403


def test_too_many_wrong_codes_are_told_above_the_form_with_the_time_to_wait(trader: Person, phone: Phone) -> None:
    assert turn_off(trader, password=PASSWORD, code=phone.wrong_code()).status_code == 403
    answer = turn_off(trader, password=PASSWORD, code=phone.code())
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert (
        '<div class="alert alert-danger" role="alert">Too many wrong codes. Try again in 1 second.</div>' in answer.text
    )


class MovingClock(FixedClock):
    """Moves on while somebody looks at it, as a clock does while a password is checked."""

    def __init__(self) -> None:
        super().__init__()
        self.step = timedelta(0)

    def now(self) -> datetime:
        self.moment += self.step
        return self.moment


def test_a_proof_that_leaned_on_the_window_opens_no_other_one(settings: Settings, codes: list[str]) -> None:
    clock = MovingClock()
    desk = open_desk(settings, clock, CHEAP)
    create_account(desk, "trader", PASSWORD, risk_accepted=True)
    person = a_browser(app_of(desk, codes.append))
    person.sign_in()
    app_on_phone = set_up(desk)
    known_for_codes(person, desk)
    clock.move(seconds=30)
    person.post("/apikey/view", page="/apikey", password=PASSWORD, code=app_on_phone.code())
    clock.move(minutes=4, seconds=59)
    # Asked before the password is checked, the window is open; after that it has closed.
    clock.step = timedelta(milliseconds=200)
    person.post("/apikey/view", page="/apikey", password=PASSWORD)
    clock.step = timedelta(0)
    answer = turn_off(person)
    assert answer.status_code == 403
    assert desk.store.two_factor.get().at_login
    desk.close()


def test_setting_it_up_or_a_code_makes_the_browser_known_where_codes_are_guessed(
    trader: Person, phone: Phone, desk: Desk, clock: FixedClock
) -> None:
    for cookie in ("", new_device_token(desk)):
        trader.client.set_cookie("bridge_device_5000", cookie, domain="127.0.0.1")
        clock.move(minutes=6)
        assert turn_off(trader, "login", password=PASSWORD, code=phone.code()).status_code == 302
        assert known_device(desk, trader.cookie("bridge_device_5000"), for_codes=True)
