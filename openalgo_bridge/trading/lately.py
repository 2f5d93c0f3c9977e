"""Which orders the broker took a moment ago, in memory: its order book may not show them yet."""

from __future__ import annotations

import threading

_REMEMBERED = 1000


class Lately:
    """Thread-safe. Times are monotonic, in seconds: a clock that is set must not make an order of just now an old one.

    After a restart nothing is recent: what was being sent is in doubt then, and is looked up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[int, float] = {}

    def note(self, order_id: int, *, now: float) -> None:
        """The broker took it. To be called before that is written, so that it is open or recent at any moment."""
        with self._lock:
            self._sent[order_id] = now
            if len(self._sent) > _REMEMBERED:
                del self._sent[next(iter(self._sent))]

    def sent(self, *, within: float, now: float) -> tuple[int, ...]:
        """The ids of the orders that were taken in the last ``within`` seconds."""
        with self._lock:
            return tuple(order_id for order_id, at in self._sent.items() if now - at < within)
