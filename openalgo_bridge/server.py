"""The web server: waitress on sockets of our own, on this PC only."""

# mypy: disable-error-code="no-untyped-call"
# waitress has no annotations.

from __future__ import annotations

import json
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.trigger import trigger
from waitress.utilities import InternalServerError, RequestHeaderFieldsTooLarge

from openalgo_bridge.guard import hardened
from openalgo_bridge.ports import listen
from openalgo_bridge.workers import Workers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 16
# Windows selects over at most 512 sockets.
CONNECTIONS = 100 if sys.platform == "win32" else 200
"""How many connections may be open at once."""

_CROWDED = CONNECTIONS * 4 // 5
_LOOP_S = 1.0
_DRAIN_S = 8.0
_REQUEST_DEADLINE_S = 10.0
_FIRST_REQUEST_S = 10.0
_STALL_S = 120.0
_FIRST_LINE = re.compile(rb"([A-Z]{1,20}) ([^ ?#]+)")
# In words of ours, because waitress repeats parts of the request.
_REFUSALS = {
    400: "This is not a valid HTTP request.",
    413: "The request is larger than 256 KiB.",
    431: "The headers of the request are larger than 16 KiB.",
    500: "Something unexpected happened inside the bridge. What it was stands on the page /traffic/errors.",
    501: "Of the transfer encodings only chunked is understood.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that never reached the app. ``method`` and ``path`` are empty where they could not be read."""

    status: int
    method: str
    path: str
    address: str
    message: str


def _tell_nobody(_: Refusal) -> None:
    pass


class Server:
    """Serves one WSGI app on 127.0.0.1 and, where this PC has IPv6, on ::1.

    It listens as soon as it is made, and answers once :meth:`run` or :meth:`start` was called. Port 0 takes
    any free one; :attr:`port` tells which. ``sockets`` are those of :func:`ports.listen`, for who must have the port
    before there is an app. ``refused`` learns, in a request's thread, of what never reaches the app; it must not
    raise. A connection's first request must begin within ``first_request_s``, and every request must arrive
    within ``request_deadline_s``; who reads nothing of an answer for ``stall_s`` is cut off. When the server stops,
    running requests get ``drain_s``. Raises Conflict, in words, when the port cannot be had.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        port: int = 0,
        sockets: Sequence[socket.socket] = (),
        refused: Callable[[Refusal], None] = _tell_nobody,
        request_deadline_s: float = _REQUEST_DEADLINE_S,
        first_request_s: float = _FIRST_REQUEST_S,
        stall_s: float = _STALL_S,
        drain_s: float = _DRAIN_S,
    ) -> None:
        listening = sockets or listen(port)
        self.port: int = listening[0].getsockname()[1]
        self._map: dict[int, Any] = {}
        self._threads = Workers()
        self._doors = _open_doors(app, listening, self._threads, self._map)
        for door in self._doors:
            door.refused = refused
            door.request_deadline_s = request_deadline_s
            door.first_request_s = first_request_s
            door.stall_s = stall_s
        self._wake = trigger(self._map)
        self._drain_s = drain_s
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        # Re-entrant, because a signal may call stop() in the middle of _end().
        self._ending = threading.RLock()
        self._ended = False
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        """Serve in a thread of its own, until :meth:`close`."""
        self._loop = threading.Thread(target=self.run, name="server")
        self._loop.start()

    def run(self) -> bool:
        """Serve in this thread until :meth:`stop`, then let the running requests end.

        Returns False when some were still running at the end of their time, or at a second :meth:`stop`.
        """
        while not self._stopping.is_set():
            self._turn(_LOOP_S)
        drained = self._drain()
        self._end()
        return drained

    def stop(self) -> None:
        """Make :meth:`run` return soon; called a second time, at once. Safe in a signal handler."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()
        with self._ending:
            if not self._ended:  # otherwise the trigger's descriptor may be somebody else's by now
                self._wake.pull_trigger()

    def close(self) -> None:
        """Stop, and wait until the server thread has ended. The port is free afterwards."""
        if self._loop is None:
            self._end()
            return
        if self._loop.is_alive():
            self.stop()
            self._loop.join()

    def _turn(self, timeout: float) -> None:
        wasyncore.loop(timeout=timeout, use_poll=hasattr(select, "poll"), map=self._map, count=1)

    def _drain(self) -> bool:
        """No new connection, no further request on an old one; what was received is carried out and answered."""
        for door in self._doors:
            wasyncore.dispatcher.close(door)
        until = time.monotonic() + self._drain_s
        while self._busy_channels():
            if self._hurry.is_set() or time.monotonic() > until:
                return False
            self._turn(0.05)
        return True

    def _busy_channels(self) -> list[_Channel]:
        channels = _channels(self._map)
        for channel in channels:
            if channel.is_idle:
                channel.will_close = True
        return channels

    def _end(self) -> None:
        with self._ending:
            self._ended = True
        self._threads.shutdown(timeout=0.5)
        wasyncore.close_all(self._map)


class _Parser(HTTPRequestParser):
    """Refuses Content-Length together with Transfer-Encoding, which hides a second request (security M6)."""

    first_line = b""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        has_encoding = self.chunked or "TRANSFER_ENCODING" in self.headers
        if has_encoding and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding together")

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if isinstance(self.error, RequestHeaderFieldsTooLarge):
            # waitress has put "GET /" in its place.
            self.first_line = (self.header_plus + data).lstrip().partition(b"\r\n")[0]
        return consumed


class _ErrorTask(ErrorTask):
    """Answers what waitress refuses as the bridge answers everything else, and tells the server's owner."""

    def execute(self) -> None:
        error = self.request.error
        message = _REFUSALS[error.code]
        if not isinstance(error, InternalServerError):  # that one reached the app, and was logged there
            self.channel.server.refused(self._refusal(error.code, message))
        body = json.dumps({"status": "error", "message": message}, separators=(",", ":")).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = hardened([("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        self.set_close_on_finish()
        self.write(body)

    def _refusal(self, status: int, message: str) -> Refusal:
        # Not waitress's own command and path: most faults are found before it has them.
        found = _FIRST_LINE.match(self.request.first_line)
        return Refusal(
            status=status,
            method=found[1].decode("ascii") if found else "",
            path=unquote_to_bytes(found[2]).decode("latin-1") if found else "",
            address=self.channel.addr[0],
            message=message,
        )


class _Channel(HTTPChannel):
    """Ends a connection that asks nothing, whose request takes too long, whatever trickles in (security M5), or that
    takes nothing of its answer.
    """

    parser_class = _Parser
    error_task_class = _ErrorTask
    began: float | None = None
    has_asked = False
    stalled: float | None = None
    went_on = 0.0
    is_cut_off = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.opened = time.monotonic()
        super().__init__(*arguments, **named)

    @property
    def is_idle(self) -> bool:
        """Nothing is asked and nothing is left to say. The requests first: their answers come before they go."""
        return not self.requests and not self.total_outbufs_len

    def received(self, data: bytes) -> bool:
        went_on: bool = super().received(data)
        if self.request is None:
            self.began = None
        elif self.began is None:
            self.began = time.monotonic()
        return went_on

    def readable(self) -> bool:
        # The loop asks at least once a second.
        if self._is_overdue():
            self.will_close = True
        if self._has_stalled():
            # Not will_close: that waits until the peer takes more.
            self.handle_close()
            self.is_cut_off = True
        readable: bool = not self.is_cut_off and super().readable()
        return readable

    def writable(self) -> bool:
        # Its thread may ask for the end of what is over: select() fails for all where one socket is closed.
        return bool(not self.is_cut_off and super().writable())

    def _has_stalled(self) -> bool:
        """A thread, and the one place of an export, would wait for such a reader for as long as he likes."""
        if not self.total_outbufs_len:
            self.stalled = None
        elif self.stalled is None or self.last_activity != self.went_on:
            self.stalled, self.went_on = time.monotonic(), self.last_activity
        return self.stalled is not None and time.monotonic() - self.stalled > self.server.stall_s

    def _is_overdue(self) -> bool:
        now = time.monotonic()
        if self.began is not None:
            return bool(now - self.began > self.server.request_deadline_s)
        return bool(not self.has_asked and now - self.opened > self.server.first_request_s)


class _Door(TcpWSGIServer):
    """One listening socket."""

    channel_class = _Channel
    request_deadline_s = _REQUEST_DEADLINE_S
    first_request_s = _FIRST_REQUEST_S
    stall_s = _STALL_S
    refused: Callable[[Refusal], None] = staticmethod(_tell_nobody)

    def handle_accept(self) -> None:
        super().handle_accept()
        if len(self._map) > _CROWDED:
            self._make_room()

    def add_task(self, task: _Channel) -> None:
        task.has_asked = True
        super().add_task(task)

    def _make_room(self) -> None:
        """Close the connection that has been idle longest. At its limit waitress accepts nobody, so a program that
        only opens connections would shut the trader out. Whoever came last always stays: by age alone, because any
        other rank can be earned by whoever wants to keep the trader from coming back.
        """
        staying = [channel for channel in _channels(self._map) if not channel.will_close]
        idle = [channel for channel in staying if channel.is_idle]
        if len(staying) > _CROWDED and idle:
            min(idle, key=lambda channel: channel.last_activity).will_close = True


def _channels(loop_map: dict[int, Any]) -> list[_Channel]:
    return [each for each in loop_map.values() if isinstance(each, _Channel)]


def _open_doors(
    app: WSGIApplication,
    sockets: Sequence[socket.socket],
    threads: Workers,
    loop_map: dict[int, Any],
) -> list[_Door]:
    settings = _adjustments(sockets)
    threads.set_thread_count(settings.threads)
    doors = []
    for listener in sockets:
        where = (listener.family, listener.type, listener.proto, listener.getsockname())
        door = _Door(
            app,
            loop_map,
            _sock=listener,
            dispatcher=threads,
            adj=settings,
            bind_socket=False,
            sockinfo=where,
        )
        doors.append(door)
    return doors


def _adjustments(sockets: Sequence[socket.socket]) -> Adjustments:
    return Adjustments(
        sockets=list(sockets),
        threads=THREADS,
        connection_limit=CONNECTIONS,
        # WinINet sends a POST again when the server closed the connection first (callers 0): be patient.
        channel_timeout=120,
        cleanup_interval=2,
        max_request_header_size=16 * 1024,
        # Above the guard's own limit, so that what is too large is refused by the guard and logged.
        max_request_body_size=1024 * 1024,
        ident=None,
        expose_tracebacks=False,
        # Otherwise the evidence of a tunnel is deleted before the guard can see it (security M1).
        clear_untrusted_proxy_headers=False,
    )
