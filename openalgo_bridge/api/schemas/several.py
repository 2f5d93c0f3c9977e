"""What asks for several orders at once, or for a position (contract 2.1.2 to 2.1.4): requests, then their answers."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel, Done, Marked
from openalgo_bridge.api.schemas.fields import PriceTypeField, ProductField, Size, SplitSize, Strategy, WantedQuantity
from openalgo_bridge.api.schemas.orders import OrderFields, PlaceOrder
from openalgo_bridge.model.expand import MOST_LEGS
from openalgo_bridge.model.order import OrderRequest, PriceType, Product, SmartOrderRequest


class PlaceSmartOrder(OrderFields):
    """``POST /placesmartorder`` (contract 2.1.2)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the order.")
    quantity: WantedQuantity = Field(description="Counts only while the position is flat and its size shall be 0.")
    position_size: Size = Field(description="The position you want: positive is long, negative short, 0 none.")
    pricetype: PriceTypeField = PriceType.MARKET
    product: ProductField = Product.MIS

    def request(self) -> SmartOrderRequest:
        """The position that is asked for."""
        return SmartOrderRequest(order=self.as_order(self.pricetype, self.product), position_size=self.position_size)


class BasketItem(OrderFields):
    """One order of a basket."""

    pricetype: PriceTypeField = PriceType.MARKET
    product: ProductField = Product.MIS

    def order(self) -> OrderRequest:
        """The order that is asked for."""
        return self.as_order(self.pricetype, self.product)


class BasketOrder(ApiModel):
    """``POST /basketorder`` (contract 2.1.3)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the orders.")
    orders: list[BasketItem] = Field(max_length=MOST_LEGS, description="Those that buy are sent first.")


class SplitOrder(PlaceOrder):
    """``POST /splitorder`` (contract 2.1.4)."""

    splitsize: SplitSize = Field(description="How many units one order has at most; the remainder comes last.")


class MatchedAnswer(Done):
    """Nothing was sent, and why."""

    message: str


class BasketResult(TypedDict):
    """One order of a basket: ``orderid`` where the broker took it, else ``message``."""

    symbol: str
    exchange: str
    product: str
    status: Literal["success", "error"]
    orderid: NotRequired[str]
    order_status: NotRequired[Literal["unknown"]]
    message: NotRequired[str]


class BasketAnswer(Marked):
    """``status`` is an error only where not one order went; ``message`` says so where some did not.

    An empty basket is done and has no ``reference``.
    """

    status: Literal["success", "error"]
    results: list[BasketResult]
    reference: NotRequired[str]
    message: NotRequired[str]


class SplitResult(TypedDict):
    """One slice, by its place from 1."""

    order_num: int
    quantity: int
    status: Literal["success", "error"]
    orderid: NotRequired[str]
    order_status: NotRequired[Literal["unknown"]]
    message: NotRequired[str]


class SplitAnswer(Marked):
    """As a basket's, with the slices in their order."""

    status: Literal["success", "error"]
    total_quantity: int
    split_size: int
    results: list[SplitResult]
    reference: str
    message: NotRequired[str]
