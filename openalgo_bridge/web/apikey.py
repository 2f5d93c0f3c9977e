"""``/apikey``: view, replace and end the key, choose the order mode. Its rules are in ``key_rules``.

The key is in an answer of this page twice only: after its password was typed for *View*, and after a new one was
generated. It is never in a URL, a session, a flash or a log (design 5).
"""

from __future__ import annotations

import logging

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import keys, login
from openalgo_bridge.errors import Conflict, Denied, NotFound, RateLimited
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
    step_up.note()
    _log.warning("A new API key was generated; the old one is refused from now on.")
    return page(shown=ShownKey(text=key, is_new=True))


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
    if mode is OrderMode.AUTO and order_mode(desk) is not OrderMode.AUTO:
        if not form.password.data:
            form.show_faults({"password": ["Type your password: in Auto, orders leave without asking you."]})
            return page(form, status=403)
        try:
            login.confirm(desk, step_up.proof_of(form))
        except (Denied, RateLimited) as refusal:
            return refuse(form, refusal)
        step_up.note()
    if mode is OrderMode.AUTO:
        desk.store.preferences.set_order_mode(mode, by=actor())
    elif not desk.store.preferences.hold_orders(by=actor()):
        _log.error("Semi-Auto could not be noted in the audit list.")
    _log.warning("The order mode is now %s.", mode)
    flash(_EFFECT[mode], "success")
    return redirect(url_for("apikey.apikey", _anchor="content"))


_EFFECT = {
    OrderMode.AUTO: "Saved. New orders are sent at once. Orders that already wait still need your decision.",
    OrderMode.SEMI_AUTO: "Saved. From now on every new order waits for you in the Action Center.",
}
