"""The calendar page: what the exchanges do, what the trader adds and removes, and faults as sentences."""

from __future__ import annotations

from datetime import date, time
from html import unescape
from typing import Any

import pytest
from werkzeug.test import TestResponse

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange
from tests.conftest import FixedClock
from tests.web.conftest import Person

PAGE = "/settings/calendar"
REPUBLIC_DAY = date(2027, 1, 26)
HOLIDAY: dict[str, Any] = {
    "day": "2027-01-26",
    "description": "Republic Day",
    "exchanges": ["NSE", "NFO"],
    "opens": "",
    "closes": "",
}


def add(person: Person, **changes: Any) -> TestResponse:
    return person.post(PAGE, **(HOLIDAY | changes))


def test_the_page_tells_today_and_the_days_of_the_year(trader: Person) -> None:
    page = unescape(trader.get(PAGE).text)
    assert "Today, Saturday 21 November 2026" in page
    assert "NSE does not trade on a Saturday." in page
    assert "Guru Nanak Jayanti" in page
    assert "NSE, BSE, NFO, BFO, CDS, BCD, NCDEX" in page
    assert 'title="2026-11-24 11:30:00.000 UTC">17:00</time>' in page
    assert "The list of 2026 came with the bridge." in page


def test_a_year_without_a_list_says_so(trader: Person) -> None:
    page = trader.get(f"{PAGE}?year=2027").text
    assert "The holidays of 2027 are not known." in page
    assert "No special day of 2027 is known." in page


@pytest.mark.parametrize("year", ["1999", "2051", "x", "-1", "99999999999999999999"])
def test_a_year_that_is_none_shows_this_one(trader: Person, year: str) -> None:
    answer = trader.get(f"{PAGE}?year={year}")
    assert answer.status_code == 200
    assert "Guru Nanak Jayanti" in answer.text


def test_a_holiday_is_added_and_told(trader: Person, desk: Desk) -> None:
    answer = add(trader)
    assert answer.status_code == 302
    page = trader.get(answer.location).text
    assert "Saved: 26 Jan 2027, Republic Day." in page
    assert "NSE, NFO" in page
    calendar = desk.store.calendar.load()
    assert not calendar.is_trading_day(Exchange.NFO, REPUBLIC_DAY)
    assert calendar.is_trading_day(Exchange.BSE, REPUBLIC_DAY)
    (line,) = desk.store.audit.page(event=AuditEvent.CALENDAR)
    assert line.actor.name == "trader"
    assert line.after == "2027-01-26 closed (Republic Day): NSE, NFO"


def test_a_special_session_is_added_with_its_times(trader: Person, desk: Desk) -> None:
    assert add(trader, day="2027-10-29", description="Muhurat", opens="18:15", closes="19:15").status_code == 302
    (session,) = desk.store.calendar.load().sessions(Exchange.NSE, date(2027, 10, 29))
    assert (session.opens.time(), session.closes.time()) == (time(18, 15), time(19, 15))
    assert "18:15" in trader.get(f"{PAGE}?year=2027").text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"day": "2027-02-30"}, "Type a date of the calendar"),
        ({"description": ""}, "Say what day it is"),
        ({"exchanges": []}, "Tick at least one of the exchanges."),
        ({"opens": "19:15", "closes": "18:15"}, "A session closes after it opens: 18:15 is not after 19:15."),
        ({"opens": "09:15"}, "A session has two ends."),
    ],
)
def test_what_cannot_be_is_a_sentence_and_what_was_typed_stays(
    trader: Person, desk: Desk, changes: dict[str, Any], sentence: str
) -> None:
    answer = add(trader, **changes)
    assert answer.status_code == 400
    assert sentence in unescape(answer.text)
    typed = HOLIDAY | changes
    assert f'value="{typed["day"]}"' in answer.text
    assert desk.store.calendar.load() == SHIPPED


def test_a_shipped_day_is_removed_and_restored(trader: Person, desk: Desk) -> None:
    christmas = date(2026, 12, 25)
    named: dict[str, Any] = {"day": "2026-12-25", "exchanges": ["NSE", "BSE"]}
    trader.post(f"{PAGE}/remove", page=PAGE, **named)
    assert desk.store.calendar.load().is_trading_day(Exchange.NSE, christmas)
    page = trader.get(PAGE).text
    assert "Removed by you" in page
    assert page.count("Christmas") > 1, "it stands for the others still, and among what was removed"
    trader.post(f"{PAGE}/restore", page=PAGE, **named)
    assert desk.store.calendar.load() == SHIPPED
    assert "Removed by you" not in trader.get(PAGE).text


@pytest.mark.parametrize("deed", ["remove", "restore"])
def test_a_button_that_names_nothing_does_nothing(trader: Person, desk: Desk, deed: str) -> None:
    assert trader.post(f"{PAGE}/{deed}", page=PAGE, day="soon", exchanges="NSE").status_code == 400
    assert trader.post(f"{PAGE}/{deed}", page=PAGE, day="2026-12-25").status_code == 400
    assert desk.store.calendar.load() == SHIPPED


def test_no_change_is_a_judge_of_what_was_before_it(trader: Person, desk: Desk, clock: FixedClock) -> None:
    christmas: dict[str, Any] = {"day": "2026-12-25", "exchanges": ["NSE"]}
    changes = {"": HOLIDAY, "/remove": christmas, "/restore": christmas, "/year": {"year": "2027", "complete": "yes"}}
    for path, fields in changes.items():
        clock.move(minutes=1)
        trader.post(f"{PAGE}{path}", page=PAGE, **fields)
        assert desk.store.paperbook.done_until() == clock.now(), path


def test_the_trader_says_that_a_year_is_complete_and_takes_it_back(trader: Person, desk: Desk) -> None:
    trader.post(f"{PAGE}/year", page=PAGE, year="2027", complete="yes")
    assert desk.store.calendar.load().knows(Exchange.NSE, REPUBLIC_DAY)
    assert "You said that the list of 2027 is complete." in trader.get(f"{PAGE}?year=2027").text
    trader.post(f"{PAGE}/year", page=PAGE, year="2027")
    assert not desk.store.calendar.load().knows(Exchange.NSE, REPUBLIC_DAY)
    assert trader.post(f"{PAGE}/year", page=PAGE, year="1999", complete="yes").status_code == 400


def test_while_the_changes_cannot_be_read_the_page_shows_what_is_shipped(trader: Person, desk: Desk) -> None:
    desk.store.files[0].write("INSERT INTO calendar_day VALUES ('never', 'NSE', 'closed', '', '', 'x')")
    page = trader.get(PAGE).text
    assert "Your changes cannot be read" in page
    assert "Guru Nanak Jayanti" in page
