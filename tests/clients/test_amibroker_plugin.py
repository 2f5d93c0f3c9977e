"""The AmiBroker data plug-in gets its charts and quotes: it finds in the text what the JSON says."""

from __future__ import annotations

import pytest

from tests.clients.amibroker_plugin import Plugin
from tests.serving import Bridge

SBIN = {"symbol": "SBIN", "exchange": "NSE"}


@pytest.fixture
def plugin(bridge: Bridge) -> Plugin:
    return Plugin(bridge.port, bridge.key)


def test_it_sees_that_the_bridge_is_there_and_who_is_behind_it(plugin: Plugin) -> None:
    assert plugin.ping() == "paper"


def test_a_wrong_key_is_a_bridge_that_is_not_there(bridge: Bridge) -> None:
    assert Plugin(bridge.port, "x" * 32).ping() is None


@pytest.mark.parametrize(("symbol", "exchange"), [("SBIN", "NSE"), ("M&M", "NSE"), ("NIFTY", "NSE_INDEX")])
def test_it_reads_every_number_of_a_quote(bridge: Bridge, plugin: Plugin, symbol: str, exchange: str) -> None:
    told = bridge.ask("quotes", symbol=symbol, exchange=exchange)["data"]
    read = plugin.quotes(symbol, exchange)
    assert read is not None
    assert read == {name: float(told[name]) for name in read}
    assert read["ltp"] > 0


@pytest.mark.parametrize(
    ("interval", "first", "least"), [("1m", "2026-10-22", 20 * 375), ("D", "2016-11-21", 10 * 230)]
)
def test_it_reads_every_bar_of_its_first_load(
    bridge: Bridge, plugin: Plugin, interval: str, first: str, least: int
) -> None:
    told = bridge.ask("history", **SBIN, interval=interval, start_date=first, end_date="2026-11-21")["data"]
    read = plugin.history("SBIN", "NSE", interval, first, "2026-11-21")
    assert read is not None
    assert len(read) >= least
    assert [(bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in read] == [
        tuple(row[name] for name in ("timestamp", "open", "high", "low", "close", "volume")) for row in told
    ]


def test_what_is_not_listed_is_no_data(plugin: Plugin) -> None:
    assert plugin.quotes("NOSUCH", "NSE") is None
    assert plugin.history("NOSUCH", "NSE", "D", "2026-11-16", "2026-11-20") is None


def test_days_without_a_bar_are_an_empty_chart(plugin: Plugin) -> None:
    assert plugin.history("SBIN", "NSE", "D", "2030-01-01", "2030-01-02") == []
