"""Where rate limits are counted: moving windows in memory, safe under threads (security M7)."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from limits.storage import MovingWindowSupport, Storage

STORAGE_URI = "locked-memory://"
"""By this flask-limiter finds the storage below."""

_MAX_BUCKETS = 1000
_MOVING_ONLY = "this storage keeps moving windows only"


class LockedMemoryStorage(Storage, MovingWindowSupport):
    """Moving windows under one lock.

    The library's own memory storage is not thread-safe in this release: it lets too many through, or raises
    (security M7), and it starts a thread when it is made. flask-limiter finds this one by its scheme.
    """

    STORAGE_SCHEME = ["locked-memory"]  # noqa: RUF012  # the library's own attribute, registered when the class is made

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._lock = threading.Lock()
        self._windows: dict[str, deque[float]] = {}

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count ``amount`` calls against ``key`` unless more than ``limit`` in ``expiry`` seconds would result."""
        with self._lock:
            window = self._window(key, time.monotonic() - expiry)
            if len(window) + amount > limit:
                return False
            window.extend([time.monotonic()] * amount)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the window's oldest call was (epoch seconds), and how many calls are in it."""
        del limit
        with self._lock:
            window = self._window(key, time.monotonic() - expiry)
            age = time.monotonic() - window[0] if window else 0.0
            return time.time() - age, len(window)

    def _window(self, key: str, since: float) -> deque[float]:
        if key not in self._windows and len(self._windows) >= _MAX_BUCKETS:
            self._windows.pop(next(iter(self._windows)))
        window = self._windows.setdefault(key, deque())
        while window and window[0] < since:
            window.popleft()
        return window

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing in here fails; the library asks."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:  # noqa: ARG002
        """Fixed windows are not kept: they let twice the limit through at the edge."""
        raise TypeError(_MOVING_ONLY)

    def get(self, key: str) -> int:  # noqa: ARG002
        """See :meth:`incr`."""
        raise TypeError(_MOVING_ONLY)

    def get_expiry(self, key: str) -> float:  # noqa: ARG002
        """See :meth:`incr`."""
        raise TypeError(_MOVING_ONLY)

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int | None:
        """Forget everything; returns how many keys there were."""
        with self._lock:
            count = len(self._windows)
            self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one key."""
        with self._lock:
            self._windows.pop(key, None)
