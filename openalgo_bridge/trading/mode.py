"""Switching between paper and live trading (design 4).

The person goes either way, on pages that say what it means. A program may only make things safer, and only if allowed.
Nothing that is at a broker is touched: what arrived under a mode keeps it.
"""

from __future__ import annotations

import logging

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotAllowed, NotSetUp
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.going_live import LiveTerms
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.permission import Permission, refusal

GO_LIVE, LEAVE_LIVE = "/analyzer/live", "/analyzer/paper"
"""The pages on which the person switches."""

_NO_BROKER = "No live broker is connected, so there is no live account to go to."
_log = logging.getLogger(__name__)


def go_live(desk: Desk, terms: LiveTerms, *, at: str, expected: GuardSettings, by: Actor) -> None:
    """From the next order on real money, ``at`` the broker that the person was shown.

    Whoever calls this has asked for the password. Raises NotSetUp without a live broker; Conflict where it is another
    one, or the mode or the guards are not those that were decided on; what the broker raises when it cannot be asked;
    StorageError.
    """
    if TradingMode.LIVE not in desk.brokers:
        raise NotSetUp(_NO_BROKER)
    broker = desk.broker(TradingMode.LIVE)
    if broker.name != at:
        raise Conflict(f"The live broker is {broker.name} by now. Nothing was changed.")
    # A login that is over is told here, and not by the first order.
    broker.positions()
    desk.store.preferences.go_live(terms, expected=expected, by=by)
    _log.warning("Live trading at %s: orders use real money. The order mode is %s.", at, terms.order_mode)


def leave_live(desk: Desk, *, by: Actor) -> bool:
    """Back to paper by the person, whatever is at the live account; False where paper was in force already.

    Raises StorageError.
    """
    has_left = desk.store.preferences.leave_live(by=by)
    if has_left:
        _log.warning("Paper trading: new orders reach no broker.")
    return has_left


def switch_by_program(desk: Desk, wanted: TradingMode, *, may_switch: bool, by: Actor) -> TradingMode:
    """The mode that is in force afterwards. Nothing happens where ``wanted`` is in force already.

    Raises NotAllowed: going live is the person's own act, and going to paper needs the grant; Conflict while the live
    account has a position, an order or a GTT, which would vanish from every answer; what the broker raises when it
    cannot be asked; StorageError.
    """
    mode = desk.store.preferences.trading_mode()
    if mode is wanted:
        return mode
    if wanted is TradingMode.LIVE:
        raise NotAllowed(f"API key not authorized: going live is done by you, on the page {GO_LIVE} of the bridge.")
    if not may_switch:
        raise refusal(Permission.SWITCH_ANALYZER)
    try:
        _leave_when_flat(desk, by)
    except Conflict as conflict:
        # A program that wants to hide a live position behind paper is worth a look.
        _log.warning("%s wanted paper trading and was refused: %s", by.name, conflict.message)
        raise
    return TradingMode.ANALYZE


def _leave_when_flat(desk: Desk, by: Actor) -> None:
    looked_at = desk.clock.now()
    _check_flat(desk.broker(TradingMode.LIVE))
    desk.store.preferences.leave_live(looked_at, by=by)


def _check_flat(broker: Broker) -> None:
    # A GTT becomes an order and an order a position: in this turn what moves between two reads is seen twice, never not
    # at all.
    gtts = len(broker.gtt_book()) if broker.capabilities.keeps_gtt_orders else 0
    working = sum(order.status.is_working for order in broker.order_book())
    held = [position.symbol for position in broker.positions() if position.quantity]
    if held:
        raise Conflict(f"The live account holds {', '.join(held)}. Close that first, or switch on {LEAVE_LIVE}.")
    if working:
        raise Conflict(f"The live account has {working} working order{'s' if working > 1 else ''}. Cancel first.")
    if gtts:
        raise Conflict(f"The live account has {gtts} GTT{'s' if gtts > 1 else ''}, waiting for a price. Cancel first.")
