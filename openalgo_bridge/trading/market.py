"""Prices, from the broker of the current trading mode."""

from __future__ import annotations

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.trading.books import connected


def quote(desk: Desk, exchange: Exchange, symbol: str) -> Quote:
    """The market of one instrument now. Raises Invalid for an unknown one (contract 2.4.1)."""
    instrument = desk.store.instruments.find(exchange, symbol)
    if instrument is None:
        raise Invalid.of({"symbol": [f"Symbol '{symbol}' not found for exchange '{exchange}'."]})
    return connected(desk).broker.quote(instrument)
