"""``/kept``: a form that arrived after its session had ended is not lost (issue "bad input").

It is sealed under the machine key into a cookie of the browser that sent it, which brings it to this page and nowhere
else. So it survives the sign-in, in however many steps, and a restart of the bridge; it costs no row, which any
program on this PC could make us write, and no memory, which it could fill; and nobody but this bridge can make one or
read one. The price is the size of a cookie: what is longer than that is not kept, and the page says so.

Nothing is sent without a click on a page that says what it will do. Where it goes is built from the list below, never
from an address in a request. Passwords, codes and keys are not kept: the form's own page asks for them again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from openalgo_bridge.account.carrying import brought, carried
from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.machine_key import KEPT_FORM
from openalgo_bridge.trading import approvals
from openalgo_bridge.web import words
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.paging import row_id

blueprint = Blueprint("kept", __name__)

LIFE = timedelta(minutes=15)

DEEDS = {
    "ticket.approve": "approve an order",
    "ticket.reject": "reject an order",
    "ticket.modify": "change an order that waits for you",
    "kill_switch.engage": "stop all orders",
    "guards.save": "change the guards",
    "going_live.go_live": "go live",
    "paper_capital.change": "change the capital of the paper account",
    "paper_settings.save": "change how the paper exchange behaves",
    "calendar.add": "add a day to the calendar",
    "settings.save_smart_orders": "change how smart orders are worked out",
    "apikey.save_mode": "change the order mode",
    "apikey.rules.rename": "name the API key",
    "apikey.rules.save_permissions": "change what the API key may do",
    "apikey.rules.save_addresses": "change from where the API key may be used",
    "apikey.lists.save_integrations": "tick off the programs that have the new key",
}
"""The forms that are kept, by endpoint, and what each does. A form with nothing typed in but secrets is not in it."""

_PATH = "/kept"
_MOST_FIELDS = 200
_MOST_CHARACTERS = 16_384
_LONGEST_COOKIE = 3500  # browsers take 4096 bytes with name and attributes

# The form's own, and what tells a password manager whose password it is.
_NOT_TYPED = {"csrf_token", "username"}
# Sent along by the page: it says what the page showed.
_UNSEEN = {"boxes", "fingerprint"}
_SECRET_WORDS = {"password", "code", "token", "secret", "otp", "pin", "apikey"}
_FINGERPRINT = re.compile(r"(?:[0-9]{1,18}:)?[0-9a-f]{64}")
_SPELLED = {
    "auto": "Auto",
    "semi_auto": "Semi-Auto",
    "read_only": "Read-only",
    "trade_only": "Trade-only",
    "this_pc": "this PC only",
    "listed": "these addresses",
} | {each.value: each.sentence for each in Permission}

Argument = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptForm:
    """What was sent to ``endpoint``, without its secrets. ``had_secrets``: some were left out."""

    endpoint: str
    arguments: tuple[tuple[str, Argument], ...]
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    had_secrets: bool
    at: datetime

    @property
    def action(self) -> str:
        """The address that it was sent to."""
        values: dict[str, Any] = dict(self.arguments)
        return url_for(self.endpoint, **values)

    @property
    def deed(self) -> str:
        """What it does."""
        return DEEDS[self.endpoint]

    @property
    def readable(self) -> dict[str, str]:
        """What a person typed or chose, by label."""
        lines: dict[str, list[str]] = {}
        for name, value in self.fields:
            if value and name not in _UNSEEN and not _FINGERPRINT.fullmatch(value):
                lines.setdefault(name.replace("_", " ").capitalize(), []).append(_SPELLED.get(value, value))
        return {label: ", ".join(values) for label, values in lines.items()}


def of_request() -> KeptForm | None:
    """The form of this request; None for one that is not kept, or too large."""
    sent = [(name, value) for name, value in request.form.items(multi=True) if name not in _NOT_TYPED]
    if request.endpoint not in DEEDS or len(sent) > _MOST_FIELDS:
        return None
    if sum(len(name) + len(value) for name, value in sent) > _MOST_CHARACTERS:
        return None
    return KeptForm(
        endpoint=request.endpoint,
        arguments=tuple((request.view_args or {}).items()),
        fields=tuple((name, value) for name, value in sent if not _is_secret(name, value)),
        had_secrets=any(value and _is_secret(name, value) for name, value in sent),
        at=current_desk().clock.now(),
    )


def sealed(form: KeptForm) -> str | None:
    """The form as a cookie; None when it is too long for one."""
    desk = current_desk()
    told = json.dumps([form.endpoint, form.arguments, form.fields, form.had_secrets, to_ms(form.at)])
    cookie = carried(desk.store.machine_key, KEPT_FORM, told, expires=form.at + LIFE)
    return cookie if len(cookie) <= _LONGEST_COOKIE else None


def put_into(response: Response, cookie: str) -> None:
    """Let the browser carry it to :func:`kept`."""
    response.set_cookie(_cookie(), cookie, max_age=LIFE, httponly=True, samesite="Strict", path=_PATH)


@blueprint.get(_PATH)
def kept() -> ResponseReturnValue:
    """What was about to be sent, for the person who has signed in by now."""
    form = _brought()
    if form is None:
        flash("What you typed is not kept any more. Nothing was changed.", "warning")
        return redirect(url_for("dashboard.dashboard"))
    return page(form)


def page(form: KeptForm) -> str:
    """The form again, with a button that sends it. Raises StorageError."""
    ticket = _ticket(form)
    return render_template(
        "kept.html",
        form=form,
        ticket=ticket,
        about=_about(form, ticket),
        is_open=ticket is None or ticket.state is TicketState.HELD,
    )


def _about(form: KeptForm, ticket: Ticket | None) -> str:
    """What the button names. A change makes another order of it, so what it is now says nothing of what is sent."""
    if ticket is None:
        return ""
    return f"ticket {ticket.id}, send nothing" if form.endpoint == "ticket.modify" else words.deed(ticket.request)


def _ticket(form: KeptForm) -> Ticket | None:
    """The ticket that the form decides about, as it stands now. Raises NotFound, StorageError."""
    number = dict(form.arguments).get("ticket_id")
    if not isinstance(number, int):
        return None
    return approvals.ticket(current_desk(), row_id(number))


def _brought() -> KeptForm | None:
    desk = current_desk()
    told = brought(desk.store.machine_key, KEPT_FORM, request.cookies.get(_cookie(), ""), now=desk.clock.now())
    if told is None:
        return None
    endpoint, arguments, fields, had_secrets, at = json.loads(told)
    return KeptForm(
        endpoint=endpoint,
        arguments=tuple((name, value) for name, value in arguments),
        fields=tuple((name, value) for name, value in fields),
        had_secrets=had_secrets,
        at=from_ms(at),
    )


def _is_secret(name: str, value: str) -> bool:
    """By its name, or because a key or something like one is in it. What was shown of a ticket looks alike."""
    if not _SECRET_WORDS.isdisjoint(name.lower().split("_")):
        return True
    return redact(value) != value and not _FINGERPRINT.fullmatch(value)


def _cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}_kept"
