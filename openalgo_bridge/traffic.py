"""The outermost WSGI layer: every request is a row, opened before the handler, closed before the answer.

The row is written in the request's own thread, so nothing can be dropped. If it cannot be opened, the inside
learns so from the :class:`Note` and refuses whatever changes state (design 2).
"""

from __future__ import annotations

import codecs
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener, kind_of
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.store.traffic import Arrival, Bodies, Ending, Sent, TrafficLog
from openalgo_bridge.store.traffic_text import BODY_KEPT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOTE = "openalgo_bridge.note"
"""Where the environ carries the call's :class:`Note`."""

# What is taken out makes a text shorter, and then more of it is kept.
_READ = BODY_KEPT + 512
_UNFINISHED_WORD = re.compile(r"[\w%+/=.~\0\N{REPLACEMENT CHARACTER}-]+\Z", re.ASCII)
_HEAD = 64
_READ_ONCE = "(not kept: it could be read only once)"

# Not set back: what goes wrong while an answer is sent belongs to its request, and the next one sets its own.
_request_id: ContextVar[str] = ContextVar("request_id", default="")

_log = logging.getLogger(__name__)
Write = Callable[[bytes], object]
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def current_request_id() -> str:
    """Of the request that this thread answers, or answered last; empty where it answers none."""
    return _request_id.get()


@dataclass(slots=True, kw_only=True)
class Note:
    """What the inside adds to the row. ``recorded`` is False when the row could not be written."""

    request_id: str
    recorded: bool = True
    key_fingerprint: str | None = None
    source: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    ticket_id: int | None = None
    order_ref: str | None = None
    trading_mode: TradingMode | None = None
    outcome: CallOutcome | None = None
    message: str | None = None

    def add(self, sentence: str) -> None:
        """One more sentence of the row's message."""
        self.message = f"{self.message} {sentence}" if self.message else sentence


class Stopwatch(Protocol):
    """How long this thread has waited for a broker since a request began."""

    def begin(self) -> None: ...

    @property
    def spent_us(self) -> int: ...


class TrafficRecorder:
    """Wraps the guard and the app of one listener.

    ``hop`` tells, of a request whose tunnel is trusted, who is behind it; the main listener trusts none.
    """

    def __init__(
        self,
        app: WSGIApplication,
        log: TrafficLog,
        clock: Clock,
        broker_time: Stopwatch,
        *,
        listener: Listener = Listener.MAIN,
        hop: Callable[[WSGIEnvironment], str | None] = lambda _: None,
    ) -> None:
        self._app = app
        self._log = log
        self._clock = clock
        self._broker_time = broker_time
        self._listener = listener
        self._hop = hop

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        note = environ[NOTE] = Note(request_id=secrets.token_hex(8))
        _request_id.set(note.request_id)
        kind = kind_of(environ.get("PATH_INFO", ""))
        began = self._clock.monotonic()
        self._broker_time.begin()
        call_id = self._open(environ, note, kind)
        # A page's form has passwords in it, and what a page shows is in the record of what it did.
        said = None if kind is CallKind.PAGE else _Said(environ, start_response)
        status, is_answered = 500, False

        def start(line: str, headers: list[tuple[str, str]], exc_info: _ExcInfo | None = None) -> Write:
            nonlocal status
            status = int(line[:3])
            return (start_response if said is None else said.start)(line, headers, exc_info)

        try:
            # waitress sends the headers with the first chunk, so the row is closed before the answer leaves.
            answer = self._app(environ, start)
            if said is not None:
                answer = said.listened(answer, self._sent_by(call_id, began, note))
            is_answered = True
            return answer
        finally:
            body = None if said is None else said.bodies()
            # Where something was raised the server answers, whatever was begun here.
            self._close(call_id, self._ending(status if is_answered else 500, began, note, kind, body), note)

    def _open(self, environ: WSGIEnvironment, note: Note, kind: CallKind) -> int | None:
        arrival = Arrival(
            request_id=note.request_id,
            at=self._clock.now_ms(),
            listener=self._listener,
            kind=kind,
            method=environ["REQUEST_METHOD"],
            endpoint=_as_utf8(environ.get("PATH_INFO", "")),
            address=environ.get("REMOTE_ADDR", ""),
            forwarded_for=self._hop(environ),
            program=_as_utf8(environ.get("HTTP_USER_AGENT", "")),
        )
        try:
            return self._log.open(arrival)
        except StorageError:
            _log.exception("call %s could not be recorded", note.request_id)
            note.recorded = False
            return None

    def _ending(self, status: int, began: float, note: Note, kind: CallKind, body: Bodies | None) -> Ending:
        is_stray = kind is CallKind.PAGE and note.outcome is CallOutcome.REFUSED
        return Ending(
            status=status,
            duration_us=self._us_since(began),
            broker_us=self._broker_time.spent_us or None,
            key_fingerprint=note.key_fingerprint,
            source=note.source,
            strategy=note.strategy,
            symbol=note.symbol,
            ticket_id=note.ticket_id,
            order_ref=note.order_ref,
            trading_mode=note.trading_mode,
            outcome=note.outcome or CallOutcome.of_status(status),
            message=note.message,
            kind=CallKind.STRAY if is_stray else None,
            body=body,
        )

    def _close(self, call_id: int | None, ending: Ending, note: Note) -> None:
        is_closed = False
        try:
            if call_id is not None:
                self._log.close(call_id, ending)
                is_closed = True
        except StorageError:
            # The answer must still leave: what it reports may already have happened at a broker.
            _log.exception("the end of call %s could not be recorded", note.request_id)
        finally:
            self._log.count(has_row=is_closed)

    def _sent_by(self, call_id: int | None, began: float, note: Note) -> Callable[[_Sending], None]:
        def keep(sending: _Sending) -> None:
            sent = Sent(
                answer_bytes=sending.sent,
                duration_us=self._us_since(began),
                broke_off=None if sending.is_whole else f"The answer broke off after {sending.sent:,} bytes.",
                outcome=CallOutcome.FAILED if sending.has_failed else None,
            )
            try:
                if call_id is not None:
                    self._log.note_sent(call_id, sent)
            except StorageError:
                _log.exception("how the answer to call %s was sent could not be recorded", note.request_id)

        return keep

    def _us_since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1_000_000)


