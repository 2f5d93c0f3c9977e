"""The Settings page: everything that can be changed, how it stands, and how smart orders are worked out."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from werkzeug.test import TestResponse

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.address import THIS_PC
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings
from openalgo_bridge.web.env_settings import MEANINGS, lines_of
from openalgo_bridge.web.settings import mark_of
from tests.conftest import TRADER, Account, FixedClock
from tests.phone import set_up
from tests.web.conftest import Person, csrf_token, known_for_codes

SAFEST = SmartOrderSettings()
POST = "/settings/smart-orders"


def now_of(text: str, label: str) -> str:
    found = re.search(rf"<dt><a [^>]*>{label}</a></dt>\s*<dd[^>]*>([^<]*)</dd>", text)
    assert found is not None, label
    return found[1]


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the page."""
    shown = re.search(r'name="shown" value="([^"]*)"', page)
    assert shown is not None
    ticked = [name for name in ("counts_working", "opens_while_flat") if is_ticked(page, name)]
    return {"csrf_token": csrf_token(page), "shown": shown[1]} | dict.fromkeys(ticked, "yes")


def is_ticked(page: str, name: str) -> bool:
    (box,) = re.findall(rf'<input[^>]* name="{name}"[^>]*>', page)
    return " checked" in box


def save(person: Person, wanted: SmartOrderSettings, page: str = "", **secrets: str) -> TestResponse:
    """The form as the page has it, with the boxes as they are wanted."""
    form = form_of(page or person.get("/settings").text)
    for field in fields(wanted):
        form.pop(field.name, None)
        if getattr(wanted, field.name):
            form[field.name] = "yes"
    return person.post_raw(POST, **form, **secrets)


# -- what there is -----------------------------------------------------------------------------------------------


def test_it_tells_how_everything_stands(trader: Person, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    desk.store.guards.save(GuardSettings(order_value=Decimal(50000), held_for=90), by=TRADER)
    desk.store.api_keys.restrict(THIS_PC, by=TRADER)
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    text = trader.get("/settings").text
    told = {
        "Order mode": "Semi-Auto",
        "How long an order waits": "1 min 30 s",
        "Kill switch": "On: the feed is wrong",
        "Trading calendar": "NSE does not trade on a Saturday.",
        "Permissions": "Full",
        "From where": "From this PC only",
        "Showing it again": "With your password.",
        "Two-factor": "Off. The password alone opens everything.",
        "Signed in now": "1 browser",
    }
    assert {label: now_of(text, label) for label in told} == told
    assert "order value: 50000" in now_of(text, "Guards")


def test_every_link_leads_to_a_page_that_has_the_place(trader: Person) -> None:
    links = re.findall(r'<dt><a href="([^"]+)">', trader.get("/settings").text)
    assert len(links) >= 12
    for link in links:
        path, _, place = link.partition("#")
        answer = trader.get(path)
        assert answer.status_code == 200, link
        assert not place or f'id="{place}"' in answer.text, link


def test_a_part_that_cannot_be_read_takes_no_other_with_it(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("INSERT INTO guard VALUES ('price_band', 'x')")
    desk.store.files[0].write("UPDATE preference SET value = '?' WHERE name IN ('order_mode', 'smart_counts_working')")
    text = trader.get("/settings").text
    assert now_of(text, "Guards") == "It cannot be read. The console says why."
    assert now_of(text, "Order mode") == "Unreadable: every order is held"
    assert now_of(text, "Permissions") == "Full"
    assert "These two settings cannot be read." in text


def test_every_setting_of_the_file_has_its_meaning_and_its_value(trader: Person, desk: Desk) -> None:
    assert set(MEANINGS) == {field.name for field in fields(Settings)}
    text = trader.get("/settings").text
    for line in lines_of(desk.settings):
        assert line.name in text
        assert line.meaning.replace("'", "&#39;") in text


def test_what_is_not_as_it_comes_is_told_beside_its_default() -> None:
    settings = Settings(flask_port=5005, cors_allowed_origins=("https://a.example", "https://b.example"))
    changed = {line.name: (line.value, line.default) for line in lines_of(settings) if not line.is_default}
    assert changed == {
        "FLASK_PORT": ("5005", "5000"),
        "CORS_ALLOWED_ORIGINS": ("https://a.example, https://b.example", ""),
    }


# -- smart orders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SAFEST, replace(SAFEST, counts_working=False)),
        (SAFEST, replace(SAFEST, opens_while_flat=True)),
        (replace(SAFEST, counts_working=False), replace(SAFEST, opens_while_flat=True)),
    ],
)
def test_what_sends_more_asks_for_the_password_and_the_way_back_does_not(
    trader: Person,
    desk: Desk,
    account: Account,
    clock: FixedClock,
    before: SmartOrderSettings,
    after: SmartOrderSettings,
) -> None:
    desk.store.preferences.set_smart_orders(before, by=TRADER)
    asked = save(trader, after)
    assert asked.status_code == 403
    assert "Type your password to allow it." in asked.text
    assert desk.store.preferences.smart_orders() == before
    assert save(trader, after, asked.text, password="wrong password 1").status_code == 403
    assert desk.store.preferences.smart_orders() == before
    clock.move(minutes=1)
    assert save(trader, after, asked.text, password=account.password).status_code == 302
    assert desk.store.preferences.smart_orders() == after
    trader.post("/logout", page="/")
    trader.sign_in()
    assert save(trader, SAFEST).status_code == 302
    assert desk.store.preferences.smart_orders() == SAFEST


