"""What a person sees when something is refused or goes wrong: a sentence, and a way back.

These pages read neither the database nor the session, because that may be what is broken.
"""

from __future__ import annotations

import logging

from flask import Response, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from openalgo_bridge.errors import BridgeError, RateLimited
from openalgo_bridge.traffic import NOTE

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
_SENTENCES = {
    404: "There is nothing at this address. The menu has every page of the bridge.",
    405: "This address is the target of a form. Open the page that has the form instead.",
    429: "Too many pages were asked for at once. Wait a second, then load the page again.",
    500: "Something unexpected happened inside the bridge. It is in the log of the console.",
}


def http_error(error: HTTPException) -> Response:
    """The page for what Flask itself refuses, and for a fault of ours (500)."""
    code = error.code or 500
    if isinstance(error, CSRFError):
        return _expired_form()
    return _page(code, _SENTENCES.get(code, error.description or error.name), back="/" if code == 404 else _back())


def bridge_error(error: BridgeError) -> Response:
    """The page for an error of our tree. Its message is made to be shown."""
    if error.status >= 500:
        _log.error("%s %s: %s", request.method, request.path, error.message)
    response = _page(error.status, error.message, back=_back())
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _expired_form() -> Response:
    sentence = "The page was open for too long, or you signed in again elsewhere. Nothing was changed."
    return _page(400, sentence, back=_back(), title="Please try again")


def _back() -> str:
    """The page that has the form: our own addresses only, found by their beginning."""
    first = request.path.split("/")[1]
    return f"/{first}" if first in {"login", "setup", "apikey", "action-center"} else "/"


def _page(code: int, sentence: str, *, back: str, title: str = "") -> Response:
    note = request.environ.get(NOTE)
    text = render_template(
        "error.html",
        title=title or _TITLES.get(code, "Something went wrong"),
        sentence=sentence,
        back=back,
        request_id=note.request_id if note is not None and code >= 500 else "",
    )
    return make_response(text, code)
