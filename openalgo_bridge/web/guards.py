"""``/guards``: the limits that stand between a program and the broker.

Narrower is saved at once. What lets more through is answered with the same form, everything as it was typed, and the
fields of the step-up.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import (  # type: ignore[import-untyped, unused-ignore]
    BooleanField,
    HiddenField,
    StringField,
    TextAreaField,
)

from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, Denied, Invalid, RateLimited
from openalgo_bridge.model import guard_form
from openalgo_bridge.model.guards import GuardSettings, widens
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.step_up import AskedLaterForm, prove

blueprint = Blueprint("guards", __name__, url_prefix="/guards")
_log = logging.getLogger(__name__)

_NUMBER = {"inputmode": "numeric"}
_AMOUNT = {"inputmode": "decimal"}
_TIME = {"placeholder": "HH:MM"}
_LINES = {"rows": 3}
_UNREADABLE = "not readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Guards that belong together, by the names of their fields."""

    title: str
    sentence: str
    names: tuple[str, ...]


GROUPS = (
    Group(
        title="Size of an entry",
        sentence="",
        names=("maximum_quantity", "order_value"),
    ),
    Group(
        title="How much in a day",
        sentence="",
        names=("orders_per_day", "open_positions", "loss_of_day"),
    ),
    Group(
        title="What and when",
        sentence="",
        names=("allowed_symbols", "window_opens", "window_closes"),
    ),
    Group(
        title="Signals",
        sentence="",
        names=("duplicate_window", "duplicate_window_source", "stale_after"),
    ),
    Group(
        title="Prices",
        sentence="The first is for exits too: it guards against a slip of the finger.",
        names=("price_band", "price_drift"),
    ),
    Group(
        title="Exits",
        sentence="An exit that can be proven passes every guard but those for LIMIT prices and repeated signals.",
        names=("let_exits_through",),
    ),
    Group(
        title="How long a ticket waits for you",
        sentence="An exit waits until the end of the session, whatever stands here: to let it lapse would leave the "
        "position open.",
        names=("held_for", "held_for_source"),
    ),
    Group(
        title="Rehearsal",
        sentence="",
        names=("rehearse_rate",),
    ),
)


class GuardsForm(AskedLaterForm):
    """``POST /guards``. Each field has the name and the text of :mod:`~openalgo_bridge.model.guard_form`, which says
    what is a number. ``shown`` is the mark of what its page showed; a script sends none.
    """

    html_id: ClassVar[str] = "guards"

    shown = HiddenField("Shown")

    maximum_quantity = StringField(
        "Most units in one order",
        description="An entry of more units is refused. Always on beside it: at most 10 times the exchange's freeze "
        "quantity, or 10,00,000 units where it publishes none. The slices of a split count together.",
        render_kw=_NUMBER,
    )
    order_value = StringField(
        "Most rupees in one order",
        description="An entry that may cost more is refused: quantity times its limit price, or the last price. The "
        "slices of a split count together.",
        render_kw=_AMOUNT,
    )
    orders_per_day = StringField(
        "Most orders in a day",
        description="The next one is refused until midnight IST. Waiting ones count, refused ones do not. Always on: "
        "empty is 500.",
        render_kw=_NUMBER,
    )
    open_positions = StringField(
        "Most open positions",
        description="An entry in a further symbol is refused while so many are open, or would be once the working "
        "orders had filled.",
        render_kw=_NUMBER,
    )
    loss_of_day = StringField(
        "Stop at a loss of the day, in rupees",
        description="Entries are refused once booked and open loss of today together reach it.",
        render_kw=_AMOUNT,
    )
    allowed_symbols = TextAreaField(
        "Only these symbols",
        description="Entries in any other are refused. Such as NSE:RELIANCE; NFO:NIFTY* is every symbol that begins "
        "so. Spaces or lines between them.",
        render_kw=_LINES,
    )
    window_opens = StringField(
        "Entries from (IST)",
        description="Entries outside of these hours are refused. Both, or neither.",
        render_kw=_TIME,
    )
    window_closes = StringField(
        "Entries until (IST)",
        description="From this minute on no entry is taken.",
        render_kw=_TIME,
    )
    duplicate_window = StringField(
        "Refuse the same signal again within, in seconds",
        description=(
            "The same order of the same source and strategy, a second time within so many seconds. For exits too,"
            " unless you click them yourself."
        ),
        render_kw=_NUMBER,
    )
    duplicate_window_source = TextAreaField(
        "Sources with a window of their own",
        description="One a line, with its seconds or off: api off, webhook:tv 60.",
        render_kw=_LINES,
    )
    stale_after = StringField(
        "Refuse signals older than, in seconds",
        description="By the time that the sender gives. Who gives none cannot be judged and passes.",
        render_kw=_NUMBER,
    )
    price_band = StringField(
        "LIMIT price at most so far from the last price, in %",
        description="Further away is refused, exits too. Always on: empty is 20.",
        render_kw=_AMOUNT,
    )
    price_drift = StringField(
        "Price may move so much while a ticket waits, in %",
        description="An approval is refused when the price has moved further since the order came in; the ticket "
        "stays. Of several orders in one ticket each has its own price. Exits pass.",
        render_kw=_AMOUNT,
    )
    let_exits_through = BooleanField(
        "In Semi-Auto, send exits at once",
        description="What provably takes a position down does not wait for you. Where nobody can tell, it waits.",
    )
    held_for = StringField(
        "A ticket waits so long, in seconds",
        description="Then it expires, and nothing is sent. 10 to 86400; empty is 300.",
        render_kw=_NUMBER,
    )
    held_for_source = TextAreaField(
        "Sources with a time of their own",
        description="One a line, with its seconds: api 600, page 60, webhook:tv 120.",
        render_kw=_LINES,
    )
    rehearse_rate = BooleanField(
        "Rehearse a broker's rate in the paper account",
        description="The paper account then takes at most 8 orders a second, as a real broker does, two of them kept "
        "for cancels and exits. More wait up to 5 seconds and are then refused as not sent; the rest of a ticket that "
        "has begun waits up to a minute for each order. Off, it takes any number.",
    )

    @classmethod
    def of(cls, settings: GuardSettings | None) -> GuardsForm:
        """Fresh, with what is in force; with the defaults where that cannot be read."""
        texts = guard_form.texts(settings or GuardSettings())
        values: dict[str, Any] = {name: texts[name] == "yes" if name in _BOXES else texts[name] for name in texts}
        return cls(formdata=None, shown=mark_of(settings), **values)

    @property
    def texts(self) -> dict[str, str]:
        """As typed."""
        return {name: _typed(self[name].data) for group in GROUPS for name in group.names}


