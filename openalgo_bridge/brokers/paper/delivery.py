"""Shares that are delivered, and sold again: between the CNC position and what is held. Pure.

A sale takes what was bought today first, then what is held, and lowers that at once. Its profit is booked with the
position, which never falls below 0: nothing that is sold for delivery is borrowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from openalgo_bridge.brokers.paper import matching
from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.brokers.paper.matching import Effect
from openalgo_bridge.model.order import Action, OrderRequest, Product
from openalgo_bridge.model.paper import PaperHolding, PaperPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What a sale leaves: the position and what it booked, and the holding."""

    effect: Effect
    holding: PaperHolding


def is_sale(request: OrderRequest) -> bool:
    """Whether an order sells shares that were bought for delivery."""
    return request.product is Product.CNC and request.action is Action.SELL


def delivered(position: PaperPosition, before: PaperHolding | None) -> tuple[PaperHolding, PaperHolding]:
    """The holding before and after the shares of a position are delivered, with what they cost, to the unit."""
    held = before or PaperHolding(symbol=position.symbol, exchange=position.exchange)
    return held, replace(held, quantity=held.quantity + position.quantity, cost=held.cost + position.cost)


def sale(
    position: PaperPosition, holding: PaperHolding, request: OrderRequest, fills: Iterable[Fill], today: date
) -> Sale:
    """What these fills of a sale do. Whoever calls has seen that there are so many shares."""
    sold = Sale(effect=Effect(position=position, gain=0, margin=0, released=0), holding=holding)
    for fill in fills:
        sold = _further(sold, request, fill, today)
    return sold


def _further(sold: Sale, request: OrderRequest, fill: Fill, today: date) -> Sale:
    of_position = min(fill.quantity, sold.effect.position.quantity)
    one = matching.effect(sold.effect.position, request, Fill(fill.price, of_position), today)
    held, of_holding = sold.holding, fill.quantity - of_position
    cost = matching.share(held.cost, of_holding, held.quantity)
    gain = of_holding * fill.price - cost
    position = matching.booked(one.position, gain, today) if of_holding else one.position
    return Sale(
        effect=Effect(
            position=position,
            gain=sold.effect.gain + one.gain + gain,
            margin=0,
            released=sold.effect.released + one.released,
        ),
        holding=replace(held, quantity=held.quantity - of_holding, cost=held.cost - cost),
    )
