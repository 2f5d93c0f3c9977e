"""How often a caller may call: moving windows, counted per key (contract 1.8, security M7)."""

from __future__ import annotations

import math
import time
from enum import StrEnum

from limits import parse_many
from limits.strategies import MovingWindowRateLimiter

from openalgo_bridge.errors import RateLimited
from openalgo_bridge.moving_window import LockedMemoryStorage


class Bucket(StrEnum):
    """What a call counts against. All order endpoints share one bucket; cancels and closings have their own."""

    ORDERS = "orders"
    CANCELS = "cancels"
    CLOSINGS = "closings"
    READS = "reads"


class Limits:
    """The limits of one API, each bucket counted per caller. All in memory: a restart begins anew.

    The counting is flask-limiter's own engine. Its Flask part, which the pages use, looks its rules up again for
    every request; that costs more than everything else a ping does (0.15 ms and more, measured in ``bench/``).
    """

    def __init__(self, *, orders: str, reads: str) -> None:
        self._engine = MovingWindowRateLimiter(LockedMemoryStorage())
        self._items = {
            Bucket.ORDERS: parse_many(orders),
            Bucket.CANCELS: parse_many(orders),
            Bucket.CLOSINGS: parse_many(orders),
            Bucket.READS: parse_many(reads),
        }

    def count(self, bucket: Bucket, caller: str) -> None:
        """Count one call. Raises RateLimited with the seconds until the next one may come."""
        for item in self._items[bucket]:
            if not self._engine.hit(item, bucket, caller):
                free_at, _ = self._engine.get_window_stats(item, bucket, caller)
                message = f"Rate limit exceeded: {item}. Is a script calling in a loop?"
                raise RateLimited(message, retry_after=max(1, math.ceil(free_at - time.time())))
