"""The composition root: the only module that knows every part."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Flask

from openalgo_bridge import web
from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.account.setup import SetupCode
from openalgo_bridge.api import routes
from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.brokers.registry import BROKERS, Surroundings
from openalgo_bridge.clock import Clock
from openalgo_bridge.desk import Desk
from openalgo_bridge.guard import MAX_BODY_BYTES, Guard
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.server import THREADS
from openalgo_bridge.settings import PROJECT_FOLDER, Settings
from openalgo_bridge.store.machine_key import FLASK_SECRET
from openalgo_bridge.store.store import Store
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.drilled import DrilledBroker, Drills
from openalgo_bridge.trading.throttle import Throttle
from openalgo_bridge.traffic import TrafficRecorder

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SEED = 20261121
_THREADS_FOR_OTHERS = 4


def open_desk(settings: Settings, clock: Clock | None = None, argon2: Argon2Cost | None = None) -> Desk:
    """Open the files in ``settings.db_dir``, which exists, and connect the paper exchange; the order doors are closed.

    Raises StorageError.
    """
    clock = clock or Clock()
    store = Store.open(settings.db_dir, clock)
    surroundings = Surroundings(
        book=store.paperbook,
        market=SimulatedMarket(_SEED),
        instruments=store.instruments,
        clock=clock,
        calendar=store.calendar.load,
        paper_settings=store.paper_settings.load,
    )
    drills = Drills(clock)
    # Around this one alone: a drill must have no way to an order with real money.
    brokers = {TradingMode.ANALYZE: DrilledBroker(BROKERS["paper"](surroundings), drills)}
    return Desk(
        settings=settings,
        clock=clock,
        store=store,
        brokers=brokers,
        argon2=argon2 or Argon2Cost(),
        doors=Doors(),
        budget=Budget(THREADS - _THREADS_FOR_OTHERS),
        throttles=_throttles(brokers.values(), clock),
        drills=drills,
    )


def _throttles(brokers: Iterable[Broker], clock: Clock) -> dict[str, Throttle]:
    """Made also for a rate that is only rehearsed: whether it is, is asked at every order."""
    able = ((broker.name, broker.capabilities) for broker in brokers)
    rates = ((name, each.orders_per_second or each.rehearsed_per_second) for name, each in able)
    return {
        name: Throttle(rate, monotonic=clock.monotonic, wait=time.sleep) for name, rate in rates if rate is not None
    }


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
    web.register(app, desk, setup_code)
    api = routes.create_api(desk)
    app.extensions["api"] = api
    guarded = Guard(_doors(api.wsgi_app, pages=app.wsgi_app), desk.settings)
    recorder = TrafficRecorder(guarded, desk.store.traffic, desk.clock, desk.broker_time)
    app.wsgi_app = recorder  # type: ignore[method-assign]
    return app


def _doors(api: WSGIApplication, *, pages: WSGIApplication) -> WSGIApplication:
    """Calls with a key go to one app, the browser to the other."""

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_call = environ.get("PATH_INFO", "").startswith("/api/")
        return (api if is_call else pages)(environ, start_response)

    return choose
