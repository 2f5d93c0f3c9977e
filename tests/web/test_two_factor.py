"""``/security/two-factor``: setting it up, its switches, its recovery codes, and what never stands on a page."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.settings import Settings
from tests.conftest import PASSWORD, TRADER, FixedClock
from tests.phone import Phone, set_up
from tests.web.conftest import Person, a_browser, known_for_codes

PAGE = "/security/two-factor"
_SECRET = re.compile(r'id="secret">([A-Z2-7 ]+)<')
_CODE = re.compile(r"<li>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){4})</li>")
_SECRET_ANYWHERE = re.compile(r"\b[A-Z2-7]{32}\b|(?:\b[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b")
FORMS = [
    "begin",
    "finish",
    "login/on",
    "login/off",
    "credentials/on",
    "credentials/off",
    "recovery-codes",
    "remove",
]


def begin(person: Person, clock: FixedClock, **fields: str) -> Phone:
    """What the phone knows after its camera has seen the page."""
    text = person.post(f"{PAGE}/begin", page=PAGE, **fields).text
    found = _SECRET.search(text)
    assert found is not None, "the page shows no secret"
    assert 'src="data:image/svg+xml' in text
    return Phone(found[1].replace(" ", ""), clock)


def finish(person: Person, new_code: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    return person.post(f"{PAGE}/finish", page=PAGE, new_code=new_code, password=password, **fields)


def shown_codes(answer: TestResponse) -> list[str]:
    return _CODE.findall(answer.text)


def beside(answer: TestResponse, field_id: str) -> str:
    """What is said beside a field."""
    found = re.search(rf'id="{field_id}-help">\s*<div class="fault">([^<]*)', answer.text)
    return html.unescape(found[1]) if found else ""


@pytest.fixture
def phone(trader: Person, desk: Desk, clock: FixedClock) -> Phone:
    """Two-factor is on; the trader signed in before that and has proved nothing lately."""
    made = set_up(desk)
    known_for_codes(trader, desk)
    clock.move(seconds=30)
    return made


# Setting it up


def test_it_is_set_up_with_a_camera_a_code_and_the_password(
    trader: Person, app: Flask, desk: Desk, clock: FixedClock
) -> None:
    phone = begin(trader, clock)
    answer = finish(trader, phone.code())
    codes = shown_codes(answer)
    assert (answer.status_code, len(codes)) == (200, 10)
    two_factor = desk.store.two_factor.get()
    assert (two_factor.at_login, two_factor.for_credentials) == (True, True)
    other = a_browser(app)
    assert other.sign_in().location == "/login/totp"
    assert other.post("/login/totp", code=codes[0]).status_code == 302


def test_the_secret_is_in_one_answer_and_the_codes_are_in_one(trader: Person, clock: FixedClock) -> None:
    phone = begin(trader, clock)
    codes = shown_codes(finish(trader, phone.code()))
    for path in (PAGE, "/security", "/security/audit", "/apikey", "/"):
        text = trader.get(path).text
        assert phone.secret not in text
        assert not any(code in text for code in codes)
    assert sum(bool(_SECRET.search(text)) for text in trader.texts) == 1
    assert sum(bool(_CODE.search(text)) for text in trader.texts) == 1


def test_the_log_holds_neither_secret_nor_codes(
    trader: Person, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    phone = begin(trader, clock)
    code = phone.code()
    codes = shown_codes(finish(trader, code))
    assert caplog.text
    for secret in (phone.secret, code, PASSWORD, *codes):
        assert secret not in caplog.text


def test_the_session_holds_neither_secret_nor_codes(trader: Person, clock: FixedClock, desk: Desk) -> None:
    phone = begin(trader, clock)
    codes = shown_codes(finish(trader, phone.code()))
    content = "".join(session.content for session in desk.store.sessions.all())
    assert not any(secret in content for secret in (phone.secret, phone.code(), *codes))


def test_a_wrong_code_is_told_beside_its_field_and_the_secret_is_not_shown_again(
    trader: Person, clock: FixedClock, desk: Desk
) -> None:
    phone = begin(trader, clock)
    answer = finish(trader, phone.wrong_code())
    assert answer.status_code == 403
    assert beside(answer, "new_code").startswith("Wrong code.")
    assert not _SECRET_ANYWHERE.search(answer.text)
    assert "Start again" in answer.text
    assert not desk.store.two_factor.get().is_set_up
    assert len(shown_codes(finish(trader, phone.code()))) == 10


def test_a_wrong_password_is_told_beside_its_field_and_sets_nothing_up(
    trader: Person, clock: FixedClock, desk: Desk
) -> None:
    phone = begin(trader, clock)
    answer = finish(trader, phone.code(), "wrong password 1")
    assert answer.status_code == 403
    assert beside(answer, "finish-password") == "Wrong password."
    assert not desk.store.two_factor.get().is_set_up


@pytest.mark.parametrize(
    ("fields", "field_id", "said"),
    [
        ({"password": PASSWORD}, "new_code", "Type the six digits."),
        ({"new_code": "123456"}, "finish-password", "Type your password."),
        ({"new_code": "1" * 101, "password": PASSWORD}, "new_code", "Field cannot be longer than 100 characters."),
        ({"new_code": "123456", "password": "x" * 1001}, "finish-password", "Field cannot be longer than 1000"),
    ],
)
def test_a_malformed_form_is_told_beside_the_field(
    trader: Person, clock: FixedClock, desk: Desk, fields: dict[str, str], field_id: str, said: str
) -> None:
    begin(trader, clock)
    answer = trader.post(f"{PAGE}/finish", page=PAGE, **fields)
    assert answer.status_code == 400
    assert said in beside(answer, field_id)
    assert not desk.store.two_factor.get().is_set_up
    assert PASSWORD not in answer.text


def test_a_clock_that_is_off_is_told_while_setting_up(trader: Person, clock: FixedClock) -> None:
    answer = finish(trader, begin(trader, clock).code(-6))
    assert "off by about 3 minutes" in beside(answer, "new_code")


def test_a_begun_set_up_can_be_begun_again(trader: Person, clock: FixedClock) -> None:
    older = begin(trader, clock)
    text = trader.get(PAGE).text
    assert "Start again" in text
    assert 'id="begin-password"' not in text, "nothing is set up, so nothing is asked"
    newer = begin(trader, clock)
    assert finish(trader, older.code()).status_code == 403
    assert finish(trader, newer.code()).status_code == 200


def test_a_form_that_was_finished_in_another_window_says_so(trader: Person, clock: FixedClock, desk: Desk) -> None:
    phone = begin(trader, clock)
    finish(trader, phone.code())
    before = desk.store.two_factor.get()
    again = finish(trader, phone.code(1))
    assert again.status_code == 409
    assert "finished already" in again.text
    assert desk.store.two_factor.get() == before


def test_a_set_up_gives_the_session_a_new_id(trader: Person, clock: FixedClock, app: Flask) -> None:
    phone, former = begin(trader, clock), trader.cookie()
    finish(trader, phone.code())
    assert trader.cookie() not in {"", former}
    thief = a_browser(app)
    thief.client.set_cookie("bridge_5000", former, domain="127.0.0.1")
    assert thief.get("/orders").status_code == 302


def test_a_user_name_cannot_break_out_of_the_page(stranger: Person, desk: Desk) -> None:
    hostile = '"><script>alert(1)</script>'
    create_account(desk, hostile, PASSWORD, risk_accepted=True)
    stranger.sign_in(username=hostile)
    text = stranger.post(f"{PAGE}/begin", page=PAGE).text
    assert hostile in html.unescape(text)
    assert "<script>alert" not in text


# The two switches


@pytest.mark.parametrize("which", ["login", "credentials"])
def test_turning_a_switch_on_asks_nothing(trader: Person, phone: Phone, desk: Desk, which: str) -> None:
    for event in (AuditEvent.LOGIN_CODE, AuditEvent.CREDENTIALS_CODE):
        desk.store.two_factor.switch(event, is_on=False, by=TRADER)
    assert trader.post(f"{PAGE}/{which}/on", page=PAGE).status_code == 302
    two_factor = desk.store.two_factor.get()
    assert (two_factor.at_login, two_factor.for_credentials) == (which == "login", which == "credentials")
    line = desk.store.audit.page(limit=1)[0]
    assert (line.after, line.actor.name, line.actor.address) == ("on", "trader", "127.0.0.1")


@pytest.mark.parametrize("which", ["login", "credentials"])
def test_turning_a_switch_off_asks_password_and_code(
    trader: Person, phone: Phone, desk: Desk, clock: FixedClock, which: str
) -> None:
    path, before = f"{PAGE}/{which}/off", desk.store.two_factor.get()
    without = trader.post(path, page=PAGE)
    assert (without.status_code, beside(without, f"{which}-off-password")) == (403, "Type your password.")
    wrong_password = trader.post(path, page=PAGE, password="wrong password 1", code=phone.code())
    assert (wrong_password.status_code, beside(wrong_password, f"{which}-off-password")) == (403, "Wrong password.")
    clock.move(seconds=1)
    wrong_code = trader.post(path, page=PAGE, password=PASSWORD, code=phone.wrong_code())
    assert wrong_code.status_code == 403
    assert beside(wrong_code, f"{which}-off-code").startswith("Wrong code.")
    clock.move(seconds=1)
    assert desk.store.two_factor.get() == before
    assert trader.post(path, page=PAGE, password=PASSWORD, code=phone.code()).status_code == 302
    two_factor = desk.store.two_factor.get()
    assert (two_factor.at_login, two_factor.for_credentials) == (which != "login", which != "credentials")


def test_without_an_app_no_switch_can_be_turned(trader: Person, desk: Desk) -> None:
    assert trader.post(f"{PAGE}/login/on", page=PAGE).status_code == 409
    assert not desk.store.two_factor.get().at_login


def test_a_refused_form_stays_open_and_the_others_stay_closed(trader: Person, phone: Phone) -> None:
    assert trader.get(PAGE).text.count("<details open>") == 0
    refused = trader.post(f"{PAGE}/remove", page=PAGE, password="wrong password 1")
    assert refused.text.count("<details open>") == 1
    assert "wrong password 1" not in refused.text


# Recovery codes, another app, none


def test_new_recovery_codes_are_shown_once_and_kill_the_old_ones(trader: Person, app: Flask, phone: Phone) -> None:
    answer = trader.post(f"{PAGE}/recovery-codes", page=PAGE, password=PASSWORD, code=phone.code())
    fresh = shown_codes(answer)
    assert len(fresh) == 10
    other = a_browser(app)
    other.sign_in()
    assert other.post("/login/totp", code=phone.recovery_codes[0]).status_code == 403
    assert other.post("/login/totp", code=fresh[0]).status_code == 302


def test_new_recovery_codes_need_the_password_every_time(trader: Person, phone: Phone) -> None:
    trader.post(f"{PAGE}/recovery-codes", page=PAGE, password=PASSWORD, code=phone.code())
    without = trader.post(f"{PAGE}/recovery-codes", page=PAGE)
    assert (without.status_code, beside(without, "codes-password")) == (400, "Type your password.")
    assert len(shown_codes(trader.post(f"{PAGE}/recovery-codes", page=PAGE, password=PASSWORD))) == 10


@pytest.mark.parametrize(
    ("used", "said"), [(6, ""), (7, "Only 3 are left"), (9, "Only one is left"), (10, "None is left")]
)
def test_few_recovery_codes_are_told(trader: Person, phone: Phone, desk: Desk, used: int, said: str) -> None:
    for code in phone.recovery_codes[:used]:
        desk.store.two_factor.use_recovery_code(code[:4], by=TRADER)
    text = trader.get(PAGE).text
    assert f"Recovery codes: {10 - used} left" in text
    assert said in text
    assert bool(said) == ("locked out when your phone is lost" in text)


def test_another_app_takes_over_with_password_and_code(
    trader: Person, phone: Phone, app: Flask, clock: FixedClock
) -> None:
    assert trader.post(f"{PAGE}/begin", page=PAGE).status_code == 403
    other = begin(trader, clock, password=PASSWORD, code=phone.code())
    assert finish(trader, other.code()).status_code == 200
    clock.move(seconds=30)
    browser = a_browser(app)
    browser.sign_in()
    assert browser.post("/login/totp", code=phone.code()).status_code == 403
    assert browser.post("/login/totp", code=other.code()).status_code == 302


def test_who_lost_the_phone_sets_another_up_with_recovery_codes(app: Flask, phone: Phone, clock: FixedClock) -> None:
    person = a_browser(app)
    person.sign_in()
    person.post("/login/totp", code=phone.recovery_codes[0])
    other = begin(person, clock, password=PASSWORD, code=phone.recovery_codes[1])
    assert len(shown_codes(finish(person, other.code()))) == 10
    assert "You signed in with a recovery code" not in person.get("/").text


def test_a_set_up_that_took_long_asks_a_code_of_the_old_app_again(
    trader: Person, phone: Phone, clock: FixedClock
) -> None:
    other = begin(trader, clock, password=PASSWORD, code=phone.code())
    clock.move(minutes=5)
    refused = finish(trader, other.code())
    assert refused.status_code == 403
    assert "six digits" in beside(refused, "finish-code")
    assert "Code of your old authenticator app" in refused.text
    assert finish(trader, other.code(), code=phone.code()).status_code == 200


def test_it_can_be_removed_with_password_and_code(trader: Person, phone: Phone, app: Flask, desk: Desk) -> None:
    assert trader.post(f"{PAGE}/remove", page=PAGE, password=PASSWORD).status_code == 403
    assert trader.post(f"{PAGE}/remove", page=PAGE, password=PASSWORD, code=phone.code()).location == PAGE
    assert not desk.store.two_factor.get().is_set_up
    assert a_browser(app).sign_in().location == "/"
    assert "Set up two-factor" in trader.get(PAGE).text


def test_a_secret_of_another_machine_key_is_told_with_its_remedies(
    trader: Person, phone: Phone, desk: Desk, settings: Settings
) -> None:
    desk.store.files[0].write("UPDATE two_factor SET secret = x'00'")
    text = trader.get(PAGE).text
    assert "machine.key" in text
    assert "run.py reset-password --remove-two-factor" in text


# Every form


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_a_token_changes_nothing(trader: Person, phone: Phone, desk: Desk, path: str) -> None:
    before = (desk.store.two_factor.get(), desk.store.two_factor.recovery_codes(), desk.store.audit.count())
    fields = {"password": PASSWORD, "code": phone.code(), "new_code": phone.code()}
    assert trader.post_raw(f"{PAGE}/{path}", **fields).status_code == 400
    assert (desk.store.two_factor.get(), desk.store.two_factor.recovery_codes(), desk.store.audit.count()) == before


@pytest.mark.parametrize("path", FORMS)
def test_a_stranger_reaches_no_form(app: Flask, phone: Phone, desk: Desk, path: str) -> None:
    before = (desk.store.two_factor.get(), desk.store.audit.count())
    answer = a_browser(app).post(f"{PAGE}/{path}", page="/login", password=PASSWORD, code=phone.code())
    assert answer.status_code == 401
    assert (desk.store.two_factor.get(), desk.store.audit.count()) == before


@pytest.mark.parametrize("path", ["login/off", "credentials/off", "recovery-codes", "remove", "begin"])
def test_guessing_the_password_is_limited_on_every_form(trader: Person, phone: Phone, desk: Desk, path: str) -> None:
    before = desk.store.two_factor.get()
    assert trader.post(f"{PAGE}/{path}", page=PAGE, password="wrong password 1").status_code == 403
    answer = trader.post(f"{PAGE}/{path}", page=PAGE, password=PASSWORD, code=phone.code())
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    assert "Too many wrong passwords" in answer.text
    assert desk.store.two_factor.get() == before
