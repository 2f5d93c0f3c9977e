"""A session ends when the trader says so or its time is over, and no copy of its cookie opens anything after that."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from tests.conftest import PASSWORD, TRADER, Account, FixedClock
from tests.phone import set_up
from tests.web.conftest import Person, a_browser

NEW = "four unrelated new words"
_END = re.compile(r'action="(/security/sessions/\d+/end)"')


@pytest.fixture
def phone(app: Flask, trader: Person) -> Person:
    """The same trader, signed in at another browser."""
    browser = a_browser(app)
    browser.client.environ_base["HTTP_USER_AGENT"] = "PhoneBrowser/1.0"
    assert browser.sign_in().status_code == 302
    return browser


def is_in(person: Person) -> bool:
    return person.get("/orders").status_code == 200


def end_links(person: Person) -> list[str]:
    return _END.findall(person.get("/security").text)


def test_the_list_tells_the_browsers_apart_and_marks_this_one(trader: Person, phone: Person) -> None:
    text = trader.get("/security").text
    assert text.count("this one</span>") == 1
    assert "PhoneBrowser" in text
    assert "127.0.0.1" in text
    assert len(end_links(trader)) == 1, "this one is signed out, not ended"


def test_another_session_is_ended_by_a_click(trader: Person, phone: Person, desk: Desk) -> None:
    (end,) = end_links(trader)
    assert trader.post(end, page="/security").location == "/security"
    assert "Signed out there." in trader.get("/security").text
    assert not is_in(phone)
    assert is_in(trader)
    line = desk.store.audit.page(limit=1)[0]
    assert (line.event, line.actor.name) == (AuditEvent.SESSION_ENDED, "trader")
    assert "PhoneBrowser" in line.before


def test_one_that_has_ended_already_is_a_sentence(trader: Person, phone: Person) -> None:
    (end,) = end_links(trader)
    phone.post("/logout", page="/")
    assert trader.post(end, page="/security").status_code == 302
    assert "has ended already" in trader.get("/security").text


@pytest.mark.parametrize("number", ["0", "-1", "9" * 30, "9007199254740991", "x"])
def test_a_number_that_is_no_session_ends_none(trader: Person, phone: Person, number: str) -> None:
    assert trader.post(f"/security/sessions/{number}/end", page="/security").status_code in {302, 404}
    assert is_in(trader)
    assert is_in(phone)


def test_everywhere_else_leaves_only_this_one(app: Flask, trader: Person, phone: Person, account: Account) -> None:
    third = a_browser(app)
    third.sign_in()
    trader.post("/security/sessions/end-others", page="/security")
    assert "Signed out in 2 other browsers." in trader.get("/security").text
    assert [is_in(each) for each in (trader, phone, third)] == [True, False, False]


def end_by_logout(trader: Person, phone: Person, clock: FixedClock) -> None:
    phone.post("/logout", page="/")


def end_by_click(trader: Person, phone: Person, clock: FixedClock) -> None:
    trader.post(end_links(trader)[0], page="/security")


def end_everywhere(trader: Person, phone: Person, clock: FixedClock) -> None:
    trader.post("/security/sessions/end-others", page="/security")


def end_by_time(trader: Person, phone: Person, clock: FixedClock) -> None:
    clock.move(hours=12)


def end_by_password(trader: Person, phone: Person, clock: FixedClock) -> None:
    fields = {"password": PASSWORD, "new_password": NEW, "again": NEW}
    assert trader.post("/security/password", page="/security", **fields).status_code == 302


@pytest.mark.parametrize("end", [end_by_logout, end_by_click, end_everywhere, end_by_time, end_by_password])
def test_a_stolen_cookie_opens_nothing_after_the_end(
    app: Flask, trader: Person, phone: Person, clock: FixedClock, end: Callable[[Person, Person, FixedClock], None]
) -> None:
    thief = a_browser(app)
    thief.client.set_cookie("bridge_5000", phone.cookie(), domain="127.0.0.1")
    assert is_in(thief), "while it lives it is the session"
    end(trader, phone, clock)
    assert not is_in(thief)
    assert thief.post_raw("/apikey/mode", mode="semi_auto").status_code == 401
    assert not is_in(phone)


def test_a_request_under_way_does_not_revive_a_session_that_is_ended(
    trader: Person, phone: Person, desk: Desk, app: Flask
) -> None:
    with phone.client.session_transaction(base_url="http://127.0.0.1:5000") as under_way:
        under_way["item"] = "written late"
        desk.store.sessions.end_others(None, by=TRADER)
    assert desk.store.sessions.all() == []
    assert not is_in(phone)


def test_the_sessions_cannot_be_read_so_nobody_is_let_in(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("ALTER TABLE session RENAME TO lost")
    for path in ("/orders", "/security", "/apikey"):
        assert trader.get(path).status_code == 503
    assert trader.post_raw("/apikey/mode", mode="semi_auto").status_code == 503


def test_polling_for_twelve_hours_does_not_keep_a_session(trader: Person, clock: FixedClock) -> None:
    for _ in range(12):
        clock.move(minutes=59)
        assert trader.get("/action-center/pending").status_code == 200
    clock.move(minutes=12)
    assert trader.get("/action-center/pending").status_code == 401
    assert not is_in(trader)


def test_polling_is_not_seen_as_the_person(trader: Person, phone: Person, desk: Desk, clock: FixedClock) -> None:
    for _ in range(10):
        clock.move(minutes=1)
        phone.get("/action-center/pending")
    (of_phone,) = [each for each in desk.store.sessions.all() if each.program == "PhoneBrowser/1.0"]
    assert of_phone.seen_at == of_phone.created_at


# The step-up: open for five minutes after a proof, whatever the browser does meanwhile.


def asks_again(person: Person) -> bool:
    """Whether a form that needs no more than the step-up asks for it."""
    answer = person.post("/security/two-factor/credentials/off", page="/security")
    return answer.status_code == 403


@pytest.mark.parametrize("path", ["/action-center/pending", "/orders", "/security"])
def test_neither_a_poll_nor_a_page_keeps_the_step_up_open(
    trader: Person, desk: Desk, clock: FixedClock, path: str
) -> None:
    phone_app = set_up(desk)
    clock.move(minutes=1)
    proof = {"password": PASSWORD, "code": phone_app.code()}
    changed = trader.post("/security/password", page="/security", new_password=NEW, again=NEW, **proof)
    assert changed.status_code == 302
    for _ in range(4):
        clock.move(minutes=1)
        assert trader.get(path).status_code == 200
        assert 'name="code"' not in trader.get("/security").text
    clock.move(minutes=1)
    assert trader.get(path).status_code == 200
    assert 'name="code"' in trader.get("/security").text
    assert asks_again(trader)


def test_the_sign_in_is_no_step_up(trader: Person, desk: Desk, clock: FixedClock) -> None:
    phone_app = set_up(desk)
    clock.move(minutes=1)
    trader.post("/logout", page="/")
    trader.sign_in()
    trader.post("/login/totp", code=phone_app.code())
    assert is_in(trader)
    assert asks_again(trader)


def test_the_step_up_of_one_browser_is_none_of_the_other(
    trader: Person, phone: Person, desk: Desk, clock: FixedClock
) -> None:
    phone_app = set_up(desk)
    clock.move(minutes=1)
    fields = {"password": PASSWORD, "code": phone_app.code()}
    assert trader.post("/security/two-factor/credentials/off", page="/security", **fields).status_code == 302
    desk.store.two_factor.switch(AuditEvent.CREDENTIALS_CODE, is_on=True, by=TRADER)
    assert asks_again(phone)
    assert not asks_again(trader)


def test_after_half_an_hour_of_nothing_the_session_lives_and_the_step_up_is_gone(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    phone_app = set_up(desk)
    clock.move(minutes=1)
    fields = {"password": PASSWORD, "code": phone_app.code()}
    assert trader.post("/security/two-factor/login/off", page="/security", **fields).status_code == 302
    clock.move(minutes=30)
    assert is_in(trader)
    assert asks_again(trader)
