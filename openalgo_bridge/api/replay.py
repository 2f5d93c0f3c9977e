"""The answer to a call that was cut off, in its endpoint's own shape: from the journal, and from what it asked for.

The caller sent the same body again, so what only the body says, such as the size of a slice, is read from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from openalgo_bridge.api import answers, gtt_answers, option_order_answers, several_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.orders import CANCELLED, MODIFIED
from openalgo_bridge.api.schemas.option_orders import OptionsMultiOrder, OptionsOrder
from openalgo_bridge.api.schemas.orders import NamedOrder
from openalgo_bridge.api.schemas.several import SplitOrder
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied
from openalgo_bridge.model.order import CancelAllRequest, OrderRequest
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import stopping
from openalgo_bridge.trading.legs import NOT_NEEDED, Leg, Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent

_NEVER_HAPPENED = {OrderState.PLANNED, OrderState.REJECTED, OrderState.NOT_PLACED, OrderState.DROPPED}


def told(call: Call, endpoint: str, ticket: Ticket) -> Json:
    """What became of the ``ticket`` that the same call made before. Raises what became of it, where it was refused."""
    if ticket.state is TicketState.HELD:
        return answers.submitted(Held(ticket=ticket, reason=ticket.reason))
    if ticket.state is not TicketState.RELEASED:
        raise _refused(ticket, f"Not sent: {ticket.ref} is {ticket.state}. {ticket.reason}")
    orders = call.desk.store.journal.orders_of([ticket.id])
    match ticket.operation:
        case Operation.SMART if len(orders) > 1:
            return several_answers.reached(_report(call.desk, ticket, orders))
        case Operation.PLACE | Operation.SMART:
            return _placed(call, endpoint, ticket, orders)
        case Operation.MODIFY:
            return answers.changed(_fate(ticket, orders), MODIFIED)
        case Operation.CANCEL:
            return answers.changed(_fate(ticket, orders), CANCELLED)
        case Operation.PLACE_GTT | Operation.MODIFY_GTT | Operation.CANCEL_GTT:
            return gtt_answers.submitted(_fate(ticket, orders))
        case _:
            return _several(call, _report(call.desk, ticket, orders))


def _placed(call: Call, endpoint: str, ticket: Ticket, orders: Sequence[JournalOrder]) -> Json:
    answer = answers.submitted(_fate(ticket, orders))
    order = orders[0].request
    if endpoint != f"/{Operation.OPTIONS}" or not isinstance(order, OrderRequest):
        return answer
    return {**_option(call.parsed(OptionsOrder), order), **answer}


def _several(call: Call, report: Report) -> Json:
    match report.ticket.operation:
        case Operation.CANCEL_ALL:
            return _cancelled(call, report)
        case Operation.CLOSE:
            return answers.closed_positions(report)
        case Operation.SPLIT:
            return several_answers.split(report, size=call.parsed(SplitOrder).splitsize)
        case Operation.OPTIONS:
            sliced = call.parsed(OptionsOrder)
            return {
                **_option(sliced, _orders(report)[0]),
                **several_answers.split(report, size=sliced.splitsize),
            }
        case Operation.MULTI_LEG:
            asked = call.parsed(OptionsMultiOrder)
            ordered = option_order_answers.ordered_as_asked(asked, _orders(report))
            return option_order_answers.strategy(asked, None, ordered, report)
        case _:
            return several_answers.basket(report)


def _cancelled(call: Call, report: Report) -> Json:
    request = report.ticket.request
    if isinstance(request, CancelAllRequest) and request.ticket is not None:
        return several_answers.cancelled(report, call.parsed(NamedOrder).orderid)
    return answers.cancelled_all(report)


def _option(asked: OptionsOrder, order: OrderRequest) -> Json:
    """The price of the underlying was not kept, and that of now would be another one."""
    return {**option_order_answers.named(asked, None), **option_order_answers.contract(asked, order)}


def _orders(report: Report) -> list[OrderRequest]:
    return [leg.request for leg in report.legs if isinstance(leg.request, OrderRequest)]


def _fate(ticket: Ticket, orders: Sequence[JournalOrder]) -> Sent | InDoubt:
    leg = _leg(ticket, orders[0])
    if leg.result is None:
        raise _refused(ticket, f"Not at the broker: {ticket.ref} is {orders[0].state}. {leg.refusal}")
    return leg.result


def _report(desk: Desk, ticket: Ticket, orders: Sequence[JournalOrder]) -> Report:
    tried = (_leg(ticket, order) for order in orders)
    stopped, unseen = stopping.stopped_legs(desk, ticket), stopping.unseen_legs(desk, ticket)
    return Report(ticket=ticket, legs=(*stopped, *tried, *unseen))


def _leg(ticket: Ticket, order: JournalOrder) -> Leg:
    if order.state is OrderState.SENT and order.broker_order_id is not None:
        return Leg(request=order.request, result=Sent(ticket=ticket, broker_order_id=order.broker_order_id))
    if order.state in _NEVER_HAPPENED:
        why = order.message or f"Not sent so far: {order.ref} is {order.state}."
        return Leg(request=order.request, refusal=why, was_needless=why.startswith(NOT_NEEDED))
    message = f"The first request was cut off. Ask orderstatus about {order.ref}."
    return Leg(request=order.request, result=InDoubt(ticket=ticket, message=message), ref=order.ref)


def _refused(ticket: Ticket, why: str) -> Denied:
    refusal = Denied(why.strip())
    refusal.ticket_id, refusal.trading_mode = ticket.id, ticket.trading_mode
    return refusal
