"""Who may see a page: the person who signed in. Everything is closed unless it is listed as open here."""

# mypy: disable-error-code="no-untyped-call"
# flask-login and Flask-WTF have no annotations.

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, after_this_request, current_app, jsonify, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response

from openalgo_bridge.account import devices
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.moving_window import STORAGE_URI
from openalgo_bridge.store.users import User
from openalgo_bridge.traffic import NOTE, Note
from openalgo_bridge.web import errors, sessions
from openalgo_bridge.web.current import current_desk

_OPEN = {"static", "bootstrap.static", "health.health", "login.login", "login.totp", "setup.setup"}
_PAGES_LIMIT = "50 per second"
_POLLED = {"action_center.pending"}

# What goes on while the traffic log cannot be written (design 2): it keeps orders from a broker, takes them back,
# closes positions, leaves real money, ends a key, or lets the trader in to do so. Anything else needs its row first.
_UNRECORDED = {
    "ticket.reject",
    "action_center.bulk.reject_all",
    "orders.cancel",
    "orders.cancel_all",
    "gtt.withdraw",
    "positions.close",
    "kill_switch.engage",
    "leaving_live.leave_live",
    "apikey.revoke",
    "login.login",
    "login.totp",
    "login.logout",
    "security.end_session",
    "security.end_other_sessions",
}
_READING = {"GET", "HEAD", "OPTIONS"}
_NOT_RECORDED = (
    "The traffic log cannot be written, so nothing was done. You can still reject, cancel and close, switch to"
    " Semi-Auto, leave live trading, revoke the key, and stop all orders with the kill switch. Ask run.py doctor what"
    " is wrong."
)

# Where a sign-in may lead: a fixed list, never a URL from the request (security T30).
_AFTER_SIGN_IN = {
    "action_center.action_center",
    "orders.orders",
    "positions.positions",
    "traffic.traffic",
    "apikey.apikey",
    "docs.docs",
    "guards.guards",
    "kill_switch.kill_switch",
    "security.security",
    "audit.audit",
    "two_factor.two_factor",
    "kept.kept",
}
_HOME = "dashboard.dashboard"
# The pages of one ticket, and of one call, lead to the list that it stands in.
_LISTED_IN = {
    "ticket": "action_center",
    "parked": "action_center",
    "traffic_call": "traffic",
    "traffic_errors": "traffic",
    "traffic_summary": "traffic",
    "traffic_watch": "traffic",
}


class SignedIn(UserMixin):  # type: ignore[misc, unused-ignore]
    """The one user, as flask-login wants it."""

    def __init__(self, user: User) -> None:
        self.id = user.username


def close(app: Flask) -> None:
    """Ask for a sign-in everywhere that is not listed as open, and for a CSRF token on every form."""
    manager = LoginManager()
    # A session is a row of ours with its own life; flask-login's check of address and browser adds nothing.
    manager.session_protection = None  # type: ignore[assignment]
    manager.user_loader(_load_user)
    manager.unauthorized_handler(_ask_to_sign_in)
    # Not in every template: the page of an error is drawn where the user cannot be read.
    manager.init_app(app, add_context_processor=False)
    app.before_request(_closed_to_strangers(manager))
    # The token lives as long as its session: a page left open over lunch must still work.
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    CSRFProtect(app)
    # After both: what a stranger sends, or what came too late, is answered as ever.
    app.before_request(_refuse_unrecorded)
    _slow_down_floods(app)


def _slow_down_floods(app: Flask) -> None:
    """A script that loads pages in a loop must not keep the threads from orders. Passwords have their own limits."""
    limiter = Limiter(
        _visitor,
        app=app,
        default_limits=[_PAGES_LIMIT],
        strategy="moving-window",
        storage_uri=STORAGE_URI,
        swallow_errors=False,
    )
    # Counted after the gate, so only who is signed in: nobody's flood may keep the trader from signing in.
    limiter.request_filter(lambda: request.endpoint in _OPEN)


def _visitor() -> str:
    """Each session for itself, so that strangers cannot use up the trader's share."""
    return request.cookies.get(current_app.config["SESSION_COOKIE_NAME"]) or "stranger"


def sign_in(user: User) -> None:
    """Start a signed-in session under a new id."""
    sessions.begin_signed_in(user.password_hash)
    login_user(SignedIn(user))


def sign_out() -> None:
    """End the session in the database, not only in the browser."""
    logout_user()
    sessions.end()


def is_signed_in() -> bool:
    """Whether this request comes from the person who signed in."""
    return bool(current_user.is_authenticated)  # type: ignore[attr-defined, unused-ignore]


def destination() -> str:
    """Where to go after a sign-in."""
    wanted = request.args.get("next", "")
    return url_for(wanted if wanted in _AFTER_SIGN_IN else _HOME)


def device_token() -> str:
    """What this browser was given after its last full login, or nothing."""
    return request.cookies.get(_device_cookie(), "")


def remember_device(response: Response, *, proved_code: bool = False) -> None:
    """Let this browser be known for 90 days, so that strangers' wrong passwords and codes cannot lock it out."""
    desk = current_desk()
    response.set_cookie(
        _device_cookie(),
        devices.new_device_token(desk, proved_code=proved_code),
        max_age=devices.DEVICE_LIFE,
        httponly=True,
        samesite="Strict",
        path="/",
    )


def remember_proof(*, proved_code: bool) -> None:
    """After a step-up in this request: the browser is known as what it proved, from this answer on."""

    def remember(response: Response) -> Response:
        remember_device(response, proved_code=proved_code)
        return response

    if not devices.known_device(current_desk(), device_token(), for_codes=proved_code):
        after_this_request(remember)


def _closed_to_strangers(manager: LoginManager) -> Callable[[], ResponseReturnValue | None]:
    def admit() -> ResponseReturnValue | None:
        if request.endpoint is None or request.endpoint in _OPEN:
            return None
        if is_signed_in():
            return None
        answer: ResponseReturnValue = manager.unauthorized()
        return answer

    return admit


def _refuse_unrecorded() -> None:
    """Nothing is sent or changed from a page that does not stand in the traffic log. Raises StorageError."""
    note: Note = request.environ[NOTE]
    if note.recorded or request.method in _READING or request.endpoint in _UNRECORDED:
        return
    if request.endpoint == "apikey.save_mode" and request.form.get("mode") == OrderMode.SEMI_AUTO:
        return
    raise StorageError(_NOT_RECORDED)


def _load_user(username: str) -> SignedIn | None:
    user = current_desk().store.users.get()
    return SignedIn(user) if user is not None and user.username == username else None


def _ask_to_sign_in() -> ResponseReturnValue:
    if current_desk().store.users.get() is None:
        return redirect(url_for("setup.setup"))
    if request.endpoint in _POLLED:
        return make_response(jsonify(status="error", message="Sign in."), 401)
    wanted = _page_of(request.endpoint)
    if request.method == "POST" and request.endpoint != "login.logout":
        return errors.late_form(is_known_device=devices.known_device(current_desk(), device_token()), wanted=wanted)
    return redirect(url_for("login.login", next=wanted))


def _page_of(endpoint: str | None) -> str | None:
    """The page itself, or the one whose form was sent."""
    part = (endpoint or "").partition(".")[0]
    part = _LISTED_IN.get(part, part)
    page = endpoint if endpoint in _AFTER_SIGN_IN else f"{part}.{part}"
    return page if page in _AFTER_SIGN_IN else None


def _device_cookie() -> str:
    return f"bridge_device_{current_desk().settings.flask_port}"
