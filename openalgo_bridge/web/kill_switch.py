"""``/kill-switch``: stop all orders with one click, what became of each, and the way back, which asks for the password.

The button stands on every page. Whatever else is broken, the answer to it is true: it is on, or it is not.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import logging
from datetime import datetime
from typing import ClassVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, StringField  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, RateLimited
from openalgo_bridge.model.ticket import Operation
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.trading import kill_switch as switch
from openalgo_bridge.trading.kill_switch import Engaged
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.broker_orders import said_of
from openalgo_bridge.web.current import actor, current_desk, order_mode
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.legs import Leg, leg_of
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.step_up import StepUpForm, prove

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
    desk = reading(current_desk())
    state, queue = if_readable(desk.store.kill_switch.state), if_readable(desk.store.ticket_lists.queue)
    form = refused or ReleaseForm(formdata=None)
    if state is not None and state.since is not None:
        form.since.data = str(to_ms(state.since))
    text = render_template(
        "kill_switch.html",
        state=state,
        legs=if_readable(lambda: _legs(desk, state)),
        standing=switch.standing(desk),
        waiting=0 if queue is None else queue.count,
        mode=order_mode(desk),
        form=form,
        most_lines=_MOST_LINES,
    )
    return text, status


def _legs(desk: Desk, state: SwitchState | None) -> list[Leg]:
    """What was not done first: that is what the trader must do something about."""
    if state is None or state.since is None:
        return []
    made = switch.tried_since(desk, state.since)
    said = said_of(desk, made, desk.clock.now())
    legs = [leg_of(each, said.of(each), closes=each.operation is Operation.PLACE) for each in made]
    return sorted(legs, key=lambda leg: leg.is_done)
