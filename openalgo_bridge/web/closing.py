"""What the trader closes and cancels from a page: the account, what is sent, whether it can be done, the true word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Busy, Conflict, Invalid
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.order import (
    CancelAllRequest,
    CloseRequest,
    Exchange,
    PositionKey,
    Product,
    SmartOrderRequest,
    TradingMode,
)
from openalgo_bridge.model.outcome import Outcome, outcome_of_ticket
from openalgo_bridge.model.ticket import PAGE, Operation, Origin, Ticket
from openalgo_bridge.trading import approvals, closing, smart, stopping
from openalgo_bridge.trading.closing import WayOut
from openalgo_bridge.trading.doors import DoorState
from openalgo_bridge.trading.gtt_books import left_waiting
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web import words
from openalgo_bridge.web.broker_orders import said_of
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.legs import Leg, leg_of, progress
from openalgo_bridge.web.paging import row_id
from openalgo_bridge.web.words import sentence

blueprint = Blueprint("closing", __name__)

BY_HAND = Origin(source=PAGE, strategy="", request_id="", may_trade_live=True)
"""The trader's own click at this PC: it is never held, in either account."""

NOT_NAMED = "No position is named. Nothing was sent."

_LONGEST_SYMBOL = 100
_QUANTITY = re.compile(r"-?[1-9][0-9]{0,11}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a closing would send now: its messages in words, and the positions that they close, as a form carries them.

    ``fault`` is the sentence for which nobody can tell; then there are none.
    """

    steps: Sequence[str] = ()
    seen: Sequence[str] = ()
    fault: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether there is provably nothing to send now."""
        return not self.steps and not self.fault


def preview(desk: Desk, wanted: CloseRequest, mode: TradingMode) -> Preview:
    """For a person who decides about it. Sends nothing. Raises StorageError."""
    try:
        ways = closing.ways_out(desk, wanted, mode)
    except BrokerError as error:
        return Preview(fault=error.message)
    return Preview(steps=[step for way in ways for step in _steps(way)], seen=[_closed_by(way) for way in ways])


def preview_smart(desk: Desk, wanted: SmartOrderRequest, mode: TradingMode) -> Preview:
    """The same of a position to be reached: the order that takes it there now. Raises StorageError."""
    try:
        orders = smart.preview(desk, wanted, mode)
    except (BrokerError, Conflict, Busy) as error:
        return Preview(fault=error.message)
    if not orders:
        return Preview()
    quantity = sum(order.action.sign * order.quantity for order in orders)
    return Preview(steps=[sentence(order) for order in orders], seen=[named(position_of(wanted.order), quantity)])


def named(name: PositionKey, quantity: int) -> str:
    """A position with its side and quantity, as a form carries what the page showed."""
    exchange, symbol, product = name
    return f"{exchange}:{product}:{quantity}:{symbol}"


def seen_in_form() -> dict[PositionKey, int]:
    """The positions that the form names, signed. Raises Invalid: nothing was sent."""
    return dict(map(_seen, request.form.getlist("position")))


@blueprint.get("/orders/report/<int:ticket_id>")
def report(ticket_id: int) -> ResponseReturnValue:
    """One line for each order of a "cancel all" or a closing, as journal and broker say now. Loading it sends nothing.

    Raises NotFound.
    """
    desk = reading(current_desk())
    ticket = approvals.ticket(desk, row_id(ticket_id))
    messages = desk.store.journal.orders_of([ticket_id])
    is_decided = outcome_of_ticket(ticket.state) in {Outcome.NOTHING_TO_DO, Outcome.SENDING}
    if not isinstance(ticket.request, CancelAllRequest | CloseRequest) or not is_decided:
        return redirect(url_for("ticket.ticket", ticket_id=ticket_id))
    said, closes = said_of(desk, messages, desk.clock.now()), ticket.operation is Operation.CLOSE
    legs = [leg_of(each, said.of(each), closes=closes) for each in messages]
    unseen = stopping.unseen(desk, ticket)
    return render_template(
        "closing_report.html",
        ticket=ticket,
        closes=closes,
        withdrawals=[leg for leg in legs if leg.is_withdrawal],
        closures=[leg for leg in legs if not leg.is_withdrawal],
        heading=heading(ticket, legs),
        stopped=stopping.stopped_by(desk, ticket),
        unseen=unseen,
        is_done=not unseen
        and bool(legs or not ticket.reason)
        and all(leg.is_done or (closes and leg.is_withdrawal and leg.is_over) for leg in legs),
        fault=said.faults.get(ticket.trading_mode, ""),
        left=left_waiting(desk, ticket.trading_mode, ticket.request),
    )


def heading(ticket: Ticket, legs: Sequence[Leg]) -> str:
    """How much was done, in numbers: it never says "all"."""
    if legs:
        return progress(ticket.operation, legs)
    if ticket.reason:
        return ticket.reason
    return "No position was open" if ticket.operation is Operation.CLOSE else "No order was working"


def _steps(way: WayOut) -> list[str]:
    """Its messages in words; a number says nothing to a person where the order itself can be named."""
    if way.refusal:
        return [f"Nothing: the broker would refuse {words.sentence(way.orders[0])}. {way.refusal}"]
    withdrawals = [f"Cancel order {each.id}: {words.sentence(each.request)}" for each in way.beside]
    return withdrawals + [words.sentence(order) for order in way.orders]


def _closed_by(way: WayOut) -> str:
    """The position that its orders make flat, a large one in several: so the form names what the page shows."""
    first = way.orders[0]
    quantity = -first.action.sign * sum(order.quantity for order in way.orders)
    return named(position_of(first), quantity)


def _seen(text: str) -> tuple[PositionKey, int]:
    """The inverse of :func:`named`."""
    exchange, product, quantity, symbol = [*text.split(":", 3), "", "", ""][:4]
    try:
        name = (Exchange(exchange), symbol, Product(product))
    except ValueError as error:
        raise Invalid(NOT_NAMED) from error
    if not 0 < len(symbol) <= _LONGEST_SYMBOL or not _QUANTITY.fullmatch(quantity):
        raise Invalid(NOT_NAMED)
    return name, int(quantity)
