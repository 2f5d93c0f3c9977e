"""Order endpoints (contract 2.1, 2.2.1)."""

from __future__ import annotations

from openalgo_bridge.api import answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.orders import ModifyOrder, NamedOrder, PlaceOrder
from openalgo_bridge.model.order import CancelRequest
from openalgo_bridge.trading import books, orders


def place_order(call: Call) -> Json:
    """``POST /placeorder``"""
    asked = call.parsed(PlaceOrder)
    return answers.submitted(call.noted(orders.submit(call.desk, asked.request(), call.origin(asked.strategy))))


def modify_order(call: Call) -> Json:
    """``POST /modifyorder``"""
    asked = call.parsed(ModifyOrder)
    request = asked.request(books.broker_order_id(call.desk, asked.orderid))
    result = call.noted(orders.submit(call.desk, request, call.origin(asked.strategy)))
    return answers.changed(result, "Order modified successfully")


def cancel_order(call: Call) -> Json:
    """``POST /cancelorder``"""
    asked = call.parsed(NamedOrder)
    request = CancelRequest(broker_order_id=books.broker_order_id(call.desk, asked.orderid))
    result = call.noted(orders.submit(call.desk, request, call.origin(asked.strategy)))
    return answers.changed(result, "Order cancelled successfully")


def order_status(call: Call) -> Json:
    """``POST /orderstatus``, by the broker's id or by our reference"""
    asked = call.parsed(NamedOrder)
    fate = books.order_fate(call.desk, asked.orderid)
    return answers.done(answers.order_status(fate), books.connected(call.desk).mode)
