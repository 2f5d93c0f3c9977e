"""Orders that wait for a price over days, "good till triggered" (contract 2.7): requests, then their answers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel, Done
from openalgo_bridge.api.schemas.fields import (
    PRICE_SCHEMA,
    ActionField,
    ExchangeField,
    Label,
    OrderId,
    Price,
    Quantity,
    Strategy,
    Symbol,
    as_price,
    choice,
)
from openalgo_bridge.clock import IST
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import GttLeg, GttRequest, PriceType, Product, TriggerSide

_MIS = "GTT supports only CNC (delivery) or NRML (overnight F&O); MIS is intraday-only."
_NO_TRIGGER = "SINGLE GTT requires a positive triggerprice_sl or triggerprice_tg."
_NO_MOMENT = "Must be YYYY-MM-DD, YYYY-MM-DD HH:MM:SS or ISO 8601."
_LENGTH_OF_DAY = len("YYYY-MM-DD")
_END_OF_DAY = time(23, 59, 59)
_MOMENT = re.compile(r"[0-9]{4}(-[0-9]{2}){2}([ T][0-9]{2}(:[0-9]{2}){1,2}(\.[0-9]{3,6})?(Z|[+-][0-9]{2}:[0-9]{2})?)?")


class TriggerType(StrEnum):
    """One trigger, or two of which the first that is reached ends the other."""

    SINGLE = "SINGLE"
    OCO = "OCO"


def _trigger_type(value: Any) -> TriggerType:
    word = value.strip().upper() if isinstance(value, str) else ""
    if word not in set(TriggerType):
        raise ValueError("Must be 'SINGLE' or 'OCO'.")
    return TriggerType(word)


def _product(value: Any) -> Product:
    if isinstance(value, str) and value.strip() == Product.MIS:
        raise ValueError(_MIS)
    return choice((Product.CNC, Product.NRML), value)


def _trigger(value: Any) -> Decimal:
    return Decimal(0) if value == "" else as_price(value)


def _limit(value: Any) -> Decimal | None:
    return None if value is None or value == "" else as_price(value)


def _expires_at(value: Any) -> datetime | None:
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    if not _MOMENT.fullmatch(text):
        raise ValueError(_NO_MOMENT)
    try:
        return _in_india(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_NO_MOMENT) from error


def _in_india(text: str) -> datetime:
    """A day means to its end, and a time without an offset is India's."""
    moment = datetime.fromisoformat(text)
    if len(text) == _LENGTH_OF_DAY:
        moment = datetime.combine(moment, _END_OF_DAY)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=IST)


_BLANK = {"const": ""}
_NULL = {"type": "null"}
_TRIGGER_SCHEMA = {"anyOf": [PRICE_SCHEMA.json_schema, _BLANK], "examples": ["0"]}
_LIMIT_SCHEMA = {"anyOf": [PRICE_SCHEMA.json_schema, _BLANK, _NULL], "examples": ["0"]}
_EXPIRES_SCHEMA = {"anyOf": [{"type": "string", "pattern": rf"^\s*{_MOMENT.pattern}\s*$"}, _NULL]}
_TYPE_SCHEMA = {"type": "string", "pattern": r"^\s*([Ss][Ii][Nn][Gg][Ll][Ee]|[Oo][Cc][Oo])\s*$", "examples": ["SINGLE"]}

TriggerTypeField = Annotated[TriggerType, BeforeValidator(_trigger_type), WithJsonSchema(_TYPE_SCHEMA)]
TriggerPrice = Annotated[Decimal, BeforeValidator(_trigger), WithJsonSchema(_TRIGGER_SCHEMA)]
LegPrice = Annotated[Decimal | None, BeforeValidator(_limit), WithJsonSchema(_LIMIT_SCHEMA)]
ExpiresAt = Annotated[datetime | None, BeforeValidator(_expires_at), WithJsonSchema(_EXPIRES_SCHEMA)]


_EXAMPLE: JsonDict = {
    "strategy": "first",
    "trigger_type": "SINGLE",
    "symbol": "RELIANCE",
    "exchange": "NSE",
    "action": "BUY",
    "product": "CNC",
    "quantity": "1",
    "price": "1400",
    "triggerprice_sl": "1400",
}


