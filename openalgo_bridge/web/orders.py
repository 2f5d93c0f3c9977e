"""``/orders``: everything that was asked for, with what we did and what the broker says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Ticket, target_of
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.books import connected
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of

blueprint = Blueprint("orders", __name__)

Book = dict[BrokerOrderId, BrokerOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One ticket. ``status`` is the broker's word where it has one, else ours; quantities in units."""

    ticket: Ticket
    status: str
    broker_order_id: BrokerOrderId | None
    filled: int | None
    average_price: Decimal | None
    message: str


@blueprint.get("/orders")
def orders() -> ResponseReturnValue:
    """Newest first."""
    desk = current_desk()
    before = before_in_url()
    page = page_of(desk.store.journal.tickets(before=before, limit=PAGE_SIZE + 1), before)
    book, fault = book_or_fault(desk)
    return render_template("orders.html", page=page, lines=lines_of(desk, page.rows, book), fault=fault)


def book_or_fault(desk: Desk) -> tuple[Book, str]:
    """A broker that does not answer must not hide what we know ourselves."""
    try:
        return {order.id: order for order in connected(desk).broker.order_book()}, ""
    except BrokerError as error:
        return {}, error.message


def lines_of(desk: Desk, tickets: Sequence[Ticket], book: Book) -> list[Line]:
    """The tickets with what became of them, in their order. Raises StorageError."""
    placed = {order.ticket_id: order for order in desk.store.journal.orders_of([ticket.id for ticket in tickets])}
    return [_line(ticket, placed.get(ticket.id), book) for ticket in tickets]


def _line(ticket: Ticket, order: JournalOrder | None, book: Book) -> Line:
    if order is None:
        return _own(ticket, ticket.state, None, ticket.reason)
    there = None if order.broker_order_id is None else book.get(order.broker_order_id)
    # A change or a cancel was itself only sent; the order it names has a line of its own.
    if there is None or order.state is not OrderState.SENT or not isinstance(ticket.request, OrderRequest):
        return _own(ticket, order.state, order.broker_order_id or target_of(ticket.request), order.message)
    return Line(
        ticket=ticket,
        status=there.status,
        broker_order_id=there.id,
        filled=there.filled_quantity,
        average_price=there.average_price if there.filled_quantity else None,
        message=there.rejection_reason or order.message,
    )


def _own(ticket: Ticket, status: str, broker_order_id: BrokerOrderId | None, message: str) -> Line:
    return Line(
        ticket=ticket,
        status=status,
        broker_order_id=broker_order_id,
        filled=None,
        average_price=None,
        message=message,
    )
