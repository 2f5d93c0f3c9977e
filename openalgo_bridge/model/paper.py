"""What the books of the paper exchange hold. Money is whole ten-thousandths of a rupee ("units").

Whole numbers, because a currency tick is 0.0025 rupee and because nothing may be lost to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol

from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Exchange, OrderRequest, Product, Ref

UNITS_PER_RUPEE = 10_000


def to_units(rupees: Decimal) -> int:
    """Units of an amount; what is finer than a unit is cut off."""
    return int(rupees * UNITS_PER_RUPEE)


def to_rupees(units: int) -> Decimal:
    """Rupees of an amount, exactly."""
    return Decimal(units) / UNITS_PER_RUPEE


class Named(Protocol):
    """What a move of money is about: an order's request, or a position."""

    @property
    def symbol(self) -> str:
        """The symbol in the dialect's words."""

    @property
    def exchange(self) -> Exchange:
        """Where it is traded."""

    @property
    def product(self) -> Product:
        """CNC, NRML or MIS."""


class LedgerKind(StrEnum):
    """Why money moved: what the account was given, what it had before there was a ledger, what an order or a trigger
    sets aside, a fill, the delivery of shares, an expiry, and starting anew.
    """

    CAPITAL = "capital"
    CARRIED = "carried"
    ORDER = "order"
    FILL = "fill"
    GTT = "gtt"
    SETTLEMENT = "settlement"
    EXPIRY = "expiry"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOrder:
    """One order. ``number`` is 0 until it is in the book.

    ``tag`` is empty where the exchange sent it itself, and ``cause`` then says why. ``blocked`` is the money set aside
    for what is not filled of it, ``filled_value`` the sum of quantity times price of its fills. ``bound`` is the worst
    price at which a protected order fills, None for any other. ``revision`` rises with every change of any
    order of the book.
    """

    number: int = 0
    tag: Ref
    cause: str = ""
    request: OrderRequest
    status: OrderStatus = OrderStatus.OPEN
    filled_quantity: int = 0
    filled_value: int = 0
    bound: int | None = None
    blocked: int = 0
    rejection_reason: str = ""
    placed_at: datetime
    triggered_at: datetime | None = None
    filled_at: datetime | None = None
    revision: int = 0

    @property
    def remaining(self) -> int:
        """Units that are not filled."""
        return self.request.quantity - self.filled_quantity

    def cancelled(self, why: str = "") -> PaperOrder:
        """As it stands once it works no more; ``why`` where somebody else than who placed it said so."""
        return replace(self, status=OrderStatus.CANCELLED, blocked=0, rejection_reason=why)


class PriceRange(NamedTuple):
    """What a market offered, at one moment or over a stretch of time. Units: the best that could be bought at and sold
    at, and the lowest and the highest last price.
    """

    ask: int
    bid: int
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """One fill, of all or a part of an order. ``order`` is as it stands now; ``multiplier``: as a unit counted then."""

    number: int
    order: PaperOrder
    quantity: int
    price: int
    traded_at: datetime
    multiplier: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPosition:
    """The net of one symbol and product.

    ``cost`` is the exact sum paid for the open quantity, negative for a short one; ``blocked`` the money set
    aside for it. ``realised`` is the profit booked on the trading day ``realised_on``. ``multiplier`` is the one of
    its instrument when it was opened.
    """

    symbol: str
    exchange: Exchange
    product: Product
    quantity: int = 0
    cost: int = 0
    blocked: int = 0
    realised: int = 0
    realised_on: date
    multiplier: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperHolding:
    """Shares that were delivered. ``cost`` is the exact sum paid for them."""

    symbol: str
    exchange: Exchange
    quantity: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperMoney:
    """The account: the balance of the last line of its ledger.

    ``capital`` is what it was given, ``realised`` all profit booked since, ``invested`` what its holdings cost, and
    ``blocked`` what is set aside for orders, positions and triggers together.
    """

    capital: int
    realised: int
    invested: int = 0
    blocked: int

    @property
    def available(self) -> int:
        """What a further order may use. Below 0 after losses that are larger than what was left."""
        return self.capital + self.realised - self.invested - self.blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperStanding:
    """What an order meets: the account, and the position it changes; None when there never was one.

    ``done_until`` is up to when all is done that time does; None before anything was.
    """

    money: PaperMoney
    position: PaperPosition | None
    done_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    """Money and positions of one moment; when the account began last, and how often it was begun anew."""

    money: PaperMoney
    positions: tuple[PaperPosition, ...]
    begun_at: datetime
    resets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One move of money, with the account after it. What it was about is None where it was about no one thing.

    ``tag`` is that of the order or of the GTT which it leads back to, empty where there is none. ``cause`` says why the
    exchange sent the order itself, and is empty where it did not.
    """

    number: int
    at: datetime
    kind: LedgerKind
    order_number: int | None
    gtt_number: int | None
    tag: Ref
    cause: str
    symbol: str | None
    exchange: Exchange | None
    product: Product | None
    capital: int
    realised: int
    invested: int
    blocked: int
    after: PaperMoney
