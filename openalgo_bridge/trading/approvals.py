"""The Action Center: what waits for the person, and what the person decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Conflict, Denied, Invalid
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    BrokerRequest,
    CancelAllRequest,
    CloseRequest,
    ModifyRequest,
    OrderRequest,
    Product,
)
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import closing, guards, validation
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.sending import InDoubt, Sent, carry_out, clearance

_LONGEST_REASON = 200
_MENDED_BY: Mapping[str, str] = {
    Guard.MAXIMUM_QUANTITY: "quantity",
    Guard.ORDER_VALUE: "quantity",
    Guard.PRICE_BAND: "price",
}
"""The field of a revision with which a guard's limit can be kept."""

Approved = Sent | InDoubt | Report
"""What became of an approval: of one message, or a report of as many as there were positions to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What the person may change of a held order. Prices in rupees, 0 where the price type uses none."""

    quantity: int
    price: Decimal
    trigger_price: Decimal
    product: Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one of many approvals came to: ``result``, or the ``refusal`` for which nothing was sent."""

    ticket_id: int
    result: Approved | None = None
    refusal: BridgeError | None = None


def waiting(desk: Desk) -> list[Ticket]:
    """The tickets that may be decided, in the order they arrived; what was left too long expires first."""
    desk.store.journal.expire_held()
    return desk.store.journal.held()


def ticket(desk: Desk, ticket_id: int) -> Ticket:
    """One ticket as it stands now, expired when its time is over. Raises NotFound or StorageError."""
    desk.store.journal.expire_held()
    return desk.store.journal.ticket(ticket_id)


def as_shown(desk: Desk, ticket_id: int, shown: str) -> Ticket:
    """A ticket that may still be decided and is what the page showed. Raises NotFound, Conflict or StorageError.

    For a form that is looked at before anything is done; whatever is then done asks again in its own transaction.
    """
    found = ticket(desk, ticket_id)
    if found.state is not TicketState.HELD:
        raise Conflict(f"Ticket {ticket_id} is already {found.state}.")
    if found.shown != shown:
        raise Conflict(f"Ticket {ticket_id} is not what was shown. Look at it again.")
    return found


def approve(desk: Desk, ticket_id: int, shown: str, *, by: Actor) -> Approved:
    """The person lets a held ticket go, once, in the modes it was accepted under, whatever it asks for.

    ``shown`` is the ticket's fingerprint from the page. Raises NotFound, Conflict, Denied by a guard or the kill
    switch, Invalid, Busy, StorageError, or a provable refusal of the broker. Up to the claim nothing has changed;
    after it nothing can send it again.
    """
    held = ticket(desk, ticket_id)
    match held.request:
        case CloseRequest():
            return closing.approve(desk, held, shown, by=by)
        case CancelAllRequest():
            raise Invalid(f"Ticket {ticket_id} withdraws orders: it is never held, so there is nothing to approve.")
        case request:
            return _approve_message(desk, held, request, shown, by)


def _approve_message(desk: Desk, held: Ticket, request: BrokerRequest, shown: str, by: Actor) -> Sent | InDoubt:
    desk.doors.admit(held.operation)
    validation.check(desk.store.instruments, request)
    broker = desk.broker(held.trading_mode)
    with clearance(desk, broker, held.operation):
        reserve = guards.check_approval(desk, broker, held)
        approved, permit = desk.store.journal.approve(held.id, shown, by=by, reserve=reserve)
        return carry_out(desk, broker, approved, permit)


def approve_many(
    desk: Desk, chosen: Sequence[tuple[int, str]], *, by: Actor, stop_at_refusal: bool
) -> Iterator[Verdict]:
    """Approve each ``(ticket id, shown)`` in the order in which the tickets arrived (behaviour W2.5).

    One refusal does not undo what went before it; ``stop_at_refusal`` leaves the rest held.
    """
    for ticket_id, shown in sorted(chosen):
        try:
            yield Verdict(ticket_id=ticket_id, result=approve(desk, ticket_id, shown, by=by))
        except BridgeError as refusal:
            yield Verdict(ticket_id=ticket_id, refusal=refusal)
            if stop_at_refusal:
                return


def reject(desk: Desk, ticket_id: int, shown: str, reason: str, *, by: Actor) -> Ticket:
    """The person turns a held ticket down. Raises NotFound, Conflict or StorageError.

    A key in the reason is not kept. It is taken out before the reason is cut: a part of a key is no key to see.
    """
    desk.store.journal.expire_held()
    told = redact(reason.strip())[:_LONGEST_REASON] or "Rejected by the trader."
    return desk.store.journal.reject(ticket_id, shown, told, by=by)


def revise(desk: Desk, ticket_id: int, shown: str, revision: Revision, *, by: Actor) -> Ticket:
    """The person changes a held order; it stays held, and is to be shown again. Sends nothing.

    Raises NotFound, Conflict as :func:`approve`, Invalid when the order would make no sense, is not changed, or is
    above a limit that a smaller quantity or another price would keep, and Rejected for what the broker never takes.
    """
    held = ticket(desk, ticket_id)
    request = _revised(held, revision)
    validation.check(desk.store.instruments, request)
    _check_limits(desk, replace(held, request=request))
    return desk.store.journal.revise(ticket_id, shown, request, by=by)


def _check_limits(desk: Desk, wanted: Ticket) -> None:
    """What the revision itself can mend. Whatever else stands in the way is told when it is approved."""
    broker = desk.broker(wanted.trading_mode)
    if wanted.order is not None:
        broker.check(wanted.order)
    try:
        guards.check_approval(desk, broker, wanted)
    except Denied as refusal:
        field = _MENDED_BY.get(refusal.guard)
        if field is not None:
            raise Invalid.of({field: [refusal.message]}) from refusal
    except (Conflict, BrokerError):
        # In doubt, or a limit that cannot be read just now: the approval asks again, and fails closed.
        return


def _revised(held: Ticket, revision: Revision) -> OrderRequest | ModifyRequest:
    """The request as the person wants it. Raises Invalid where the ticket has no order to change."""
    if revision.quantity <= 0:
        raise Invalid.of({"quantity": ["Quantity must be at least 1."]})
    if held.order is None:
        raise Invalid(f"{held.operation} has no order that could be changed.")
    order = replace(
        held.order,
        quantity=revision.quantity,
        price=revision.price,
        trigger_price=revision.trigger_price,
        product=revision.product,
    )
    return replace(held.request, order=order) if isinstance(held.request, ModifyRequest) else order
