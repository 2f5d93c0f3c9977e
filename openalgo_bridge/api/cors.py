"""Which web pages may call the API from a browser: ours, and those that ``CORS_ALLOWED_ORIGINS`` names (security T2).

A page needs the key like any other program. But a browser sends what a page asks for, and only then looks whether that
page may read the answer: so a page that is not named is refused, not merely kept from reading. Programs have no Origin.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, Response, abort, request

from openalgo_bridge.errors import NotAllowed
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.traffic import NOTE

_PREFLIGHT = {
    "Access-Control-Allow-Headers": "Content-Type, X-API-KEY, Idempotency-Key, X-Requested-With",
    # Short: what is taken off the list must not be remembered by a browser for long.
    "Access-Control-Max-Age": "600",
}
_READABLE = "Retry-After, Idempotency-Replayed"
_LONGEST_NOTED = 200


class Cors:
    """The named origins. Cookies mean nothing to the API, so no answer ever allows credentials."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)
        self._paths: set[str] = set()

    def require(self) -> None:
        """Raises NotAllowed for a call of a page that is neither ours nor named."""
        origin = request.headers.get("Origin")
        # The guard has checked the Host. "null" is whatever hides where it is from, so it is nobody's.
        if origin is None or origin in self._origins or origin == f"http://{request.environ['HTTP_HOST']}":
            return
        _note_page(origin)
        raise NotAllowed("A web page of another site called. Only those named in CORS_ALLOWED_ORIGINS may.")

    def answer_preflights(self, app: Flask, path: str, method: str) -> None:
        """What a browser asks before it calls ``path``. For a page that is not named there is nothing at that path."""

        def preflight(**_: str) -> Response:  # whatever stands in the path
            origin = request.headers.get("Origin", "")
            if origin not in self._origins:
                _note_page(origin)
                abort(404)
            request.environ[NOTE].outcome = CallOutcome.PREFLIGHT
            answer = Response(status=204, headers={**_PREFLIGHT, "Access-Control-Allow-Methods": method})
            if request.headers.get("Access-Control-Request-Private-Network") == "true":
                answer.headers["Access-Control-Allow-Private-Network"] = "true"
            return answer

        self._paths.add(path)
        app.add_url_rule(
            path,
            endpoint=f"preflight {path}",
            view_func=preflight,
            methods=["OPTIONS"],
            strict_slashes=False,
            provide_automatic_options=False,
        )

    def let_read(self, response: Response) -> Response:
        """A named page may read the answers of the paths it may call, refusals included."""
        rule = request.url_rule
        if self._origins and rule is not None and rule.rule in self._paths:
            response.vary.add("Origin")
            origin = request.headers.get("Origin", "")
            if origin in self._origins:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = _READABLE
        return response


def _note_page(origin: str) -> None:
    request.environ[NOTE].add(f"Asked by a page of {scrub(origin[:_LONGEST_NOTED]) or 'nowhere'}.")
