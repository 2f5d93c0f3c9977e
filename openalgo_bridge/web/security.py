"""``/security``: the password, the second factor, who is signed in, and what happened lately."""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import logging
from typing import ClassVar

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField  # type: ignore[import-untyped, unused-ignore]
from wtforms.validators import Length  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.account import recovery
from openalgo_bridge.account.change_password import change_password
from openalgo_bridge.errors import Denied, Invalid, NotFound, RateLimited
from openalgo_bridge.web import sessions, step_up
from openalgo_bridge.web.audit import lines_of
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.step_up import StepUpForm

blueprint = Blueprint("security", __name__, url_prefix="/security")
_log = logging.getLogger(__name__)

_LONGEST = 1000
_NEWEST_LINES = 10
# Asked for by the browser; the rules themselves are the account's, which tells all faults at once.
_REQUIRED = {"required": True}


class ChangePasswordForm(StepUpForm):
    """``POST /security/password``."""

    html_id: ClassVar[str] = "change"
    always_asks_password = True

    password = PasswordField("Password now", [Length(max=_LONGEST)], render_kw=_REQUIRED)
    new_password = PasswordField("New password", [Length(max=_LONGEST)], render_kw=_REQUIRED)
    again = PasswordField("New password again", [Length(max=_LONGEST)], render_kw=_REQUIRED)


@blueprint.get("")
def security() -> ResponseReturnValue:
    """The page."""
    return _page(ChangePasswordForm(formdata=None), 200)


@blueprint.post("/password")
def save_password() -> ResponseReturnValue:
    """A new password. Whoever is signed in elsewhere has to sign in with it."""
    form = ChangePasswordForm()
    if not form.is_complete():
        return _page(form, 400)
    try:
        _change_password(form)
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return _page(form, refusal.status)
    except (Denied, RateLimited) as refusal:
        headers = form.refuse(refusal)
        return *_page(form, refusal.status), headers
    step_up.note()
    _log.warning("The password was changed; every other session was ended.")
    flash("The password was changed, and every other session was ended.", "success")
    return redirect(url_for("security.security"))


@blueprint.post("/sessions/<int(max=9007199254740991):number>/end")
def end_session(number: int) -> ResponseReturnValue:
    """Sign one browser out."""
    try:
        current_desk().store.sessions.end(number, by=actor())
    except NotFound as error:
        flash(error.message, "warning")
    else:
        flash("Signed out there. That browser has to sign in again.", "success")
    return redirect(url_for("security.security"))


@blueprint.post("/sessions/end-others")
def end_other_sessions() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    ended = current_desk().store.sessions.end_others(sessions.current_number(), by=actor())
    flash(f"Signed out in {ended} other {'browser' if ended == 1 else 'browsers'}.", "success")
    return redirect(url_for("security.security"))


def _change_password(form: ChangePasswordForm) -> None:
    change_password(
        current_desk(),
        step_up.proof_of(form),
        form.new_password.data or "",
        form.again.data or "",
        keep_session=sessions.current_number(),
        by=actor(),
    )


def _page(form: ChangePasswordForm, status: int) -> tuple[str, int]:
    desk = current_desk()
    text = render_template(
        "security.html",
        form=form,
        two_factor=desk.store.two_factor.get(),
        codes_left=recovery.left(desk),
        few_codes=recovery.FEW,
        sessions=desk.store.sessions.all(),
        this_session=sessions.current_number(),
        lines=lines_of(desk.store.audit.page(limit=_NEWEST_LINES)),
    )
    return text, status
