"""The threads in which requests are answered."""

# mypy: disable-error-code="no-untyped-call"
# waitress has no annotations.

from __future__ import annotations

import threading

from waitress.task import ThreadedTaskDispatcher


class Workers(ThreadedTaskDispatcher):
    """waitress's threads, of which the one that went idle last gets the next request.

    waitress takes the one that has been idle longest, so that sixteen threads answer one program in turn, each with a
    stack and a processor cache that know nothing of the request before. Crowds are served as ever: all of them work.
    """

    def __init__(self) -> None:
        super().__init__()
        self.queue_cv = _LastIdleFirst(self.lock)  # type: ignore[assignment]


class _LastIdleFirst:
    """What of a condition the dispatcher uses, its ``lock`` held at each call; the last who waits is woken first."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._idle: list[threading.Lock] = []

    def wait(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        self._idle.append(mine)
        self._lock.release()
        try:
            mine.acquire()
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        if self._idle:
            self._idle.pop().release()

    def notify_all(self) -> None:
        while self._idle:
            self.notify()
