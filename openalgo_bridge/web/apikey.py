"""``/apikey``: view, replace and end the key, choose the order mode. Its rules are in ``key_rules``.

The key is in an answer of this page twice only: after its password was typed for *View*, and after a new one was
generated. It is never in a URL, a session, a flash or a log (design 5).
"""

from __future__ import annotations

import logging

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import keys, login
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, NotFound, RateLimited, StorageError
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.web import integrations, key_rules, step_up
from openalgo_bridge.web.current import actor, current_desk, order_mode
from openalgo_bridge.web.key_forms import OrderModeForm, RegenerateForm, RevokeForm, ViewForm
from openalgo_bridge.web.key_page import ShownKey, page, refuse

blueprint = Blueprint("apikey", __name__, url_prefix="/apikey")
blueprint.register_blueprint(key_rules.blueprint)
blueprint.register_blueprint(integrations.blueprint)
_log = logging.getLogger(__name__)


@blueprint.get("")
def apikey() -> ResponseReturnValue:
    """The page without the key."""
    return page()


@blueprint.post("/view")
def view() -> ResponseReturnValue:
    """The key in this answer only."""
    form = ViewForm()
    if not form.is_complete():
        return page(form, status=400)
    try:
        key = keys.view(current_desk(), step_up.proof_of(form), by=actor())
    except (Denied, RateLimited, NotFound) as refusal:
        return refuse(form, refusal)
    step_up.note()
    return page(shown=ShownKey(text=key, is_new=False))


@blueprint.post("/regenerate")
def regenerate() -> ResponseReturnValue:
    """A new key in this answer only. The old one is refused from now on."""
    form = RegenerateForm()
    if not form.is_complete():
        return page(form, status=400)
    try:
        key = keys.issue(current_desk(), step_up.proof_of(form), replaces=form.replaces.data, by=actor())
    except (Denied, RateLimited, Conflict) as refusal:
        return refuse(form, refusal)
    _log.warning("A new API key was generated; the old one is refused from now on.")
    return _answer_with(key)


@blueprint.post("/revoke")
def revoke() -> ResponseReturnValue:
    """No key: no program can call. What is on its way to a broker is not touched."""
    form = RevokeForm()
    if not form.is_complete():
        return page(form, status=400)
    try:
        keys.revoke(current_desk(), step_up.proof_of(form), by=actor())
    except (Denied, RateLimited, NotFound) as refusal:
        return refuse(form, refusal)
    step_up.note()
    _log.warning("The API key was revoked; no program can call.")
    flash("The key was revoked. No program can call any more. Orders already on their way were not touched.", "success")
    return redirect(url_for("apikey.apikey", _anchor="content"))


@blueprint.post("/mode")
def save_mode() -> ResponseReturnValue:
    """Semi-Auto at once; Auto only with the password, because orders then leave without asking."""
    form = OrderModeForm()
    if not form.is_complete():
        return page(form, status=400)
    desk, mode = current_desk(), OrderMode(form.mode.data)
    if mode is OrderMode.AUTO:
        try:
            _set_auto(desk, form)
        except (Denied, RateLimited, Conflict) as refusal:
            return refuse(form, refusal)
    elif not desk.store.preferences.hold_orders(by=actor()):
        _log.error("Semi-Auto could not be noted in the audit list.")
    _log.warning("The order mode is now %s.", mode)
    flash(_EFFECT[mode], "success")
    return redirect(url_for("apikey.apikey", _anchor="content"))


def _set_auto(desk: Desk, form: OrderModeForm) -> None:
    """What is in force already needs no password, as long as it is in force when it is written."""
    if order_mode(desk) is OrderMode.AUTO:
        desk.store.preferences.set_order_mode(OrderMode.AUTO, expected=OrderMode.AUTO, by=actor())
        return
    if not form.password.data:
        raise Denied("Type your password: in Auto, orders leave without asking you.")
    login.confirm(desk, step_up.proof_of(form))
    step_up.note()
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=actor())


def _answer_with(key: str) -> ResponseReturnValue:
    """The page with a key that exists only here: what else cannot be read or written must not swallow it."""
    try:
        step_up.note()
        return page(shown=ShownKey(text=key, is_new=True))
    except StorageError:
        _log.exception("the page of the new key could not be made")
        return render_template("apikey_alone.html", key=key)


_EFFECT = {
    OrderMode.AUTO: "Saved. New orders are sent at once. Orders that already wait still need your decision.",
    OrderMode.SEMI_AUTO: "Saved. From now on every new order waits for you in the Action Center.",
}
