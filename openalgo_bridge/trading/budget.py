"""How many requests may wait for a broker at once (design 4): the others keep the web server's threads.

A broker that hangs must not take every thread: the kill switch, cancels, the sign-in and the pages still answer.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from decimal import Decimal
from time import monotonic
from typing import TypeVar

from openalgo_bridge.brokers.base import Broker, Capabilities
from openalgo_bridge.errors import BridgeError, Busy, NotAsked, NotSent
from openalgo_bridge.model.books import Bar, BrokerOrder, Depth, Funds, Holding, Position, Quote, Trade
from openalgo_bridge.model.gtt import BrokerGtt
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    Ref,
)
from openalgo_bridge.model.permit import SendPermit

ReadT = TypeVar("ReadT")

KEPT_FOR_CANCELS = 2
"""Of the threads that entries and reads may not take, how many may be inside a cancel or an exit."""

_LEFT_BY_EXITS = 1
"""Of these, how many an exit leaves free: closings that hang must not keep a cancel out."""

_EXITS_WAITING = 2
_PATIENCE_S = 0.5

_QUICK_S = 0.1

_SHARE_OF_ORDERS = 4
"""One place in so many is left free by whatever only reads: charts that load must not keep an order out."""

HISTORIES_AT_ONCE = 2
"""Bars are made and spelled in Python, which does one thing at a time: more at once are no faster, and slow orders."""

_TURN_S = 5.0

_BUSY = "Not sent, busy: too many requests are waiting for the broker. Ask again in a moment."
_CHARTS = "Not asked, busy: too many charts are loading already. Ask again in a moment."


class Budget:
    """``slots`` requests at once, and a few cancels and exits beyond. Thread-safe.

    ``quick_s``: how long anything waits for a place at a broker that answers. A burst of calls is no reason to refuse
    one, and threads that wait no longer than that keep no page waiting. ``turn_s``: how long a history, which has its
    place then, waits for its turn.

    A thread that has a slot has it for everything it does until it gives it back.
    """

    def __init__(self, slots: int, *, quick_s: float = _QUICK_S, turn_s: float = _TURN_S) -> None:
        self._free = slots
        self._left_by_reads = slots // _SHARE_OF_ORDERS
        # One of what reads may take is left to other reads than histories.
        self._histories = threading.BoundedSemaphore(max(1, slots - self._left_by_reads - 1))
        self._turns = threading.BoundedSemaphore(HISTORIES_AT_ONCE)
        self._turn_s = turn_s
        self._quick_s = quick_s
        self._kept = KEPT_FOR_CANCELS
        self._exits_waiting = 0
        self._freed = threading.Condition()
        self._local = threading.local()
        self._moved = monotonic()

    @contextmanager
    def slot(self, *, is_cancel: bool = False, is_exit: bool = False) -> Iterator[None]:
        """A place at the broker for the length of the block. Raises Busy: nothing was sent or read.

        An exit waits for one, half a second at most and before every entry: at a broker that answers, places come
        back sooner; at one that hangs, those who wait must not be many, nor for long. All others wait while places
        come and go, and are refused at once where none has for a tenth of a second.
        """
        if getattr(self._local, "has_slot", False):
            yield
            return
        is_kept = self._take(is_cancel=is_cancel, is_exit=is_exit)
        self._local.has_slot = True
        try:
            yield
        finally:
            self._local.has_slot = False
            self._give_back(is_kept=is_kept)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """For the length of the block this thread only reads: it takes no place of those that are left to orders.

        An order reads too, and must not be refused for what others read: so it is said who only reads.
        """
        was_reading = self._is_reading
        self._local.is_reading = True
        try:
            yield
        finally:
            self._local.is_reading = was_reading

    @contextmanager
    def history(self) -> Iterator[None]:
        """A place for reading and spelling bars, and a turn of those that do so at once. Raises Busy.

        Who waits for its turn has its place already, so that all who wait are counted in one number.
        """
        with (
            _held(self._histories, self._quick_s),
            self.reading(),
            self.slot(),
            _held(self._turns, self._turn_s),
        ):
            yield

    @property
    def _is_reading(self) -> bool:
        return bool(getattr(self._local, "is_reading", False))

    def _take(self, *, is_cancel: bool, is_exit: bool) -> bool:
        """Whether it is one of those kept for cancels and exits."""
        began = monotonic()
        with self._freed:
            is_patient = is_exit and self._exits_waiting < _EXITS_WAITING
            self._exits_waiting += is_exit
            try:
                while (is_kept := self._obtained(is_cancel=is_cancel, is_exit=is_exit)) is None:
                    until = began + _PATIENCE_S if is_patient else min(began, self._moved) + self._quick_s
                    if (left := until - monotonic()) <= 0:
                        raise Busy(_BUSY)
                    self._freed.wait(left)
            finally:
                self._exits_waiting -= is_exit
            self._moved = monotonic()
            return is_kept

    def _obtained(self, *, is_cancel: bool, is_exit: bool) -> bool | None:
        """As :meth:`_take` answers; None where there is no place for this one now. To be called with the lock."""
        is_urgent = is_cancel or is_exit
        left = self._left_by_reads if self._is_reading and not is_urgent else 0
        if self._free > left and (is_urgent or not self._exits_waiting):
            self._free -= 1
            return False
        if is_urgent and self._kept > (0 if is_cancel else _LEFT_BY_EXITS):
            self._kept -= 1
            return True
        return None

    def _give_back(self, *, is_kept: bool) -> None:
        with self._freed:
            if is_kept:
                self._kept += 1
            else:
                self._free += 1
            self._moved = monotonic()
            self._freed.notify_all()


@contextmanager
def _held(permits: threading.Semaphore, patience_s: float) -> Iterator[None]:
    if not permits.acquire(timeout=patience_s):
        raise Busy(_CHARTS)
    try:
        yield
    finally:
        permits.release()


class WrappedBroker(ABC):
    """Another broker, of which every read goes through :meth:`_asked`."""

    def __init__(self, inner: Broker) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        # Whoever has a permit took its place before the claim, in trading/sending.py.
        return self._inner.place(permit)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        self._inner.modify(permit)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self._inner.cancel(permit)

    def check_gtt(self, gtt: GttRequest) -> None:
        self._asked(lambda: self._inner.check_gtt(gtt))

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        return self._inner.place_gtt(permit)

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        self._inner.modify_gtt(permit)

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        self._inner.cancel_gtt(permit)

    def gtt(self, trigger_id: BrokerOrderId) -> BrokerGtt | None:
        return self._asked(lambda: self._inner.gtt(trigger_id))

    def find_gtt(self, tag: Ref) -> BrokerGtt | None:
        return self._asked(lambda: self._inner.find_gtt(tag))

    def gtt_book(self) -> Sequence[BrokerGtt]:
        return self._asked(self._inner.gtt_book)

    def ended_gtts(self, since: datetime) -> Sequence[BrokerGtt]:
        return self._asked(lambda: self._inner.ended_gtts(since))

    def tend(self) -> Sequence[str]:
        # Nothing is asked for, and time goes on whatever a wrapper does to answers.
        return self._inner.tend()

    def check(self, order: OrderRequest) -> None:
        self._asked(lambda: self._inner.check(order))

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        return self._asked(lambda: self._inner.order(order_id))

    def find(self, tag: Ref) -> BrokerOrder | None:
        return self._asked(lambda: self._inner.find(tag))

    def order_book(self) -> Sequence[BrokerOrder]:
        return self._asked(self._inner.order_book)

    def trade_book(self) -> Sequence[Trade]:
        return self._asked(self._inner.trade_book)

    def trades_of(self, day: date) -> Sequence[Trade]:
        return self._asked(lambda: self._inner.trades_of(day))

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

    def quotes(self, instruments: Sequence[Instrument]) -> Sequence[Quote | None]:
        return self._asked(lambda: self._inner.quotes(instruments))

    def depth(self, instrument: Instrument) -> Depth:
        return self._asked(lambda: self._inner.depth(instrument))

    def history(self, instrument: Instrument, interval: Interval, first: date, last: date) -> Iterable[Bar]:
        return self._asked(lambda: self._inner.history(instrument, interval, first, last))

    @abstractmethod
    def _asked(self, read: Callable[[], ReadT]) -> ReadT:
        """What ``read`` returns, as this wrapper allows it."""


class BoundedBroker(WrappedBroker):
    """A broker of which only as many requests at once may ask anything as there are slots.

    A read without a place raises NotAsked, which is a broker's error, so that a page shows what we know ourselves.
    So is whatever an adapter raises while it reads: nobody behind this has to expect more than a BridgeError.
    """

    def __init__(self, inner: Broker, budget: Budget) -> None:
        super().__init__(inner)
        self._budget = budget

    def _asked(self, read: Callable[[], ReadT]) -> ReadT:
        with ExitStack() as held:
            try:
                held.enter_context(self._budget.slot())
            except Busy as busy:
                raise NotAsked("Not asked: too many requests are waiting for the broker.") from busy
            try:
                return read()
            except BridgeError:
                raise
            except BaseException as fault:
                # Listed in tests/test_architecture.py; a panic of a compiled SDK is no Exception. The caller judges
                # what cannot be read: it holds an order, keeps the doors safe, leaves an order in doubt; but it stops
                # no closing and no timer.
                raise NotSent(f"{self.name} could not be read: {type(fault).__name__}.") from fault
