"""What asks for prices and bars (contract 2.4): requests, then their answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import Day, ExchangeField, IntervalField, Symbol, choice
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange

_TICKER_SCHEMA = {
    "type": "string",
    "pattern": rf"^\s*({'|'.join(Exchange)})\s*:\s*[A-Z0-9&._:\-]{{1,40}}\s*$",
    "examples": ["NSE:RELIANCE"],
}


class Source(StrEnum):
    """The dialect's words for where bars come from: the broker, or what the bridge keeps itself."""

    API = "api"
    DB = "db"


class TickerFormat(StrEnum):
    """How ``/ticker`` answers."""

    JSON = "json"
    TXT = "txt"


def _one_or_more(value: Any) -> Any:
    if isinstance(value, list) and not value:
        raise ValueError("Shorter than minimum length 1.")
    return value


def _named(value: Any) -> Any:
    """``NSE:RELIANCE``. Without an exchange nothing is guessed: the prices would be somebody else's."""
    exchange, colon, symbol = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon:
        raise ValueError("Must be EXCHANGE:SYMBOL, such as NSE:RELIANCE.")
    return {"exchange": exchange, "symbol": symbol}


class InstrumentName(ApiModel):
    """One instrument, by the dialect's name for it."""

    symbol: Symbol
    exchange: ExchangeField


class NamedInstrument(InstrumentName):
    """``POST /quotes``, ``/depth`` and ``/symbol``."""


class NamedInstruments(ApiModel):
    """``POST /multiquotes`` (contract 2.4.2)."""

    symbols: Annotated[list[InstrumentName], BeforeValidator(_one_or_more)] = Field(
        json_schema_extra={"minItems": 1}, description="One or more."
    )


class History(ApiModel):
    """``POST /history`` (contract 2.4.4)."""

    symbol: Symbol
    exchange: ExchangeField
    interval: IntervalField
    start_date: Day = Field(description="The first day, India's.")
    end_date: Day = Field(description="The last day, which is included.")
    source: Annotated[Source, BeforeValidator(lambda value: choice(Source, value))] = Field(
        default=Source.API, description="The same bars either way: the bridge keeps none of its own."
    )


class Ticker(ApiModel):
    """``GET /ticker/EXCHANGE:SYMBOL`` (contract 2.4.6)."""

    instrument: Annotated[InstrumentName, BeforeValidator(_named), WithJsonSchema(_TICKER_SCHEMA)]
    interval: IntervalField = Interval.DAY
    first: Day = Field(
        alias="from",
        description="The first day, India's. At most 3650 days before the last one, for bars within a day 30.",
    )
    last: Day = Field(alias="to", description="The last day, which is included.")
    format: Annotated[TickerFormat, BeforeValidator(lambda value: choice(TickerFormat, value))] = Field(
        default=TickerFormat.JSON, description="txt: lines for an ASCII import, with IST days and times."
    )


class QuoteFields(TypedDict):
    """Prices in rupees, of today and of now. Numbers: AmiBroker reads a quoted one as 0."""

    ask: float
    ask_qty: int
    bid: float
    bid_qty: int
    high: float
    low: float
    ltp: float
    oi: int
    open: float
    prev_close: float
    volume: int


class QuotesAnswer(TypedDict):
    """The prices of one instrument."""

    status: Literal["success"]
    data: QuoteFields


class QuotedInstrument(TypedDict):
    """One of many: ``data``, or ``error`` where there is no price."""

    symbol: str
    exchange: str
    data: NotRequired[QuoteFields]
    error: NotRequired[str]


class MultiQuotesAnswer(TypedDict):
    """What is not listed comes first, then the others as they were asked for. ``data`` is the same list again."""

    status: Literal["success"]
    results: list[QuotedInstrument]
    data: list[QuotedInstrument]


class DepthLevel(TypedDict):
    """Units at one price; both 0 where nothing is."""

    price: float
    quantity: int


class DepthFields(TypedDict):
    """Five levels a side, best first. ``ltq``: units of the last trade. The totals are of the whole book."""

    asks: list[DepthLevel]
    bids: list[DepthLevel]
    high: float
    low: float
    ltp: float
    ltq: int
    oi: int
    open: float
    prev_close: float
    totalbuyqty: int
    totalsellqty: int
    volume: int


class DepthAnswer(TypedDict):
    """What is bid and asked for one instrument."""

    status: Literal["success"]
    data: DepthFields


class BarRow(TypedDict):
    """``timestamp``: epoch seconds at which the bar begins; of days and longer, 00:00 UTC of its date in India."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    oi: int


class HistoryAnswer(TypedDict):
    """Bars, the oldest first. Empty where there are none."""

    status: Literal["success"]
    data: list[BarRow]


class Intervals(TypedDict):
    """What ``/history`` takes, by kind."""

    seconds: list[str]
    minutes: list[str]
    hours: list[str]
    days: list[str]
    weeks: list[str]
    months: list[str]


class IntervalsAnswer(TypedDict):
    """The bars that the broker has. The dialect has no word for quarters and years, which may be asked for too."""

    status: Literal["success"]
    data: Intervals
