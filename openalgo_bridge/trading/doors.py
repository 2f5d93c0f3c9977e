"""Whether orders may come in: not before it is known what became of the last ones (security 4.9, design 4).

Pages and reads never ask here.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from enum import StrEnum

from openalgo_bridge.errors import Starting, StorageError
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.ticket import Operation

_PATIENCE_S = 3.0
_NONE: frozenset[TradingMode] = frozenset()


class DoorState(StrEnum):
    """``OPENING``: what the last run left is being read. ``SAFE``: a broker cannot be read, so orders for its account
    are held, and those for the other pass. ``SHUT``: ``bridge.db`` is damaged, so nothing can be written down.
    """

    OPENING = "opening"
    OPEN = "open"
    SAFE = "safe"
    SHUT = "shut"


class Doors:
    """The order doors of one bridge. Thread-safe; made closed, so that whoever forgets to open them sends nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = DoorState.OPENING
        self._reason = ""
        self._unread = _NONE
        self._journal_is_ready = threading.Event()

    @property
    def state(self) -> DoorState:
        """As it is now."""
        with self._lock:
            return self._state

    @property
    def reason(self) -> str:
        """Why orders are held or refused, as a sentence; empty while the doors are open. For a page, which tells it
        whatever account it shows.
        """
        with self._lock:
            return self._reason

    def reason_for(self, mode: TradingMode) -> str:
        """Why orders for one account are held; empty where they may pass."""
        with self._lock:
            return "" if self._state is DoorState.SAFE and mode not in self._unread else self._reason

    def are_open_for(self, mode: TradingMode) -> bool:
        """Whether orders for one account come in and are not held."""
        with self._lock:
            return self._state is DoorState.OPEN or (self._state is DoorState.SAFE and mode not in self._unread)

    def admit(self, operation: Operation) -> None:
        """Let an order call in. A cancel passes as soon as the journal is in order, and waits for that.

        In ``SAFE`` everything passes: :meth:`reason_for` tells the router to hold. Raises Starting or StorageError;
        then nothing was written.
        """
        if operation.is_cancel and self.state is DoorState.OPENING:
            self._journal_is_ready.wait(_PATIENCE_S)
        with self._lock:
            state, reason = self._state, self._reason
        if state is DoorState.SHUT:
            raise StorageError(reason)
        if state is DoorState.OPENING and not (operation.is_cancel and self._journal_is_ready.is_set()):
            raise Starting("The bridge is starting. Not sent, and nothing was written; ask again in a moment.")

    def journal_ready(self) -> None:
        """What the last run left unfinished is written down: what is sent from now on is not mistaken for it."""
        self._journal_is_ready.set()

    def open(self) -> None:
        """What became of every order is known, or is on the list of orders in doubt."""
        self._journal_is_ready.set()
        self._become(DoorState.OPEN, "")

    def keep_safe(self, reason: str, unread: Collection[TradingMode] = tuple(TradingMode)) -> None:
        """The brokers of the accounts ``unread`` cannot be read. Orders for them are held with ``reason``; cancels are
        tried.
        """
        self._become(DoorState.SAFE, reason, frozenset(unread))

    def read_again(self, mode: TradingMode, reason: str) -> bool:
        """Where all is open, take one account for unread: its orders are held with ``reason`` until whoever watches the
        doors has read its broker anew. False where not all is open; then nothing changes.
        """
        with self._lock:
            if self._state is not DoorState.OPEN:
                return False
            self._state, self._reason, self._unread = DoorState.SAFE, reason, frozenset({mode})
            return True

    def shut(self, reason: str) -> None:
        """The journal cannot be trusted. Every order is refused with ``reason``."""
        self._become(DoorState.SHUT, reason)

    def _become(self, state: DoorState, reason: str, unread: frozenset[TradingMode] = _NONE) -> None:
        with self._lock:
            self._state, self._reason, self._unread = state, reason, unread
