"""The table of endpoints, and the one path every call takes through it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, g, request
from flask_limiter import Limiter, RateLimitExceeded

from openalgo_bridge.api import account, answers, market, orders
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.auth import authenticate
from openalgo_bridge.api.body import read_fields, without_keys
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.limits import Bucket, create_limiter
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, RateLimited, StorageError
from openalgo_bridge.settings import Settings
from openalgo_bridge.traffic import NOTE, Note

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the table. ``must_be_recorded``: refused when its traffic row cannot be written (design 2)."""

    path: str
    view: Callable[[Call], Json]
    bucket: Bucket = Bucket.READS
    must_be_recorded: bool = False


ENDPOINTS = (
    Endpoint(path="/placeorder", view=orders.place_order, bucket=Bucket.ORDERS, must_be_recorded=True),
    Endpoint(path="/modifyorder", view=orders.modify_order, bucket=Bucket.ORDERS, must_be_recorded=True),
    # A cancel is never refused for want of a log, and other orders never use up its limit.
    Endpoint(path="/cancelorder", view=orders.cancel_order, bucket=Bucket.CANCELS),
    Endpoint(path="/orderstatus", view=orders.order_status),
    Endpoint(path="/orderbook", view=account.order_book),
    Endpoint(path="/tradebook", view=account.trade_book),
    Endpoint(path="/positionbook", view=account.position_book),
    Endpoint(path="/openposition", view=account.open_position),
    Endpoint(path="/holdings", view=account.holdings),
    Endpoint(path="/funds", view=account.funds),
    Endpoint(path="/quotes", view=market.quotes),
    Endpoint(path="/ping", view=account.ping),
    Endpoint(path="/analyzer", view=account.analyzer),
    Endpoint(path="/analyzer/toggle", view=account.toggle_analyzer, must_be_recorded=True),
)


def register(app: Flask, desk: Desk) -> Blueprint:
    """Add every endpoint under ``/api/v1``; returns the blueprint, which needs no CSRF token: it needs a key."""
    limiter = create_limiter()
    limiter.init_app(app)
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    blueprint.before_request(lambda: _admit(desk))
    blueprint.register_error_handler(BridgeError, answer_error)
    blueprint.register_error_handler(RateLimitExceeded, _too_many)
    for endpoint in ENDPOINTS:
        # No automatic OPTIONS: a preflight is refused by not being answered. No redirect for a trailing slash.
        blueprint.add_url_rule(
            endpoint.path,
            endpoint=endpoint.path.strip("/").replace("/", "_"),
            view_func=_limited(limiter, endpoint, desk.settings),
            methods=["POST"],
            strict_slashes=False,
            provide_automatic_options=False,
        )
    app.register_blueprint(blueprint)
    return blueprint


def answer(content: Json, status: int = 200) -> Response:
    """Compact JSON: the AmiBroker plugin looks for the literal text ``"status":"success"`` (contract 1.4)."""
    return Response(json.dumps(content, separators=(",", ":")), status, mimetype="application/json")


def answer_error(error: BridgeError) -> Response:
    """The one error shape, noted on the traffic row."""
    note = _note()
    note.outcome, note.message = type(error).__name__, error.message
    response = answer(answers.failed(error), error.status)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _admit(desk: Desk) -> None:
    """Steps that every call takes before its own limit is counted: body, key."""
    fields = read_fields(request.get_data(cache=False))
    caller = authenticate(desk, fields, request.headers)
    note = _note()
    note.key_fingerprint = caller.fingerprint
    g.call = Call(desk=desk, caller=caller, fields=without_keys(fields), note=note)


def _limited(limiter: Limiter, endpoint: Endpoint, settings: Settings) -> Callable[[], Response]:
    def serve() -> Response:
        call: Call = g.call
        if endpoint.must_be_recorded and not call.note.recorded:
            raise StorageError("The traffic log cannot be written, so nothing was done.")
        content = endpoint.view(call)
        call.note.outcome = call.note.outcome or "ok"
        return answer(content)

    serve.__name__ = f"serve_{endpoint.path}"
    rate = settings.api_rate_limit if endpoint.bucket is Bucket.READS else settings.order_rate_limit
    # Counted after the key was checked, per key: a wrong key never uses up the right key's limit.
    limited = limiter.shared_limit(rate, scope=endpoint.bucket.value, key_func=lambda: g.call.caller.fingerprint)
    wrapped: Callable[[], Response] = limited(serve)
    return wrapped


def _too_many(error: RateLimitExceeded) -> Response:
    limit = error.limit.limit
    message = f"Rate limit exceeded: {limit}. Is a script calling in a loop?"
    return answer_error(RateLimited(message, retry_after=max(1, limit.get_expiry())))


def _note() -> Note:
    note: Note = request.environ[NOTE]
    return note
