"""The pages. One module a page, with a template of the same name; one line here adds it to the menu."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flask import Blueprint, Flask
from flask_bootstrap import Bootstrap5
from werkzeug.exceptions import HTTPException

from openalgo_bridge import __version__
from openalgo_bridge.account.setup import SetupCode
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.drill import Drill
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.trading.doors import DoorState
from openalgo_bridge.web import (
    action_center,
    analyzer,
    apikey,
    audit,
    browsers,
    calendar,
    call_words,
    closing,
    current,
    dashboard,
    docs,
    drills,
    errors,
    formats,
    funds,
    gate,
    going_live,
    grants,
    gtt,
    guards,
    health,
    holdings,
    instruments,
    kept,
    kill_switch,
    leaving_live,
    login,
    order_export,
    orders,
    paper_capital,
    paper_ledger,
    paper_settings,
    parked,
    positions,
    remedies,
    security,
    settings,
    setup,
    snippets,
    ticket,
    trades,
    traffic,
    traffic_call,
    traffic_errors,
    traffic_export,
    traffic_sections,
    traffic_summary,
    traffic_watch,
    two_factor,
    words,
)
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.sessions import BridgeSessionInterface


class Window(StrEnum):
    """The narrowest window that has room for an entry of the menu; in a narrower one it stands under "More"."""

    PHONE = "phone"
    TABLET = "tablet"
    DESKTOP = "desktop"


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEntry:
    """One entry of the menu."""

    endpoint: str
    label: str
    counts_waiting: bool = False
    shown_from: Window = Window.DESKTOP


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around every page. ``live_broker`` is the name of the one that is connected, or empty.
    ``recovery_code_used_at``: the authenticator is lost, for all we know.

    None stands for what cannot be read: the page of the kill switch, of all pages, must not depend on it.
    """

    waiting: int | None
    latest: int
    exits: int
    order_mode: OrderMode | None
    trading_mode: TradingMode | None
    live_broker: str
    recovery_code_used_at: datetime | None
    switch: SwitchState | None
    doors: DoorState
    doors_reason: str
    drill: Drill | None


PAGES: tuple[tuple[Blueprint, MenuEntry | None], ...] = (
    (health.blueprint, None),
    (setup.blueprint, None),
    (login.blueprint, None),
    (kept.blueprint, None),
    (
        dashboard.blueprint,
        MenuEntry(endpoint="dashboard.dashboard", label="Dashboard", shown_from=Window.TABLET),
    ),
    (
        action_center.blueprint,
        MenuEntry(
            endpoint="action_center.action_center",
            label="Action Center",
            counts_waiting=True,
            shown_from=Window.PHONE,
        ),
    ),
    (ticket.blueprint, None),
    (parked.blueprint, None),
    (orders.blueprint, MenuEntry(endpoint="orders.orders", label="Orders", shown_from=Window.PHONE)),
    (order_export.blueprint, None),
    (gtt.blueprint, None),
    (closing.blueprint, None),
    (trades.blueprint, MenuEntry(endpoint="trades.trades", label="Trades", shown_from=Window.TABLET)),
    (positions.blueprint, MenuEntry(endpoint="positions.positions", label="Positions", shown_from=Window.PHONE)),
    (holdings.blueprint, MenuEntry(endpoint="holdings.holdings", label="Holdings", shown_from=Window.TABLET)),
    (funds.blueprint, MenuEntry(endpoint="funds.funds", label="Funds", shown_from=Window.TABLET)),
    (analyzer.blueprint, MenuEntry(endpoint="analyzer.analyzer", label="Analyzer")),
    (paper_capital.blueprint, None),
    (paper_ledger.blueprint, None),
    (paper_settings.blueprint, None),
    (guards.blueprint, MenuEntry(endpoint="guards.guards", label="Guards")),
    (kill_switch.blueprint, None),
    (drills.blueprint, None),
    (going_live.blueprint, None),
    (leaving_live.blueprint, None),
    (traffic.blueprint, MenuEntry(endpoint="traffic.traffic", label="Traffic", shown_from=Window.TABLET)),
    (traffic_call.blueprint, None),
    (traffic_summary.blueprint, None),
    (traffic_watch.blueprint, None),
    (traffic_errors.blueprint, None),
    (traffic_export.blueprint, None),
    (apikey.blueprint, MenuEntry(endpoint="apikey.apikey", label="API key")),
    (docs.blueprint, MenuEntry(endpoint="docs.docs", label="API docs")),
    (security.blueprint, MenuEntry(endpoint="security.security", label="Security")),
    (settings.blueprint, MenuEntry(endpoint="settings.settings", label="Settings")),
    (calendar.blueprint, None),
    (instruments.blueprint, None),
    (audit.blueprint, None),
    (two_factor.blueprint, None),
)


def register(app: Flask, desk: Desk, setup_code: SetupCode) -> None:
    """Add the pages to ``app``."""
    app.config.update(
        SESSION_COOKIE_NAME=f"bridge_{desk.settings.flask_port}",
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    app.session_interface = BridgeSessionInterface(desk.store.sessions, desk.store.machine_key, desk.clock)
    current.attach(app, desk, setup_code)
    Bootstrap5(app)  # type: ignore[no-untyped-call]
    gate.close(app)
    app.register_error_handler(BridgeError, errors.bridge_error)
    app.register_error_handler(HTTPException, errors.http_error)
    app.url_defaults(_with_version)
    app.jinja_env.filters.update(formats.FILTERS | words.FILTERS | browsers.FILTERS | grants.FILTERS | remedies.FILTERS)
    app.jinja_env.filters.update(call_words.FILTERS)
    app.jinja_env.globals.update(
        frame=_frame,
        menu=[entry for _, entry in PAGES if entry is not None],
        environment_lines=snippets.ENVIRONMENT,
        traffic_sections=traffic_sections.SECTIONS,
    )
    for blueprint, _ in PAGES:
        app.register_blueprint(blueprint)


def _frame() -> Frame:
    """Called by the templates that have a menu, not by the error page, which must work without a database."""
    desk = current.current_desk()
    live = desk.brokers.get(TradingMode.LIVE)
    queue = if_readable(desk.store.ticket_lists.queue)
    return Frame(
        waiting=None if queue is None else queue.count,
        latest=0 if queue is None else queue.latest,
        exits=0 if queue is None else queue.exits,
        order_mode=current.order_mode(desk),
        trading_mode=if_readable(desk.store.preferences.trading_mode),
        live_broker="" if live is None else live.name,
        recovery_code_used_at=if_readable(desk.store.two_factor.recovery_code_used_at),
        switch=if_readable(desk.store.kill_switch.state),
        doors=desk.doors.state,
        doors_reason=desk.doors.reason,
        drill=desk.drills.running(),
    )


def _with_version(endpoint: str, values: dict[str, object]) -> None:
    """Static files are kept by the browser for an hour; an upgrade changes their addresses."""
    if endpoint in {"static", "bootstrap.static"}:
        values["v"] = __version__
