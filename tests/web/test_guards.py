"""The guards page: what is typed is kept, narrower is saved at once, wider asks, a stale tab undoes nothing."""

from __future__ import annotations

import re
from html import unescape

import pytest
from werkzeug.test import TestResponse

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied
from openalgo_bridge.model import guard_form
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.trading import orders
from openalgo_bridge.web.guards import GROUPS, mark_of
from tests.conftest import TRADER, Account, FixedClock
from tests.phone import set_up
from tests.web.conftest import Person, an_order, csrf_token, hold, known_for_codes, send

FRESH = guard_form.texts(GuardSettings())

# Of each field what stops more than the defaults do, and what means nothing there.
FIELDS: dict[str, tuple[dict[str, str], str]] = {
    "maximum_quantity": ({"maximum_quantity": "100"}, "lots"),
    "order_value": ({"order_value": "50000.50"}, "-1"),
    "open_positions": ({"open_positions": "3"}, "2.5"),
    "orders_per_day": ({"orders_per_day": "50"}, "0"),
    "loss_of_day": ({"loss_of_day": "5000"}, "1e5"),
    "allowed_symbols": ({"allowed_symbols": "NFO:NIFTY* NSE:RELIANCE"}, "RELIANCE"),
    "window_opens": ({"window_opens": "09:20", "window_closes": "15:15"}, "9 am"),
    "window_closes": ({"window_opens": "09:20", "window_closes": "15:15"}, "24:00"),
    "duplicate_window": ({"duplicate_window": "10"}, "ten"),
    "duplicate_window_source": ({"duplicate_window_source": "webhook:tv 60"}, "page 60"),
    "stale_after": ({"stale_after": "30"}, "1_000"),
    "price_band": ({"price_band": "2.5"}, "101"),
    "price_drift": ({"price_drift": "1"}, "<b>"),
    "held_for": ({"held_for": "60"}, "5"),
    "held_for_source": ({"held_for_source": "webhook:tv 120"}, "mars 60"),
}
BOXES = {"let_exits_through", "rehearse_rate"}


def save(person: Person, **changes: str) -> TestResponse:
    """The form as a fresh page has it, with these changes."""
    page = person.get("/guards").text
    return person.post_raw("/guards", **(typed(page) | changes))


def typed(page: str) -> dict[str, str]:
    """What a browser would send of the page."""
    fields = {"csrf_token": csrf_token(page), "shown": value_of(page, "shown")}
    for name in FIELDS:
        fields[name] = value_of(page, name)
    return fields | {name: "yes" for name in BOXES if is_ticked(page, name)}


def value_of(page: str, name: str) -> str:
    area = re.search(rf'<textarea[^>]* name="{name}"[^>]*>\r?\n?(.*?)</textarea>', page, re.DOTALL)
    if area is not None:
        return unescape(area[1])
    (field,) = re.findall(rf'<input[^>]* name="{name}"[^>]*>', page)
    found = re.search(r' value="([^"]*)"', field)
    return unescape(found[1]) if found is not None else ""


def is_ticked(page: str, name: str) -> bool:
    (field,) = re.findall(rf'<input[^>]* name="{name}"[^>]*>', page)
    return " checked" in field


def lines(desk: Desk) -> list[tuple[str, str]]:
    return [(line.before, line.after) for line in desk.store.audit.page(event=AuditEvent.GUARDS)]


def test_every_guard_has_a_field_with_its_value_of_now(trader: Person) -> None:
    assert {name for group in GROUPS for name in group.names} == set(FIELDS) | BOXES == set(FRESH)
    page = trader.get("/guards").text
    assert {name: value for name, value in typed(page).items() if name in FIELDS} == {
        name: FRESH[name] for name in FIELDS
    }
    assert page.count("Now: off.") == len([name for name in FRESH if not FRESH[name]])
    assert "Now: 500." in page


