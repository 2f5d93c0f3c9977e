"""What asks about options (contract 2.5): requests, then their answers."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import (
    DerivativeExchangeField,
    ExchangeField,
    Price,
    Switch,
    Symbol,
    at_most,
    choice,
    number_schema,
    whole_within,
    within,
)
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.options import FURTHEST, Offset, OptionType
from openalgo_bridge.model.symbol import parse_date

_MOST_AT_ONCE = 50
_MOST_STRIKES = 100
_LARGEST_STEP = 100_000
_LARGEST_RATE = 100
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]")
_NO_DAY = "Not a valid date: DDMMMYY, such as 28OCT25."


def _expiry(value: Any) -> date | None:
    """A blank one is none: spreadsheets send what an empty cell holds."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(_NO_DAY)
    try:
        return parse_date(value.strip()) if value.strip() else None
    except Invalid as fault:
        raise ValueError(_NO_DAY) from fault


def _offset(value: Any) -> Offset:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    try:
        return Offset.parse(value)
    except Invalid as fault:
        raise ValueError(fault.faults["offset"][0]) from fault


def _option_type(value: Any) -> OptionType:
    return choice(OptionType, value.upper() if isinstance(value, str) else value)


def _time_of_day(value: Any) -> time:
    text = value.strip() if isinstance(value, str) else ""
    if not _TIME.fullmatch(text):
        raise ValueError("Not a valid time: HH:MM, such as 15:30.")
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))


_OFFSET_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*([Aa][Tt][Mm]|([Ii]|[Oo])[Tt][Mm][1-9][0-9]?)\s*$",
    "examples": ["ATM"],
}
_EXPIRY_SCHEMA = {"type": "string", "pattern": r"^\s*([0-9]{2}[A-Za-z]{3}[0-9]{2})?\s*$", "examples": ["29DEC26"]}
_OPTION_TYPE_SCHEMA = {"type": "string", "pattern": r"^\s*([Cc]|[Pp])[Ee]\s*$", "examples": ["CE"]}
_TIME_SCHEMA = {"type": "string", "pattern": rf"^\s*{_TIME.pattern}\s*$", "examples": ["15:30"]}

OffsetField = Annotated[Offset, BeforeValidator(_offset), WithJsonSchema(_OFFSET_SCHEMA)]
OptionTypeField = Annotated[OptionType, BeforeValidator(_option_type), WithJsonSchema(_OPTION_TYPE_SCHEMA)]
ExpiryDate = Annotated[
    date | None,
    BeforeValidator(_expiry),
    WithJsonSchema({"anyOf": [_EXPIRY_SCHEMA, {"type": "null"}], "examples": ["29DEC26"]}),
]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day), WithJsonSchema(_TIME_SCHEMA)]
StrikeStep = Annotated[
    int, BeforeValidator(whole_within(1, _LARGEST_STEP)), number_schema("integer", 1, _LARGEST_STEP, "50")
]
StrikeCount = Annotated[
    int, BeforeValidator(whole_within(1, _MOST_STRIKES)), number_schema("integer", 1, _MOST_STRIKES, "10")
]
Rate = Annotated[Decimal, BeforeValidator(within(0, _LARGEST_RATE)), number_schema("number", 0, _LARGEST_RATE, "0")]


class OptionsOf(ApiModel):
    """What names the underlying of options, and their expiry."""

    underlying: Symbol = Field(description="NIFTY, or with an expiry NIFTY28OCT25FUT.", examples=["NIFTY29DEC26FUT"])
    exchange: ExchangeField = Field(
        description="Where the underlying is quoted, or where its options are traded.", examples=["NFO"]
    )
    expiry_date: ExpiryDate = Field(default=None, description="Wins over the expiry in `underlying`.")


class OptionSymbol(OptionsOf):
    """``POST /optionsymbol`` (contract 2.5.1)."""

    offset: OffsetField = Field(
        description=f"ATM, ITM1 to ITM{FURTHEST}, OTM1 to OTM{FURTHEST}: so many listed strikes."
    )
    option_type: OptionTypeField
    strike_int: StrikeStep | None = Field(default=None, description="Counts only strikes on a grid of so many rupees.")


class OptionChain(OptionsOf):
    """``POST /optionchain`` (contract 2.5.2)."""

    strike_count: StrikeCount | None = Field(
        default=None, description="How many strikes on each side of the one at the money; else all."
    )
    with_greeks: Switch = Field(default=False, description="Implied volatility and greeks of each option.")
    interest_rate: Rate | None = Field(default=None, description="Per cent a year, for the greeks.")


