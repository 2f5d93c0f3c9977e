"""The nearest list to what an address says, whatever it says."""

from __future__ import annotations

from datetime import datetime

import pytest
from flask import Flask

from openalgo_bridge.clock import IST
from openalgo_bridge.model.calls import CallFilter, CallKind, StatusClass
from openalgo_bridge.web.traffic_filter import Asked, asked_in_url


def asked(query: str) -> Asked:
    with Flask("no pages").test_request_context(f"/traffic?{query}"):
        return asked_in_url()


def india(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def test_everything_can_be_asked_for_at_once() -> None:
    everything = asked(
        "since=2026-11-21&until=2026-11-21T10:30&kind=hook&endpoint=/api/v1/ping&status=cut+off&address=103.25.7.9"
        "&program=node&strategy=breakout&symbol=sbin&outcome=wrong+key&slow=yes&words=late+order"
    )
    assert everything.wanted == CallFilter(
        since=india("2026-11-21T00:00"),
        until=india("2026-11-21T10:31"),
        kind=CallKind.HOOK,
        endpoint="/api/v1/ping",
        status=StatusClass.CUT_OFF,
        address="103.25.7.9",
        program="node",
        strategy="breakout",
        symbol="SBIN",
        outcome="wrong key",
        is_slow=True,
        words="late order",
    )
    assert everything.notes == ()
    assert asked(everything.query()) == everything


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("2026-11-21", "2026-11-22T00:00"),
        ("2026-11-21T10:30", "2026-11-21T10:31"),
        ("2026-11-21 10:30", "2026-11-21T10:31"),
        ("2026-11-21T10:30:15", "2026-11-21T10:30:16"),
    ],
)
def test_the_end_that_was_typed_is_part_of_the_time(until: str, end: str) -> None:
    assert asked(f"until={until}").wanted.until == india(end)


def test_dates_the_wrong_way_round_are_swapped_and_that_is_said() -> None:
    swapped = asked("since=2026-11-22&until=2026-11-21T09:15")
    assert (swapped.wanted.since, swapped.wanted.until) == (india("2026-11-21T09:15"), india("2026-11-23"))
    assert swapped.given == {"since": "2026-11-21T09:15", "until": "2026-11-22"}
    assert swapped.notes == ("The two dates were the wrong way round: they were swapped.",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("since", "yesterday"),
        ("since", "2026-02-30"),
        ("until", "9999-12-31"),
        ("until", "0001-01-01"),
        ("until", "2026-11-21T25:00"),
        ("until", "2026-W47-6"),
        ("since", "٢٠٢٦-11-21"),
        ("status", "9"),
        ("kind", "feed"),
        ("slow", "very"),
    ],
)
def test_what_means_nothing_is_left_out_and_that_is_said(name: str, text: str) -> None:
    left = asked(f"{name}={text}&symbol=SBIN")
    assert left.wanted == CallFilter(symbol="SBIN")
    (note,) = left.notes
    assert f"“{text}”" in note
    assert "left out" in note


@pytest.mark.parametrize("query", ["", "endpoint=&since=&slow=", "page=7&limit=1000", "symbol=%20%20"])
def test_an_address_that_asks_for_nothing_shows_all(query: str) -> None:
    assert asked(query).wanted == CallFilter()
    assert not asked(query).is_narrowed


def test_pages_too_leaves_no_call_out() -> None:
    assert asked("kind=all").wanted == CallFilter(with_pages=True)
    assert not asked("kind=all").is_narrowed
    assert asked("kind=page").is_narrowed


def test_a_chip_leads_to_the_list_without_it() -> None:
    both = asked("status=refused&symbol=SBIN")
    assert [(chip.label, chip.text, chip.without) for chip in both.chips] == [
        ("Status", "Refused (4xx)", "symbol=SBIN"),
        ("Symbol", "SBIN", "status=refused"),
    ]


def test_a_field_for_date_and_time_gets_a_time() -> None:
    day = asked("since=2026-11-20&until=2026-11-21")
    assert (day.since_typed, day.until_typed) == ("2026-11-20T00:00", "2026-11-21T23:59")
    assert asked(f"since={day.since_typed}&until={day.until_typed}").wanted == day.wanted
    assert asked("").since_typed == ""


def test_the_places_of_two_filters_differ_and_those_of_one_do_not() -> None:
    assert asked("symbol=SBIN&status=refused").mark == asked("status=refused&symbol=sbin").mark
    assert len({asked(query).mark for query in ("", "symbol=SBIN", "symbol=INFY", "kind=all")}) == 4


def test_a_text_of_any_length_is_a_filter() -> None:
    assert len(asked("words=" + "x" * 5000).wanted.words) == 300
