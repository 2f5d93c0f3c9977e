"""The console, behind a queue that drops: a slow or frozen window must not be able to stop an order.

One click into a Windows console freezes every write to it (QuickEdit). So threads only ever put text into a
bounded queue; one thread of its own writes it.
"""

from __future__ import annotations

import io
import logging
import queue
import sys
import threading
from logging.handlers import QueueHandler
from typing import TextIO

from openalgo_bridge.model.redaction import scrub

_WAITING_LINES = 1000
_STOP_S = 2.0

# What a terminal would obey instead of showing, and what would pass for a line of its own (security T14).
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029]
_VISIBLE = {code: f"\\u{code:04x}" for code in _CONTROLS} | {0x0A: "\n    ", 0x09: "\t"}


class Console:
    """Writes sentences and log records, each in the order it came. ``dropped`` counts what found no room."""

    def __init__(self, *, out: TextIO, log: TextIO, waiting: int = _WAITING_LINES) -> None:
        self._out = out
        self._log = log
        self._queue: queue.Queue[tuple[TextIO, str] | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._write_all, name="console", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def say(self, text: str) -> None:
        """A line for the person at the console, as it is. Never blocks."""
        self._put(self._out, text)

    def log(self, line: str) -> None:
        """A line of the log. Never blocks."""
        self._put(self._log, line)

    def close(self) -> None:
        """Write what waits, for at most two seconds: a frozen window must not stop the end either."""
        try:
            self._queue.put(None, timeout=_STOP_S)
        except queue.Full:
            return
        self._thread.join(_STOP_S)

    def _put(self, stream: TextIO, text: str) -> None:
        try:
            self._queue.put_nowait((stream, text))
        except queue.Full:
            self.dropped += 1

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            _write(*item)


class _Lines(logging.Formatter):
    """One record, one line; those of a traceback are set in. Without secrets."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {message}", "%H:%M:%S", style="{")

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record)).translate(_VISIBLE)


class _Forward(QueueHandler):
    """Formats in the caller's thread, so that no secret ever stands in the queue."""

    def __init__(self, console: Console) -> None:
        super().__init__(queue.SimpleQueue())
        self._console = console
        self.setFormatter(_Lines())

    def enqueue(self, record: logging.LogRecord) -> None:
        self._console.log(record.getMessage())


def open_console(level: str) -> Console:
    """The console of this process, with the log records of ``level`` and above on it."""
    speak_utf8()
    console = Console(out=sys.stdout, log=sys.stderr)
    send_log_to(console, level)
    console.start()
    return console


def send_log_to(console: Console, level: str) -> None:
    """From here on the records of the whole process go to ``console``, and nowhere else."""
    # A log call with a mistake in it must not write past the queue.
    logging.raiseExceptions = False
    logging.basicConfig(level=level, handlers=[_Forward(console)], force=True)
    # It warns for each request that waits for a thread: under load that says nothing and fills the window.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def speak_utf8() -> None:
    """Windows consoles and redirected output may be cp1252, where a rupee sign raises."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except (OSError, ValueError):
        # The window or the pipe is gone. The bridge goes on without it.
        return
