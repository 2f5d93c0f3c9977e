"""Whether what an option strategy buys is there, before anything of it is sold.

A broker may take an order and refuse it a moment later, in its book. What is sold then has no hedge, and no end to
its loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import BrokerOrderId, PriceType
from openalgo_bridge.trading.legs import Leg
from openalgo_bridge.trading.sending import Sent

_PAUSES = 3
_PAUSE_S = 0.25
"""Of all legs together: a market that fills nothing must not keep the others waiting for long."""

_GONE = {OrderStatus.REJECTED, OrderStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The legs that buy, each with what became of it since it was taken, and whether every one of them is there."""

    legs: tuple[Leg, ...]
    is_whole: bool


def cover(desk: Desk, broker: Broker, bought: Iterable[Leg]) -> Cover:
    """How the broker's book has the legs that buy. What it does not tell is not there; raises nothing."""
    pauses = iter(range(_PAUSES))
    seen = [_seen(desk, broker, leg, pauses) for leg in bought]
    return Cover(legs=tuple(leg for leg, _ in seen), is_whole=all(is_there for _, is_there in seen))


def _seen(desk: Desk, broker: Broker, leg: Leg, pauses: Iterator[int]) -> tuple[Leg, bool]:
    if not isinstance(leg.result, Sent):
        return leg, False
    order_id = leg.result.broker_order_id
    try:
        there = _settled(desk, broker, order_id, pauses)
    except BridgeError:
        return leg, False
    if there is not None and there.status not in _GONE:
        return leg, True
    if there is not None and there.filled_quantity:
        return leg, False
    why = "" if there is None else there.rejection_reason
    refused = f"The broker took it as order {order_id} and refused it a moment later. {why}".rstrip()
    return replace(leg, result=None, refusal=refused), False


def _settled(desk: Desk, broker: Broker, order_id: BrokerOrderId, pauses: Iterator[int]) -> BrokerOrder | None:
    """Looked at again for a moment while what is to fill at once has not: until then it may still be refused. What
    works after that is there. Raises a BridgeError.
    """
    there = broker.order(order_id)
    while there is not None and _is_about_to_fill(there) and next(pauses, None) is not None:
        desk.wait(_PAUSE_S)
        there = broker.order(order_id)
    return there


def _is_about_to_fill(there: BrokerOrder) -> bool:
    return there.status.is_working and there.request.price_type is PriceType.MARKET
