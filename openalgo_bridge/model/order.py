"""What can be asked of a broker: the words of the market and the requests built from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

Ref = NewType("Ref", str)
"""Our own id of a ticket or an order, sent to the broker as its tag: base32, at most 15 characters."""

BrokerOrderId = NewType("BrokerOrderId", str)
"""The broker's id of an order, or of a GTT."""


class Action(StrEnum):
    """Side of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Action.BUY else -1


class Exchange(StrEnum):
    """Exchange codes of the dialect (contract 1.6)."""

    NSE = "NSE"
    NFO = "NFO"
    CDS = "CDS"
    BSE = "BSE"
    BFO = "BFO"
    BCD = "BCD"
    MCX = "MCX"
    NCDEX = "NCDEX"
    NCO = "NCO"
    NSE_INDEX = "NSE_INDEX"
    BSE_INDEX = "BSE_INDEX"
    MCX_INDEX = "MCX_INDEX"
    GLOBAL_INDEX = "GLOBAL_INDEX"
    CRYPTO = "CRYPTO"


class PriceType(StrEnum):
    """How the price of an order is set."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"

    @property
    def is_stop(self) -> bool:
        """True for what waits until the last price reaches its trigger."""
        return self in {PriceType.SL, PriceType.SL_M}


class Product(StrEnum):
    """Delivery (CNC), overnight derivatives (NRML) or intraday (MIS)."""

    CNC = "CNC"
    NRML = "NRML"
    MIS = "MIS"


class OrderMode(StrEnum):
    """Auto sends at once; Semi-Auto holds for the person."""

    AUTO = "auto"
    SEMI_AUTO = "semi_auto"


class TradingMode(StrEnum):
    """Where orders go: the paper exchange (analyze) or the connected broker (live)."""

    ANALYZE = "analyze"
    LIVE = "live"


PositionKey = tuple[Exchange, str, Product]
"""What names a position within one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One order to be placed. Prices are rupees, quantities are units (not lots)."""

    symbol: str
    exchange: Exchange
    action: Action
    quantity: int
    price_type: PriceType = PriceType.MARKET
    product: Product = Product.MIS
    price: Decimal = field(default=Decimal(0))
    trigger_price: Decimal = field(default=Decimal(0))
    disclosed_quantity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartOrderRequest:
    """A position to be reached. ``position_size`` is signed; ``order`` says of what, and how the price is set.

    Its action and quantity, which may be 0, mean something only while the position is flat (contract 2.1.2).
    """

    order: OrderRequest
    position_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyRequest:
    """A change of one resting order: the fields it shall have afterwards."""

    broker_order_id: BrokerOrderId
    order: OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """The withdrawal of one resting order."""

    broker_order_id: BrokerOrderId


class TriggerSide(StrEnum):
    """Which way the price has to come: down to a stop-loss, or up to a target, whatever the order then does."""

    STOPLOSS = "stoploss"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class GttLeg:
    """One trigger, and the limit of the order that it places: 0 for one at market. Both in rupees."""

    side: TriggerSide
    trigger_price: Decimal
    price: Decimal = field(default=Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class GttRequest:
    """An order that waits for its price over days, "good till triggered" (contract 2.7).

    ``legs`` are one, or a stop-loss and a target of which the first that is reached ends the other. ``expires_at`` is
    when it ends unused; None leaves that to the broker.
    """

    symbol: str
    exchange: Exchange
    action: Action
    quantity: int
    price_type: PriceType
    product: Product
    legs: tuple[GttLeg, ...]
    expires_at: datetime | None = None

    def order(self, leg: GttLeg) -> OrderRequest:
        """What ``leg`` places when its trigger is reached."""
        return OrderRequest(
            symbol=self.symbol,
            exchange=self.exchange,
            action=self.action,
            quantity=self.quantity,
            price_type=self.price_type,
            product=self.product,
            price=leg.price,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyGttRequest:
    """A change of one GTT that waits: what it shall be afterwards. Its life is not changed."""

    trigger_id: BrokerOrderId
    gtt: GttRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelGttRequest:
    """The withdrawal of one GTT."""

    trigger_id: BrokerOrderId


BrokerRequest = OrderRequest | ModifyRequest | CancelRequest | GttRequest | ModifyGttRequest | CancelGttRequest
"""One message to a broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAllRequest:
    """The withdrawal of every resting order, of those of one symbol, or of those of one ticket by its reference."""

    symbol: str = ""
    exchange: Exchange | None = None
    ticket: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequest:
    """The closing of every open position, or of those of one symbol, or of one position."""

    symbol: str = ""
    exchange: Exchange | None = None
    product: Product | None = None


class LegsKind(StrEnum):
    """What a request of several orders was asked for as, by the name of its endpoint."""

    BASKET = "basketorder"
    SPLIT = "splitorder"
    OPTIONS = "optionsorder"
    MULTI_LEG = "optionsmultiorder"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegsRequest:
    """Several orders that are asked for at once, in the order in which they are sent."""

    kind: LegsKind
    orders: tuple[OrderRequest, ...]


TicketRequest = BrokerRequest | CancelAllRequest | CloseRequest | SmartOrderRequest | LegsRequest
"""What a ticket asks for: one message to a broker, or something that takes as many as there are orders or positions."""
