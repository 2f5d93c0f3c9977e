"""The one path every call takes: from the table of endpoints to an answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.exceptions import HTTPException

from openalgo_bridge.account.keys import Caller
from openalgo_bridge.api import answers, idempotency, openapi
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.auth import authenticate
from openalgo_bridge.api.body import Fields, read_fields, read_query, without_keys
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.cors import Cors
from openalgo_bridge.api.endpoint import PREFIX, Endpoint, Method
from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.api.idempotency import Answered, Once
from openalgo_bridge.api.limits import Bucket, Limits
from openalgo_bridge.api.text import JSON, PLAIN, TEXT_FORMATS, Text
from openalgo_bridge.api.traffic_row import note_answered, note_asked, note_failed
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy, RateLimited, StillRunning, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.traffic import NOTE, Note

_DOCUMENT = f"{PREFIX}/openapi.json"
_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}

_log = logging.getLogger(__name__)


def create_api(desk: Desk) -> Flask:
    """Every endpoint under ``/api/v1``, as a Flask app of its own: it has no sessions, cookies, forms or templates,
    so nothing of the pages can be reached with a key, and nothing of the API without one.
    """
    app = Flask(__name__, static_folder=None)
    app.session_interface = _NoSession()
    # Never a redirect (contract 1.1), not even for a doubled slash.
    app.url_map.merge_slashes = False
    limits = Limits(orders=desk.settings.order_rate_limit, reads=desk.settings.api_rate_limit)
    once, cors = Once(desk), Cors(desk.settings.cors_allowed_origins)
    methods: dict[str, list[str]] = {}
    for endpoint in ENDPOINTS:
        # No automatic OPTIONS: it would answer every page. No redirect for a trailing slash.
        app.add_url_rule(
            f"{PREFIX}{endpoint.path}",
            endpoint=endpoint.name,
            view_func=_served(desk, limits, once, cors, endpoint),
            methods=[endpoint.method],
            strict_slashes=False,
            provide_automatic_options=False,
        )
        methods.setdefault(f"{PREFIX}{endpoint.path}", []).append(endpoint.method)
    for path, allowed in methods.items():
        cors.answer_preflights(app, path, ", ".join(allowed))
    _describe(app, desk)
    app.after_request(cors.let_read)
    app.register_error_handler(BridgeError, _bridge_error)
    app.register_error_handler(HTTPException, _http_error)
    refuse_undeclared(app)
    return app


def _describe(app: Flask, desk: Desk) -> None:
    """The OpenAPI document, for ``/docs`` too. Without a key: it is the same for everybody and knows no account."""

    @cache
    def described() -> openapi.Document:
        return openapi.document(ENDPOINTS, desk.settings)

    def serve() -> Response:
        request.environ[NOTE].outcome = CallOutcome.OK
        return answer(described())

    app.extensions["openapi"] = described
    app.add_url_rule(_DOCUMENT, endpoint="openapi", view_func=serve, methods=["GET"], provide_automatic_options=False)


def refuse_undeclared(app: Flask) -> None:
    """A route that is in no row of the table would answer without a permission. Raises RuntimeError."""
    declared = {_DOCUMENT, *(f"{PREFIX}{endpoint.path}" for endpoint in ENDPOINTS)}
    undeclared = sorted({rule.rule for rule in app.url_map.iter_rules()} - declared)
    if undeclared:
        raise RuntimeError(f"these routes say nowhere what they need: {', '.join(undeclared)}")


def answer(content: Json | Text, status: int = 200) -> Response:
    """``content`` as a response."""
    if not isinstance(content, Text):
        return _response(answers.encoded(content), status)
    response = Response(content.parts, status, mimetype=content.content_type)
    if content.filename:
        response.headers["Content-Disposition"] = f"attachment; filename={content.filename}"
    return response


def _response(text: str, status: int) -> Response:
    return Response(text, status, content_type=JSON)


def _served(desk: Desk, limits: Limits, once: Once, cors: Cors, endpoint: Endpoint) -> Callable[..., Response]:
    def serve(**in_path: str) -> Response:
        cors.require()
        note: Note = request.environ[NOTE]
        fields = _fields(endpoint, in_path, note)
        note_asked(note, fields)
        address = request.remote_addr or ""
        caller = authenticate(desk, fields, request.headers, address, note)
        # Counted after the key was checked, per key: a wrong key never uses up the right key's limit. Counted before
        # the permission: a script that asks in a loop for what it may not is slowed down as well.
        limits.count(endpoint.bucket, caller.fingerprint)
        if endpoint.needs is not None:
            caller.require(endpoint.needs)
        sender = Actor(name=f"API key {caller.fingerprint}", address=address, program=request.user_agent.string)
        _note_use(desk, caller, sender, endpoint)
        if endpoint.must_be_recorded and not note.recorded:
            raise StorageError("The traffic log cannot be written, so nothing was done.")
        call = Call(desk=desk, caller=caller, sender=sender, fields=without_keys(fields), note=note)
        key = request.headers.get(idempotency.HEADER)
        if key is None or endpoint.bucket is Bucket.READS:
            with _reading(desk, endpoint):
                response = answer(_carried_out(endpoint, call))
        else:
            response = _once_answer(
                call, endpoint, once.answer(call, endpoint.path, key, lambda: _told(endpoint, call))
            )
        note.outcome = note.outcome or CallOutcome.OK
        return response

    return serve


def _reading(desk: Desk, endpoint: Endpoint) -> AbstractContextManager[None]:
    """What only reads leaves places to orders."""
    return desk.budget.reading() if endpoint.bucket is Bucket.READS else nullcontext()


def _fields(endpoint: Endpoint, in_path: Fields, note: Note) -> Fields:
    """What is asked for. Raises Invalid."""
    if endpoint.method is Method.POST:
        return read_fields(request.get_data(cache=False), note)
    return read_query(request.query_string) | in_path


def _carried_out(endpoint: Endpoint, call: Call) -> Json | Text:
    """What it answers. Its errors say in which mode it is, as its answers do."""
    try:
        content = endpoint.view(call)
    except BridgeError as error:
        if endpoint.is_marked and not error.trading_mode:
            with suppress(StorageError):
                error.trading_mode = call.desk.store.preferences.trading_mode()
        raise
    note_answered(call.note, endpoint, content)
    return content


def _told(endpoint: Endpoint, call: Call) -> Json:
    """The answer of an order endpoint, which is kept for its Idempotency-Key: always JSON."""
    content = _carried_out(endpoint, call)
    if isinstance(content, Text):
        raise TypeError(f"{endpoint.name} answers with a text, which cannot be kept.")
    return content


def _note_use(desk: Desk, caller: Caller, sender: Actor, endpoint: Endpoint) -> None:
    try:
        desk.store.key_uses.note(
            fingerprint=caller.fingerprint,
            program=sender.program,
            address=sender.address,
            endpoint=f"{PREFIX}{endpoint.path}",
        )
    except StorageError:
        # The record is the traffic row, whose own rule was applied; this is a convenience of the pages.
        _log.exception("the use of the key could not be noted")


def _once_answer(call: Call, endpoint: Endpoint, answered: Answered) -> Response:
    response = _response(answered.text, answered.status)
    if answered.is_replay:
        note_answered(call.note, endpoint, json.loads(answered.text))
        response.headers[idempotency.REPLAYED] = "true"
    return response


def _bridge_error(error: BridgeError) -> Response:
    note_failed(request.environ[NOTE], error)
    response = _refusal(error)
    if isinstance(error, RateLimited | Busy | StillRunning):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _refusal(error: BridgeError) -> Response:
    endpoint = _BY_NAME.get(request.endpoint or "")
    if endpoint is not None and endpoint.text_type and request.args.get("format") in TEXT_FORMATS:
        # Who asked for a text has no reader for anything else (contract 2.4.6, 2.6.4).
        return Response(scrub(error.message), error.status, mimetype=PLAIN)
    return answer(answers.failed(error), error.status)


def _http_error(error: HTTPException) -> Response:
    """What Flask itself refuses, in the one error shape (contract 1.1)."""
    request.environ[NOTE].outcome = CallOutcome.of_status(error.code or 500)
    if error.code in {404, 405}:
        return answer({"status": "error", "message": "Not found", "path": scrub(request.path)}, 404)
    if error.code == 500:
        return answer({"status": "error", "message": "An unexpected error occurred"}, 500)
    return answer({"status": "error", "message": error.description or error.name}, error.code or 500)


class _NoSession(SessionInterface):
    """Cookies mean nothing here."""

    def open_session(self, app: Flask, request: Request) -> None:  # noqa: ARG002
        return None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:  # noqa: ARG002
        return None
