"""The page of the drills: each shows the words that it promises, a banner says what runs, and one click ends it."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.drill import DrillKind, DrillLength
from openalgo_bridge.model.order import PriceType, TradingMode
from openalgo_bridge.trading import drills
from openalgo_bridge.trading.watch import Watch
from openalgo_bridge.web import PAGES
from openalgo_bridge.web.drill_cards import CARDS, Card
from tests import timer
from tests.conftest import TRADER, Account, FixedClock, client_of
from tests.web.conftest import Person, csrf_token

CALL = {"strategy": "s", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "10", "product": "MIS"}
LIMIT = {"pricetype": "LIMIT", "price": "1300"}
BANNER = re.compile(r'<div class="banner[^"]*" role="status"><strong>Drill:</strong>(.*?)</div>', re.DOTALL)

STATUS = {
    DrillKind.TIME_OUT_TAKEN: (200, "success", "unknown"),
    DrillKind.TIME_OUT_LOST: (200, "success", "unknown"),
    DrillKind.TIME_OUT_UNTOLD: (200, "success", "unknown"),
    DrillKind.EMPTY_ANSWER: (200, "success", "unknown"),
    DrillKind.TOO_MANY_REQUESTS: (503, "error", None),
    DrillKind.SESSION_OVER: (403, "error", None),
    DrillKind.NO_LOGIN_AT_START: (200, "success", None),
    DrillKind.PRICES_STAND_STILL: (200, "success", None),
    DrillKind.NO_PRICES: (200, "success", None),
}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    return timer.closed(desk)


@pytest.fixture(autouse=True)
def watch(desk: Desk) -> Watch:
    return timer.first_round(desk)


def start(person: Person, kind: DrillKind, length: DrillLength = DrillLength.FIVE_MINUTES) -> str:
    """Press the button of one card; the text it leads to."""
    answer = person.post("/drills/start", page="/drills", kind=kind, length=length)
    assert answer.status_code == 302
    return person.get(answer.location).text


def placed(app: Flask, account: Account, **fields: str) -> tuple[int, dict[str, Any]]:
    """What a program hears."""
    body = json.dumps({"apikey": account.key, **CALL, **fields})
    answer = client_of(app).post("/api/v1/placeorder", data=body)
    return answer.status_code, answer.get_json()


def main_of(page: str) -> str:
    """What stands on the page itself and in the banners, without the drill's own, as a person reads it."""
    return html.unescape(re.sub(r"<[^>]+>", "", BANNER.sub("", page[page.index("</nav>") :])))


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: str(card.kind))
def test_each_drill_shows_the_words_that_it_promises(app: Flask, trader: Person, account: Account, card: Card) -> None:
    before = [main_of(trader.get(path_of(app, look.endpoint)).text) for look in card.looks]
    start(trader, card.kind)
    status, answer = placed(app, account, **(LIMIT if card.price_type is PriceType.LIMIT else {}))
    assert (status, answer["status"], answer.get("order_status")) == STATUS[card.kind]
    for look, was in zip(card.looks, before, strict=True):
        page = main_of(trader.get(path_of(app, look.endpoint)).text)
        assert look.words in page
        is_there_always = look.endpoint == "guards.guards" or not look.words
        assert (look.words in was) == is_there_always, "words that always stand there show nothing"


def path_of(app: Flask, endpoint: str) -> str:
    with app.test_request_context():
        return app.url_for(endpoint)


UNREADABLE = (
    DrillKind.EMPTY_ANSWER,
    DrillKind.TOO_MANY_REQUESTS,
    DrillKind.SESSION_OVER,
    DrillKind.NO_LOGIN_AT_START,
)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_no_page_falls_over_and_everything_can_be_stopped(
    app: Flask, trader: Person, account: Account, desk: Desk, kind: DrillKind
) -> None:
    placed(app, account)
    start(trader, kind)
    with app.test_request_context():
        paths = [app.url_for(entry.endpoint) for _, entry in PAGES if entry is not None]
    for path in (*paths, "/drills", "/kill-switch", "/action-center/1", "/orders/cancel-all?account=analyze"):
        assert trader.get(path).status_code == 200, path
    stopped = trader.post("/kill-switch", page="/", cancel_all="yes", close_all="yes")
    assert "It is on, but not all of the rest could be tried" in trader.get(stopped.location or "").text
    assert desk.store.kill_switch.state().is_on


def test_every_drill_has_its_card() -> None:
    assert set(CARDS) == set(DrillKind) == set(STATUS)


AFTER = {
    DrillKind.TIME_OUT_TAKEN: "Filled",
    DrillKind.TIME_OUT_LOST: "Never reached the broker",
    DrillKind.TIME_OUT_UNTOLD: "In doubt: decide",
    DrillKind.TOO_MANY_REQUESTS: "Refused",
}


@pytest.mark.parametrize("kind", AFTER)
def test_what_met_the_drill_is_listed_as_it_stands_now(
    app: Flask, trader: Person, account: Account, watch: Watch, clock: FixedClock, kind: DrillKind
) -> None:
    start(trader, kind)
    placed(app, account)
    watch.round()
    clock.move(minutes=5)
    page = main_of(trader.get("/drills").text)
    assert "The last one: " + kind.label in page
    row = page[page.index("BUY 10 RELIANCE") : page.index("Start one and send")]
    assert AFTER[kind] in row


