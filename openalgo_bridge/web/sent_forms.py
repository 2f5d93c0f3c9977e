"""The forms with many decisions that were sent lately, so that each is carried out once.

A double click, a second tab of the same page or the Back button sends the same form again: who comes second is shown
what becomes of the first. Kept in memory: after a restart, or for a form without a number, the journal's own claims
see to it that no order is sent twice, and what was decided is told as decided before.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_MOST = 50


class End(StrEnum):
    """How a decision ended that came to nothing, of which the journal says nothing or not everything."""

    NOT_SENT = "not sent"
    NOT_REJECTED = "not rejected"
    NOT_TRIED = "not tried"
    DECIDED_BEFORE = "decided before"

    @property
    def tone(self) -> str:
        """The colour, which never says more than the word."""
        return "danger" if self in {End.NOT_SENT, End.NOT_REJECTED} else "secondary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is to be told of one ticket of a form, with a sentence."""

    ticket_id: int
    end: End
    why: str


class SentForms:
    """See the module. May be used by several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: OrderedDict[str, Mapping[int, Note] | None] = OrderedDict()

    def claim(self, number: str) -> bool:
        """Whether the form of this number was not sent yet. Whoever gets True must call :meth:`end`."""
        with self._lock:
            if number in self._notes:
                return False
            self._notes[number] = None
            while len(self._notes) > _MOST:
                self._notes.popitem(last=False)
            return True

    def end(self, number: str, notes: Iterable[Note]) -> None:
        """All of its decisions were tried, or none will be any more."""
        with self._lock:
            self._notes[number] = {note.ticket_id: note for note in notes}

    def is_running(self, number: str) -> bool:
        """Whether its decisions are being carried out just now."""
        with self._lock:
            return number in self._notes and self._notes[number] is None

    def notes(self, number: str) -> Mapping[int, Note]:
        """Those of a form that has ended; empty for any other."""
        with self._lock:
            return self._notes.get(number) or {}


def new_number() -> str:
    """Of a form that is about to be shown."""
    return secrets.token_hex(8)
