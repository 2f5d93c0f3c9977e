"""The error log as a page: what went wrong inside the bridge, and the call in which it did."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.fault_log import errors_kept
from openalgo_bridge.store.faults import Note
from openalgo_bridge.web.paging import PAGE_SIZE
from tests.web.conftest import Person
from tests.web.test_pages import HOSTILE, Page

PATH = "/traffic/errors"


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    """Its errors are kept, as they are where it serves."""
    with errors_kept(desk.store.faults, desk.clock):
        yield desk


def note(desk: Desk, message: str, traceback: str = "") -> None:
    at = desk.clock.now_ms()
    desk.store.faults.note(Note(at=at, level="ERROR", logger="of.a.module", message=message, traceback=traceback))


def test_without_errors_it_says_so(trader: Person) -> None:
    answer = trader.get(PATH)
    assert answer.status_code == 200
    assert "Nothing has gone wrong." in answer.text
    assert 'href="/traffic/errors" aria-current="page"' in answer.text


def test_what_failed_in_a_request_is_there_at_once_and_leads_to_its_call(desk: Desk, trader: Person) -> None:
    desk.store.files[0].write("ALTER TABLE ticket RENAME TO elsewhere")
    failed = trader.get("/orders")
    desk.store.files[0].write("ALTER TABLE elsewhere RENAME TO ticket")
    assert failed.status_code == 503
    text = html.unescape(trader.get(PATH).text)
    assert "GET /orders: The database bridge.db cannot be used: no such table" in text
    way = re.search(r'<a href="(/traffic\?words=([0-9a-f]{16})[^"]*)">The call', text)
    assert way is not None
    assert way[2] in failed.text
    shown = trader.get(way[1]).text
    assert "/orders" in shown
    assert "503" in shown


def test_a_fault_of_the_program_is_there_with_its_traceback(desk: Desk, trader: Person) -> None:
    def broken() -> str:
        raise ZeroDivisionError("a mistake of ours")

    trader.client.application.view_functions["funds.funds"] = broken
    failed = trader.get("/funds")
    assert failed.status_code == 500
    (fault,) = desk.store.faults.page()
    assert fault.traceback.startswith("Traceback (most recent call last):")
    assert fault.traceback.endswith("ZeroDivisionError: a mistake of ours")
    assert fault.request_id in failed.text
    assert fault.traceback in html.unescape(trader.get(PATH).text)


def test_the_newest_stand_first_and_older_ones_are_a_page_away(desk: Desk, trader: Person) -> None:
    for number in range(PAGE_SIZE + 5):
        note(desk, f"error number {number}.")
    first = trader.get(PATH).text
    assert first.index(f"error number {PAGE_SIZE + 4}.") < first.index("error number 6.")
    assert "error number 4." not in first
    older = re.search(r'href="(/traffic/errors\?before=[0-9]+)"', first)
    assert older is not None
    assert "error number 4." in trader.get(older[1]).text
    assert "Nothing older than this." in trader.get(f"{PATH}?before=1").text
    assert "error number 54." in trader.get(f"{PATH}?before=x'--").text


def test_hostile_texts_stay_texts(desk: Desk, trader: Person) -> None:
    for text in HOSTILE:
        note(desk, text, traceback=text)
    answer = trader.get(PATH)
    assert Page(answer.text).faults == []
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text
    assert html.escape(HOSTILE[0]) in answer.text


def test_while_nothing_can_be_written_it_shows_what_waits_without_secrets(desk: Desk, trader: Person) -> None:
    note(desk, "the first error.")
    assert "the first error." in trader.get(PATH).text
    desk.store.files[1].write(
        "CREATE TRIGGER no_room BEFORE INSERT ON fault BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    for number in range(PAGE_SIZE + 5):
        note(desk, f"error number {number}, password=hunter2hunter2.")
    first = trader.get(PATH)
    assert first.status_code == 200
    assert "hunter2" not in first.text
    assert first.text.index(f"error number {PAGE_SIZE + 4},") < first.text.index("error number 5,")
    assert "error number 4," not in first.text
    older = re.search(r'href="(/traffic/errors\?before=[0-9]+)"', first.text)
    assert older is not None
    below = trader.get(older[1]).text
    assert below.index("error number 4,") < below.index("error number 0,") < below.index("the first error.")
    desk.store.files[1].write("DROP TRIGGER no_room")
    # Under the numbers that they were shown with.
    assert trader.get(older[1]).text.count("error number") == below.count("error number") == 5


def test_where_it_cannot_be_read_that_is_said(desk: Desk, trader: Person) -> None:
    desk.store.files[1].write("ALTER TABLE fault RENAME TO elsewhere")
    assert trader.get(PATH).status_code == 503
