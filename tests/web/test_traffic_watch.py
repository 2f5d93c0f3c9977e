"""``/traffic/watch``: what deserves a look is told with its evidence, and answered with one click."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from openalgo_bridge.account.indicators import CallWatch
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.model.indicators import Indicator, IndicatorKind, IndicatorState
from openalgo_bridge.traffic_upkeep import TrafficUpkeep
from openalgo_bridge.web.indicator_words import WORDS
from tests.conftest import Account, FixedClock, app_of, client_of
from tests.recorded_calls import PUBLIC, record
from tests.web.conftest import Person, csrf_token, shown_key
from tests.web.test_pages import HOSTILE, Page

WATCH = "/traffic/watch"
WRONG = {"status": 403, "outcome": CallOutcome.WRONG_KEY}
RETIRED = {**WRONG, "key_fingerprint": "fedcba987654"}
_CALLS = re.compile(r'href="(/traffic\?[^"]+)">Look at')


def come(desk: Desk, times: int = 1, **told: object) -> None:
    """Calls, as the watch is told of them."""
    for _ in range(times):
        record(desk, **told)
    CallWatch(desk.store)(desk.store.traffic_digest.take(1000))


def the_open_one(desk: Desk) -> Indicator:
    (found,) = desk.store.indicators.of(IndicatorState.OPEN)
    return found


def answer(person: Person, found: Indicator, deed: str = "known", shown: str = "") -> tuple[int, str]:
    """Press a button as the page showed it; the status, and the page that follows."""
    token = csrf_token(person.get(WATCH).text)
    sent = person.post_raw(f"{WATCH}/{found.id}/{deed}", csrf_token=token, shown=shown or found.shown)
    return sent.status_code, person.get(sent.location).text if sent.location else sent.text


def test_before_the_first_call_it_says_that_all_will_be_looked_at(trader: Person) -> None:
    text = trader.get(WATCH).text
    assert "Nothing to look at." in text
    assert "No call has come yet" in text
    for words in WORDS.values():
        assert html.escape(words.watched[1:]) in text


def test_with_nothing_to_look_at_it_says_since_when_and_the_dashboard_says_nothing(trader: Person, desk: Desk) -> None:
    come(desk, 3, key_fingerprint="0123456789ab")
    text = trader.get(WATCH).text
    assert "Nothing to look at." in text
    assert "Every call is looked at since" in text
    assert "21 Nov 2026 10:30:00" in text
    assert "in the traffic" not in trader.get("/").text


def test_every_kind_has_words() -> None:
    assert list(WORDS) == list(IndicatorKind)


def test_it_is_told_with_its_evidence_and_leads_to_its_calls(trader: Person, desk: Desk, clock: FixedClock) -> None:
    come(desk, 2, endpoint="/api/v1/funds", **RETIRED)
    clock.move(minutes=2)
    record(desk, key_fingerprint="0123456789ab", endpoint="/api/v1/ping")
    come(desk, 1, endpoint="/api/v1/funds", **RETIRED)
    text = trader.get(WATCH).text
    assert "A key that you ended is still being used" in text
    for evidence in ("21 Nov 2026 10:30:00", "21 Nov 2026 10:32:00", "Python at 127.0.0.1", "/api/v1/funds"):
        assert evidence in text
    found = _CALLS.search(text)
    assert found is not None
    leads_to = html.unescape(found[1])
    asked = parse_qs(urlsplit(leads_to).query)
    assert asked["since"] == ["2026-11-21T10:30"]
    assert asked["until"] == ["2026-11-21T10:32"]
    calls = trader.get(leads_to).text
    assert calls.count("data-row=") == 3
    assert "/api/v1/ping</a>" not in calls


@pytest.mark.parametrize(
    ("told", "times"),
    [
        ({"key_fingerprint": "0123456789ab", "address": PUBLIC}, 1),
        (RETIRED, 1),
        (WRONG, 3),
        ({"status": 403, "outcome": CallOutcome.NOT_ALLOWED}, 1),
        ({"status": 421, "outcome": CallOutcome.REFUSED, "kind": CallKind.STRAY, "endpoint": "/"}, 1),
        ({"listener": Listener.HOOKS, "status": 404, "kind": CallKind.PAGE, "endpoint": "/.env"}, 1),
        ({"status": 400, "outcome": CallOutcome.BAD_REQUEST}, 20),
    ],
    ids=["address", "retired", "wrong", "not allowed", "tunnel", "hooks", "errors"],
)
def test_the_link_of_each_kind_finds_its_calls_and_no_others(
    trader: Person, desk: Desk, told: dict[str, object], times: int
) -> None:
    record(desk, program="something else", endpoint="/api/v1/ping")
    come(desk, times, **told)
    found = _CALLS.search(trader.get(WATCH).text)
    assert found is not None
    assert trader.get(html.unescape(found[1])).text.count("data-row=") == times


def test_real_calls_through_the_real_doors_are_noticed(
    trader: Person, desk: Desk, account: Account, clock: FixedClock
) -> None:
    program = client_of(app_of(desk))
    former = account.key
    new = trader.post("/apikey/regenerate", page="/apikey", password=account.password, confirm="yes")
    key = shown_key(new.text)

    def call(endpoint: str, times: int = 1, **told: Any) -> None:
        for _ in range(times):
            fields = {"apikey": key, "strategy": "s"} | told
            program.post(f"/api/v1/{endpoint}", json=fields, headers={"User-Agent": "python-httpx/0.28"})

    call("ping", 5)
    TrafficUpkeep(desk.store, clock, [CallWatch(desk.store)]).round()
    assert desk.store.indicators.count(IndicatorState.OPEN) == 0
    call("ping", apikey=former)
    call("ping", 3, apikey=new_key())
    trader.post("/apikey/permissions", page="/apikey", preset="read_only")
    order = {
        "symbol": "SBIN",
        "exchange": "NSE",
        "action": "BUY",
        "quantity": 1,
        "pricetype": "MARKET",
        "product": "MIS",
    }
    call("placeorder", **order)
    call("quotes", 25, symbol="NO SUCH SHARE", exchange="NSE")
    program.get("/", headers={"Host": "mine.ngrok.app"})
    TrafficUpkeep(desk.store, clock, [CallWatch(desk.store)]).round()
    assert {each.kind for each in desk.store.indicators.of(IndicatorState.OPEN)} == {
        IndicatorKind.RETIRED_KEY,
        IndicatorKind.WRONG_KEY,
        IndicatorKind.NOT_ALLOWED,
        IndicatorKind.ERROR_RATE,
        IndicatorKind.TUNNEL,
    }
    assert trader.get(WATCH).status_code == 200


def test_the_dashboard_has_the_most_urgent_ones_at_its_top(trader: Person, desk: Desk) -> None:
    come(desk, 3, **WRONG)
    come(desk, 1, key_fingerprint="0123456789ab", address=PUBLIC)
    come(desk, **RETIRED)
    come(desk, status=421, outcome=CallOutcome.REFUSED, kind=CallKind.STRAY)
    text = trader.get("/").text
    assert "4 things deserve a look in the traffic" in text
    places = [text.index(words) for words in (f"Your key was used from {PUBLIC}", "A key that you ended", "Wrong keys")]
    assert places == sorted(places)
    assert "and 1 more" in text
    assert f'href="{WATCH}"' in text


def test_this_was_me_moves_it_below_and_tells_the_audit_list(trader: Person, desk: Desk) -> None:
    come(desk, **RETIRED)
    status, text = answer(trader, the_open_one(desk))
    assert status == 302
    assert "Noted: this was you." in text
    assert "You said that this was you" in text
    assert "Nothing to look at." in text
    assert "A key that you ended" not in trader.get("/").text
    (line,) = desk.store.audit.page(event=AuditEvent.INDICATOR_ANSWERED)
    assert line.actor.name == "trader"
    come(desk, 5, **RETIRED)
    assert desk.store.indicators.count(IndicatorState.OPEN) == 0


def test_all_that_this_was_me_says_yes_to_is_on_the_page(trader: Person, desk: Desk) -> None:
    for number in range(9):
        come(desk, endpoint=f"/api/v1/asked{number}", status=403, outcome=CallOutcome.NOT_ALLOWED)
        come(desk, program=f"tool{number}", key_fingerprint="0123456789ab", address=PUBLIC)
    text = html.unescape(trader.get(WATCH).text)
    for number in range(9):
        assert f"/api/v1/asked{number}" in text
        assert f"tool{number} reads" in text


def test_an_hour_is_told_with_the_address_that_called(trader: Person, desk: Desk, clock: FixedClock) -> None:
    for _ in range(6):
        come(desk, key_fingerprint="0123456789ab")
        clock.move(days=1)
    clock.move(hours=16)
    come(desk, key_fingerprint="0123456789ab")
    trader.sign_in()
    text = trader.get(WATCH).text
    assert "Python called at 02:00 to 03:00, when nothing called in four weeks" in text
    assert "02:00 from this PC" in text


def test_a_second_click_says_the_same_and_changes_nothing(trader: Person, desk: Desk) -> None:
    come(desk, **RETIRED)
    found = the_open_one(desk)
    for _ in range(2):
        status, text = answer(trader, found)
        assert (status, "Noted: this was you." in text) == (302, True)
    assert desk.store.indicators.count(IndicatorState.KNOWN) == 1
    assert len(desk.store.audit.page(event=AuditEvent.INDICATOR_ANSWERED)) == 1


def test_what_became_something_else_since_is_shown_again_and_not_acknowledged(trader: Person, desk: Desk) -> None:
    come(desk, **RETIRED)
    shown = the_open_one(desk)
    come(desk, program="curl/8.5.0", **RETIRED)
    status, text = answer(trader, shown)
    assert status == 409
    assert "It has become more, or something else, since this page was shown." in text
    assert "curl at 127.0.0.1" in text
    assert the_open_one(desk).id == shown.id
    assert answer(trader, the_open_one(desk))[0] == 302


def test_dealt_with_is_raised_anew_and_known_can_be_taken_back(trader: Person, desk: Desk) -> None:
    come(desk, **RETIRED)
    assert answer(trader, the_open_one(desk), "past")[0] == 302
    assert answer(trader, the_past_one(desk))[0] == 409
    come(desk, **RETIRED)
    known = the_open_one(desk)
    answer(trader, known)
    assert "Tell me again" in trader.get(WATCH).text
    answer(trader, known, "past")
    come(desk, **RETIRED)
    assert the_open_one(desk).id > known.id


def the_past_one(desk: Desk) -> Indicator:
    (found,) = desk.store.indicators.of(IndicatorState.PAST)
    return found


@pytest.mark.parametrize(("number", "status"), [("77", 404), ("9" * 30, 404), ("x", 404)])
def test_what_never_was_is_not_found(trader: Person, number: str, status: int) -> None:
    token = csrf_token(trader.get(WATCH).text)
    assert trader.post_raw(f"{WATCH}/{number}/known", csrf_token=token, shown="1-aa").status_code == status


def test_nobody_answers_without_a_sign_in_or_a_token(trader: Person, stranger: Person, desk: Desk) -> None:
    come(desk, **RETIRED)
    found = the_open_one(desk)
    assert trader.post_raw(f"{WATCH}/{found.id}/known", shown=found.shown).status_code == 400
    trader.post("/logout", page="/")
    assert stranger.post_raw(f"{WATCH}/{found.id}/known", shown=found.shown).status_code == 401
    assert the_open_one(desk) == found


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_shown_as_text(trader: Person, desk: Desk, hostile: str) -> None:
    told = {"program": hostile, "address": hostile, "endpoint": f"/api/{hostile}", "symbol": hostile}
    come(desk, 3, **told, **WRONG)
    come(desk, 1, **told, **RETIRED)
    come(desk, 1, **told, key_fingerprint="0123456789ab")
    for text in (trader.get(WATCH).text, trader.get("/").text):
        assert not Page(text).faults
        for tag in ("<script>alert", "<img", "<svg/"):
            assert tag not in text


def test_public_addresses_are_masked_where_the_trader_wants_it(trader: Person, desk: Desk) -> None:
    come(desk, key_fingerprint="0123456789ab", address=PUBLIC)
    trader.post("/traffic/mask", page="/traffic", mask="yes")
    for path in (WATCH, "/"):
        words = re.sub(r"<[^>]*>", "", trader.get(path).text)
        assert PUBLIC not in words
        assert "103.25.x.x" in words


def test_what_cannot_be_read_takes_no_dashboard_with_it(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("ALTER TABLE indicator RENAME TO lost")
    assert "What deserves a look in the traffic cannot be read now." in trader.get("/").text
    assert trader.get(WATCH).status_code == 503
