"""The key's page: the key itself is in two answers only."""

from __future__ import annotations

import pytest

from openalgo_bridge.account import keys
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey
from openalgo_bridge.model.order import OrderMode
from tests.conftest import TRADER, Account
from tests.web.conftest import Person, csrf_token, hold, shown_key

SAFE = ("/", "/apikey", "/orders", "/positions", "/traffic", "/action-center")


def test_the_password_shows_the_key_in_that_answer_only(trader: Person, account: Account) -> None:
    answer = trader.post("/apikey/view", page="/apikey", password=account.password)
    assert shown_key(answer.text) == account.key
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.count(account.key) == 1
    for path in SAFE:
        assert account.key not in trader.get(path).text


def test_a_wrong_password_shows_nothing(trader: Person, account: Account) -> None:
    answer = trader.post("/apikey/view", page="/apikey", password="wrong password 1")
    assert answer.status_code == 403
    assert "Wrong password." in answer.text
    assert account.key not in answer.text


def test_guessing_at_an_open_session_is_limited(trader: Person, account: Account) -> None:
    for _ in range(5):
        trader.post("/apikey/view", page="/apikey", password="wrong password 1")
    answer = trader.post("/apikey/view", page="/apikey", password=account.password)
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers
    assert account.key not in answer.text


def test_a_view_gives_the_session_a_new_id(trader: Person, account: Account) -> None:
    before = trader.cookie()
    trader.post("/apikey/view", page="/apikey", password=account.password)
    after = trader.cookie()
    assert after != before
    assert trader.get("/orders").status_code == 200
    trader.client.set_cookie("bridge_5000", before, domain="127.0.0.1")
    assert trader.get("/orders").status_code == 302


def test_a_new_key_kills_the_old_one_at_once(trader: Person, account: Account, desk: Desk) -> None:
    answer = trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    new = shown_key(answer.text)
    assert keys.verify(desk, new)
    with pytest.raises(BadApiKey):
        keys.verify(desk, account.key)
    for path in SAFE:
        assert new not in trader.get(path).text


def test_the_page_says_that_the_machine_key_was_replaced_until_there_is_a_new_key(
    trader: Person, account: Account, desk: Desk
) -> None:
    assert "machine.key" not in trader.get("/apikey").text
    # As Store.open leaves it after machine.key was lost.
    desk.store.files[0].write("UPDATE api_key SET machine_mark = ?", (b"another",))
    assert desk.store.api_keys.retire_foreign(desk.store.machine_key.mark, by=TRADER)
    text = trader.get("/apikey").text
    assert "machine.key was lost or replaced" in text
    assert "View the key" not in text
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    text = trader.get("/apikey").text
    assert "machine.key" not in text
    assert "View the key" in text


@pytest.mark.parametrize("fields", [{"confirm": ""}, {"confirm": "no"}, {"password": "wrong password 1"}])
def test_without_password_and_confirmation_the_key_stays(
    trader: Person, account: Account, desk: Desk, fields: dict[str, str]
) -> None:
    given = {"password": account.password, "confirm": "yes"} | fields
    assert trader.post("/apikey/regenerate", page="/apikey", **given).status_code in {400, 403}
    assert keys.verify(desk, account.key)


def test_semi_auto_never_asks(trader: Person, desk: Desk) -> None:
    answer = trader.post("/apikey/mode", page="/apikey", mode="semi_auto")
    assert answer.location == "/apikey"
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    assert "waits for you" in trader.get("/apikey").text


def test_auto_asks_the_password(trader: Person, account: Account, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for wrong in ("", "wrong password 1"):
        answer = trader.post("/apikey/mode", page="/apikey", mode="auto", password=wrong)
        assert answer.status_code == 403
        assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    trader.post("/apikey/mode", page="/apikey", mode="auto", password=account.password)
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_auto_does_not_let_go_what_already_waits(trader: Person, account: Account, desk: Desk) -> None:
    hold(desk)
    trader.post("/apikey/mode", page="/apikey", mode="auto", password=account.password)
    assert desk.store.journal.held_count() == 1


@pytest.mark.parametrize("mode", ["", "live", "AUTO", "auto\x00"])
def test_a_mode_that_does_not_exist_changes_nothing(trader: Person, desk: Desk, mode: str) -> None:
    assert trader.post("/apikey/mode", page="/apikey", mode=mode).status_code == 400
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


@pytest.mark.parametrize("path", ["/apikey/mode", "/apikey/view", "/apikey/regenerate", "/logout"])
def test_a_form_without_its_token_changes_nothing(trader: Person, account: Account, desk: Desk, path: str) -> None:
    fields = {"mode": "semi_auto", "password": account.password, "confirm": "yes"}
    for token in ("", "made-up", csrf_token(trader.get("/apikey").text).swapcase()):
        answer = trader.post_raw(path, csrf_token=token, **fields)
        assert answer.status_code == 400
        assert "Nothing was changed" in answer.text
    assert desk.store.preferences.order_mode() is OrderMode.AUTO
    assert keys.verify(desk, account.key)
    assert trader.get("/orders").status_code == 200


def test_another_site_cannot_send_our_forms(trader: Person, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    fields = {"csrf_token": token, "mode": "semi_auto"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://127.0.0.1:3000"}, {}):
        assert trader.client.post("/apikey/mode", data=fields, headers=headers).status_code == 403
    assert desk.store.preferences.order_mode() is OrderMode.AUTO
