"""What the trader owns and what became of an order, asked of the broker of the current trading mode."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotFound
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.gtt import BrokerGtt, orders_of
from openalgo_bridge.model.order import (
    BrokerOrderId,
    BrokerRequest,
    CancelAllRequest,
    CancelGttRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    Product,
    TradingMode,
)
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Ticket, named_order, target_of
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.recovery import ask, look_again
from openalgo_bridge.trading.targets import by_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The broker that answers now, and the mode that says so."""

    broker: Broker
    mode: TradingMode


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFate:
    """One order as a caller may ask for it, by the broker's id or by our reference.

    ``request`` names many where all orders or positions were meant and nothing was sent. ``status`` is the broker's
    word, or ours while the broker has none: ``held``, ``unknown``, ``expired`` ...
    ``remark`` is a sentence where the question was about a change of the order.
    """

    id: str
    trading_mode: TradingMode
    request: OrderRequest | CancelAllRequest | CloseRequest
    status: str
    filled_quantity: int
    average_price: Decimal
    at: datetime
    reason: str
    remark: str = ""


def connected(desk: Desk) -> Connected:
    """Raises StorageError when the mode cannot be read, NotSent when its broker is not connected."""
    mode = desk.store.preferences.trading_mode()
    return Connected(broker=desk.broker(mode), mode=mode)


def order_fate(desk: Desk, wanted: str) -> OrderFate:
    """What became of an order. Raises NotFound when neither the broker nor the journal knows ``wanted``, and Conflict
    where it is the number of two orders.

    A ticket that took many orders answers with its first one, and names the references of the others.
    """
    desk.store.journal.expire_held()
    ticket = desk.store.journal.ticket_by_ref(wanted)
    if ticket is not None:
        return _fate_of_ticket(desk, ticket)
    leg = desk.store.journal.order_by_ref(wanted)
    if leg is not None:
        return _fate_of_leg(desk, desk.store.journal.ticket(leg.ticket_id), leg)
    return _fate_by_broker_id(desk, BrokerOrderId(wanted))


def open_quantity(broker: Broker, symbol: str, exchange: Exchange, product: Product) -> int:
    """The signed net of one position; 0 when there is none."""
    held = (
        position.quantity
        for position in broker.positions()
        if (position.symbol, position.exchange, position.product) == (symbol, exchange, product)
    )
    return next(held, 0)


def _fate_of_leg(desk: Desk, ticket: Ticket, leg: JournalOrder) -> OrderFate:
    """One that a restart took back never goes, but its ticket may: who hears "dropped" would send it again."""
    if all(each.id != leg.id for each in desk.store.journal.orders_of([ticket.id])):
        return _fate_of_ticket(desk, ticket)
    return _fate_of_message(desk, ticket, leg.request, leg)


def _fate_of_ticket(desk: Desk, ticket: Ticket) -> OrderFate:
    messages = desk.store.journal.orders_of([ticket.id])
    first = messages[0] if messages else None
    if isinstance(ticket.request, BrokerRequest):
        return _fate_of_message(desk, ticket, ticket.request, first)
    if first is None:
        return _without_messages(ticket)
    fate = _fate_of_message(desk, ticket, first.request, first)
    if len(messages) == 1:
        return fate
    others = ", ".join(each.ref for each in messages[1:])
    named = f"{ticket.ref} is a {ticket.operation} of {len(messages)} orders. This is the first; ask for {others} too."
    return replace(fate, remark=f"{named} {fate.remark}".strip())


def _without_messages(ticket: Ticket) -> OrderFate:
    """What waits for the person, or had nothing to send."""
    order = named_order(ticket.request)
    if order is not None:
        return _in_journal(ticket, order, None)
    if not isinstance(ticket.request, CancelAllRequest | CloseRequest):
        raise TypeError(f"{ticket.ref} asks for nothing that is known here")
    remark = f"{ticket.ref} is a {ticket.operation} of which no order was sent. It is {ticket.state}."
    return replace(_in_journal(ticket, ticket.request, None), remark=remark)


