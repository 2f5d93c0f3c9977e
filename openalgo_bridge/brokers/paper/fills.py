"""What an order finds in the market's depth, price by price. Pure; money is in units (``model/paper.py``)."""

from __future__ import annotations

from typing import NamedTuple

from openalgo_bridge.model.books import Depth
from openalgo_bridge.model.order import Action
from openalgo_bridge.model.paper import to_units


class Fill(NamedTuple):
    """So many units at one price."""

    price: int
    quantity: int


def fills(depth: Depth, action: Action, quantity: int, bound: int) -> list[Fill]:
    """What of ``quantity`` the market takes at once at no worse price than ``bound``, the best price first.

    ``bound`` is the limit of an order, or how far its market protection lets it go. What is left over waits: the
    levels that are shown are all that there is at this moment, and none of them is asked for twice in one call.
    """
    levels = depth.asks if action is Action.BUY else depth.bids
    found: list[Fill] = []
    for level in levels:
        price = to_units(level.price)
        taken = min(quantity, level.quantity)
        if not taken or action.sign * (price - bound) > 0:
            break
        found.append(Fill(price, taken))
        quantity -= taken
    return found
