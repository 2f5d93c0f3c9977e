"""What a broker would block for orders that might be placed. Nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, NotFound, Rejected, Unsupported
from openalgo_bridge.model.order import OrderRequest
from openalgo_bridge.trading import validation
from openalgo_bridge.trading.books import connected


def margin(desk: Desk, orders: Sequence[OrderRequest]) -> Decimal:
    """Rupees for all of them, each as if it were the only one.

    Raises Invalid naming every fault of every order, Rejected with the place (from 1) of the one the broker would not
    take, NotFound where this broker cannot say, and a BrokerError.
    """
    _check(desk, orders)
    broker = connected(desk).broker
    total = Decimal(0)
    for number, order in enumerate(orders, 1):
        try:
            total += broker.margin(order)
        except Unsupported as fault:
            raise NotFound(f"Margin calculation not supported for broker: {broker.name}") from fault
        except Rejected as refusal:
            raise Rejected(f"Position {number}: {refusal.message}") from refusal
    return total


def _check(desk: Desk, orders: Sequence[OrderRequest]) -> None:
    faults: dict[str, list[str]] = {}
    for index, order in enumerate(orders):
        try:
            validation.check(desk, order)
        except Invalid as fault:
            faults |= {f"positions[{index}].{field}": texts for field, texts in fault.faults.items()}
    if faults:
        raise Invalid.of(faults)
