"""Endpoints for orders that wait for a price over days (contract 2.7)."""

from __future__ import annotations

from openalgo_bridge.api import answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.api.schemas.gtt import ModifyGtt, NamedGtt, PlaceGtt
from openalgo_bridge.errors import NotOffered
from openalgo_bridge.trading import books


def place_gtt_order(call: Call) -> Json:
    """``POST /placegttorder``: bad input is told first, as it will be once a broker keeps such orders"""
    call.parsed(PlaceGtt).check()
    raise _not_offered(call)


def modify_gtt_order(call: Call) -> Json:
    """``POST /modifygttorder``"""
    call.parsed(ModifyGtt).check()
    raise _not_offered(call)


def cancel_gtt_order(call: Call) -> Json:
    """``POST /cancelgttorder``"""
    call.parsed(NamedGtt)
    raise _not_offered(call)


def gtt_order_book(call: Call) -> Json:
    """``POST /gttorderbook``: empty only where the broker keeps no such orders, so that none is left unseen"""
    call.parsed(Nothing)
    there = books.connected(call.desk)
    if there.broker.capabilities.keeps_gtt_orders:
        raise _not_offered(call)
    return answers.done([], there.mode)


def _not_offered(call: Call) -> NotOffered:
    broker = books.connected(call.desk).broker
    return NotOffered(f"GTT orders are not supported for broker '{broker.name}' yet")
