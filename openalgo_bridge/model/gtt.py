"""Orders that wait for their price over days, as a broker keeps them, and when one is reached. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from openalgo_bridge.model.exits import is_on_same_side
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    GttLeg,
    GttRequest,
    OrderRequest,
    PriceType,
    Product,
    Ref,
    TriggerSide,
)

NO_PRICE = Decimal(0)
"""Of an order at market."""

LONGEST_LIFE = timedelta(days=365)
"""After which an exchange's member lets one lapse."""


class GttState(StrEnum):
    """``TRIGGERED``: its order was placed. ``REJECTED``: the price came, and that order was refused."""

    ACTIVE = "active"
    TRIGGERED = "triggered"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerGtt:
    """One GTT as its broker has it. ``tag`` is our reference, empty where the broker keeps none.

    ``blocked`` is what is set aside for it, in rupees; ``fired`` the order that it placed; ``reason`` says why it
    ended, where that needs saying.
    """

    id: BrokerOrderId
    tag: Ref
    request: GttRequest
    state: GttState
    last_price: Decimal
    blocked: Decimal
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None
    fired: BrokerOrderId | None = None
    reason: str = ""


def is_reached(leg: GttLeg, low: Decimal, high: Decimal) -> bool:
    """Whether the price came to the trigger of ``leg`` while it moved between ``low`` and ``high`` (rupees)."""
    return low <= leg.trigger_price if leg.side is TriggerSide.STOPLOSS else high >= leg.trigger_price


def orders_of(gtt: GttRequest) -> tuple[OrderRequest, ...]:
    """What each leg would place; of two at most one ever is."""
    return tuple(gtt.order(leg) for leg in gtt.legs)


def waiting_beside(book: Iterable[BrokerGtt], order: OrderRequest, replaced: BrokerOrderId | None = None) -> int:
    """How many units wait for their price on the side of ``order`` in its position, ``replaced`` left out."""
    return sum(
        each.request.quantity
        for each in book
        if each.state is GttState.ACTIVE and each.id != replaced and is_on_same_side(orders_of(each.request)[0], order)
    )


def identity(gtt: GttRequest) -> tuple[str, ...]:
    """What a change may not touch: another position, side or number of triggers is another GTT."""
    return (gtt.action, gtt.symbol, gtt.exchange, gtt.product, *(each.side for each in _by_side(gtt)))


def terms(gtt: GttRequest) -> tuple[object, ...]:
    """What a change may touch."""
    return (gtt.quantity, gtt.price_type, *((each.trigger_price, each.price) for each in _by_side(gtt)))


def signal(gtt: GttRequest) -> str:
    """What it asks for, as a digest: two that ask for the same have the same, however they spell it."""
    prices = (f"{price.normalize():f}" for each in _by_side(gtt) for price in (each.trigger_price, each.price))
    asked = ("gtt", *identity(gtt), str(gtt.quantity), gtt.price_type, *prices)
    return hashlib.sha256("|".join(asked).encode()).hexdigest()


def from_fields(fields: Mapping[str, Any]) -> GttRequest:
    """The request that the journal kept. Indexes directly: a wrong row must fail loudly."""
    return GttRequest(
        symbol=fields["symbol"],
        exchange=Exchange(fields["exchange"]),
        action=Action(fields["action"]),
        quantity=int(fields["quantity"]),
        price_type=PriceType(fields["price_type"]),
        product=Product(fields["product"]),
        legs=tuple(
            GttLeg(
                side=TriggerSide(leg["side"]),
                trigger_price=Decimal(leg["trigger_price"]),
                price=Decimal(leg["price"]),
            )
            for leg in fields["legs"]
        ),
        expires_at=None if fields["expires_at"] is None else datetime.fromisoformat(fields["expires_at"]),
    )


def _by_side(gtt: GttRequest) -> list[GttLeg]:
    return sorted(gtt.legs, key=lambda leg: leg.side)