class GttOrder(ApiModel):
    """What a trigger shall place, in every request that has one."""

    strategy: Strategy = Field(description="Your name for the program, shown with the order.")
    trigger_type: TriggerTypeField = Field(description="SINGLE, or OCO: two triggers of which one ends the other.")
    symbol: Symbol
    exchange: ExchangeField
    action: ActionField
    product: Annotated[Product, BeforeValidator(_product)] = Field(examples=["CNC"], description="CNC or NRML.")
    quantity: Quantity
    pricetype: Annotated[
        PriceType, BeforeValidator(lambda value: choice((PriceType.LIMIT, PriceType.MARKET), value))
    ] = Field(default=PriceType.LIMIT, description="LIMIT or MARKET.")
    price: Price = Field(description="The limit of a SINGLE; 0 for OCO.")
    triggerprice_sl: TriggerPrice = Field(default=Decimal(0), description="Reached when the price falls to it.")
    triggerprice_tg: TriggerPrice = Field(default=Decimal(0), description="Reached when the price rises to it.")
    stoploss: LegPrice = Field(default=None, description="OCO: the limit of the order at triggerprice_sl.")
    target: LegPrice = Field(default=None, description="OCO: the limit of the order at triggerprice_tg.")

    def gtt(self) -> GttRequest:
        """What is asked for. Raises Invalid naming every fault that no field can say alone."""
        self._check()
        return GttRequest(
            symbol=self.symbol,
            exchange=self.exchange,
            action=self.action,
            quantity=self.quantity,
            price_type=self.pricetype,
            product=self.product,
            legs=self._legs(),
        )

    def _legs(self) -> tuple[GttLeg, ...]:
        """Of a SINGLE with both triggers the stop-loss counts (contract 2.7.1)."""
        stop = (TriggerSide.STOPLOSS, self.triggerprice_sl, self.stoploss)
        target = (TriggerSide.TARGET, self.triggerprice_tg, self.target)
        if self.trigger_type is TriggerType.OCO:
            return tuple(self._leg(side, trigger, limit) for side, trigger, limit in (stop, target))
        side, trigger, _ = stop if self.triggerprice_sl else target
        return (self._leg(side, trigger, self.price),)

    def _leg(self, side: TriggerSide, trigger: Decimal, limit: Decimal | None) -> GttLeg:
        """At market the limit means nothing."""
        price = limit if limit is not None and self.pricetype is PriceType.LIMIT else Decimal(0)
        return GttLeg(side=side, trigger_price=trigger, price=price)

    def _check(self) -> None:
        """Raises Invalid naming every fault."""
        faults = self._faults_of_one() if self.trigger_type is TriggerType.SINGLE else self._faults_of_two()
        if faults:
            raise Invalid.of(faults)

    def _faults_of_one(self) -> dict[str, list[str]]:
        return {} if self.triggerprice_sl or self.triggerprice_tg else {"triggerprice_sl": [_NO_TRIGGER]}

    def _faults_of_two(self) -> dict[str, list[str]]:
        needed = {
            "triggerprice_sl": (self.triggerprice_sl, "stoploss trigger price"),
            "triggerprice_tg": (self.triggerprice_tg, "target trigger price"),
            "stoploss": (self.stoploss, "stoploss leg limit price"),
            "target": (self.target, "target leg limit price"),
        }
        faults = {field: [f"Required for OCO ({what})."] for field, (value, what) in needed.items() if not value}
        if not faults and self.triggerprice_sl >= self.triggerprice_tg:
            faults["triggerprice_sl"] = ["Stoploss trigger must be less than target trigger (triggerprice_tg)."]
        return faults


class PlaceGtt(GttOrder):
    """``POST /placegttorder`` (contract 2.7.1)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    expires_at: ExpiresAt = Field(default=None, description="When it ends unused; a year from now, if left out.")

    def gtt(self) -> GttRequest:
        return replace(super().gtt(), expires_at=self.expires_at)


class ModifyGtt(GttOrder):
    """``POST /modifygttorder`` (contract 2.7.2): all of it is replaced."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "trigger_id": "26112100000001"}]})

    trigger_id: OrderId


class NamedGtt(ApiModel):
    """``POST /cancelgttorder`` (contract 2.7.3)."""

    strategy: Label = "-"
    trigger_id: OrderId


class GttAnswer(Done):
    """The broker keeps it under this id, or took its withdrawal."""

    trigger_id: str


class GttWithdrawnAnswer(Done):
    """It waited for the person, and nothing was sent. ``trigger_id`` is the reference that named it."""

    trigger_id: str
    message: str


class GttInDoubtAnswer(Done):
    """The broker may keep it or not: do not send it again. ``/orderstatus`` of the ``reference`` looks it up."""

    trigger_id: str
    reference: str
    order_status: Literal["unknown"]
    message: str


class GttLegRow(TypedDict):
    """What is placed when a trigger is reached."""

    action: str
    price: float
    pricetype: str
    product: str
    quantity: int


class GttRow(TypedDict):
    """One that waits. ``two-leg`` is an OCO; the times are IST, and empty where there is none.

    ``strategy`` and ``margin_blocked``: in analyze mode.
    """

    trigger_id: str
    trigger_type: Literal["single", "two-leg"]
    status: Literal["active"]
    symbol: str
    exchange: str
    trigger_prices: list[float]
    last_price: float
    legs: list[GttLegRow]
    created_at: str
    updated_at: str
    expires_at: str
    strategy: NotRequired[str]
    margin_blocked: NotRequired[float]


class GttOrderBookAnswer(Done):
    """Those that wait."""

    data: list[GttRow]
