"""What all request models share: other spellings accepted, unknown fields ignored, all faults at once."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from openalgo_bridge.api.body import Fields
from openalgo_bridge.errors import Invalid

# The same field under the names the published samples and the Node client use (contract 5.1, behaviour X11).
_ALIASES = {
    "price_type": "pricetype",
    "priceType": "pricetype",
    "order_type": "pricetype",
    "product_type": "product",
    "triggerPrice": "trigger_price",
    "disclosedQuantity": "disclosed_quantity",
    "orderId": "orderid",
    "order_id": "orderid",
}

ModelT = TypeVar("ModelT", bound="ApiModel")


class ApiModel(BaseModel):
    """Base of the request models."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def parse(model: type[ModelT], fields: Fields) -> ModelT:
    """The request model of a body. Raises Invalid naming every fault."""
    try:
        return model.model_validate(_canonical(fields))
    except ValidationError as error:
        raise Invalid.of(_faults(error)) from error


def _canonical(fields: Fields) -> Fields:
    canonical = {name: value for name, value in fields.items() if name not in _ALIASES}
    for name, value in fields.items():
        target = _ALIASES.get(name)
        if target is None:
            continue
        if canonical.setdefault(target, value) != value:
            raise Invalid.of({target: [f"Sent twice with different values, also as {name}."]})
    return canonical


def _faults(error: ValidationError) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"]) or "_schema"
        faults.setdefault(field, []).append(_sentence(fault))
    return faults


def _sentence(fault: Any) -> str:
    if fault["type"] == "missing":
        return "Missing data for required field."
    if fault["input"] is None:
        return "Field may not be null."
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    return str(fault["msg"])
