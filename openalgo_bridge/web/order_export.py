"""``/orders/export.csv``: the whole list that the Orders page shows the first lines of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotAsked
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest, Ref
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.model.ticket import Operation, Ticket, order_of, target_of
from openalgo_bridge.store.outcomes import Tally
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.broker_orders import BrokerOrders, of_today, with_untold
from openalgo_bridge.web.csv_text import Cell, download
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.day_filter import Asked, asked_in_url
from openalgo_bridge.web.legs import Leg
from openalgo_bridge.web.order_lines import Line, lines_of

blueprint = Blueprint("order_export", __name__)

_AT_ONCE = 200
_OF_ORDER = ("symbol", "exchange", "product", "action", "quantity", "price_type", "price", "trigger_price")
_COLUMNS = (
    "time_ist",
    "ticket",
    "reference",
    "operation",
    *_OF_ORDER,
    "outcome",
    "filled",
    "average_price",
    "why",
    "order_id",
    "asked_by",
    "strategy",
    "account",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One message to a broker, or a ticket of which none went. ``filled`` (units) and ``average_price`` (rupees) are
    None where the broker has no word.
    """

    ticket: Ticket
    ref: Ref
    operation: Operation
    order: OrderRequest | None
    outcome: Outcome
    filled: int | None
    average_price: Decimal | None
    why: str
    broker_order_id: BrokerOrderId | None


@blueprint.get("/orders/export.csv")
def export() -> ResponseReturnValue:
    """Newest first. Raises NotAsked where a broker of today's orders cannot be read: what it did with them would be
    missing, and nobody would see that in a file.
    """
    desk = reading(current_desk())
    asked = asked_in_url(desk.clock.now())
    said = of_today(desk, desk.store.outcomes.accounts(asked.wanted) if asked.is_today else set())
    if said.faults:
        raise NotAsked(next(iter(said.faults.values())))
    rows = [_cells(row) for line in _lines(desk, asked, said) for row in _rows(line)]
    return download(f"orders-{asked.day.isoformat()}.csv", _COLUMNS, rows)


def _lines(desk: Desk, asked: Asked, said: BrokerOrders) -> Iterator[Line]:
    tally = desk.store.outcomes.tally(asked.wanted, said.found)
    tickets = _tickets(desk, asked, said, tally, None)
    while tickets:
        messages = desk.store.journal.orders_of([ticket.id for ticket in tickets])
        told = with_untold(desk, said, messages)
        yield from lines_of(tickets, messages, told, desk.clock.now())
        tickets = _tickets(desk, asked, said, tally, tickets[-1].id)


def _tickets(desk: Desk, asked: Asked, said: BrokerOrders, tally: Tally, before: int | None) -> Sequence[Ticket]:
    outcomes = desk.store.outcomes
    if asked.outcome is None:
        return outcomes.page(asked.wanted, before=before, limit=_AT_ONCE)
    return outcomes.page_of(asked.wanted, asked.outcome, tally, said.found, before=before, limit=_AT_ONCE)


def _rows(line: Line) -> Sequence[Row]:
    if line.legs:
        return [_of_leg(line.ticket, leg) for leg in line.legs]
    return [
        Row(
            ticket=line.ticket,
            ref=line.ticket.ref,
            operation=line.ticket.operation,
            order=line.ticket.order,
            outcome=line.outcome,
            filled=line.filled,
            average_price=line.average_price,
            why=line.why,
            broker_order_id=target_of(line.ticket.request) or line.broker_order_id,
        )
    ]


def _of_leg(ticket: Ticket, leg: Leg) -> Row:
    message = leg.message
    placed = leg.there if message.operation is Operation.PLACE else None
    return Row(
        ticket=ticket,
        ref=message.ref,
        operation=message.operation,
        order=order_of(message.request),
        outcome=leg.outcome,
        filled=None if placed is None else placed.filled_quantity,
        average_price=placed.average_price if placed is not None and placed.filled_quantity else None,
        why=leg.why,
        broker_order_id=target_of(message.request) or message.broker_order_id,
    )


def _cells(row: Row) -> tuple[Cell, ...]:
    ticket, order = row.ticket, row.order
    return (
        ticket.created_at,
        ticket.id,
        row.ref,
        row.operation,
        *((None,) * len(_OF_ORDER) if order is None else _of_order(order)),
        row.outcome,
        row.filled,
        row.average_price,
        row.why,
        row.broker_order_id,
        ticket.origin.source,
        ticket.origin.strategy,
        ticket.trading_mode,
    )


def _of_order(order: OrderRequest) -> tuple[Cell, ...]:
    return (
        order.symbol,
        order.exchange,
        order.product,
        order.action,
        order.quantity,
        order.price_type,
        order.price,
        order.trigger_price,
    )
