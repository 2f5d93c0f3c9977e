"""The order book of one trading day, remembered, so that a look at it costs what has changed and not what there is."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from openalgo_bridge.brokers.paper import statements
from openalgo_bridge.brokers.paper.book import PaperBookProtocol
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.paper import PaperOrder


class DayBook:
    """Thread-safe.

    Orders are numbered as they are written, and each change of one has a number of its own that rises over all of them:
    what is read again is what has a higher one than was seen.
    """

    def __init__(self, book: PaperBookProtocol) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._begin: tuple[datetime, int] | None = None
        self._orders: dict[int, BrokerOrder] = {}
        self._revision = 0

    def orders(self, since: datetime) -> list[BrokerOrder]:
        """Those placed at or after ``since``, the begin of a day; newest first. Raises StorageError."""
        with self._lock:
            begin = (since, self._book.begun_after())
            if begin != self._begin:
                self._begin = begin
                self._orders.clear()
                self._revision = 0
            for order in self._changed(since):
                # A number that is known keeps its place, so the newest stays last.
                self._orders[order.number] = statements.broker_order(order)
                self._revision = max(self._revision, order.revision)
            return list(reversed(self._orders.values()))

    def _changed(self, since: datetime) -> Iterable[PaperOrder]:
        if not self._orders:
            return reversed(self._book.orders(since))
        return self._book.orders_changed(self._revision, since)
