"""What a person sees when something is refused or goes wrong: a sentence, and a way back.

These pages need neither the database nor the session, because that may be what is broken. The button that stops all
orders is on them where it can be had, and else the way to it; a form that came too late is offered again.
"""

from __future__ import annotations

import logging

from flask import Response, make_response, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from openalgo_bridge.errors import BridgeError, RateLimited, StorageError
from openalgo_bridge.traffic import NOTE
from openalgo_bridge.web import kept, sessions
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.optional import if_readable

_log = logging.getLogger(__name__)

_TITLES = {
    400: "That did not work",
    403: "Not allowed",
    404: "No such page",
    405: "Not this way",
    409: "Too late",
    413: "Too large",
    429: "Too many tries",
    503: "Not now",
}
_WITH_FORMS = {"login", "setup", "apikey", "action-center", "security", "guards", "kill-switch", "traffic"}
_SENTENCES = {
    404: "There is nothing at this address. The menu has every page of the bridge.",
    405: "This address is the target of a form. Open the page that has the form instead.",
    429: "Too many pages were asked for at once. Wait a second, then load the page again.",
    500: "Something unexpected happened inside the bridge. What it was stands on the page /traffic/errors.",
}


def http_error(error: HTTPException) -> Response:
    """The page for what Flask itself refuses, and for a fault of ours (500)."""
    code = error.code or 500
    if isinstance(error, CSRFError):
        return _expired_form()
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, BridgeError):
        # What is raised where an answer is finished, such as by a sign-out that cannot be written.
        return bridge_error(error.original_exception)
    return _page(code, _SENTENCES.get(code, error.description or error.name), back="/" if code == 404 else _back())


def bridge_error(error: BridgeError) -> Response:
    """The page for an error of our tree. Its message is made to be shown."""
    if error.status >= 500:
        _log.error("%s %s: %s", request.method, request.path, error.message)
    if isinstance(error, StorageError) and request.endpoint == "kill_switch.engage":
        return _not_all_done(error)
    response = _page(error.status, error.message, back=_back())
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _not_all_done(error: StorageError) -> Response:
    """Who pressed the kill switch must not think that it is on when it is not, nor the other way round."""
    state = if_readable(current_desk().store.kill_switch.state)
    if state is not None and state.is_on:
        told = f"No new order is sent: the kill switch is on. But not all of the rest could be done. {error.message}"
        return _page(error.status, told, back=_back(), title="Orders are stopped")
    return make_response(render_template("kill_switch_failed.html", fault=error.message), error.status)


def late_form(*, is_known_device: bool, wanted: str | None) -> Response:
    """A form without a living session. Nothing was changed; what was typed waits for the sign-in, where it can.

    Only for a browser that signed in before: a stranger must not be able to put a form in front of the trader.
    ``wanted`` is the page to lead to where nothing is kept.
    """
    form = kept.of_request() if is_known_device else None
    cookie = kept.sealed(form) if form is not None else None
    told = ["Your session had ended before this arrived. Nothing was changed."]
    if form is None:
        told.append("Sign in and do it again.")
    elif cookie is None:
        told.append("What you typed is too long to be kept. Sign in and do it again.")
    else:
        told.append("What you typed is kept for 15 minutes. Sign in: you see it again, and send it with one click.")
        told.extend(["Passwords and codes are not kept."] * form.had_secrets)
    sign_in = url_for("login.login", next="kept.kept" if cookie is not None else wanted)
    response = _page(401, " ".join(told), back=sign_in, title="Please sign in", way="Sign in")
    if cookie is not None:
        kept.put_into(response, cookie)
    return response


def _expired_form() -> Response:
    """The token is of an earlier sign-in, or of none. The gate comes first: a form that is kept is of the trader."""
    form = kept.of_request() if request.form.get("csrf_token") else None
    if form is None:
        sentence = "The page was open for too long, or you signed in again elsewhere. Nothing was changed."
        return _page(400, sentence, back=_back(), title="Please try again")
    try:
        return make_response(kept.page(form), 400)
    except BridgeError as error:
        # Flask sends nothing that a handler raises to another handler.
        return bridge_error(error)


def _back() -> str:
    """The page that has the form: our own addresses only, found by their beginning."""
    first = request.path.split("/")[1]
    return f"/{first}" if first in _WITH_FORMS else "/"


def _page(code: int, sentence: str, *, back: str, title: str = "", way: str = "") -> Response:
    note = request.environ.get(NOTE)
    is_trader = bool(if_readable(_is_signed_in))
    text = render_template(
        "error.html",
        title=title or _TITLES.get(code, "Something went wrong"),
        sentence=sentence,
        back=back,
        way=way or ("To the start page" if back == "/" else "Back to the page"),
        is_trader=is_trader,
        request_id=note.request_id if note is not None and code >= 500 else "",
    )
    return make_response(text, code)


def _is_signed_in() -> bool:
    """With a session that has a row: only then a form of this page can come back. Raises StorageError."""
    return sessions.current_number() is not None and bool(current_user.is_authenticated)  # type: ignore[attr-defined, unused-ignore]
