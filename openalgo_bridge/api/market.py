"""Endpoints for prices (contract 2.4)."""

from __future__ import annotations

from openalgo_bridge.api import answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.market import NamedInstrument
from openalgo_bridge.trading import market


def quotes(call: Call) -> Json:
    """``POST /quotes``"""
    asked = call.parsed(NamedInstrument)
    return {"status": "success", "data": answers.quote(market.quote(call.desk, asked.exchange, asked.symbol))}
