"""Which order a caller means: it may name one by the broker's id or by our reference."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid, NotFound
from openalgo_bridge.model.order import BrokerOrderId, TradingMode
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.trading.recovery import ask

_MAY_BE_THERE = {OrderState.SENDING, OrderState.UNKNOWN, OrderState.PARKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An order at a broker, and the trading mode whose broker that is."""

    broker_order_id: BrokerOrderId
    trading_mode: TradingMode


def find(desk: Desk, wanted: str) -> Target:
    """The order at the broker. A reference of ours never goes on the wire as if it were a broker's id.

    Raises NotFound, Invalid when it never was at the broker, and Conflict while nobody knows.
    """
    ticket = desk.store.journal.ticket_by_ref(wanted)
    if ticket is None:
        placed = desk.store.journal.order_by_broker_id(BrokerOrderId(wanted))
        mode = desk.store.preferences.trading_mode() if placed is None else placed.trading_mode
        return Target(broker_order_id=BrokerOrderId(wanted), trading_mode=mode)
    if ticket.operation is not Operation.PLACE:
        raise NotFound(f"{wanted} is a change of an order, not an order.")
    return Target(broker_order_id=_broker_order_id(desk, ticket), trading_mode=ticket.trading_mode)


def held(desk: Desk, wanted: str) -> Ticket | None:
    """The held ticket of one of our references, or None."""
    desk.store.journal.expire_held()
    ticket = desk.store.journal.ticket_by_ref(wanted)
    return ticket if ticket is not None and ticket.state is TicketState.HELD else None


def _broker_order_id(desk: Desk, ticket: Ticket) -> BrokerOrderId:
    order = next(iter(desk.store.journal.orders_of([ticket.id])), None)
    if order is None:
        raise Invalid(f"Order {ticket.ref} was never sent: it is {ticket.state}.")
    if order.broker_order_id is not None:
        return order.broker_order_id
    if order.state not in _MAY_BE_THERE:
        raise Invalid(f"Order {ticket.ref} is not at the broker: it is {order.state}.")
    there = ask(desk, order)
    if there is None:
        raise Conflict(f"Whether order {ticket.ref} reached the broker is not known yet. Look there first.")
    return there.id
