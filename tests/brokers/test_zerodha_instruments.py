"""A daily file in Kite's form, read line by line into the dialect's names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from openalgo_bridge.brokers.zerodha.instruments import InstrumentFile
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange

TODAY = date(2026, 11, 21)
HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
SBIN = "779521,3045,SBIN,STATE BANK OF INDIA,0.0,,0.0,0.05,1,EQ,NSE,NSE"
NIFTY = "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE"
FUTURE = "12683010,49543,NIFTY26DECFUT,NIFTY,0.0,2026-12-29,0.0,0.1,65,FUT,NFO-FUT,NFO"
WEEKLY = "12683266,49544,NIFTY26D0126000CE,NIFTY,0.0,2026-12-01,26000.0,0.05,65,CE,NFO-OPT,NFO"
FRACTION = "12683522,49545,VEDL26DEC292.5PE,VEDL,0.0,2026-12-29,292.50,0.0500,1150,PE,NFO-OPT,NFO"
CURRENCY = "12683778,49546,USDINR26N2789.25CE,USDINR,0.0,2026-11-27,89.25,0.0025,1000,CE,CDS-OPT,CDS"
UNUSABLE = "with a lot, tick or price that no order could have"
RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "fixtures" / "kiteconnect-mocks"


def read(*lines: str, header: str = HEADER) -> list[Instrument]:
    return list(InstrumentFile([f"{line}\r\n" for line in (header, *lines)], TODAY))


def changed(line: str, column: str, value: str) -> str:
    fields = line.split(",")
    fields[HEADER.split(",").index(column)] = value
    return ",".join(fields)


def test_each_kind_of_line_gets_the_dialects_name() -> None:
    found = read(SBIN, NIFTY, FUTURE, WEEKLY, FRACTION, CURRENCY)
    assert [(each.symbol, each.exchange, each.kind) for each in found] == [
        ("SBIN", Exchange.NSE, Kind.EQ),
        ("NIFTY", Exchange.NSE_INDEX, Kind.INDEX),
        ("NIFTY29DEC26FUT", Exchange.NFO, Kind.FUT),
        ("NIFTY01DEC2626000CE", Exchange.NFO, Kind.CE),
        ("VEDL29DEC26292.5PE", Exchange.NFO, Kind.PE),
        ("USDINR27NOV2689.25CE", Exchange.CDS, Kind.CE),
    ]


def test_a_line_is_taken_over_with_all_its_terms() -> None:
    assert read(FRACTION) == [
        Instrument(
            symbol="VEDL29DEC26292.5PE",
            exchange=Exchange.NFO,
            name="VEDL",
            kind=Kind.PE,
            lot=1150,
            tick=Decimal("0.05"),
            freeze_quantity=0,
            token="12683522",
            reference_price=Decimal(0),
            expiry=date(2026, 12, 29),
            strike=Decimal("292.5"),
            broker_symbol="VEDL26DEC292.5PE",
            broker_exchange="NFO",
        )
    ]
    (tick,) = (str(each.tick) for each in read(FRACTION))
    assert tick == "0.05"


@pytest.mark.parametrize(
    ("written", "symbol", "exchange"),
    [
        ("NIFTY BANK", "BANKNIFTY", "NSE"),
        ("NIFTY FIN SERVICE", "FINNIFTY", "NSE"),
        ("NIFTY MID SELECT", "MIDCPNIFTY", "NSE"),
        ("NIFTY NEXT 50", "NIFTYNXT50", "NSE"),
        ("INDIA VIX", "INDIAVIX", "NSE"),
        ("NIFTY IT", "NIFTYIT", "NSE"),
        ("SENSEX", "SENSEX", "BSE"),
        ("SNSX50", "SENSEX50", "BSE"),
    ],
)
def test_indices_have_the_dialects_names(written: str, symbol: str, exchange: str) -> None:
    (index,) = read(changed(changed(NIFTY, "tradingsymbol", written), "exchange", exchange))
    assert (index.symbol, index.exchange, index.broker_symbol) == (symbol, Exchange(f"{exchange}_INDEX"), written)
    assert index.is_index


@pytest.mark.parametrize("line", [FUTURE, WEEKLY, FRACTION, CURRENCY])
def test_where_the_name_is_missing_it_is_what_the_trading_symbol_begins_with(line: str) -> None:
    assert read(changed(line, "name", "")) == read(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (changed(SBIN, "exchange", "NSEIX"), "of an exchange that is not known"),
        (changed(SBIN, "tick_size", "0"), UNUSABLE),
        (changed(SBIN, "tick_size", "0.00001"), UNUSABLE),
        (changed(SBIN, "tick_size", "0.00025"), UNUSABLE),
        (changed(SBIN, "tick_size", "1e-300"), UNUSABLE),
        (changed(SBIN, "tick_size", "1000.05"), UNUSABLE),
        (changed(SBIN, "lot_size", "0"), UNUSABLE),
        (changed(SBIN, "lot_size", "10000001"), UNUSABLE),
        (changed(SBIN, "lot_size", "1000000000000000000000000"), UNUSABLE),
        (changed(SBIN, "last_price", "5000001"), UNUSABLE),
        (changed(NIFTY, "last_price", "5000001"), UNUSABLE),
        (changed(SBIN, "tradingsymbol", ""), "that the dialect has no name for"),
        (changed(SBIN, "tradingsymbol", "<b> x"), "that the dialect has no name for"),
        (changed(SBIN, "tradingsymbol", "sbin"), "that the dialect has no name for"),
        (changed(SBIN, "tradingsymbol", "S" * 41), "that the dialect has no name for"),
        (changed(NIFTY, "tradingsymbol", "Nifty 1D"), "that the dialect has no name for"),
        (changed(FUTURE, "expiry", "2199-12-29"), "that the dialect has no name for"),
        (changed(WEEKLY, "strike", "1e-30"), "that the dialect has no name for"),
        (changed(FUTURE, "expiry", ""), "that the dialect has no name for"),
        (changed(FUTURE, "name", "two words"), "that the dialect has no name for"),
        (changed(WEEKLY, "strike", "0"), "that the dialect has no name for"),
        (changed(WEEKLY, "instrument_type", "EQ"), "that the dialect has no name for"),
        (changed(changed(WEEKLY, "name", ""), "strike", "26050"), "that the dialect has no name for"),
        (changed(FUTURE, "expiry", "2026-11-20"), "expired"),
    ],
)
def test_what_cannot_be_traded_here_is_left_out_and_counted(line: str, reason: str) -> None:
    file = InstrumentFile([f"{each}\n" for each in (HEADER, CURRENCY, line)], TODAY)
    assert [each.broker_symbol for each in file] == ["USDINR26N2789.25CE"]
    assert file.left_out == {reason: 1}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "This is not a file of instruments"),
        (["<html><body>Too many requests</body></html>"], "This is not a file of instruments"),
        ([HEADER.removesuffix(",exchange"), SBIN], "This is not a file of instruments"),
        ([HEADER, SBIN, FUTURE[:40]], "Line 3 of the file is not whole"),
        ([HEADER, SBIN, ""], "Line 3 of the file is not whole"),
        ([HEADER, f"{SBIN},extra"], "Line 2 of the file is not whole"),
        ([HEADER, SBIN, '1,2,"SBIN'], "Line 3 of the file cannot be read: unexpected end"),
        ([HEADER, changed(SBIN, "tradingsymbol", "S" * 500)], "Line 2 of the file is not whole"),
        ([HEADER, changed(SBIN, "lot_size", "one")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(SBIN, "lot_size", "1.5")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(SBIN, "tick_size", "NaN")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(SBIN, "tick_size", "-0.05")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(SBIN, "tick_size", "1e400")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(WEEKLY, "strike", "Infinity")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(WEEKLY, "expiry", "29-12-2026")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, changed(SBIN, "instrument_token", "")], "Line 2 of the file has a field that cannot be read"),
        ([HEADER, SBIN, changed(FUTURE, "expiry", "2026-11-20")], "This file is an old one"),
    ],
)
def test_a_file_that_is_damaged_is_refused_with_the_line(lines: list[str], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        list(InstrumentFile([f"{line}\n" for line in lines], TODAY))


def test_the_finest_and_the_largest_terms_are_taken() -> None:
    fine, large = {"tick_size": "0.0001", "lot_size": "1"}, {"tick_size": "1000", "lot_size": "10000000"}
    terms = []
    for columns in (fine, large):
        line = SBIN
        for column, value in columns.items():
            line = changed(line, column, value)
        terms += [(each.lot, each.tick) for each in read(line)]
    assert terms == [(1, Decimal("0.0001")), (10_000_000, Decimal(1_000))]


def test_a_file_is_never_held_as_a_whole() -> None:
    def endless() -> Iterator[str]:
        yield f"{HEADER}\n"
        for number in count(1):
            yield f"{changed(SBIN, 'instrument_token', str(number))}\n"

    rows = iter(InstrumentFile(endless(), TODAY))
    assert [next(rows).token for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers of the broker are not on this machine")
@pytest.mark.parametrize(("name", "contracts"), [("instruments_all.csv", 25), ("instruments_nse.csv", 0)])
def test_a_recorded_file_is_read(name: str, contracts: int) -> None:
    with (RECORDED / name).open(encoding="utf-8", newline="") as lines:
        file = InstrumentFile(lines, date(2017, 11, 30))
        found = list(file)
    assert len(found) == 99
    assert not file.left_out
    assert sum(each.is_derivative for each in found) == contracts
    by_name = {each.broker_symbol: each for each in found}
    if contracts:
        assert by_name["BANKNIFTY18JAN23500CE"].symbol == "BANKNIFTY25JAN1823500CE"
        assert by_name["INDIACEM17DEC220PE"].underlying == "INDIACEM"
