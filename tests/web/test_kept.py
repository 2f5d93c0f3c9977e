"""What was typed is not lost when the session ends under it, and nothing is sent without the person's click."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from openalgo_bridge.account.carrying import brought, carried
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.machine_key import CSRF, KEPT_FORM
from openalgo_bridge.trading import approvals
from openalgo_bridge.web.kept import DEEDS
from tests.conftest import PASSWORD, Account, FixedClock
from tests.phone import set_up
from tests.web.conftest import Person, a_browser, csrf_token, hold, known_for_codes

COOKIE = "bridge_5000_kept"
_FORM = re.compile(r'<form[^>]* action="([^"]+)">(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')

# Forms of which nothing is kept: there is nothing in them but secrets, or one click does it again.
NOT_KEPT = {
    # One click on the page that the sign-in leads to.
    "traffic.mask",
    # What was seen is shown beside its button, and may be more by then.
    "traffic_watch.this_was_me",
    "traffic_watch.put_past",
    # They name what a page counted and summed: after a sign-in that must be counted anew.
    "action_center.bulk.approve_all",
    "action_center.bulk.reject_all",
    "setup.setup",
    "login.login",
    "login.totp",
    "login.logout",
    "calendar.remove",
    "calendar.restore",
    "calendar.complete",
    "orders.cancel",
    "orders.cancel_all",
    "gtt.withdraw",
    # What is open is shown beside its button, and may have ended meanwhile.
    "orders.acknowledge",
    "positions.close",
    "apikey.view",
    "apikey.regenerate",
    "apikey.revoke",
    "apikey.rules.never_show",
    "apikey.rules.keep_copy",
    "apikey.lists.save_stored",
    "kill_switch.release",
    # What it would end is shown beside its button, and may be more by then.
    "paper_capital.reset",
    # One click on what the page then shows.
    "drills.start",
    "drills.stop",
    # What stays at the live account is shown beside its button.
    "leaving_live.leave_live",
    "security.save_password",
    "security.end_session",
    "security.end_other_sessions",
    "parked.there",
    "parked.send_again",
    "parked.handled",
    "two_factor.begin",
    "two_factor.finish",
    "two_factor.switch_on",
    "two_factor.switch_off",
    "two_factor.new_recovery_codes",
    "two_factor.remove",
}


def late(person: Person, path: str, clock: FixedClock, *, page: str, **fields: str) -> str:
    """Fill the form of a page, let the session end, send it. The text of the answer."""
    token = csrf_token(person.get(page).text)
    clock.move(hours=13)
    answer = person.post_raw(path, csrf_token=token, **fields)
    assert answer.status_code == 401
    return answer.text


def sign_in_again(person: Person, refused: str) -> str:
    """Where the page leads, through the sign-in; the text at the end."""
    leads_to = re.search(r'href="(/login[^"]*)"', refused)
    assert leads_to is not None
    answer = person.post(html.unescape(leads_to[1]), username="trader", password="correct horse battery")
    assert answer.status_code == 302
    return person.get(answer.location or "").text


def in_main(page: str) -> str:
    """The page without what stands around every page."""
    return page[page.index("<main") :]


def click(person: Person, page: str) -> str:
    """Press the button of the page; the text it leads to."""
    form = _FORM.search(in_main(page))
    assert form is not None
    fields: dict[str, list[str]] = {}
    for name, value in _HIDDEN.findall(form[2]):
        fields.setdefault(name, []).append(html.unescape(value))
    answer = person.client.post(html.unescape(form[1]), data=fields, headers={"Sec-Fetch-Site": "same-origin"})
    return person.get(answer.location).text if answer.location else answer.text


def state_of(desk: Desk, ticket: Ticket) -> TicketState:
    return approvals.ticket(desk, ticket.id).state


def test_every_form_of_the_pages_is_kept_or_listed_as_not_kept(app: Flask) -> None:
    posts = {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or set())}
    assert posts == set(DEEDS) | NOT_KEPT
    assert not set(DEEDS) & NOT_KEPT


def test_a_late_form_changes_nothing_and_says_so(trader: Person, desk: Desk, clock: FixedClock) -> None:
    refused = late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto")
    assert "Nothing was changed" in refused
    assert "kept for 15 minutes" in refused
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_after_the_sign_in_it_is_shown_and_sent_only_by_a_click(trader: Person, desk: Desk, clock: FixedClock) -> None:
    shown = sign_in_again(trader, late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto"))
    assert "You were about to <strong>change the order mode</strong>" in shown
    assert "<dt>Mode</dt>" in shown
    assert "Semi-Auto" in shown
    assert desk.store.preferences.order_mode() is OrderMode.AUTO, "looking at it sends nothing"
    assert "every new order waits for you" in click(trader, shown)
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO


def test_a_wrong_password_in_between_does_not_lose_it(trader: Person, clock: FixedClock) -> None:
    refused = late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto")
    wrong = trader.post("/login?next=kept.kept", username="trader", password="wrong password 1")
    assert wrong.status_code == 403
    clock.move(minutes=1)
    assert "change the order mode" in sign_in_again(trader, refused)


def test_a_code_at_the_sign_in_does_not_lose_it(trader: Person, desk: Desk, clock: FixedClock) -> None:
    phone_app = set_up(desk)
    known_for_codes(trader, desk)
    refused = late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto")
    first = trader.post("/login?next=kept.kept", username="trader", password=PASSWORD)
    assert first.location == "/login/totp?next=kept.kept"
    second = trader.post(first.location, code=phone_app.code())
    assert second.location == "/kept"
    assert "kept for 15 minutes" in refused
    assert "every new order waits for you" in click(trader, trader.get("/kept").text)


def test_what_was_ticked_is_read_back_in_words_and_ticked_again(trader: Person, desk: Desk, clock: FixedClock) -> None:
    token = csrf_token(trader.get("/apikey").text)
    clock.move(hours=13)
    ticked = {"csrf_token": token, "preset": "custom", "permissions": ["place_orders", "view_funds"]}
    answer = trader.client.post("/apikey/permissions", data=ticked, headers={"Sec-Fetch-Site": "same-origin"})
    shown = sign_in_again(trader, answer.text)
    assert "change what the API key may do" in shown
    assert "place orders, view funds" in shown
    click(trader, shown)
    active = desk.store.api_keys.active()
    assert active is not None
    assert active.rules.permissions == {Permission.PLACE_ORDERS, Permission.VIEW_FUNDS}


def test_secrets_are_neither_kept_nor_shown_and_their_own_page_asks_for_them(
    trader: Person, desk: Desk, account: Account, clock: FixedClock
) -> None:
    trader.post("/apikey/mode", page="/apikey", mode="semi_auto")
    refused = late(trader, "/apikey/mode", clock, page="/apikey", mode="auto", password=account.password, code="123456")
    cookie = trader.client.get_cookie(COOKIE, domain="127.0.0.1", path="/kept")
    assert cookie is not None
    kept = brought(desk.store.machine_key, KEPT_FORM, cookie.value, now=clock.now())
    assert kept is not None
    for secret in (account.password, "123456", "csrf_token"):
        assert secret not in kept
        assert secret not in refused.replace('name="csrf_token"', "")
    shown = sign_in_again(trader, refused)
    assert "were not kept" in shown
    asked = click(trader, shown)
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    assert re.search(r'<input[^>]*checked[^>]*value="auto"', asked), "the rest is filled in"
    assert account.password not in asked
    assert 'name="password"' in asked


@pytest.mark.parametrize("wrap", ["{}", "note {}", "{}x", "https://x/?apikey={}"])
def test_a_key_in_any_field_is_not_kept(trader: Person, desk: Desk, clock: FixedClock, wrap: str) -> None:
    ticket = hold(desk)
    key = new_key()
    mistyped = ("a" if key[0] != "a" else "b") + key[1:]
    for secret in (key, mistyped):
        shown = sign_in_again(
            trader,
            late(
                trader,
                f"/action-center/{ticket.id}/reject",
                clock,
                page="/",
                shown=ticket.shown,
                reason=wrap.format(secret),
            ),
        )
        assert "reject an order" in shown
        assert key[1:] not in shown


def test_a_late_approval_sends_once_and_only_after_the_click(
    trader: Person, desk: Desk, account: Account, clock: FixedClock
) -> None:
    token = csrf_token(trader.get("/").text)
    clock.move(hours=11, minutes=59)
    ticket = hold(desk)
    clock.move(minutes=2)
    path = f"/action-center/{ticket.id}/approve"
    answer = trader.post_raw(path, csrf_token=token, shown=ticket.shown)
    assert answer.status_code == 401
    shown = sign_in_again(trader, answer.text)
    assert "BUY 10 RELIANCE" in shown
    assert "paper account" in shown
    assert ticket.shown not in re.sub(r"<input[^>]*>", "", shown), "a fingerprint is nothing to read"
    assert state_of(desk, ticket) is TicketState.HELD
    click(trader, shown)
    assert state_of(desk, ticket) is TicketState.RELEASED
    assert "409" in str(trader.post_raw(path, csrf_token=csrf_token(shown), shown=ticket.shown).status)


def test_the_button_of_a_kept_change_does_not_name_the_order_as_it_was(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    """The trader typed another quantity than the one that would stand there."""
    token = csrf_token(trader.get("/").text)
    clock.move(hours=11, minutes=59)
    ticket = hold(desk)
    clock.move(minutes=2)
    typed = {"shown": ticket.shown, "quantity": "500", "price": "0", "trigger_price": "0", "product": "MIS"}
    shown = sign_in_again(trader, trader.post_raw(f"/action-center/{ticket.id}/modify", csrf_token=token, **typed).text)
    (button,) = re.findall(r"<button[^>]*>(Yes[^<]*)</button>", shown)
    assert button == "Yes, change an order that waits for you: ticket 1, send nothing"
    assert '<dd class="text-break">500</dd>' in shown


@pytest.mark.parametrize("deed", ["approve", "reject"])
def test_a_late_decision_about_a_ticket_that_changed_is_refused_by_itself(
    trader: Person, desk: Desk, clock: FixedClock, deed: str
) -> None:
    token = csrf_token(trader.get("/").text)
    clock.move(hours=11, minutes=59)
    ticket = hold(desk)
    clock.move(minutes=2)
    answer = trader.post_raw(f"/action-center/{ticket.id}/{deed}", csrf_token=token, shown="0" * 64, reason="no")
    shown = sign_in_again(trader, answer.text)
    assert "Too late" in click(trader, shown)
    assert state_of(desk, ticket) is TicketState.HELD


def test_a_ticket_that_was_decided_meanwhile_is_not_offered(trader: Person, desk: Desk, clock: FixedClock) -> None:
    ticket = hold(desk)
    refused = late(trader, f"/action-center/{ticket.id}/approve", clock, page="/", shown=ticket.shown)
    shown = sign_in_again(trader, refused)
    assert "has expired meanwhile" in shown
    assert "<form" not in in_main(shown)
    assert state_of(desk, ticket) is TicketState.EXPIRED


@pytest.mark.parametrize("number", ["77", "9" * 30])
def test_a_ticket_that_never_was_is_not_found(trader: Person, clock: FixedClock, number: str) -> None:
    late(trader, f"/action-center/{number}/approve", clock, page="/", shown="0" * 64)
    trader.sign_in()
    assert trader.get("/kept").status_code == 404


def test_a_token_of_an_earlier_sign_in_gets_the_same_page(trader: Person, desk: Desk) -> None:
    token = csrf_token(trader.get("/apikey").text)
    trader.post("/logout", page="/")
    trader.sign_in()
    late_one = trader.post_raw("/apikey/mode", csrf_token=token, mode="semi_auto")
    assert late_one.status_code == 400
    assert "You were about to" in late_one.text
    assert desk.store.preferences.order_mode() is OrderMode.AUTO
    click(trader, late_one.text)
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO


def test_a_form_without_any_token_is_refused_and_not_offered(trader: Person, desk: Desk) -> None:
    answer = trader.post_raw("/apikey/mode", mode="semi_auto")
    assert answer.status_code == 400
    assert "You were about to" not in answer.text
    assert desk.store.preferences.order_mode() is OrderMode.AUTO


def test_a_broken_database_is_a_sentence_for_an_old_token_too(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    desk.store.files[0].write("ALTER TABLE ticket RENAME TO lost")
    answer = trader.post_raw(f"/action-center/{ticket.id}/reject", csrf_token="old", shown=ticket.shown)
    assert answer.status_code == 503


def test_a_stranger_cannot_put_a_form_in_front_of_the_trader(app: Flask, trader: Person, clock: FixedClock) -> None:
    stranger = a_browser(app)
    answer = stranger.post_raw("/apikey/mode", mode="auto")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "Sign in and do it again" in answer.text


@pytest.mark.parametrize(
    ("path", "leads_to"), [("/apikey/view", "apikey.apikey"), ("/security/password", "security.security")]
)
def test_a_form_that_is_not_kept_leads_to_its_page(
    trader: Person, account: Account, clock: FixedClock, path: str, leads_to: str
) -> None:
    refused = late(trader, path, clock, page="/apikey", password=account.password)
    assert f"/login?next={leads_to}" in refused
    assert trader.client.get_cookie(COOKIE, domain="127.0.0.1", path="/kept") is None


def test_it_is_kept_for_fifteen_minutes(trader: Person, clock: FixedClock) -> None:
    refused = late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto")
    assert "You were about to" in sign_in_again(trader, refused)
    clock.move(minutes=14)
    assert trader.get("/kept").status_code == 200
    clock.move(minutes=1)
    assert trader.get("/kept").location == "/"
    assert "not kept any more" in trader.get("/").text


def test_nobody_sees_it_without_a_sign_in(trader: Person, clock: FixedClock) -> None:
    late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto")
    answer = trader.get("/kept")
    assert (answer.status_code, answer.location) == (302, "/login?next=kept.kept")


def test_the_cookie_goes_to_no_other_page_and_no_script_sees_it(trader: Person, clock: FixedClock) -> None:
    token = csrf_token(trader.get("/apikey").text)
    clock.move(hours=13)
    (cookie,) = trader.post_raw("/apikey/mode", csrf_token=token, mode="auto").headers.getlist("Set-Cookie")
    assert cookie.startswith(f"{COOKIE}=")
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/kept", "Max-Age=900"):
        assert attribute in cookie
    assert "semi_auto" not in cookie


def test_a_form_too_long_for_a_cookie_is_not_kept_and_the_page_says_so(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    ticket = hold(desk)
    noise = " ".join(str(hash((number, "x"))) for number in range(400))
    path = f"/action-center/{ticket.id}/reject"
    refused = late(trader, path, clock, page="/", shown=ticket.shown, reason=noise)
    assert "too long to be kept" in refused
    assert trader.client.get_cookie(COOKIE, domain="127.0.0.1", path="/kept") is None
    trader.sign_in()
    many = {f"field{number}": "x" for number in range(500)}
    late(trader, path, clock, page="/", shown=ticket.shown, **many)
    assert trader.client.get_cookie(COOKIE, domain="127.0.0.1", path="/kept") is None


@pytest.mark.parametrize("cookie", ["", "x", "A" * 4000, "\xff", "AQ==", "ä", "....", "A" * 64])
def test_no_cookie_breaks_the_page(trader: Person, cookie: str) -> None:
    trader.client.set_cookie(COOKIE, cookie, domain="127.0.0.1", path="/kept")
    assert trader.get("/kept").location == "/"


def test_a_cookie_of_another_kind_or_altered_opens_nothing(trader: Person, desk: Desk, clock: FixedClock) -> None:
    late(trader, "/apikey/mode", clock, page="/apikey", mode="semi_auto")
    cookie = trader.client.get_cookie(COOKIE, domain="127.0.0.1", path="/kept")
    assert cookie is not None
    told = brought(desk.store.machine_key, KEPT_FORM, cookie.value, now=clock.now())
    assert told is not None
    trader.sign_in()
    other = carried(desk.store.machine_key, CSRF, told, expires=clock.now().replace(year=2030))
    altered = cookie.value[:40] + ("A" if cookie.value[40] != "A" else "B") + cookie.value[41:]
    for forged in (other, altered, cookie.value[:-8]):
        trader.client.set_cookie(COOKIE, forged, domain="127.0.0.1", path="/kept")
        assert trader.get("/kept").location == "/"
    trader.client.set_cookie(COOKIE, cookie.value, domain="127.0.0.1", path="/kept")
    assert trader.get("/kept").status_code == 200


@pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "{{7*7}}", "'\"&<>", "\u202egnp"])
def test_hostile_text_comes_back_as_it_was_typed(trader: Person, desk: Desk, clock: FixedClock, hostile: str) -> None:
    ticket = hold(desk)
    token = csrf_token(trader.get("/").text)
    clock.move(minutes=1)
    trader.post("/logout", page="/")
    trader.sign_in()
    answer = trader.post_raw(f"/action-center/{ticket.id}/reject", csrf_token=token, shown=ticket.shown, reason=hostile)
    assert "<script>alert" not in answer.text
    click(trader, answer.text)
    rejected = approvals.ticket(desk, ticket.id)
    assert (rejected.state, rejected.reason) == (TicketState.REJECTED, hostile.strip())
