"""When everything is cancelled or closed: what is being sent may arrive, and what was stopped is told.

The commit that writes down the stop gives up what is planned and meant by it, and nothing that it means goes after it.
It comes after the first reading of the broker, so that a stop which cannot be carried out ends nobody's exit. What went
between that reading and the commit, or was just being sent, shows in a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.stops import Stop, actor_of
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.claims import JournalMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.stops import means
from openalgo_bridge.trading.legs import Leg

LANDING_S = (0.05, 0.1, 0.2)
"""Seconds between two looks at whether the broker has answered what is being sent. In all no longer than a person who
stops everything may be kept waiting by a broker that hangs."""

_JUST_NOW = timedelta(seconds=1)
"""What is being sent for longer is not waited for: the broker hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The journal before the broker was read for a stop. ``was_moving``: something that it means was on its way."""

    mark: JournalMark
    was_moving: bool


def look(desk: Desk, wanted: Stop, mode: TradingMode) -> Before:
    """To be called before the broker is read. Raises StorageError."""
    mark = desk.store.journal.mark()
    moving = (each for each in desk.store.journal.on_their_way() if each.state in _MOVING)
    return Before(mark=mark, was_moving=any(_is_meant_order(wanted, each, mode) for each in moving))


def has_moved(desk: Desk, stop: Ticket, wanted: Stop, before: Before) -> bool:
    """Whether what was read before ``stop`` was written down may lack something that went meanwhile. Waits a moment
    for what is just being sent. Raises StorageError.
    """
    newer = desk.store.journal.placed_since(before.mark, stop.trading_mode)
    others = (each for each in newer if each.ticket_id != stop.id)
    if not before.was_moving and not any(_is_meant_order(wanted, each, stop.trading_mode) for each in others):
        return False
    _let_land(desk, wanted, stop.trading_mode)
    return True


def stopped_by(desk: Desk, ticket: Ticket) -> list[JournalOrder]:
    """What a ticket that cancels or closes kept from being sent. Raises StorageError."""
    if not isinstance(ticket.request, CancelAllRequest | CloseRequest):
        return []
    return desk.store.journal.given_up(actor_of(ticket))


def stopped_legs(desk: Desk, ticket: Ticket) -> tuple[Leg, ...]:
    """What :func:`stopped_by` finds, as a report tells it. Raises StorageError."""
    return tuple(map(_leg, stopped_by(desk, ticket)))


_MOVING = {OrderState.PLANNED, OrderState.SENDING}


def _let_land(desk: Desk, wanted: Stop, mode: TradingMode) -> None:
    for pause in LANDING_S:
        being_sent = [each for each in desk.store.journal.doubts() if each.state is OrderState.SENDING]
        since = desk.clock.now() - _JUST_NOW
        if not any(each.changed_at > since and _is_meant_order(wanted, each, mode) for each in being_sent):
            return
        desk.wait(pause)


def _is_meant_order(wanted: Stop, order: JournalOrder, mode: TradingMode) -> bool:
    return order.trading_mode is mode and means(wanted, order)


def _leg(order: JournalOrder) -> Leg:
    """A withdrawal that needed no message."""
    withdrawn = CancelRequest(broker_order_id=BrokerOrderId(order.ref))
    return Leg(request=withdrawn, refusal=order.message, was_needless=True, ref=order.ref)
