"""``/login``, ``/login/totp`` and ``/logout``. The login page also says how many orders wait (design 5).

Between password and code nobody is signed in: the browser only carries a note of ours that the password was right.
"""

from __future__ import annotations

import logging

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from openalgo_bridge.account import authenticator, login, recovery
from openalgo_bridge.account.login import Factor
from openalgo_bridge.errors import BridgeError, Denied, RateLimited
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store.users import User
from openalgo_bridge.web import gate
from openalgo_bridge.web.current import current_desk, order_mode
from openalgo_bridge.web.forms import CodeForm, LoginForm, PageForm

blueprint = Blueprint("login", __name__)
_log = logging.getLogger(__name__)

_TOO_LATE = "The code was not typed within five minutes, or something changed meanwhile. Type your password again."


@blueprint.route("/login", methods=["GET", "POST"], endpoint="login")
def password() -> ResponseReturnValue:
    """User name and password, and on success the page that was wanted, or the code first."""
    if current_desk().store.users.get() is None:
        return redirect(url_for("setup.setup"))
    form = LoginForm()
    if not form.was_sent:
        return redirect(gate.destination()) if gate.is_signed_in() else _password_page(form, 200)
    if not form.is_complete():
        return _password_page(form, 400)
    try:
        return _after_password(form)
    except (Denied, RateLimited) as refusal:
        form.show_faults({"": [refusal.message]})
        return *_password_page(form, refusal.status), _headers(refusal)


@blueprint.route("/login/totp", methods=["GET", "POST"])
def totp() -> ResponseReturnValue:
    """The code, and on success the page that was wanted."""
    user = login.user_after(current_desk(), request.cookies.get(_cookie(), ""))
    form = CodeForm()
    if user is None:
        return _begin_again(was_sent=form.was_sent)
    if not form.was_sent:
        return _code_page(form, 200)
    if not form.is_complete():
        return _code_page(form, 400)
    try:
        return _after_code(form, user)
    except (Denied, RateLimited) as refusal:
        _log.warning("A sign-in from %s was refused after the right password: wrong code.", request.remote_addr)
        form.show_faults({"code": [refusal.message]})
        return *_code_page(form, refusal.status), _headers(refusal)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session for good."""
    gate.sign_out()
    return redirect(url_for("login.login"))


def _after_password(form: LoginForm) -> Response:
    desk = current_desk()
    user = login.sign_in(
        desk,
        form.username.data,
        form.password.data,
        device=gate.device_token(),
        address=request.remote_addr or "",
    )
    if not authenticator.is_needed_at_login(desk):
        return _enter(user, "")
    response = redirect(url_for("login.totp", next=request.args.get("next")))
    response.set_cookie(
        _cookie(),
        login.first_step(desk, user),
        max_age=login.FIRST_STEP_LIFE,
        httponly=True,
        samesite="Strict",
        path=url_for("login.totp"),
    )
    return response


def _after_code(form: CodeForm, user: User) -> Response:
    desk = current_desk()
    factor = login.second_step(desk, form.code.data, device=gate.device_token(), by=_actor(user))
    response = _enter(user, factor)
    response.delete_cookie(_cookie(), httponly=True, samesite="Strict", path=url_for("login.totp"))
    if factor is Factor.RECOVERY_CODE:
        flash(_said_on_recovery(recovery.left(desk)), "warning")
    return response


def _enter(user: User, how: str) -> Response:
    """Write it down, then sign in: under a new id, and the browser is known from now on."""
    current_desk().store.audit.add(_actor(user), AuditEvent.SIGNED_IN, after=how)
    gate.sign_in(user)
    _log.info("The trader signed in from %s.", request.remote_addr)
    response = redirect(gate.destination())
    gate.remember_device(response, proved_code=bool(how))
    return response


def _actor(user: User) -> Actor:
    return Actor(name=user.username, address=request.remote_addr or "", program=request.user_agent.string)


def _said_on_recovery(left: int) -> str:
    count = {0: "No recovery code is left", 1: "One recovery code is left"}.get(left, f"{left} recovery codes are left")
    return f"You signed in with a recovery code, and every other session was ended. {count}."


def _begin_again(*, was_sent: bool) -> ResponseReturnValue:
    if not was_sent or gate.is_signed_in():
        return redirect(url_for("login.login", next=request.args.get("next")))
    form = LoginForm(formdata=None)
    form.show_faults({"": [_TOO_LATE]})
    return _password_page(form, 403)


def _password_page(form: LoginForm, status: int) -> tuple[str, int]:
    return _page("login.html", form, status)


def _code_page(form: CodeForm, status: int) -> tuple[str, int]:
    desk = current_desk()
    unreadable = "" if authenticator.is_readable(desk) else authenticator.UNREADABLE
    return _page("login_totp.html", form, status, unreadable=unreadable)


def _page(template: str, form: PageForm, status: int, *, unreadable: str = "") -> tuple[str, int]:
    desk = current_desk()
    waiting = desk.store.ticket_lists.queue().count
    text = render_template(template, form=form, waiting=waiting, mode=order_mode(desk), unreadable=unreadable)
    return text, status


def _headers(refusal: BridgeError) -> dict[str, str]:
    return {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, RateLimited) else {}


def _cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}_code"
