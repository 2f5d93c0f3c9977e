"""What is typed on the calendar page: every fault is a sentence beside its field."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.calendar_form import CalendarForm, parse, parse_names
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours

HOLIDAY = CalendarForm(day="2027-01-26", description=" Republic  Day ", exchanges=("NSE", "BSE"))
SESSION = replace(HOLIDAY, opens="18:15", closes="19:15")


def test_without_hours_the_exchanges_are_closed() -> None:
    days = parse(HOLIDAY)
    assert [(each.day, each.exchange, each.hours) for each in days] == [
        (date(2027, 1, 26), Exchange.NSE, None),
        (date(2027, 1, 26), Exchange.BSE, None),
    ]
    assert {each.description for each in days} == {"Republic Day"}


def test_with_hours_they_trade_then() -> None:
    assert {each.hours for each in parse(SESSION)} == {Hours(opens=time(18, 15), closes=time(19, 15))}


@pytest.mark.parametrize(
    ("form", "field", "sentence"),
    [
        (replace(HOLIDAY, day=""), "day", "Type a date"),
        (replace(HOLIDAY, day="26-01-2027"), "day", "Type a date"),
        (replace(HOLIDAY, day="2027-02-29"), "day", "Type a date"),
        (replace(HOLIDAY, day="20270126"), "day", "Type a date"),
        (replace(HOLIDAY, day="2019-01-26"), "day", "from 2020 to 2050"),
        (replace(HOLIDAY, day="2051-01-26"), "day", "from 2020 to 2050"),
        (replace(HOLIDAY, description="  "), "description", "Say what day it is"),
        (replace(HOLIDAY, description="x" * 61), "description", "Say what day it is"),
        (replace(HOLIDAY, description="\u202egnp"), "description", "Say what day it is"),
        (replace(HOLIDAY, exchanges=()), "exchanges", "Tick at least one"),
        (replace(HOLIDAY, exchanges=("NSE", "NYSE")), "exchanges", "Tick at least one"),
        (replace(HOLIDAY, exchanges=("NSE_INDEX",)), "exchanges", "Tick at least one"),
        (replace(SESSION, closes=""), "closes", "two ends"),
        (replace(SESSION, opens=""), "opens", "two ends"),
        (replace(SESSION, closes="18:15"), "closes", "18:15 is not after 18:15"),
        (replace(SESSION, closes="09:00"), "closes", "09:00 is not after 18:15"),
        (replace(SESSION, opens="25:00"), "opens", "time of the day"),
        (replace(SESSION, closes="7 pm"), "closes", "time of the day"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(form: CalendarForm, field: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(form)
    assert list(refusal.value.faults) == [field]
    assert sentence in refusal.value.faults[field][0]


def test_every_fault_of_a_form_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refusal:
        parse(CalendarForm(opens="later", closes="18:00"))
    assert set(refusal.value.faults) == {"day", "description", "exchanges", "opens"}


TEXTS = st.text(max_size=20)


@given(
    st.builds(
        CalendarForm,
        day=TEXTS,
        description=TEXTS,
        exchanges=st.lists(TEXTS, max_size=3).map(tuple),
        opens=TEXTS,
        closes=TEXTS,
    )
)
def test_nothing_that_is_typed_is_an_error_of_the_program(form: CalendarForm) -> None:
    with pytest.raises(Invalid):
        parse(form)


@pytest.mark.parametrize(("day", "exchanges"), [("yesterday", ["NSE"]), ("2027-01-26", []), ("2027-01-26", ["X"])])
def test_a_button_that_names_nothing_is_refused(day: str, exchanges: list[str]) -> None:
    with pytest.raises(Invalid):
        parse_names(day, exchanges)


def test_what_a_button_names_is_in_the_order_of_the_exchanges() -> None:
    names = parse_names("2027-01-26", ["MCX", "NSE"])
    assert names == ((date(2027, 1, 26), Exchange.NSE), (date(2027, 1, 26), Exchange.MCX))
