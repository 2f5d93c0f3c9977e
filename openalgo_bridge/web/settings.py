"""``/settings``: everything that the trader can change, where it is changed, and how it stands now.

What has a page of its own is linked. What has none, how smart orders are worked out, is changed here: the safer way at
once, the other way after a step-up. What stands in ``.env`` is read at the start only, so it is told, not changed.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import hashlib
import logging
from typing import ClassVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, Denied, RateLimited
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.web import env_settings, settings_now
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.step_up import AskedLaterForm, prove

blueprint = Blueprint("settings", __name__, url_prefix="/settings")
_log = logging.getLogger(__name__)


class SmartOrdersForm(AskedLaterForm):
    """``POST /settings/smart-orders``. ``shown`` is the mark of what its page showed; a script sends none."""

    html_id: ClassVar[str] = "smart-orders"

    shown = HiddenField("Shown")
    counts_working = BooleanField(
        "Count working orders",
        description="What is on its way to the target already is not sent again, so the same signal twice sends one "
        "order. Stops and targets that wait do not keep an exit from being sent. Off, every signal sends the whole "
        "difference to the position, however much of it is working.",
    )
    opens_while_flat = BooleanField(
        "A position_size of 0 may open a trade while nothing is held",
        description="OpenAlgo then sends the order as it is. It was probably meant as an exit, so off, nothing is sent "
        "and the answer says so. Switch it on only for a script that relies on it.",
    )

    @classmethod
    def of(cls, settings: SmartOrderSettings | None) -> SmartOrdersForm:
        """Fresh, with what is in force; with the defaults where that cannot be read."""
        told = settings or SmartOrderSettings()
        return cls(
            formdata=None,
            shown=mark_of(settings),
            counts_working=told.counts_working,
            opens_while_flat=told.opens_while_flat,
        )

    @property
    def wanted(self) -> SmartOrderSettings:
        """As ticked."""
        return SmartOrderSettings(
            counts_working=bool(self.counts_working.data), opens_while_flat=bool(self.opens_while_flat.data)
        )


def mark_of(settings: SmartOrderSettings | None) -> str:
    """Of what is in force; 64 characters, like that of a ticket."""
    return hashlib.sha256(str(settings).encode()).hexdigest()


@blueprint.get("")
def settings() -> ResponseReturnValue:
    """The page."""
    in_force = if_readable(current_desk().store.preferences.smart_orders)
    return _page(SmartOrdersForm.of(in_force), in_force)


@blueprint.post("/smart-orders")
def save_smart_orders() -> ResponseReturnValue:
    """Both boxes at once, from the next smart order on."""
    form, preferences = SmartOrdersForm(), current_desk().store.preferences
    before = if_readable(preferences.smart_orders)
    if form.shown.data and form.shown.data != mark_of(before):
        return _changed_meanwhile()
    try:
        if before is None or form.wanted.widens(before):
            prove(form, "This sends orders that are not sent now. Type your password to allow it.")
        preferences.set_smart_orders(form.wanted, by=actor(), expected=before)
    except (Denied, RateLimited) as refusal:
        headers = form.refuse(refusal)
        return *_page(form, before, refusal.status), headers
    except Conflict:
        return _changed_meanwhile()
    _tell(before, form.wanted)
    return _back()


def _tell(before: SmartOrderSettings | None, after: SmartOrderSettings) -> None:
    if before == after:
        flash("Nothing was changed.", "secondary")
        return
    _log.warning("How smart orders are worked out was changed: %s.", after)
    flash("Saved. It counts from the next smart order on.", "success")


def _changed_meanwhile() -> ResponseReturnValue:
    """Two boxes are soon ticked again; what the page shows then is in force."""
    flash(f"Nothing was saved. {CHANGED_MEANWHILE}", "danger")
    return _back()


def _back() -> ResponseReturnValue:
    return redirect(url_for("settings.settings", _anchor="smart-orders"))


def _page(form: SmartOrdersForm, in_force: SmartOrderSettings | None, status: int = 200) -> tuple[str, int]:
    desk = current_desk()
    text = render_template(
        "settings.html",
        groups=settings_now.groups(desk),
        form=form,
        in_force=in_force,
        lines=env_settings.lines_of(desk.settings),
    )
    return text, status
