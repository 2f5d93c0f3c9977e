"""The orders of a ticket of several: which of them are one to a limit, and what each was when it came. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from openalgo_bridge.model.order import Action, Exchange, LegsKind, LegsRequest, OrderRequest, Product

Side = tuple[Exchange, str, Product, Action]
"""One side of one position: orders that share it add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one order was when it came: the last ``price`` in rupees, None where none was known, and whether it went
    against its position and, with the others of its ticket on that side, not past it.
    """

    price: Decimal | None = None
    is_exit: bool = False


UNKNOWN = Arrival()
"""That of an order of which nothing was noted."""


def arrivals_to_json(arrivals: Iterable[Arrival]) -> str:
    """As the journal keeps them; empty where there are none."""
    told = [["" if each.price is None else str(each.price), each.is_exit] for each in arrivals]
    return json.dumps(told, separators=(",", ":")) if told else ""


def arrivals_from_json(text: str) -> tuple[Arrival, ...]:
    """The inverse of :func:`arrivals_to_json`. Unpacks: a wrong row must fail loudly."""
    told = json.loads(text) if text else []
    return tuple(Arrival(price=Decimal(price) if price else None, is_exit=bool(closes)) for price, closes in told)


def wholes(request: LegsRequest) -> tuple[OrderRequest, ...]:
    """What a limit of one order is about: the slices of a split are one order to whoever asked for them, those of a
    basket are as many as it names.
    """
    if request.kind is LegsKind.BASKET:
        return request.orders
    return _together(request.orders, lambda order: replace(order, quantity=0, disclosed_quantity=0))


def sides(orders: Iterable[OrderRequest]) -> tuple[OrderRequest, ...]:
    """One order for each side of each position, of the quantity of all on it. Only side and quantity mean anything."""
    return _together(orders, side_of)


def side_of(order: OrderRequest) -> Side:
    """See :data:`Side`."""
    return (order.exchange, order.symbol, order.product, order.action)


def _together(orders: Iterable[OrderRequest], key_of: Callable[[OrderRequest], Hashable]) -> tuple[OrderRequest, ...]:
    found: dict[Hashable, OrderRequest] = {}
    for order in orders:
        key = key_of(order)
        former = found.get(key)
        quantity = order.quantity if former is None else former.quantity + order.quantity
        found[key] = replace(former or order, quantity=quantity)
    return tuple(found.values())
