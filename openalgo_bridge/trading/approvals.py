"""The Action Center: what waits for the person, and what the person decides."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Conflict, Denied, Invalid
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    BrokerRequest,
    CancelAllRequest,
    CloseRequest,
    GttRequest,
    LegsRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    PositionKey,
    Product,
    SmartOrderRequest,
)
from openalgo_bridge.model.redaction import noted
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import closing, exits, gtts, guards, orders, several, smart, unread, validation
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.sending import InDoubt, Sent, carry_out, clearance

_DECIDED = {TicketState.APPROVED, TicketState.RELEASED, TicketState.REJECTED}
_log = logging.getLogger(__name__)
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


def approve(
    desk: Desk, ticket_id: int, shown: str, *, by: Actor, seen: Mapping[PositionKey, int] | None = None
) -> Approved:
    """The person lets a held ticket go, once, in the modes it was accepted under, whatever it asks for.

    ``shown`` is the ticket's fingerprint from the page, and ``seen`` the signed positions that the page of a closing
    named, or the signed order of a smart order: their tickets name none, so without it it is a Conflict. Raises
    NotFound, Conflict, Denied by a guard or the kill switch, Invalid, Busy, StorageError, or a provable refusal of the
    broker. Up to the claim nothing has changed; after it nothing can send it again.
    """
    held = ticket(desk, ticket_id)
    match held.request:
        case CloseRequest():
            if seen is None:
                raise Conflict(f"Ticket {ticket_id} closes positions. It is approved on its page, which names them.")
            return closing.approve(desk, held, shown, seen, by=by)
        case CancelAllRequest():
            raise Invalid(f"Ticket {ticket_id} withdraws orders: it is never held, so there is nothing to approve.")
        case LegsRequest() as legs:
            with _noting_refusals(desk, held):
                return several.approve(desk, unread.read_again(desk, held, shown, by=by), legs, shown, by=by)
        case SmartOrderRequest() as wanted:
            if seen is None:
                raise Conflict(f"Ticket {ticket_id} takes a position to a size. It is approved on its page.")
            with _noting_refusals(desk, held):
                read = unread.read_again(desk, held, shown, by=by)
                return smart.approve(desk, read, wanted, shown, seen, by=by)
        case GttRequest() | ModifyGttRequest() as asked:
            with _noting_refusals(desk, held):
                return gtts.approve(desk, held, asked, shown, by=by)
        case request:
            return _approve_message(desk, held, request, shown, by)


def _approve_message(desk: Desk, held: Ticket, request: BrokerRequest, shown: str, by: Actor) -> Sent | InDoubt:
    desk.doors.admit(held.operation)
    validation.check(desk, request, held.trading_mode)
    broker, after = desk.broker(held.trading_mode), desk.store.journal.mark()
    if isinstance(request, ModifyRequest):
        with desk.budget.slot(is_exit=True):
            orders.check_target(broker, request)
    held = unread.read_again(desk, held, shown, by=by)
    is_exit = partial(exits.is_proven, desk, broker, request, held.trading_mode)
    with clearance(desk, broker, held.operation, is_exit=is_exit):
        with _noting_refusals(desk, held):
            passage = guards.check_approval(desk, broker, held, after)
            approved, permit = desk.store.journal.approve(
                held.id, shown, by=by, reserve=passage.reserve, premises=passage.premises
            )
        return carry_out(desk, broker, approved, permit)


@contextmanager
def _noting_refusals(desk: Desk, held: Ticket) -> Iterator[None]:
    try:
        yield
    except Denied as refusal:
        _write_down(desk, held, refusal)
        raise


def _write_down(desk: Desk, held: Ticket, refusal: Denied) -> None:
    """The person must hear which guard said no even when it cannot be written, or somebody decided meanwhile."""
    try:
        desk.store.journal.refuse(held.id, guard=refusal.guard, reason=refusal.reason)
    except BridgeError:
        _log.exception("ticket %s: the refusal of guard %s could not be written down", held.id, refusal.guard)


def approve_many(
    desk: Desk, chosen: Sequence[tuple[int, str]], *, by: Actor, stop_at_refusal: bool
) -> Iterator[Verdict]:
    """Approve each ``(ticket id, shown)`` in the order in which the tickets arrived (behaviour W2.5).

    One refusal does not undo what went before it; ``stop_at_refusal`` leaves the rest held, also after what is in
    doubt: a broker that hangs would turn each of them into a doubt. What somebody else decided before is no refusal.
    """
    for ticket_id, shown in sorted(chosen):
        verdict = _verdict(desk, ticket_id, shown, by)
        yield verdict
        if stop_at_refusal and not _went_well(desk, verdict):
            return


def _verdict(desk: Desk, ticket_id: int, shown: str, by: Actor) -> Verdict:
    try:
        return Verdict(ticket_id=ticket_id, result=approve(desk, ticket_id, shown, by=by))
    except BridgeError as refusal:
        return Verdict(ticket_id=ticket_id, refusal=refusal)


def _went_well(desk: Desk, verdict: Verdict) -> bool:
    """False also where nobody can tell: the person wants to look before more is sent."""
    match verdict.result:
        case Sent() as sent:
            return _is_taken(desk, sent)
        case InDoubt():
            return False
        case Report() as report:
            sent_of = [leg.result for leg in report.legs if isinstance(leg.result, Sent)]
            return report.is_done and all(_is_taken(desk, each) for each in sent_of)
    return isinstance(verdict.refusal, Conflict) and _was_decided(desk, verdict.ticket_id)


def _is_taken(desk: Desk, sent: Sent) -> bool:
    """A broker may take an order and refuse it a moment later, in its book."""
    try:
        there = desk.broker(sent.ticket.trading_mode).order(sent.broker_order_id)
    except BridgeError:
        return False
    return there is not None and there.status is not OrderStatus.REJECTED


def _was_decided(desk: Desk, ticket_id: int) -> bool:
    try:
        return desk.store.journal.ticket(ticket_id).state in _DECIDED
    except BridgeError:
        return False


def reject(desk: Desk, ticket_id: int, shown: str, reason: str, *, by: Actor) -> Ticket:
    """The person turns a held ticket down. Raises NotFound, Conflict or StorageError.

    A key in the reason is not kept.
    """
    desk.store.journal.expire_held()
    told = noted(reason) or "Rejected by the trader."
    return desk.store.journal.reject(ticket_id, shown, told, by=by)


def revise(desk: Desk, ticket_id: int, shown: str, revision: Revision, *, by: Actor) -> Ticket:
    """The person changes a held order; it stays held, and is to be shown again. Sends nothing.

    Raises NotFound, Conflict as :func:`approve`, Invalid when the order would make no sense, is not changed, or is
    above a limit that a smaller quantity or another price would keep, and Rejected for what the broker never takes.
    """
    held = ticket(desk, ticket_id)
    request = _revised(held, revision)
    validation.check(desk, request, held.trading_mode)
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
            raise Invalid.of({field: [refusal.reason]}) from refusal
    except (Conflict, BrokerError):
        # In doubt, or a limit that cannot be read just now: the approval asks again, and fails closed.
        return


def _revised(held: Ticket, revision: Revision) -> OrderRequest | ModifyRequest:
    """The request as the person wants it. Raises Invalid where the ticket has no order to change."""
    if revision.quantity <= 0:
        raise Invalid.of({"quantity": ["Quantity must be at least 1."]})
    if held.order is None:
        raise Invalid(f"{held.operation} has no order that could be changed.")
    if isinstance(held.request, ModifyRequest) and revision.product is not held.order.product:
        raise Invalid.of({"product": ["The product of an order that is at the broker cannot be changed."]})
    order = replace(
        held.order,
        quantity=revision.quantity,
        price=revision.price,
        trigger_price=revision.trigger_price,
        product=revision.product,
    )
    return replace(held.request, order=order) if isinstance(held.request, ModifyRequest) else order
