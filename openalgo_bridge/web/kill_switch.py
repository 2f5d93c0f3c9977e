"""``/kill-switch``: stop all orders with one click, what became of each, and the way back, which asks for the password.

The button stands on every page. Whatever else is broken, the answer to it is true: it is on, or it is not.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, StringField  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.errors import Conflict, Denied, RateLimited
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import CancelRequest
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.trading import kill_switch as switch
from openalgo_bridge.trading.kill_switch import Engaged, Tried
from openalgo_bridge.web.current import actor, current_desk, order_mode
from openalgo_bridge.web.formats import count, money
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.step_up import StepUpForm, prove
from openalgo_bridge.web.words import sentence
from openalgo_bridge.web.words import state as state_word

blueprint = Blueprint("kill_switch", __name__, url_prefix="/kill-switch")
_log = logging.getLogger(__name__)

_MOST_LINES = 200
_LONGEST_STAMP = 14  # of milliseconds; more are no moment that there is


class StopForm(PageForm):
    """``POST /kill-switch``. A reason of any length is taken: nothing that is typed may keep it from going on."""

    reason = StringField("Why (optional)")
    cancel_all = BooleanField("Also cancel every open order")
    close_all = BooleanField("Also close every position at market")


class ReleaseForm(StepUpForm):
    """``POST /kill-switch/release``. ``since`` is when it was engaged, in milliseconds, as the page showed it."""

    html_id: ClassVar[str] = "release"

    since = HiddenField("Since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the report: what was to be done, what became of it, and why."""

    what: str
    became: str
    tone: str
    why: str
    ticket_id: int


@blueprint.get("")
def kill_switch() -> ResponseReturnValue:
    """Whether it is on, what it has done, and how to release it."""
    return _page(None)


@blueprint.post("")
def engage() -> ResponseReturnValue:
    """From the commit on nothing new is sent; only then the rest is tried. A StorageError means that it is not on."""
    form = StopForm()
    engaged = switch.engage(
        current_desk(),
        form.reason.data or "",
        cancel_all=bool(form.cancel_all.data),
        close_all=bool(form.close_all.data),
        by=actor(),
    )
    _log.warning("The kill switch is on: no new order is sent. %s", engaged.state.reason)
    _tell(engaged)
    return redirect(url_for("kill_switch.kill_switch", _anchor="content"))


@blueprint.post("/release")
def release() -> ResponseReturnValue:
    """New orders may go again, after the step-up."""
    form, desk = ReleaseForm(), current_desk()
    try:
        prove(form, "Type your password to let new orders go again.")
        switch.release(desk, by=actor(), since=_moment(form.since.data or ""))
    except (Denied, RateLimited) as refusal:
        headers = form.refuse(refusal)
        return *_page(form, refusal.status), headers
    except Conflict:
        fresh = ReleaseForm(formdata=None)
        fresh.show_faults({"": ["It was released and engaged again since you looked. It is still on: look at why."]})
        return _page(fresh, Conflict.status)
    _log.warning("The kill switch was released: new orders are sent again.")
    flash("Released. New orders may go again.", "success")
    return redirect(url_for("kill_switch.kill_switch", _anchor="content"))


def _moment(shown: str) -> datetime | None:
    """None for a script that sends none. What is no moment is never the one of the switch."""
    is_moment = shown.isascii() and shown.isdigit() and len(shown) <= _LONGEST_STAMP
    return from_ms(int(shown) if is_moment else 0) if shown else None


def _tell(engaged: Engaged) -> None:
    for fault in engaged.faults:
        flash(f"It is on, but not all of the rest could be tried: {fault}", "danger")
    if not engaged.is_recorded:
        flash("It is on, but its line of the audit list could not be written. Ask run.py doctor why.", "warning")


def _page(refused: ReleaseForm | None, status: int = 200) -> tuple[str, int]:
    desk = current_desk()
    state = if_readable(desk.store.kill_switch.state)
    form = refused or ReleaseForm(formdata=None)
    if state is not None and state.since is not None:
        form.since.data = str(to_ms(state.since))
    text = render_template(
        "kill_switch.html",
        state=state,
        outcomes=if_readable(lambda: _outcomes(state)),
        standing=switch.standing(desk),
        waiting=if_readable(desk.store.journal.held_count),
        mode=order_mode(desk),
        form=form,
        most_lines=_MOST_LINES,
    )
    return text, status


def _outcomes(state: SwitchState | None) -> list[Outcome]:
    """What was not done first: that is what the trader must do something about."""
    if state is None or state.since is None:
        return []
    told = [_outcome(tried) for tried in switch.tried_since(current_desk(), state.since)]
    return sorted(told, key=lambda each: each.tone == "success")


def _outcome(tried: Tried) -> Outcome:
    became, tone = _became(tried.order, tried.there)
    refusal = tried.there.rejection_reason if tried.there is not None and tone == "danger" else ""
    return Outcome(
        what=_what(tried),
        became=became,
        tone=tone,
        why=refusal or (tried.order.message if tone != "success" else ""),
        ticket_id=tried.order.ticket_id,
    )


def _what(tried: Tried) -> str:
    request = tried.order.request
    if isinstance(request, CancelRequest) and tried.there is not None:
        return f"Cancel order {request.broker_order_id}: {sentence(tried.there.request)}"
    return sentence(request)


def _became(order: JournalOrder, there: BrokerOrder | None) -> tuple[str, str]:
    """In words, with its colour. What the broker took is not yet done: its book says so, where it can be read."""
    match order.state:
        case OrderState.SENT if isinstance(order.request, CancelRequest):
            return _cancelled(there)
        case OrderState.SENT:
            return _closed(there)
        case OrderState.UNKNOWN | OrderState.PARKED | OrderState.SENDING:
            return "In doubt: look at the broker", "warning"
        case OrderState.PLANNED:
            return "Not tried yet", "warning"
        case _:
            return "Not done", "danger"


def _cancelled(there: BrokerOrder | None) -> tuple[str, str]:
    if there is None:
        return "Taken by the broker", "info"
    if there.status.is_working:
        return "Taken by the broker, still open", "warning"
    if there.status is not OrderStatus.CANCELLED:
        return f"Not cancelled: it was {state_word(there.status).lower()}", "warning"
    filled = f", after {count(there.filled_quantity)} had filled" if there.filled_quantity else ""
    return f"Cancelled{filled}", "success"


def _closed(there: BrokerOrder | None) -> tuple[str, str]:
    if there is None:
        return "Taken by the broker", "info"
    if there.status is OrderStatus.COMPLETE:
        return f"Closed at {money(there.average_price)}", "success"
    if there.status.is_working:
        return "Sent, not filled yet", "warning"
    return "Not done", "danger"
