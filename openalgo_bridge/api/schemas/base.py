"""What all request models share: other spellings accepted at any depth, unknown fields ignored, all faults at once.

And what all answers share. Their types say what :mod:`openalgo_bridge.api.answers` makes; the OpenAPI document tells it
to others, and the tests hold every answer against it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NotRequired, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from openalgo_bridge.api.body import Fields
from openalgo_bridge.errors import Invalid

# What published samples and guides call it (contract 5.1, behaviour X11).
ALIASES = {"order_type": "pricetype", "price_type": "pricetype", "product_type": "product"}
"""Other name, and the field it stands for. Capitals and underscores make no difference to a name."""

ModelT = TypeVar("ModelT", bound="ApiModel")


class ApiModel(BaseModel):
    """Base of the request models."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _by_their_names(cls, fields: Any) -> Any:
        """An unknown field is ignored, so a price type that goes by another name would be one: LIMIT sent as MARKET."""
        return canonical(cls, fields) if isinstance(fields, dict) else fields


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
        return model.model_validate(fields)
    except ValidationError as error:
        raise Invalid.of(_faults(error)) from error


def canonical(model: type[ApiModel], fields: Fields) -> Fields:
    """The fields by the names of the model; one that it does not know keeps its own.

    Raises ValidationError for one that is there twice, with different values.
    """
    known = _spellings(model)
    named: Fields = {}
    for name, value in fields.items():
        field = known.get(_folded(name), name)
        if named.setdefault(field, value) != value:
            raise fault(model, "Sent twice with different values, under two spellings.", field)
    return named


def of_each(model: type[ApiModel], item: type[ApiModel], listed: str, fields: Any) -> Any:
    """The fields of a model with a list of items, for a validator of the model.

    Raises ValidationError for what only an item may say, such as its price: it would count for none of them.
    """
    if not isinstance(fields, dict):
        return fields
    own = {name for name, field in item.model_fields.items() if not field.is_required()} - model.model_fields.keys()
    misplaced = [name for name in canonical(item, fields) if name in own]
    if misplaced:
        raise fault(model, f"Say it in each of {listed}: here it would count for none of them.", *misplaced)
    return fields


def fault(model: type[ApiModel], sentence: str, *fields: str) -> ValidationError:
    """What is wrong with fields that can only be judged beside others, for a validator of the model to raise."""
    kind = PydanticCustomError("fault", "{sentence}", {"sentence": sentence})
    faults = [InitErrorDetails(type=kind, loc=(field,), input=sentence) for field in fields]
    return ValidationError.from_exception_data(model.__name__, faults)


@cache
def _spellings(model: type[ApiModel]) -> dict[str, str]:
    """The fields of a model by their folded names."""
    fields = [field.alias or name for name, field in model.model_fields.items()]
    others = {_folded(other): field for other, field in ALIASES.items() if field in fields}
    return others | {_folded(field): field for field in fields}


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _faults(error: ValidationError) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    for found in error.errors(include_url=False):
        faults.setdefault(_named(found["loc"]) or "_schema", []).append(_sentence(found))
    return faults


def _named(place: tuple[str | int, ...]) -> str:
    """As ``orders[1].action``, the element by its index in the request."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


_SENTENCES = {
    "list_type": "Not a valid list.",
    "model_type": "Invalid input type.",
    "extra_forbidden": "Unknown field.",
}


def _sentence(found: Any) -> str:
    if found["type"] == "missing":
        return "Missing data for required field."
    if found["input"] is None:
        return "Field may not be null."
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    return _SENTENCES.get(found["type"], str(found["msg"]))
