"""One turn at a time for each position: what reads a position and then sends must not do so twice at once."""

from __future__ import annotations

import threading

from openalgo_bridge.model.order import Exchange, Product, TradingMode

_Position = tuple[TradingMode, Exchange, str, Product]


class Turns:
    """A lock for each position that was asked for. Thread-safe; there are as many as the trader has positions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[_Position, threading.Lock] = {}

    def of(self, position: _Position) -> threading.Lock:
        """The lock of one position."""
        with self._lock:
            return self._of.setdefault(position, threading.Lock())