class Synthetic(OptionsOf):
    """``POST /syntheticfuture`` (contract 2.5.5)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "29DEC26"}]}
    )


class GreeksOf(ApiModel):
    """What names an option, and whose price counts."""

    symbol: Symbol = Field(description="The option.", examples=["NIFTY29DEC2626000CE"])
    exchange: DerivativeExchangeField
    underlying_symbol: Symbol | None = Field(
        default=None, description="A future: its price is the forward. A share or index: it says which strike is near."
    )
    underlying_exchange: ExchangeField | None = None


class OptionGreeks(GreeksOf):
    """``POST /optiongreeks`` (contract 2.5.3)."""

    interest_rate: Rate | None = Field(default=None, description="Per cent a year.")
    forward_price: Price | None = Field(default=None, description="The forward in rupees, where it shall not be found.")
    expiry_time: TimeOfDay | None = Field(default=None, description="When it expires, India's time, if not as usual.")


class MultiOptionGreeks(ApiModel):
    """``POST /multioptiongreeks`` (contract 2.5.4)."""

    symbols: Annotated[list[GreeksOf], BeforeValidator(at_most(_MOST_AT_ONCE, "Symbols"))] = Field(
        json_schema_extra={"minItems": 1, "maxItems": _MOST_AT_ONCE}
    )
    interest_rate: Rate | None = Field(default=None, description="Per cent a year.")
    expiry_time: TimeOfDay | None = Field(default=None, description="When they expire, India's time, if not as usual.")


class OptionSymbolAnswer(TypedDict):
    """The listed option. ``freeze_qty``: the most units of one order, 0 where it is not known."""

    status: Literal["success"]
    symbol: str
    exchange: str
    lotsize: int
    tick_size: float
    freeze_qty: int
    underlying_ltp: float


class ChainLeg(TypedDict):
    """One option. Prices are 0 where there are none; the last five are there when greeks are asked for and computable.

    ``theta`` per day, ``vega`` and ``rho`` per percentage point; ``implied_volatility`` in per cent.
    """

    symbol: str
    label: str
    ltp: float
    bid: float
    ask: float
    bid_qty: int
    ask_qty: int
    open: float
    high: float
    low: float
    prev_close: float
    volume: int
    oi: int
    lotsize: int
    tick_size: float
    implied_volatility: NotRequired[float]
    delta: NotRequired[float]
    gamma: NotRequired[float]
    theta: NotRequired[float]
    vega: NotRequired[float]


class ChainRow(TypedDict):
    """The call and the put of one strike, null where it is not listed."""

    strike: float
    ce: ChainLeg | None
    pe: ChainLeg | None


class OptionChainAnswer(TypedDict):
    """Ascending by strike. ``forward_price``: what the greeks were made with, null without them. Times are seconds."""

    status: Literal["success"]
    underlying: str
    underlying_symbol: str
    underlying_exchange: str
    underlying_ltp: float
    underlying_prev_close: float
    expiry_date: str
    expiry_ts: int
    server_ts: int
    atm_strike: float
    quotes_included: Literal[True]
    greeks_included: bool
    forward_price: float | None
    chain: list[ChainRow]


class GreekFields(TypedDict):
    """In rupees: per rupee of the forward, per day, per percentage point of volatility and of the rate."""

    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


class OptionGreeksAnswer(TypedDict):
    """``spot_price`` is the forward that was used. The last three are there when there is no time value, or no time."""

    status: Literal["success"]
    symbol: str
    exchange: str
    underlying: str
    strike: float
    option_type: Literal["CE", "PE"]
    expiry_date: str
    days_to_expiry: float
    spot_price: float
    option_price: float
    interest_rate: float
    implied_volatility: float
    greeks: GreekFields
    intrinsic_value: NotRequired[float]
    time_value: NotRequired[float]
    note: NotRequired[str]


class FailedGreeks(TypedDict):
    """An option that could not be valued, and why."""

    status: Literal["error"]
    symbol: str
    exchange: str
    message: str


class GreeksSummary(TypedDict):
    """How many of each."""

    total: int
    success: int
    failed: int


class MultiOptionGreeksAnswer(TypedDict):
    """In the order of the request. ``partial`` where some could not be valued, ``error`` where none could."""

    status: Literal["success", "partial", "error"]
    data: list[OptionGreeksAnswer | FailedGreeks]
    summary: GreeksSummary
    message: NotRequired[str]


class SyntheticFutureAnswer(TypedDict):
    """The strike at the money, plus its call, minus its put."""

    status: Literal["success"]
    underlying: str
    underlying_ltp: float
    expiry: str
    atm_strike: float
    synthetic_future_price: float
