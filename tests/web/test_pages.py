"""What is true of every page, and the three that only show."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, OrderMode, TradingMode
from openalgo_bridge.store.traffic import Arrival, Ending
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, csrf_token, hold, send

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}",
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "\u202egnp.exe",
]
PAGES = (
    "/",
    "/apikey",
    "/action-center",
    "/orders",
    "/gtt",
    "/trades",
    "/positions",
    "/holdings",
    "/funds",
    "/guards",
    "/kill-switch",
    "/analyzer",
    "/analyzer/capital",
    "/analyzer/ledger",
    "/analyzer/live",
    "/analyzer/paper",
    "/settings",
    "/settings/calendar",
    "/settings/instruments?q=nifty",
    "/traffic",
    "/traffic?kind=all&since=2026-11-22&until=2026-11-20",
    # The call that showed the sign-in page.
    "/traffic/1",
    "/traffic/summary",
    "/traffic/watch",
    "/traffic/errors",
    "/security",
    "/security/audit",
)


class Page(HTMLParser):
    """What the tests need to know of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.headings = 0
        self.language = ""
        self.fields: list[str] = []
        self.labels: set[str] = set()
        self.ids: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._in_script = tag == "script"
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.faults.append(f"inline style or handler in <{tag} {given}>")
        if tag == "script" and not (given.get("src") or "").startswith("/static/"):
            self.faults.append(f"a script that is not ours: {given}")
        for name in ("href", "src", "action"):
            if (given.get(name) or "/")[0] not in "/#":
                self.faults.append(f"<{tag}> leads outside: {given[name]}")
        self.headings += tag == "h1"
        self.language = given.get("lang") or self.language
        self.ids += [given["id"]] if given.get("id") else []
        if tag == "label":
            self.labels.add(given.get("for") or "")
        if tag in {"input", "select", "textarea"} and given.get("type") not in {"hidden", "submit"}:
            self.fields += [] if "hidden" in given else [given.get("id") or f"<{tag} without id>"]

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.faults.append(f"inline script: {data[:60]}")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


def walk(person: Person, desk: Desk, account: Account) -> list[str]:
    """The text of every page there is, with something on each."""
    send(desk, an_order())
    ticket = hold(desk, an_order("INFY", 5), strategy=HOSTILE[0])
    seen = [person.get(path).text for path in (*PAGES, f"/action-center/{ticket.id}", "/no-such-page", "/login")]
    seen.append(person.post("/apikey/view", page="/apikey", password=account.password).text)
    seen.append(person.post("/apikey/regenerate", page="/apikey", password="wrong password 1").text)
    seen.append(person.post_raw("/logout").text)
    person.post("/logout", page="/")
    seen.extend((person.get("/login").text, person.sign_in("wrong password 1").text))
    return seen


def test_no_page_has_anything_inline_or_from_elsewhere(trader: Person, desk: Desk, account: Account) -> None:
    pages = [Page(text) for text in walk(trader, desk, account) if "<html" in text]
    assert len(pages) >= 12
    for page in pages:
        assert not page.faults
        assert page.headings == 1
        assert page.language == "en"
        assert len(page.ids) == len(set(page.ids))
        assert set(page.fields) <= page.labels, "every field has a label"


def test_the_setup_page_keeps_the_same_rules(stranger: Person, codes: list[str]) -> None:
    done = stranger.post(
        "/setup", setup_code=codes[-1], username="trader", password="correct horse battery", accept_risk="yes"
    )
    for text in [*stranger.texts, done.text]:
        page = Page(text)
        assert not page.faults
        assert page.headings == 1
        assert set(page.fields) <= page.labels


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_shown_as_text(trader: Person, desk: Desk, hostile: str) -> None:
    send(desk, strategy=hostile)
    ticket = hold(desk, strategy=hostile)
    call = desk.store.traffic.open(
        Arrival(request_id="r", at=0, method=hostile, endpoint=f"/api/{hostile}", address=hostile, program=hostile)
    )
    desk.store.traffic.close(call, Ending(status=200, duration_us=1, outcome=hostile, message=hostile))
    for path in ("/action-center", f"/action-center/{ticket.id}", "/orders", "/trades", "/traffic"):
        answer = trader.get(path)
        assert answer.status_code == 200
        assert not Page(answer.text).faults
        assert "49" not in re.findall(r"<td[^>]*>(\d+)</td>", answer.text)
        for tag in ("<script>alert", "<img", "<svg"):
            assert tag not in answer.text


def test_every_page_says_that_the_money_is_paper(trader: Person) -> None:
    for path in PAGES:
        assert "Paper trading with simulated prices" in trader.get(path).text


