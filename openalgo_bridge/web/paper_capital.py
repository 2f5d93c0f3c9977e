"""``/analyzer/capital``: another amount of paper money. ``/analyzer/reset``: begin anew with one.

Another amount changes the capital, what can be used with it, and nothing else. To begin anew ends what was rehearsed
and cannot be taken back, so it asks for the step-up.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar, Self

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import RadioField, StringField  # type: ignore[import-untyped, unused-ignore]
from wtforms.fields.choices import SelectChoice  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Denied, Invalid, RateLimited
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.paper import UNITS_PER_RUPEE, to_rupees
from openalgo_bridge.model.paper_settings import CAPITAL_CHOICES, parse_capital
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.formats import count, rupees
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.step_up import StepUpForm, prove

blueprint = Blueprint("paper_capital", __name__)
_log = logging.getLogger(__name__)

_OTHER = "other"
_LAKH, _CRORE = 1_00_000, 1_00_00_000
_TWO_AMOUNTS = 'You typed an amount and chose another one. Choose "Another amount", or empty its field.'


def _in_words(amount: int) -> str:
    return f"₹{amount // _CRORE} crore" if amount >= _CRORE else f"₹{amount // _LAKH} lakh"


class CapitalForm(PageForm):
    """``POST /analyzer/capital``: ``capital`` in whole rupees, or ``other`` and the amount in that field."""

    capital = RadioField(
        "Capital",
        choices=[
            *(SelectChoice(str(each), _in_words(each)) for each in CAPITAL_CHOICES),
            SelectChoice(_OTHER, "Another amount"),
        ],
        validate_choice=False,
    )
    other = StringField("Another amount, in rupees", render_kw={"inputmode": "numeric"})

    @classmethod
    def of(cls, capital: int) -> Self:
        """Fresh, with so many units chosen."""
        amount = capital // UNITS_PER_RUPEE
        if amount in CAPITAL_CHOICES:
            return cls(formdata=None, capital=str(amount))
        return cls(formdata=None, capital=_OTHER, other=count(amount))

    def chosen(self, capital: int) -> int:
        """In units; ``capital`` is what there is now. Raises Invalid, also for an amount that was typed beside another
        choice: which of the two was meant nobody can tell.
        """
        typed = self.other.data or ""
        if self.capital.data == _OTHER:
            return parse_capital(typed)
        wanted = parse_capital(self.capital.data or "")
        if typed.strip() not in {"", count(capital // UNITS_PER_RUPEE)}:
            raise Invalid(_TWO_AMOUNTS, {"capital": [_TWO_AMOUNTS]})
        return wanted


class ResetForm(StepUpForm, CapitalForm):
    """``POST /analyzer/reset``."""

    html_id: ClassVar[str] = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How much of what there is would be gone."""

    positions: int
    holdings: int
    orders: int
    gtts: int


@blueprint.get("/analyzer/capital")
def capital() -> ResponseReturnValue:
    """How much there is, and how much there could be. Raises StorageError."""
    return _capital_page(CapitalForm.of(current_desk().store.paper_capital.money().capital))


@blueprint.post("/analyzer/capital")
def change() -> ResponseReturnValue:
    """What is open stays. Raises StorageError."""
    form, account = CapitalForm(), current_desk().store.paper_capital
    try:
        wanted = form.chosen(account.money().capital)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _capital_page(form, refusal.status)
    account.set(wanted, by=actor())
    flash(f"The paper account has a capital of {rupees(to_rupees(wanted))}.", "success")
    return redirect(url_for("analyzer.analyzer", _anchor="content"))


@blueprint.get("/analyzer/reset")
def confirm_reset() -> ResponseReturnValue:
    """What would be gone, and the button that does it. Raises StorageError."""
    return _reset_page(ResetForm.of(current_desk().store.paper_capital.money().capital))


@blueprint.post("/analyzer/reset")
def reset() -> ResponseReturnValue:
    """All or nothing, after the step-up. Raises StorageError."""
    form, account = ResetForm(), current_desk().store.paper_capital
    try:
        wanted = form.chosen(account.money().capital)
        prove(form, "Type your password to reset the paper account.")
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _reset_page(form, refusal.status)
    except (Denied, RateLimited) as refusal:
        headers = form.refuse(refusal)
        return *_reset_page(form, refusal.status), headers
    account.reset(wanted, by=actor())
    _log.warning("The paper account was reset and has %s rupees.", to_rupees(wanted))
    flash(f"The paper account was reset and has {rupees(to_rupees(wanted))}.", "success")
    return redirect(url_for("analyzer.analyzer", _anchor="content"))


def _capital_page(form: CapitalForm, status: int = 200) -> tuple[str, int]:
    money = current_desk().store.paper_capital.money()
    text = render_template(
        "paper_capital.html",
        form=form,
        capital=to_rupees(money.capital),
        available=to_rupees(money.available),
    )
    return text, status


def _reset_page(form: ResetForm, status: int = 200) -> tuple[str, int]:
    desk = reading(current_desk())
    text = render_template(
        "paper_reset.html",
        form=form,
        booked=to_rupees(desk.store.paper_capital.money().realised),
        begin=desk.store.paper_capital.begin(),
        ended=_ended(desk),
    )
    return text, status


def _ended(desk: Desk) -> Ended | None:
    """None while the paper account cannot be asked: a drill may see to that."""
    broker = desk.broker(TradingMode.ANALYZE)
    try:
        return Ended(
            positions=sum(1 for each in broker.positions() if each.quantity),
            holdings=len(broker.holdings()),
            orders=sum(1 for each in broker.order_book() if each.status.is_working),
            gtts=len(broker.gtt_book()),
        )
    except BrokerError:
        return None
