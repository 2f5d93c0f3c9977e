"""The dialect's field types: numbers or strings everywhere, and each fault a sentence (contract 1.5 to 1.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from openalgo_bridge.clock import from_ms
from openalgo_bridge.model.order import Action, Exchange, PriceType, Product

_Choice = TypeVar("_Choice", bound=StrEnum)

# ASCII only: Decimal() itself also takes "١٢" and "1_000" (security M18).
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,8})?([eE][+-]?\d{1,2})?", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9&._:\-]{1,40}", re.ASCII)
_MAX_QUANTITY = 1_000_000_000
_MAX_PRICE = Decimal(10_000_000)
_LONGEST_STRATEGY = 100
_LONGEST_ID = 64
_NO_MOMENT = (
    "Must be seconds or milliseconds since 1970, or ISO 8601 with an offset, such as 2026-11-21T10:30:00+05:30."
)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("Not a valid number.")
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise ValueError("Not a valid number.")
    return Decimal(value.strip() if isinstance(value, str) else value)


def _whole(value: Any) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise ValueError(f"Fractional quantity ({number}) is not allowed for non-crypto exchanges.")
    return int(number)


def _quantity(value: Any) -> int:
    quantity = _whole(value)
    if quantity <= 0:
        raise ValueError("Quantity must be a positive number.")
    if quantity > _MAX_QUANTITY:
        raise ValueError(f"Quantity must not be larger than {_MAX_QUANTITY}.")
    return quantity


def _disclosed(value: Any) -> int:
    number = _number(value)
    if number < 0 or number != number.to_integral_value() or number > _MAX_QUANTITY:
        raise ValueError("Disclosed quantity must be a non-negative integer.")
    return int(number)


def _price(value: Any) -> Decimal:
    price = _number(value)
    if price < 0:
        raise ValueError("Must be a non-negative number.")
    if price > _MAX_PRICE:
        raise ValueError(f"Must not be larger than {_MAX_PRICE}.")
    return price


def _symbol(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    if not _SYMBOL.fullmatch(value.strip()):
        raise ValueError("Not a valid symbol: capital letters, digits and & . _ : - only, at most 40.")
    return value.strip()


def _strategy(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    name = value.strip()
    if not name or len(name) > _LONGEST_STRATEGY or not name.isprintable():
        raise ValueError(f"Must be 1 to {_LONGEST_STRATEGY} printable characters.")
    return name


def _order_id(value: Any) -> str:
    """Clients send it unconverted, so that an int becomes a JSON number (contract 5.1 item 4)."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("Not a valid string.")
    order_id = str(value).strip()
    if not order_id or len(order_id) > _LONGEST_ID or not order_id.isascii() or not order_id.isprintable():
        raise ValueError(f"Must be 1 to {_LONGEST_ID} printable ASCII characters.")
    return order_id


def _moment(value: Any) -> datetime:
    """Seconds or milliseconds since 1970, or ISO 8601 with its offset: a time of nowhere says nothing about an age."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(_NO_MOMENT)
    text = str(value).strip()
    try:
        moment = _since_1970(text) if text.isascii() and text.isdigit() else datetime.fromisoformat(text)
        utc = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(_NO_MOMENT) from error
    if moment.tzinfo is None:
        raise ValueError(_NO_MOMENT)
    return utc


def _since_1970(digits: str) -> datetime:
    """Ten digits are seconds, thirteen are milliseconds, until the year 2286."""
    if len(digits) not in {10, 13}:
        raise ValueError(_NO_MOMENT)
    return from_ms(int(digits.ljust(13, "0")))


def _choice(kind: type[_Choice], value: Any) -> _Choice:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    if value.strip() not in set(kind):
        raise ValueError(f"Must be one of: {', '.join(kind)}.")
    return kind(value.strip())


def _action(value: Any) -> Action:
    """TradingView's placeholder comes in lower case (contract 2.12.1)."""
    return _choice(Action, value.upper() if isinstance(value, str) else value)


Quantity = Annotated[int, BeforeValidator(_quantity)]
DisclosedQuantity = Annotated[int, BeforeValidator(_disclosed)]
Price = Annotated[Decimal, BeforeValidator(_price)]
Symbol = Annotated[str, BeforeValidator(_symbol)]
Strategy = Annotated[str, BeforeValidator(_strategy)]
OrderId = Annotated[str, BeforeValidator(_order_id)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
ActionField = Annotated[Action, BeforeValidator(_action)]
ExchangeField = Annotated[Exchange, BeforeValidator(lambda value: _choice(Exchange, value))]
PriceTypeField = Annotated[PriceType, BeforeValidator(lambda value: _choice(PriceType, value))]
ProductField = Annotated[Product, BeforeValidator(lambda value: _choice(Product, value))]
