"""A closing on its way: first what works on the closing side of a position is withdrawn, then the position is closed.

A broker may make a withdrawal a moment after it took it, or refuse one because it makes an earlier one just then. Such
a position is looked at again for a few seconds, while the others are closed: a closing order beside a stop that still
works would be none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import Position
from openalgo_bridge.model.order import BrokerOrderId, BrokerRequest, CancelRequest, OrderRequest
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.legs import Leg, attempt

PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds between two looks at what was withdrawn and still works."""

_BARE = "Its stop or target is withdrawn and the position is OPEN: look at it now."
_LATE = "The withdrawal of its stop or target was sent and does not show yet, and the position is OPEN: look at it now."


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """Of one position: what is withdrawn first, and the orders that close it, several of a large one."""

    withdrawals: tuple[CancelRequest, ...]
    orders: tuple[OrderRequest, ...]


def messages_of(ways: Sequence[WayOut]) -> list[BrokerRequest]:
    """First all withdrawals, then the closing orders."""
    withdrawals = [each for way in ways for each in way.withdrawals]
    return [*withdrawals, *(each for way in ways for each in way.orders)]


@dataclass(slots=True, kw_only=True)
class _Planned:
    """One way out, and its messages in the journal. ``is_begun``: one of its withdrawals was sent."""

    way: WayOut
    withdrawals: list[JournalOrder]
    orders: list[JournalOrder]
    is_begun: bool = False

    @property
    def beside(self) -> set[BrokerOrderId]:
        """What must work no more before it can be closed."""
        return {each.broker_order_id for each in self.way.withdrawals}

    def is_flat(self, positions: Sequence[Position]) -> bool:
        """Whether there is nothing to close any more: what was to be withdrawn filled before."""
        order = self.way.orders[0]
        return not exits.reducible(exits.net(positions, order), order.action)


class Unwinding:
    """One ticket that closes positions. For one thread."""

    def __init__(
        self, desk: Desk, broker: Broker, ticket: Ticket, ways: Sequence[WayOut], planned: Iterable[JournalOrder]
    ) -> None:
        """``planned`` are the messages of ``ways`` as the journal has them, in the order of :func:`messages_of`."""
        self._desk, self._broker, self._ticket = desk, broker, ticket
        self._legs: list[Leg] = []
        rows = iter(planned)
        withdrawals = [list(islice(rows, len(way.withdrawals))) for way in ways]
        orders = [list(islice(rows, len(way.orders))) for way in ways]
        self._waiting = [
            _Planned(way=way, withdrawals=first, orders=then)
            for way, first, then in zip(ways, withdrawals, orders, strict=True)
        ]

    def begin(self) -> None:
        """Withdraw, and close every position whose withdrawals are made at once. Whoever calls has a place."""
        for way in self._waiting:
            for order in way.withdrawals:
                if not self._attempt(way, order).was_dropped:
                    way.is_begun = True
        self._look()

    def finish(self) -> tuple[Leg, ...]:
        """Close the others when their withdrawals are made. Nobody's place at the broker is held while this waits."""
        for pause in PAUSES_S:
            if not self._waiting:
                break
            self._desk.wait(pause)
            with suppress(Busy), self._desk.budget.slot(is_exit=True):
                self._look()
        for way in self._waiting:
            self._close(way, _LATE)
        return tuple(self._legs)

    def _look(self) -> None:
        working, positions = self._books()
        for way in [each for each in self._waiting if not each.is_begun or each.beside.isdisjoint(working)]:
            self._waiting.remove(way)
            self._close(way, _BARE if way.is_begun and not way.is_flat(positions) else "")

    def _books(self) -> tuple[Collection[BrokerOrderId], Sequence[Position]]:
        """What works, then the positions. Where nobody can tell, what was to be withdrawn counts as working."""
        beside = {order_id for way in self._waiting if way.is_begun for order_id in way.beside}
        if not beside:
            return (), ()
        try:
            working = {each.id for each in self._broker.order_book() if each.status.is_working}
            return working, self._broker.positions()
        except BridgeError:
            return beside, ()

    def _close(self, way: _Planned, if_not_sent: str) -> None:
        for order in way.orders:
            self._attempt(way, order, if_not_sent)

    def _attempt(self, way: _Planned, order: JournalOrder, if_not_sent: str = "") -> Leg:
        follows = [each.id for each in way.withdrawals]
        leg = attempt(self._desk, self._broker, self._ticket, order, follows=follows, if_not_sent=if_not_sent)
        self._legs.append(leg)
        return leg
