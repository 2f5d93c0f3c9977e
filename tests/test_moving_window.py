"""The moving window under many threads: exactly the limit, never more (security M7)."""

from __future__ import annotations

import sys
import threading

from limits import parse
from limits.strategies import MovingWindowRateLimiter

from openalgo_bridge.moving_window import LockedMemoryStorage


def test_eight_threads_get_exactly_the_limit() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            limiter = MovingWindowRateLimiter(LockedMemoryStorage())
            barrier = threading.Barrier(8)
            let_through: list[bool] = []

            def hit(
                limiter: MovingWindowRateLimiter = limiter,
                barrier: threading.Barrier = barrier,
                passed: list[bool] = let_through,
            ) -> None:
                barrier.wait()
                passed.extend(limiter.hit(parse("10 per minute"), "orders") for _ in range(20))

            threads = [threading.Thread(target=hit) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(let_through) == 10
    finally:
        sys.setswitchinterval(before)


def test_making_the_storage_starts_no_thread() -> None:
    before = threading.active_count()
    LockedMemoryStorage()
    assert threading.active_count() == before


def test_buckets_do_not_grow_without_end() -> None:
    storage = LockedMemoryStorage()
    for number in range(3000):
        storage.acquire_entry(str(number), 10, 60)
    assert storage.reset() == 1000
