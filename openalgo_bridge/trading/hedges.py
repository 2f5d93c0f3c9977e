"""Whether what an option strategy buys is there, before anything of it is sold.

A broker may take an order and refuse it a moment later, in its book. What is sold then has no hedge, and no end to
its loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import BrokerOrderId, PriceType
from openalgo_bridge.trading.legs import Leg
from openalgo_bridge.trading.sending import Sent

_PAUSE_S = 0.25
_UNFILLED_S = 0.75
"""Of all legs together: a market that fills nothing must not keep the others waiting for long."""

_UNSEEN_S = 3.0
"""The same of what the book does not show yet, at most: without what covers it, all that is to be sold is left out."""

_GONE = {OrderStatus.REJECTED, OrderStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The legs that buy, each with what became of it since it was taken, and whether every one of them is there."""

    legs: tuple[Leg, ...]
    is_whole: bool


def cover(desk: Desk, broker: Broker, bought: Iterable[Leg]) -> Cover:
    """How the broker's book has the legs that buy. What it does not tell is not there; raises nothing."""
    watch = _Watch(desk=desk, broker=broker, unseen=_pauses(_lateness(broker)), unfilled=_pauses(_UNFILLED_S))
    seen = [_seen(watch, leg) for leg in bought]
    return Cover(legs=tuple(leg for leg, _ in seen), is_whole=all(is_there for _, is_there in seen))


def _seen(watch: _Watch, leg: Leg) -> tuple[Leg, bool]:
    """Only a status that says so is a refusal: who hears that nothing was taken sends it again."""
    if not isinstance(leg.result, Sent):
        return leg, False
    order_id = leg.result.broker_order_id
    try:
        there = watch.settled(order_id)
    except BridgeError:
        return leg, False
    if there is None or there.status not in _GONE:
        return leg, there is not None
    if there.filled_quantity:
        return leg, False
    refused = f"The broker took it as order {order_id} and refused it a moment later. {there.rejection_reason}".rstrip()
    return replace(leg, result=None, refusal=refused), False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """The broker's book, and the pauses that are left for all legs together."""

    desk: Desk
    broker: Broker
    unseen: Iterator[int]
    unfilled: Iterator[int]

    def settled(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        """Looked at again for a moment while it does not show yet, and while what is to fill at once has not: until
        then it may still be refused. What works after that is there. Raises a BridgeError.
        """
        there = self.broker.order(order_id)
        while (pauses := self._pauses_for(there)) is not None and next(pauses, None) is not None:
            self.desk.wait(_PAUSE_S)
            there = self.broker.order(order_id)
        return there

    def _pauses_for(self, there: BrokerOrder | None) -> Iterator[int] | None:
        if there is None:
            return self.unseen
        return self.unfilled if _is_about_to_fill(there) else None


def _pauses(seconds: float) -> Iterator[int]:
    return iter(range(ceil(seconds / _PAUSE_S)))


def _lateness(broker: Broker) -> float:
    """How many seconds the broker's book may be late, as far as they are waited for."""
    late = broker.capabilities.reread_after
    return _UNSEEN_S if late is None else min(late, _UNSEEN_S)


def _is_about_to_fill(there: BrokerOrder) -> bool:
    return there.status.is_working and there.request.price_type is PriceType.MARKET
