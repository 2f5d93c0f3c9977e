"""The order book of one trading day, remembered, so that a look at it costs what has changed and not what there is."""

from __future__ import annotations

import threading
from datetime import datetime

from openalgo_bridge.brokers.paper import statements
from openalgo_bridge.brokers.paper.book import PaperBookProtocol
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.paper import PaperOrder


class DayBook:
    """Thread-safe.

    An order that has ended never changes, and orders are numbered as they are written. So what is read again are those
    after the last number that was seen, and those that could still change then.
    """

    def __init__(self, book: PaperBookProtocol) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._orders: dict[int, BrokerOrder] = {}
        self._working: set[int] = set()

    def orders(self, since: datetime) -> list[BrokerOrder]:
        """Those placed at or after ``since``, the begin of a day; newest first. Raises StorageError."""
        with self._lock:
            if since != self._since:
                self._since = since
                self._orders.clear()
                self._working.clear()
            for order in self._changed(since):
                self._remember(order)
            return list(reversed(self._orders.values()))

    def _changed(self, since: datetime) -> list[PaperOrder]:
        if not self._orders:
            return list(reversed(self._book.orders(since)))
        newest = next(reversed(self._orders))
        return list(self._book.orders_after(newest, or_among=self._working))

    def _remember(self, order: PaperOrder) -> None:
        # A number that is known keeps its place, so the newest stays last.
        self._orders[order.number] = statements.broker_order(order)
        if order.status.is_working:
            self._working.add(order.number)
        else:
            self._working.discard(order.number)
