"""The wall around the main listener, outside Flask so that no blueprint can forget it.

On every path: only our own Host values (DNS rebinding, security T1), no sign of a tunnel (T6, M1), no large
body (T16), no cross-site POST to a page (T2), and the security headers on every answer (4.7).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING

from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.settings import Settings
from openalgo_bridge.traffic import NOTE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY_BYTES = 256 * 1024

_OTHER_SITES = {"cross-site", "same-site"}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_TUNNEL_HEADERS = {
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_REAL_IP",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_CDN_LOOP",
    "HTTP_X_PROXY",
    "HTTP_X_ORIGINAL_PROTO",
    "HTTP_X_ORIGINAL_HOST",
}
# What every local program sends: looked through first, so that the search below usually has nothing to do.
_INNOCENT = {
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "SERVER_NAME", "SERVER_PORT",
    "SERVER_PROTOCOL", "SERVER_SOFTWARE", "REMOTE_ADDR", "REMOTE_HOST", "REMOTE_PORT", "CONTENT_TYPE",
    "CONTENT_LENGTH", "HTTP_HOST", "HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING",
    "HTTP_CONNECTION", "HTTP_COOKIE", "HTTP_ORIGIN", "wsgi.version", "wsgi.url_scheme", "wsgi.input",
    "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.file_wrapper",
    "wsgi.input_terminated", "waitress.client_disconnected", NOTE,
}  # fmt: skip
_TUNNEL_PREFIXES = ("HTTP_X_FORWARDED", "HTTP_CF_", "HTTP_NGROK", "HTTP_TAILSCALE_")

_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    # Not no-referrer: Chromium then sends "Origin: null" with our own forms, which is nobody's.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_JSON_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_JSON_HEADERS = [*_ALWAYS, ("Content-Security-Policy", _JSON_POLICY)]
_PAGE_HEADERS = [
    *_ALWAYS,
    ("Content-Security-Policy", _PAGE_POLICY),
    # These two mean something for documents only; an API answer is none.
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
_NO_STORE = [("Cache-Control", "no-store")]

Write = Callable[[bytes], object]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Guard:
    """Refuses before Flask sees anything. A refusal echoes nothing of the request."""

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self._app = app
        self._hosts = settings.hosts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo | None = None) -> Write:
            return start_response(status, hardened(headers), exc_info)

        refusal = self._refusal(environ)
        return self._app(environ, start) if refusal is None else _refuse(environ, start, *refusal)

    def _refusal(self, environ: WSGIEnvironment) -> tuple[HTTPStatus, str] | None:
        if not self._is_for_us(environ):
            return HTTPStatus.MISDIRECTED_REQUEST, "This address is not served here."
        if any(name in _TUNNEL_HEADERS or name.startswith(_TUNNEL_PREFIXES) for name in environ.keys() - _INNOCENT):
            return HTTPStatus.MISDIRECTED_REQUEST, "This port is not served through a tunnel or a proxy."
        if _body_bytes(environ) > MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is larger than 256 KiB."
        if environ["REQUEST_METHOD"] not in _SAFE_METHODS and not self._is_same_origin(environ):
            return HTTPStatus.FORBIDDEN, "This form was not sent from a page of this bridge."
        if environ.get("HTTP_SEC_FETCH_SITE") in _OTHER_SITES and not _is_link_or_call(environ):
            return HTTPStatus.FORBIDDEN, "A page of another site asked for this. Open the address yourself."
        return None

    def _is_for_us(self, environ: WSGIEnvironment) -> bool:
        """A name in the request line counts more than the header (RFC 9112 3.2.2), so then both must be ours."""
        target = environ.get("REQUEST_URI", "/")
        return environ.get("HTTP_HOST", "") in self._hosts and (target.startswith("/") or self._names_us(target))

    def _names_us(self, target: str) -> bool:
        scheme, _, rest = target.partition("://")
        return scheme.lower() == "http" and rest.partition("/")[0] in self._hosts

    def _is_same_origin(self, environ: WSGIEnvironment) -> bool:
        """API calls carry a key and no cookie, so a foreign page gains nothing there; pages must be ours."""
        if environ.get("PATH_INFO", "").startswith("/api/"):
            return True
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        if site is not None and site != "same-origin":
            return False
        return origin == f"http://{environ['HTTP_HOST']}" if origin is not None else site is not None


def _is_link_or_call(environ: WSGIEnvironment) -> bool:
    """What another site's page may do: lead the person here. Not load, embed, count or time what is here (T2).

    API calls carry a key and no cookie, so they keep their rule.
    """
    if environ.get("PATH_INFO", "").startswith("/api/"):
        return True
    fetch = (environ["REQUEST_METHOD"], environ.get("HTTP_SEC_FETCH_MODE"), environ.get("HTTP_SEC_FETCH_DEST"))
    return fetch == ("GET", "navigate", "document")


def _body_bytes(environ: WSGIEnvironment) -> int:
    """waitress has read the whole body by now, chunked or not, and says its length."""
    length = environ.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else MAX_BODY_BYTES + 1


def _refuse(
    environ: WSGIEnvironment, start_response: StartResponse, status: HTTPStatus, message: str
) -> Iterable[bytes]:
    note = environ.get(NOTE)
    if note is not None:
        note.outcome, note.message = CallOutcome.REFUSED, message
    body = json.dumps({"status": "error", "message": message}, separators=(",", ":")).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    # A body after HEAD would be read as the beginning of the next answer.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def hardened(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """``headers`` and, after them, those that every answer of the bridge carries (security 4.7)."""
    given = dict(headers)
    added = _JSON_HEADERS if given.get("Content-Type", "").startswith("application/json") else _PAGE_HEADERS
    return [*headers, *added] if "Cache-Control" in given else [*headers, *added, *_NO_STORE]
