"""The three buttons of an order of which only the person can say what became of it (security 4.9)."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid, NotFound
from openalgo_bridge.model.order import BrokerOrderId
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import approvals, parked
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.paging import row_id
from openalgo_bridge.web.ticket import BROKER_REFUSED, NOT_SENT, outcome, page, refused, too_late
from openalgo_bridge.web.ticket_forms import FoundForm
from openalgo_bridge.web.words import sentence

blueprint = Blueprint("parked", __name__, url_prefix="/action-center/<int:ticket_id>/orders/<int:order_id>")
blueprint.register_error_handler(Conflict, too_late)


@blueprint.post("/there")
def there(ticket_id: int, order_id: int) -> ResponseReturnValue:
    """It is at the broker, under the number that was typed."""
    desk = current_desk()
    order = _named(desk, ticket_id, order_id)
    form = FoundForm()
    try:
        parked.it_is_there(desk, order.id, BrokerOrderId(form.broker_order_id.data or ""), by=actor())
    except Invalid as refusal:
        form.show_faults(refusal.faults or {"": [refusal.message]})
        return make_response(page(desk, approvals.ticket(desk, ticket_id), not_found={order.id: form}), 400)
    flash(f"Noted: {sentence(order.request)} is at the broker. Nothing was sent.", "success")
    return redirect(url_for("ticket.ticket", ticket_id=ticket_id))


@blueprint.post("/send-again")
def send_again(ticket_id: int, order_id: int) -> ResponseReturnValue:
    """It is not at the broker: a new ticket takes its place and is sent. The second click of two gets 409."""
    desk = current_desk()
    order = _named(desk, ticket_id, order_id)
    try:
        result = parked.send_again(desk, order.id, by=actor())
    except (*NOT_SENT, *BROKER_REFUSED, Conflict) as refusal:
        if refusal.ticket_id is None:
            raise
        flash(refused(refusal), "danger")
        return redirect(url_for("ticket.ticket", ticket_id=refusal.ticket_id))
    flash(*outcome(desk, result.ticket.id))
    return redirect(url_for("ticket.ticket", ticket_id=result.ticket.id))


@blueprint.post("/handled")
def handled(ticket_id: int, order_id: int) -> ResponseReturnValue:
    """It is not at the broker and shall not be sent by the bridge."""
    desk = current_desk()
    order = _named(desk, ticket_id, order_id)
    parked.handled(desk, order.id, by=actor())
    flash(f"Noted: {sentence(order.request)} is not at the broker. Nothing was sent.", "secondary")
    return redirect(url_for("ticket.ticket", ticket_id=ticket_id))


def _named(desk: Desk, ticket_id: int, order_id: int) -> JournalOrder:
    """Raises NotFound where there is no such order, or it is not of this ticket."""
    order = desk.store.journal.order(row_id(order_id))
    if order.ticket_id != row_id(ticket_id):
        raise NotFound(f"There is no order {order_id} in ticket {ticket_id}.")
    return order
