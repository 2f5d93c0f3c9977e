"""``run.py``: serve until Ctrl+C."""

from __future__ import annotations

import logging
import secrets
import signal
import sys
import threading
import webbrowser
from contextlib import ExitStack
from functools import partial

import click

from openalgo_bridge import folder, lock
from openalgo_bridge.account.indicators import CallWatch
from openalgo_bridge.account.setup import SetupCode
from openalgo_bridge.app import create_app, open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.console import Console, open_console
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.fault_log import errors_kept
from openalgo_bridge.model.calls import CallKind, CallOutcome, kind_of
from openalgo_bridge.ports import listen
from openalgo_bridge.server import Refusal, Server
from openalgo_bridge.settings import Settings, without_effect
from openalgo_bridge.store.traffic import Arrival, Ending
from openalgo_bridge.store.traffic_retention import Keep
from openalgo_bridge.trading.watch import Watch
from openalgo_bridge.traffic_upkeep import TrafficUpkeep

_SWITCH_S = 0.0005
"""How long one thread may compute while others want to: with Python's 5 ms an order, which stops for the disk a dozen
times, waits that long for each beside a chart that is being made."""

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")
_log = logging.getLogger(__name__)


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve until Ctrl+C."""
    warnings = [*folder.prepare(settings.db_dir), *without_effect()]
    with lock.hold(settings.db_dir / lock.INSTANCE_LOCK, lock.bridge_at(settings.url)), ExitStack() as closing:
        console = open_console(settings.log_level)
        closing.callback(console.close)
        for warning in warnings:
            _log.warning(warning)
        _serve(settings, console, closing)


def _serve(settings: Settings, console: Console, closing: ExitStack) -> None:
    sys.setswitchinterval(_SWITCH_S)
    # The port first: without it nothing may be touched, looked up or announced.
    sockets = listen(settings.flask_port)
    for listener in sockets:
        closing.callback(listener.close)
    desk = open_desk(settings, Clock())
    closing.callback(desk.close)
    closing.enter_context(errors_kept(desk.store.faults, desk.clock))
    cut_off = desk.store.traffic.mark_cut_off()
    if cut_off:
        console.say(f"The last stop was sudden: {cut_off} call(s) cut off.")
    app = create_app(desk, SetupCode(announce=partial(_tell_code, desk, console)))
    server = Server(app, sockets=sockets, refused=partial(record_refusal, desk))
    closing.callback(server.close)
    # It opens the order doors; pages and reads are answered meanwhile.
    watch = Watch(desk, tell=console.say)
    _stop_on_signals(server)
    watch.start()
    closing.callback(watch.stop)
    keep = Keep(days=settings.traffic_log_retention_days, megabytes=settings.traffic_log_max_mb)
    upkeep = TrafficUpkeep(desk.store, desk.clock, [CallWatch(desk.store)], keep=keep)
    upkeep.start()
    closing.callback(upkeep.stop)
    console.say(f"The bridge is at {settings.url} (Ctrl+C stops it). Its data is in {settings.db_dir.resolve()}")
    if settings.open_browser:
        threading.Thread(target=_open_browser, args=(settings.url,), name="browser", daemon=True).start()
    is_drained = server.run()
    if all((watch.stop(), upkeep.stop(), is_drained)):
        console.say("Stopped.")
    else:
        # Their threads use the files, and die with the process. What is on disk says what to look up.
        console.say("Stopped, with requests still running. The next start finds out what became of them.")
        closing.pop_all().callback(console.close)


def _tell_code(desk: Desk, console: Console, code: str) -> None:
    """Only while there is no account; afterwards the code opens nothing."""
    if desk.store.users.get() is None:
        console.say(f"There is no account yet. Open {desk.settings.url}/setup and enter the set-up code {code}")


def record_refusal(desk: Desk, refusal: Refusal) -> None:
    """A row in the traffic log for what the web server turned away. The answer leaves whether or not it is written."""
    kind = kind_of(refusal.path)
    arrival = Arrival(
        request_id=secrets.token_hex(8),
        at=desk.clock.now_ms(),
        kind=CallKind.STRAY if kind is CallKind.PAGE else kind,
        method=refusal.method or "?",
        endpoint=refusal.path or "(not readable)",
        address=refusal.address,
        program="",
    )
    ending = Ending(status=refusal.status, duration_us=0, outcome=CallOutcome.REFUSED, message=refusal.message)
    log, is_closed = desk.store.traffic, False
    try:
        log.close(log.open(arrival), ending)
        is_closed = True
    except StorageError:
        _log.exception("a refused request could not be recorded")
    finally:
        log.count(has_row=is_closed)


def _stop_on_signals(server: Server) -> None:
    """Ctrl+C, ``kill`` and Windows' Ctrl+Break end the bridge in order; a second one does not wait."""

    def stop(*_: object) -> None:
        server.stop()

    for name in _STOP_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def _open_browser(url: str) -> None:
    """A convenience: no browser is no error. A text browser would take the console away, so none of those."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser:
        browser.open(url)
