"""What asks for the margin of orders (contract 2.9): the request, then its answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import PriceTypeField, ProductField, at_most
from openalgo_bridge.api.schemas.orders import OrderFields
from openalgo_bridge.model.order import OrderRequest

_MOST_POSITIONS = 50


class MarginPosition(OrderFields):
    """An order that might be placed."""

    pricetype: PriceTypeField
    product: ProductField

    def order(self) -> OrderRequest:
        """The order that is asked about."""
        return self.as_order(self.pricetype, self.product)


class Margin(ApiModel):
    """``POST /margin``."""

    positions: Annotated[list[MarginPosition], BeforeValidator(at_most(_MOST_POSITIONS, "Positions"))] = Field(
        json_schema_extra={"minItems": 1, "maxItems": _MOST_POSITIONS}, description="Orders that might be placed."
    )


class MarginFields(TypedDict):
    """In rupees. Where the broker does not split it, all of it is ``exposure_margin``."""

    total_margin_required: float
    span_margin: float
    exposure_margin: float


class MarginAnswer(TypedDict):
    """What would be blocked, each order taken alone: what one does for another is not counted."""

    status: Literal["success"]
    data: MarginFields