@pytest.mark.parametrize("name", FIELDS)
def test_what_stops_more_is_saved_at_once_with_its_line(trader: Person, desk: Desk, name: str) -> None:
    narrower, _ = FIELDS[name]
    assert save(trader, **narrower).status_code == 302
    assert desk.store.guards.load() == guard_form.parse(narrower)
    ((before, after),) = lines(desk)
    told = name.replace("_", " ")
    assert f"{told}: {FRESH[name] or 'off'}" in before
    assert f"{told}: {narrower[name]}" in after
    page = trader.get("/guards").text
    assert "Saved. It counts from the next order on." in page
    assert value_of(page, name) == narrower[name]
    assert told in unescape(trader.get("/security/audit?kind=guards").text)


def test_what_means_nothing_is_a_sentence_at_its_field_and_everything_typed_is_kept(trader: Person, desk: Desk) -> None:
    for name, (_, nonsense) in FIELDS.items():
        other = "price_drift" if name != "price_drift" else "stale_after"
        answer = save(trader, **{name: nonsense, other: "3"})
        assert answer.status_code == 400, name
        assert (value_of(answer.text, name), value_of(answer.text, other)) == (nonsense, "3")
        about = re.search(rf'<div id="{name}-help">(.*?)</div>\s*</div>', answer.text, re.DOTALL)
        assert about is not None
        assert '<div class="fault">' in about[1], name
    assert desk.store.guards.load() == GuardSettings()
    assert lines(desk) == []


@pytest.mark.parametrize("name", FIELDS)
def test_what_stops_less_asks_for_the_password_first(
    trader: Person, desk: Desk, account: Account, clock: FixedClock, name: str
) -> None:
    narrower, _ = FIELDS[name]
    strict = guard_form.parse(narrower)
    desk.store.guards.save(strict, by=TRADER)
    wider = {each: FRESH[each] for each in narrower}
    asked = save(trader, **wider)
    assert asked.status_code == 403
    assert "Less is stopped than now" in asked.text
    assert desk.store.guards.load() == strict
    assert value_of(asked.text, name) == FRESH[name], "what was typed stands there"
    wrong = trader.post_raw("/guards", **typed(asked.text), password="wrong password 1")
    assert (wrong.status_code, desk.store.guards.load()) == (403, strict)
    assert "wrong password 1" not in wrong.text
    clock.move(minutes=1)
    done = trader.post_raw("/guards", **typed(wrong.text), password=account.password)
    assert (done.status_code, desk.store.guards.load()) == (302, GuardSettings())


def test_letting_exits_through_needs_the_password_and_taking_it_back_does_not(
    trader: Person, desk: Desk, account: Account
) -> None:
    asked = save(trader, let_exits_through="yes")
    assert asked.status_code == 403
    assert is_ticked(asked.text, "let_exits_through")
    trader.post_raw("/guards", **typed(asked.text), password=account.password)
    assert desk.store.guards.load().let_exits_through
    trader.post("/logout", page="/")
    trader.sign_in()
    page = typed(trader.get("/guards").text)
    del page["let_exits_through"]
    assert trader.post_raw("/guards", **page).status_code == 302
    assert not desk.store.guards.load().let_exits_through


def test_a_code_is_asked_too_where_codes_are(trader: Person, desk: Desk, account: Account, clock: FixedClock) -> None:
    phone_app = set_up(desk)
    known_for_codes(trader, desk)
    asked = save(trader, price_band="30")
    assert 'name="code"' in asked.text
    without = trader.post_raw("/guards", **typed(asked.text), password=account.password)
    assert without.status_code == 403
    clock.move(minutes=1)
    done = trader.post_raw("/guards", **typed(asked.text), password=account.password, code=phone_app.code())
    assert (done.status_code, desk.store.guards.load().price_band) == (302, 30)


