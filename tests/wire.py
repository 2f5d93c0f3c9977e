"""HTTP/1.1 as bytes on a socket: for requests that no client library would send."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Self

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. ``head`` is the status line and the headers as they were sent."""

    status: int
    head: bytes
    body: bytes


class Wire:
    """One connection to this PC, kept alive, and opened again after an answer that ended it.

    Strict: a byte too many after an answer is taken for the next one, and fails there.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._where = (address, port)
        self._socket: socket.socket | None = None
        self._answers: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """The next request opens a new connection."""
        if self._socket is not None and self._answers is not None:
            self._answers.close()
            self._socket.close()
        self._socket = self._answers = None

    def ask(self, request: bytes) -> Answer:
        """Send exactly these bytes and read one answer. Raises OSError, and ValueError on what is no answer."""
        answers = self._send(request)
        head = b"".join(iter(answers.readline, b"\r\n"))
        if not head.startswith(b"HTTP/1."):
            raise ValueError(f"no answer: {head[:200]!r}")
        headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
        length = 0 if request.startswith(b"HEAD ") else int(headers.get(b"content-length", b"0"))
        is_chunked = headers.get(b"transfer-encoding") == b"chunked"
        body = b"".join(_chunks(answers)) if is_chunked else answers.read(length)
        answer = Answer(status=int(head[9:12]), head=head, body=body)
        if headers.get(b"connection") == b"close" or head.startswith(b"HTTP/1.0"):
            self.hang_up()
        return answer

    def _send(self, request: bytes) -> BinaryIO:
        if self._socket is None or self._answers is None:
            self._socket = socket.create_connection(self._where, timeout=_PATIENCE_S)
            # Otherwise Nagle's algorithm may hold a request back.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._answers = self._socket.makefile("rb")
        self._socket.sendall(request)
        return self._answers


def _chunks(answers: BinaryIO) -> Iterator[bytes]:
    while True:
        size = int(answers.readline(), 16)
        yield answers.read(size)
        if answers.readline() != b"\r\n":
            raise ValueError("a chunk is longer than it says")
        if size == 0:
            return
