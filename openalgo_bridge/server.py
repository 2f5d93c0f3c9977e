"""The web server: waitress on sockets of our own, on this PC only."""

# mypy: disable-error-code="no-untyped-call"
# waitress has no annotations.

from __future__ import annotations

import errno
import select
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.trigger import trigger

from openalgo_bridge.errors import Conflict

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 12

_BACKLOG = 128
_LOOP_S = 1.0
_DRAIN_S = 8.0
_REQUEST_DEADLINE_S = 10.0
_IPV6_MISSING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_WINDOWS_RESERVED = 10013
_PORT_PAIR_TRIES = 20


class Server:
    """Serves one WSGI app on 127.0.0.1 and, where this PC has IPv6, on ::1.

    It listens as soon as it is made, and answers once :meth:`run` or :meth:`start` was called. Port 0 takes
    any free one; :attr:`port` tells which. ``sockets`` are those of :func:`listen`, for who must have the port
    before there is an app. A request must arrive within ``request_deadline_s``; when the server
    stops, running requests get ``drain_s``. Raises Conflict, in words, when the port cannot be had.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        port: int = 0,
        sockets: Sequence[socket.socket] = (),
        request_deadline_s: float = _REQUEST_DEADLINE_S,
        drain_s: float = _DRAIN_S,
    ) -> None:
        listening = sockets or listen(port)
        self.port: int = listening[0].getsockname()[1]
        self._map: dict[int, Any] = {}
        self._threads = ThreadedTaskDispatcher()
        self._doors = _open_doors(app, listening, self._threads, self._map, request_deadline_s)
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
        channels = [channel for channel in self._map.values() if isinstance(channel, _Channel)]
        for channel in channels:
            if not channel.requests and not channel.total_outbufs_len:
                channel.will_close = True
        return channels

    def _end(self) -> None:
        with self._ending:
            self._ended = True
        self._threads.shutdown(timeout=0.5)
        wasyncore.close_all(self._map)


class _Parser(HTTPRequestParser):
    """Refuses Content-Length together with Transfer-Encoding, which hides a second request (security M6)."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        has_encoding = self.chunked or "TRANSFER_ENCODING" in self.headers
        if has_encoding and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding together")


class _Channel(HTTPChannel):
    """Ends a connection whose request takes too long to arrive, whatever trickles in (security M5)."""

    parser_class = _Parser
    began: float | None = None

    def received(self, data: bytes) -> bool:
        went_on: bool = super().received(data)
        if self.request is None:
            self.began = None
        elif self.began is None:
            self.began = time.monotonic()
        return went_on

    def readable(self) -> bool:
        # The loop asks at least once a second.
        if self.began is not None and time.monotonic() - self.began > self.server.request_deadline_s:
            self.will_close = True
        readable: bool = super().readable()
        return readable


class _Door(TcpWSGIServer):
    """One listening socket."""

    channel_class = _Channel
    request_deadline_s = _REQUEST_DEADLINE_S


def _open_doors(
    app: WSGIApplication,
    sockets: Sequence[socket.socket],
    threads: ThreadedTaskDispatcher,
    loop_map: dict[int, Any],
    request_deadline_s: float,
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
        door.request_deadline_s = request_deadline_s
        doors.append(door)
    return doors


def _adjustments(sockets: Sequence[socket.socket]) -> Adjustments:
    return Adjustments(
        sockets=list(sockets),
        threads=THREADS,
        # Windows selects over at most 512 sockets.
        connection_limit=100 if sys.platform == "win32" else 200,
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


def listen(port: int) -> list[socket.socket]:
    """Sockets that listen on ``port`` of 127.0.0.1 and, where it exists, of ::1. Raises Conflict."""
    if port:
        return _listen_on_both(port)
    for _ in range(_PORT_PAIR_TRIES):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free: int = probe.getsockname()[1]
        try:
            return _listen_on_both(free)
        except Conflict:
            continue
    raise Conflict("No free port was found.")


def _listen_on_both(port: int) -> list[socket.socket]:
    first = _listen_on(socket.AF_INET, "127.0.0.1", port)
    try:
        return [first, _listen_on(socket.AF_INET6, "::1", port)]
    except _NoIPv6:
        return [first]
    except Conflict:
        first.close()
        raise


class _NoIPv6(Exception):
    pass


def _listen_on(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        _make_exclusive(listener)
        listener.bind((address, port))
        # At once: on Linux a second socket may bind a port that is bound but not yet listened on.
        listener.listen(_BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        if family == socket.AF_INET6 and error.errno in _IPV6_MISSING:
            raise _NoIPv6 from error
        raise Conflict(why_not(port, error)) from error
    return listener


def _make_exclusive(listener: socket.socket) -> None:
    """On Windows SO_REUSEADDR would let a second program share the port (security M21); elsewhere it is needed
    to take the port again right after a stop."""
    if sys.platform == "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def why_not(port: int, error: OSError) -> str:
    """Why ``port`` cannot be had, and what to do about it, in words."""
    other = f"Set another one, for example FLASK_PORT={port + 10}, in the file .env."
    if getattr(error, "winerror", None) == _WINDOWS_RESERVED:
        return f"Windows keeps port {port} for itself (often for Hyper-V or WSL). {other}"
    if error.errno in {errno.EADDRINUSE, 10048}:
        return f"Port {port} is in use by another program. Stop that program, or: {other}"
    if error.errno == errno.EACCES:
        return f"Port {port} is not open to this user. {other}"
    return f"Port {port} cannot be used: {error.strerror or error}. {other}"
