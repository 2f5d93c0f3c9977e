"""``/orders``: everything that was asked for on a day, what became of each, and the buttons that withdraw orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Busy, Invalid
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.breaks import Break
from openalgo_bridge.model.order import BrokerOrderId, CancelAllRequest, TradingMode
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.outcomes import Tally
from openalgo_bridge.trading import orders as deeds
from openalgo_bridge.trading.closing import cancel_all as withdraw_all
from openalgo_bridge.trading.gtt_books import left_waiting
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.trading.targets import Target
from openalgo_bridge.web import legs, order_lines, words
from openalgo_bridge.web.broker_orders import BrokerOrders, of_today, with_named, with_untold
from openalgo_bridge.web.closing import BY_HAND, account_in_form, account_in_url, door_of
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.day_filter import Asked, asked_in_url
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of, row_ids_in_form
from openalgo_bridge.web.withdrawal import CANCEL, attempted

blueprint = Blueprint("orders", __name__)

_LONGEST_ID = 64
_MOST_UNTOLD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page of tickets with their messages and the breaks of these, what the brokers say of them, and the tally of
    the whole day.
    """

    tickets: Sequence[Ticket]
    messages: Sequence[JournalOrder]
    disputed: Sequence[Break]
    said: BrokerOrders
    tally: Tally


@blueprint.get("/orders")
def orders() -> ResponseReturnValue:
    """Newest first."""
    desk = reading(current_desk())
    asked, before = asked_in_url(desk.clock.now()), before_in_url()
    breaks = desk.store.breaks.open()
    listed = _listed(desk, asked, before, breaks)
    page = page_of(listed.tickets, before)
    return render_template(
        "orders.html",
        asked=asked,
        page=page,
        lines=order_lines.lines_of(page.rows, listed.messages, listed.said, desk.clock.now(), listed.disputed),
        breaks=breaks,
        break_count=desk.store.breaks.open_count() if breaks else 0,
        working={each.id: _working_number(each, listed.said) for each in breaks},
        tally=listed.tally,
        outcomes=[each for each in Outcome if listed.tally.counts.get(each)],
        faults=listed.said.faults,
        strategies=desk.store.ticket_lists.strategies(),
        newest=None if page.rows or asked.is_narrowed else _newest_day(desk),
        account=desk.store.preferences.trading_mode(),
        door=door_of(desk),
    )


@blueprint.post("/orders/cancel")
def cancel() -> ResponseReturnValue:
    """Withdraw one order at the account that the button named. Raises Invalid where the form names none."""
    desk, mode = current_desk(), account_in_form()
    number = BrokerOrderId(request.form.get("order_id", "").strip())
    if not 0 < len(number) <= _LONGEST_ID:
        raise Invalid("No order is named. Nothing was sent.")
    flash(*_cancelled(desk, number, mode))
    same_list: dict[str, Any] = {**asked_in_url(desk.clock.now()).query()}
    return redirect(url_for("orders.orders", **same_list))


@blueprint.post("/orders/breaks/acknowledge")
def acknowledge() -> ResponseReturnValue:
    """The trader has seen these reconciliation breaks: new entries in their symbols go again. Sends nothing.

    Raises Invalid where the form names none.
    """
    desk = current_desk()
    seen = desk.store.breaks.acknowledge(row_ids_in_form("break_id"), by=actor())
    symbols = ", ".join(sorted({each.symbol for each in seen}))
    noted = f"Noted: you have seen what the broker and the journal disagree about in {symbols}."
    flash(f"{noted if seen else 'That has ended already.'} Nothing was sent.", "secondary")
    return redirect(url_for("orders.orders"))


@blueprint.get("/orders/cancel-all")
def confirm_cancel_all() -> ResponseReturnValue:
    """What would be withdrawn now, and the button that does it."""
    desk, mode = reading(current_desk()), account_in_url()
    fault, working = "", []
    try:
        working = [order for order in desk.broker(mode).order_book() if order.status.is_working]
    except BrokerError as error:
        fault = error.message
    return render_template(
        "cancel_all.html",
        account=mode,
        working=working,
        still_to_go=desk.store.journal.still_to_go(mode),
        fault=fault,
        left=left_waiting(desk, mode, CancelAllRequest()),
        door=door_of(desk),
    )


