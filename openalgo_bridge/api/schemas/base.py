"""What all request models share: other spellings accepted, unknown fields ignored, all faults at once.

And what all answers share. Their types say what :mod:`openalgo_bridge.api.answers` makes; the OpenAPI document tells it
to others, and the tests hold every answer against it.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import TypedDict

from openalgo_bridge.api.body import Fields
from openalgo_bridge.errors import Invalid

# The same field under the names the published samples and the Node client use (contract 5.1, behaviour X11).
ALIASES = {
    "price_type": "pricetype",
    "priceType": "pricetype",
    "order_type": "pricetype",
    "product_type": "product",
    "triggerPrice": "trigger_price",
    "disclosedQuantity": "disclosed_quantity",
    "orderId": "orderid",
    "order_id": "orderid",
}
"""Other spelling, and the field it stands for."""

ModelT = TypeVar("ModelT", bound="ApiModel")


class ApiModel(BaseModel):
    """Base of the request models."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Marked(TypedDict):
    """Of the answers about orders and the account: ``mode`` is there while orders go to the paper exchange."""

    mode: NotRequired[Literal["analyze"]]


class Done(Marked):
    """A success, and always exactly that word: clients look for it."""

    status: Literal["success"]


class UnknownSymbol(TypedDict):
    """One of those that were asked for and are not listed."""

    symbol: str
    exchange: str
    error: str


class Failure(TypedDict):
    """The one error shape. ``errors``: of the input, by field. ``guard``: what said no. ``path``: nothing is there."""

    status: Literal["error"]
    message: str
    mode: NotRequired[Literal["analyze"]]
    errors: NotRequired[dict[str, list[str]]]
    guard: NotRequired[str]
    invalid_symbols: NotRequired[list[UnknownSymbol]]
    retry_after: NotRequired[int]
    path: NotRequired[str]


def parse(model: type[ModelT], fields: Fields) -> ModelT:
    """The request model of a body. Raises Invalid naming every fault."""
    try:
        return model.model_validate(_canonical(model, fields))
    except ValidationError as error:
        raise Invalid.of(_faults(error)) from error


def _canonical(model: type[ApiModel], fields: Fields) -> Fields:
    """The fields by the names of the model. One of no such meaning there stays as it is."""
    renamed = {name: target for name, target in ALIASES.items() if name in fields and target in model.model_fields}
    canonical = {name: value for name, value in fields.items() if name not in renamed}
    for name, target in renamed.items():
        if canonical.setdefault(target, fields[name]) != fields[name]:
            raise Invalid.of({target: [f"Sent twice with different values, also as {name}."]})
    return canonical


def _faults(error: ValidationError) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False):
        faults.setdefault(_named(fault["loc"]) or "_schema", []).append(_sentence(fault))
    return faults


def _named(place: tuple[str | int, ...]) -> str:
    """As ``orders[1].action``, the element by its index in the request."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


_SENTENCES = {"list_type": "Not a valid list.", "model_type": "Invalid input type."}


def _sentence(fault: Any) -> str:
    if fault["type"] == "missing":
        return "Missing data for required field."
    if fault["input"] is None:
        return "Field may not be null."
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return _SENTENCES.get(fault["type"], str(fault["msg"]))
