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
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder

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


def ask(desk: Desk, order: JournalOrder) -> BrokerOrder | None:
    """The broker's order that shows the message arrived; None when it does not show, or cannot be asked."""
    try:
        return _evidence(desk.broker(order.trading_mode), order)
    except Exception:  # noqa: BLE001 - listed in tests/test_architecture.py
        # Whoever asks for an order in doubt is told that it is in doubt, not that the bridge has a fault.
        _log.exception("order %s could not be looked up", order.ref)
        return None


def look_again(desk: Desk, order: JournalOrder) -> JournalOrder:
    """An unknown order, looked up once more because somebody asks for it; as it then stands in the journal.

    One read can show that it is there, never that it is not.
    """
    there = ask(desk, order)
    if there is not None:
        try:
            desk.store.journal.settle(order.id, _found(there), was=OrderState.UNKNOWN)
        except BridgeError:
            _log.exception("order %s: what was found could not be written down", order.ref)
    fresh = desk.store.journal.orders_of([order.ticket_id])
    return next((each for each in fresh if each.id == order.id), order)


def _resolve(desk: Desk, order: JournalOrder) -> OrderState:
    try:
        outcome = _look_up(desk.broker(order.trading_mode), order)
    except Exception:  # noqa: BLE001 - listed in tests/test_architecture.py
        # An adapter's own exception must not keep the whole bridge, cancels and pages included, from starting.
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
    return Settlement(state=OrderState.NOT_PLACED, message=_ABSENT) if there is None else _found(there)


def _found(there: BrokerOrder) -> Settlement:
    """It arrived. What the broker made of it is in the broker's book, a refusal included."""
    refused = there.status is OrderStatus.REJECTED
    message = f"The broker refused it: {there.rejection_reason}" if refused else _FOUND
    return Settlement(state=OrderState.SENT, broker_order_id=there.id, message=message)


def _evidence(broker: Broker, order: JournalOrder) -> BrokerOrder | None:
    """The broker's order that shows the message arrived, or None."""
    match order.request:
        case OrderRequest():
            return broker.find(order.ref)
        case ModifyRequest(broker_order_id=target, order=wanted):
            there = broker.order(target)
            return there if there is not None and _changeable(there.request) == _changeable(wanted) else None
        case CancelRequest(broker_order_id=target):
            there = broker.order(target)
            return there if there is not None and there.status is OrderStatus.CANCELLED else None


def _changeable(order: OrderRequest) -> tuple[object, ...]:
    """Everything a change of an order may change."""
    return (order.quantity, order.price_type, order.price, order.trigger_price, order.disclosed_quantity)
