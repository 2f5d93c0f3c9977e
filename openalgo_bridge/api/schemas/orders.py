"""What places, changes, withdraws or looks up an order (contract 2.1, 2.2): requests, then their answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, NotRequired, Self

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel, Done, Marked, fault
from openalgo_bridge.api.schemas.fields import (
    ActionField,
    DisclosedQuantity,
    ExchangeField,
    Label,
    Moment,
    OrderId,
    OrderPrice,
    PriceTypeField,
    ProductField,
    Quantity,
    Strategy,
    Symbol,
    TriggerPrice,
)
from openalgo_bridge.model.order import CancelAllRequest, CloseRequest, OrderRequest, PriceType, Product

_NO_PRICE_TYPE = "Missing, although a price is there: MARKET trades at any price, LIMIT, SL and SL-M heed it."

# The default of what may be left out, but holds something where it is there. The type is that of what may be sent.
_EVERY: Any = None


class Prices(ApiModel):
    """At which price."""

    price: OrderPrice = Field(default=Decimal(0), description="For LIMIT and SL.")
    trigger_price: TriggerPrice = Field(default=Decimal(0), description="For SL and SL-M.")


class PriceOrMarket(Prices):
    """At which price, and at the market where it names none."""

    pricetype: PriceTypeField = Field(
        default=PriceType.MARKET, description="Needed where a price or a trigger price is sent."
    )

    @model_validator(mode="after")
    def _has_one_where_it_has_a_price(self) -> Self:
        """Under a name that nobody knows it would be left out, and what should wait for its price sent at any."""
        if "pricetype" not in self.model_fields_set and (self.price or self.trigger_price):
            raise fault(type(self), _NO_PRICE_TYPE, "pricetype")
        return self


class OrderFields(Prices):
    """What names an order and its price, in every request that has one."""

    symbol: Symbol
    exchange: ExchangeField
    action: ActionField
    quantity: Quantity
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


class SignalFields(ApiModel):
    """How old it is: of everything that places an order, so that no way of asking gets round the limit of age."""

    signal_time: Moment | None = Field(
        default=None,
        description="When the signal arose: seconds or milliseconds since 1970, or ISO 8601 with an offset.",
    )


class NewOrder(OrderFields, PriceOrMarket, SignalFields):
    """What asks for an order that is not there yet."""

    product: ProductField = Product.MIS

    def order(self) -> OrderRequest:
        """The order that is asked for."""
        return self.as_order(self.pricetype, self.product)


class PlaceOrder(NewOrder):
    """``POST /placeorder`` (contract 2.1.1)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the order.")


class ModifyOrder(OrderFields):
    """``POST /modifyorder`` (contract 2.1.5); Node omits the last two fields (5.1 item 5)."""

    orderid: OrderId = Field(description="The broker's id, or our reference.")
    pricetype: PriceTypeField
    product: ProductField
    price: OrderPrice = Field(description="For LIMIT and SL; else 0.")
    strategy: Label = "-"

    def order(self) -> OrderRequest:
        """What the order shall be afterwards."""
        return self.as_order(self.pricetype, self.product)


class NamedOrder(ApiModel):
    """``POST /cancelorder`` and ``/orderstatus``: one order, by the broker's id or by our reference."""

    orderid: OrderId = Field(description="The broker's id, or our reference.")
    strategy: Label = "-"


class Narrowed(ApiModel):
    """What is about all of them, or about those that it names.

    A field that is not known is refused here, and so is one that holds nothing: it may be meant to name one, and all
    would be done instead. The strategy is a note and names none (contract 2.1.7).
    """

    model_config = ConfigDict(extra="forbid")

    strategy: Label = "-"
    symbol: Symbol = Field(default=_EVERY, description="Those of one symbol only.")
    exchange: ExchangeField = Field(default=_EVERY, description="Those on one exchange only.")


class AllOrders(Narrowed):
    """``POST /cancelallorder`` (contract 2.1.7). Symbol and exchange are ours."""

    def request(self) -> CancelAllRequest:
        """What is asked to be withdrawn."""
        return CancelAllRequest(symbol=self.symbol or "", exchange=self.exchange)


class AllPositions(Narrowed):
    """``POST /closeposition`` (contract 2.1.8). Symbol, exchange and product are ours."""

    product: ProductField = Field(default=_EVERY, description="Those held as one product only.")

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
    """A success only when every order was cancelled; ``partial`` when some were. ``failures`` says why of each."""

    status: Literal["success", "partial", "error"]
    message: str
    canceled_orders: list[str]
    failed_cancellations: list[str]
    failures: list[FailedCancellation]
    reference: str


class CancelSeveralAnswer(CancelAllAnswer):
    """As of all orders, of those of one ticket. ``orderid`` is the reference that named it."""

    orderid: str


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
    """``message`` where the question was about a change of the order, or about many orders.

    Of a closing or a withdrawal of all that sent no order, ``order_status`` is its state and ``action`` is empty.
    """

    data: OrderRow
    message: NotRequired[str]
