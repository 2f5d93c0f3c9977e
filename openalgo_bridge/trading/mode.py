"""Switching between paper and live trading (design 4): a program may only make things safer, and only if allowed."""

from __future__ import annotations

import logging

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotAllowed
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.permission import Permission, refusal

_log = logging.getLogger(__name__)


def switch_by_program(desk: Desk, wanted: TradingMode, *, may_switch: bool, by: Actor) -> TradingMode:
    """The mode that is in force afterwards. Nothing happens where ``wanted`` is in force already.

    Raises NotAllowed: going live is the person's own act, and going to paper needs the grant; Conflict while the live
    account has a position or an order, which would vanish from every answer; what the broker raises when it cannot be
    asked; StorageError.
    """
    mode = desk.store.preferences.trading_mode()
    if mode is wanted:
        return mode
    if wanted is TradingMode.LIVE:
        raise NotAllowed("API key not authorized: going live is done by you, on the Analyzer page of the bridge.")
    if not may_switch:
        raise refusal(Permission.SWITCH_ANALYZER)
    try:
        _leave_live(desk, by)
    except Conflict as conflict:
        # A program that wants to hide a live position behind paper is worth a look.
        _log.warning("%s wanted paper trading and was refused: %s", by.name, conflict.message)
        raise
    return TradingMode.ANALYZE


def _leave_live(desk: Desk, by: Actor) -> None:
    looked_at = desk.clock.now()
    _check_flat(desk.broker(TradingMode.LIVE))
    desk.store.preferences.leave_live(looked_at, by=by)


def _check_flat(broker: Broker) -> None:
    held = [position.symbol for position in broker.positions() if position.quantity]
    if held:
        raise Conflict(f"The live account holds {', '.join(held)}. Close that first, or switch on the Analyzer page.")
    working = sum(order.status.is_working for order in broker.order_book())
    if working:
        raise Conflict(f"The live account has {working} working order{'s' if working > 1 else ''}. Cancel first.")
