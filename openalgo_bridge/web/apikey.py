"""``/apikey``: view and replace the key, choose the order mode.

The key is in an answer of this page twice only: after its password was typed for *View*, and after a new one was
generated. It is never in a URL, a session, a flash or a log (design 5).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof, confirm
from openalgo_bridge.errors import BridgeError, Denied, NotFound, RateLimited
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.web import sessions
from openalgo_bridge.web.current import actor, current_desk, order_mode
from openalgo_bridge.web.forms import OrderModeForm, PageForm, RegenerateForm, ViewKeyForm

blueprint = Blueprint("apikey", __name__, url_prefix="/apikey")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """A key on its way into one answer. ``is_new``: it was generated just now and is not hidden again."""

    text: str = field(repr=False)
    is_new: bool


@blueprint.get("")
def apikey() -> ResponseReturnValue:
    """The page without the key."""
    return _page()


@blueprint.post("/view")
def view() -> ResponseReturnValue:
    """The key in this answer only."""
    form = ViewKeyForm()
    if not form.is_complete():
        return _page(form, status=400)
    try:
        key = keys.view(current_desk(), Proof(password=form.password.data), by=actor())
    except (Denied, RateLimited, NotFound) as refusal:
        return _refused(form, refusal)
    sessions.begin_new_id()
    return _page(shown=ShownKey(text=key, is_new=False))


@blueprint.post("/regenerate")
def regenerate() -> ResponseReturnValue:
    """A new key in this answer only. The old one is refused from now on."""
    form = RegenerateForm()
    if not form.is_complete():
        return _page(form, status=400)
    try:
        key = keys.issue(current_desk(), Proof(password=form.password.data), by=actor())
    except (Denied, RateLimited) as refusal:
        return _refused(form, refusal)
    sessions.begin_new_id()
    _log.warning("A new API key was generated; the old one is refused from now on.")
    return _page(shown=ShownKey(text=key, is_new=True))


@blueprint.post("/mode")
def save_mode() -> ResponseReturnValue:
    """Semi-Auto at once; Auto only with the password, because orders then leave without asking."""
    form = OrderModeForm()
    if not form.is_complete():
        return _page(form, status=400)
    desk, mode = current_desk(), OrderMode(form.mode.data)
    try:
        if mode is OrderMode.AUTO and order_mode(desk) is not OrderMode.AUTO:
            confirm(desk, Proof(password=form.password.data or ""))
            sessions.begin_new_id()
    except (Denied, RateLimited) as refusal:
        return _refused(form, refusal)
    desk.store.preferences.set_order_mode(mode, by=actor())
    _log.warning("The order mode is now %s.", mode)
    flash(_EFFECT[mode], "success")
    return redirect(url_for("apikey.apikey"))


_EFFECT = {
    OrderMode.AUTO: "Saved. New orders are sent at once. Orders that already wait still need your decision.",
    OrderMode.SEMI_AUTO: "Saved. From now on every new order waits for you in the Action Center.",
}


def _refused(form: PageForm, refusal: BridgeError) -> ResponseReturnValue:
    form.show_faults({"password": [refusal.message]})
    headers = {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, RateLimited) else {}
    return *_page(form, status=refusal.status), headers


def _page(refused: PageForm | None = None, *, shown: ShownKey | None = None, status: int = 200) -> tuple[str, int]:
    """The page with fresh forms, and in place of one of them the form that was refused."""
    desk = current_desk()
    mode = order_mode(desk)
    forms: dict[str, PageForm] = {
        "view_form": ViewKeyForm(formdata=None),
        "regenerate_form": RegenerateForm(formdata=None),
        "mode_form": OrderModeForm(formdata=None, mode=mode),
    }
    for name, fresh in forms.items():
        if refused is not None and type(fresh) is type(refused):
            forms[name] = refused
    text = render_template(
        "apikey.html",
        key=desk.store.api_keys.active(),
        machine_key_was_replaced=keys.machine_key_was_replaced(desk),
        shown=shown,
        mode=mode,
        **forms,
    )
    return text, status
