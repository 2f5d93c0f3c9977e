"""``/action-center``: what waits for the person, what each ticket is, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy, Denied, Invalid, NotFound, NotSent, Rejected, SessionExpired
from openalgo_bridge.model.order import OrderRequest, PriceType
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.journal_reads import REVISED, Event, JournalOrder
from openalgo_bridge.trading import approvals, books, market
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.web import sessions
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.formats import money
from openalgo_bridge.web.orders import book_or_fault, lines_of
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of
from openalgo_bridge.web.words import sentence, state

blueprint = Blueprint("action_center", __name__, url_prefix="/action-center")

_DECIDED = (
    TicketState.RELEASED,
    TicketState.APPROVED,
    TicketState.REJECTED,
    TicketState.EXPIRED,
    TicketState.DENIED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ticket with what the person needs to decide: the price now and the order's value, where there are any."""

    ticket: Ticket
    price: Decimal | None
    value: Decimal | None


@blueprint.get("")
def action_center() -> ResponseReturnValue:
    """What waits, in the order it arrived; below it what was decided, newest first."""
    desk = current_desk()
    before = before_in_url()
    decided = page_of(desk.store.journal.tickets(states=_DECIDED, before=before, limit=PAGE_SIZE + 1), before)
    book, _ = book_or_fault(desk)
    return render_template(
        "action_center.html",
        waiting=[_with_price(desk, ticket) for ticket in approvals.waiting(desk)] if before is None else [],
        history=decided,
        lines=lines_of(desk, decided.rows, book),
        now=desk.clock.now(),
    )


@blueprint.get("/pending")
def pending() -> ResponseReturnValue:
    """``{count, latest}`` for the badge, polled by every open page. Not a sign of a person at the keyboard."""
    sessions.mark_background()
    tickets = approvals.waiting(current_desk())
    return jsonify(count=len(tickets), latest=tickets[-1].id if tickets else 0)


@blueprint.get("/<int:ticket_id>")
def ticket(ticket_id: int) -> ResponseReturnValue:
    """One ticket with everything that happened to it."""
    desk = current_desk()
    found = approvals.ticket(desk, _row_id(ticket_id))
    is_open = found.state is TicketState.HELD
    book, _ = book_or_fault(desk)
    return render_template(
        "ticket.html",
        item=_with_price(desk, found) if is_open else Waiting(ticket=found, price=None, value=None),
        is_open=is_open,
        line=lines_of(desk, [found], book)[0],
        steps=_steps(desk.store.journal.events(found.id), desk.store.journal.orders_of([found.id])),
        now=desk.clock.now(),
    )


@blueprint.post("/<int:ticket_id>/approve")
def approve(ticket_id: int) -> ResponseReturnValue:
    """Let a ticket go, once, as it was shown. 409 when it was decided, expired or changed meanwhile."""
    desk = current_desk()
    approvals.ticket(desk, _row_id(ticket_id))
    try:
        result = approvals.approve(desk, ticket_id, _shown(), by=actor())
    except (Invalid, Denied, Busy, NotSent, SessionExpired) as refusal:
        flash(f"Not sent: {refusal.message}", "danger")
    except (Rejected, NotFound) as refusal:
        flash(f"The broker refused it: {refusal.message}", "danger")
    else:
        flash(*_outcome(desk, result))
    return redirect(url_for("action_center.ticket", ticket_id=ticket_id))


@blueprint.post("/<int:ticket_id>/reject")
def reject(ticket_id: int) -> ResponseReturnValue:
    """Turn a ticket down for good."""
    reason = request.form.get("reason", "")
    rejected = approvals.reject(current_desk(), _row_id(ticket_id), _shown(), reason, by=actor())
    flash(f"Rejected: {sentence(rejected.request)}. Nothing was sent.", "secondary")
    return redirect(url_for("action_center.action_center"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a ticket's story. ``broker_order_id`` is known once the broker took the order."""

    at: datetime
    state: TicketState | OrderState | str
    reason: str
    broker_order_id: str


def _steps(events: list[Event], placed: list[JournalOrder]) -> list[Step]:
    ids = {order.id: order.broker_order_id or "" for order in placed}
    return [
        Step(
            at=event.at,
            state=_word(event),
            reason=event.reason,
            broker_order_id=ids.get(event.order_id, "") if event.order_id and event.state == "sent" else "",
        )
        for event in events
    ]


def _word(event: Event) -> TicketState | OrderState | str:
    """A ticket's and an order's ``rejected`` are not the same; a change of a held ticket is no state at all."""
    if event.state == REVISED:
        return REVISED
    return TicketState(event.state) if event.order_id is None else OrderState(event.state)


def _with_price(desk: Desk, ticket: Ticket) -> Waiting:
    order = ticket.order
    if order is None:
        return Waiting(ticket=ticket, price=None, value=None)
    try:
        price = market.quote(desk, order.exchange, order.symbol).ltp
    except BridgeError:
        # Without a price the person can still decide; the page says that there is none.
        return Waiting(ticket=ticket, price=None, value=_value(order, None))
    return Waiting(ticket=ticket, price=price, value=_value(order, price))


def _value(order: OrderRequest, price: Decimal | None) -> Decimal | None:
    at = order.price if order.price_type in {PriceType.LIMIT, PriceType.SL} else price
    return None if at is None else at * order.quantity


def _outcome(desk: Desk, result: Sent | InDoubt) -> tuple[str, str]:
    """The true outcome, with its colour: taken by the broker is not yet filled."""
    what = sentence(result.ticket.request)
    if isinstance(result, InDoubt):
        return f"In doubt: {what}. {result.message}", "warning"
    try:
        fate = books.order_fate(desk, result.broker_order_id)
    except BridgeError:
        return f"Sent: {what}. Order {result.broker_order_id}; its state could not be read.", "warning"
    if fate.status == "complete":
        return f"Filled: {what}, at {money(fate.average_price)}. Order {fate.id}.", "success"
    if fate.status == "rejected":
        return f"The broker refused it: {fate.reason or what}", "danger"
    return f"Sent: {what}. Order {fate.id} is now: {state(fate.status).lower()}.", "success"


def _shown() -> str:
    """The fingerprint from the form. A ticket's own is never empty, so a missing one is a conflict."""
    return request.form.get("shown", "")


def _row_id(number: int) -> int:
    """Raises NotFound for a number that no row of SQLite can have."""
    if number >= 1 << 62:
        raise NotFound("There is no such ticket.")
    return number
