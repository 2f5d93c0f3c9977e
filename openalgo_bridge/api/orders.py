"""Order endpoints (contract 2.1, 2.2.1)."""

from __future__ import annotations

from openalgo_bridge.api import answers, several_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.orders import AllOrders, AllPositions, ModifyOrder, NamedOrder, PlaceOrder
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.trading import books, closing, orders, targets
from openalgo_bridge.trading.orders import Held, Withdrawn

MODIFIED = "Order modified successfully"
CANCELLED = "Order cancelled successfully"


def place_order(call: Call) -> Json:
    """``POST /placeorder``"""
    asked = call.parsed(PlaceOrder)
    origin = call.origin(asked.strategy, asked.signal_time)
    return answers.submitted(call.noted(orders.place(call.desk, asked.order(), origin)))


def modify_order(call: Call) -> Json:
    """``POST /modifyorder``"""
    asked = call.parsed(ModifyOrder)
    result = orders.modify(call.desk, asked.orderid, asked.order(), call.origin(asked.strategy))
    return answers.changed(call.noted(result), MODIFIED)


def cancel_order(call: Call) -> Json:
    """``POST /cancelorder``: of a ticket that took several orders, all of them"""
    asked = call.parsed(NamedOrder)
    origin = call.origin(asked.strategy)
    many = targets.of_several(call.desk, asked.orderid)
    if many is not None:
        report = call.reported(closing.cancel_ticket(call.desk, many, origin))
        return several_answers.cancelled(report, asked.orderid)
    result = orders.cancel(call.desk, asked.orderid, origin)
    if isinstance(result, Withdrawn):
        call.note.ticket_id, call.note.outcome = result.ticket.id, CallOutcome.WITHDRAWN
        return answers.withdrawn(result.ticket)
    return answers.changed(call.noted(result), CANCELLED)


def cancel_all_orders(call: Call) -> Json:
    """``POST /cancelallorder``"""
    asked = call.parsed(AllOrders)
    report = closing.cancel_all(call.desk, asked.request(), call.origin(asked.strategy))
    return answers.cancelled_all(call.reported(report))


def close_positions(call: Call) -> Json:
    """``POST /closeposition``"""
    asked = call.parsed(AllPositions)
    outcome = closing.close(call.desk, asked.request(), call.origin(asked.strategy))
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    return answers.closed_positions(call.reported(outcome))


def order_status(call: Call) -> Json:
    """``POST /orderstatus``, by the broker's id or by our reference"""
    asked = call.parsed(NamedOrder)
    return answers.order_status(books.order_fate(call.desk, asked.orderid))
