"""Downloads of the traffic log: what the page shows, as it is made, one at a time, and never in an order's way."""

from __future__ import annotations

import csv
import http.client
import io
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy
from openalgo_bridge.model.calls import CallFilter, CallKind
from openalgo_bridge.server import THREADS
from openalgo_bridge.store.traffic import Arrival, Ending
from openalgo_bridge.trading.budget import Budget
from tests.conftest import PASSWORD, Account, Live
from tests.web.conftest import Person, a_trader_at, csrf_token

CSV, JSONL = "/traffic/export.csv", "/traffic/export.jsonl"


def record(desk: Desk, endpoint: str = "/api/v1/quotes", *, status: int = 200, address: str = "127.0.0.1") -> int:
    arrival = Arrival(
        request_id="r",
        at=desk.clock.now_ms(),
        method="POST",
        endpoint=endpoint,
        address=address,
        program="=cmd|'/c'!A1",
    )
    call_id = desk.store.traffic.open(arrival)
    desk.store.traffic.close(call_id, Ending(status=status, duration_us=1000))
    return call_id


def fill(desk: Desk, upto: int) -> None:
    """Many calls at once."""
    with desk.store.files[1].transaction() as db:
        db.executemany(
            "INSERT INTO call (request_id, at, method, endpoint, address, program, status)"
            " VALUES (?, 1795237200000, 'POST', '/api/v1/ping', '127.0.0.1', 'curl/8', 200)",
            ((f"{each:016x}",) for each in range(upto)),
        )


def endpoints(text: str) -> list[str]:
    return [row["endpoint"] for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]


def test_a_download_has_the_filter_of_the_page_and_is_named_by_the_day(desk: Desk, trader: Person) -> None:
    record(desk, "/api/v1/quotes")
    record(desk, "/api/v1/placeorder", status=403)
    record(desk, "/api/v1/funds", status=400)
    answer = trader.get(f"{CSV}?status=refused")
    assert endpoints(answer.text) == ["/api/v1/funds", "/api/v1/placeorder"]
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="traffic-2026-11-21.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "'=cmd|'/c'!A1" in answer.text
    lines = trader.get(f"{JSONL}?endpoint=/api/v1/placeorder")
    assert [json.loads(line)["status"] for line in lines.text.splitlines()] == [403]
    assert lines.headers["Content-Disposition"] == 'attachment; filename="traffic-2026-11-21.jsonl"'


def test_the_page_leads_to_the_downloads_of_what_it_shows(desk: Desk, trader: Person) -> None:
    record(desk, status=403)
    text = trader.get("/traffic?status=refused&address=127.0.0.1").text
    for path in (CSV, JSONL):
        assert f'"{path}?status=refused&amp;address=127.0.0.1"' in text


def test_a_filter_without_sense_is_left_out_and_nothing_fails(desk: Desk, trader: Person) -> None:
    record(desk)
    for query in (
        "since=never",
        "status=%00",
        "kind=zzz",
        "before=1",
        "since=2026-11-22&until=2026-11-20",
        "words=%22*(",
    ):
        assert trader.get(f"{CSV}?{query}").status_code == 200, query
    assert endpoints(trader.get(f"{CSV}?status=nonsense").text) == ["/api/v1/quotes"]


def test_addresses_are_masked_on_request(desk: Desk, trader: Person) -> None:
    record(desk, address="103.21.58.9")
    assert "103.21.58.9" in trader.get(CSV).text
    masked = trader.get(f"{CSV}?mask=1").text
    assert "103.21.x.x" in masked
    assert "103.21.58.9" not in masked


def test_a_stranger_downloads_nothing(desk: Desk, account: Account, stranger: Person) -> None:
    for path in (CSV, JSONL):
        assert stranger.get(path).status_code in {302, 401}


@contextmanager
def in_the_middle(client: FlaskClient, path: str = CSV) -> Iterator[Iterator[bytes]]:
    """A download of which the first part is there."""
    answer = client.get(path, buffered=False)
    try:
        parts = iter(answer.response)
        next(parts)
        yield parts
    finally:
        answer.close()