@blueprint.post("/orders/cancel-all")
def cancel_all() -> ResponseReturnValue:
    """Withdraw whatever works when it is pressed."""
    mode = account_in_form()
    try:
        report = withdraw_all(current_desk(), CancelAllRequest(), BY_HAND, mode)
    except (Busy, BrokerError) as fault:
        flash(f"No order was cancelled, {words.account(mode)}: {fault.message}", "danger")
        return redirect(url_for("orders.confirm_cancel_all", account=mode))
    return redirect(url_for("closing.report", ticket_id=report.ticket.id))


def _working_number(of: Break, said: BrokerOrders) -> BrokerOrderId | None:
    """The order at the broker, while it can still be cancelled."""
    there = said.found.get((of.trading_mode, of.broker_order_id))
    return there.id if there is not None and there.status.is_working else None


def _newest_day(desk: Desk) -> date | None:
    """The day of the last ticket there is."""
    return next((day_in_india(ticket.created_at) for ticket in desk.store.journal.tickets(limit=1)), None)


def _listed(desk: Desk, asked: Asked, before: int | None, breaks: Sequence[Break]) -> Listed:
    """What the books of today tell is known of every order, from one read of each, and of those of today that are of
    before the paper account was reset, one by one; of an earlier day, that of the page alone.

    So what was sent on an earlier day is counted as sent, whatever its lines can tell.
    """
    outcomes, journal = desk.store.outcomes, desk.store.journal
    disputed_at = {each.trading_mode for each in breaks}
    accounts = outcomes.accounts(asked.wanted) | disputed_at if asked.is_today else set()
    said = of_today(desk, accounts)
    tally = outcomes.tally(asked.wanted, said.found)
    if asked.is_today and tally.has_untold:
        said = with_named(desk, said, outcomes.untold(asked.wanted, said.found, limit=_MOST_UNTOLD))
        tally = outcomes.tally(asked.wanted, said.found)
    if asked.outcome is None:
        tickets = outcomes.page(asked.wanted, before=before, limit=PAGE_SIZE + 1)
    else:
        tickets = outcomes.page_of(asked.wanted, asked.outcome, tally, said.found, before=before, limit=PAGE_SIZE + 1)
    messages = journal.orders_of([ticket.id for ticket in tickets[:PAGE_SIZE]])
    said = with_untold(desk, said, messages)
    disputed = desk.store.breaks.of_orders([message.id for message in messages])
    return Listed(tickets=tickets, messages=messages, disputed=disputed, said=said, tally=tally)


def _cancelled(desk: Desk, number: BrokerOrderId, mode: TradingMode) -> tuple[str, str]:
    """Withdraw it once; the sentence that is true afterwards, with its colour."""
    where, target = words.account(mode), Target(broker_order_id=number, trading_mode=mode)
    gone = _why_gone(desk, number, mode)
    if gone:
        return f"Nothing was sent, {where}: {gone}", "warning"
    told = attempted(lambda: deeds.withdraw(desk, target, BY_HAND), CANCEL, f"order {number}", where)
    return told or _as_it_stands(desk, number, mode)


def _why_gone(desk: Desk, number: BrokerOrderId, mode: TradingMode) -> str:
    """Why there is nothing to withdraw; empty where there is, or where nobody can tell: a cancel is tried then."""
    try:
        there = desk.broker(mode).order(number)
    except BrokerError:
        return ""
    if there is None:
        return f"there is no order {number} at the broker."
    if there.status.is_working:
        return ""
    return f"order {number} is over already: {words.state(there.status).lower()}. {_filled(there)}"


def _as_it_stands(desk: Desk, number: BrokerOrderId, mode: TradingMode) -> tuple[str, str]:
    """After the broker took the cancel: it may have filled before that arrived."""
    where = words.account(mode)
    try:
        there = desk.broker(mode).order(number)
    except BrokerError:
        there = None
    if there is None:
        return f"The broker took the cancel of order {number}, {where}. How it stands now could not be read.", "success"
    what = f"order {number}, {words.sentence(there.request)}, {where}. {_filled(there)}"
    if there.status.is_working:
        return f"The broker took the cancel, but it is still {words.state(there.status).lower()}: {what}", "warning"
    is_cancelled = there.status is OrderStatus.CANCELLED
    return f"{words.state(there.status)}: {what}".strip(), "success" if is_cancelled else "warning"


def _filled(there: BrokerOrder) -> str:
    return f"{legs.filled(there)}." if there.filled_quantity else ""
