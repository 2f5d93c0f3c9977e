"""Endpoints about the account (contract 2.2.2, 2.3, 2.8, 2.11.1)."""

from __future__ import annotations

from openalgo_bridge.api import account_answers, answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.account import Nothing, OpenPosition, ToggleAnalyzer
from openalgo_bridge.clock import day_in_india, midnight
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.trading import books
from openalgo_bridge.trading.mode import switch_by_program


def ping(call: Call) -> Json:
    """``POST /ping``: AmiBroker shows ``broker`` in its dialog."""
    call.parsed(Nothing)
    broker = books.connected(call.desk).broker
    return {"status": "success", "data": {"broker": broker.name, "message": "pong"}}


def order_book(call: Call) -> Json:
    """``POST /orderbook``"""
    there = books.connected(call.desk)
    return answers.done(account_answers.order_book(there.broker.order_book()), there.mode)


def trade_book(call: Call) -> Json:
    """``POST /tradebook``"""
    there = books.connected(call.desk)
    return answers.done(account_answers.trade_book(there.broker.trade_book()), there.mode)


def position_book(call: Call) -> Json:
    """``POST /positionbook``"""
    there = books.connected(call.desk)
    return answers.done(account_answers.position_book(there.broker.positions()), there.mode)


def symbol_profits(call: Call) -> Json:
    """``POST /pnl/symbols``: in analyze mode only (contract 2.8.3)"""
    call.parsed(Nothing)
    there = books.connected(call.desk)
    if there.mode is not TradingMode.ANALYZE:
        raise Invalid("This endpoint is only available in sandbox/analyzer mode")
    return account_answers.symbol_profits(there.broker.positions(), there.mode)


def open_position(call: Call) -> Json:
    """``POST /openposition``: 0, never 404, when nothing is held"""
    asked = call.parsed(OpenPosition)
    there = books.connected(call.desk)
    quantity = books.open_quantity(there.broker, asked.symbol, asked.exchange, asked.product)
    return answers.open_quantity(quantity, there.mode)


def holdings(call: Call) -> Json:
    """``POST /holdings``"""
    there = books.connected(call.desk)
    return answers.done(account_answers.holdings(there.broker.holdings()), there.mode)


def funds(call: Call) -> Json:
    """``POST /funds``"""
    there = books.connected(call.desk)
    return answers.done(account_answers.funds(there.broker.funds()), there.mode)


def analyzer(call: Call) -> Json:
    """``POST /analyzer``: which mode, and how many tickets arrived in it today"""
    mode = call.desk.store.preferences.trading_mode()
    return {"status": "success", "data": answers.analyzer(mode, _tickets_today(call, mode))}


def toggle_analyzer(call: Call) -> Json:
    """``POST /analyzer/toggle``: says yes where nothing changes; only towards paper, and only with the grant."""
    asked = call.parsed(ToggleAnalyzer)
    wanted = TradingMode.ANALYZE if asked.mode else TradingMode.LIVE
    may_switch = call.caller.may(Permission.SWITCH_ANALYZER)
    mode = switch_by_program(call.desk, wanted, may_switch=may_switch, by=call.sender)
    message = f"Analyzer mode is {mode}"
    return {"status": "success", "data": answers.analyzer(mode, _tickets_today(call, mode), message)}


def _tickets_today(call: Call, mode: TradingMode) -> int:
    return call.desk.store.journal.count_since(midnight(day_in_india(call.desk.clock.now())), mode)
