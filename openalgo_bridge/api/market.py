"""Endpoints for prices and bars (contract 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from openalgo_bridge.api import price_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.api.schemas.market import History, NamedInstrument, NamedInstruments, Source, Ticker, TickerFormat
from openalgo_bridge.api.text import Text
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model.books import Bar
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.trading import market

_DAYS_OF_SECONDS = 9
"""Before the last one. The dialect has no number for them; the paper exchange gives bars of seconds for ten days."""


def quotes(call: Call) -> Json:
    """``POST /quotes``"""
    asked = call.parsed(NamedInstrument)
    return {"status": "success", "data": price_answers.quote(market.quote(call.desk, asked.exchange, asked.symbol))}


def multi_quotes(call: Call) -> Json:
    """``POST /multiquotes``"""
    asked = call.parsed(NamedInstruments)
    return price_answers.quotes(market.quotes(call.desk, [(each.exchange, each.symbol) for each in asked.symbols]))


def depth(call: Call) -> Json:
    """``POST /depth``"""
    asked = call.parsed(NamedInstrument)
    return {"status": "success", "data": price_answers.depth(market.depth(call.desk, asked.exchange, asked.symbol))}


def history(call: Call) -> Text:
    """``POST /history``. ``source=db`` gets the broker's bars too: what would be kept are the same ones."""
    asked = call.parsed(History)
    _require_order(asked.start_date, asked.end_date, field="start_date")
    with call.desk.budget.history():
        bars = market.history(call.desk, asked.exchange, asked.symbol, asked.interval, asked.start_date, asked.end_date)
        return price_answers.history(_kept(asked, bars) if asked.source is Source.DB else bars, asked.interval)


def _kept(asked: History, bars: Iterable[Bar]) -> Sequence[Bar]:
    """What a local database would hold. Raises NotFound for nothing."""
    kept = list(bars)
    if not kept:
        named = f"{asked.symbol}:{asked.exchange} interval {asked.interval}"
        raise NotFound(f"No data found for {named} in local database. The broker has none for these days either.")
    return kept


def ticker(call: Call) -> Text:
    """``GET /ticker/EXCHANGE:SYMBOL``"""
    asked = call.parsed(Ticker)
    _require_order(asked.first, asked.last, field="from")
    named, first = asked.instrument, max(asked.first, _first_given(call, asked))
    with call.desk.budget.history():
        bars = market.history(call.desk, named.exchange, named.symbol, asked.interval, first, asked.last)
        if asked.format is TickerFormat.TXT:
            return price_answers.ticker_lines(named.exchange, named.symbol, bars, asked.interval)
        return price_answers.history(bars, asked.interval)


def intervals(call: Call) -> Json:
    """``POST /intervals``"""
    call.parsed(Nothing)
    return {"status": "success", "data": price_answers.intervals(market.intervals(call.desk))}


def _first_given(call: Call, asked: Ticker) -> date:
    """The first day of which ``/ticker`` gives bars: earlier ones are left out without a word (contract 2.4.6)."""
    last = min(asked.last, day_in_india(call.desk.clock.now()))
    return date.fromordinal(max(1, last.toordinal() - _days_before(asked.interval)))


def _days_before(interval: Interval) -> int:
    if interval.is_calendar:
        return 3650
    return 30 if interval.seconds >= 60 else _DAYS_OF_SECONDS


def _require_order(first: date, last: date, *, field: str) -> None:
    if first > last:
        raise Invalid.of({field: ["Must not be after the last day."]})
