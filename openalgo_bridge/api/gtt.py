"""Endpoints for orders that wait for a price over days (contract 2.7)."""

from __future__ import annotations

from openalgo_bridge.api import answers, gtt_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.api.schemas.gtt import ModifyGtt, NamedGtt, PlaceGtt
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.trading import books, gtt_books, gtts
from openalgo_bridge.trading.orders import Withdrawn


def place_gtt_order(call: Call) -> Json:
    """``POST /placegttorder``"""
    asked = call.parsed(PlaceGtt)
    return gtt_answers.submitted(call.noted(gtts.place(call.desk, asked.gtt(), call.origin(asked.strategy))))


def modify_gtt_order(call: Call) -> Json:
    """``POST /modifygttorder``"""
    asked = call.parsed(ModifyGtt)
    result = gtts.modify(call.desk, asked.trigger_id, asked.gtt(), call.origin(asked.strategy))
    return gtt_answers.submitted(call.noted(result))


def cancel_gtt_order(call: Call) -> Json:
    """``POST /cancelgttorder``: also one that still waits in the Action Center"""
    asked = call.parsed(NamedGtt)
    result = gtts.cancel(call.desk, asked.trigger_id, call.origin(asked.strategy))
    if isinstance(result, Withdrawn):
        call.note.ticket_id, call.note.outcome = result.ticket.id, CallOutcome.WITHDRAWN
        return gtt_answers.withdrawn(result.ticket)
    return gtt_answers.submitted(call.noted(result))


def gtt_order_book(call: Call) -> Json:
    """``POST /gttorderbook``: empty where the broker keeps no such orders"""
    call.parsed(Nothing)
    there = books.connected(call.desk)
    waiting = gtt_books.waiting(call.desk, there)
    return answers.done([gtt_answers.row(each, there.mode) for each in waiting], there.mode)
