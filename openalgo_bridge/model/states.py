"""The states of a ticket and of an order, and the only moves between them (design 4).

What happens to an order after ``sent`` (open, complete, cancelled) belongs to the broker's book.
"""

from __future__ import annotations

from enum import StrEnum


class TicketState(StrEnum):
    """What became of something that was asked for."""

    ACCEPTED = "accepted"
    HELD = "held"
    APPROVED = "approved"
    RELEASED = "released"
    DENIED = "denied"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OrderState(StrEnum):
    """What we know of one message to a broker."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_PLACED = "not_placed"
    PARKED = "parked"
    DROPPED = "dropped"


TICKET_MOVES: frozenset[tuple[TicketState, TicketState]] = frozenset(
    {
        (TicketState.ACCEPTED, TicketState.HELD),
        (TicketState.ACCEPTED, TicketState.RELEASED),
        (TicketState.ACCEPTED, TicketState.DENIED),
        (TicketState.HELD, TicketState.APPROVED),
        (TicketState.HELD, TicketState.REJECTED),
        (TicketState.HELD, TicketState.EXPIRED),
        (TicketState.APPROVED, TicketState.RELEASED),
        # Only a restart, and only when no order of the ticket was ever sending.
        (TicketState.APPROVED, TicketState.HELD),
    }
)

ORDER_MOVES: frozenset[tuple[OrderState, OrderState]] = frozenset(
    {
        (OrderState.PLANNED, OrderState.SENDING),
        (OrderState.PLANNED, OrderState.DROPPED),
        (OrderState.SENDING, OrderState.SENT),
        (OrderState.SENDING, OrderState.REJECTED),
        (OrderState.SENDING, OrderState.UNKNOWN),
        (OrderState.UNKNOWN, OrderState.SENT),
        (OrderState.UNKNOWN, OrderState.NOT_PLACED),
        (OrderState.UNKNOWN, OrderState.PARKED),
        (OrderState.PARKED, OrderState.SENT),
        (OrderState.PARKED, OrderState.NOT_PLACED),
    }
)

TICKET_BIRTHS: frozenset[TicketState] = frozenset(
    {TicketState.ACCEPTED, TicketState.HELD, TicketState.RELEASED, TicketState.DENIED}
)
"""Where a row may be born: accepted, or where its first move, in the same commit, would have brought it."""

ORDER_BIRTHS: frozenset[OrderState] = frozenset({OrderState.PLANNED, OrderState.SENDING})

MAY_BE_THERE: frozenset[OrderState] = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.PARKED})
"""The broker may have it, and nobody knows."""

IN_DOUBT: frozenset[OrderState] = frozenset({OrderState.UNKNOWN, OrderState.PARKED})
"""The same of what is not just being sent."""
