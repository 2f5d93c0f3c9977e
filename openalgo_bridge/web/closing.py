"""What the trader closes and cancels from a page: which account, whether it can be done now, and the true report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.outcome import Outcome, outcome_of_ticket
from openalgo_bridge.model.ticket import PAGE, Operation, Origin, Ticket
from openalgo_bridge.trading import approvals, closing
from openalgo_bridge.trading.doors import DoorState
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.broker_orders import said_of
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.legs import Leg, leg_of, progress
from openalgo_bridge.web.paging import row_id

blueprint = Blueprint("closing", __name__)

BY_HAND = Origin(source=PAGE, strategy="", request_id="", may_trade_live=True)
"""The trader's own click at this PC: it is never held, in either account."""

_OF_MANY = {Operation.CLOSE, Operation.CANCEL_ALL}
_OPENING = "The bridge is still finding out what became of the last orders. Load this page again in a moment."
_TRIED = "A cancel is tried all the same, and a position is closed as soon as it can be read."


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Whether a click can be carried out now. ``why`` is the sentence beside the buttons, empty while all is open."""

    can_cancel: bool
    can_close: bool
    why: str


def door_of(desk: Desk) -> Door:
    """As the order doors stand now."""
    match desk.doors.state:
        case DoorState.OPEN:
            return Door(can_cancel=True, can_close=True, why="")
        case DoorState.OPENING:
            return Door(can_cancel=True, can_close=False, why=_OPENING)
        case DoorState.SAFE:
            return Door(can_cancel=True, can_close=True, why=f"{desk.doors.reason} {_TRIED}")
        case DoorState.SHUT:
            return Door(can_cancel=False, can_close=False, why=f"Nothing can be sent. {desk.doors.reason}")


def account_in_form() -> TradingMode:
    """The account that the button named, whichever is current by now. Raises Invalid."""
    try:
        return TradingMode(request.form.get("account", ""))
    except ValueError as error:
        raise Invalid("No account is named. Nothing was sent.") from error


def account_in_url() -> TradingMode:
    """The account that the address names, else the current one. Raises StorageError."""
    try:
        return TradingMode(request.args.get("account", ""))
    except ValueError:
        return current_desk().store.preferences.trading_mode()


@blueprint.get("/orders/report/<int:ticket_id>")
def report(ticket_id: int) -> ResponseReturnValue:
    """One line for each order of a "cancel all" or a closing, as journal and broker say now. Loading it sends nothing.

    Raises NotFound.
    """
    desk = reading(current_desk())
    ticket = approvals.ticket(desk, row_id(ticket_id))
    messages = desk.store.journal.orders_of([ticket_id])
    is_decided = outcome_of_ticket(ticket.state) in {Outcome.NOTHING_TO_DO, Outcome.SENDING}
    if ticket.operation not in _OF_MANY or not is_decided:
        return redirect(url_for("ticket.ticket", ticket_id=ticket_id))
    said = said_of(desk, messages, desk.clock.now())
    legs = [leg_of(each, said.of(each), closes=ticket.operation is Operation.CLOSE) for each in messages]
    unseen = closing.unseen(desk, ticket)
    return render_template(
        "closing_report.html",
        ticket=ticket,
        closes=ticket.operation is Operation.CLOSE,
        withdrawals=[leg for leg in legs if leg.is_withdrawal],
        closures=[leg for leg in legs if not leg.is_withdrawal],
        heading=heading(ticket, legs),
        unseen=unseen,
        is_done=not unseen and all(leg.is_done for leg in legs),
        fault=said.faults.get(ticket.trading_mode, ""),
    )


def heading(ticket: Ticket, legs: Sequence[Leg]) -> str:
    """How much was done, in numbers: it never says "all"."""
    if legs:
        return progress(ticket.operation, legs)
    return "No position was open" if ticket.operation is Operation.CLOSE else "No order was working"
