"""What became of orders and could not be written down: in memory until it can be.

What brokers said, where the rows are still ``sending``, and what was given up, where they are still ``planned``.
"""

from __future__ import annotations

import threading

from openalgo_bridge.store.journal_rows import Settlement


class Unwritten:
    """Thread-safe. What is lost with the process, the next start finds: it looks up the one and drops the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[int, Settlement] = {}

    def keep(self, order_id: int, outcome: Settlement) -> None:
        """To be written again by the timer."""
        with self._lock:
            self._outcomes[order_id] = outcome

    def all(self) -> list[tuple[int, Settlement]]:
        """Each order's id, and what became of it."""
        with self._lock:
            return list(self._outcomes.items())

    def forget(self, order_id: int) -> None:
        """It is written."""
        with self._lock:
            self._outcomes.pop(order_id, None)
