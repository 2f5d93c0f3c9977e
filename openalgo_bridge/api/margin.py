"""The endpoint that tells what orders would block (contract 2.9)."""

from __future__ import annotations

from openalgo_bridge.api import answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.margin import Margin
from openalgo_bridge.trading.margin import margin as estimate


def margin(call: Call) -> Json:
    """``POST /margin``"""
    asked = call.parsed(Margin)
    return answers.margin(estimate(call.desk, [position.order() for position in asked.positions]))