def _fate_of_message(desk: Desk, ticket: Ticket, request: BrokerRequest, placed: JournalOrder | None) -> OrderFate:
    if placed is not None and placed.state is OrderState.UNKNOWN:
        placed = look_again(desk, placed)
    if isinstance(request, GttRequest | ModifyGttRequest | CancelGttRequest):
        return _fate_of_gtt(desk, ticket, request, placed)
    if not isinstance(request, OrderRequest):
        return _fate_of_change(desk, ticket, request, placed)
    there = None if placed is None else _placed_at_broker(desk, placed)
    if there is not None:
        return _at_broker(there, ticket.trading_mode)
    return _in_journal(ticket, request, placed)


def _placed_at_broker(desk: Desk, placed: JournalOrder) -> BrokerOrder | None:
    if placed.broker_order_id is not None:
        return desk.broker(placed.trading_mode).order(placed.broker_order_id)
    # Its end could not be written down, or nobody knows it: the broker may know more.
    if placed.state in {OrderState.SENDING, OrderState.PARKED}:
        there = ask(desk, placed)
        return there if isinstance(there, BrokerOrder) else None
    number = desk.store.breaks.number_at_broker(placed.id)
    return None if number is None else desk.broker(placed.trading_mode).order(number)


def _fate_by_broker_id(desk: Desk, wanted: BrokerOrderId) -> OrderFate:
    mode = by_number(desk, wanted).trading_mode
    there = desk.broker(mode).order(wanted)
    if there is None:
        raise NotFound(f"Order {wanted} not found")
    return _at_broker(there, mode)


def _fate_of_change(
    desk: Desk, ticket: Ticket, change: ModifyRequest | CancelRequest, sent: JournalOrder | None
) -> OrderFate:
    """The order that was to be changed, as it is now, and what became of the change."""
    target = change.broker_order_id
    there = desk.broker(ticket.trading_mode).order(target)
    if there is None:
        raise NotFound(f"Order {target} not found")
    return replace(_at_broker(there, ticket.trading_mode), remark=_told_of_change(ticket, sent))


def _told_of_change(ticket: Ticket, sent: JournalOrder | None) -> str:
    if sent is None:
        return f"{ticket.operation} {ticket.ref} is {ticket.state}. {ticket.reason}".strip()
    # Of a ticket of many each message has an operation of its own.
    return f"{sent.operation} {sent.ref} is {sent.state}. {sent.message}".strip()


def _fate_of_gtt(
    desk: Desk, ticket: Ticket, request: GttRequest | ModifyGttRequest | CancelGttRequest, sent: JournalOrder | None
) -> OrderFate:
    """The GTT as its broker has it now, in the form of the first order that it may place."""
    number = target_of(request) or (None if sent is None else sent.broker_order_id)
    there = None if number is None else desk.broker(ticket.trading_mode).gtt(number)
    if there is None and isinstance(request, GttRequest):
        return _in_journal(ticket, orders_of(request)[0], sent)
    if there is None:
        raise NotFound(f"GTT {number} not found")
    return OrderFate(
        id=there.id,
        trading_mode=ticket.trading_mode,
        request=orders_of(there.request)[0],
        status=there.state,
        filled_quantity=0,
        average_price=Decimal(0),
        at=there.created_at,
        reason=there.reason,
        remark=_told_of_gtt(there) if isinstance(request, GttRequest) else _told_of_change(ticket, sent),
    )


def _told_of_gtt(there: BrokerGtt) -> str:
    waits = f"GTT {there.id} is {there.state}."
    return waits if there.fired is None else f"{waits} It placed order {there.fired}."


def _at_broker(order: BrokerOrder, mode: TradingMode) -> OrderFate:
    return OrderFate(
        id=order.id,
        trading_mode=mode,
        request=order.request,
        status=order.status,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        at=order.placed_at,
        reason=order.rejection_reason,
    )


def _in_journal(
    ticket: Ticket, order: OrderRequest | CancelAllRequest | CloseRequest, placed: JournalOrder | None
) -> OrderFate:
    state: TicketState | OrderState = ticket.state if placed is None else placed.state
    return OrderFate(
        id=ticket.ref if placed is None else placed.ref,
        trading_mode=ticket.trading_mode,
        request=order,
        status=state,
        filled_quantity=0,
        average_price=Decimal(0),
        at=ticket.created_at,
        reason=ticket.reason if placed is None else placed.message,
    )
