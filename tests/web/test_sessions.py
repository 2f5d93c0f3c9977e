"""A session ends when the trader says so or its time is over, and no copy of its cookie opens anything after that."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Ticket
from tests.conftest import PASSWORD, TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.phone import set_up
from tests.web.conftest import Person, a_browser, a_trader_at, an_order, csrf_token, hold

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


# Two tabs, and a file that cannot be written.


def items(desk: Desk) -> dict[str, object]:
    """What the one session holds."""
    (session,) = desk.store.sessions.all()
    found: dict[str, object] = json.loads(session.content)
    return found


@dataclass
class SlowBroker(ScriptedBroker):
    """Answers an order when the test lets it."""

    is_asked: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self.is_asked.set()
        assert self.may_answer.wait(30)
        return super().place(permit)


@dataclass(frozen=True)
class SlowTab:
    """Another tab of the same browser, in which an order of 10 RELIANCE is being approved."""

    tab: Person
    broker: SlowBroker
    ticket: Ticket
    token: str
    thread: ThreadPoolExecutor

    def begin(self) -> None:
        fields = {"csrf_token": self.token, "shown": self.ticket.shown}
        self.thread.submit(self.tab.post_raw, f"/action-center/{self.ticket.id}/approve", **fields)
        assert self.broker.is_asked.wait(30)

    def end(self) -> None:
        self.broker.may_answer.set()
        self.thread.shutdown()


@pytest.fixture
def slow_broker(desk: Desk) -> SlowBroker:
    return SlowBroker(desk)


@pytest.fixture
def at_slow(desk: Desk, account: Account, slow_broker: SlowBroker) -> Person:
    """The trader at a bridge whose broker is slow."""
    return a_trader_at(with_broker(desk, slow_broker))


@pytest.fixture
def slow_tab(desk: Desk, at_slow: Person, slow_broker: SlowBroker) -> Iterator[SlowTab]:
    ticket, tab = hold(desk), a_browser(at_slow.client.application)
    tab.client.set_cookie("bridge_5000", at_slow.cookie(), domain="127.0.0.1")
    token = csrf_token(at_slow.get("/orders").text)
    slow = SlowTab(tab, slow_broker, ticket, token, ThreadPoolExecutor(1))
    yield slow
    slow.end()


def reject(person: Person, desk: Desk, symbol: str) -> None:
    """One more order that waits, turned down in this tab."""
    ticket = hold(desk, an_order(symbol))
    page = f"/action-center/{ticket.id}"
    assert person.post_raw(f"{page}/reject", csrf_token=token_of(person), shown=ticket.shown).status_code == 302


def token_of(person: Person) -> str:
    """Of a page that shows no messages, so that none is used up."""
    return csrf_token(person.get("/action-center/waiting").text)


def test_the_messages_of_two_tabs_are_both_shown(at_slow: Person, slow_tab: SlowTab, desk: Desk) -> None:
    slow_tab.begin()
    reject(at_slow, desk, "TCS")
    slow_tab.end()
    page = at_slow.get("/action-center").text
    assert "Rejected: BUY 10 TCS" in page
    assert "BUY 10 RELIANCE on NSE" in page
    assert "Rejected: BUY 10 TCS" not in at_slow.get("/action-center").text


def test_a_slow_tab_brings_back_no_message_that_was_shown_meanwhile(
    at_slow: Person, slow_tab: SlowTab, desk: Desk
) -> None:
    reject(at_slow, desk, "TCS")
    slow_tab.begin()
    assert "Rejected: BUY 10 TCS" in at_slow.get("/action-center").text
    slow_tab.end()
    page = at_slow.get("/action-center").text
    assert "BUY 10 RELIANCE on NSE" in page
    assert "Rejected: BUY 10 TCS" not in page


def test_a_step_up_outlives_the_answer_of_a_slow_tab(
    at_slow: Person, slow_tab: SlowTab, desk: Desk, account: Account
) -> None:
    slow_tab.begin()
    desk.store.kill_switch.engage("test", by=TRADER)
    fields = {"csrf_token": slow_tab.token, "password": account.password}
    assert at_slow.post_raw("/kill-switch/release", **fields).status_code == 302
    slow_tab.end()
    desk.store.kill_switch.engage("again", by=TRADER)
    assert at_slow.post_raw("/kill-switch/release", csrf_token=slow_tab.token).status_code == 302
    assert not desk.store.kill_switch.state().is_on


def test_a_message_is_written_and_taken_out_and_then_nothing_is_written(trader: Person, desk: Desk) -> None:
    quiet = items(desk)
    reject(trader, desk, "TCS")
    assert set(items(desk)) - set(quiet) == {"_flashes"}
    trader.get("/orders")
    assert items(desk) == quiet


def test_the_sign_in_makes_the_token_of_all_forms_so_that_no_tab_can_replace_it(trader: Person, desk: Desk) -> None:
    before = items(desk)["csrf_token"]
    for path in ("/orders", "/positions"):
        assert trader.get(path).status_code == 200
    assert items(desk)["csrf_token"] == before


def refuse(desk: Desk, what: str) -> None:
    """From now on the table of sessions does not take ``what``, as on a disk that is full."""
    desk.store.files[0].write(
        f"CREATE TRIGGER refused BEFORE {what} ON session BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )


def test_a_page_that_was_only_looked_at_waits_for_nobody_who_writes(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    clock.move(minutes=2)
    with ThreadPoolExecutor(1) as other, desk.store.files[0].transaction():
        pages = [other.submit(trader.get, path).result(30) for path in ("/", "/orders", "/kill-switch", "/guards")]
    assert [page.status_code for page in pages] == [200] * 4


def test_pages_answer_while_another_program_has_locked_the_database(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    clock.move(minutes=2)
    other = sqlite3.connect(desk.settings.db_dir / "bridge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for path in ("/", "/orders", "/kill-switch", "/action-center", "/positions"):
        answer = trader.get(path)
        assert answer.status_code == 200, path
        assert "Stop all orders" in answer.text, path
    other.close()


def test_what_was_done_is_answered_as_done_where_the_session_cannot_be_written(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    token = csrf_token(trader.get("/orders").text)
    refuse(desk, "UPDATE")
    sent = trader.post_raw(f"/action-center/{ticket.id}/approve", csrf_token=token, shown=ticket.shown)
    assert sent.status_code == 302
    assert "Filled" in trader.get(sent.location).text, "the page reads the journal"
    stopped = trader.post_raw("/kill-switch", csrf_token=token, reason="the disk is full", close_all="yes")
    assert stopped.status_code == 302
    page = trader.get(stopped.location).text
    assert "the disk is full" in page
    assert "1 of 1 done" in page


def test_a_step_up_that_cannot_be_written_opens_no_window_and_keeps_what_it_was_for(
    trader: Person, desk: Desk, account: Account
) -> None:
    desk.store.kill_switch.engage("test", by=TRADER)
    cookie = trader.cookie()
    refuse(desk, "UPDATE")
    released = trader.post("/kill-switch/release", page="/kill-switch", password=account.password)
    assert released.status_code == 302
    assert not desk.store.kill_switch.state().is_on
    desk.store.kill_switch.engage("again", by=TRADER)
    assert 'id="release-password"' in trader.get("/kill-switch").text
    assert trader.cookie() == cookie
    assert is_in(trader)


def test_a_sign_out_that_cannot_be_written_is_not_told_as_done(trader: Person, desk: Desk) -> None:
    token = csrf_token(trader.get("/orders").text)
    refuse(desk, "DELETE")
    answer = trader.post_raw("/logout", csrf_token=token)
    assert answer.status_code == 503
    assert "disk full" in answer.text
    assert is_in(trader)
