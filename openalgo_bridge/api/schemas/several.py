"""What asks for several orders at once, or for a position (contract 2.1.2 to 2.1.4): requests, then their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import Done, Marked, of_each
from openalgo_bridge.api.schemas.fields import Size, SplitSize, Strategy, WantedQuantity, at_most
from openalgo_bridge.api.schemas.orders import NewOrder, PlacedAnswer, PlaceOrder, SignalFields
from openalgo_bridge.model.expand import MOST_LEGS
from openalgo_bridge.model.order import SmartOrderRequest


class PlaceSmartOrder(NewOrder):
    """``POST /placesmartorder`` (contract 2.1.2)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the order.")
    quantity: WantedQuantity = Field(description="Counts only while the position is flat and its size shall be 0.")
    position_size: Size = Field(description="The position you want: positive is long, negative short, 0 none.")

    def request(self) -> SmartOrderRequest:
        """The position that is asked for."""
        return SmartOrderRequest(order=self.order(), position_size=self.position_size)


class BasketItem(NewOrder):
    """One order of a basket."""


class BasketOrder(SignalFields):
    """``POST /basketorder`` (contract 2.1.3)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the orders.")
    orders: Annotated[list[BasketItem], BeforeValidator(at_most(MOST_LEGS, "Orders", least=0))] = Field(
        json_schema_extra={"maxItems": MOST_LEGS}, description="Those that buy are sent first."
    )

    @model_validator(mode="before")
    @classmethod
    def _says_of_each_what_is_its_own(cls, fields: Any) -> Any:
        return of_each(cls, BasketItem, "orders", fields)

    @property
    def signal_at(self) -> datetime | None:
        """The oldest that the basket or one of its orders names: it stands or falls as a whole."""
        named = (self.signal_time, *(item.signal_time for item in self.orders))
        return min((each for each in named if each is not None), default=None)


class SplitOrder(PlaceOrder):
    """``POST /splitorder`` (contract 2.1.4)."""

    splitsize: SplitSize = Field(description="How many units one order has at most; the remainder comes last.")


class PositionedAnswer(PlacedAnswer):
    """The broker took what was missing. ``message`` tells of what works already in the same instrument."""

    message: NotRequired[str]


class MatchedAnswer(Done):
    """Nothing was sent, and why."""

    message: str


class ReachedAnswer(Marked):
    """More than the exchange takes in one order was sent in several: ``message`` names them, or says why not.

    ``orderid`` is that of the first. ``order_status`` is there where one of them is in doubt.
    """

    status: Literal["success", "error"]
    reference: str
    message: str
    orderid: NotRequired[str]
    order_status: NotRequired[Literal["unknown"]]


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
