"""``/setup``: the account and its first key. Gone once an account exists."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, make_response, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.account.setup import RISK_WARNING, create_account
from openalgo_bridge.errors import Conflict, Denied, Invalid, RateLimited
from openalgo_bridge.web import gate
from openalgo_bridge.web.current import actor, current_desk, current_setup_code
from openalgo_bridge.web.forms import SetupForm

blueprint = Blueprint("setup", __name__)


@blueprint.route("/setup", methods=["GET", "POST"])
def setup() -> ResponseReturnValue:
    """The form, and on success the one page that shows the new key. 404 once an account exists."""
    if current_desk().store.users.get() is not None:
        abort(404)
    form = SetupForm()
    if not form.was_sent:
        return _form(form, 200)
    if not form.is_complete():
        return _form(form, 400)
    try:
        return _created(form)
    except Denied as refusal:
        form.show_faults({"setup_code": [refusal.message]})
        return _form(form, refusal.status)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _form(form, refusal.status)
    except RateLimited as refusal:
        form.show_faults({"": [refusal.message]})
        return _form(form, refusal.status)
    except Conflict:
        abort(404)


def _created(form: SetupForm) -> ResponseReturnValue:
    desk = current_desk()
    current_setup_code().check(form.setup_code.data)
    by = replace(actor(), name=form.username.data.strip())
    key = create_account(desk, form.username.data, form.password.data, risk_accepted=form.accept_risk.data, by=by)
    user = desk.store.users.get()
    if user is None:
        raise Conflict("The account was removed while it was made.")
    gate.sign_in(user)
    response = make_response(render_template("setup_done.html", key=key))
    gate.remember_device(response)
    return response


def _form(form: SetupForm, status: int) -> ResponseReturnValue:
    return render_template("setup.html", form=form, warning=RISK_WARNING.split("\n\n")), status