def test_the_boxes_stand_as_they_were_ticked_while_it_asks(trader: Person) -> None:
    asked = save(trader, SmartOrderSettings(counts_working=False, opens_while_flat=True))
    assert (is_ticked(asked.text, "counts_working"), is_ticked(asked.text, "opens_while_flat")) == (False, True)
    assert "<strong>Now: on.</strong>" in asked.text


def test_a_code_is_asked_too_where_codes_are(trader: Person, desk: Desk, account: Account) -> None:
    set_up(desk)
    known_for_codes(trader, desk)
    asked = save(trader, replace(SAFEST, opens_while_flat=True))
    assert 'name="code"' in asked.text
    refused = save(trader, replace(SAFEST, opens_while_flat=True), asked.text, password=account.password)
    assert refused.status_code == 403
    assert desk.store.preferences.smart_orders() == SAFEST


def test_each_change_is_a_line_of_the_audit_list_and_no_change_is_none(
    trader: Person, desk: Desk, account: Account
) -> None:
    save(trader, SAFEST)
    assert desk.store.audit.page(event=AuditEvent.SMART_ORDERS) == []
    asked = save(trader, replace(SAFEST, opens_while_flat=True))
    save(trader, replace(SAFEST, opens_while_flat=True), asked.text, password=account.password)
    (line,) = desk.store.audit.page(event=AuditEvent.SMART_ORDERS)
    assert (line.before, line.after) == (
        "count working orders: yes; open a trade while flat: no",
        "count working orders: yes; open a trade while flat: yes",
    )


def test_a_stale_tab_undoes_nothing(trader: Person, desk: Desk) -> None:
    both = SmartOrderSettings(counts_working=False, opens_while_flat=True)
    desk.store.preferences.set_smart_orders(both, by=TRADER)
    stale = trader.get("/settings").text
    desk.store.preferences.set_smart_orders(replace(both, opens_while_flat=False), by=TRADER)
    answer = save(trader, replace(both, counts_working=True), stale)
    assert "It was changed meanwhile." in trader.get(answer.location).text
    assert desk.store.preferences.smart_orders() == replace(both, opens_while_flat=False)


def test_settings_that_cannot_be_read_are_set_anew_with_the_password(
    trader: Person, desk: Desk, account: Account
) -> None:
    desk.store.files[0].write("UPDATE preference SET value = '?' WHERE name = 'smart_counts_working'")
    asked = save(trader, SAFEST)
    assert asked.status_code == 403
    save(trader, SAFEST, asked.text, password=account.password)
    assert desk.store.preferences.smart_orders() == SAFEST
    assert mark_of(None) != mark_of(SAFEST)
