"""``/action-center/<id>``: one ticket, from what was asked for to what the broker says, and every decision about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import (
    BridgeError,
    Busy,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    NotSent,
    Rejected,
    SessionExpired,
    Unsupported,
)
from openalgo_bridge.model.order import CloseRequest, OrderRequest, SmartOrderRequest
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import approvals
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web import errors
from openalgo_bridge.web.closing import Preview, preview, preview_smart, seen_in_form
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.order_lines import lines_now
from openalgo_bridge.web.paging import row_id
from openalgo_bridge.web.story import story_of
from openalgo_bridge.web.ticket_forms import FoundForm, ModifyForm, modify_form
from openalgo_bridge.web.traffic_call import calls_of
from openalgo_bridge.web.waiting import rows_of
from openalgo_bridge.web.words import outcome_tone, sentence

blueprint = Blueprint("ticket", __name__, url_prefix="/action-center/<int:ticket_id>")

NOT_SENT = (Invalid, Denied, Busy, NotSent, SessionExpired)
"""Why an approval came to nothing on this side of the broker."""

BROKER_REFUSED = (Rejected, NotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the order would block and what there is, in rupees; ``fault`` says why the one or the other is missing."""

    margin: Decimal | None = None
    available: Decimal | None = None
    fault: str = ""

    @property
    def is_short(self) -> bool:
        """Whether the broker would probably refuse it for want of money."""
        return self.margin is not None and self.available is not None and self.margin > self.available


@blueprint.get("")
def ticket(ticket_id: int) -> ResponseReturnValue:
    """One ticket with everything that happened to it."""
    desk = current_desk()
    return page(desk, approvals.ticket(desk, row_id(ticket_id)))


@blueprint.post("/approve")
def approve(ticket_id: int) -> ResponseReturnValue:
    """Let a ticket go, once, as it was shown. 409 when it was decided, expired or changed meanwhile, or a position that
    it closes turned or grew.
    """
    desk = current_desk()
    approvals.ticket(desk, row_id(ticket_id))
    try:
        approvals.approve(desk, ticket_id, _shown(), by=actor(), seen=seen_in_form() or None)
    except (*NOT_SENT, *BROKER_REFUSED) as refusal:
        flash(refused(refusal), "danger")
    else:
        flash(*outcome(desk, ticket_id))
    return redirect(url_for("ticket.ticket", ticket_id=ticket_id))


@blueprint.post("/reject")
def reject(ticket_id: int) -> ResponseReturnValue:
    """Turn a ticket down for good."""
    reason = request.form.get("reason", "")
    rejected = approvals.reject(current_desk(), row_id(ticket_id), _shown(), reason, by=actor())
    flash(f"Rejected: {sentence(rejected.request)}. Nothing was sent.", "secondary")
    return redirect(url_for("action_center.action_center"))


@blueprint.post("/modify")
def modify(ticket_id: int) -> ResponseReturnValue:
    """Change a held order, which is then shown again and must be approved as it is. Sends nothing."""
    desk = current_desk()
    held = approvals.as_shown(desk, row_id(ticket_id), _shown())
    if held.order is None:
        raise Invalid(f"Ticket {held.id} has no order that could be changed. Approve it or reject it.")
    form = modify_form(held, held.order)
    try:
        revised = approvals.revise(desk, held.id, _shown(), form.revision(), by=actor())
    except Invalid as refusal:
        form.show_faults(refusal.faults or {"": [refusal.message]})
        return make_response(page(desk, held, form=form), 400)
    except Rejected as refusal:
        form.show_faults({"": [f"The broker would refuse it: {refusal.message}"]})
        return make_response(page(desk, held, form=form), 400)
    flash(f"Changed, and still waiting for you: {sentence(revised.request)}. Nothing was sent.", "info")
    return redirect(url_for("ticket.ticket", ticket_id=ticket_id))


@blueprint.errorhandler(Conflict)
def too_late(conflict: Conflict) -> Response:
    """Somebody decided first, it is not what the page showed, or an order in doubt is in its way.

    The way leads to the ticket as it is now.
    """
    number = (request.view_args or {})["ticket_id"]
    try:
        now = current_desk().store.journal.ticket(number)
    except BridgeError as fault:
        # Flask sends nothing that a handler raises to another handler.
        return errors.bridge_error(fault)
    is_unchanged = now.state is TicketState.HELD and now.shown == _shown()
    text = render_template("too_late.html", ticket=now, message=conflict.message, is_unchanged=is_unchanged)
    return make_response(text, conflict.status)


def page(
    desk: Desk, found: Ticket, *, form: ModifyForm | None = None, not_found: Mapping[int, FoundForm] | None = None
) -> str:
    """The ticket as it is now. Raises StorageError.

    ``form`` and ``not_found``, by the order's id, carry what was typed, with its faults.
    """
    desk = reading(desk)
    is_open = found.state is TicketState.HELD
    order = found.order if is_open else None
    return render_template(
        "ticket.html",
        ticket=found,
        item=rows_of(desk, [found])[0] if is_open else None,
        money=None if order is None else _money(desk, found, order),
        preview=_preview(desk, found) if is_open else None,
        story=story_of(desk, found),
        calls=calls_of(desk, found),
        form=form or (None if order is None else modify_form(found, order)),
        not_found=not_found or {},
        now=desk.clock.now(),
    )


def outcome(desk: Desk, ticket_id: int) -> tuple[str, str]:
    """What became of a ticket that was let go, with its colour: taken by the broker is not yet filled."""
    (line,) = lines_now(reading(desk), [desk.store.journal.ticket(ticket_id)])
    return line.in_words, outcome_tone(line.outcome)


def refused(refusal: BridgeError) -> str:
    """Who said no, and why. A guard is named by its own sentence."""
    if isinstance(refusal, Denied) and refusal.guard:
        return refusal.message
    who = "The broker refused it" if isinstance(refusal, BROKER_REFUSED) else "Not sent"
    return f"{who}: {refusal.message}"


def _preview(desk: Desk, held: Ticket) -> Preview | None:
    """What would be sent now where that depends on what is open, which nobody can see on the ticket itself."""
    match held.request:
        case CloseRequest() as wanted:
            return preview(desk, wanted, held.trading_mode)
        case SmartOrderRequest() as wanted:
            return preview_smart(desk, wanted, held.trading_mode)
        case _:
            return None


def _money(desk: Desk, held: Ticket, order: OrderRequest) -> Money:
    """What cannot be told is said; the person can decide without it."""
    try:
        broker = desk.broker(held.trading_mode)
        available = broker.funds().available
    except BridgeError as fault:
        return Money(fault=fault.message)
    try:
        return Money(margin=broker.margin(order), available=available)
    except Unsupported:
        return Money(available=available, fault="This broker does not tell it before an order.")
    except BridgeError as fault:
        return Money(available=available, fault=fault.message)


def _shown() -> str:
    """The fingerprint from the form. A ticket's own is never empty, so a missing one is a conflict."""
    return request.form.get("shown", "")
