"""How fast messages go to a broker: one bucket of tokens over every path, slice and leg (design 4)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openalgo_bridge.errors import Busy

_KEPT_BACK = 2.0
"""Tokens that only cancels and exits may take."""

_MOST_WAITING = 3
"""How many entries may wait for a token at once. Each has a place at the broker: the others are left for exits."""

_DEADLINE_S = 5.0

_BEGUN_DEADLINE_S = 60.0
"""The same for the rest of a ticket of which something may be at the broker: half of it is worse than a late one."""


class Throttle:
    """A bucket that fills by ``per_second`` and holds one second's worth. Thread-safe, first come first served.

    ``monotonic`` tells seconds and ``wait`` lets them pass.
    """

    def __init__(self, per_second: float, *, monotonic: Callable[[], float], wait: Callable[[float], object]) -> None:
        self._per_second = per_second
        self._size = max(per_second, _KEPT_BACK + 1)
        self._tokens = self._size
        self._monotonic = monotonic
        self._wait = wait
        self._filled_at = monotonic()
        self._waiting = 0
        self._lock = threading.Lock()

    def take_now(self) -> bool:
        """One token if there are more than those kept back; False where it would have to be waited for."""
        return self._missing(urgent=False) <= 0

    def take(self, *, urgent: bool = False, has_begun: bool = False) -> None:
        """One token, waiting for it; ``urgent`` takes those kept back too. ``has_begun`` is the rest of a ticket, which
        waits for a minute if it must. Raises Busy when it would take longer than the deadline; nothing was sent.
        """
        until = self._monotonic() + (_BEGUN_DEADLINE_S if has_begun else _DEADLINE_S)
        while (missing := self._missing(urgent=urgent)) > 0:
            pause = missing / self._per_second
            if self._monotonic() + pause > until:
                raise self._busy()
            self._wait(pause)

    @contextmanager
    def line(self, *, urgent: bool = False) -> Iterator[None]:
        """A place among those who wait for a token; what is ``urgent`` needs none. Raises Busy when there is none."""
        if urgent:
            yield
            return
        with self._lock:
            if self._waiting >= _MOST_WAITING:
                raise self._busy()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _busy(self) -> Busy:
        return Busy(f"Not sent, busy: this broker takes {self._per_second:g} orders a second. Ask again.")

    def _missing(self, *, urgent: bool) -> float:
        """Take a token and answer 0, or answer how many more must come first."""
        with self._lock:
            now = self._monotonic()
            self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
            self._filled_at = now
            missing = (1.0 if urgent else 1.0 + _KEPT_BACK) - self._tokens
            if missing <= 1e-9:
                self._tokens -= 1.0
                return 0.0
            return missing
