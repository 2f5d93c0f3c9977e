"""Switching between paper and live trading (design 4): a program may only make things safer, and only if allowed."""

from __future__ import annotations

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotAllowed
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import TradingMode


def switch_by_program(desk: Desk, wanted: TradingMode, *, may_switch: bool, by: Actor) -> TradingMode:
    """The mode that is in force afterwards. Nothing happens where ``wanted`` is in force already.

    Raises NotAllowed: going live is the person's own act, and going to paper needs the grant; Conflict while the live
    account has a position or a working order, which would vanish from every answer; what the broker raises when it
    cannot be asked; StorageError.
    """
    mode = desk.store.preferences.trading_mode()
    if mode is wanted:
        return mode
    if wanted is TradingMode.LIVE:
        raise NotAllowed("API key not authorized: going live is done by you, on the Analyzer page of the bridge.")
    if not may_switch:
        raise NotAllowed(
            "API key not authorized: it has no permission to switch between live and paper trading. "
            "Grant it on the API key page of the bridge."
        )
    _check_flat(desk.broker(TradingMode.LIVE))
    desk.store.preferences.set_trading_mode(TradingMode.ANALYZE, by=by)
    return TradingMode.ANALYZE


def _check_flat(broker: Broker) -> None:
    held = [position.symbol for position in broker.positions() if position.quantity]
    if held:
        raise Conflict(f"The live account holds {', '.join(held)}. Close that first, or switch on the Analyzer page.")
    working = [order.id for order in broker.order_book() if order.status.is_working]
    if working:
        raise Conflict(f"The live account has {len(working)} working orders. Cancel them first.")
