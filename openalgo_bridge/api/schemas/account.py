"""What asks about the account (contract 2.2.2, 2.3, 2.8): requests, then their answers."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel, Done
from openalgo_bridge.api.schemas.fields import ExchangeField, ProductField, Switch, Symbol
from openalgo_bridge.api.schemas.orders import OrderRow


class Nothing(ApiModel):
    """A call that needs the key only."""


class OpenPosition(ApiModel):
    """``POST /openposition``."""

    symbol: Symbol
    exchange: ExchangeField
    product: ProductField


class ToggleAnalyzer(ApiModel):
    """``POST /analyzer/toggle``: true asks for analyze, false for live."""

    mode: Switch = Field(description="true: paper (analyze), false: live.")


class Pong(TypedDict):
    """``broker`` is ``paper`` for the built-in exchange."""

    broker: str
    message: Literal["pong"]


class PingAnswer(TypedDict):
    """AmiBroker shows the broker's name."""

    status: Literal["success"]
    data: Pong


class OrderBookRow(OrderRow):
    """An order with what is still open of it."""

    pending_quantity: str


class OrderStatistics(TypedDict):
    """How many of each."""

    total_buy_orders: int
    total_sell_orders: int
    total_completed_orders: int
    total_open_orders: int
    total_rejected_orders: int
    total_trigger_pending_orders: int


class OrderBook(TypedDict):
    """Newest first."""

    orders: list[OrderBookRow]
    statistics: OrderStatistics


class OrderBookAnswer(Done):
    """The orders of the day."""

    data: OrderBook


class TradeRow(TypedDict):
    """One fill. The time is IST."""

    action: str
    average_price: float
    exchange: str
    orderid: str
    product: str
    quantity: int
    symbol: str
    timestamp: str
    trade_value: float
    tradeid: str


class TradeBookAnswer(Done):
    """The fills of the day."""

    data: list[TradeRow]


class PositionRow(TypedDict):
    """One position. Every number is text, which the strictest clients need."""

    average_price: str
    exchange: str
    ltp: str
    pnl: str
    product: str
    quantity: str
    symbol: str


class PositionBookAnswer(Done):
    """The positions, closed ones included."""

    data: list[PositionRow]


class SymbolProfit(TypedDict):
    """What one position made today, in rupees: ``unrealized_pnl`` of what is open, ``today_realized_pnl`` booked."""

    symbol: str
    exchange: str
    product: str
    quantity: int
    pnl: float
    unrealized_pnl: float
    today_realized_pnl: float
    total_pnl_today: float


class SymbolProfitsAnswer(Done):
    """The profit of today by position, closed ones included, and the sums."""

    data: list[SymbolProfit]
    total_pnl: float
    total_unrealized_pnl: float
    total_today_realized_pnl: float
    total_pnl_today: float


class OpenPositionAnswer(Done):
    """The signed net quantity, as text: below zero when short."""

    quantity: str


class HoldingRow(TypedDict):
    """The shares of one company."""

    average_price: float
    exchange: str
    pnl: float
    pnlpercent: float
    product: str
    quantity: int
    symbol: str


class HoldingStatistics(TypedDict):
    """The sums, in rupees."""

    totalholdingvalue: float
    totalinvvalue: float
    totalpnlpercentage: float
    totalprofitandloss: float


class Holdings(TypedDict):
    """The shares and their sums."""

    holdings: list[HoldingRow]
    statistics: HoldingStatistics


class HoldingsAnswer(Done):
    """The shares in the demat account."""

    data: Holdings


class Funds(TypedDict):
    """Rupees as text of two decimals. From ``grossexposure`` on: in analyze mode only."""

    availablecash: str
    collateral: str
    m2mrealized: str
    m2munrealized: str
    utiliseddebits: str
    grossexposure: NotRequired[str]
    last_reset: NotRequired[str]
    reset_count: NotRequired[str]
    today_realized_pnl: NotRequired[str]
    total_realized_pnl: NotRequired[str]
    totalpnl: NotRequired[str]


class FundsAnswer(Done):
    """The money of the account."""

    data: Funds


class AnalyzerState(TypedDict):
    """``total_logs``: requests of the day in this mode. ``message``: after a switch."""

    analyze_mode: bool
    mode: Literal["analyze", "live"]
    total_logs: int
    message: NotRequired[str]


class AnalyzerAnswer(TypedDict):
    """Where orders go now."""

    status: Literal["success"]
    data: AnalyzerState