def test_a_stale_tab_does_not_undo_what_another_one_narrowed(trader: Person, desk: Desk) -> None:
    stale = typed(trader.get("/guards").text)
    save(trader, maximum_quantity="10")
    late = trader.post_raw("/guards", **(stale | {"price_drift": "1"}))
    assert late.status_code == 409
    assert "changed meanwhile" in late.text
    assert "Now: 10." in late.text
    assert value_of(late.text, "price_drift") == "1", "what was typed stands there"
    assert desk.store.guards.load().maximum_quantity == 10
    again = trader.post_raw("/guards", **typed(late.text))
    assert again.status_code == 403, "sent again it is meant, and is wider by now"
    assert desk.store.guards.load().maximum_quantity == 10


def test_a_script_that_shows_no_mark_is_judged_by_what_is_in_force(trader: Person, desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(maximum_quantity=10), by=TRADER)
    answer = trader.post("/guards", maximum_quantity="11")
    assert (answer.status_code, desk.store.guards.load().maximum_quantity) == (403, 10)


def test_saving_what_stands_already_changes_nothing(trader: Person, desk: Desk) -> None:
    assert save(trader).status_code == 302
    assert "Nothing was changed" in trader.get("/guards").text
    assert lines(desk) == []


def test_guards_that_cannot_be_read_are_said_and_can_be_set_anew_with_the_password(
    trader: Person, desk: Desk, account: Account
) -> None:
    desk.store.files[0].write("INSERT INTO guard VALUES ('price_band', 'x')")
    page = trader.get("/guards")
    assert page.status_code == 200
    assert "every order is held for you" in page.text
    asked = save(trader, maximum_quantity="10")
    assert asked.status_code == 403
    trader.post_raw("/guards", **typed(asked.text), password=account.password)
    assert desk.store.guards.load() == GuardSettings(maximum_quantity=10)
    assert mark_of(None) != mark_of(GuardSettings())


def test_a_guard_counts_for_the_next_order(trader: Person, desk: Desk) -> None:
    send(desk, an_order(quantity=10))
    save(trader, maximum_quantity="9")
    with pytest.raises(Denied):
        send(desk, an_order(quantity=10))


def test_a_ticket_waits_as_long_as_its_source_may(trader: Person, desk: Desk) -> None:
    save(trader, held_for="60", held_for_source="api 30\nwebhook:tv 20")
    waits = hold(desk).expires_at
    assert waits is not None
    assert (waits - desk.clock.now()).total_seconds() == 30
    held = orders.place(desk, an_order("INFY"), orders.Origin(source="webhook:tv", strategy="", request_id="r"))
    assert isinstance(held, orders.Held)
    assert held.ticket.expires_at is not None
    assert (held.ticket.expires_at - desk.clock.now()).total_seconds() == 20


def test_a_source_that_may_repeat_needs_the_password_and_a_stricter_one_does_not(
    trader: Person, desk: Desk, account: Account
) -> None:
    assert save(trader, duplicate_window="10", duplicate_window_source="webhook:tv 60").status_code == 302
    assert "Now: webhook:tv 60." in trader.get("/guards").text
    asked = save(trader, duplicate_window_source="webhook:tv 60\napi off")
    assert (asked.status_code, desk.store.guards.load().duplicate_window_of("api")) == (403, 10)
    trader.post_raw("/guards", **typed(asked.text), password=account.password)
    assert desk.store.guards.load().duplicate_window_of("api") is None
    assert "Now: api off, webhook:tv 60." in trader.get("/guards").text


def test_hostile_text_is_shown_as_text_and_not_saved(trader: Person, desk: Desk) -> None:
    for name in ("maximum_quantity", "allowed_symbols", "held_for_source", "duplicate_window_source"):
        for hostile in ('"><script>alert(1)</script>', "{{7*7}}", "NSE:A" * 2000, "\x00", "١٢"):
            answer = save(trader, **{name: hostile})
            assert answer.status_code == 400, (name, hostile)
            assert "<script>alert" not in answer.text
    assert desk.store.guards.load() == GuardSettings()
