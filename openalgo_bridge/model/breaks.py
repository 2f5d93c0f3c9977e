"""A reconciliation break: an order of which the broker's book and the journal say different things.

It is a finding beside the journal and no move of an order: what we did stays as we wrote it (design 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, Ref, TradingMode
from openalgo_bridge.model.states import OrderState


class BreakKind(StrEnum):
    """``UNEXPECTED``: it is at the broker, while the journal says that it is not, or knows nothing of it.

    ``MISSING``: the journal has it as sent, and the broker does not have it. ``DUPLICATE``: the broker has an order
    under the reference of one that was sent, with another number.
    """

    UNEXPECTED = "unexpected"
    MISSING = "missing"
    DUPLICATE = "duplicate"


class BreakState(StrEnum):
    """``ACKNOWLEDGED``: the trader has seen it. ``CLEARED``: what the broker shows agrees with the journal again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"

    @property
    def event(self) -> str:
        """The word for it among the events of a ticket, none of whose states it is."""
        return f"break_{self}"


BREAK_EVENTS = frozenset(state.event for state in BreakState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the journal has of an order that was to be placed: its state, and its number where the broker gave one."""

    order_id: int
    ticket_id: int
    ref: Ref
    state: OrderState
    broker_order_id: BrokerOrderId | None
    action: Action
    quantity: int
    symbol: str
    exchange: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One break as it was found. ``told`` is the sentence for the trader, ``placement`` what the journal has of it.

    ``broker_order_id`` is the number at the broker, for what is missing there the one that the journal has.
    """

    kind: BreakKind
    trading_mode: TradingMode
    broker_order_id: BrokerOrderId
    ref: Ref
    exchange: Exchange
    symbol: str
    told: str
    placement: Placement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A finding as it is kept. ``ended_at`` is None while it is open; ``ticket_id`` where the journal has no order."""

    id: int
    kind: BreakKind
    state: BreakState
    trading_mode: TradingMode
    broker_order_id: BrokerOrderId
    ref: Ref
    exchange: Exchange
    symbol: str
    told: str
    order_id: int | None
    ticket_id: int | None
    found_at: datetime
    ended_at: datetime | None