_BOXES = {name for group in GROUPS for name in group.names if getattr(GuardsForm, name).field_class is BooleanField}


def mark_of(settings: GuardSettings | None) -> str:
    """Of what is in force; 64 characters, like that of a ticket."""
    told = _UNREADABLE if settings is None else json.dumps(guard_form.texts(settings), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


@blueprint.get("")
def guards() -> ResponseReturnValue:
    """Every guard, what it does and what it is set to."""
    before = if_readable(current_desk().store.guards.load)
    return _page(GuardsForm.of(before), before)


@blueprint.post("")
def save() -> ResponseReturnValue:
    """All or nothing, from the next order on."""
    form, desk = GuardsForm(), current_desk()
    before = if_readable(desk.store.guards.load)
    if form.shown.data and form.shown.data != mark_of(before):
        return _changed_meanwhile(form)
    try:
        after = guard_form.parse(form.texts)
        if before is None or widens(before, after):
            prove(form, "This lets through what is stopped now. Type your password to allow it.")
        desk.store.guards.save(after, by=actor(), expected=before)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _page(form, before, refusal.status)
    except (Denied, RateLimited) as refusal:
        headers = form.refuse(refusal)
        return *_page(form, before, refusal.status), headers
    except Conflict:
        return _changed_meanwhile(form)
    return _saved(before, after)


def _saved(before: GuardSettings | None, after: GuardSettings) -> ResponseReturnValue:
    _, changes = guard_form.changes(before or GuardSettings(), after)
    if before == after:
        flash("Nothing was changed.", "secondary")
    else:
        _log.warning("The guards were changed: %s.", changes or "as after a fresh start")
        flash("Saved. It counts from the next order on.", "success")
    return redirect(url_for("guards.guards", _anchor="content"))


def _changed_meanwhile(form: GuardsForm) -> ResponseReturnValue:
    """What is in force by now stands beside what was typed: sending it again is meant."""
    now = if_readable(current_desk().store.guards.load)
    form.shown.data = mark_of(now)
    told = "Nothing was saved. What you typed still stands here, and beside it what is in force now: save it again."
    form.show_faults({"": [f"{CHANGED_MEANWHILE} {told}"]})
    return _page(form, now, Conflict.status)


def _page(form: GuardsForm, in_force: GuardSettings | None, status: int = 200) -> tuple[str, int]:
    faulty = [form[name].label.text for group in GROUPS for name in group.names if form[name].errors]
    now = {} if in_force is None else _in_words(guard_form.texts(in_force))
    text = render_template("guards.html", form=form, groups=GROUPS, now=now, faulty=faulty, boxes=_BOXES)
    return text, status


def _in_words(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        name: ("on" if name in _BOXES and text else text.replace("\n", ", ")) or "off" for name, text in texts.items()
    }


def _typed(value: object) -> str:
    return ("yes" if value else "") if isinstance(value, bool) else str(value or "")
