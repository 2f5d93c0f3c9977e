"""The traffic log's own thread: it counts calls, writes what they are found by, and takes the old ones away.

What it does waits for nobody and nobody waits for it: every step holds the file for a few milliseconds and is followed
by a pause, in which the calls that came meanwhile are written.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.traffic import Call
from openalgo_bridge.store.traffic_retention import Keep

INTERVAL_S = 2.0
"""Seconds between two rounds, where there is no more to do than one round does."""

DEFAULT_KEEP = Keep(days=30, megabytes=500)

_PAUSE_S = 0.01
_PRUNED_EVERY_S = 60.0
_TAKEN_AT_ONCE = 100
_STEPS_A_ROUND = 100
_log = logging.getLogger(__name__)

Watcher = Callable[[Sequence[Call]], None]


class TrafficUpkeep:
    """One daemon thread, owned by whoever serves. ``watchers`` are told of calls that are over, in that thread."""

    def __init__(
        self, store: Store, clock: Clock, watchers: Sequence[Watcher] = (), *, keep: Keep = DEFAULT_KEEP
    ) -> None:
        self._store = store
        self._clock = clock
        self._watchers = watchers
        self._keep = keep
        self._pruned_at: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """From now on, once at once and then every two seconds."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End it; False when it is still at work, which ends with the process."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def round(self) -> bool:
        """What is due now; True where there is more. A fault is logged, and it is tried again next time."""
        has_more = False
        for part in (self._write_errors, self._close_late, self._take, self._index, self._prune):
            has_more |= self._attempt(part)
        return has_more

    def _run(self) -> None:
        while not self._stopping.is_set():
            has_more = self.round()
            self._stopping.wait(_PAUSE_S if has_more else INTERVAL_S)
        # At the next start nobody would know any more how these calls ended.
        self._attempt(self._close_late)

    def _attempt(self, part: Callable[[], bool]) -> bool:
        try:
            return part()
        except StorageError:
            _log.exception("the upkeep of the traffic log could not do all of its round")
            return False

    def _write_errors(self) -> bool:
        self._store.faults.write_down()
        return False

    def _close_late(self) -> bool:
        self._store.traffic.close_late()
        return False

    def _take(self) -> bool:
        for _ in self._steps(range(_STEPS_A_ROUND)):
            calls = self._store.traffic_digest.take(_TAKEN_AT_ONCE)
            if calls:
                for watch in self._watchers:
                    watch(calls)
            if not self._store.traffic_digest.is_behind():
                return False
        return True

    def _index(self) -> bool:
        steps = 0
        for _ in self._steps(self._store.traffic_index.build()):
            steps += 1
        return steps > 0

    def _prune(self) -> bool:
        now = self._clock.monotonic()
        if self._pruned_at is not None and now - self._pruned_at < _PRUNED_EVERY_S:
            return False
        for _ in self._steps(range(_STEPS_A_ROUND)):
            if not self._store.traffic_retention.step(self._keep):
                self._pruned_at = now
                return False
        return True

    def _steps(self, steps: Iterable[object]) -> Iterable[object]:
        """Each of the steps, with a pause behind it, until the bridge stops."""
        for step in steps:
            if self._stopping.is_set():
                return
            yield step
            self._stopping.wait(_PAUSE_S)
