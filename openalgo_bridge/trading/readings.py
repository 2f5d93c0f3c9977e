"""What the last proofs of an exit read, in memory: enough to notice a position book that is behind its order book."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.order import OrderRequest, PositionKey, TradingMode

_REMEMBERED = 500

_Position = tuple[TradingMode, PositionKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A signed net, the signed fills that the order book of that moment showed, and the moment in seconds."""

    net: int
    filled: int
    at: float


class Readings:
    """Thread-safe. ``now`` is a monotonic time in seconds.

    Within a day the net of a position moves by the fills of the order book and by nothing else, so of two readings the
    second can be told from the first. Where it is another one, one of the two books is behind.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[_Position, _Reading] = {}

    def expected(
        self, order: OrderRequest, mode: TradingMode, book: Iterable[BrokerOrder], net: int, *, now: float, lag: float
    ) -> int:
        """The signed net to which the fills of ``book`` lead from the last reading; ``net``, which was just read, when
        there is none, or it is older than ``lag`` seconds. What is expected is kept as long as ``net`` is another one.
        """
        position = (mode, position_of(order))
        filled = exits.filled(book, order)
        with self._lock:
            last = self._last.get(position)
            expected = net if last is None or now - last.at >= lag else last.net + filled - last.filled
            if expected == net:
                self._remember(position, _Reading(net=net, filled=filled, at=now))
            return expected

    def _remember(self, position: _Position, reading: _Reading) -> None:
        self._last.pop(position, None)
        self._last[position] = reading
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]  # the one that was read longest ago
