"""Sockets that listen, on this PC only, and why a port cannot be had."""

from __future__ import annotations

import errno
import socket
import sys

from openalgo_bridge.errors import Conflict

_BACKLOG = 128
_IPV6_MISSING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_WINDOWS_RESERVED = 10013
_PORT_PAIR_TRIES = 20


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
