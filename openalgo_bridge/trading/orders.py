"""Place, modify, cancel: the one path of an order (design 4). Every front door joins here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid, NotFound
from openalgo_bridge.model.order import (
    BrokerRequest,
    CancelRequest,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.model.permission import Permission, refusal
from openalgo_bridge.model.ticket import Origin, Ticket, TicketDraft, new_ref, operation_of, order_of
from openalgo_bridge.trading import routing, targets, validation
from openalgo_bridge.trading.sending import InDoubt, Sent, carry_out

HELD_FOR = timedelta(minutes=5)
"""How long a held ticket may wait for the person before it expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Waits in the Action Center. ``reason`` is set when it is held although the mode is Auto."""

    ticket: Ticket
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A ticket that was held was taken back by whoever asked for it. Nothing was at a broker."""

    ticket: Ticket


Submitted = Held | Sent | InDoubt


def place(desk: Desk, order: OrderRequest, origin: Origin) -> Submitted:
    """Place one order in the current trading mode.

    Raises Invalid, NotAllowed where the sender may not trade live, a provable refusal of the broker, or StorageError
    when it could not be written down. In all of these nothing is at the broker.
    """
    return _submit(desk, order, origin, desk.store.preferences.trading_mode())


def modify(desk: Desk, wanted: str, order: OrderRequest, origin: Origin) -> Submitted:
    """Change one order so that it becomes ``order``. Raises as :func:`place`, NotFound and Conflict."""
    target = targets.find(desk, wanted)
    request = ModifyRequest(broker_order_id=target.broker_order_id, order=order)
    return _submit(desk, request, origin, target.trading_mode)


def cancel(desk: Desk, wanted: str, origin: Origin) -> Submitted | Withdrawn:
    """Withdraw one order: from the queue while it is held, else from the broker. Raises as :func:`modify`."""
    held = targets.held(desk, wanted)
    if held is not None and _withdrawn(desk, held):
        return Withdrawn(ticket=held)
    target = targets.find(desk, wanted)
    request = CancelRequest(broker_order_id=target.broker_order_id)
    return _submit(desk, request, origin, target.trading_mode)


def _submit(desk: Desk, request: BrokerRequest, origin: Origin, trading_mode: TradingMode) -> Submitted:
    """Check, route, write down, and carry out or hold."""
    if trading_mode is TradingMode.LIVE and not origin.may_trade_live and not isinstance(request, CancelRequest):
        raise refusal(Permission.LIVE_TRADING)
    validation.check(desk.store.instruments, request)
    broker = desk.broker(trading_mode)
    if isinstance(request, ModifyRequest):
        _check_target(broker, request)
    operation = operation_of(request)
    decision = routing.decide(desk.store.preferences, operation)
    draft = TicketDraft(
        ref=new_ref(desk.clock.now()),
        operation=operation,
        request=request,
        order_mode=decision.order_mode,
        trading_mode=trading_mode,
        origin=origin,
    )
    if decision.route is routing.Route.HOLD:
        return _hold(desk, broker, draft, decision.reason)
    try:
        ticket, permit = desk.store.journal.release(draft)
    except Conflict as changed:
        # The person saved another mode while this was on its way.
        return _hold(desk, broker, replace(draft, order_mode=OrderMode.SEMI_AUTO), changed.message)
    return carry_out(desk, broker, ticket, permit)


def _hold(desk: Desk, broker: Broker, draft: TicketDraft, reason: str) -> Held:
    """Only what the broker would take, as far as that can be known, is worth the person's time."""
    order = order_of(draft.request)
    if order is not None:
        broker.check(order)
    expires_at = desk.clock.now() + HELD_FOR
    ticket = desk.store.journal.hold(draft, expires_at=expires_at, reason=reason)
    return Held(ticket=ticket, reason=reason)


def _withdrawn(desk: Desk, held: Ticket) -> bool:
    try:
        desk.store.journal.withdraw(held.id)
    except Conflict:
        # Approved a moment ago: it is at the broker now, and is cancelled there. Or its time is over.
        desk.store.journal.expire_held()
        return False
    return True


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
