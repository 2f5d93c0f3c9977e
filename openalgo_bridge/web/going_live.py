"""``/analyzer/live``: on what terms the account goes live, or how it stands while it is (design 4).

The one way to real money: a person, a password, a limit set or declined each by itself.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, RadioField, StringField  # type: ignore[import-untyped, unused-ignore]
from wtforms.fields.choices import SelectChoice  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.account import login
from openalgo_bridge.account.checklist import checklist
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import (
    CHANGED_MEANWHILE,
    BridgeError,
    BrokerError,
    Conflict,
    Denied,
    Invalid,
    NotSetUp,
    RateLimited,
)
from openalgo_bridge.model import guard_form
from openalgo_bridge.model.going_live import LIMITS, LiveTerms, decided, declining, undecided
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.trading import mode
from openalgo_bridge.trading.kill_switch import standing
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web import step_up
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.guards import mark_of
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("going_live", __name__)

_NUMBER = {"inputmode": "numeric"}
_AMOUNT = {"inputmode": "decimal"}


class GoingLiveForm(step_up.PasswordForm):
    """``POST /analyzer/live``. ``shown`` is the mark of the guards that its page showed, ``broker`` the name of the
    broker: both must still be so.
    """

    html_id: ClassVar[str] = "going-live"

    shown = HiddenField("Shown")
    broker = HiddenField("Broker")

    order_mode = RadioField(
        "Order mode",
        choices=[SelectChoice(OrderMode.SEMI_AUTO.value, "Semi-Auto"), SelectChoice(OrderMode.AUTO.value, "Auto")],
        validate_choice=False,
    )
    maximum_quantity = StringField("Most units in one order", render_kw=_NUMBER)
    no_maximum_quantity = BooleanField(
        "No limit of mine: only 10 times the exchange's freeze quantity, or 10,00,000 units, is refused"
    )
    order_value = StringField("Most rupees in one order", render_kw=_AMOUNT)
    no_order_value = BooleanField("No limit of mine: an order may be worth anything")
    orders_per_day = StringField("Most orders in a day", render_kw=_NUMBER)
    no_orders_per_day = BooleanField("No limit of mine: 500 a day, which is always on")
    loss_of_day = StringField("Stop at a loss of the day, in rupees", render_kw=_AMOUNT)
    no_loss_of_day = BooleanField("No limit of mine: entries go on whatever was lost")
    let_exits_through = BooleanField("In Semi-Auto, send exits at once")

    @classmethod
    def fresh(cls, guards: GuardSettings, broker: str) -> GoingLiveForm:
        """With what is preselected: Semi-Auto, exits let through, and no limit declined."""
        return cls(
            formdata=None,
            shown=mark_of(guards),
            broker=broker,
            order_mode=OrderMode.SEMI_AUTO.value,
            let_exits_through=True,
            **undecided(guards),
        )

    @property
    def texts(self) -> dict[str, str]:
        """As typed and ticked."""
        boxes = [declining(name) for name in LIMITS] + ["let_exits_through"]
        typed = {name: str(self[name].data or "") for name in ("order_mode", *LIMITS)}
        return typed | {name: "yes" if self[name].data else "" for name in boxes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One of the four, as it is in force."""

    name: str
    declining: str
    now: str


@blueprint.get(mode.GO_LIVE)
def going_live() -> ResponseReturnValue:
    """What it means now, and the form; or how the account stands that is live."""
    return _page(None)


@blueprint.post(mode.GO_LIVE)
def go_live() -> ResponseReturnValue:
    """All of it, or nothing. Raises StorageError."""
    form, desk = GoingLiveForm(), current_desk()
    before = if_readable(desk.store.guards.load)
    if before is None or form.shown.data != mark_of(before):
        return _changed_meanwhile(form)
    terms = _terms(form, before)
    if terms is None:
        return _page(form, Invalid.status)
    try:
        login.confirm(desk, step_up.proof_of(form))
        step_up.note()
        mode.go_live(desk, terms, at=form.broker.data or "", expected=before, by=actor())
    except (Denied, RateLimited) as refusal:
        headers = form.refuse(refusal)
        return *_page(form, refusal.status), headers
    except (Conflict, NotSetUp, BrokerError) as refusal:
        form.show_faults({"": [f"Nothing was changed. {refusal.message}"]})
        return _page(form, refusal.status)
    flash("You trade live: new orders use real money.", "warning")
    return redirect(url_for("going_live.going_live", _anchor="content"))


def _terms(form: GoingLiveForm, before: GuardSettings) -> LiveTerms | None:
    """None where something is missing or at fault, a password too: each is told beside its field."""
    is_complete = form.is_complete()
    try:
        terms = decided(form.texts, before)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return None
    return terms if is_complete else None


def _changed_meanwhile(form: GoingLiveForm) -> ResponseReturnValue:
    """The limits in force by now stand beside what was typed: sending it again is meant."""
    form.shown.data = mark_of(if_readable(current_desk().store.guards.load))
    told = "Nothing was changed. What you typed still stands here, and beside it what is in force now."
    form.show_faults({"": [f"{CHANGED_MEANWHILE} {told}"]})
    return _page(form, Conflict.status)


def _page(sent: GoingLiveForm | None, status: int = 200) -> tuple[str, int]:
    desk = reading(current_desk())
    guards = if_readable(desk.store.guards.load)
    broker = desk.brokers.get(TradingMode.LIVE)
    name = "" if broker is None else broker.name
    text = render_template(
        "going_live.html",
        trading_mode=if_readable(desk.store.preferences.trading_mode),
        broker=name,
        fault=_fault(desk) if name else "",
        form=sent or GoingLiveForm.fresh(guards or GuardSettings(), name),
        limits=None if guards is None else _limits(guards),
        lets_exits_through=guards is not None and guards.let_exits_through,
        standing=standing(desk),
        waiting=if_readable(lambda: desk.store.ticket_lists.waiting_for(TradingMode.ANALYZE)),
        may_trade_live=if_readable(lambda: _may_trade_live(desk)),
        to_do=if_readable(lambda: [item.what for item in checklist(desk) if not item.is_done]),
    )
    return text, status


def _fault(desk: Desk) -> str:
    """Why the live account cannot be asked just now; empty where it can."""
    try:
        desk.broker(TradingMode.LIVE).positions()
    except BridgeError as fault:
        return fault.message
    return ""


def _limits(guards: GuardSettings) -> Iterable[Limit]:
    now = guard_form.texts(guards)
    return [Limit(name=name, declining=declining(name), now=now[name] or "off") for name in LIMITS]


def _may_trade_live(desk: Desk) -> bool:
    """Whether there is no key that would be refused."""
    key = desk.store.api_keys.active()
    return key is None or Permission.LIVE_TRADING in key.rules.permissions