def test_a_person_decides_about_what_nobody_can_prove_and_it_goes(
    app: Flask, trader: Person, account: Account, watch: Watch, desk: Desk
) -> None:
    start(trader, DrillKind.TIME_OUT_UNTOLD)
    placed(app, account)
    watch.round()
    ticket = main_of(trader.get("/action-center/1").text)
    for promised in ("What happened: ", "Drill: the broker did not answer in time.", "It is there", "I handled it"):
        assert promised in ticket
    trader.post("/drills/stop", page="/drills", drill=running_id(desk))
    trader.post("/action-center/1/orders/1/send-again", page="/action-center/1")
    assert [each.quantity for each in desk.broker(TradingMode.ANALYZE).positions()] == [10]


def running_id(desk: Desk) -> str:
    drill = desk.drills.running()
    assert drill is not None
    return drill.id


def test_the_banner_is_on_every_page_says_until_when_and_stops_it(trader: Person, desk: Desk) -> None:
    start(trader, DrillKind.NO_PRICES, DrillLength.ONE_MINUTE)
    for path in ("/", "/orders", "/settings", "/drills", "/traffic"):
        (banner,) = BANNER.findall(trader.get(path).text)
        assert "No prices, in the paper account alone, until" in html.unescape(re.sub(r"<[^>]+>", "", banner)), path
        assert "10:31:00" in banner
    drill = re.search(r'name="drill" value="(\w+)"', banner)
    assert drill is not None
    trader.post_raw("/drills/stop", csrf_token=csrf_token(banner), drill=drill[1])
    assert desk.drills.running() is None
    assert BANNER.findall(trader.get("/orders").text) == []


def test_an_open_page_learns_of_a_drill_and_of_its_end(trader: Person, clock: FixedClock, desk: Desk) -> None:
    assert trader.get("/action-center/pending").get_json()["drill"] is None
    start(trader, DrillKind.NO_PRICES)
    assert trader.get("/action-center/pending").get_json()["drill"] == running_id(desk)
    assert len(BANNER.findall(trader.get("/action-center/standing").text)) == 1
    clock.move(minutes=5)
    assert trader.get("/action-center/pending").get_json()["drill"] is None
    assert BANNER.findall(trader.get("/action-center/standing").text) == []


def test_while_one_runs_no_other_is_offered_or_started(trader: Person, desk: Desk) -> None:
    shown = start(trader, DrillKind.NO_PRICES)
    assert 'action="/drills/start"' not in shown
    assert "One runs at a time:" in shown
    refused = start(trader, DrillKind.SESSION_OVER)
    assert "No drill was started. A drill runs already: No prices, until 10:35:00 IST at the latest." in refused
    assert "Nothing was changed" in refused
    drill = desk.drills.running()
    assert drill is not None
    assert drill.kind is DrillKind.NO_PRICES


def test_only_what_can_be_shown_with_one_order_is_offered_for_one(trader: Person) -> None:
    cards = re.findall(
        r'name="kind" value="(\w+)">.*?<select[^>]*>(.*?)</select>', trader.get("/drills").text, re.DOTALL
    )
    offered = {kind: re.findall(r'value="(\w+)"', options) for kind, options in cards}
    assert offered == {kind: list(kind.lengths) for kind in DrillKind}


@pytest.mark.parametrize("field", ["kind", "length"])
def test_what_the_page_does_not_offer_is_refused(trader: Person, desk: Desk, field: str) -> None:
    fields = {"kind": str(DrillKind.NO_PRICES), "length": str(DrillLength.ONE_MINUTE), field: "for_ever"}
    answer = trader.post("/drills/start", page="/drills", **fields)
    assert (answer.status_code, desk.drills.running()) == (400, None)


def test_stopping_what_is_over_says_so(trader: Person, desk: Desk, clock: FixedClock) -> None:
    start(trader, DrillKind.NO_PRICES)
    drill_id = running_id(desk)
    clock.move(minutes=5)
    answer = trader.post("/drills/stop", page="/drills", drill=drill_id)
    assert "That drill was over already." in trader.get(answer.location or "").text


def test_beside_live_trading_none_is_offered_and_one_that_runs_can_be_stopped(trader: Person, desk: Desk) -> None:
    start(trader, DrillKind.NO_PRICES)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    page = trader.get("/drills").text
    assert 'action="/drills/start"' not in page
    assert "Live trading is on, so no drill can be started" in page
    trader.post("/drills/stop", page="/drills", drill=running_id(desk))
    assert desk.drills.running() is None


def test_the_settings_page_leads_to_it_and_says_what_runs(trader: Person, desk: Desk) -> None:
    assert re.search(r'href="/drills">Drills</a></dt>\s*<dd[^>]*>None runs\.', trader.get("/settings").text)
    drills.start(desk, DrillKind.NO_PRICES, DrillLength.ONE_MINUTE, by=TRADER)
    assert "Running: No prices, for 1 minute." in trader.get("/settings").text


def test_the_audit_list_tells_start_and_end_in_words(trader: Person, desk: Desk) -> None:
    start(trader, DrillKind.SESSION_OVER)
    trader.post("/drills/stop", page="/drills", drill=running_id(desk))
    text = main_of(trader.get("/security/audit").text)
    assert "The broker's session ends, for 5 minutes" in text
    assert "it met 0 messages" in text
