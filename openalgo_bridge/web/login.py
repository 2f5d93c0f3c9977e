"""``/login`` and ``/logout``. The login page also says how many orders wait (design 5)."""

from __future__ import annotations

import logging

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account.login import sign_in
from openalgo_bridge.errors import BridgeError, Denied, RateLimited
from openalgo_bridge.trading import approvals
from openalgo_bridge.web import gate
from openalgo_bridge.web.current import current_desk, order_mode
from openalgo_bridge.web.forms import LoginForm

blueprint = Blueprint("login", __name__)
_log = logging.getLogger(__name__)


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """The form, and on success the page that was wanted."""
    if current_desk().store.users.get() is None:
        return redirect(url_for("setup.setup"))
    form = LoginForm()
    if not form.was_sent:
        return redirect(gate.destination()) if gate.is_signed_in() else _form(form, 200)
    if not form.is_complete():
        return _form(form, 400)
    try:
        return _signed_in(form)
    except RateLimited as refusal:
        return _refused(form, refusal, {"Retry-After": str(refusal.retry_after)})
    except Denied as refusal:
        return _refused(form, refusal)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session for good."""
    gate.sign_out()
    return redirect(url_for("login.login"))


def _signed_in(form: LoginForm) -> ResponseReturnValue:
    user = sign_in(
        current_desk(),
        form.username.data,
        form.password.data,
        device=gate.device_token(),
        address=request.remote_addr or "",
    )
    gate.sign_in(user)
    _log.info("The trader signed in from %s.", request.remote_addr)
    response = redirect(gate.destination())
    gate.remember_device(response)
    return response


def _refused(form: LoginForm, refusal: BridgeError, headers: dict[str, str] | None = None) -> ResponseReturnValue:
    form.show_faults({"": [refusal.message]})
    return *_form(form, refusal.status), headers or {}


def _form(form: LoginForm, status: int) -> tuple[str, int]:
    desk = current_desk()
    text = render_template("login.html", form=form, waiting=len(approvals.waiting(desk)), mode=order_mode(desk))
    return text, status
