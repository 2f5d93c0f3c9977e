"""How many requests may wait for a broker at once (design 4): the others keep the web server's threads.

A broker that hangs must not take every thread: the kill switch, cancels, the sign-in and the pages still answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import TypeVar

from openalgo_bridge.brokers.base import Broker, Capabilities
from openalgo_bridge.errors import Busy, NotAsked
from openalgo_bridge.model.books import BrokerOrder, Funds, Holding, Position, Quote, Trade
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import BrokerOrderId, CancelRequest, ModifyRequest, OrderRequest, Ref
from openalgo_bridge.model.permit import SendPermit

ReadT = TypeVar("ReadT")

KEPT_FOR_CANCELS = 2
"""Of the threads that orders and reads may not take, how many may be inside a cancel."""

_BUSY = "Not sent, busy: too many requests are waiting for the broker. Ask again in a moment."


class Budget:
    """``slots`` requests at once, and a few cancels beyond. Thread-safe.

    A thread that has a slot has it for everything it does until it gives it back.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._kept = KEPT_FOR_CANCELS
        self._lock = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def slot(self, *, is_cancel: bool = False) -> Iterator[None]:
        """A place at the broker for the length of the block. Never waits. Raises Busy: nothing was sent or read."""
        if getattr(self._local, "has_slot", False):
            yield
            return
        is_kept = self._take(is_cancel=is_cancel)
        self._local.has_slot = True
        try:
            yield
        finally:
            self._local.has_slot = False
            self._give_back(is_kept=is_kept)

    def _take(self, *, is_cancel: bool) -> bool:
        """Whether it is one of those kept for cancels."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return False
            if is_cancel and self._kept > 0:
                self._kept -= 1
                return True
        raise Busy(_BUSY)

    def _give_back(self, *, is_kept: bool) -> None:
        with self._lock:
            if is_kept:
                self._kept += 1
            else:
                self._free += 1


class BoundedBroker:
    """A broker of which only as many requests at once may ask anything as there are slots.

    A read without a place raises NotAsked, which is a broker's error, so that a page shows what we know ourselves.
    """

    def __init__(self, inner: Broker, budget: Budget) -> None:
        self._inner = inner
        self._budget = budget

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def check(self, order: OrderRequest) -> None:
        self._asked(lambda: self._inner.check(order))

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        # Whoever has a permit took its place before the claim, in trading/sending.py.
        return self._inner.place(permit)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        self._inner.modify(permit)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self._inner.cancel(permit)

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        return self._asked(lambda: self._inner.order(order_id))

    def find(self, tag: Ref) -> BrokerOrder | None:
        return self._asked(lambda: self._inner.find(tag))

    def order_book(self) -> Sequence[BrokerOrder]:
        return self._asked(self._inner.order_book)

    def trade_book(self) -> Sequence[Trade]:
        return self._asked(self._inner.trade_book)

    def positions(self) -> Sequence[Position]:
        return self._asked(self._inner.positions)

    def holdings(self) -> Sequence[Holding]:
        return self._asked(self._inner.holdings)

    def funds(self) -> Funds:
        return self._asked(self._inner.funds)

    def margin(self, order: OrderRequest) -> Decimal:
        return self._asked(lambda: self._inner.margin(order))

    def quote(self, instrument: Instrument) -> Quote:
        return self._asked(lambda: self._inner.quote(instrument))

    def _asked(self, read: Callable[[], ReadT]) -> ReadT:
        with ExitStack() as held:
            try:
                held.enter_context(self._budget.slot())
            except Busy as busy:
                raise NotAsked("Not asked: too many requests are waiting for the broker.") from busy
            return read()
