"""``/analyzer/settings``: how the paper exchange behaves. It is about paper money, so it asks for no password."""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, RadioField, StringField  # type: ignore[import-untyped, unused-ignore]
from wtforms.fields.choices import SelectChoice  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.paper_settings import (
    PaperHours,
    PaperSettings,
    SquareOffGroup,
    parse,
    square_off_field,
    texts,
)
from openalgo_bridge.trading import paper_terms
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("paper_settings", __name__)

_TIME = {"placeholder": "HH:MM"}
_TIMES = tuple(square_off_field(group) for group in SquareOffGroup)


class PaperSettingsForm(PageForm):
    """``POST /analyzer/settings``. The names are those of :mod:`~openalgo_bridge.model.paper_settings`."""

    hours = RadioField(
        "When it takes orders",
        choices=[
            SelectChoice(PaperHours.ALWAYS.value, "Around the clock, so that you can rehearse on a Sunday"),
            SelectChoice(PaperHours.EXCHANGE.value, "In the hours of the real exchange; any other order is rejected"),
        ],
        validate_choice=False,
    )
    protects_market_orders = BooleanField(
        "Market protection",
        description="MARKET and SL-M fill only as far from the price as brokers let the orders of programs, and only "
        "what the market shows there. The rest stays open, as for real. Off, they fill whole at the best price.",
    )
    square_off_shares = StringField(
        "Shares",
        description="NSE and BSE. Empty: 5 minutes before shares with derivatives stop trading.",
        render_kw=_TIME,
    )
    square_off_derivatives = StringField(
        "Futures and options", description="NFO and BFO. Empty: 5 minutes before the close.", render_kw=_TIME
    )
    square_off_currencies = StringField(
        "Currencies", description="CDS and BCD. Empty: 15 minutes before the close.", render_kw=_TIME
    )
    square_off_commodities = StringField(
        "Commodities",
        description="MCX, NCO and NCDEX. Empty: 25 minutes before the close, on NCDEX 5.",
        render_kw=_TIME,
    )
    square_off_crypto = StringField("Crypto", description="Empty: 5 minutes before midnight.", render_kw=_TIME)

    @classmethod
    def of(cls, settings: PaperSettings) -> PaperSettingsForm:
        """Fresh, with what is in force."""
        values: dict[str, Any] = dict(texts(settings))
        return cls(formdata=None, **values | {"protects_market_orders": settings.protects_market_orders})

    @property
    def texts(self) -> dict[str, str]:
        """As typed and ticked."""
        typed = {name: str(self[name].data or "") for name in ("hours", *_TIMES)}
        return typed | {"protects_market_orders": "yes" if self.protects_market_orders.data else ""}


@blueprint.get("/analyzer/settings")
def settings() -> ResponseReturnValue:
    """What is in force; the defaults where that cannot be read."""
    in_force = if_readable(current_desk().store.paper_settings.load)
    return _page(PaperSettingsForm.of(in_force or PaperSettings()), is_readable=in_force is not None)


@blueprint.post("/analyzer/settings")
def save() -> ResponseReturnValue:
    """All or nothing, from the next order on. Raises StorageError."""
    form = PaperSettingsForm()
    try:
        wanted = parse(form.texts)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _page(form, is_readable=True, status=refusal.status)
    desk = current_desk()
    saved = desk.store.paper_settings
    paper_terms.change(
        desk, lambda since: saved.save(wanted, by=actor(), since=since), lambda told: flash(told, "warning")
    )
    flash("Saved. It counts from the next order on.", "success")
    return redirect(url_for("paper_settings.settings", _anchor="content"))


def _page(form: PaperSettingsForm, *, is_readable: bool, status: int = 200) -> tuple[str, int]:
    text = render_template(
        "paper_settings.html", form=form, times=[form[name] for name in _TIMES], is_readable=is_readable
    )
    return text, status