class _Said:
    """What is asked and answered in one call: the beginning of both."""

    def __init__(self, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self._start_response = start_response
        self._request, self._request_bytes = _asked(environ)
        self._is_whole = False
        self._answer = b""
        self._answer_bytes = 0

    def start(self, line: str, headers: list[tuple[str, str]], exc_info: _ExcInfo | None) -> Write:
        self._is_whole = any(name.lower() == "content-length" for name, _ in headers)
        return self._start_response(line, headers, exc_info)

    def listened(self, answer: Iterable[bytes], keep: Callable[[_Sending], None]) -> Iterable[bytes]:
        """The same answer. What is made while it is sent is not held back: its first part is all that is listened to,
        and ``keep`` hears at the end what became of it."""
        if self._is_whole:
            chunks = _taken(answer)
            self._keep(b"".join(chunks))
            return chunks
        sending = _Sending(answer, keep)
        self._keep(sending.first)
        return sending

    def bodies(self) -> Bodies | None:
        """As they are known now; None where nothing was said."""
        if not self._request_bytes and not self._answer_bytes:
            return None
        return Bodies(
            request=_beginning(self._request, self._request_bytes),
            request_bytes=self._request_bytes,
            answer=_beginning(self._answer, self._answer_bytes),
            answer_bytes=self._answer_bytes,
        )

    def _keep(self, answer: bytes) -> None:
        self._answer, self._answer_bytes = answer[:_READ], len(answer)


class _Sending:
    """An answer that is made while it is sent. Its first part is made at once."""

    def __init__(self, answer: Iterable[bytes], keep: Callable[[_Sending], None]) -> None:
        self._answer = answer
        self._keep = keep
        self.is_whole = self.has_failed = False
        with ExitStack() as undoing:
            undoing.callback(_close, answer)
            self._rest = iter(answer)
            self.first = next(filter(None, self._rest), b"")
            undoing.pop_all()
        self.sent = len(self.first)

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        while (part := self._made()) is not None:
            self.sent += len(part)
            yield part
        self.is_whole = True

    def close(self) -> None:
        """Called by the server, also when the program went away in the middle."""
        try:
            _close(self._answer)
        finally:
            if self.sent > len(self.first) or not self.is_whole:
                self._keep(self)

    def _made(self) -> bytes | None:
        """The next part, or None at the end."""
        self.has_failed = True
        part = next(self._rest, None)
        # Not where something was raised. A program that goes away does so between two parts.
        self.has_failed = False
        return part


def _taken(answer: Iterable[bytes]) -> list[bytes]:
    try:
        return list(answer)
    finally:
        _close(answer)


def _close(answer: Iterable[bytes]) -> None:
    close = getattr(answer, "close", None)
    if close is not None:
        close()


def _asked(environ: WSGIEnvironment) -> tuple[bytes, int]:
    """The beginning of the body, which stays to be read, and the length of all of it."""
    length = environ.get("CONTENT_LENGTH") or "0"
    size = int(length) if length.isdecimal() else 0
    stream = environ["wsgi.input"]
    if not size and not environ.get("wsgi.input_terminated"):
        return b"", 0
    if not (hasattr(stream, "seekable") and stream.seekable()):
        return _READ_ONCE.encode(), size
    place = stream.tell()
    beginning = stream.read(_READ)
    stream.seek(place)
    return beginning, max(size, len(beginning))


def _beginning(body: bytes, size: int) -> str:
    """What there is of a body, as text. A word that is cut may be a secret of which nobody can tell any more."""
    text = body.decode(_encoding_of(body), "replace")
    return _UNFINISHED_WORD.sub("", text) if size > len(body) >= _READ else text


def _encoding_of(body: bytes) -> str:
    """UTF-8, or what VBA and PowerShell make of a text: UTF-16, where every other byte of plain letters is a NUL."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for low, high, encoding in ((0, 1, "utf-16-le"), (1, 0, "utf-16-be")):
        if 0 not in body[low:_HEAD:2] and 2 * body[high:_HEAD:2].count(0) > len(body[high:_HEAD:2]):
            return encoding
    return "utf-8"


def _as_utf8(text: str) -> str:
    """WSGI hands over bytes as the characters of Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
