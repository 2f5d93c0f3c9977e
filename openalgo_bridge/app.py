"""The composition root: the only module that knows every part."""

from __future__ import annotations

import logging
import mimetypes
from datetime import timedelta

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from openalgo_bridge import web
from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.account.setup import SetupCode
from openalgo_bridge.api import routes
from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.clock import Clock
from openalgo_bridge.desk import Desk
from openalgo_bridge.guard import MAX_BODY_BYTES, Guard
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.settings import PROJECT_FOLDER, Settings
from openalgo_bridge.store.machine_key import FLASK_SECRET
from openalgo_bridge.store.store import Store
from openalgo_bridge.traffic import NOTE, TrafficRecorder

_SEED = 20261121
_log = logging.getLogger(__name__)


def open_desk(settings: Settings, clock: Clock | None = None, argon2: Argon2Cost | None = None) -> Desk:
    """Open the files in ``settings.db_dir``, which exists, and connect the paper exchange. Raises StorageError."""
    clock = clock or Clock()
    store = Store.open(settings.db_dir, clock)
    paper = PaperExchange(
        book=store.paperbook, market=SimulatedMarket(_SEED), instruments=store.instruments, clock=clock
    )
    return Desk(
        settings=settings,
        clock=clock,
        store=store,
        brokers={TradingMode.ANALYZE: paper},
        argon2=argon2 or Argon2Cost(),
    )


def create_app(desk: Desk, setup_code: SetupCode) -> Flask:
    """The whole bridge behind one WSGI callable. Starts no thread and opens no socket."""
    # Windows takes file types from the registry, where .js may be text/plain; nosniff then blocks it.
    for suffix, kind in ((".js", "text/javascript"), (".css", "text/css"), (".svg", "image/svg+xml")):
        mimetypes.add_type(kind, suffix)
    app = Flask(
        __name__,
        template_folder=str(PROJECT_FOLDER / "templates"),
        static_folder=str(PROJECT_FOLDER / "static"),
    )
    app.config.update(
        SECRET_KEY=desk.store.machine_key.derive(FLASK_SECRET),
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(hours=1),
    )
    app.extensions["desk"] = desk
    api = routes.register(app, desk)
    web.register(app, desk, setup_code, keyed=api)
    app.register_error_handler(HTTPException, _http_error)
    guarded = Guard(app.wsgi_app, desk.settings)
    app.wsgi_app = TrafficRecorder(guarded, desk.store.traffic, desk.clock)  # type: ignore[method-assign]
    return app


def _http_error(error: HTTPException) -> Response | HTTPException:
    """What Flask itself refuses, in the shape of the door it came through (contract 1.1)."""
    request.environ[NOTE].outcome = error.name
    if not request.path.startswith("/api/"):
        return web.error_page(error)
    if error.code in {404, 405}:
        return routes.answer({"status": "error", "message": "Not found", "path": scrub(request.path)}, 404)
    if error.code == 500:
        return routes.answer({"status": "error", "message": "An unexpected error occurred"}, 500)
    return routes.answer({"status": "error", "message": error.description or error.name}, error.code or 500)
