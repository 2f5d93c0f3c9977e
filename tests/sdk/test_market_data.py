"""Prices, bars, instruments and the calendar through the published ``openalgo`` package, unmodified."""

from __future__ import annotations

from typing import Any

import openalgo
import pytest

from openalgo_bridge.model.order import Exchange
from tests.serving import Bridge

# The SDK calls pandas as it was before 3.1, which warns.
pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.set_index")]

SBIN = {"symbol": "SBIN", "exchange": "NSE"}
DAYS = {"start_date": "2026-11-19", "end_date": "2026-11-20"}


@pytest.fixture(scope="module")
def sdk(bridge: Bridge) -> Any:
    """With futures and options in the list."""
    bridge.desk.store.instrument_lists.roll()
    return openalgo.api(api_key=bridge.key, host=bridge.url)


def test_quotes_and_depth_agree(sdk: Any) -> None:
    quote, book = sdk.quotes(**SBIN)["data"], sdk.depth(**SBIN)["data"]
    assert (book["ltp"], book["bids"][0]["price"], book["asks"][0]["price"]) == (
        quote["ltp"],
        quote["bid"],
        quote["ask"],
    )


def test_several_quotes(sdk: Any) -> None:
    told = sdk.multiquotes(symbols=[SBIN, {"symbol": "NIFTY", "exchange": "NSE_INDEX"}])
    assert [row["symbol"] for row in told["results"]] == ["SBIN", "NIFTY"]
    assert sdk.multiquotes(symbols=[{"symbol": "NOSUCH", "exchange": "NSE"}])["code"] == 400


@pytest.mark.parametrize("source", ["api", "db"])
def test_bars_of_days_are_a_frame_by_date(sdk: Any, source: str) -> None:
    frame = sdk.history(**SBIN, **DAYS, interval="D", source=source)
    assert [str(stamp) for stamp in frame.index] == ["2026-11-19 00:00:00", "2026-11-20 00:00:00"]
    assert set(frame.columns) == {"open", "high", "low", "close", "volume", "oi"}
    assert (frame["low"] <= frame["high"]).all()


def test_bars_within_a_day_are_a_frame_in_indian_time(sdk: Any) -> None:
    frame = sdk.history(**SBIN, **DAYS, interval="5m")
    assert str(frame.index[0]) == "2026-11-19 09:15:00+05:30"
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique


def test_days_without_bars_are_what_the_sdk_calls_no_data(sdk: Any) -> None:
    told = sdk.history(**SBIN, interval="D", start_date="2030-01-01", end_date="2030-01-02")
    assert told["error_type"] == "no_data"


@pytest.mark.parametrize("ask", ["intervals", "interval"])
def test_every_interval_that_is_listed_has_bars(sdk: Any, ask: str) -> None:
    kinds = getattr(sdk, ask)()["data"]
    assert len(kinds) == 6
    for word in kinds["minutes"] + kinds["days"]:
        assert list(sdk.history(**SBIN, **DAYS, interval=word)["close"])


def test_a_symbol_and_a_search_tell_the_same(sdk: Any) -> None:
    row = sdk.symbol(**SBIN)["data"]
    found = sdk.search(query="sbin", exchange="NSE")["data"][0]
    assert {**found, "id": row["id"]} == row
    assert sdk.search(query="sbin")["data"][0]["symbol"] == "SBIN"
    assert sdk.symbol(symbol="NOSUCH", exchange="NSE")["code"] == 404


def test_expiries_of_futures_and_options(sdk: Any) -> None:
    for kind in ("futures", "options"):
        assert sdk.expiry(symbol="NIFTY", exchange="NFO", instrumenttype=kind)["data"]


def test_instruments_are_a_frame(sdk: Any, bridge: Bridge) -> None:
    indices = sdk.instruments(exchange="NSE_INDEX")
    assert set(indices["exchange"]) == {"NSE_INDEX"}
    everything = sdk.instruments()
    assert len(everything) == bridge.desk.store.instruments.count()
    listed = bridge.desk.store.instruments.find(Exchange.NSE, "SBIN")
    assert listed is not None
    (row,) = everything[(everything["symbol"] == "SBIN") & (everything["exchange"] == "NSE")].to_dict("records")
    assert (row["lotsize"], row["tick_size"], row["token"]) == (listed.lot, float(listed.tick), listed.token)


def test_the_calendar(sdk: Any) -> None:
    assert "2026-01-26" in [row["date"] for row in sdk.holidays(year=2026)["data"]]
    assert sdk.holidays()["status"] == "success"
    assert [row["exchange"] for row in sdk.timings(date="2026-11-20")["data"]][:2] == ["NSE", "BSE"]
    assert sdk.timings()["status"] == "success"


def test_a_refusal_reads_well_inside_the_sdks_frame(sdk: Any) -> None:
    assert "Symbol 'NOSUCH' not found for exchange 'NSE'." in sdk.quotes(symbol="NOSUCH", exchange="NSE")["message"]
    assert "Must be one of: 1s, " in sdk.history(**SBIN, **DAYS, interval="4m")["message"]
