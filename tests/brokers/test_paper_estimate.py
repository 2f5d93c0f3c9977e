"""The estimate of a margin is what the order then blocks. SBIN stands at 1000.00."""

from __future__ import annotations

from decimal import Decimal

import pytest

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.order import Action, Product
from tests.brokers.desk import Floor, order

CASES = [
    (product, before, resting, limit, action)
    for product in (Product.MIS, Product.CNC)
    for before in (0, 10, -10)
    for resting in (0, 6)
    for limit in (None, "900.00", "1100.00")
    for action in Action
    # Delivery is never sold short.
    if product is Product.MIS or (before >= 0 and action is Action.BUY)
]


@pytest.mark.parametrize(("product", "before", "resting", "limit", "action"), CASES)
def test_it_is_what_the_order_then_blocks(
    floor: Floor, product: Product, before: int, resting: int, limit: str | None, action: Action
) -> None:
    if before:
        floor.send(order(Action.BUY if before > 0 else Action.SELL, abs(before), product))
    of_position = floor.exchange.funds().used
    if resting:
        floor.send(order(action, resting, product, "900.00" if action is Action.BUY else "1100.00"))
    wanted = order(action, 15, product, limit)
    told, used = floor.exchange.margin(wanted), floor.exchange.funds().used
    is_filled = floor.order(floor.send(wanted)).filled_quantity == 15
    # A fill against the position, which is smaller, ends it, and what that blocked is free.
    freed = of_position if is_filled and before * action.sign < 0 else Decimal(0)
    assert told == floor.exchange.funds().used - used + freed


def test_it_changes_nothing_and_refuses_as_placing_does(floor: Floor) -> None:
    before = floor.exchange.funds()
    assert floor.exchange.margin(order(Action.BUY, 10, Product.MIS)) == Decimal("2000.1")
    assert (floor.exchange.funds(), floor.exchange.order_book()) == (before, [])
    with pytest.raises(Rejected, match="NRML"):
        floor.exchange.margin(order(Action.BUY, 10, Product.NRML))
