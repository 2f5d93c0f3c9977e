"""What became of something that was asked for, in one word: "why did it not trade?" has exactly one answer. Pure.

Every ticket has one outcome, so the outcomes of a day add up to what was received. An outcome of many messages follows
from the set of theirs, however many there are of each: a database can group by that set and count.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation


class Outcome(StrEnum):
    """``SENT``: the broker took an order, or a GTT, and its own word about it is not known here. ``DONE``: a change or
    a withdrawal that the broker took; of many messages, that every one did what was asked. ``PARTLY_FILLED`` is final;
    what still works is ``WORKING``.
    """

    WAITING = "waiting"
    DENIED = "denied"
    TURNED_DOWN = "turned_down"
    EXPIRED = "expired"
    SENDING = "sending"
    DECIDE = "decide"
    IN_DOUBT = "in_doubt"
    REFUSED = "refused"
    NOT_PLACED = "not_placed"
    DROPPED = "dropped"
    SENT = "sent"
    WORKING = "working"
    PARTLY_FILLED = "partly_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    PARTLY_DONE = "partly_done"
    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"


def outcome_of_order(
    operation: Operation, state: OrderState, status: OrderStatus | None = None, filled: int = 0
) -> Outcome:
    """Of one message. ``status`` and ``filled`` (units) are the broker's word about the order that was placed."""
    if state is not OrderState.SENT:
        return _OF_ORDER[state]
    if operation is Operation.PLACE_GTT:
        return Outcome.SENT
    if operation is not Operation.PLACE:
        return Outcome.DONE
    match status:
        case None:
            return Outcome.SENT
        case OrderStatus.CANCELLED if filled:
            return Outcome.PARTLY_FILLED
        case _:
            return _OF_STATUS[status]


def outcome_of_ticket(state: TicketState, messages: Collection[Outcome] = ()) -> Outcome:
    """Of a ticket, from the outcomes of its messages. A held ticket whose time is over counts as expired."""
    if state not in _MAY_HAVE_ORDERS:
        return _OF_TICKET[state]
    if not messages:
        return Outcome.NOTHING_TO_DO if state is TicketState.RELEASED else Outcome.SENDING
    return _together(set(messages))


def _together(messages: set[Outcome]) -> Outcome:
    """What needs the person comes first, then what is not over; then all did what was asked, none, or a part."""
    if len(messages) == 1:
        return next(iter(messages))
    not_over = next((each for each in _NOT_OVER if each in messages), None)
    if not_over is not None:
        return not_over
    if messages <= _AS_ASKED:
        return Outcome.DONE
    if messages <= _NOTHING:
        return next(each for each in _WORST_FIRST if each in messages)
    return Outcome.PARTLY_DONE


_MAY_HAVE_ORDERS = {TicketState.ACCEPTED, TicketState.APPROVED, TicketState.RELEASED}

_OF_TICKET = {
    TicketState.HELD: Outcome.WAITING,
    TicketState.DENIED: Outcome.DENIED,
    TicketState.REJECTED: Outcome.TURNED_DOWN,
    TicketState.EXPIRED: Outcome.EXPIRED,
}

_OF_ORDER = {
    OrderState.PLANNED: Outcome.SENDING,
    OrderState.SENDING: Outcome.SENDING,
    OrderState.REJECTED: Outcome.REFUSED,
    OrderState.UNKNOWN: Outcome.IN_DOUBT,
    OrderState.PARKED: Outcome.DECIDE,
    OrderState.NOT_PLACED: Outcome.NOT_PLACED,
    OrderState.DROPPED: Outcome.DROPPED,
}

_OF_STATUS = {
    OrderStatus.OPEN: Outcome.WORKING,
    OrderStatus.TRIGGER_PENDING: Outcome.WORKING,
    OrderStatus.COMPLETE: Outcome.FILLED,
    OrderStatus.REJECTED: Outcome.REFUSED,
    OrderStatus.CANCELLED: Outcome.CANCELLED,
}

_NOT_OVER = (Outcome.DECIDE, Outcome.IN_DOUBT, Outcome.SENDING, Outcome.WORKING, Outcome.SENT)
_AS_ASKED = {Outcome.FILLED, Outcome.DONE}
_WORST_FIRST = (Outcome.REFUSED, Outcome.NOT_PLACED, Outcome.DROPPED, Outcome.CANCELLED)
_NOTHING = set(_WORST_FIRST)
