"""The page on which the account goes live: nothing is decided for the trader, and nothing is done by halves."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from werkzeug.test import TestResponse

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import SessionExpired
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.going_live import LIMITS, declining
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.permission import PRESETS, Permission, Preset
from tests.conftest import PASSWORD, TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.phone import set_up
from tests.web.conftest import Person, a_trader_at, csrf_token, hold, known_for_codes, send
from tests.web.test_kept import click, sign_in_again

PAGE = "/analyzer/live"
HIDDEN = re.compile(r'<input type="hidden" name="(shown|broker)" value="([^"]*)">')
LIMITED = {"maximum_quantity": "10", "order_value": "50000", "orders_per_day": "20", "loss_of_day": "2000"}


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk, name="somebroker")


@pytest.fixture
def both(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker, TradingMode.LIVE)


@pytest.fixture
def person(both: Desk, account: Account) -> Person:
    return a_trader_at(both)


def typed(page: str) -> dict[str, str]:
    """What a browser would send of the form on ``page``."""
    fields = dict(HIDDEN.findall(page)) | {"csrf_token": csrf_token(page)}
    for tag in re.findall(r"<input[^>]*>", page[page.index('id="terms"') :]):
        name, value = attribute(tag, "name"), attribute(tag, "value")
        if attribute(tag, "type") == "text" or " checked" in tag:
            fields[name] = value
    del fields["username"]
    return fields


def attribute(tag: str, name: str) -> str:
    found = re.search(rf' {name}="([^"]*)"', tag)
    return "" if found is None else unescape(found[1])


def go(person: Person, **changes: str) -> TestResponse:
    """The form as a fresh page has it, every limit set, with these changes."""
    return person.post_raw(PAGE, **(typed(person.get(PAGE).text) | LIMITED | {"password": PASSWORD} | changes))


def state(desk: Desk) -> tuple[TradingMode, OrderMode, GuardSettings]:
    return desk.store.preferences.trading_mode(), desk.store.preferences.order_mode(), desk.store.guards.load()


AS_IT_WAS = (TradingMode.ANALYZE, OrderMode.AUTO, GuardSettings())


def test_semi_auto_and_exits_are_preselected_and_no_limit_is_declined_for_the_trader(person: Person) -> None:
    fields = typed(person.get(PAGE).text)
    assert (fields["order_mode"], fields["let_exits_through"]) == ("semi_auto", "yes")
    assert {name: fields[name] for name in LIMITS} == dict.fromkeys(LIMITS, "")
    assert not {declining(name) for name in LIMITS} & set(fields)


def test_with_the_password_it_goes_live_on_what_was_chosen_and_says_so(person: Person, both: Desk) -> None:
    answer = go(person)
    assert (answer.status_code, answer.location) == (302, f"{PAGE}#content")
    mode, order_mode, guards = state(both)
    assert (mode, order_mode) == (TradingMode.LIVE, OrderMode.SEMI_AUTO)
    assert (guards.maximum_quantity, guards.orders_per_day, guards.let_exits_through) == (10, 20, True)
    shown = person.get(PAGE).text
    assert "You trade live: new orders use real money." in shown
    assert "New orders use real money at <strong>somebroker</strong>" in shown
    assert 'href="/analyzer/paper">Back to paper</a>' in shown
    told = person.get("/security/audit").text
    assert "from Analyzer (paper money) to Live (real money)" in told


def test_what_is_chosen_otherwise_is_kept_too_and_the_audit_list_names_what_was_declined(
    person: Person, both: Desk
) -> None:
    page = typed(person.get(PAGE).text)
    del page["let_exits_through"]
    chosen = page | {declining(name): "yes" for name in LIMITS} | {"order_mode": "auto", "password": PASSWORD}
    assert person.post_raw(PAGE, **chosen).status_code == 302
    assert state(both) == (TradingMode.LIVE, OrderMode.AUTO, GuardSettings())
    (line,) = both.store.audit.page(event=AuditEvent.LIMITS_DECLINED)
    assert line.after == "maximum quantity, order value, orders per day, loss of day"


def test_what_was_set_before_stands_in_its_field_and_the_other_guards_stay(person: Person, both: Desk) -> None:
    both.store.guards.save(GuardSettings(maximum_quantity=7, open_positions=3, held_for=60), by=TRADER)
    assert typed(person.get(PAGE).text)["maximum_quantity"] == "7"
    assert go(person, maximum_quantity="7").status_code == 302
    _, _, guards = state(both)
    assert (guards.maximum_quantity, guards.open_positions, guards.held_for) == (7, 3, 60)


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_is_not_decided_is_asked_for_and_nothing_is_done(person: Person, both: Desk, name: str) -> None:
    answer = go(person, **{name: "", "order_mode": "auto"})
    assert answer.status_code == 400
    assert answer.text.count('<div class="fault">') == 1
    assert "Type a limit, or tick that you want none." in answer.text
    kept = typed(answer.text)
    assert kept == kept | {each: text for each, text in LIMITED.items() if each != name} | {"order_mode": "auto"}
    assert PASSWORD not in answer.text
    assert state(both) == AS_IT_WAS


@pytest.mark.parametrize("password", ["", "wrong password 1"])
def test_without_the_password_nothing_is_done_and_nothing_typed_is_lost(
    person: Person, both: Desk, password: str
) -> None:
    answer = go(person, password=password)
    assert answer.status_code == (403 if password else 400)
    assert typed(answer.text)["order_value"] == "50000"
    assert state(both) == AS_IT_WAS


def test_the_password_is_asked_also_right_after_another_step_up(person: Person, both: Desk) -> None:
    person.post("/apikey/view", page="/apikey", password=PASSWORD)
    assert go(person, password="").status_code == 400
    assert state(both) == AS_IT_WAS


def test_a_code_is_asked_too_where_codes_are(person: Person, both: Desk, clock: FixedClock) -> None:
    phone_app = set_up(both)
    known_for_codes(person, both)
    assert go(person).status_code == 403
    assert state(both) == AS_IT_WAS
    clock.move(minutes=1)
    assert go(person, code=phone_app.code()).status_code == 302
    assert state(both)[0] is TradingMode.LIVE


def test_without_a_live_broker_the_page_says_what_is_missing_and_nobody_goes_live(trader: Person, desk: Desk) -> None:
    page = trader.get(PAGE).text
    assert "No live broker is connected" in page
    assert "with real money" not in page[page.index("<main") :]
    shown = dict(HIDDEN.findall(trader.get("/guards").text))["shown"]
    forced = trader.post(PAGE, page="/", shown=shown, broker="", order_mode="auto", password=PASSWORD, **LIMITED)
    assert forced.status_code == 409
    assert "No live broker is connected" in forced.text
    assert state(desk) == AS_IT_WAS


def test_a_broker_that_wants_a_new_login_is_told_before_and_refused_after(
    person: Person, both: Desk, broker: ScriptedBroker
) -> None:
    broker.unreadable = SessionExpired("Log in to somebroker again.")
    page = person.get(PAGE).text
    assert "you cannot go live now:</strong> Log in to somebroker again." in page
    answer = go(person)
    assert answer.status_code == 403
    assert "Nothing was changed. Log in to somebroker again." in answer.text
    assert typed(answer.text)["loss_of_day"] == "2000"
    assert state(both) == AS_IT_WAS


def test_another_broker_than_the_one_shown_is_not_meant(person: Person, both: Desk) -> None:
    answer = go(person, broker="another")
    assert answer.status_code == 409
    assert "The live broker is somebroker by now." in answer.text
    assert state(both) == AS_IT_WAS


def test_a_page_that_shows_other_guards_than_those_in_force_is_shown_again(person: Person, both: Desk) -> None:
    stale = typed(person.get(PAGE).text) | LIMITED | {"password": PASSWORD}
    narrower = GuardSettings(maximum_quantity=1)
    both.store.guards.save(narrower, by=TRADER)
    late = person.post_raw(PAGE, **stale)
    assert late.status_code == 409
    assert "Now: 1." in late.text
    assert state(both) == (TradingMode.ANALYZE, OrderMode.AUTO, narrower)
    again = typed(late.text)
    assert again["maximum_quantity"] == "10", "what was typed stands there"
    assert person.post_raw(PAGE, **again, password=PASSWORD).status_code == 302


def test_a_second_click_changes_nothing(person: Person, both: Desk) -> None:
    page = typed(person.get(PAGE).text) | LIMITED | {"password": PASSWORD}
    assert person.post_raw(PAGE, **page).status_code == 302
    live = state(both)
    second = person.post_raw(PAGE, **page)
    assert (second.status_code, "You trade live" in second.text) == (409, True)
    assert state(both) == live
    assert len(both.store.audit.page(event=AuditEvent.TRADING_MODE)) == 1


def test_it_says_what_stands_at_both_accounts_and_what_waits(
    person: Person, both: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("SBIN", 10)
    send(both)
    hold(both)
    text = " ".join(re.sub(r"<[^>]+>", "", person.get(PAGE).text).split())
    assert "paper account: 0 open orders (orders), 1 open position (positions)" in text
    assert "LIVE account, real money: 0 open orders, 1 open position" in text
    assert "1 ticket waits in the Action Center for the paper account, and goes there when you approve." in text


def test_a_key_that_may_not_trade_live_is_told_before(person: Person, both: Desk) -> None:
    assert "Your API key may not trade live" in person.get(PAGE).text
    both.store.api_keys.permit(PRESETS[Preset.FULL] | {Permission.LIVE_TRADING}, by=TRADER)
    assert "may not trade live" not in person.get(PAGE).text


def test_what_is_still_to_do_is_told_before(person: Person, both: Desk) -> None:
    assert "The traffic log was looked at. You can go all the same." in person.get(PAGE).text
    both.store.preferences.note_traffic_log_opened()
    assert "The traffic log was looked at" not in person.get(PAGE).text


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("INSERT INTO guard VALUES ('price_band', 'x')", "The guards cannot be read"),
        ("UPDATE preference SET value = 'x' WHERE name = 'trading_mode'", "Whether you trade live cannot be read"),
    ],
)
def test_what_cannot_be_read_keeps_the_account_on_paper(person: Person, both: Desk, broken: str, told: str) -> None:
    page: dict[str, Any] = typed(person.get(PAGE).text) | LIMITED | {"password": PASSWORD}
    both.store.files[0].write(broken)
    assert told in person.get(PAGE).text
    answer = person.post_raw(PAGE, **page)
    assert (answer.status_code, told in answer.text) == (409, True)
    kept = both.store.files[0].read_one("SELECT value FROM preference WHERE name = 'trading_mode'")
    assert kept is not None
    assert kept["value"] != "live"


def test_a_live_account_without_its_broker_is_said_to_refuse_every_order(trader: Person, desk: Desk) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    page = trader.get(PAGE).text
    assert "You trade live" in page
    assert "No live broker is connected, so every order is refused." in page


def test_a_form_that_came_too_late_is_kept_without_its_password_and_asks_for_it_again(
    person: Person, both: Desk, clock: FixedClock
) -> None:
    page = typed(person.get(PAGE).text) | LIMITED | {"password": PASSWORD}
    clock.move(hours=13)
    shown = sign_in_again(person, person.post_raw(PAGE, **page).text)
    assert "You were about to <strong>go live</strong>" in shown
    asked = click(person, shown)
    assert typed(asked)["order_value"] == "50000"
    assert state(both) == AS_IT_WAS
    assert person.post_raw(PAGE, **typed(asked), password=PASSWORD).status_code == 302
    assert state(both)[0] is TradingMode.LIVE
