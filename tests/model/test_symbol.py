"""The names of instruments, both ways, whatever the base looks like."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import (
    MONTHS,
    Contract,
    compact_date,
    dashed_date,
    derivative_exchange,
    long_date,
    parse,
    parse_date,
    split_underlying,
    symbol_of,
)

# Bases that look like parts of a contract: digits at the end, months, FUT and CE inside.
_PARTS = st.sampled_from([*MONTHS, "FUT", "CE", "PE", "28OCT25", "50", "5", "0", "A", "NIFTY", "&", "-", ".", "_"])
bases = st.builds("X".__add__, st.lists(_PARTS, max_size=4).map("".join)) | st.from_regex(
    r"[A-Z0-9&][A-Z0-9&._-]{0,11}", fullmatch=True
)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
strikes = st.decimals("0.0025", 1_000_000, places=4)
futures = st.builds(lambda base, expiry: Contract(base=base, kind=Kind.FUT, expiry=expiry), bases, days)
options = st.builds(
    lambda base, expiry, strike, kind: Contract(base=base, kind=kind, expiry=expiry, strike=strike),
    bases,
    days,
    strikes,
    st.sampled_from([Kind.CE, Kind.PE]),
)


@given(futures | options)
@example(Contract(base="NIFTYNXT50", kind=Kind.CE, expiry=date(2025, 10, 28), strike=Decimal(69_400)))
@example(Contract(base="MAR28OCT25", kind=Kind.PE, expiry=date(2025, 10, 28), strike=Decimal("0.5")))
def test_a_contract_is_read_back_from_its_name(contract: Contract) -> None:
    assert parse(symbol_of(contract), Exchange.NFO) == contract


@given(st.text("0123456789.ACEFJNOPTUVX&-", max_size=24) | futures.map(symbol_of) | options.map(symbol_of))
def test_a_name_that_is_read_is_the_only_one_of_its_contract(text: str) -> None:
    try:
        contract = parse(text, Exchange.NFO)
    except Invalid:
        return
    assert symbol_of(contract) == text


@pytest.mark.parametrize(
    ("symbol", "exchange", "contract"),
    [
        ("NIFTY30JAN25FUT", "NFO", Contract(base="NIFTY", kind=Kind.FUT, expiry=date(2025, 1, 30))),
        ("CRUDEOIL19FEB25FUT", "MCX", Contract(base="CRUDEOIL", kind=Kind.FUT, expiry=date(2025, 2, 19))),
        (
            "NIFTY30JAN2521500CE",
            "NFO",
            Contract(base="NIFTY", kind=Kind.CE, expiry=date(2025, 1, 30), strike=Decimal(21_500)),
        ),
        (
            "VEDL24APR25292.5CE",
            "NFO",
            Contract(base="VEDL", kind=Kind.CE, expiry=date(2025, 4, 24), strike=Decimal("292.5")),
        ),
        (
            "USDINR27JAN2583.5PE",
            "CDS",
            Contract(base="USDINR", kind=Kind.PE, expiry=date(2025, 1, 27), strike=Decimal("83.5")),
        ),
        ("BAJAJ-AUTO", "NSE", Contract(base="BAJAJ-AUTO", kind=Kind.EQ)),
        ("BSEOIL&GAS", "BSE_INDEX", Contract(base="BSEOIL&GAS", kind=Kind.INDEX)),
    ],
)
def test_the_examples_of_the_dialect_are_read(symbol: str, exchange: str, contract: Contract) -> None:
    assert parse(symbol, Exchange(exchange)) == contract
    assert symbol_of(contract) == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        "NIFTY",
        "NIFTY30JAN25",
        "30JAN25FUT",
        "NIFTY3JAN25FUT",
        "NIFTY31FEB25FUT",
        "NIFTY30Jan25FUT",
        "nifty30JAN25FUT",
        "NIFTY30JAN2025FUT",
        "NIFTY30JAN25CE",
        "NIFTY30JAN250CE",
        "NIFTY30JAN25021500CE",
        "NIFTY30JAN2521500.0CE",
        "NIFTY30JAN2583.50PE",
        "NIFTY30JAN25.5PE",
        "NIFTY30JAN2521500CE ",
        "NIFTY30JAN2521500CEPE",
        "NIFTY30JAN25２1500CE",
        "",
    ],
)
def test_a_name_that_is_not_written_as_the_dialect_writes_it_is_refused(symbol: str) -> None:
    with pytest.raises(Invalid, match="names no contract of NFO"):
        parse(symbol, Exchange.NFO)


@pytest.mark.parametrize(
    "contract",
    [
        Contract(base="NIFTY", kind=Kind.FUT),
        Contract(base="", kind=Kind.FUT, expiry=date(2025, 1, 30)),
        Contract(base="two words", kind=Kind.FUT, expiry=date(2025, 1, 30)),
        Contract(base="NIFTY", kind=Kind.FUT, expiry=date(2100, 1, 28)),
        Contract(base="NIFTY", kind=Kind.CE, expiry=date(2025, 1, 30)),
        Contract(base="NIFTY", kind=Kind.PE, expiry=date(2025, 1, 30), strike=Decimal("NaN")),
    ],
)
def test_what_no_name_could_say_has_none(contract: Contract) -> None:
    with pytest.raises(Invalid):
        symbol_of(contract)


@pytest.mark.parametrize(
    ("text", "base", "expiry"),
    [
        ("NIFTY", "NIFTY", None),
        ("NIFTY28OCT25FUT", "NIFTY", date(2025, 10, 28)),
        ("NIFTY28OCT25", "NIFTY", date(2025, 10, 28)),
        ("NIFTYNXT50", "NIFTYNXT50", None),
        ("NIFTYNXT5028OCT25", "NIFTYNXT50", date(2025, 10, 28)),
        ("NIFTY31FEB25", "NIFTY31FEB25", None),
        ("M&M", "M&M", None),
    ],
)
def test_an_underlying_may_carry_an_expiry(text: str, base: str, expiry: date | None) -> None:
    assert split_underlying(text) == (base, expiry)


@given(days)
def test_a_date_is_written_in_three_forms(day: date) -> None:
    assert parse_date(compact_date(day)) == parse_date(compact_date(day).lower()) == day
    assert dashed_date(day).replace("-", "") == compact_date(day)
    assert long_date(day) == f"{day:%d-%b-%Y}"


@pytest.mark.parametrize("text", ["", "28OCT", "32OCT25", "28-OCT-25", "28OCT2025", "2025-10-28"])
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid, match="28OCT25"):
        parse_date(text)


def test_derivatives_are_traded_beside_what_they_are_on() -> None:
    assert derivative_exchange(Exchange.NSE_INDEX) is derivative_exchange(Exchange.NSE) is Exchange.NFO
    assert derivative_exchange(Exchange.BSE_INDEX) is Exchange.BFO
    assert derivative_exchange(Exchange.MCX) is Exchange.MCX
