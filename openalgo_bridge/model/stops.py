"""What "cancel all" and a closing stop: which orders they mean, and how these say what came first."""

from __future__ import annotations

from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.books import Position
from openalgo_bridge.model.order import CancelAllRequest, CloseRequest, OrderRequest
from openalgo_bridge.model.refs import ticket_ref
from openalgo_bridge.model.ticket import Ticket, TicketDraft

Stop = CancelAllRequest | CloseRequest


def is_meant(wanted: Stop, other: OrderRequest | Position, tag: str = "") -> bool:
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


def actor_of(stop: TicketDraft | Ticket) -> Actor:
    """Who gives up what ``stop`` stops: its report finds these orders by it."""
    return Actor(name=f"{stop.operation} {stop.ref}")


def came_first(stop: TicketDraft | Ticket) -> str:
    """For an order that is not sent any more, a clause."""
    what = "cancelling" if isinstance(stop.request, CancelAllRequest) else "closing"
    return f"the {what} of {stop.ref} came first"
