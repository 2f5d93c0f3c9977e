"""What the books of the paper exchange hold. Money is whole ten-thousandths of a rupee ("units").

Whole numbers, because a currency tick is 0.0025 rupee and because nothing may be lost to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Exchange, OrderRequest, Product, Ref

UNITS_PER_RUPEE = 10_000


def to_units(rupees: Decimal) -> int:
    """Units of an amount; what is finer than a unit is cut off."""
    return int(rupees * UNITS_PER_RUPEE)


def to_rupees(units: int) -> Decimal:
    """Rupees of an amount, exactly."""
    return Decimal(units) / UNITS_PER_RUPEE


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOrder:
    """One order. ``number`` is 0 until it is in the book.

    ``blocked`` is the money set aside for it while it rests, ``average_price`` what it filled at.
    """

    number: int = 0
    tag: Ref
    request: OrderRequest
    status: OrderStatus = OrderStatus.OPEN
    filled_quantity: int = 0
    average_price: int = 0
    blocked: int = 0
    rejection_reason: str = ""
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """The one fill of an order. ``order`` is as it stands now."""

    number: int
    order: PaperOrder
    quantity: int
    price: int
    traded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPosition:
    """The net of one symbol and product.

    ``cost`` is the exact sum paid for the open quantity, negative for a short one; ``blocked`` the money set
    aside for it. ``realised`` is the profit booked on the trading day ``realised_on``.
    """

    symbol: str
    exchange: Exchange
    product: Product
    quantity: int = 0
    cost: int = 0
    blocked: int = 0
    realised: int = 0
    realised_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperMoney:
    """The account. ``realised`` is all profit ever booked, ``blocked`` is for orders and positions together."""

    capital: int
    realised: int
    blocked: int

    @property
    def available(self) -> int:
        """What a further order may use. Below 0 after losses that are larger than what was left."""
        return self.capital + self.realised - self.blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    """Money and positions of one moment."""

    money: PaperMoney
    positions: tuple[PaperPosition, ...]
