"""How long a request waited for a broker: so that the traffic log can say whose time it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import TypeVar

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.trading.budget import WrappedBroker

AnswerT = TypeVar("AnswerT")


class BrokerTime(threading.local):
    """The time that this thread has spent at brokers since :meth:`begin`. One request is one thread's."""

    def __init__(self) -> None:
        self._spent_ns = 0
        self._is_there = False

    def begin(self) -> None:
        """A request begins."""
        self._spent_ns = 0

    @property
    def spent_us(self) -> int:
        """In microseconds."""
        return self._spent_ns // 1000

    def of(self, ask: Callable[[], AnswerT]) -> AnswerT:
        """What ``ask`` answers. A question that a broker asks of another one is part of the first and counts once."""
        if self._is_there:
            return ask()
        self._is_there = True
        began = perf_counter_ns()
        try:
            return ask()
        finally:
            self._spent_ns += perf_counter_ns() - began
            self._is_there = False


class TimedBroker(WrappedBroker):
    """A broker whose every answer is timed. What is read later, out of an answer that comes in parts, is not."""

    def __init__(self, inner: Broker, time: BrokerTime) -> None:
        super().__init__(inner)
        self._time = time

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        return self._time.of(lambda: self._inner.place(permit))

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        self._time.of(lambda: self._inner.modify(permit))

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self._time.of(lambda: self._inner.cancel(permit))

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        return self._time.of(lambda: self._inner.place_gtt(permit))

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        self._time.of(lambda: self._inner.modify_gtt(permit))

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        self._time.of(lambda: self._inner.cancel_gtt(permit))

    def _asked(self, read: Callable[[], AnswerT]) -> AnswerT:
        return self._time.of(read)