def test_an_order_mode_that_cannot_be_read_is_said_and_the_pages_still_work(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("DELETE FROM preference WHERE name = 'order_mode'")
    for path in PAGES:
        answer = trader.get(path)
        assert answer.status_code == 200
        assert "every order is held" in answer.text


def test_a_broken_database_is_a_page_with_a_sentence(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("ALTER TABLE ticket RENAME TO lost")
    answer = trader.get("/orders")
    assert answer.status_code == 503
    assert "cannot be used" in answer.text
    assert re.search(r"<code>[0-9a-f]{16}</code>", answer.text)


def test_a_fault_of_ours_is_a_page_with_the_number_of_the_request(trader: Person, desk: Desk) -> None:
    send(desk)
    with sqlite3.connect(desk.settings.db_dir / "bridge.db") as raw:
        raw.execute("DROP TRIGGER ticket_kept")
        raw.execute("UPDATE ticket SET request = 'not json'")
    raw.close()
    answer = trader.get("/orders")
    assert answer.status_code == 500
    assert "not json" not in answer.text
    assert re.search(r"<code>[0-9a-f]{16}</code>", answer.text)


def stop_forms(text: str) -> list[str]:
    """What presses the kill switch from this page."""
    return re.findall(r'<form[^>]* action="/kill-switch">(.*?)</form>', text, re.DOTALL)


def test_the_pages_of_what_went_wrong_have_the_button_that_stops_all_orders(trader: Person, desk: Desk) -> None:
    ticket, token = hold(desk), csrf_token(trader.get("/orders").text)
    decision = f"/action-center/{ticket.id}/approve"
    answers = [
        trader.get("/no-such-page"),
        trader.get("/kill-switch/release"),
        trader.post_raw("/action-center/approve-all", csrf_token=token),
        trader.post_raw("/logout", csrf_token="old"),
        trader.post_raw(decision, csrf_token="old"),
        trader.post_raw(decision, csrf_token=token, shown="of another order"),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 400, 400, 400, 409]
    for answer in answers:
        press(trader, desk, answer.text)


def test_a_broken_database_leaves_the_button_that_stops_all_orders(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("ALTER TABLE ticket RENAME TO lost")
    answer = trader.get("/orders")
    assert answer.status_code == 503
    press(trader, desk, answer.text)


def press(person: Person, desk: Desk, text: str) -> None:
    """The first button of this page stops all orders; then they may go again."""
    assert person.post_raw("/kill-switch", csrf_token=csrf_token(stop_forms(text)[0])).status_code in {302, 503}
    assert desk.store.kill_switch.state().is_on
    desk.store.kill_switch.release(by=TRADER)


def test_a_second_press_that_cannot_be_written_does_not_say_that_the_switch_is_off(trader: Person, desk: Desk) -> None:
    token = csrf_token(trader.get("/orders").text)
    desk.store.kill_switch.engage("first", by=TRADER)
    desk.store.files[0].tables.conn.execute("PRAGMA query_only=ON")
    answer = trader.post_raw("/kill-switch", csrf_token=token)
    desk.store.files[0].tables.conn.execute("PRAGMA query_only=OFF")
    assert answer.status_code == 503
    assert "No new order is sent: the kill switch is on" in answer.text
    assert "NOT on" not in answer.text


@pytest.mark.parametrize("lost", ["session", "user"])
def test_where_nobody_can_be_known_the_page_of_an_error_leads_to_the_kill_switch(
    trader: Person, desk: Desk, lost: str
) -> None:
    desk.store.files[0].write(f"ALTER TABLE {lost} RENAME TO lost")
    for path in ("/orders", "/no-such-page"):
        answer = trader.get(path)
        assert answer.status_code in {404, 503}
        assert stop_forms(answer.text) == []
        assert '<a href="/kill-switch">stop them all</a>' in answer.text


def test_a_stranger_gets_no_form_with_an_error(stranger: Person, account: Account) -> None:
    answer = stranger.get("/no-such-page")
    assert stop_forms(answer.text) == []
    assert "Set-Cookie" not in answer.headers


def test_what_every_page_asks_for_tells_that_a_mode_changed(trader: Person, desk: Desk) -> None:
    def told() -> tuple[object, object]:
        answer = trader.get("/action-center/pending").get_json()
        return answer["orders"], answer["trading"]

    def standing() -> str:
        return trader.get("/action-center/standing").text

    assert told() == ("auto", "analyze")
    assert 'data-orders="auto" data-trading="analyze"' in trader.get("/traffic").text
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    assert told() == ("semi_auto", "live")
    assert "Live (real money)" in standing()
    assert "Orders: Semi-Auto" in standing()
    desk.store.files[0].write("DELETE FROM preference")
    assert told() == (None, None)
    assert 'data-orders="null" data-trading="null"' in standing()


def test_every_page_says_that_the_money_is_real_and_where(desk: Desk, account: Account) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    person = a_trader_at(with_broker(desk, ScriptedBroker(desk, name="somebroker"), TradingMode.LIVE))
    for path in PAGES:
        text = person.get(path).text
        assert "<strong>Live trading</strong> at somebroker: orders use real money." in text, path
        assert "Paper trading" not in text, path


def test_every_page_says_that_live_trading_without_a_broker_refuses_every_order(trader: Person, desk: Desk) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    banner = "Live trading, but no live broker is connected:</strong> every order is refused"
    for path in PAGES:
        answer = trader.get(path)
        # What is the broker's alone cannot be shown, and its page says why.
        told = banner if answer.status_code == 200 else "No broker is connected for live trading"
        assert told in answer.text, path


def test_beside_a_live_account_paper_does_not_say_that_nothing_reaches_a_broker(desk: Desk, account: Account) -> None:
    person = a_trader_at(with_broker(desk, ScriptedBroker(desk, name="somebroker"), TradingMode.LIVE))
    for path in PAGES:
        text = person.get(path).text
        assert "Nothing reaches a broker" not in text
        assert "New orders reach no broker; what is at somebroker, or waits for it" in text


def test_what_every_page_asks_for_tells_that_the_switch_or_the_doors_changed(trader: Person, desk: Desk) -> None:
    def told() -> tuple[object, object]:
        answer = trader.get("/action-center/pending").get_json()
        return answer["stopped"], answer["doors"]

    def standing() -> str:
        return trader.get("/action-center/standing").text

    assert told() == (False, "open")
    assert 'data-stopped="false" data-doors="open"' in trader.get("/traffic").text
    desk.store.kill_switch.engage("the feed lies", by=TRADER)
    assert told() == (True, "open")
    assert "the feed lies" in standing()
    assert "<main" not in standing()
    desk.doors.keep_safe("The broker cannot be read.")
    assert told() == (True, "safe")
    assert "Orders wait for you" in standing()
    desk.store.files[0].write("DELETE FROM kill_switch")
    assert told() == (None, "safe")
    assert 'data-stopped="null" data-doors="safe"' in standing()


def test_the_first_steps_are_there_until_the_first_order(trader: Person, desk: Desk) -> None:
    assert "First steps" in trader.get("/").text
    send(desk)
    text = trader.get("/").text
    assert "First steps" not in text
    assert re.search(r"<dt>Filled</dt><dd>1</dd>", text)


def test_the_dashboard_says_that_an_exit_waits(trader: Person, desk: Desk) -> None:
    send(desk, an_order(quantity=10))
    hold(desk, an_order("INFY", 5))
    assert "is an exit" not in trader.get("/").text
    hold(desk, replace(an_order(quantity=10), action=Action.SELL))
    told = "1 of them is an exit: it came to close a position, and closes nothing until you decide."
    assert told in trader.get("/").text
    hold(desk, replace(an_order(quantity=10), action=Action.SELL))
    told = "2 of them are exits: they came to close positions, and close nothing until you decide."
    assert told in trader.get("/").text


def test_the_dashboard_knows_when_the_key_was_last_used(trader: Person, account: Account) -> None:
    assert "No program has called with it yet" in trader.get("/").text
    trader.client.post("/api/v1/ping", json={"apikey": account.key})
    assert "Last call" in trader.get("/").text


def test_orders_tell_our_state_and_the_brokers(trader: Person, desk: Desk) -> None:
    send(desk, an_order(quantity=10))
    send(desk, an_order("INFY", 7, price="1300"))
    hold(desk, an_order("TCS", 3))
    text = trader.get("/orders").text
    assert "10 of 10" in text
    assert "0 of 7" in text
    assert text.index("BUY 3 TCS") < text.index("BUY 7 INFY") < text.index("BUY 10 RELIANCE"), "newest first"
    for word in ("Filled", "Working at the broker", "Waiting for you"):
        assert f">{word}</span>" in text


def test_positions_add_up(trader: Person, desk: Desk) -> None:
    assert "No position today" in trader.get("/positions").text
    send(desk, an_order(quantity=10))
    text = trader.get("/positions").text
    assert "RELIANCE" in text
    assert "Total" in text


def call_api(person: Person, desk: Desk, account: Account, times: int = 1) -> None:
    for _ in range(times):
        person.client.post("/api/v1/ping", json={"apikey": account.key})


@pytest.mark.parametrize(
    "query",
    [
        "status=9",
        "status=-1",
        "status=4%20OR%201=1",
        "before=-5",
        "before=" + "9" * 400,
        "before=\u0665",
        "before=1e9&status=&endpoint=",
        "status=9&endpoint=/api/v1/ping",
        "page=7&limit=100000",
    ],
)
def test_an_impossible_filter_shows_the_nearest_sensible_page(
    trader: Person, desk: Desk, account: Account, query: str
) -> None:
    call_api(trader, desk, account)
    for path in ("/traffic", "/orders", "/action-center"):
        assert trader.get(f"{path}?{query}").status_code == 200
    assert "/api/v1/ping" in trader.get(f"/traffic?{query}").text


def test_polling_does_not_sign_in_again(trader: Person, clock: FixedClock) -> None:
    clock.move(hours=13)
    answer = trader.get("/action-center/pending")
    assert answer.status_code == 401
    assert answer.get_json()["status"] == "error"


def test_semi_auto_is_explained_where_nothing_waits(trader: Person, desk: Desk) -> None:
    assert "orders are sent at once" in trader.get("/action-center").text
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert "the next order from a program appears here" in trader.get("/action-center").text
