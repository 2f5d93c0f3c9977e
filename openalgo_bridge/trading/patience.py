"""What a page asks each broker, all of it within one second: a person must not wait for a broker that is slow.

A broker is asked in a thread of its own. When its time is over, the page goes without the answer and says so; the
thread waits on, and the answer is lost. Each broker has few such threads and its own second, so one that hangs takes
neither from the page nor from the other broker more than these.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import Clock
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, NotAsked, NotSent
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.trading.budget import BoundedBroker, Budget, WrappedBroker

ReadT = TypeVar("ReadT")

_PATIENCE_S = 1.0
_SLOW = "Not known: the broker is slow to answer. Load this page again."


class Readers:
    """A few threads that ask brokers. They end with the process: nothing of them needs to be finished."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._open = 0

    def ask(self, read: Callable[[], ReadT], timeout: float) -> ReadT:
        """What ``read`` returns. Raises NotAsked after ``timeout`` seconds, and the BridgeError of ``read``."""
        answer: Future[ReadT] = Future()
        with self._lock:
            self._open += 1
            if self._open > self._threads and self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name="reader", daemon=True).start()
        self._waiting.put((answer, read))
        try:
            return answer.result(timeout)
        except TimeoutError as late:
            answer.cancel()  # Where nobody has begun with it, nobody will.
            raise NotAsked(_SLOW) from late

    def _work(self) -> None:
        while True:
            answer, read = self._waiting.get()
            try:
                if answer.set_running_or_notify_cancel():
                    answer.set_result(read())
            except BridgeError as fault:
                answer.set_exception(fault)
            finally:
                with self._lock:
                    self._open -= 1


_MOST = 8
_READERS = {mode: Readers(_MOST) for mode in TradingMode}
# For the process: each thread keeps a connection to every database that it has read.


def reading(desk: Desk) -> Desk:
    """The same desk for one page that only looks: what a broker does not say within a second is not asked."""
    patient = {
        mode: _Patient(BoundedBroker(broker, Budget(_MOST)), desk.clock, _READERS[mode])
        for mode, broker in desk.brokers.items()
    }
    return replace(desk, brokers=patient)


class _Patient(WrappedBroker):
    """A broker that is only read, and for a second from the first question on."""

    def __init__(self, inner: Broker, clock: Clock, readers: Readers) -> None:
        super().__init__(inner)
        self._clock = clock
        self._readers = readers
        self._until: float | None = None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        raise _not_sent(permit)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        raise _not_sent(permit)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        raise _not_sent(permit)

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        raise _not_sent(permit)

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        raise _not_sent(permit)

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        raise _not_sent(permit)

    def _asked(self, read: Callable[[], ReadT]) -> ReadT:
        now = self._clock.monotonic()
        if self._until is None:
            self._until = now + _PATIENCE_S
        return self._readers.ask(read, max(0.0, self._until - now))


def _not_sent(permit: SendPermit[Any]) -> NotSent:
    return NotSent(f"Order {permit.ref} was not sent: a page that only looks sends nothing.")
