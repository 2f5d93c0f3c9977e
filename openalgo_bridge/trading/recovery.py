"""What a start does before the doors open. A restart never sends (design 4)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import CancelRequest, ModifyRequest, OrderRequest
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal import JournalOrder, Settlement

_log = logging.getLogger(__name__)

_FOUND = "Found at the broker."
_ABSENT = "The broker never received it."
_PARKED = "This broker cannot prove whether it received it. Look there and decide."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found and how it ended. ``str()`` is a sentence, empty when the last stop was clean."""

    held_again: int
    dropped: int
    found: int
    absent: int
    in_doubt: int
    cut_off: int

    def __str__(self) -> str:
        parts = [
            (self.found, "order(s) found at the broker"),
            (self.absent, "order(s) that never reached it"),
            (self.in_doubt, "order(s) still in doubt: see the Orders page"),
            (self.dropped, "order(s) dropped before they were sent"),
            (self.held_again, "ticket(s) held again"),
            (self.cut_off, "call(s) cut off"),
        ]
        told = ", ".join(f"{count} {what}" for count, what in parts if count)
        return f"The last stop was sudden: {told}. Nothing was sent again." if told else ""


def recover(desk: Desk) -> Recovery:
    """Close what the last run left open and find out what became of it."""
    interrupted = desk.store.journal.interrupt()
    cut_off = desk.store.traffic.mark_cut_off()
    outcomes = [_resolve(desk, order) for order in desk.store.journal.unresolved()]
    return Recovery(
        held_again=interrupted.held_again,
        dropped=interrupted.dropped,
        found=outcomes.count(OrderState.SENT),
        absent=outcomes.count(OrderState.NOT_PLACED),
        in_doubt=outcomes.count(OrderState.UNKNOWN) + outcomes.count(OrderState.PARKED),
        cut_off=cut_off,
    )


def _resolve(desk: Desk, order: JournalOrder) -> OrderState:
    try:
        outcome = _look_up(desk.broker(order.trading_mode), order)
    except BridgeError:
        _log.exception("order %s could not be looked up", order.ref)
        return OrderState.UNKNOWN
    desk.store.journal.settle(order.id, outcome, was=OrderState.UNKNOWN)
    return outcome.state


def _look_up(broker: Broker, order: JournalOrder) -> Settlement:
    """Present by one read; absent only by two complete fresh ones; else for the person to decide."""
    there = _evidence(broker, order)
    if there is None and broker.capabilities.reread_after is None:
        return Settlement(state=OrderState.PARKED, message=_PARKED)
    if there is None:
        time.sleep(broker.capabilities.reread_after or 0)
        there = _evidence(broker, order)
    if there is None:
        return Settlement(state=OrderState.NOT_PLACED, message=_ABSENT)
    return Settlement(state=OrderState.SENT, broker_order_id=there.id, message=_FOUND)


def _evidence(broker: Broker, order: JournalOrder) -> BrokerOrder | None:
    """The broker's order that shows the message arrived, or None."""
    match order.request:
        case OrderRequest():
            return broker.find(order.ref)
        case ModifyRequest(broker_order_id=target, order=wanted):
            there = broker.order(target)
            return there if there is not None and _carries(there.request, wanted) else None
        case CancelRequest(broker_order_id=target):
            there = broker.order(target)
            return there if there is not None and there.status is OrderStatus.CANCELLED else None


def _carries(there: OrderRequest, wanted: OrderRequest) -> bool:
    return (there.quantity, there.price, there.trigger_price) == (wanted.quantity, wanted.price, wanted.trigger_price)
