"""The outermost WSGI layer: every API call is a row, opened before the handler, closed before the answer.

The row is written in the request's own thread, so nothing can be dropped. If it cannot be opened, the inside
learns so from the :class:`Note` and refuses whatever changes state (design 2).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.traffic import Arrival, Ending, TrafficLog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOTE = "openalgo_bridge.note"
"""Where the environ carries the call's :class:`Note`."""

REFUSED = "refused"
"""The outcome of a request that the guard turned away."""

_log = logging.getLogger(__name__)
Write = Callable[[bytes], object]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


@dataclass(slots=True, kw_only=True)
class Note:
    """What the inside adds to the row. ``recorded`` is False when the row could not be written."""

    request_id: str
    recorded: bool = True
    key_fingerprint: str | None = None
    outcome: str | None = None
    message: str | None = None
    ticket_id: int | None = None

    def add(self, sentence: str) -> None:
        """One more sentence of the row's message."""
        self.message = f"{self.message} {sentence}" if self.message else sentence


class TrafficRecorder:
    """Wraps the guard and the app."""

    def __init__(self, app: WSGIApplication, log: TrafficLog, clock: Clock) -> None:
        self._app = app
        self._log = log
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        note = environ[NOTE] = Note(request_id=secrets.token_hex(8))
        is_call = environ.get("PATH_INFO", "").startswith("/api/")
        began = self._clock.monotonic()
        call_id = self._open(environ, note) if is_call else None
        status = 500

        def start(line: str, headers: list[tuple[str, str]], exc_info: _ExcInfo | None = None) -> Write:
            nonlocal status
            status = int(line[:3])
            return start_response(line, headers, exc_info)

        try:
            # waitress sends the headers with the first chunk, so the row is closed before the answer leaves.
            return self._app(environ, start)
        finally:
            if note.outcome == REFUSED and not is_call:
                # What the guard turned away is worth a row even where it was not an API call.
                call_id = self._open(environ, note)
            self._close(call_id, status, began, note)

    def _open(self, environ: WSGIEnvironment, note: Note) -> int | None:
        arrival = Arrival(
            request_id=note.request_id,
            at=self._clock.now_ms(),
            method=environ["REQUEST_METHOD"],
            endpoint=environ.get("PATH_INFO", ""),
            address=environ.get("REMOTE_ADDR", ""),
            program=environ.get("HTTP_USER_AGENT", ""),
        )
        try:
            return self._log.open(arrival)
        except StorageError:
            _log.exception("call %s could not be recorded", note.request_id)
            note.recorded = False
            return None

    def _close(self, call_id: int | None, status: int, began: float, note: Note) -> None:
        if call_id is None:
            return
        ending = Ending(
            status=status,
            duration_us=round((self._clock.monotonic() - began) * 1_000_000),
            key_fingerprint=note.key_fingerprint,
            outcome=note.outcome,
            message=note.message,
            ticket_id=note.ticket_id,
        )
        try:
            self._log.close(call_id, ending)
        except StorageError:
            # The answer must still leave: what it reports may already have happened at a broker.
            _log.exception("the end of call %s could not be recorded", note.request_id)
