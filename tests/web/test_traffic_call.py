"""One call with all that is known of it, and the ways to its order and back."""

from __future__ import annotations

import html
import json
import re

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store.traffic import Arrival
from tests.conftest import TRADER, Account, FixedClock
from tests.recorded_calls import record, spoken
from tests.web.conftest import Person, hold

ORDER = {
    "strategy": "breakout",
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "action": "BUY",
    "quantity": 10,
    "pricetype": "MARKET",
    "product": "MIS",
}


def told(text: str) -> str:
    """The page as it is read."""
    content = text[text.index("<main") : text.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())


def bodies(text: str) -> list[str]:
    """What was said, as it stands there."""
    return [html.unescape(body) for body in re.findall(r'<pre class="asked"[^>]*>(.*?)</pre>', text, re.DOTALL)]


def place(person: Person, account: Account, **changed: object) -> int:
    """An order of a program; the number of its call."""
    person.client.post("/api/v1/placeorder", json={"apikey": account.key} | ORDER | changed)
    text = person.get("/traffic").text
    return int(re.findall(r'data-row="(\d+)"', text)[0])


def test_everything_that_is_known_is_told_in_words(trader: Person, desk: Desk) -> None:
    call = record(
        desk,
        listener=Listener.HOOKS,
        kind=CallKind.HOOK,
        endpoint="/webhook/chartink",
        status=502,
        duration_us=250_000,
        broker_us=200_000,
        forwarded_for="192.168.1.10",
        key_fingerprint="0a1b2c3d4e5f",
        source="webhook:chartink",
        strategy="gap up",
        symbol="SBIN",
        order_ref="NMASKUEUQW2AB",
        trading_mode=TradingMode.ANALYZE,
        outcome=CallOutcome.REJECTED,
        message="The broker said no.",
        request_id="00ff00ff00ff00ff",
    )
    page = told(trader.get(f"/traffic/{call}").text)
    for words in (
        "At 21 Nov 10:30:00.000 IST Python at 127.0.0.1 asked for /webhook/chartink",
        "and it failed with 502 in 250.0 ms.",
        "The broker said no.",
        "A webhook, at the listener for webhooks",
        "Outcome rejected",
        "200.0 ms at the broker, 50.0 ms in the bridge",
        "which says it asks for 192.168.1.10",
        "it calls itself python-httpx/0.28",
        "0a1b2c3d4e5f , its fingerprint",
        "Strategy gap up",
        "Symbol SBIN",
        "Account paper account",
        "Order told NMASKUEUQW2AB",
        "Request id 00ff00ff00ff00ff",
        "It asked for no order, or came to none.",
        "What was said in it is not kept.",
    ):
        assert words in page


def test_the_bodies_are_laid_out_and_what_was_cut_is_said(trader: Person, desk: Desk) -> None:
    request = '{"symbol":"SBIN","legs":[' + '{"quantity":1},' * 200
    call = record(desk, body=spoken(request, '{"status":"error","message":"no"}', request_bytes=12 * 1024))
    text = trader.get(f"/traffic/{call}").text
    asked, answered = bodies(text)
    assert asked.startswith('{\n  "symbol": "SBIN",\n  "legs": [\n    {\n      "quantity": 1\n    },')
    assert answered == '{\n  "status": "error",\n  "message": "no"\n}'
    assert "12 KiB in all; of more than 4 KiB the end may be missing." in told(text)
    assert "33 bytes." in told(text)


def test_a_body_that_is_no_json_stays_as_it_is(trader: Person, desk: Desk) -> None:
    call = record(desk, body=spoken("symbol=SBIN&action=BUY", ""))
    text = trader.get(f"/traffic/{call}").text
    assert bodies(text) == ["symbol=SBIN&action=BUY"]
    assert "What was answered Nothing." in told(text)


