"""``/security`` and ``/security/audit``: the password, who is signed in, what happened."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.address import THIS_PC, AddressRule
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.permission import PRESETS, Preset
from tests.conftest import PASSWORD, TRADER, Account, FixedClock
from tests.phone import set_up
from tests.web.conftest import Person, a_browser, csrf_token

NEW = "four unrelated new words"
_ROW = re.compile(r'<tr>\s*<td class="num" data-label="Line">.*?</tr>', re.DOTALL)


def change_password(person: Person, old: str = PASSWORD, new: str = NEW, again: str = NEW) -> tuple[int, str]:
    answer = person.post("/security/password", page="/security", password=old, new_password=new, again=again)
    return answer.status_code, answer.text


def rows(text: str) -> list[str]:
    """Each line of the audit table as words."""
    found = [re.sub(r"<[^>]+>", " ", row) for row in _ROW.findall(text)]
    return [html.unescape(re.sub(r"\s+", " ", row)).strip() for row in found]


# The password


def test_the_new_password_shows_the_key_and_the_old_one_does_not(
    trader: Person, account: Account, clock: FixedClock
) -> None:
    assert change_password(trader)[0] == 302
    assert trader.post("/apikey/view", page="/apikey", password=PASSWORD).status_code == 403
    clock.move(seconds=30)
    assert account.key in trader.post("/apikey/view", page="/apikey", password=NEW).text


def test_the_new_password_signs_in_and_the_old_one_does_not(app: Flask, trader: Person, account: Account) -> None:
    change_password(trader)
    other = a_browser(app)
    assert other.sign_in(PASSWORD).status_code == 403
    assert other.sign_in(NEW).status_code == 302


def test_a_change_ends_every_other_session_and_gives_this_one_a_new_id(app: Flask, trader: Person) -> None:
    other = a_browser(app)
    other.sign_in()
    former = trader.cookie()
    change_password(trader)
    assert "every other session was ended" in trader.get("/security").text
    assert other.get("/orders").status_code == 302
    assert trader.cookie() not in {"", former}
    thief = a_browser(app)
    thief.client.set_cookie("bridge_5000", former, domain="127.0.0.1")
    assert thief.get("/orders").status_code == 302, "the id from before the change opens nothing"


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        (PASSWORD, "short", "short", "At least 12 characters"),
        (PASSWORD, "passwordpassword", "passwordpassword", "first passwords"),
        (PASSWORD, PASSWORD, PASSWORD, "the password you have now"),
        (PASSWORD, NEW, "another one altogether", "not the same"),
        ("", NEW, NEW, "Type the password you have now"),
        (PASSWORD, "", "", "At least 12 characters"),
        ("x" * 1001, NEW, NEW, "longer than 1000"),
    ],
)
def test_a_malformed_change_is_a_sentence_beside_the_field(
    trader: Person, desk: Desk, account: Account, old: str, new: str, again: str, said: str
) -> None:
    before = desk.store.users.get()
    status, text = change_password(trader, old, new, again)
    assert status == 400
    assert re.search(rf'class="fault">[^<]*{said}', text)
    assert desk.store.users.get() == before
    for typed in (old, new, again):
        assert not typed or f'value="{typed}"' not in text, "a password never comes back"


def test_all_faults_are_shown_at_once(trader: Person) -> None:
    _, text = change_password(trader, "", "short", "shorter")
    assert len(re.findall(r'class="fault"', text)) == 3


def test_a_wrong_old_password_is_refused_beside_its_field_and_slows_down(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    before = desk.store.users.get()
    status, text = change_password(trader, "wrong password 1")
    assert status == 403
    assert re.search(r'class="fault">Wrong password', text)
    answer = trader.post("/security/password", page="/security", password=PASSWORD, new_password=NEW, again=NEW)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert desk.store.users.get() == before
    clock.move(seconds=30)
    assert change_password(trader)[0] == 302


def test_with_two_factor_a_change_needs_a_code(trader: Person, desk: Desk, clock: FixedClock) -> None:
    phone_app = set_up(desk)
    before = desk.store.users.get()
    for code in ("", "000000"):
        clock.move(minutes=2)
        fields = {"password": PASSWORD, "new_password": NEW, "again": NEW, "code": code}
        answer = trader.post("/security/password", page="/security", **fields)
        assert answer.status_code == 403
        assert re.search(r'id="change-code-help">\s*<div class="fault">', answer.text)
        assert desk.store.users.get() == before
    clock.move(minutes=2)
    assert (
        trader.post("/security/password", page="/security", **(fields | {"code": phone_app.code()})).status_code == 302
    )
    assert desk.store.users.get() != before


def test_the_page_says_how_two_factor_stands(trader: Person, desk: Desk) -> None:
    set_up(desk)
    text = trader.get("/security").text
    assert "Change two-factor" in text
    assert "<dt>Recovery codes left</dt><dd>10</dd>" in text
    assert text.count("<strong>on</strong>") == 2
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=False, by=TRADER)
    assert trader.get("/security").text.count("<strong>on</strong>") == 1


def test_few_recovery_codes_are_a_warning(trader: Person, desk: Desk) -> None:
    set_up(desk)
    for used, code in enumerate(desk.store.two_factor.recovery_codes(), start=1):
        desk.store.two_factor.use_recovery_code(code.id, by=TRADER)
        said = re.search(r"(Only \d recovery codes? (?:is|are)|No recovery code is) left", trader.get("/security").text)
        assert (said is not None) == (used >= 7)
    assert said is not None
    assert said[0] == "No recovery code is left"


@pytest.mark.parametrize("path", ["/security/password", "/security/sessions/1/end", "/security/sessions/end-others"])
def test_a_form_without_a_token_changes_nothing(app: Flask, trader: Person, desk: Desk, path: str) -> None:
    a_browser(app).sign_in()
    before = (desk.store.users.get(), len(desk.store.sessions.all()))
    assert trader.post_raw(path, password=PASSWORD, new_password=NEW, again=NEW).status_code == 400
    assert (desk.store.users.get(), len(desk.store.sessions.all())) == before


# What stands on the page


def test_the_page_leads_to_the_key_the_second_factor_and_the_whole_list(trader: Person) -> None:
    text = trader.get("/security").text
    for address in ("/apikey", "/security/two-factor", "/security/audit"):
        assert f'href="{address}"' in text
    assert "Set up two-factor" in text


def test_no_other_session_is_a_sentence(trader: Person) -> None:
    text = trader.get("/security").text
    assert "You are signed in nowhere else." in text
    assert "Sign out everywhere else" not in text


def test_the_newest_ten_lines_are_there(trader: Person, desk: Desk) -> None:
    for number in range(15):
        desk.store.audit.add(TRADER, AuditEvent.KEY_NAMED, after=f"name {number}")
    found = rows(trader.get("/security").text)
    assert len(found) == 10
    assert "name 14" in found[0]
    assert "name 5" in found[9]


# The audit list


def test_a_line_says_what_when_who_from_where_and_from_what_to_what(trader: Person, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=Actor(name="run.py mode", address="", program=""))
    text = trader.get("/security/audit").text
    assert "Order mode from Auto to Semi-Auto run.py mode" in rows(text)[0]
    assert "21 Nov 2026 10:30:00" in rows(text)[0], "IST"
    assert 'title="2026-11-21 05:00:00.000 UTC"' in text


def test_permissions_are_told_by_what_became_different(trader: Person, desk: Desk) -> None:
    desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    line = rows(trader.get("/security/audit").text)[0]
    assert "may no longer place orders, modify orders, cancel orders, use webhooks" in line
    desk.store.api_keys.permit(PRESETS[Preset.FULL], by=TRADER)
    assert "may now place orders" in rows(trader.get("/security/audit").text)[0]


def test_addresses_are_told_by_what_became_different(trader: Person, desk: Desk) -> None:
    many = " ".join(f"10.0.0.{number}" for number in range(1, 50))
    for rule in (f"{many} 203.0.113.7", f"{many} 0.0.0.0/1"):
        desk.store.api_keys.restrict(AddressRule.of_networks(rule), by=TRADER)
    line = rows(trader.get("/security/audit").text)[0]
    assert "may now be used from 0.0.0.0/1; no longer from 203.0.113.7/32 trader" in line
    desk.store.api_keys.restrict(THIS_PC, by=TRADER)
    assert "only” to “from this PC only”" in rows(trader.get("/security/audit").text)[0]


def test_a_key_is_told_by_its_fingerprint(trader: Person, account: Account) -> None:
    trader.post("/apikey/regenerate", page="/apikey", password=PASSWORD, confirm="yes")
    line = rows(trader.get("/security/audit?kind=key_regenerated").text)[0]
    assert re.search(r"API key regenerated from key [0-9a-f]{12} to key [0-9a-f]{12} trader 127.0.0.1", line)


@pytest.mark.parametrize(
    "event",
    [AuditEvent.ORDER_MODE, AuditEvent.TRADING_MODE, AuditEvent.KEY_PERMISSIONS, AuditEvent.KEY_ADDRESSES],
)
def test_values_of_another_version_are_shown_as_they_are(trader: Person, desk: Desk, event: AuditEvent) -> None:
    desk.store.audit.add(TRADER, event, before="yesterday", after="tomorrow")
    assert "from yesterday to tomorrow" in rows(trader.get("/security/audit").text)[0]


def test_every_kind_of_line_can_be_shown_alone(trader: Person, desk: Desk) -> None:
    for event in AuditEvent:
        desk.store.audit.add(TRADER, event, after=f"<{event.name}>")
    for event in AuditEvent:
        text = trader.get(f"/security/audit?kind={event.name.lower()}").text
        assert any(f"<{event.name}>" in row for row in rows(text))
        assert all(row.split(" ", 1)[1].count(event[1:]) for row in rows(text))


def test_the_list_is_paged_by_key_and_keeps_its_filter(trader: Person, desk: Desk) -> None:
    for number in range(120):
        desk.store.audit.add(TRADER, AuditEvent.KEY_NAMED, after=f"name {number}.")
        desk.store.audit.add(TRADER, AuditEvent.KEY_SHOWN)
    seen: list[str] = []
    path = "/security/audit?kind=key_named"
    while path:
        text = trader.get(path).text
        seen += re.findall(r"name \d+\.", text)
        older = re.search(r'href="([^"]+)">Older', text)
        path = html.unescape(older[1]) if older else ""
    assert seen == [f"name {number}." for number in reversed(range(120))]


@pytest.mark.parametrize(
    "query", ["kind=nonsense", "kind=%27%20OR%201=1", "before=-5", "before=" + "9" * 400, "check=maybe", "page=7"]
)
def test_a_strange_address_shows_the_newest_lines(trader: Person, desk: Desk, query: str) -> None:
    answer = trader.get(f"/security/audit?{query}")
    assert answer.status_code == 200
    assert rows(answer.text) == rows(trader.get("/security/audit").text) != []


def test_a_kind_without_lines_is_a_sentence(trader: Person) -> None:
    assert "No line matches" in trader.get("/security/audit?kind=restored").text
    assert "No line matches" in trader.get("/security/audit?before=1").text


def test_a_list_without_a_line_is_a_sentence(trader: Person, desk: Desk) -> None:
    db = desk.store.files[0]
    db.write("DROP TRIGGER audit_no_delete")
    db.write("DELETE FROM audit")
    assert "Nothing yet." in trader.get("/security").text
    assert "No line yet." in trader.get("/security/audit").text


def test_the_chain_is_checked_when_asked_for(trader: Person, desk: Desk) -> None:
    assert "unbroken" not in trader.get("/security/audit").text
    desk.store.audit.add(TRADER, AuditEvent.KEY_SHOWN)
    lines = desk.store.audit.count()
    assert f"Checked now: {lines} lines, unbroken." in trader.get("/security/audit?check=yes").text


def test_a_line_that_was_changed_outside_is_named(trader: Person, desk: Desk) -> None:
    desk.store.audit.add(TRADER, AuditEvent.KEY_SHOWN)
    db = desk.store.files[0]
    db.write("DROP TRIGGER audit_no_update")
    db.write("UPDATE audit SET actor = 'somebody else' WHERE id = 2")
    assert "Line 2 cannot be trusted: it was altered." in trader.get("/security/audit?check=yes").text


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}"])
def test_hostile_text_in_the_list_is_text(trader: Person, desk: Desk, app: Flask, hostile: str) -> None:
    desk.store.audit.add(
        Actor(name=hostile, address=hostile, program=hostile), AuditEvent.KEY_NAMED, before=hostile, after=hostile
    )
    other = a_browser(app)
    other.client.environ_base["HTTP_USER_AGENT"] = hostile
    other.sign_in()
    for path in ("/security", "/security/audit"):
        text = trader.get(path).text
        assert hostile in html.unescape(text)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "49" not in re.findall(r">(\d+)<", text)


def test_nothing_on_the_pages_is_secret(trader: Person, desk: Desk, account: Account) -> None:
    keys.view(desk, Proof(password=PASSWORD), by=Actor(name="trader", program=f"browser {account.key}"))
    change_password(trader)
    for path in ("/security", "/security/audit", "/security/audit?check=yes"):
        text = trader.get(path).text
        for secret in (account.key, PASSWORD, NEW, trader.cookie()):
            assert secret not in text


def test_lines_of_a_later_day_come_first(trader: Person, desk: Desk, clock: FixedClock) -> None:
    desk.store.audit.add(TRADER, AuditEvent.KEY_SHOWN)
    clock.move(hours=2)
    desk.store.audit.add(TRADER, AuditEvent.KEY_REVOKED)
    found = rows(trader.get("/security/audit").text)
    assert "12:30:00 API key revoked" in found[0]
    assert "10:30:00 API key shown" in found[1]


def test_the_token_of_the_page_is_not_the_id_of_the_session(trader: Person) -> None:
    assert csrf_token(trader.get("/security").text) != trader.cookie()
