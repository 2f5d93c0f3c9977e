"""Orders for options by their distance from the money (contract 2.1.9, 2.1.10): requests, then their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import Marked, of_each
from openalgo_bridge.api.schemas.fields import (
    WANTED_SCHEMA,
    ActionField,
    DisclosedQuantity,
    Quantity,
    Strategy,
    WantedQuantity,
    at_most,
    choice,
)
from openalgo_bridge.api.schemas.options import ExpiryDate, OffsetField, OptionsOf, OptionTypeField, StrikeStep
from openalgo_bridge.api.schemas.orders import PriceOrMarket, SignalFields
from openalgo_bridge.api.schemas.several import SplitResult
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.options import MOST_OPTION_LEGS
from openalgo_bridge.model.order import OrderRequest, Product

_PRODUCTS = (Product.MIS, Product.NRML)


def _product(value: Any) -> Product:
    product = choice(Product, value)
    if product not in _PRODUCTS:
        raise ValueError(f"Must be one of: {', '.join(_PRODUCTS)}.")
    return product


def _split_size(value: Any) -> Any:
    return 0 if value is None else value


OptionProduct = Annotated[
    Product, BeforeValidator(_product), WithJsonSchema({"enum": list(_PRODUCTS), "examples": ["MIS"]})
]
OptionSplit = Annotated[
    WantedQuantity,
    BeforeValidator(_split_size),
    WithJsonSchema({"anyOf": [WANTED_SCHEMA.json_schema, {"type": "null"}], "examples": ["0"]}),
]


class OptionLegFields(PriceOrMarket):
    """What names one option and how it is traded."""

    offset: OffsetField
    option_type: OptionTypeField
    action: ActionField
    quantity: Quantity = Field(description="Units, in whole lots.", examples=["65"])
    expiry_date: ExpiryDate = None
    splitsize: OptionSplit = Field(default=0, description="How many units one order has at most; 0 for no limit.")
    product: OptionProduct = Product.MIS
    disclosed_quantity: DisclosedQuantity = 0

    def order(self, contract: Instrument) -> OrderRequest:
        """The order for the contract that was meant."""
        return OrderRequest(
            symbol=contract.symbol,
            exchange=contract.exchange,
            action=self.action,
            quantity=self.quantity,
            price_type=self.pricetype,
            product=self.product,
            price=self.price,
            trigger_price=self.trigger_price,
            disclosed_quantity=self.disclosed_quantity,
        )


class OptionsOrder(OptionsOf, OptionLegFields, SignalFields):
    """``POST /optionsorder`` (contract 2.1.9)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the order.")
    strike_int: StrikeStep | None = Field(default=None, description="Counts only strikes on a grid of so many rupees.")
    expiry_date: ExpiryDate = Field(default=None, description="Wins over the expiry in `underlying`.")


class OptionsMultiOrder(OptionsOf, SignalFields):
    """``POST /optionsmultiorder`` (contract 2.1.10)."""

    strategy: Strategy = Field(description="Your name for the program, shown with the orders.")
    strike_int: StrikeStep | None = None
    legs: Annotated[list[OptionLegFields], BeforeValidator(at_most(MOST_OPTION_LEGS, "Legs"))] = Field(
        json_schema_extra={"minItems": 1, "maxItems": MOST_OPTION_LEGS}, description="Those that buy are sent first."
    )

    @model_validator(mode="before")
    @classmethod
    def _says_of_each_what_is_its_own(cls, fields: Any) -> Any:
        return of_each(cls, OptionLegFields, "legs", fields)


class OptionPlaced(Marked):
    """One option order, or its slices where it was split. The answer to a call that was cut off has no price."""

    status: Literal["success", "error"]
    underlying: str
    underlying_ltp: NotRequired[float]
    symbol: str
    exchange: str
    offset: str
    option_type: str
    orderid: NotRequired[str]
    reference: NotRequired[str]
    order_status: NotRequired[Literal["unknown"]]
    message: NotRequired[str]
    total_quantity: NotRequired[int]
    split_size: NotRequired[int]
    results: NotRequired[list[SplitResult]]


class OptionLegResult(TypedDict):
    """One leg, by its place in the request from 1."""

    leg: int
    symbol: str
    exchange: str
    product: str
    offset: str
    option_type: str
    action: str
    status: Literal["success", "error"]
    mode: Literal["analyze", "live"]
    orderid: NotRequired[str]
    order_status: NotRequired[Literal["unknown"]]
    message: NotRequired[str]
    total_quantity: NotRequired[int]
    split_size: NotRequired[int]
    split_results: NotRequired[list[SplitResult]]


class OptionsMultiAnswer(Marked):
    """``status`` is an error only where not one order went; ``message`` says so where some did not."""

    status: Literal["success", "error"]
    underlying: str
    underlying_ltp: NotRequired[float]
    results: list[OptionLegResult]
    reference: str
    message: NotRequired[str]
