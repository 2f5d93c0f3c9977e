"""One turn at a time for each position: what reads a position and then sends must not do so twice at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from openalgo_bridge.errors import Busy
from openalgo_bridge.model.order import PositionKey, TradingMode

_Position = tuple[TradingMode, PositionKey]

_PATIENCE_S = 5.0
_QUICK_S = 0.1

_MOST_WAITING = 2
"""How many may wait for long for a turn, one for each position: each keeps a thread of the web server."""

_MOST_LOOKING = 2
"""How many who have a turn may wait to look again: each keeps a thread, too."""


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_awaited: bool = False


class Turns:
    """A lock for each position that was asked for. Thread-safe; there are as many as the trader has positions.

    ``quick_s``: how long anything waits for its turn, because a burst of calls is no reason to refuse one.
    """

    def __init__(self, *, quick_s: float = _QUICK_S) -> None:
        self._lock = threading.Lock()
        self._quick_s = quick_s
        self._of: dict[_Position, _Turn] = {}
        self._waiting = 0
        self._looking = 0

    @contextmanager
    def of(self, position: _Position) -> Iterator[None]:
        """The turn of one position, for the length of the block. Raises Busy: nothing was read or sent."""
        with self._lock:
            turn = self._of.setdefault(position, _Turn())
        if not self._taken(turn):
            raise Busy(f"Not sent, busy: other smart orders for {position[1][1]} are still being done. Ask again.")
        try:
            yield
        finally:
            turn.lock.release()

    @contextmanager
    def patience(self) -> Iterator[bool]:
        """Whether whoever has a turn may wait within the block, to look again at his position.

        He needs no place at the broker meanwhile: those are for who asks it something.
        """
        with self._lock:
            is_patient = self._looking < _MOST_LOOKING
            self._looking += is_patient
        try:
            yield is_patient
        finally:
            with self._lock:
                self._looking -= is_patient

    def _taken(self, turn: _Turn) -> bool:
        if turn.lock.acquire(blocking=False):
            return True
        if not self._begins_to_wait(turn):
            return turn.lock.acquire(timeout=self._quick_s)
        try:
            return turn.lock.acquire(timeout=_PATIENCE_S)
        finally:
            with self._lock:
                turn.is_awaited = False
                self._waiting -= 1

    def _begins_to_wait(self, turn: _Turn) -> bool:
        with self._lock:
            if turn.is_awaited or self._waiting >= _MOST_WAITING:
                return False
            turn.is_awaited = True
            self._waiting += 1
            return True