def test_a_call_that_placed_an_order_tells_its_story_and_leads_to_the_ticket_and_back(
    trader: Person, desk: Desk, account: Account
) -> None:
    call = place(trader, account)
    text = trader.get(f"/traffic/{call}").text
    page = told(text)
    assert "Filled BUY 10 RELIANCE on NSE at market, intraday (MIS)." in page
    for step in ("Accepted", "Sending", "Sent", "Released"):
        assert step in page
    assert 'href="/action-center/1">Ticket 1: everything about it</a>' in text
    assert f'href="/traffic/{call}">The call that asked for it</a>' in trader.get("/action-center/1").text
    assert account.key not in text
    assert json.loads(bodies(text)[0])["symbol"] == "RELIANCE"


def test_a_held_order_leads_back_to_the_call_that_asked_for_it(trader: Person, desk: Desk, account: Account) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    call = place(trader, account)
    assert "Waiting for you BUY 10 RELIANCE" in told(trader.get(f"/traffic/{call}").text)
    assert f'href="/traffic/{call}"' in trader.get("/action-center/1").text


def test_a_ticket_of_many_names_each_of_its_orders(trader: Person, desk: Desk, account: Account) -> None:
    trader.client.post(
        "/api/v1/basketorder",
        json={"apikey": account.key, "strategy": "b", "orders": [ORDER, ORDER | {"symbol": "INFY"}]},
    )
    (call,) = (each.id for each in desk.store.traffic.of_ticket(1))
    page = told(trader.get(f"/traffic/{call}").text)
    for symbol in ("RELIANCE", "INFY"):
        assert f"Filled BUY 10 {symbol} on NSE at market, intraday (MIS)" in page


def test_a_ticket_that_no_call_asked_for_links_to_none(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    assert "The call that asked for it" not in trader.get(f"/action-center/{ticket.id}").text


def test_a_ticket_is_shown_although_the_traffic_log_cannot_be_read(
    trader: Person, desk: Desk, account: Account
) -> None:
    place(trader, account)
    desk.store.files[1].write("ALTER TABLE call RENAME TO lost")
    answer = trader.get("/action-center/1")
    assert answer.status_code == 200
    assert "The call that asked for it" not in answer.text


def test_a_ticket_that_a_backup_does_not_have_is_said_to_be_missing(trader: Person, desk: Desk) -> None:
    call = record(desk, ticket_id=99)
    assert "Ticket 99 cannot be shown: There is no ticket 99." in told(trader.get(f"/traffic/{call}").text)


@pytest.mark.parametrize(("outcome", "words"), [(CallOutcome.WRONG_KEY, "somebody is guessing"), (CallOutcome.OK, "")])
def test_the_remedy_stands_beside_what_needs_one(trader: Person, desk: Desk, outcome: CallOutcome, words: str) -> None:
    page = told(trader.get(f"/traffic/{record(desk, outcome=outcome)}").text)
    assert words in page
    assert ("What to do" in page) == bool(words)


def test_a_call_that_still_runs_or_was_cut_off_says_so(trader: Person, desk: Desk) -> None:
    call = desk.store.traffic.open(
        Arrival(request_id="r", at=0, method="POST", endpoint="/api/v1/x", address="::1", program="")
    )
    page = told(trader.get(f"/traffic/{call}").text)
    assert "A program without a name at ::1 asked for /api/v1/x, and it is still running." in page
    desk.store.traffic.mark_cut_off()
    assert "its answer never left" in told(trader.get(f"/traffic/{call}").text)


@pytest.mark.parametrize("number", ["0", "99999", "9" * 18, "9" * 400])
def test_a_call_that_is_kept_no_more_is_a_page_with_a_sentence(trader: Person, number: str) -> None:
    answer = trader.get(f"/traffic/{number}")
    assert answer.status_code == 404
    assert 'href="/traffic"' in answer.text


def test_a_page_has_no_body_and_says_why(trader: Person, desk: Desk, clock: FixedClock) -> None:
    trader.get("/funds")
    (call,) = re.findall(r'data-row="(\d+)"', trader.get("/traffic?endpoint=/funds&kind=page").text)
    assert "What was said in it is not kept: it is a page." in told(trader.get(f"/traffic/{call}").text)
