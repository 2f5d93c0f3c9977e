"""The table of endpoints, and the one path every call takes through it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.exceptions import HTTPException

from openalgo_bridge.account.keys import Caller
from openalgo_bridge.api import account, answers, idempotency, market, orders
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.auth import authenticate
from openalgo_bridge.api.body import read_fields, without_keys
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.idempotency import Answered, Once
from openalgo_bridge.api.limits import Bucket, Limits
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy, RateLimited, StillRunning, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.traffic import NOTE, Note

PREFIX = "/api/v1"

ANY_KEY: Final = None
"""What an endpoint needs that tells nothing of the account and changes nothing."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the table. ``needs`` has no default: an endpoint says what it needs, or the program does not start.
    ``must_be_recorded``: refused when its traffic row cannot be written (design 2)."""

    path: str
    view: Callable[[Call], Json]
    needs: Permission | None
    bucket: Bucket = Bucket.READS
    must_be_recorded: bool = False


ENDPOINTS = (
    Endpoint(
        path="/placeorder",
        view=orders.place_order,
        needs=Permission.PLACE_ORDERS,
        bucket=Bucket.ORDERS,
        must_be_recorded=True,
    ),
    Endpoint(
        path="/modifyorder",
        view=orders.modify_order,
        needs=Permission.MODIFY_ORDERS,
        bucket=Bucket.ORDERS,
        must_be_recorded=True,
    ),
    # A cancel is never refused for want of a log, and other orders never use up its limit.
    Endpoint(path="/cancelorder", view=orders.cancel_order, needs=Permission.CANCEL_ORDERS, bucket=Bucket.CANCELS),
    Endpoint(
        path="/cancelallorder", view=orders.cancel_all_orders, needs=Permission.CANCEL_ORDERS, bucket=Bucket.CANCELS
    ),
    # Nor is the way out of a position.
    Endpoint(path="/closeposition", view=orders.close_positions, needs=Permission.PLACE_ORDERS, bucket=Bucket.ORDERS),
    Endpoint(path="/orderstatus", view=orders.order_status, needs=Permission.VIEW_ORDERS),
    Endpoint(path="/orderbook", view=account.order_book, needs=Permission.VIEW_ORDERS),
    Endpoint(path="/tradebook", view=account.trade_book, needs=Permission.VIEW_TRADES),
    Endpoint(path="/positionbook", view=account.position_book, needs=Permission.VIEW_POSITIONS),
    Endpoint(path="/openposition", view=account.open_position, needs=Permission.VIEW_POSITIONS),
    Endpoint(path="/holdings", view=account.holdings, needs=Permission.VIEW_HOLDINGS),
    Endpoint(path="/funds", view=account.funds, needs=Permission.VIEW_FUNDS),
    Endpoint(path="/quotes", view=market.quotes, needs=Permission.QUOTES),
    Endpoint(path="/ping", view=account.ping, needs=ANY_KEY),
    Endpoint(path="/analyzer", view=account.analyzer, needs=ANY_KEY),
    # Where nothing changes it says yes to any key; the view asks for the grant before it switches (design 4).
    Endpoint(path="/analyzer/toggle", view=account.toggle_analyzer, needs=ANY_KEY, must_be_recorded=True),
)


def create_api(desk: Desk) -> Flask:
    """Every endpoint under ``/api/v1``, as a Flask app of its own: it has no sessions, cookies, forms or templates,
    so nothing of the pages can be reached with a key, and nothing of the API without one.
    """
    app = Flask(__name__, static_folder=None)
    app.session_interface = _NoSession()
    # Never a redirect (contract 1.1), not even for a doubled slash.
    app.url_map.merge_slashes = False
    limits = Limits(orders=desk.settings.order_rate_limit, reads=desk.settings.api_rate_limit)
    once = Once(desk)
    for endpoint in ENDPOINTS:
        # No automatic OPTIONS: a preflight is refused by not being answered. No redirect for a trailing slash.
        app.add_url_rule(
            f"{PREFIX}{endpoint.path}",
            endpoint=endpoint.path.strip("/").replace("/", "_"),
            view_func=_served(desk, limits, once, endpoint),
            methods=["POST"],
            strict_slashes=False,
            provide_automatic_options=False,
        )
    app.register_error_handler(BridgeError, _bridge_error)
    app.register_error_handler(HTTPException, _http_error)
    refuse_undeclared(app)
    return app


def refuse_undeclared(app: Flask) -> None:
    """A route that is in no row of the table would answer without a permission. Raises RuntimeError."""
    declared = {f"{PREFIX}{endpoint.path}" for endpoint in ENDPOINTS}
    undeclared = sorted({rule.rule for rule in app.url_map.iter_rules()} - declared)
    if undeclared:
        raise RuntimeError(f"these routes say nowhere what they need: {', '.join(undeclared)}")


def answer(content: Json, status: int = 200) -> Response:
    """``content`` as a response."""
    return _response(answers.encoded(content), status)


def _response(text: str, status: int) -> Response:
    return Response(text, status, content_type="application/json")


def _served(desk: Desk, limits: Limits, once: Once, endpoint: Endpoint) -> Callable[[], Response]:
    def serve() -> Response:
        note: Note = request.environ[NOTE]
        fields = read_fields(request.get_data(cache=False))
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
            response = answer(endpoint.view(call))
        else:
            response = _once_answer(once.answer(call, endpoint.path, key, lambda: endpoint.view(call)))
        note.outcome = note.outcome or "ok"
        return response

    return serve


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


def _once_answer(answered: Answered) -> Response:
    response = _response(answered.text, answered.status)
    if answered.is_replay:
        response.headers[idempotency.REPLAYED] = "true"
    return response


def _bridge_error(error: BridgeError) -> Response:
    note: Note = request.environ[NOTE]
    note.outcome, note.ticket_id = type(error).__name__, error.ticket_id
    note.add(error.message)
    response = answer(answers.failed(error), error.status)
    if isinstance(error, RateLimited | Busy | StillRunning):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _http_error(error: HTTPException) -> Response:
    """What Flask itself refuses, in the one error shape (contract 1.1)."""
    request.environ[NOTE].outcome = error.name
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
