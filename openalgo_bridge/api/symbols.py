"""Endpoints for instruments (contract 2.6)."""

from __future__ import annotations

from openalgo_bridge.api import symbol_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.market import NamedInstrument
from openalgo_bridge.api.schemas.symbols import (
    ContractKind,
    InstrumentList,
    InstrumentsFormat,
    SearchedInstruments,
    Underlying,
)
from openalgo_bridge.api.text import Text
from openalgo_bridge.errors import NotFound
from openalgo_bridge.model.instrument import FUTURES, OPTIONS
from openalgo_bridge.model.trading_hours import next_expiry_day

_KINDS = {ContractKind.FUTURES: FUTURES, ContractKind.OPTIONS: OPTIONS}


def symbol(call: Call) -> Json:
    """``POST /symbol``"""
    asked = call.parsed(NamedInstrument)
    listed = call.desk.store.instruments
    instrument, number = listed.find(asked.exchange, asked.symbol), listed.number(asked.exchange, asked.symbol)
    if instrument is None or number is None:
        raise NotFound(f"Symbol {asked.symbol} not found in exchange {asked.exchange}")
    return symbol_answers.symbol(instrument, number)


def search(call: Call) -> Json:
    """``POST /search``"""
    asked = call.parsed(SearchedInstruments)
    return symbol_answers.search(call.desk.store.instruments.search(asked.query, asked.exchange))


def expiry(call: Call) -> Json:
    """``POST /expiry``: what has expired is left out"""
    asked = call.parsed(Underlying)
    kinds, today = _KINDS[asked.instrumenttype], next_expiry_day(asked.exchange, call.desk.clock.now())
    days = call.desk.store.instruments.expiries(asked.exchange, asked.symbol, kinds, today=today)
    return symbol_answers.expiries(days, base=asked.symbol, kind=asked.instrumenttype, exchange=asked.exchange)


def instruments(call: Call) -> Text:
    """``GET /instruments``: sent while it is read"""
    asked = call.parsed(InstrumentList)
    listed = call.desk.store.instruments.stream(asked.exchange)
    if asked.format is InstrumentsFormat.CSV:
        return symbol_answers.instruments_csv(listed, asked.exchange)
    return symbol_answers.instruments_json(listed)
