"""Threads that take turns at one thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that a thread which takes it again and again does not take from one that waits.

    Who waits stands at the gate. So whoever just let go comes after it.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, patience_s: float | None = None) -> Iterator[bool]:
        """False where that took longer than ``patience_s``, at the gate or behind it. Not re-entrant."""
        timeout = -1 if patience_s is None else patience_s
        is_taken = False
        if self._gate.acquire(timeout=timeout):
            try:
                is_taken = self._lock.acquire(timeout=timeout)
            finally:
                self._gate.release()
        try:
            yield is_taken
        finally:
            if is_taken:
                self._lock.release()
