"""Who called, what happened, was that me? The list that answers it, newest first."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calls import CallKind, CallOutcome
from openalgo_bridge.store.traffic import Arrival, Ending
from tests.conftest import Account, FixedClock
from tests.recorded_calls import PUBLIC, digest, record
from tests.web.conftest import Person

_ROW = re.compile(r'<tr data-row="(\d+)"[^>]*>(.*?)</tr>', re.DOTALL)


def numbers(text: str) -> list[int]:
    """The calls of a page, as they stand there."""
    return [int(number) for number, _ in _ROW.findall(text)]


def rows(text: str) -> list[str]:
    """Each row as it is read."""
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split()) for _, row in _ROW.findall(text)]


def link(text: str, name: str) -> str:
    """Where a link of this name leads."""
    found = re.search(rf'href="([^"]+)"[^>]*>{name}</a>', text)
    assert found is not None, f"there is no link {name}"
    return html.unescape(found[1])


def ask_ping(person: Person, account: Account, times: int) -> None:
    for _ in range(times):
        person.client.post("/api/v1/ping", json={"apikey": account.key})


def test_a_row_says_when_what_who_and_what_came_of_it(trader: Person, desk: Desk) -> None:
    record(
        desk,
        endpoint="/api/v1/placeorder",
        status=403,
        outcome=CallOutcome.WRONG_KEY,
        address=PUBLIC,
        program="AmiBroker/6.40",
        strategy="breakout",
        symbol="SBIN",
        message="Invalid openalgo apikey",
    )
    text = trader.get("/traffic").text
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', text)
    assert [head.lower() for head in heads] == [
        "time (ist)",
        "endpoint",
        "status",
        "ip address",
        "response time",
        "outcome",
        "program",
        "strategy, symbol",
        "message",
    ]
    (row,) = rows(text)
    assert row.startswith("21 Nov 10:30:00.000 , details /api/v1/placeorder 403 103.25.7.9 1.50 ms wrong key AmiBroker")
    assert "breakout , SBIN Invalid openalgo apikey What to do" in row


def test_pages_are_in_the_record_and_shown_when_asked_for(trader: Person, desk: Desk, account: Account) -> None:
    ask_ping(trader, account, 1)
    trader.get("/orders")
    assert [row.split()[5] for row in rows(trader.get("/traffic").text)] == ["/api/v1/ping"]
    everything = "\n".join(rows(trader.get("/traffic?kind=all").text))
    assert "/api/v1/ping" in everything
    assert "/orders GET" in everything


def test_the_polling_of_the_page_does_not_fill_it(trader: Person, desk: Desk) -> None:
    first = record(desk)
    for _ in range(5):
        trader.get(f"/traffic/newer?row={first}")
    assert numbers(trader.get("/traffic").text) == [first]


def test_filters_hold_together(trader: Person, desk: Desk, clock: FixedClock) -> None:
    wanted = record(
        desk, address=PUBLIC, program="node", status=429, strategy="s", symbol="SBIN", duration_us=2_000_000
    )
    for other in ({"address": PUBLIC}, {"program": "node"}, {"status": 429}, {"strategy": "s"}, {"symbol": "SBIN"}):
        record(desk, **other)
    clock.move(minutes=5)
    record(desk, address=PUBLIC, program="node", status=429)
    for _ in range(2):
        assert numbers(
            trader.get(f"/traffic?address={PUBLIC}&program=node&status=refused&until=2026-11-21T10:30").text
        ) == [wanted]
        assert numbers(trader.get("/traffic?strategy=s&symbol=sbin").text) == [wanted]
        assert numbers(trader.get("/traffic?slow=yes").text) == [wanted]
        # The same through the index.
        digest(desk)


def test_what_is_filtered_is_said_and_can_be_taken_off(trader: Person, desk: Desk) -> None:
    record(desk, address=PUBLIC)
    text = trader.get(f"/traffic?address={PUBLIC}&status=refused").text
    assert "No call matches." in text
    chips = re.findall(r'<li class="chip">.*?href="([^"]+)" aria-label="([^"]+)"', text, re.DOTALL)
    assert [(html.unescape(where), label) for where, label in chips] == [
        ("/traffic?address=103.25.7.9", "Take off: Status"),
        ("/traffic?status=refused", "Take off: IP address"),
    ]


def test_a_click_on_a_value_asks_for_the_calls_with_it(trader: Person, desk: Desk) -> None:
    mine = record(desk, address=PUBLIC, endpoint="/api/v1/funds", program="my own/1.0 & more", strategy="a+b")
    record(desk)
    text = trader.get("/traffic").text
    for name in (PUBLIC, "/api/v1/funds", "my", r"a\+b"):
        assert numbers(trader.get(link(text, name)).text) == [mine], name


def test_pages_lead_on_and_back_and_do_not_shift_while_calls_arrive(trader: Person, desk: Desk) -> None:
    calls = [record(desk) for _ in range(120)][::-1]
    newest = trader.get("/traffic").text
    assert numbers(newest) == calls[:50]
    second = link(newest, "Older")
    assert numbers(trader.get(second).text) == calls[50:100]
    third = link(trader.get(second).text, "Older")
    last = trader.get(third).text
    assert numbers(last) == calls[100:]
    assert "hidden>Older" in last
    for _ in range(5):
        record(desk)
    assert numbers(trader.get(second).text) == calls[50:100]
    assert numbers(trader.get(link(last, "Newer")).text) == calls[50:100]
    assert numbers(trader.get(link(last, "Newest")).text)[5:] == calls[:45]
    first = trader.get(link(trader.get(second).text, "Newer")).text
    assert numbers(first) == calls[:50]
    # There is less than a page above that, so it is the newest one, which moves.
    top = trader.get(link(first, "Newer")).text
    assert numbers(top) == numbers(trader.get("/traffic").text)
    assert "data-tail=" in top


def test_a_filtered_page_leads_on_within_its_filter(trader: Person, desk: Desk) -> None:
    mine = [record(desk, symbol="SBIN" if number % 2 else "INFY") for number in range(120)][1::2][::-1]
    first = trader.get("/traffic?symbol=SBIN").text
    assert numbers(first) == mine[:50]
    assert numbers(trader.get(link(first, "Older")).text) == mine[50:]


@pytest.mark.parametrize(
    "place",
    ["before=-5", "before=1e9", "before=" + "9" * 400, "before=٥", "before=", "after=x", "before=00000000-7"],
)
def test_a_place_that_is_none_gives_the_newest_page_and_a_sentence(trader: Person, desk: Desk, place: str) -> None:
    calls = [record(desk) for _ in range(60)][::-1]
    answer = trader.get(f"/traffic?{place}")
    assert answer.status_code == 200
    assert numbers(answer.text) == calls[:50]
    assert "belongs to another filter" in answer.text


def test_a_place_of_another_filter_gives_the_newest_page_and_a_sentence(trader: Person, desk: Desk) -> None:
    calls = [record(desk, symbol="SBIN") for _ in range(60)][::-1]
    place = link(trader.get("/traffic?symbol=SBIN").text, "Older").rpartition("before=")[2]
    for query in (f"before={place}", f"symbol=SBIN&status=answered&before={place}", "symbol=SBIN&before=20"):
        text = trader.get(f"/traffic?{query}").text
        assert numbers(text) == calls[:50]
        assert "belongs to another filter" in text
    assert "belongs to another filter" not in trader.get(f"/traffic?symbol=SBIN&before={place}").text


def test_dates_the_wrong_way_round_show_the_calls_between_them(trader: Person, desk: Desk) -> None:
    call = record(desk)
    text = trader.get("/traffic?since=2026-11-22&until=2026-11-20").text
    assert numbers(text) == [call]
    assert "they were swapped" in text


HOSTILE = ["/no/such", "%00", "%ED%A0%80", "/api/v1/pin", "/api/v1/ping'--", '"*', "NEAR(", "_kind", "%25"]


@pytest.mark.parametrize("asked", HOSTILE)
@pytest.mark.parametrize("name", ["endpoint", "program", "address", "strategy", "symbol", "outcome"])
def test_what_was_never_called_shows_no_call_of_another(trader: Person, desk: Desk, name: str, asked: str) -> None:
    record(desk, strategy="s", symbol="SBIN")
    digest(desk)
    text = trader.get(f"/traffic?{name}={asked}").text
    assert numbers(text) == []
    assert "No call matches." in text


@pytest.mark.parametrize(
    ("asked", "finds"), [*[(each, False) for each in HOSTILE if "p" in each], ("pyth", True), ("x1", False)]
)
def test_words_are_looked_for_and_nothing_else(trader: Person, desk: Desk, asked: str, finds: bool) -> None:
    call = record(desk)
    digest(desk)
    assert numbers(trader.get(f"/traffic?words={asked}").text) == [call] * finds


def test_only_what_the_api_has_is_offered_and_anything_can_be_asked_for(
    trader: Person, desk: Desk, account: Account
) -> None:
    for number in range(20):
        trader.client.get(f"/api/0{number:04}")
    text = trader.get("/traffic").text
    choices = re.findall(r"<option>(/[^<]*)</option>", text)
    assert {"/api/v1/ping", "/api/v1/placeorder", "/api/v1/funds"} <= set(choices)
    assert not any(choice.startswith("/api/0") for choice in choices)
    junk = trader.get("/traffic?endpoint=/api/00007").text
    assert len(rows(junk)) == 1
    assert "<option selected>/api/00007</option>" in junk


def test_a_call_that_still_runs_or_was_cut_off_is_shown(trader: Person, desk: Desk) -> None:
    desk.store.traffic.open(Arrival(request_id="r", at=0, method="POST", endpoint="/api/v1/x", address="a", program=""))
    (row,) = rows(trader.get("/traffic").text)
    assert "running" in row
    desk.store.traffic.mark_cut_off()
    (row,) = rows(trader.get("/traffic?status=cut+off").text)
    assert "cut off" in row


def test_what_is_newer_comes_by_itself(trader: Person, desk: Desk) -> None:
    first = record(desk)
    assert numbers(trader.get(f"/traffic/newer?row={first}").text) == []
    news = [record(desk) for _ in range(3)][::-1]
    assert numbers(trader.get(f"/traffic/newer?row={first}").text) == news
    assert numbers(trader.get(f"/traffic/newer?row={first}&symbol=SBIN").text) == []
    assert numbers(trader.get("/traffic/newer?row=nonsense").text) == [*news, first]


def reached(text: str) -> str:
    """How far a page says that it has come."""
    found = re.search(r'data-reached="([0-9.]+)"', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("is_summed", [False, True])
@pytest.mark.parametrize("asked", ["slow=yes&", "symbol=SBIN&", "strategy=s&", "status=failed&", "outcome=busy&"])
def test_a_call_that_ends_after_a_younger_one_is_new_all_the_same(
    trader: Person, desk: Desk, asked: str, is_summed: bool
) -> None:
    """Before it ends it does not pass any of these filters."""
    arrival = Arrival(request_id="r", at=0, method="POST", endpoint="/api/v1/x", address="127.0.0.1", program="node")
    ending = {"status": 503, "outcome": CallOutcome.BUSY, "duration_us": 9_000_000, "symbol": "SBIN", "strategy": "s"}
    slow, never = desk.store.traffic.open(arrival), desk.store.traffic.open(arrival)
    first = record(desk, **ending)
    page = trader.get(f"/traffic?{asked}").text
    assert numbers(page) == [first]
    younger = record(desk, **ending)
    if is_summed:
        digest(desk)
    page = trader.get(f"/traffic/newer?{asked}row={reached(page)}").text
    assert numbers(page) == [younger]
    desk.store.traffic.close(slow, Ending(**ending))
    if is_summed:
        digest(desk)
    page = trader.get(f"/traffic/newer?{asked}row={reached(page)}").text
    assert numbers(page) == [slow]
    assert str(never) in reached(page).split(".")[1:]
    assert numbers(trader.get(f"/traffic/newer?{asked}row={reached(page)}").text) == []


@pytest.mark.parametrize("row", ["1.", ".1", "1.2.x", "9" * 19, "0" + ".1" * 65, "5.99999", "-1", "1,2"])
def test_a_place_that_no_page_told_is_the_beginning_or_finds_nothing_else(trader: Person, desk: Desk, row: str) -> None:
    first = record(desk)
    answer = trader.get(f"/traffic/newer?row={row}")
    assert answer.status_code == 200
    assert numbers(answer.text) in ([first], [])


def test_too_much_that_is_new_is_the_newest_page(trader: Person, desk: Desk) -> None:
    first = record(desk)
    news = [record(desk) for _ in range(101)][::-1]
    text = trader.get(f"/traffic/newer?row={first}").text
    assert "data-gap" in text
    assert numbers(text) == news[:50]


def test_an_older_page_does_not_move(trader: Person, desk: Desk) -> None:
    for _ in range(60):
        record(desk)
    newest = trader.get("/traffic").text
    assert "data-tail=" in newest
    assert "data-tail=" not in trader.get(link(newest, "Older")).text


def test_public_addresses_are_masked_everywhere_once_it_is_asked_for(trader: Person, desk: Desk) -> None:
    call = record(desk, address=PUBLIC, message=f"Not allowed from {PUBLIC}.")
    record(desk, address="192.168.1.10")
    digest(desk)
    pages = ("/traffic", f"/traffic?address={PUBLIC}", f"/traffic/{call}", "/traffic/newer?row=0", "/traffic/summary")
    for path in pages:
        assert PUBLIC in seen(trader.get(path).text)
    answer = trader.post(f"/traffic/mask?{urlencode({'address': PUBLIC})}", page="/traffic", mask="yes")
    assert (answer.status_code, answer.location) == (302, f"/traffic?address={PUBLIC}")
    for path in pages:
        text = seen(trader.get(path).text)
        assert PUBLIC not in text, path
        assert "103.25.x.x" in text, path
    assert "192.168.1.10" in trader.get("/traffic").text
    trader.post("/traffic/mask", page="/traffic", mask="no")
    assert PUBLIC in seen(trader.get("/traffic").text)


def seen(text: str) -> str:
    """What a person sees of a page: its text, and what is in the fields that show."""
    fields = re.findall(r'<input class="form-control"[^>]* value="([^"]*)"', text)
    return html.unescape(" ".join((re.sub(r"<[^>]+>", " ", text), *fields)))


def test_the_masked_address_is_still_the_one_that_is_asked_for(trader: Person, desk: Desk) -> None:
    mine = record(desk, address=PUBLIC)
    record(desk, address="103.25.9.9")
    trader.post("/traffic/mask", page="/traffic", mask="yes")
    text = trader.get("/traffic").text
    (first, second) = re.findall(r'href="([^"]+)"[^>]*>103.25.x.x</a>', text)
    assert numbers(trader.get(html.unescape(second)).text) == [mine]
    assert first != second


def test_answers_and_rows_are_counted(trader: Person, desk: Desk, account: Account) -> None:
    before = desk.store.traffic.completeness()
    ask_ping(trader, account, 3)
    told = rf"Since the start at .*: {before.answers + 3} answers, {before.rows + 3} rows\."
    text = re.sub(r"<[^>]+>", "", trader.get("/traffic").text)
    assert re.search(told, text)
    assert "could not be written" not in text


def test_an_answer_without_a_row_is_told_in_red(trader: Person, desk: Desk) -> None:
    desk.store.traffic.count(has_row=False)
    text = trader.get("/traffic").text
    assert '<p class="alert alert-danger" data-complete>' in text
    assert "1 could not be written." in text


def test_an_empty_log_says_what_comes(trader: Person) -> None:
    assert "No call yet." in trader.get("/traffic").text


def test_what_was_turned_away_at_the_door_is_shown(trader: Person, desk: Desk) -> None:
    record(desk, kind=CallKind.STRAY, endpoint="/orders", status=421, outcome=CallOutcome.REFUSED)
    assert len(rows(trader.get("/traffic").text)) == 1
    assert len(rows(trader.get("/traffic?kind=stray").text)) == 1
