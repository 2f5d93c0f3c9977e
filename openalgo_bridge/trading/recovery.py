"""What became of the orders in doubt: at a start before the doors open, on a timer, and when somebody asks.

Nothing here sends (design 4).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import Clock, day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, StorageError, Unsupported
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.gtt import BrokerGtt, GttState, terms
from openalgo_bridge.model.order import (
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
)
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal import LOOK_UP, Settlement
from openalgo_bridge.store.journal_reads import JournalOrder

_log = logging.getLogger(__name__)

_FOUND = "Found at the broker."
_ABSENT = "The broker never received it."
_OVERWRITTEN = "A later change of the same order hides whether the broker received this one. Look there and decide."
_PARKED = "This broker cannot prove whether it received it. Look there and decide."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found and how it ended. ``str()`` is a sentence, empty when the last stop was clean."""

    held_again: int
    dropped: int
    found: int
    absent: int
    in_doubt: int

    def __str__(self) -> str:
        parts = [
            (self.found, "order(s) found at the broker"),
            (self.absent, "order(s) that never reached it"),
            (self.in_doubt, "order(s) still in doubt: see the Orders page"),
            (self.dropped, "order(s) dropped before they were sent"),
            (self.held_again, "ticket(s) held again"),
        ]
        told = ", ".join(f"{count} {what}" for count, what in parts if count)
        return f"The last stop was sudden: {told}. Nothing was sent again." if told else ""


Shown = BrokerOrder | BrokerGtt
"""What shows that a message arrived."""


