"""Endpoints for several orders at once, and for a position (contract 2.1.2 to 2.1.4)."""

from __future__ import annotations

from openalgo_bridge.api import answers, several_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.several import BasketOrder, PlaceSmartOrder, SplitOrder
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model import expand
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.model.order import LegsKind, LegsRequest
from openalgo_bridge.trading import several, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.smart import NothingToDo


def place_smart_order(call: Call) -> Json:
    """``POST /placesmartorder``"""
    asked = call.parsed(PlaceSmartOrder)
    result, note = smart.place(call.desk, asked.request(), call.origin(asked.strategy, asked.signal_time))
    if isinstance(result, NothingToDo):
        call.note.outcome = CallOutcome.NOTHING_TO_DO
        return several_answers.matched(result)
    if isinstance(result, Report):
        return several_answers.reached(call.reported(result))
    answer = answers.submitted(call.noted(result))
    return {**answer, "message": note} if note and "message" not in answer else answer


def basket_order(call: Call) -> Json:
    """``POST /basketorder``: those that buy first"""
    asked = call.parsed(BasketOrder)
    if not asked.orders:
        return several_answers.empty_basket(call.desk.store.preferences.trading_mode())
    request = LegsRequest(kind=LegsKind.BASKET, orders=tuple(item.order() for item in asked.orders))
    outcome = several.place(call.desk, request, call.origin(asked.strategy, asked.signal_at))
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    return several_answers.basket(call.reported(outcome))


def split_order(call: Call) -> Json:
    """``POST /splitorder``"""
    asked = call.parsed(SplitOrder)
    order = asked.order()
    instrument = call.desk.store.instruments.find(order.exchange, order.symbol)
    if instrument is None:
        raise Invalid.of({"symbol": [f"Symbol {order.symbol} not found on {order.exchange}."]})
    slices = expand.split(order, size=asked.splitsize, lot=instrument.lot, freeze_quantity=instrument.freeze_quantity)
    origin = call.origin(asked.strategy, asked.signal_time)
    outcome = several.place(call.desk, LegsRequest(kind=LegsKind.SPLIT, orders=slices), origin)
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    return several_answers.split(call.reported(outcome), size=asked.splitsize)
