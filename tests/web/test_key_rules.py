"""The rules of the key: what makes it safer is saved at once, what makes it less safe asks first."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.address import ANYWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.permission import PRESETS, Grants, Permission, Preset
from openalgo_bridge.store.api_keys import KeyRules
from openalgo_bridge.web.grants import GROUPS, PRESET_CHOICES, addresses_in_words, as_typed, permissions_in_words
from tests import phone
from tests.conftest import TRADER, Account, FixedClock
from tests.web.conftest import Person, a_browser, csrf_token

FULL, READ_ONLY = PRESETS[Preset.FULL], PRESETS[Preset.READ_ONLY]
EVERYTHING: Grants = frozenset(Permission)


def rules(desk: Desk) -> KeyRules:
    active = desk.store.api_keys.active()
    assert active is not None
    return active.rules


def ticked(page: str) -> set[str]:
    boxes = re.findall(r'<input[^>]*name="permissions"[^>]*>', page)
    return {box.split('value="')[1].split('"')[0] for box in boxes if " checked" in box}


def chosen(page: str, name: str) -> list[str]:
    choices = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page)
    return [choice.split('value="')[1].split('"')[0] for choice in choices if "checked" in choice]


def faults(page: str) -> list[str]:
    return [unescape(fault) for fault in re.findall(r'<div class="fault[^"]*">(.*?)</div>', page)]


def test_the_key_is_renamed(trader: Person, desk: Desk) -> None:
    answer = trader.post("/apikey/name", page="/apikey", name="  AmiBroker PC ")
    assert answer.status_code == 302
    assert rules(desk).name == "AmiBroker PC"
    assert "AmiBroker PC" in trader.get("/apikey").text


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "Give the key a name, such as the program that uses it."),
        (" \t", "Give the key a name, such as the program that uses it."),
        ("n" * 65, "At most 64 characters."),
        ("a\u202eb", "Letters, digits, spaces and punctuation only."),
        ("a\x00b", "Letters, digits, spaces and punctuation only."),
        ("n" * 5000, "Field cannot be longer than 1000 characters."),
    ],
)
def test_a_bad_name_is_told_beside_its_field_and_nothing_is_changed(
    trader: Person, desk: Desk, name: str, fault: str
) -> None:
    lines = desk.store.audit.count()
    answer = trader.post("/apikey/name", page="/apikey", name=name)
    assert answer.status_code == 400
    assert faults(answer.text) == [fault]
    assert (rules(desk).name, desk.store.audit.count()) == ("My key", lines)
    if name.isprintable():
        assert f'value="{name}"' in answer.text, "what was typed is still there"


def test_every_permission_is_offered_once_with_a_sentence() -> None:
    offered = [grant.permission for group in GROUPS for grant in group.grants]
    assert sorted(offered) == sorted(Permission)
    assert all(grant.label and grant.sentence.endswith(".") for group in GROUPS for grant in group.grants)
    assert [choice.preset for choice in PRESET_CHOICES] == list(Preset)


def test_fewer_permissions_are_saved_at_once_and_count_for_the_next_call(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    phone.set_up(desk)
    assert client.post("/api/v1/funds", json={"apikey": account.key}).status_code == 200
    answer = trader.post("/apikey/permissions", page="/apikey", preset="trade_only")
    assert answer.status_code == 302
    assert client.post("/api/v1/funds", json={"apikey": account.key}).status_code == 403
    assert rules(desk).permissions == PRESETS[Preset.TRADE_ONLY]


def test_more_permissions_ask_the_password_and_keep_what_was_chosen(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    desk.store.api_keys.permit(READ_ONLY, by=TRADER)
    assert 'id="permissions-password"' not in trader.get("/apikey").text
    wanted = ["quotes", "place_orders", "live_trading"]
    for password, sentence in (
        ("", "The key could do more than now. Type your password to allow it."),
        ("wrong password 1", "Wrong password."),
    ):
        answer = trader.post(
            "/apikey/permissions", page="/apikey", preset="custom", permissions=wanted, password=password
        )
        assert answer.status_code == 403
        assert faults(answer.text) == [sentence]
        assert ticked(answer.text) == set(wanted)
        assert chosen(answer.text, "preset") == ["custom"]
        assert 'id="permissions-password"' in answer.text
        assert rules(desk).permissions == READ_ONLY
    clock.move(minutes=1)
    trader.post("/apikey/permissions", page="/apikey", preset="custom", permissions=wanted, password=account.password)
    assert rules(desk).permissions == {Permission(each) for each in wanted}


def test_asking_for_the_password_is_no_wrong_try(trader: Person, account: Account, desk: Desk) -> None:
    desk.store.api_keys.permit(READ_ONLY, by=TRADER)
    for _ in range(30):
        assert trader.post("/apikey/permissions", page="/apikey", preset="full").status_code == 403
    answer = trader.post("/apikey/permissions", page="/apikey", preset="full", password=account.password)
    assert answer.status_code == 302
    assert rules(desk).permissions == FULL


def test_more_permissions_ask_the_code_where_credentials_2fa_is_on(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    desk.store.api_keys.permit(READ_ONLY, by=TRADER)
    app = phone.set_up(desk)
    clock.move(minutes=1)
    answer = trader.post("/apikey/permissions", page="/apikey", preset="full", password=account.password)
    assert answer.status_code == 403
    assert 'id="permissions-code"' in answer.text
    assert rules(desk).permissions == READ_ONLY
    trader.post("/apikey/permissions", page="/apikey", preset="full", password=account.password, code=app.code())
    assert rules(desk).permissions == FULL


def test_five_minutes_after_a_proof_nothing_is_asked_again(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    desk.store.api_keys.permit(READ_ONLY, by=TRADER)
    trader.post("/apikey/view", page="/apikey", password=account.password)
    trader.post("/apikey/permissions", page="/apikey", preset="full")
    assert rules(desk).permissions == FULL
    trader.post("/apikey/permissions", page="/apikey", preset="read_only")
    clock.move(minutes=5)
    assert trader.post("/apikey/permissions", page="/apikey", preset="full").status_code == 403
    assert rules(desk).permissions == READ_ONLY


def test_guessing_at_the_rules_is_limited(trader: Person, account: Account, desk: Desk) -> None:
    desk.store.api_keys.permit(READ_ONLY, by=TRADER)
    fields = {"preset": "full", "password": "wrong password 1"}
    trader.post("/apikey/permissions", page="/apikey", **fields)
    answer = trader.post("/apikey/permissions", page="/apikey", **fields | {"password": account.password})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert rules(desk).permissions == READ_ONLY


def test_a_preset_wins_over_the_boxes(trader: Person, desk: Desk) -> None:
    trader.post("/apikey/permissions", page="/apikey", preset="read_only", permissions=sorted(FULL))
    assert rules(desk).permissions == READ_ONLY


def test_boxes_that_were_changed_under_the_old_preset_are_not_lost_in_silence(trader: Person, desk: Desk) -> None:
    changed = sorted(FULL - {Permission.PLACE_ORDERS})
    answer = trader.post("/apikey/permissions", page="/apikey", preset="full", permissions=changed)
    assert answer.status_code == 400
    assert "Choose Custom" in faults(answer.text)[0]
    assert ticked(answer.text) == set(changed)
    assert rules(desk).permissions == FULL


def test_custom_without_a_box_allows_nothing_but_to_ask_whether_the_key_works(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    trader.post("/apikey/permissions", page="/apikey", preset="custom")
    assert rules(desk).permissions == frozenset()
    assert client.post("/api/v1/ping", json={"apikey": account.key}).status_code == 200
    assert client.post("/api/v1/quotes", json={"apikey": account.key}).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"preset": ""},
        {"preset": "admin"},
        {"preset": "FULL"},
        {"preset": "custom", "permissions": ["quotes", "change_password"]},
        {"preset": "full", "permissions": "everything"},
    ],
)
def test_an_unknown_preset_or_permission_changes_nothing(
    trader: Person, desk: Desk, fields: dict[str, str | list[str]]
) -> None:
    answer = trader.post("/apikey/permissions", page="/apikey", **fields)
    assert answer.status_code == 400
    assert faults(answer.text)
    assert rules(desk).permissions == FULL


def test_the_page_says_what_no_key_can_ever_do(trader: Person) -> None:
    text = trader.get("/apikey").text
    assert "No key can ever change your password, the broker's credentials or anything on these pages." in text


def test_a_narrower_address_rule_is_saved_at_once_and_counts_for_the_next_call(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    answer = trader.post("/apikey/addresses", page="/apikey", reach="listed", networks="10.0.0.1\r\n192.168.1.0/24")
    assert answer.status_code == 302
    assert client.post("/api/v1/ping", json={"apikey": account.key}).status_code == 403
    assert rules(desk).addresses == AddressRule.of_networks("10.0.0.1 192.168.1.0/24")


def test_a_list_without_this_pc_is_warned_about(trader: Person) -> None:
    trader.post("/apikey/addresses", page="/apikey", reach="listed", networks="10.0.0.1")
    first = trader.get("/apikey").text
    assert "Programs on this PC are refused now" in first
    assert "neither 127.0.0.1 nor ::1 is among the" in trader.get("/apikey").text
    trader.post("/apikey/addresses", page="/apikey", reach="this_pc")


def test_a_wider_address_rule_asks_the_password_and_keeps_what_was_typed(
    trader: Person, account: Account, desk: Desk
) -> None:
    desk.store.api_keys.restrict(THIS_PC, by=TRADER)
    typed = "127.0.0.1\n10.0.0.7"
    answer = trader.post("/apikey/addresses", page="/apikey", reach="listed", networks=typed)
    assert answer.status_code == 403
    assert faults(answer.text) == [
        "The key could be used from more addresses than now. Type your password to allow it."
    ]
    assert "127.0.0.1\n10.0.0.7</textarea>" in answer.text
    assert chosen(answer.text, "reach") == ["listed"]
    assert rules(desk).addresses == THIS_PC
    trader.post("/apikey/addresses", page="/apikey", reach="listed", networks=typed, password=account.password)
    assert rules(desk).addresses == AddressRule.of_networks(typed)


def test_anywhere_is_marked_as_less_secure_and_asks(trader: Person, account: Account, desk: Desk) -> None:
    desk.store.api_keys.restrict(THIS_PC, by=TRADER)
    assert "Less secure" in trader.get("/apikey").text
    assert trader.post("/apikey/addresses", page="/apikey", reach="anywhere").status_code == 403
    assert rules(desk).addresses == THIS_PC
    trader.post("/apikey/addresses", page="/apikey", reach="anywhere", password=account.password)
    assert rules(desk).addresses == ANYWHERE
    assert "from anywhere: less secure" in trader.get("/apikey").text


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "Type at least one address"),
        ("localhost", "localhost is no IP address or range"),
        ("10.0.0.999", "10.0.0.999 is no IP address or range"),
        ("10.0.0.5/24", "Did you mean 10.0.0.0/24?"),
        ("0.0.0.0/0", "is every address"),
        ("::/0", "is every address"),
        ("10.0.0.1 <b>x</b>", "<b>x</b> is no IP address or range"),
    ],
)
def test_a_malformed_address_is_told_beside_its_field_and_what_was_typed_is_kept(
    trader: Person, desk: Desk, typed: str, fault: str
) -> None:
    answer = trader.post("/apikey/addresses", page="/apikey", reach="listed", networks=typed)
    assert answer.status_code == 400
    assert fault in " ".join(faults(answer.text))
    assert f"{typed}</textarea>" in unescape(answer.text)
    assert "<b>x" not in answer.text
    assert rules(desk).addresses == ANYWHERE


@pytest.mark.parametrize("reach", ["", "everywhere", "LISTED"])
def test_an_unknown_reach_changes_nothing(trader: Person, desk: Desk, reach: str) -> None:
    answer = trader.post("/apikey/addresses", page="/apikey", reach=reach, networks="10.0.0.1")
    assert answer.status_code == 400
    assert faults(answer.text) == ["Choose one of the three."]
    assert rules(desk).addresses == ANYWHERE


@pytest.mark.parametrize("path", ["/apikey/name", "/apikey/permissions", "/apikey/addresses"])
def test_without_a_key_there_is_nothing_to_rule(trader: Person, desk: Desk, path: str) -> None:
    desk.store.api_keys.revoke(by=TRADER)
    fields = {"name": "x", "preset": "read_only", "reach": "this_pc"}
    answer = trader.post(path, page="/apikey", **fields)
    assert answer.status_code == 404
    assert "There is no API key. Generate one first." in answer.text


def test_rules_in_words() -> None:
    listed = AddressRule.of_networks("127.0.0.1 ::1 203.0.113.0/24")
    assert addresses_in_words(listed) == "from 127.0.0.1, ::1, 203.0.113.0/24 only"
    assert AddressRule.of_networks(as_typed(listed)) == listed
    assert addresses_in_words(ANYWHERE) == "from anywhere: less secure"
    assert addresses_in_words(THIS_PC) == "from this PC only"
    assert permissions_in_words(FULL) == "Full"
    assert permissions_in_words(EVERYTHING) == "Custom: 15 of 15"


MEANWHILE = "It was changed meanwhile. Look again. Nothing was saved. Your choice still stands here: save it again."


def alerts(page: str) -> list[str]:
    return [unescape(told) for told in re.findall(r'<div class="alert alert-danger" role="alert">(.*?)</div>', page)]


def hidden(page: str, section: str, name: str) -> str:
    found = re.search(rf'id="{section}".*?name="{name}" value="([^"]*)"', page, re.DOTALL)
    assert found is not None
    return found[1]


def test_of_two_tabs_the_second_does_not_undo_what_the_first_took_away(
    trader: Person, account: Account, desk: Desk
) -> None:
    trader.post("/apikey/view", page="/apikey", password=account.password)  # the window is open: nothing is asked
    tab = trader.get("/apikey").text
    token, shown = csrf_token(tab), hidden(tab, "permissions", "shown")
    desk.store.api_keys.permit(FULL - {Permission.PLACE_ORDERS}, by=TRADER)
    wanted = sorted(FULL - {Permission.WEBHOOKS})
    fields = {"csrf_token": token, "preset": "custom", "permissions": wanted, "boxes": "shown"}
    answer = trader.post_raw("/apikey/permissions", **fields, shown=shown)
    assert answer.status_code == 409
    assert alerts(answer.text) == [MEANWHILE]
    assert ticked(answer.text) == set(wanted)
    assert rules(desk).permissions == FULL - {Permission.PLACE_ORDERS}
    again = trader.post_raw("/apikey/permissions", **fields, shown=hidden(answer.text, "permissions", "shown"))
    assert again.status_code == 302
    assert rules(desk).permissions == set(wanted)


def test_of_two_tabs_the_second_does_not_widen_the_addresses_of_the_first(
    trader: Person, account: Account, desk: Desk
) -> None:
    trader.post("/apikey/view", page="/apikey", password=account.password)
    tab = trader.get("/apikey").text
    token, shown = csrf_token(tab), hidden(tab, "addresses", "shown")
    desk.store.api_keys.restrict(THIS_PC, by=TRADER)
    fields = {"csrf_token": token, "reach": "listed", "networks": "127.0.0.1 10.0.0.7"}
    answer = trader.post_raw("/apikey/addresses", **fields, shown=shown)
    assert answer.status_code == 409
    assert alerts(answer.text) == [MEANWHILE]
    assert "127.0.0.1 10.0.0.7</textarea>" in answer.text
    assert rules(desk).addresses == THIS_PC
    trader.post_raw("/apikey/addresses", **fields, shown=hidden(answer.text, "addresses", "shown"))
    assert rules(desk).addresses == AddressRule.of_networks("127.0.0.1 10.0.0.7")


@pytest.mark.parametrize(
    ("path", "fields", "harmless"),
    [
        ("/apikey/permissions", {"preset": "full"}, {"preset": "read_only"}),
        ("/apikey/addresses", {"reach": "anywhere"}, {"reach": "this_pc"}),
        ("/apikey/mode", {"mode": "auto"}, {"mode": "semi_auto"}),
    ],
)
def test_what_needed_no_password_when_it_was_read_does_not_undo_what_was_saved_before_it_was_written(
    trader: Person, app: Flask, desk: Desk, path: str, fields: dict[str, str], harmless: dict[str, str]
) -> None:
    owner = a_browser(app)
    owner.sign_in()
    page = trader.get("/apikey").text
    owner_token = csrf_token(owner.get("/apikey").text)
    _save_before_the_next_write(desk, lambda: owner.post_raw(path, csrf_token=owner_token, **harmless))
    answer = trader.post_raw(path, csrf_token=csrf_token(page), **fields)
    assert answer.status_code == 409
    assert "It was changed meanwhile. Look again." in answer.text
    assert rules(desk) == KeyRules(
        permissions=READ_ONLY if "preset" in fields else FULL, addresses=THIS_PC if "reach" in fields else ANYWHERE
    )
    assert desk.store.preferences.order_mode() == ("semi_auto" if "mode" in fields else "auto")


def _save_before_the_next_write(desk: Desk, save: Callable[[], TestResponse]) -> None:
    """The worst moment: all is read and decided, and the write lock is about to be taken."""
    lock, waits = desk.store.files[0]._write_lock, [save]

    class Lock:
        def __enter__(self) -> None:
            while waits:
                assert waits.pop()().status_code == 302
            lock.acquire()

        def __exit__(self, *error: object) -> None:
            lock.release()

        # How the session is saved, which is not the write that is meant.
        acquire, release = staticmethod(lock.acquire), staticmethod(lock.release)

    desk.store.files[0]._write_lock = Lock()  # type: ignore[assignment]


def test_every_box_unticked_under_full_is_not_full(trader: Person, desk: Desk) -> None:
    answer = trader.post("/apikey/permissions", page="/apikey", preset="full", boxes="shown")
    assert answer.status_code == 400
    assert "Choose Custom" in faults(answer.text)[0]
    assert 'name="boxes" value="shown"' in answer.text
    assert trader.post("/apikey/permissions", page="/apikey", preset="full").status_code == 302


def test_a_key_typed_as_its_name_is_refused_and_is_nowhere(trader: Person, account: Account, desk: Desk) -> None:
    answer = trader.post("/apikey/name", page="/apikey", name=account.key)
    assert answer.status_code == 400
    assert "looks like a key" in faults(answer.text)[0]
    assert account.key not in answer.text
    assert rules(desk).name == "My key"


def test_damaged_rules_are_said_and_mended_on_the_page(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    desk.store.files[0].write("UPDATE api_key SET permissions = 'telegram', addresses = 'moon'")
    for path in ("/", "/apikey"):
        page = trader.get(path)
        assert page.status_code == 200
        assert "cannot be read" in page.text
    assert client.post("/api/v1/ping", json={"apikey": account.key}).status_code == 503
    assert trader.post("/apikey/permissions", page="/apikey", preset="custom").status_code == 403, "it repairs the key"
    trader.post("/apikey/permissions", page="/apikey", preset="read_only", password=account.password)
    trader.post("/apikey/addresses", page="/apikey", reach="this_pc")
    assert rules(desk) == KeyRules(permissions=READ_ONLY, addresses=THIS_PC)
    assert client.post("/api/v1/ping", json={"apikey": account.key}).status_code == 200
    assert "cannot be read" not in trader.get("/apikey").text
