"""What asks for instruments (contract 2.6): requests, then their answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import DerivativeExchangeField, ExchangeField, Symbol, choice

_LONGEST_QUERY = 100
_NO_QUERY = "Query parameter is required and cannot be empty"
_QUERY_SCHEMA = {"type": "string", "pattern": r"\S", "maxLength": _LONGEST_QUERY, "examples": ["NIFTY 24000 CE"]}


class ContractKind(StrEnum):
    """The dialect's words for what expires."""

    FUTURES = "futures"
    OPTIONS = "options"


class InstrumentsFormat(StrEnum):
    """How ``/instruments`` answers."""

    JSON = "json"
    CSV = "csv"


def _query(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    if not value.strip():
        raise ValueError(_NO_QUERY)
    if len(value) > _LONGEST_QUERY:
        raise ValueError(f"Longer than maximum length {_LONGEST_QUERY}.")
    return value


def _in_capitals(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class SearchedInstruments(ApiModel):
    """``POST /search`` (contract 2.6.2)."""

    query: Annotated[str, BeforeValidator(_query), WithJsonSchema(_QUERY_SCHEMA)] = Field(
        description="Words that must all be found: of the symbol, the name, the expiry, the strike."
    )
    exchange: ExchangeField | None = Field(default=None, description="Only what is listed there.")


class Underlying(ApiModel):
    """``POST /expiry`` (contract 2.6.3)."""

    symbol: Annotated[Symbol, BeforeValidator(_in_capitals)] = Field(description="The underlying, such as NIFTY.")
    exchange: DerivativeExchangeField
    instrumenttype: Annotated[ContractKind, BeforeValidator(lambda value: choice(ContractKind, value))] = Field(
        examples=["options"]
    )


class InstrumentList(ApiModel):
    """``GET /instruments`` (contract 2.6.4)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"exchange": "NSE"}]})

    exchange: ExchangeField | None = Field(default=None, description="Only what is listed there; else everything.")
    format: Annotated[InstrumentsFormat, BeforeValidator(lambda value: choice(InstrumentsFormat, value))] = (
        InstrumentsFormat.JSON
    )


class SymbolFields(TypedDict):
    """One instrument. ``expiry`` is ``DD-MMM-YY``, or empty; ``strike`` is 0 for what is no option."""

    symbol: str
    brsymbol: str
    name: str
    exchange: str
    brexchange: str
    token: str
    expiry: str
    strike: float
    lotsize: int
    instrumenttype: str
    tick_size: float


class SearchRow(SymbolFields):
    """One instrument that was found. ``freeze_qty``: the most units of one order, 0 where it is not known."""

    freeze_qty: int


class SymbolRow(SearchRow):
    """``id`` is its place in today's list."""

    id: int


class SymbolAnswer(TypedDict):
    """One instrument."""

    status: Literal["success"]
    data: SymbolRow


class SearchAnswer(TypedDict):
    """What was found, the best first, at most 500."""

    status: Literal["success"]
    message: str
    data: list[SearchRow]


class ExpiryAnswer(TypedDict):
    """Days as ``DD-MMM-YY``, the nearest first."""

    status: Literal["success"]
    message: str
    data: list[str]


class InstrumentsAnswer(TypedDict):
    """The instrument list, by exchange and symbol."""

    status: Literal["success"]
    message: str
    data: list[SymbolFields]
