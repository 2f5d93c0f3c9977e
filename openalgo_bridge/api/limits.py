"""How often a caller may call: moving windows, counted per key (contract 1.8, security M7)."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from enum import StrEnum
from typing import Any

from limits import parse_many
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from openalgo_bridge.errors import RateLimited

_MAX_BUCKETS = 1000
_MOVING_ONLY = "this storage keeps moving windows only"


class Bucket(StrEnum):
    """What a call counts against. All order endpoints share one bucket; cancels have their own."""

    ORDERS = "orders"
    CANCELS = "cancels"
    READS = "reads"


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


class Limits:
    """The limits of one API, each bucket counted per caller. All in memory: a restart begins anew.

    The counting is flask-limiter's own engine. Its Flask part looks its rules up again for every request,
    which costs more than everything else a ping does (0.15 ms and more, measured in ``bench/``).
    """

    def __init__(self, *, orders: str, reads: str) -> None:
        self._engine = MovingWindowRateLimiter(LockedMemoryStorage())
        self._items = {
            Bucket.ORDERS: parse_many(orders),
            Bucket.CANCELS: parse_many(orders),
            Bucket.READS: parse_many(reads),
        }

    def count(self, bucket: Bucket, caller: str) -> None:
        """Count one call. Raises RateLimited with the seconds until the next one may come."""
        for item in self._items[bucket]:
            if not self._engine.hit(item, bucket, caller):
                began, _ = self._engine.get_window_stats(item, bucket, caller)
                message = f"Rate limit exceeded: {item}. Is a script calling in a loop?"
                raise RateLimited(message, retry_after=max(1, math.ceil(began - time.time())))
