"""How much is called, how much of it fails, how long it takes, and who calls most: 15 minutes, today, 7 days."""

from __future__ import annotations

import html
import re

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calls import CallKind
from tests.conftest import FixedClock
from tests.recorded_calls import digest, record
from tests.web.conftest import Person


def told(text: str) -> str:
    content = text[text.index("<main") : text.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())


def test_the_sums_of_the_day_are_told_and_lead_to_their_calls(trader: Person, desk: Desk, clock: FixedClock) -> None:
    clock.move(hours=-2)
    record(desk, endpoint="/api/v1/funds", status=500, duration_us=80_000)
    clock.move(hours=2)
    for status in (200, 200, 403):
        record(desk, status=status, program="AmiBroker/6.40")
    record(desk, kind=CallKind.PAGE)
    digest(desk)
    text = trader.get("/traffic/summary").text
    page = told(text)
    for words in (
        "Since 21 Nov 2026 00:00:00 IST",
        "Calls 4",
        "Refused or failed 2 (50.0 %)",
        "Busiest minute 3 at 21 Nov 2026 10:30:00",
        "/api/v1/quotes 3 1",
        "/api/v1/funds 1 1",
        "AmiBroker/6.40 3 1",
        "127.0.0.1 4 2",
        "21 Nov 2026 10:30:00 3 1 0",
        "21 Nov 2026 08:30:00 1 0 1",
    ):
        assert words in page
    (way,) = re.findall(r'href="([^"]+)">/api/v1/funds</a>', text)
    assert trader.get(html.unescape(way)).text.count("<tr data-row") == 1


@pytest.mark.parametrize(("over", "calls"), [("15min", 1), ("today", 2), ("7days", 3), ("", 2), ("a year", 2)])
def test_a_summary_goes_back_as_far_as_is_asked(
    trader: Person, desk: Desk, clock: FixedClock, over: str, calls: int
) -> None:
    for hours_ago in (48, 3, 0):
        clock.move(hours=-hours_ago)
        record(desk)
        clock.move(hours=hours_ago)
    digest(desk)
    assert f"Calls {calls} " in told(trader.get(f"/traffic/summary?over={over}").text)


@pytest.mark.parametrize(
    ("over", "words"), [("15min", "in this time"), ("today", "today"), ("7days", "in these 7 days")]
)
def test_where_nothing_was_called_that_is_said(trader: Person, over: str, words: str) -> None:
    text = trader.get(f"/traffic/summary?over={over}").text
    assert f"No call {words}." in told(text)
    assert "<svg" not in text


def test_a_hostile_name_is_text_and_leads_to_its_calls(trader: Person, desk: Desk) -> None:
    name = "<script>alert(1)</script>&since="
    record(desk, program=name, endpoint=f"/api/{name}")
    digest(desk)
    text = trader.get("/traffic/summary").text
    assert "<script>alert" not in text
    ways = re.findall(r'href="(/traffic\?[^"]+(?:program|endpoint)=[^"]+)"', text)
    assert len(ways) == 2
    for way in ways:
        assert trader.get(html.unescape(way)).text.count("<tr data-row") == 1
