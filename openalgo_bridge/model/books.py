"""What a broker tells us: orders, trades, positions, holdings, funds, quotes, depth, bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, Product, Ref


class OrderStatus(StrEnum):
    """The broker's word for an order, as the dialect spells it (contract 1.6)."""

    OPEN = "open"
    TRIGGER_PENDING = "trigger pending"
    COMPLETE = "complete"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def is_working(self) -> bool:
        """True while the order can still fill, be modified or be cancelled."""
        return self in {OrderStatus.OPEN, OrderStatus.TRIGGER_PENDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """One row of the order book. ``tag`` is our reference, empty where the order was not ours."""

    id: BrokerOrderId
    tag: Ref
    request: OrderRequest
    status: OrderStatus
    filled_quantity: int
    average_price: Decimal
    placed_at: datetime
    rejection_reason: str = ""

    @property
    def pending_quantity(self) -> int:
        """Units that can still fill."""
        return self.request.quantity - self.filled_quantity if self.status.is_working else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One fill. Each unit of it counts ``multiplier`` times."""

    id: str
    order_id: BrokerOrderId
    symbol: str
    exchange: Exchange
    product: Product
    action: Action
    quantity: int
    price: Decimal
    traded_at: datetime
    multiplier: int = 1

    @property
    def value(self) -> Decimal:
        """What was traded, in rupees."""
        return self.price * self.quantity * self.multiplier


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The net of one symbol and product. ``quantity`` is signed; money is in rupees.

    ``realised`` is today's booked profit, ``unrealised`` the open quantity against ``ltp``, each unit of it
    ``multiplier`` times.
    """

    symbol: str
    exchange: Exchange
    product: Product
    quantity: int
    average_price: Decimal
    ltp: Decimal
    realised: Decimal
    multiplier: int = 1

    @property
    def unrealised(self) -> Decimal:
        """Open profit or loss at ``ltp``."""
        return (self.ltp - self.average_price) * self.quantity * self.multiplier

    @property
    def pnl(self) -> Decimal:
        """Booked and open profit together."""
        return self.realised + self.unrealised


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Shares that were delivered; ``quantity`` is what may be sold of them."""

    symbol: str
    exchange: Exchange
    quantity: int
    average_price: Decimal
    ltp: Decimal

    @property
    def product(self) -> Product:
        """The product of an order that sells them."""
        return Product.CNC


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceBegin:
    """How often an account was begun anew, when it began last, and the profit in rupees that it booked since."""

    resets: int
    at: datetime
    realised: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """The account's money in rupees (contract 2.3.1).

    ``realised`` is today's booked profit. ``since_begin`` is None where an account cannot be begun anew.
    """

    available: Decimal
    used: Decimal
    collateral: Decimal
    realised: Decimal
    unrealised: Decimal
    since_begin: SinceBegin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The market of one instrument now. Prices in rupees, ``volume``, ``oi`` and the quantities in units.

    ``bid_quantity`` and ``ask_quantity`` are 0 where the broker does not tell them.
    """

    ltp: Decimal
    bid: Decimal
    ask: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    prev_close: Decimal
    volume: int
    oi: int
    bid_quantity: int = 0
    ask_quantity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """The lowest and the highest price of a stretch of time, in rupees."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is bid or asked at one price. Both 0: nothing is."""

    price: Decimal
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The best five prices of each side, best first, and the quote they belong to.

    ``last_quantity`` is that of the last trade; the totals are of the whole book, so at least those of the levels.
    """

    quote: Quote
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    last_quantity: int
    total_bid_quantity: int
    total_ask_quantity: int


class Bar(NamedTuple):
    """What was traded from ``start`` (aware, UTC) until the next bar starts. Rupees, and units.

    ``oi`` is the open interest at its end. A named tuple, because a year of minutes has 137,000 of them.
    """

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    oi: int
