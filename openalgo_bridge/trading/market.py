"""Prices and bars, from the broker of the current trading mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, UnknownSymbols
from openalgo_bridge.model.books import Bar, Depth, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.trading.books import connected

Name = tuple[Exchange, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """One of several instruments. ``fault`` says why there is no ``quote``."""

    exchange: Exchange
    symbol: str
    quote: Quote | None = None
    fault: str = ""


def listed(desk: Desk, exchange: Exchange, symbol: str) -> Instrument:
    """The instrument of that name in today's list. Raises Invalid (contract 2.4.1)."""
    instrument = desk.store.instruments.find(exchange, symbol)
    if instrument is None or instrument.left_on is not None:
        raise _unknown(exchange, symbol, instrument)
    return instrument


def quote(desk: Desk, exchange: Exchange, symbol: str) -> Quote:
    """The market of one instrument now. Raises Invalid as :func:`listed`."""
    return connected(desk).broker.quote(listed(desk, exchange, symbol))


def quotes(desk: Desk, names: Sequence[Name]) -> list[Quoted]:
    """The markets of several now: what is not listed first, the others in their order.

    Raises UnknownSymbols where none is listed: a list of nothing but faults is no success (contract 2.4.2).
    """
    found = {name: desk.store.instruments.find(*name) for name in names}
    known = {name: each for name, each in found.items() if each is not None and each.left_on is None}
    unknown = [
        Quoted(exchange=exchange, symbol=symbol, fault=_not_listed(exchange, symbol, instrument))
        for (exchange, symbol), instrument in found.items()
        if (exchange, symbol) not in known
    ]
    if not known:
        raise UnknownSymbols({(each.exchange, each.symbol): each.fault for each in unknown})
    return unknown + _priced(connected(desk).broker, known)


def depth(desk: Desk, exchange: Exchange, symbol: str) -> Depth:
    """What is bid and asked for one instrument now. Raises Invalid as :func:`listed`."""
    return connected(desk).broker.depth(listed(desk, exchange, symbol))


def history(desk: Desk, exchange: Exchange, symbol: str, interval: Interval, first: date, last: date) -> Iterable[Bar]:
    """The bars of one instrument for the trading days ``first`` to ``last``, India's and both included.

    Also of what left the list lately, as a test of last week's options needs it. Raises Invalid for a name that
    nothing had.
    """
    instrument = desk.store.instruments.find(exchange, symbol)
    if instrument is None:
        raise _unknown(exchange, symbol, None)
    return connected(desk).broker.history(instrument, interval, first, last)


def intervals(desk: Desk) -> tuple[Interval, ...]:
    """The bars that can be asked for, shortest first."""
    return connected(desk).broker.capabilities.intervals


def _priced(broker: Broker, instruments: dict[Name, Instrument]) -> list[Quoted]:
    quotes = broker.quotes(list(instruments.values()))
    return [
        Quoted(exchange=exchange, symbol=symbol, quote=each, fault="" if each else f"There is no price for {symbol}.")
        for (exchange, symbol), each in zip(instruments, quotes, strict=True)
    ]


def _unknown(exchange: Exchange, symbol: str, former: Instrument | None) -> Invalid:
    fault = _not_listed(exchange, symbol, former)
    return Invalid(fault, {"symbol": [fault]})


def _not_listed(exchange: Exchange, symbol: str, former: Instrument | None) -> str:
    if former is not None and former.left_on is not None:
        return f"Symbol '{symbol}' left the list of exchange '{exchange}' by {former.left_on.isoformat()}."
    return (
        f"Symbol '{symbol}' not found for exchange '{exchange}'. "
        "Please verify the symbol name and ensure master contracts are downloaded."
    )
