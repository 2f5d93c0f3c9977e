"""``Idempotency-Key``: the same call again gets the answer of the first, and does nothing.

The key is taken before anything is done, and the answer written down before it leaves. Only what made a ticket is
kept: a call that was refused before may be mended and sent again under its key.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from openalgo_bridge.api import answers, replay
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Invalid, StillRunning, StorageError
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.idempotency import Asked, Former

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
NEVER_REFUSED = {f"/{operation}" for operation in Operation if operation.is_cancel or operation is Operation.CLOSE}
"""The endpoints that act although their key is none, or cannot be kept."""

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")
_NO_KEY = f"{HEADER} must be 1 to 255 printable ASCII characters."
_UNRECORDED = f"Done, but the {HEADER} could not be kept."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What goes back: a status and the text of the body."""

    status: int
    text: str
    is_replay: bool = False


class Once:
    """Calls with a key, in one process. Thread-safe."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def answer(self, call: Call, endpoint: str, key: str, act: Callable[[], Json]) -> Answered:
        """The answer of ``act``, which is done once for each ``key`` at an endpoint.

        A cancel or a closing is done although its key is none or cannot be written down: neither is ever refused for
        want of a record, and doing it twice leaves nothing open. Raises what ``act`` raises; Invalid for a key that is
        none; StillRunning while the first call is being done; Conflict when the key was used for another body.
        """
        if not _PRINTABLE.fullmatch(key):
            return _without_key(call, endpoint, act)
        asked = _asked(call, endpoint, key)
        with self._lock:
            # Before the row is there, so that nobody takes a running call for one that was cut off.
            self._running.add(asked.request_id)
        try:
            return self._answered(call, asked, act)
        finally:
            with self._lock:
                self._running.discard(asked.request_id)

    def _answered(self, call: Call, asked: Asked, act: Callable[[], Json]) -> Answered:
        try:
            before = self._desk.store.journal.mark().ticket_id
            former = self._desk.store.idempotency.claim(asked, after_ticket=before)
        except StorageError as fault:
            if asked.endpoint not in NEVER_REFUSED:
                raise
            call.note.add(f"{_UNRECORDED} {fault.message}")
            return Answered(status=200, text=answers.encoded(act()))
        if former is not None and not self._takes_over(asked, former):
            return self._again(call, asked, former)
        return self._first(asked, before, act)

    def _first(self, asked: Asked, before: int, act: Callable[[], Json]) -> Answered:
        try:
            answered = Answered(status=200, text=answers.encoded(act()))
        except BridgeError as error:
            self._keep_refusal(asked, before, error)
            raise
        self._keep(asked, answered)
        return answered

    def _keep_refusal(self, asked: Asked, before: int, error: BridgeError) -> None:
        """A refusal is kept with its ticket; where there is none, nothing was done and the key is free again."""
        try:
            if self._desk.store.journal.ticket_by_request(asked.request_id, after=before) is None:
                self._desk.store.idempotency.give_back(asked)
                return
        except StorageError:
            _log.exception("an idempotency key could not be given back")
            return
        self._keep(asked, Answered(status=error.status, text=answers.encoded(answers.failed(error))))

    def _keep(self, asked: Asked, answered: Answered) -> None:
        """The caller must hear what happened even when it cannot be kept; the journal then answers the next call."""
        try:
            self._desk.store.idempotency.finish(asked, answered.status, answered.text)
        except StorageError:
            _log.exception("the answer to an idempotency key could not be kept")

    def _takes_over(self, asked: Asked, former: Former) -> bool:
        """Whether the first call was cut off before it made a ticket: then nothing was done, and this one does it."""
        if former.body_digest != asked.body_digest or former.answer is not None or self._is_running(former):
            return False
        if self._ticket_of(former) is not None:
            return False
        return self._desk.store.idempotency.take_over(asked, former)

    def _again(self, call: Call, asked: Asked, former: Former) -> Answered:
        if former.body_digest != asked.body_digest:
            raise Conflict(f"This {HEADER} was used for another request. Use a new one for each order.")
        if former.status is not None and former.answer is not None:
            call.note.outcome = CallOutcome.REPLAYED
            return Answered(status=former.status, text=former.answer, is_replay=True)
        if self._is_running(former):
            raise StillRunning(f"The first request with this {HEADER} is still being done.")
        ticket = self._ticket_of(former)
        if ticket is None:
            raise StillRunning(f"Another request with this {HEADER} is being done.")
        call.note.outcome, call.note.ticket_id = CallOutcome.REPLAYED, ticket.id
        return Answered(status=200, text=answers.encoded(replay.told(call, asked.endpoint, ticket)), is_replay=True)

    def _ticket_of(self, former: Former) -> Ticket | None:
        return self._desk.store.journal.ticket_by_request(former.request_id, after=former.after_ticket)

    def _is_running(self, former: Former) -> bool:
        with self._lock:
            return former.request_id in self._running


def _without_key(call: Call, endpoint: str, act: Callable[[], Json]) -> Answered:
    if endpoint not in NEVER_REFUSED:
        raise Invalid(_NO_KEY)
    call.note.add(f"Done, but the {HEADER} counts for nothing: {_NO_KEY}")
    return Answered(status=200, text=answers.encoded(act()))


def _asked(call: Call, endpoint: str, key: str) -> Asked:
    canonical = json.dumps(call.fields, sort_keys=True, default=str, separators=(",", ":"))
    return Asked(
        endpoint=endpoint,
        key=key,
        body_digest=hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest(),
        request_id=call.note.request_id,
    )
