"""Submit: the one path of an order (design 4). Every front door joins here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model.order import BrokerRequest, ModifyRequest
from openalgo_bridge.model.ticket import Origin, Ticket, TicketDraft, new_ref, operation_of
from openalgo_bridge.trading import routing, validation
from openalgo_bridge.trading.sending import InDoubt, Sent, carry_out

HELD_FOR = timedelta(minutes=5)
"""How long a held ticket may wait for the person before it expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Waits in the Action Center. ``reason`` is set when it is held although the mode is Auto."""

    ticket: Ticket
    reason: str = ""


Submitted = Held | Sent | InDoubt


def submit(desk: Desk, request: BrokerRequest, origin: Origin) -> Submitted:
    """Check, route, write down, and carry out or hold what was asked for.

    Raises Invalid, NotFound, a provable refusal of the broker, or StorageError when it could not be written
    down. In all of these nothing is at the broker.
    """
    validation.check(desk.store.instruments, request)
    operation = operation_of(request)
    decision = routing.decide(desk.store.preferences, operation)
    broker = desk.broker(decision.trading_mode)
    if isinstance(request, ModifyRequest):
        _check_target(broker, request)
    draft = TicketDraft(
        ref=new_ref(),
        operation=operation,
        request=request,
        order_mode=decision.order_mode,
        trading_mode=decision.trading_mode,
        origin=origin,
    )
    if decision.route is routing.Route.HOLD:
        return _hold(desk, draft, decision.reason)
    ticket, permit = desk.store.journal.release(draft)
    return carry_out(desk, broker, ticket, permit)


def _hold(desk: Desk, draft: TicketDraft, reason: str) -> Held:
    expires_at = desk.clock.now() + HELD_FOR
    ticket = desk.store.journal.hold(draft, expires_at=expires_at, reason=reason)
    return Held(ticket=ticket, reason=reason)


def _check_target(broker: Broker, request: ModifyRequest) -> None:
    """A change is held only when there is something to change."""
    there = broker.order(request.broker_order_id)
    if there is None:
        raise NotFound(f"Order {request.broker_order_id} not found")
    named = (request.order.symbol, request.order.exchange, request.order.action)
    if named != (there.request.symbol, there.request.exchange, there.request.action):
        raise Invalid(f"Order {there.id} is {there.request.action} {there.request.symbol} on {there.request.exchange}.")
    if not there.status.is_working:
        raise Invalid(f"Cannot modify order in {there.status} status")
