"""The key's page: the key itself is in two answers only, and every button asks for what it says."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, Conflict
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.permission import PRESETS, Preset
from openalgo_bridge.store.preferences import KeyCopy
from tests import phone
from tests.conftest import PASSWORD, TRADER, Account, FixedClock
from tests.web.conftest import Person, csrf_token, hold, send, shown_key

SAFE = ("/", "/apikey", "/orders", "/positions", "/traffic", "/action-center", "/security", "/security/audit")
NEEDS_PROOF = {"/apikey/view": {}, "/apikey/regenerate": {"confirm": "yes"}, "/apikey/revoke": {"confirm": "yes"}}


def ping(client: FlaskClient, key: str, program: str = "test") -> int:
    answer = client.post("/api/v1/ping", json={"apikey": key}, headers={"User-Agent": program})
    return answer.status_code


def text_of(page: str, section: str) -> str:
    """The words of one section, without its tags."""
    found = re.search(rf'<section[^>]* id="{section}".*?</section>', page, re.DOTALL)
    assert found is not None, f"the page has no section {section}"
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


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
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes", replaces="")
    text = trader.get("/apikey").text
    assert "machine.key" not in text
    assert "View the key" in text


@pytest.mark.parametrize("path", ["/apikey/regenerate", "/apikey/revoke"])
@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"confirm": ""}, 400, "Tick this first."),
        ({"confirm": "no"}, 400, "Tick this first."),
        ({"password": ""}, 400, "Type your password."),
        ({"password": "wrong password 1"}, 403, "Wrong password."),
    ],
)
def test_without_password_and_confirmation_the_key_stays(
    trader: Person, account: Account, desk: Desk, path: str, fields: dict[str, str], status: int, sentence: str
) -> None:
    given = {"password": account.password, "confirm": "yes"} | fields
    answer = trader.post(path, page="/apikey", **given)
    assert answer.status_code == status
    assert sentence in answer.text
    assert keys.verify(desk, account.key)


def test_the_old_key_is_refused_on_the_very_next_request(trader: Person, account: Account, client: FlaskClient) -> None:
    assert ping(client, account.key) == 200
    new = shown_key(trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes").text)
    assert ping(client, account.key) == 403
    assert ping(client, new) == 200


def test_a_second_click_on_regenerate_does_not_kill_the_key_of_the_first(
    trader: Person, account: Account, desk: Desk
) -> None:
    page = trader.get("/apikey").text
    token, shown = csrf_token(page), re.search(r'name="replaces" value="(\w{12})"', page)
    assert shown is not None
    fields = {"csrf_token": token, "password": account.password, "confirm": "yes", "replaces": shown[1]}
    first = trader.post_raw("/apikey/regenerate", **fields)
    second = trader.post_raw("/apikey/regenerate", **fields)
    assert second.status_code == 409
    assert "Nothing was changed" in second.text
    assert keys.verify(desk, shown_key(first.text))


def test_of_two_clicks_at_the_same_moment_one_makes_the_key(account: Account, desk: Desk) -> None:
    shown = keys.verify(desk, account.key).fingerprint
    start = Barrier(2)

    def click(_: int) -> str:
        start.wait()
        try:
            return keys.issue(desk, Proof(password=account.password), replaces=shown, by=TRADER)
        except Conflict:
            return ""

    with ThreadPoolExecutor(max_workers=2) as pool:
        made = [key for key in pool.map(click, range(2)) if key]
    assert len(made) == 1
    assert keys.verify(desk, made[0])


def test_a_new_key_keeps_name_permissions_and_addresses(trader: Person, account: Account, desk: Desk) -> None:
    desk.store.api_keys.rename("AmiBroker", by=TRADER)
    desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    answer = trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    told = text_of(answer.text, "your-key")
    assert "AmiBroker" in told
    assert "Read-only" in told


def test_revoked_no_program_can_call_and_no_order_is_touched(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    ticket = hold(desk)
    answer = trader.post("/apikey/revoke", page="/apikey", password=account.password, confirm="yes")
    assert answer.status_code == 302
    assert ping(client, account.key) == 403
    assert len(desk.store.journal.held()) == 1
    assert trader.get(f"/action-center/{ticket.id}").status_code == 200
    page = trader.get("/apikey").text
    assert "no program can call the bridge" in page
    assert "View the key" not in page
    assert "Revoke the key" not in page


def test_after_a_revoke_a_new_key_is_made_on_the_same_page(trader: Person, account: Account, desk: Desk) -> None:
    trader.post("/apikey/revoke", page="/apikey", password=account.password, confirm="yes")
    answer = trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes", replaces="")
    assert keys.verify(desk, shown_key(answer.text))


def test_what_is_revoked_already_is_said_so(trader: Person, account: Account, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    desk.store.api_keys.revoke(by=TRADER)
    for path in ("/apikey/revoke", "/apikey/view"):
        answer = trader.post_raw(path, csrf_token=token, password=account.password, confirm="yes")
        assert answer.status_code == 404
    assert trader.get("/apikey").status_code == 200


@pytest.mark.parametrize("path", NEEDS_PROOF)
def test_with_credentials_2fa_a_missing_wrong_or_used_code_changes_nothing(
    trader: Person, account: Account, desk: Desk, clock: FixedClock, path: str
) -> None:
    app = phone.set_up(desk)
    used = app.code()
    for code in ("", app.wrong_code(), used):
        clock.move(minutes=5)
        answer = trader.post(path, page="/apikey", password=account.password, code=code, **NEEDS_PROOF[path])
        assert answer.status_code == 403
        assert account.key not in answer.text
        assert keys.verify(desk, account.key)
        assert 'class="fault"' in answer.text
    clock.move(minutes=5)
    answer = trader.post(path, page="/apikey", password=account.password, code=app.code(), **NEEDS_PROOF[path])
    assert answer.status_code in {200, 302}


def test_the_page_asks_for_a_code_only_where_one_is_needed(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    assert 'id="view-code"' not in trader.get("/apikey").text
    app = phone.set_up(desk)
    clock.move(minutes=1)
    assert 'id="view-code"' in trader.get("/apikey").text
    trader.post("/apikey/view", page="/apikey", password=account.password, code=app.code())
    page = trader.get("/apikey").text
    assert 'id="view-code"' not in page, "the window is open"
    assert 'id="view-password"' in page, "the cryptography needs it every time"
    clock.move(minutes=5)
    assert 'id="view-code"' in trader.get("/apikey").text


def test_semi_auto_never_asks(trader: Person, desk: Desk) -> None:
    phone.set_up(desk)
    answer = trader.post("/apikey/mode", page="/apikey", mode="semi_auto")
    assert answer.status_code == 302
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    assert "waits for you" in trader.get("/apikey").text


def test_auto_asks_the_password(trader: Person, account: Account, desk: Desk, clock: FixedClock) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    for wrong, sentence in (("", "Type your password"), ("wrong password 1", "Wrong password.")):
        answer = trader.post("/apikey/mode", page="/apikey", mode="auto", password=wrong)
        assert answer.status_code == 403
        assert sentence in answer.text
        assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    clock.move(minutes=1)
    trader.post("/apikey/mode", page="/apikey", mode="auto", password=account.password)
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_auto_does_not_let_go_what_already_waits(trader: Person, account: Account, desk: Desk) -> None:
    hold(desk)
    trader.post("/apikey/mode", page="/apikey", mode="auto", password=account.password)
    assert len(desk.store.journal.held()) == 1


@pytest.mark.parametrize("mode", ["", "live", "AUTO", "auto\x00"])
def test_a_mode_that_does_not_exist_changes_nothing(trader: Person, desk: Desk, mode: str) -> None:
    assert trader.post("/apikey/mode", page="/apikey", mode=mode).status_code == 400
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_auto_asks_the_code_too_where_credentials_2fa_is_on(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    app = phone.set_up(desk)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    clock.move(minutes=1)
    assert trader.post("/apikey/mode", page="/apikey", mode="auto", password=account.password).status_code == 403
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    trader.post("/apikey/mode", page="/apikey", mode="auto", password=account.password, code=app.code())
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_saving_auto_again_asks_nothing(trader: Person, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    assert trader.post("/apikey/mode", page="/apikey", mode="auto").status_code == 302


FORMS = (
    "/apikey/mode",
    "/apikey/view",
    "/apikey/regenerate",
    "/apikey/revoke",
    "/apikey/name",
    "/apikey/permissions",
    "/apikey/addresses",
    "/apikey/copy/never",
    "/apikey/copy/keep",
    "/apikey/integrations",
    "/apikey/stored",
    "/logout",
)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_its_token_changes_nothing(trader: Person, account: Account, desk: Desk, path: str) -> None:
    rules = {"name": "other", "preset": "read_only", "reach": "this_pc", "stored": "yes", "dismiss": "yes"}
    fields = {"mode": "semi_auto", "password": account.password, "confirm": "yes"} | rules
    active, lines = desk.store.api_keys.active(), desk.store.audit.count()
    for token in ("", "made-up", csrf_token(trader.get("/apikey").text).swapcase()):
        answer = trader.post_raw(path, csrf_token=token, **fields)
        assert answer.status_code == 400
        assert "Nothing was changed" in answer.text
    assert desk.store.preferences.order_mode() is OrderMode.AUTO
    assert keys.verify(desk, account.key)
    assert (desk.store.api_keys.active(), desk.store.audit.count()) == (active, lines)
    assert desk.store.preferences.key_stored() is None
    assert trader.get("/orders").status_code == 200


def test_another_site_cannot_send_our_forms(trader: Person, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    fields = {"csrf_token": token, "mode": "semi_auto"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://127.0.0.1:3000"}, {}):
        assert trader.client.post("/apikey/mode", data=fields, headers=headers).status_code == 403
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_the_page_tells_what_is_known_of_the_key(
    trader: Person, account: Account, desk: Desk, client: FlaskClient, clock: FixedClock
) -> None:
    told = text_of(trader.get("/apikey").text, "your-key")
    for words in ("My key", "21 Nov 2026 10:30:00", "Last used never", "Full", "from anywhere: less secure"):
        assert words in told
    clock.move(hours=1)
    ping(client, account.key, "python-httpx/0.28.1")
    told = text_of(trader.get("/apikey").text, "your-key")
    assert "21 Nov 2026 11:30:00 by Python at 127.0.0.1, /api/v1/ping" in told


def test_a_program_with_a_hostile_name_is_shown_as_text(trader: Person, account: Account, client: FlaskClient) -> None:
    ping(client, account.key, "<script>alert(1)</script>")
    ping(client, account.key, "another")
    for path in ("/apikey", "/"):
        assert "<script>alert" not in trader.get(path).text


def test_the_page_says_which_mode_is_for_whom(trader: Person) -> None:
    told = text_of(trader.get("/apikey").text, "order-mode")
    assert "your own tested strategies" in told
    assert "managed accounts, new strategies" in told


def test_after_a_new_key_the_programs_to_update_are_listed_until_all_have_it(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    assert "to-update" not in trader.get("/apikey").text
    ping(client, account.key, "axios/0.21.4")
    answer = trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    told = text_of(answer.text, "to-update")
    assert "Node used the old key last 21 Nov 2026 10:30:00" in told
    for name in ("TradingView", "ChartInk", "AmiBroker", "Python", "Excel"):
        assert f"{name} not seen in the last 30 days" in told
    numbers = re.findall(r'name="updated" value="(\d+)"', trader.get("/apikey").text)
    trader.post("/apikey/integrations", page="/apikey", updated=numbers[1:])
    page = trader.get("/apikey").text
    assert re.findall(r'name="updated" value="(\d+)" id="program-\d+">', page) == numbers[:1], "the others are ticked"
    trader.post("/apikey/integrations", page="/apikey", updated=numbers)
    assert 'id="to-update"' not in trader.get("/apikey").text


def test_a_program_that_calls_with_the_new_key_ticks_itself(
    trader: Person, account: Account, client: FlaskClient, clock: FixedClock
) -> None:
    ping(client, account.key, "axios/0.21.4")
    answer = trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    clock.move(minutes=2)
    ping(client, shown_key(answer.text), "axios/0.21.4")
    told = text_of(trader.get("/apikey").text, "to-update")
    assert "Node calls with the new key since 21 Nov 2026 10:32:00" in told


def test_the_list_of_programs_can_be_hidden(trader: Person, account: Account) -> None:
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    assert 'id="to-update"' in trader.get("/apikey").text
    trader.post("/apikey/integrations", page="/apikey", dismiss="yes")
    assert 'id="to-update"' not in trader.get("/apikey").text


@pytest.mark.parametrize("junk", ["", "x", "-1", "9" * 40, "1; DROP TABLE integration"])
def test_junk_ticks_nothing(trader: Person, account: Account, junk: str) -> None:
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    assert trader.post("/apikey/integrations", page="/apikey", updated=junk).status_code == 302
    assert " checked" not in str(re.findall(r'name="updated"[^>]*', trader.get("/apikey").text))


def test_the_strict_setting_deletes_the_copy_after_a_tick_and_programs_go_on(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    assert trader.post("/apikey/copy/never", page="/apikey").status_code == 400
    assert desk.store.preferences.key_copy() is KeyCopy.KEPT
    trader.post("/apikey/copy/never", page="/apikey", confirm="yes")
    page = trader.get("/apikey").text
    assert "never shown again" in page
    assert "View the key" not in page
    answer = trader.post("/apikey/view", page="/apikey", password=account.password)
    assert answer.status_code == 404
    assert account.key not in answer.text
    assert ping(client, account.key) == 200


def test_copies_are_kept_again_only_after_the_step_up(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    trader.post("/apikey/copy/never", page="/apikey", confirm="yes")
    for password in ("", "wrong password 1"):
        assert trader.post("/apikey/copy/keep", page="/apikey", password=password).status_code == 403
        assert desk.store.preferences.key_copy() is KeyCopy.NEVER
    clock.move(minutes=1)
    trader.post("/apikey/copy/keep", page="/apikey", password=account.password)
    assert desk.store.preferences.key_copy() is KeyCopy.KEPT
    assert "No copy of this key was kept" in trader.get("/apikey").text
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    answer = trader.post("/apikey/view", page="/apikey", password=account.password)
    assert keys.verify(desk, shown_key(answer.text))


def test_the_checklist_is_checked_by_the_bridge(
    trader: Person, account: Account, desk: Desk, client: FlaskClient, clock: FixedClock
) -> None:
    assert "5 of 6 still to do." in text_of(trader.get("/apikey").text, "checklist")
    clock.move(minutes=1)
    ping(client, account.key)
    trader.get("/traffic")
    trader.post("/apikey/mode", page="/apikey", mode="semi_auto")
    trader.post("/apikey/stored", page="/apikey", stored="yes")
    send(desk)
    assert "All done." in text_of(trader.get("/apikey").text, "checklist")
    trader.post("/apikey/stored", page="/apikey", stored="no")
    assert "1 of 6 still to do." in text_of(trader.get("/apikey").text, "checklist")


def test_looking_at_the_traffic_log_is_noted_once_for_each_key(
    trader: Person, account: Account, desk: Desk, clock: FixedClock
) -> None:
    clock.move(minutes=1)
    trader.get("/traffic")
    first = desk.store.preferences.traffic_log_opened()
    clock.move(minutes=1)
    trader.get("/traffic")
    assert desk.store.preferences.traffic_log_opened() == first
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    clock.move(minutes=1)
    trader.get("/traffic")
    assert desk.store.preferences.traffic_log_opened() != first


def test_the_page_has_the_precautions_and_the_remedies(trader: Person) -> None:
    page = trader.get("/apikey").text
    told = text_of(page, "help")
    for words in (
        "password manager",
        "from time to time",
        "nobody else sees your screen",
        "repository",
        "chat or mail",
        "computer that is not yours",
        "plain HTTP beyond this PC",
        "program of somebody else",
        "Invalid openalgo apikey",
        "API key not authorized",
        "Rate limit exceeded",
        "is a partner of it",
    ):
        assert words in told
    assert "OPENALGO_API_KEY" in text_of(page, "use")
    assert "API docs has every endpoint" in text_of(page, "use")


def test_the_page_leads_to_security_and_back(trader: Person) -> None:
    assert 'href="/security"' in trader.get("/apikey").text
    assert 'href="/apikey"' in trader.get("/security").text


@pytest.mark.parametrize(
    ("key", "headers", "words"),
    [
        ("x" * 32, {}, "somebody is guessing"),
        ("", {}, "environment variable OPENALGO_API_KEY"),
        ("", {"Authorization": "Bearer x"}, "Bearer tokens are not accepted"),
    ],
)
def test_a_refused_call_has_its_remedy_beside_it(
    trader: Person, client: FlaskClient, key: str, headers: dict[str, str], words: str
) -> None:
    client.post("/api/v1/ping", json={"apikey": key} if key else {}, headers=headers)
    page = trader.get("/traffic").text
    assert "What to do" in page
    assert words in page


def test_a_call_that_may_not_has_the_way_to_the_permissions_beside_it(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    client.post("/api/v1/funds", json={"apikey": account.key})
    assert "What to do" not in trader.get("/traffic").text
    desk.store.api_keys.permit(PRESETS[Preset.TRADE_ONLY], by=TRADER)
    client.post("/api/v1/funds", json={"apikey": account.key})
    page = trader.get("/traffic").text
    assert "somebody else has your key" in page
    assert 'href="/apikey#permissions"' in page


def test_what_was_done_with_the_key_is_in_the_audit_list(trader: Person, account: Account, desk: Desk) -> None:
    trader.post("/apikey/view", page="/apikey", password=account.password)
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    trader.post("/apikey/revoke", page="/apikey", password=account.password, confirm="yes")
    events = [line.event for line in desk.store.audit.page(limit=3)]
    assert events == [AuditEvent.KEY_REVOKED, AuditEvent.KEY_REGENERATED, AuditEvent.KEY_SHOWN]
    assert {line.actor.name for line in desk.store.audit.page(limit=3)} == {"trader"}


def test_semi_auto_is_saved_even_where_its_audit_line_cannot_be_written(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
    trader.post("/apikey/mode", page="/apikey", mode="semi_auto")
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    answer = trader.post("/apikey/mode", page="/apikey", mode="auto", password=PASSWORD)
    assert answer.status_code == 503
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO


def damage_traffic(desk: Desk) -> None:
    """The file of the traffic log, as a bad disk leaves it."""
    traffic = desk.store.files[1]
    traffic.read("PRAGMA wal_checkpoint(TRUNCATE)")
    traffic.close()
    content = traffic.path.read_bytes()
    traffic.path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def test_a_damaged_traffic_log_closes_no_page_and_ends_no_key(trader: Person, account: Account, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    damage_traffic(desk)
    # No row can be written for it, so it is not done: the programs go on with the key that they have.
    answer = trader.post_raw("/apikey/regenerate", csrf_token=token, password=account.password, confirm="yes")
    assert answer.status_code == 503
    assert keys.verify(desk, account.key)
    for path in ("/", "/apikey"):
        page = trader.get(path)
        assert page.status_code == 200
        assert "cannot be read now" in page.text


def test_who_used_the_key_is_lost_and_a_new_key_is_shown(trader: Person, account: Account, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    desk.store.files[1].write("DROP TABLE key_use")
    answer = trader.post_raw("/apikey/regenerate", csrf_token=token, password=account.password, confirm="yes")
    assert answer.status_code == 200
    assert keys.verify(desk, shown_key(answer.text))
    page = trader.get("/apikey")
    assert page.status_code == 200
    assert "cannot be read now" in page.text
    assert trader.post("/apikey/stored", page="/apikey", stored="yes").status_code == 302
    assert trader.post("/apikey/integrations", page="/apikey", updated="1").status_code == 302


def test_whatever_else_cannot_be_read_a_new_key_is_shown(trader: Person, account: Account, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    # What the page reads breaks in the commit that makes the key.
    desk.store.files[0].write(
        "CREATE TRIGGER breaks AFTER INSERT ON api_key"
        " BEGIN UPDATE preference SET value = '?' WHERE name = 'key_copy'; END"
    )
    answer = trader.post_raw("/apikey/regenerate", csrf_token=token, password=account.password, confirm="yes")
    assert answer.status_code == 200
    assert keys.verify(desk, shown_key(answer.text))
    assert answer.headers["Cache-Control"] == "no-store"
    assert trader.get("/apikey").status_code == 503


def test_a_tab_of_an_older_key_ticks_no_other_program(trader: Person, account: Account, desk: Desk) -> None:
    trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    tab = trader.get("/apikey").text
    listed = re.search(r'name="fingerprint" value="(\w{12})"', tab)
    assert listed is not None
    numbers = re.findall(r'name="updated" value="(\d+)"', tab)
    keys.issue(desk, Proof(password=account.password), by=TRADER)
    trader.post_raw("/apikey/integrations", csrf_token=csrf_token(tab), updated=numbers, fingerprint=listed[1])
    page = trader.get("/apikey").text
    assert "the page was of an older key" in page
    assert re.findall(r'name="updated" value="(\d+)" id="program-\d+">', page) == numbers, "none is ticked"


def test_a_retired_key_is_known_by_its_fingerprint_in_the_traffic_log(
    trader: Person, account: Account, desk: Desk, client: FlaskClient
) -> None:
    retired = keys.verify(desk, account.key).fingerprint
    keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert ping(client, account.key) == 403
    assert ping(client, "x" * 32) == 403
    stranger, known = desk.store.traffic.page(limit=2)
    assert (known.key_fingerprint, stranger.key_fingerprint) == (retired, None)
    assert desk.store.key_uses.of(retired) == [], "a refused call is no use"
