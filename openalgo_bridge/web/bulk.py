"""Many decisions at once: a page that counts and sums what was chosen, and a page that tells each outcome.

What is sent is what the confirming page named, ticket by ticket with its fingerprint: whatever arrived or changed
since then is not in it. The same form sent twice sends each order once, because a ticket is claimed once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Invalid
from openalgo_bridge.model.order import Action, TradingMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import approvals
from openalgo_bridge.trading.approvals import Verdict
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.bulk_result import notes_of_approvals, notes_of_rejections, result_of
from openalgo_bridge.web.current import actor, current_desk, current_sent_forms
from openalgo_bridge.web.sent_forms import Note, new_number
from openalgo_bridge.web.ticket_filter import asked_in_url
from openalgo_bridge.web.waiting import Entry, Waiting, rows_of
from openalgo_bridge.web.words import account

blueprint = Blueprint("bulk", __name__)

MOST = 200
"""Decided by one click: what a person can still read through, and a throttled broker takes in half a minute."""

_NAMED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")
_ROW_ID = re.compile(r"[0-9]{1,18}")
_NOT_NAMED = "This form names no orders as the page does. Nothing was sent. Open the Action Center again."

_ON_ITS_PAGE = "A closing is approved on its own page, which names what it would send. A smart order, too."
_NUMBER = re.compile(r"[0-9a-f]{16}")

Chosen = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The buying or the selling half: how many orders, what they are worth in rupees, and how many have no price."""

    count: int
    value: Decimal
    without_price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSum:
    """What goes to one account, order by order: those of a basket each by itself. ``others`` change an order or close
    positions, and have no value of their own.
    """

    mode: TradingMode
    count: int
    buys: Side
    sells: Side
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be decided. ``left_out`` says of what else was chosen why not; ``more`` wait beyond :data:`MOST`.

    ``closings`` were chosen too, and can be approved on their own pages only: there it is seen what they would close.
    """

    rows: list[Waiting]
    left_out: list[str]
    more: int
    closings: tuple[Ticket, ...] = ()

    @property
    def sums(self) -> list[AccountSum]:
        """One for each account that is in it, real money first."""
        rows_of_mode = {mode: [row for row in self.rows if row.ticket.trading_mode is mode] for mode in _REAL_FIRST}
        return [_sum(mode, rows) for mode, rows in rows_of_mode.items() if rows]

    @property
    def count(self) -> int:
        """How many orders, changes and closings that is: a basket is as many as it has orders."""
        return sum(each.count for each in self.sums)

    @property
    def is_live(self) -> bool:
        """Whether any of it is about real money."""
        return any(row.ticket.trading_mode is TradingMode.LIVE for row in self.rows)

    @property
    def deed(self) -> str:
        """What approving it does, for the button."""
        parts = [f"{each.count} to the {account(each.mode)}" for each in self.sums]
        return f"send {', and '.join(parts)}"


_REAL_FIRST = (TradingMode.LIVE, TradingMode.ANALYZE)


@blueprint.get("/approve-all")
def confirm_approval() -> ResponseReturnValue:
    """What would be sent: the tickets that are named, or all that wait and match the filter. Sends nothing.

    Closings are not in it. Where there is nothing else, it leads to the page of the oldest.
    """
    return _confirmation("approve_all.html", _without_closings)


@blueprint.get("/reject-all")
def confirm_rejection() -> ResponseReturnValue:
    """The same, for turning them down."""
    return _confirmation("reject_all.html", lambda choice: choice)


@blueprint.post("/approve-all")
def approve_all() -> ResponseReturnValue:
    """Let each go in the order it arrived, and note what came to nothing. Raises Invalid: then nothing was sent."""
    desk, chosen = current_desk(), _chosen_in_form()
    stops = request.form.get("stop") == "yes"

    def approve() -> list[Note]:
        verdicts = list(approvals.approve_many(desk, chosen, by=actor(), stop_at_refusal=stops))
        return notes_of_approvals(desk, _ids(chosen), verdicts)

    return _once(chosen, approve)


@blueprint.post("/reject-all")
def reject_all() -> ResponseReturnValue:
    """Turn each down for good, with one reason. Raises Invalid: then nothing was decided."""
    desk, chosen = current_desk(), _chosen_in_form()
    reason = request.form.get("reason", "")
    return _once(chosen, lambda: notes_of_rejections(desk, [_rejected(desk, each, reason) for each in sorted(chosen)]))


@blueprint.get("/result")
def result() -> ResponseReturnValue:
    """What became of the tickets that the address names, by one form or otherwise. To load it again decides nothing."""
    numbers = sorted({int(text) for text in request.args.get("tickets", "").split(".") if _ROW_ID.fullmatch(text)})
    if not numbers:
        return redirect(url_for("action_center.action_center"))
    forms, number = current_sent_forms(), request.args.get("form", "")
    notes, is_running = forms.notes(number), forms.is_running(number)
    return render_template(
        "bulk_result.html", result=result_of(reading(current_desk()), numbers[:MOST], notes, is_running=is_running)
    )


def _once(chosen: Iterable[Chosen], decide: Callable[[], list[Note]]) -> ResponseReturnValue:
    """Carry a form out, once. Its result has an address of its own, which names the tickets: whoever sent the form a
    second time is led there, too, while the first is perhaps not through yet.
    """
    sent = request.form.get("form", "")
    number = sent if _NUMBER.fullmatch(sent) else new_number()
    forms = current_sent_forms()
    if forms.claim(number):
        notes: list[Note] = []
        try:
            notes = decide()
        finally:
            forms.end(number, notes)
    tickets = ".".join(str(ticket_id) for ticket_id in _ids(chosen))
    return redirect(url_for("action_center.bulk.result", tickets=tickets, form=number))


def _rejected(desk: Desk, chosen: Chosen, reason: str) -> Verdict:
    """One refusal does not keep the others from being turned down."""
    ticket_id, shown = chosen
    try:
        approvals.reject(desk, ticket_id, shown, reason, by=actor())
    except BridgeError as refusal:
        return Verdict(ticket_id=ticket_id, refusal=refusal)
    return Verdict(ticket_id=ticket_id)


def _confirmation(template: str, decidable: Callable[[Choice], Choice]) -> ResponseReturnValue:
    desk = reading(current_desk())
    choice = decidable(_matching(desk) if request.args.get("which") == "matching" else _ticked(desk))
    if not choice.rows and choice.closings:
        flash(_ON_ITS_PAGE, "info")
        return redirect(url_for("ticket.ticket", ticket_id=choice.closings[0].id))
    if not choice.rows:
        for reason in choice.left_out or ["No order is ticked or matches, so there is nothing to decide."]:
            flash(reason, "warning")
        return redirect(url_for("action_center.action_center"))
    return render_template(template, choice=choice, form=new_number(), now=desk.clock.now())


def _without_closings(choice: Choice) -> Choice:
    """What can be approved unopened: an order says all of it itself, these look at what is open when they go."""
    closings = tuple(row.ticket for row in choice.rows if row.ticket.operation.is_of_the_moment)
    rows = [row for row in choice.rows if not row.ticket.operation.is_of_the_moment]
    return replace(choice, rows=rows, closings=closings)


def _matching(desk: Desk) -> Choice:
    """All that waits and matches, oldest first. A filter that means nothing must not become one that means all."""
    asked = asked_in_url()
    if asked.senseless:
        raise Invalid(f"The filter means nothing: {', '.join(asked.senseless)}. Nothing was sent.")
    lists = desk.store.ticket_lists
    found = lists.held(asked.wanted, limit=MOST)
    more = lists.counts(asked.wanted)[TicketState.HELD] - len(found)
    return Choice(rows=rows_of(desk, found), left_out=[], more=max(0, more))


def _ticked(desk: Desk) -> Choice:
    chosen = dict(_chosen(request.args.getlist("ticket")))
    found = {ticket.id: ticket for ticket in desk.store.ticket_lists.named(list(chosen))}
    why_not = {number: _why_not(found.get(number), number, shown) for number, shown in sorted(chosen.items())}
    rows = rows_of(desk, [ticket for number, ticket in found.items() if not why_not[number]])
    return Choice(rows=rows, left_out=[reason for reason in why_not.values() if reason], more=0)


def _why_not(ticket: Ticket | None, number: int, shown: str) -> str:
    """Why what was ticked cannot be decided any more; empty when it can."""
    if ticket is None:
        return f"There is no ticket {number}."
    if ticket.state is not TicketState.HELD:
        return f"Ticket {number} is left out: it is already {ticket.state}."
    return "" if ticket.shown == shown else f"Ticket {number} is left out: it was changed meanwhile. Look at it again."


def _chosen_in_form() -> list[Chosen]:
    chosen = _chosen(request.form.getlist("ticket"))
    if not chosen:
        raise Invalid(_NOT_NAMED)
    return chosen


def _chosen(texts: Sequence[str]) -> list[Chosen]:
    """``<id>:<shown>`` each. Raises Invalid for anything else, so that of a damaged form nothing is sent."""
    found = [_NAMED.fullmatch(text) for text in dict.fromkeys(texts)]
    chosen = [(int(each[1]), each[2]) for each in found if each is not None]
    if len(chosen) != len(found) or len(_ids(chosen)) != len(chosen):
        raise Invalid(_NOT_NAMED)
    if len(chosen) > MOST:
        raise Invalid(f"These are {len(chosen)} orders; one click decides about {MOST} at most. Nothing was sent.")
    return chosen


def _ids(chosen: Iterable[Chosen]) -> list[int]:
    return sorted({number for number, _ in chosen})


def _sum(mode: TradingMode, rows: Sequence[Waiting]) -> AccountSum:
    entries = [each for row in rows for each in row.entries]
    others = sum(not row.entries for row in rows)
    return AccountSum(
        mode=mode,
        count=len(entries) + others,
        buys=_side(entries, Action.BUY),
        sells=_side(entries, Action.SELL),
        others=others,
    )


def _side(entries: Iterable[Entry], action: Action) -> Side:
    values = [each.value for each in entries if each.order.action is action]
    known = [value for value in values if value is not None]
    return Side(count=len(values), value=sum(known, Decimal(0)), without_price=len(values) - len(known))
