"""A line to a bridge on which answers get lost: the request arrives, and the connection ends."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tests.wire import Wire


class LossyLine(socketserver.ThreadingTCPServer):
    """Passes requests on. ``losses`` answers are dropped first; ``passed`` are the requests so far."""

    daemon_threads = True

    def __init__(self, bridge_port: int, losses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.bridge_port = bridge_port
        self.losses = losses
        self.passed: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Connection(socketserver.StreamRequestHandler):
    server: LossyLine

    def handle(self) -> None:
        while request := _request(self.rfile):
            # The bridge answers to its own name only.
            host = b"\r\nHost: 127.0.0.1:%d" % self.server.bridge_port
            request = re.sub(rb"(?i)\r\nhost: [^\r]+", host, request, count=1)
            self.server.passed.append(request)
            with Wire(self.server.bridge_port) as wire:
                answer = wire.ask(request)
            if self.server.losses:
                self.server.losses -= 1
                return
            self.wfile.write(answer.head + b"\r\n" + answer.body)


def _request(stream: BinaryIO) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return head + stream.read(int(length[1]) if length else 0)


@contextmanager
def lossy_line(bridge_port: int, losses: int) -> Iterator[LossyLine]:
    """Open until the end of the block."""
    with LossyLine(bridge_port, losses) as line:
        thread = threading.Thread(target=line.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield line
        line.shutdown()
        thread.join()
