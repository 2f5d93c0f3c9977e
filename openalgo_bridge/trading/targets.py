"""Which order a caller means: it may name one by the broker's id or by our reference."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid, NotFound
from openalgo_bridge.model.order import BrokerOrderId, TradingMode
from openalgo_bridge.model.states import MAY_BE_THERE, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.recovery import ask


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
    if ticket is not None:
        return _of_ticket(desk, ticket)
    leg = desk.store.journal.order_by_ref(wanted)
    if leg is not None:
        return _of_message(desk, leg)
    placed = desk.store.journal.order_by_broker_id(BrokerOrderId(wanted))
    mode = desk.store.preferences.trading_mode() if placed is None else placed.trading_mode
    return Target(broker_order_id=BrokerOrderId(wanted), trading_mode=mode)


def held(desk: Desk, wanted: str) -> Ticket | None:
    """The held ticket of one of our references, or None."""
    desk.store.journal.expire_held()
    ticket = desk.store.journal.ticket_by_ref(wanted)
    return ticket if ticket is not None and ticket.state is TicketState.HELD else None


def _of_ticket(desk: Desk, ticket: Ticket) -> Target:
    if ticket.operation is not Operation.PLACE:
        raise NotFound(f"{ticket.ref} is a change of an order, not an order.")
    order = next(iter(desk.store.journal.orders_of([ticket.id])), None)
    if order is None:
        raise Invalid(f"Order {ticket.ref} was never sent: it is {ticket.state}.")
    return _of_message(desk, order)


def _of_message(desk: Desk, order: JournalOrder) -> Target:
    """What one message placed; of a ticket that took many, each has a reference of its own."""
    if order.operation is not Operation.PLACE:
        raise NotFound(f"{order.ref} is a change of an order, not an order.")
    return Target(broker_order_id=_broker_order_id(desk, order), trading_mode=order.trading_mode)


def _broker_order_id(desk: Desk, order: JournalOrder) -> BrokerOrderId:
    if order.broker_order_id is not None:
        return order.broker_order_id
    if order.state not in MAY_BE_THERE:
        raise Invalid(f"Order {order.ref} is not at the broker: it is {order.state}.")
    there = ask(desk, order)
    if there is None:
        raise Conflict(f"Whether order {order.ref} reached the broker is not known yet. Look there first.")
    return there.id
