"""Before everything is cancelled or closed: what is planned is not sent any more, and what is being sent may arrive.

The rest of a basket or of a split would otherwise go on after the stop, and open again what was just closed. This comes
before the broker is read: what was claimed until then shows in the journal or in the broker's book, nothing in neither.
"""

from __future__ import annotations

from datetime import timedelta

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.books import Position
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    OrderRequest,
    Ref,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Ticket, ticket_ref
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.legs import CLOSING, Leg

LANDING_S = (0.05, 0.1, 0.2)
"""Seconds between two looks at whether the broker has answered what is being sent. In all no longer than a person who
stops everything may be kept waiting by a broker that hangs."""

_JUST_NOW = timedelta(seconds=1)
"""What is being sent for longer is not waited for: the broker hangs."""

_WHY = "Not sent any more: {} of {} came first."


def stop_entries(desk: Desk, wanted: CancelAllRequest | CloseRequest, mode: TradingMode, ref: Ref) -> tuple[Leg, ...]:
    """Drop what is planned, is meant by ``wanted``, and may open a position; one leg for each, which is done.

    Then wait a moment for what is just being sent. ``ref`` is that of the ticket which cancels or closes. Raises
    StorageError.
    """
    journal = desk.store.journal
    planned = [each.id for each in journal.still_to_go(mode) if _is_meant_order(wanted, each)]
    dropped = journal.give_up(planned, _why(wanted, ref), by=CLOSING) if planned else []
    _let_land(desk, wanted, mode)
    return tuple(map(_leg, dropped))


def stopped_by(desk: Desk, ticket: Ticket) -> list[JournalOrder]:
    """What a ticket that cancels or closes kept from being sent. Raises StorageError."""
    if not isinstance(ticket.request, CancelAllRequest | CloseRequest):
        return []
    return desk.store.journal.given_up(_why(ticket.request, ticket.ref))


def stopped_legs(desk: Desk, ticket: Ticket) -> list[Leg]:
    """What :func:`stopped_by` finds, as a report tells it. Raises StorageError."""
    return list(map(_leg, stopped_by(desk, ticket)))


def is_meant(wanted: CancelAllRequest | CloseRequest, other: OrderRequest | Position, tag: str = "") -> bool:
    """Whether a request that names nothing, or an exchange, a symbol, a product, a ticket, names this one, whose
    reference is ``tag``.
    """
    if isinstance(wanted, CancelAllRequest) and wanted.ticket not in {None, ticket_ref(tag)}:
        return False
    product = wanted.product if isinstance(wanted, CloseRequest) else None
    return (
        wanted.symbol in {"", other.symbol}
        and wanted.exchange in {None, other.exchange}
        and product in {None, other.product}
    )


def _let_land(desk: Desk, wanted: CancelAllRequest | CloseRequest, mode: TradingMode) -> None:
    for pause in LANDING_S:
        being_sent = [each for each in desk.store.journal.doubts() if each.state is OrderState.SENDING]
        since = desk.clock.now() - _JUST_NOW
        if not any(
            each.trading_mode is mode and each.changed_at > since and _is_meant_order(wanted, each)
            for each in being_sent
        ):
            return
        desk.wait(pause)


def _is_meant_order(wanted: CancelAllRequest | CloseRequest, order: JournalOrder) -> bool:
    return isinstance(order.request, OrderRequest) and is_meant(wanted, order.request, order.ref)


def _why(wanted: CancelAllRequest | CloseRequest, ref: Ref) -> str:
    """Names the ticket that came first, by which its report finds what it stopped."""
    what = "the cancelling" if isinstance(wanted, CancelAllRequest) else "the closing"
    return _WHY.format(what, ref)


def _leg(order: JournalOrder) -> Leg:
    """A withdrawal that needed no message."""
    withdrawn = CancelRequest(broker_order_id=BrokerOrderId(order.ref))
    return Leg(request=withdrawn, refusal=order.message, was_needless=True, ref=order.ref)