class Absences:
    """When each order in doubt was first missing from a complete, fresh read of the broker.

    Two such reads prove it absent, a broker's :attr:`~openalgo_bridge.brokers.base.Capabilities.reread_after` apart;
    between them nobody sleeps: whoever looks up next makes the second one. One thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._first: dict[int, float] = {}

    def are_proof(self, order_id: int, reread_after: float) -> bool:
        """Note that ``order_id`` was missing in a read just now; True when the first time is long enough ago."""
        now = self._clock.monotonic()
        first = self._first.get(order_id)
        if first is None:
            self._first[order_id] = now
            return False
        return now - first >= reread_after

    def forget(self, order_id: int) -> None:
        """It is resolved."""
        self._first.pop(order_id, None)


def recover(desk: Desk, absences: Absences | None = None) -> Recovery:
    """Close what the last run left open and find out what became of it. Sends nothing. Raises StorageError.

    What fails after the interruption is written down must not raise: a second interruption would find the cancels that
    are being sent by now.
    """
    interrupted = desk.store.journal.interrupt()
    desk.doors.journal_ready()
    outcomes = _looked_up(desk, absences or Absences(desk.clock))
    return Recovery(
        held_again=interrupted.held_again,
        dropped=interrupted.dropped,
        found=outcomes.count(OrderState.SENT),
        absent=outcomes.count(OrderState.NOT_PLACED),
        in_doubt=outcomes.count(OrderState.UNKNOWN) + outcomes.count(OrderState.PARKED),
    )


def _looked_up(desk: Desk, absences: Absences) -> list[OrderState]:
    try:
        return look_up_all(desk, absences)
    except StorageError:
        _log.exception("the orders in doubt could not be looked up")
        return []


def look_up_all(desk: Desk, absences: Absences) -> list[OrderState]:
    """Look every unknown order up at its broker, once; what each is now. Raises StorageError."""
    return [_resolve(desk, order, absences) for order in desk.store.journal.unresolved()]


def look_for_parked(desk: Desk) -> None:
    """Settle what is parked and shows at the broker after all. Its absence proves nothing: that is why it is parked.

    A broker's books are of today, so an order of another day is not looked for. Raises StorageError.
    """
    today = day_in_india(desk.clock.now())
    for order in desk.store.journal.parked():
        if day_in_india(order.created_at) == today:
            _settle_if_there(desk, order)


def look(desk: Desk, order: JournalOrder) -> Shown | None:
    """What the broker has that shows the message arrived; None when it does not show.

    Raises a BrokerError where the broker cannot be asked, and Unsupported where it can show nothing of the kind.
    """
    return _evidence(desk.broker(order.trading_mode), order)


def ask(desk: Desk, order: JournalOrder) -> Shown | None:
    """As :func:`look`; None also where the broker cannot be asked: whoever asks is told that it is in doubt."""
    try:
        return look(desk, order)
    except BridgeError:
        _log.exception("order %s could not be looked up", order.ref)
        return None


def look_again(desk: Desk, order: JournalOrder) -> JournalOrder:
    """An unknown order, looked up once more because somebody asks for it; as it then stands in the journal.

    One read can show that it is there, never that it is not.
    """
    _settle_if_there(desk, order)
    fresh = desk.store.journal.orders_of([order.ticket_id])
    return next((each for each in fresh if each.id == order.id), order)


def settle_found(desk: Desk, order: JournalOrder, there: Shown) -> None:
    """Write down that an order in doubt is at the broker. Raises Conflict when somebody did before, or StorageError."""
    desk.store.journal.settle(order.id, _found(there), was=order.state, by=LOOK_UP)


def _settle_if_there(desk: Desk, order: JournalOrder) -> None:
    there = ask(desk, order)
    if there is None:
        return
    try:
        settle_found(desk, order, there)
    except BridgeError:
        _log.exception("order %s: what was found could not be written down", order.ref)


def _resolve(desk: Desk, order: JournalOrder, absences: Absences) -> OrderState:
    try:
        outcome = _look_up(desk, desk.broker(order.trading_mode), order, absences)
    except BridgeError:
        _log.exception("order %s could not be looked up", order.ref)
        return OrderState.UNKNOWN
    if outcome is None:
        return OrderState.UNKNOWN
    absences.forget(order.id)
    try:
        desk.store.journal.settle(order.id, outcome, was=OrderState.UNKNOWN, by=LOOK_UP)
    except Conflict:
        # Somebody who asked for this order looked it up in the same moment.
        return desk.store.journal.order(order.id).state
    return outcome.state


def _look_up(desk: Desk, broker: Broker, order: JournalOrder, absences: Absences) -> Settlement | None:
    """Present by one read; absent only by two complete fresh ones; else for the person to decide. None: not yet."""
    try:
        there = _evidence(broker, order)
    except Unsupported:
        return Settlement(state=OrderState.PARKED, message=_PARKED)
    if there is not None:
        return _found(there)
    if desk.store.journal.was_changed_later(order):
        return Settlement(state=OrderState.PARKED, message=_OVERWRITTEN)
    reread_after = broker.capabilities.reread_after
    if reread_after is None:
        return Settlement(state=OrderState.PARKED, message=_PARKED)
    if not absences.are_proof(order.id, reread_after):
        if reread_after > 0:
            return None
        there = _evidence(broker, order)
    return Settlement(state=OrderState.NOT_PLACED, message=_ABSENT) if there is None else _found(there)


def _found(there: Shown) -> Settlement:
    """It arrived. What the broker made of it is in the broker's book, a refusal included."""
    message = _FOUND
    if isinstance(there, BrokerOrder) and there.status is OrderStatus.REJECTED:
        message = f"The broker refused it: {there.rejection_reason}"
    return Settlement(state=OrderState.SENT, broker_order_id=there.id, message=message)


def _evidence(broker: Broker, order: JournalOrder) -> Shown | None:
    """What shows that the message arrived, or None."""
    match order.request:
        case OrderRequest():
            return broker.find(order.ref)
        case ModifyRequest(broker_order_id=target, order=wanted):
            there = broker.order(target)
            return there if there is not None and _changeable(there.request) == _changeable(wanted) else None
        case CancelRequest(broker_order_id=target):
            there = broker.order(target)
            return there if there is not None and there.status is OrderStatus.CANCELLED else None
        case GttRequest():
            return broker.find_gtt(order.ref)
        case ModifyGttRequest(trigger_id=target, gtt=becomes):
            kept = broker.gtt(target)
            return kept if kept is not None and terms(kept.request) == terms(becomes) else None
        case CancelGttRequest(trigger_id=target):
            kept = broker.gtt(target)
            return kept if kept is not None and kept.state is GttState.CANCELLED else None


def _changeable(order: OrderRequest) -> tuple[object, ...]:
    """Everything a change of an order may change."""
    return (order.quantity, order.price_type, order.price, order.trigger_price, order.disclosed_quantity)