def test_a_second_download_is_told_of_the_first_and_goes_when_that_is_over(desk: Desk, trader: Person) -> None:
    fill(desk, 5000)
    with in_the_middle(trader.client):
        second = trader.get(JSONL)
        assert second.status_code == 503
        assert "An export is being sent already" in second.text
    assert trader.get(JSONL).text.count("\n") == 5000


def test_a_browser_that_asks_for_the_head_alone_keeps_no_place(desk: Desk, trader: Person) -> None:
    for _ in range(3):
        answer = trader.client.head(CSV)
        assert answer.status_code == 200
        answer.close()
    assert trader.get(CSV).status_code == 200


def free_places(desk: Desk) -> int:
    """How many threads can have a place at the broker at once."""
    everybody_asked, done = threading.Barrier(THREADS + 1), threading.Event()

    def ask() -> bool:
        try:
            with desk.budget.slot():
                everybody_asked.wait()
                done.wait()
                return True
        except Busy:
            everybody_asked.wait()
            return False

    with ThreadPoolExecutor(THREADS) as threads:
        asked = [threads.submit(ask) for _ in range(THREADS)]
        everybody_asked.wait()
        done.set()
        return sum(each.result() for each in asked)


def test_it_takes_one_of_the_places_at_the_broker_and_gives_it_back(desk: Desk, trader: Person) -> None:
    fill(desk, 5000)
    before = free_places(desk)
    with in_the_middle(trader.client):
        assert free_places(desk) == before - 1
    assert free_places(desk) == before


def test_where_the_places_are_left_to_orders_it_is_refused_and_keeps_no_other_out(desk: Desk, trader: Person) -> None:
    record(desk)
    full = replace(desk, budget=Budget(0))
    at_it = a_trader_at(full)
    for _ in range(2):
        refused = at_it.get(CSV)
        assert (refused.status_code, "Not exported, busy" in refused.text) == (503, True)
    assert trader.get(CSV).status_code == 200


class Browser:
    """The trader's, on a real socket."""

    def __init__(self, live: Live) -> None:
        create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
        self._url = live.url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with self.open("/login") as page:
            token = csrf_token(page.read().decode())
        self.open(
            "/login", urlencode({"csrf_token": token, "username": "trader", "password": PASSWORD}).encode()
        ).close()

    def open(self, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        request = urllib.request.Request(f"{self._url}{path}", body, {"Sec-Fetch-Site": "same-origin"})
        answer: http.client.HTTPResponse = self._opener.open(request)
        return answer

    def status(self, path: str) -> int:
        try:
            with self.open(path) as answer:
                answer.read()
                return answer.status
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code


def test_a_browser_that_goes_away_ends_its_download(live: Live) -> None:
    fill(live.desk, 200_000)
    browser = Browser(live)
    download = browser.open(CSV)
    assert download.read(100_000).count(b"\r\n") > 100
    assert browser.status(JSONL) == 503
    download.close()
    # The server notices when it sends the next part.
    while (status := browser.status(f"{CSV}?status=failed")) == 503:
        pass
    assert status == 200


def test_a_fault_in_the_middle_is_no_end_of_a_file(live: Live) -> None:
    fill(live.desk, 200_000)
    browser = Browser(live)
    with browser.open(CSV) as download:
        download.read(1000)
        live.desk.store.files[1].write("ALTER TABLE call RENAME TO elsewhere")
        with pytest.raises(http.client.IncompleteRead):
            download.read()


def test_the_row_of_a_download_is_closed_before_its_last_line_is_made(desk: Desk, trader: Person) -> None:
    fill(desk, 5000)
    with in_the_middle(trader.client):
        wanted = CallFilter(kind=CallKind.PAGE, endpoint=CSV)
        (call,) = desk.store.traffic_search.page(wanted, before=None, limit=5)
        assert call.status == 200
