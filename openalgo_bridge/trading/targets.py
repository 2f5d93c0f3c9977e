"""Which order a caller means: it may name one by the broker's id or by our reference."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.clock import day_in_india
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

    Raises NotFound, Invalid when it never was at the broker, and Conflict while nobody knows, or where a number or a
    reference is that of several orders.
    """
    many = of_several(desk, wanted)
    if many is not None:
        raise Conflict(_which_of(desk, many))
    message = desk.store.journal.order_by_ref(wanted)
    if message is not None:
        return _of_message(desk, _in_place_of(desk, message))
    ticket = desk.store.journal.ticket_by_ref(wanted)
    if ticket is not None:
        raise _without_order(ticket)
    return by_number(desk, BrokerOrderId(wanted))


def of_several(desk: Desk, wanted: str) -> Ticket | None:
    """The ticket that a reference of ours names, where it took several orders: none of them alone is meant."""
    ticket = desk.store.journal.ticket_by_ref(wanted)
    if ticket is None or not ticket.operation.is_of_many or ticket.operation.is_cancel:
        return None
    return ticket if len(_placed(desk, ticket)) > 1 else None


def by_number(desk: Desk, number: BrokerOrderId, placed_by: Operation = Operation.PLACE) -> Target:
    """The order, or what else is ``placed_by`` an operation, of a broker's number, in the one account that gave it out
    through us, else in the current one.

    Where both did, the one that did today is meant. Raises Conflict when both did today, StorageError.
    """
    placed = desk.store.journal.orders_by_broker_id(number, placed_by)
    today = day_in_india(desk.clock.now())
    for modes in (
        {each.trading_mode for each in placed},
        {each.trading_mode for each in placed if day_in_india(each.created_at) == today},
    ):
        if len(modes) == 1:
            return Target(broker_order_id=number, trading_mode=modes.pop())
    mode = desk.store.preferences.trading_mode()
    if modes:
        newest = {each.trading_mode: each.ref for each in reversed(placed)}
        named = ", ".join(f"{ref} ({account})" for account, ref in newest.items())
        raise Conflict(f"Both accounts have an order {number}. Name the one you mean by its reference: {named}.")
    return Target(broker_order_id=number, trading_mode=mode)


def held(desk: Desk, wanted: str) -> Ticket | None:
    """The held ticket of one of our references, or None."""
    desk.store.journal.expire_held()
    ticket = desk.store.journal.ticket_by_ref(wanted)
    return ticket if ticket is not None and ticket.state is TicketState.HELD else None


def _in_place_of(desk: Desk, message: JournalOrder) -> JournalOrder:
    """Where a restart took an approval back, the one order that went by the next has another reference."""
    current = desk.store.journal.orders_of([message.ticket_id])
    return current[0] if len(current) == 1 else message


def _placed(desk: Desk, ticket: Ticket) -> list[JournalOrder]:
    return [each for each in desk.store.journal.orders_of([ticket.id]) if each.operation is Operation.PLACE]


def _which_of(desk: Desk, ticket: Ticket) -> str:
    placed = _placed(desk, ticket)
    named = ", ".join(each.broker_order_id or each.ref for each in placed)
    return f"{ticket.ref} is a {ticket.operation} of {len(placed)} orders. Name the one you mean: {named}."


def _without_order(ticket: Ticket) -> NotFound | Invalid:
    if ticket.operation is not Operation.PLACE:
        return NotFound(f"{ticket.ref} is a {ticket.operation}, not an order.")
    return Invalid(f"Order {ticket.ref} was never sent: it is {ticket.state}.")


def _of_message(desk: Desk, order: JournalOrder) -> Target:
    """What one message placed; of a ticket that took many, each has a reference of its own."""
    if order.operation is not Operation.PLACE:
        raise NotFound(f"{order.ref} is a change of an order, not an order.")
    return Target(broker_order_id=number_of(desk, order), trading_mode=order.trading_mode)


def number_of(desk: Desk, order: JournalOrder) -> BrokerOrderId:
    """The broker's number of what a message placed. Raises Invalid where it placed nothing, and Conflict while nobody
    knows.
    """
    if order.broker_order_id is not None:
        return order.broker_order_id
    number = desk.store.breaks.number_at_broker(order.id)
    if number is not None:
        return number
    if order.state not in MAY_BE_THERE:
        raise Invalid(f"Order {order.ref} is not at the broker: it is {order.state}.")
    there = ask(desk, order)
    if there is None:
        raise Conflict(f"Whether order {order.ref} reached the broker is not known yet. Look there first.")
    return there.id
