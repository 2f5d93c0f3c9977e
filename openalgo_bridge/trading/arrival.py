"""What the orders of a ticket of several are when they come: their prices, and whether they close positions.

Noted while the ticket waits, so that an approval finds what moved since, as it does of one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import Holding, Position
from openalgo_bridge.model.legs import Arrival, side_of, sides
from openalgo_bridge.model.order import Exchange, OrderRequest

Prices = Mapping[tuple[Exchange, str], Decimal]
"""The last prices in rupees, by exchange and symbol; those that are not known are missing."""


def arrivals(
    desk: Desk, broker: Broker, orders: Sequence[OrderRequest], positions: Sequence[Position | Holding]
) -> tuple[Arrival, ...]:
    """One for each of ``orders``. All of a side of a position are exits, or none is: together they would go past flat.

    Without ``positions`` none is known to be one. Prices are for comparison, and may be missing; raises nothing.
    """
    closing = {side_of(side) for side in sides(orders) if exits.effect(side, positions).is_exit}
    prices = known_prices(desk, broker, orders)
    return tuple(
        Arrival(price=prices.get((order.exchange, order.symbol)), is_exit=side_of(order) in closing) for order in orders
    )


def known_prices(desk: Desk, broker: Broker, orders: Sequence[OrderRequest]) -> Prices:
    """By one question to the broker; raises nothing."""
    named = {(order.exchange, order.symbol) for order in orders}
    found = [each for name in sorted(named) if (each := desk.store.instruments.find(*name)) is not None]
    try:
        quotes = broker.quotes(found)
    except BridgeError:
        return {}
    pairs = zip(found, quotes, strict=True)
    return {(each.exchange, each.symbol): quote.ltp for each, quote in pairs if quote is not None}
