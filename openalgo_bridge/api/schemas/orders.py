"""What places, changes, withdraws or looks up an order (contract 2.1, 2.2): requests, then their answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel, Done, Marked
from openalgo_bridge.api.schemas.fields import (
    ActionField,
    DisclosedQuantity,
    ExchangeField,
    Moment,
    OrderId,
    Price,
    PriceTypeField,
    ProductField,
    Quantity,
    Strategy,
    Symbol,
)
from openalgo_bridge.model.order import CloseRequest, OrderRequest, PriceType, Product


class OrderFields(ApiModel):
    """What names an order and its price, in every request that has one."""

    symbol: Symbol
    exchange: ExchangeField
    action: ActionField
    quantity: Quantity
    price: Price = Field(default=Decimal(0), description="For LIMIT and SL.")
    trigger_price: Price = Field(default=Decimal(0), description="For SL and SL-M.")
    disclosed_quantity: DisclosedQuantity = Field(default=0, description="How much of it the market sees; 0 for all.")

    def as_order(self, price_type: PriceType, product: Product) -> OrderRequest:
        """The order, of a type and a product."""
        return OrderRequest(
            symbol=self.symbol,
            exchange=self.exchange,
            action=self.action,
            quantity=self.quantity,
            price_type=price_type,
            product=product,
            price=self.price,
            trigger_price=self.trigger_price,
            disclosed_quantity=self.disclosed_quantity,
        )


class PlaceOrder(OrderFields):
    """``POST /placeorder`` (contract 2.1.1)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the order.")
    pricetype: PriceTypeField = PriceType.MARKET
    product: ProductField = Product.MIS
    signal_time: Moment | None = Field(
        default=None,
        description="When the signal arose: seconds or milliseconds since 1970, or ISO 8601 with an offset.",
    )

    def order(self) -> OrderRequest:
        """The order that is asked for."""
        return self.as_order(self.pricetype, self.product)


class ModifyOrder(OrderFields):
    """``POST /modifyorder`` (contract 2.1.5); Node omits the last two fields (5.1 item 5)."""

    orderid: OrderId = Field(description="The broker's id, or our reference.")
    pricetype: PriceTypeField
    product: ProductField
    price: Price = Field(description="For LIMIT and SL; else 0.")
    strategy: Strategy = "-"

    def order(self) -> OrderRequest:
        """What the order shall be afterwards."""
        return self.as_order(self.pricetype, self.product)


class NamedOrder(ApiModel):
    """``POST /cancelorder`` and ``/orderstatus``: one order, by the broker's id or by our reference."""

    orderid: OrderId = Field(description="The broker's id, or our reference.")
    strategy: Strategy = "-"


class AllOrders(ApiModel):
    """``POST /cancelallorder`` (contract 2.1.7). The strategy is a note, not a filter."""

    strategy: Strategy = "-"


class AllPositions(ApiModel):
    """``POST /closeposition`` (contract 2.1.8): all of them, or those of one symbol, which is ours."""

    strategy: Strategy = "-"
    symbol: Symbol | None = None
    exchange: ExchangeField | None = None
    product: ProductField | None = None

    def request(self) -> CloseRequest:
        """What is asked to be closed."""
        return CloseRequest(symbol=self.symbol or "", exchange=self.exchange, product=self.product)


class PlacedAnswer(Done):
    """The broker took it. ``orderid`` is the broker's."""

    orderid: str


class QueuedAnswer(TypedDict):
    """It waits for the person (contract 4.1). ``/orderstatus`` of the ``reference`` tells what becomes of it."""

    status: Literal["success"]
    message: str
    mode: Literal["semi_auto"]
    pending_order_id: int
    reference: str


class InDoubtAnswer(Done):
    """It may be at the broker or not: do not send it again. ``/orderstatus`` of the ``reference`` looks it up."""

    orderid: str
    reference: str
    order_status: Literal["unknown"]
    message: str


class ChangedAnswer(Done):
    """The broker took the change or the cancel, or the held order was withdrawn."""

    orderid: str
    message: str


class FailedCancellation(TypedDict):
    """An order that may still be open, and why."""

    orderid: str
    message: str


class CancelAllAnswer(Marked):
    """A success only when every order was cancelled; ``partial`` when some were."""

    status: Literal["success", "partial", "error"]
    message: str
    canceled_orders: list[str]
    failed_cancellations: list[FailedCancellation]
    reference: str


class FailedClosure(TypedDict):
    """A position that is still open, and why."""

    exchange: str
    symbol: str
    product: str
    message: str


class CloseAnswer(Marked):
    """A success only when every position has its closing order at the broker; ``partial`` when some have."""

    status: Literal["success", "partial", "error"]
    message: str
    closed_positions: int
    failed_closures: int
    failures: list[FailedClosure]
    reference: str


class OrderRow(TypedDict):
    """One order. The quantities are text, the prices are numbers; the time is IST."""

    action: str
    exchange: str
    price: float
    pricetype: str
    product: str
    quantity: str
    symbol: str
    trigger_price: float
    orderid: str
    order_status: str
    average_price: float
    filled_quantity: str
    rejection_reason: str
    timestamp: str


class OrderStatusAnswer(Done):
    """``message`` where the question was about a change of the order."""

    data: OrderRow
    message: NotRequired[str]
