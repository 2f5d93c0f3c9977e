"""The dialect's field types: numbers or strings everywhere, and each fault a sentence (contract 1.5 to 1.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from openalgo_bridge.clock import from_ms
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Action, Exchange, PriceType, Product
from openalgo_bridge.model.symbol import SYMBOL_PATTERN

_Choice = TypeVar("_Choice", bound=StrEnum)

DERIVATIVE_EXCHANGES = (
    Exchange.NFO,
    Exchange.BFO,
    Exchange.MCX,
    Exchange.CDS,
    Exchange.NCO,
    Exchange.BCD,
    Exchange.NCDEX,
    Exchange.CRYPTO,
)
"""Where something expires (contract 1.6)."""

# ASCII only: Decimal() itself also takes "١٢" and "1_000" (security M18).
# Twenty decimals are what the smallest tick, a quarter of a paisa, has once a binary fraction was multiplied into it.
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_SYMBOL = re.compile(SYMBOL_PATTERN)
_DAY = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}
_MAX_QUANTITY = 1_000_000_000
_MAX_PRICE = Decimal(10_000_000)
_PRICE_PLACES = 6
_NOISE = Decimal("1e-9")
_LARGEST_EXACT_DOUBLE = 2**53
_LONGEST_STRATEGY = 100
_LONGEST_ID = 64
_NO_LABEL = "-"
_NO_DAY = "Not a valid date."
_NO_MOMENT = (
    "Must be seconds or milliseconds since 1970, or ISO 8601 with an offset, such as 2026-11-21T10:30:00+05:30."
)


def as_number(value: Any) -> Decimal:
    """A number, or the text of one. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("Not a valid number.")
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise ValueError("Not a valid number.")
    return Decimal(value.strip() if isinstance(value, str) else value)


def _whole(value: Any) -> int:
    number = as_number(value)
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


def _wanted(value: Any) -> int:
    quantity = _whole(value)
    if not 0 <= quantity <= _MAX_QUANTITY:
        raise ValueError("Quantity must be a non-negative number.")
    return quantity


def _size(value: Any) -> int:
    size = _whole(value)
    if abs(size) > _MAX_QUANTITY:
        raise ValueError(f"Position size must not be larger than {_MAX_QUANTITY}.")
    return size


def _split_size(value: Any) -> int:
    size = _whole(value)
    if not 1 <= size <= _MAX_QUANTITY:
        raise ValueError("Split size must be a positive integer.")
    return size


def _disclosed(value: Any) -> int:
    number = as_number(value)
    if number < 0 or number != number.to_integral_value() or number > _MAX_QUANTITY:
        raise ValueError("Disclosed quantity must be a non-negative integer.")
    return int(number)


def as_price(value: Any, name: str = "") -> Decimal:
    """Rupees, 0 or more. Raises ValueError, naming the price where the dialect does."""
    price = as_number(value)
    what = f"{name} must" if name else "Must"
    if price < 0:
        raise ValueError(f"{what} be a non-negative number.")
    if price > _MAX_PRICE:
        raise ValueError(f"{what} not be larger than {_MAX_PRICE}.")
    return _without_noise(price)


def _without_noise(price: Decimal) -> Decimal:
    """909.65 of 909.6500000000001, which is what ``round(x / 0.05) * 0.05`` makes of it in binary fractions.

    Who means other digits than these keeps them, so that the tick is asked of what was said.
    """
    rounded = Decimal(f"{price:.{_PRICE_PLACES}f}")
    if rounded == price or abs(rounded - price) > price * _NOISE:
        return price
    return Decimal(f"{rounded:f}".rstrip("0").rstrip("."))


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
    if not name or len(value) > _LONGEST_STRATEGY or not name.isprintable():
        raise ValueError(f"Must be 1 to {_LONGEST_STRATEGY} printable characters.")
    return name


def _label(value: Any) -> str:
    """What is only noted: never a reason to refuse a way out of an order or a position, or a look at it."""
    text = " ".join(str(value).split()) if isinstance(value, str | int | Decimal) else ""
    return text[:_LONGEST_STRATEGY] if text and text.isprintable() else _NO_LABEL


def _order_id(value: Any) -> str:
    """Clients send it unconverted: an int becomes a JSON number (contract 5.1 item 4), elsewhere a double does.

    Above 2**53 a double may be the id of another order.
    """
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) <= _LARGEST_EXACT_DOUBLE:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("Not a valid string.")
    order_id = str(value).strip()
    if not order_id or len(str(value)) > _LONGEST_ID or not order_id.isascii() or not order_id.isprintable():
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


def day(value: Any) -> date:
    """The date of ``2026-11-21``, and of ``2026-1-2`` (contract 1). Raises ValueError."""
    text = value.strip() if isinstance(value, str) else ""
    if not _DAY.fullmatch(text):
        raise ValueError(_NO_DAY)
    try:
        return date(*map(int, text.split("-")))
    except ValueError as error:
        raise ValueError(_NO_DAY) from error


def _since_1970(digits: str) -> datetime:
    """Ten digits are seconds, thirteen are milliseconds, until the year 2286."""
    if len(digits) not in {10, 13}:
        raise ValueError(_NO_MOMENT)
    return from_ms(int(digits.ljust(13, "0")))


def choice(kinds: Iterable[_Choice], value: Any) -> _Choice:
    """The one of ``kinds`` that is spelled so. Raises ValueError naming them all."""
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    word = value.strip()
    for kind in kinds:
        if kind == word:
            return kind
    raise ValueError(f"Must be one of: {', '.join(kinds)}.")


def within(least: int, most: int) -> Callable[[Any], Decimal]:
    """A parser of numbers in a range."""

    def parse(value: Any) -> Decimal:
        number = as_number(value)
        if not least <= number <= most:
            raise ValueError(f"Must be greater than or equal to {least} and less than or equal to {most}.")
        return number

    return parse


def whole_within(least: int, most: int) -> Callable[[Any], int]:
    """A parser of whole numbers in a range."""
    in_range = within(least, most)

    def parse(value: Any) -> int:
        number = in_range(value)
        if number != number.to_integral_value():
            raise ValueError("Not a valid integer.")
        return int(number)

    return parse


def at_most(most: int, what: str, *, least: int = 1) -> Callable[[Any], Any]:
    """A check of how many items a list has."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and not least <= len(value) <= most:
            raise ValueError(f"{what} must contain {least} to {most} items.")
        return value

    return check


def _switch(value: Any) -> bool:
    word = str(value).strip().lower()
    if value is None or word not in _TRUE | _FALSE:
        raise ValueError("Not a valid boolean.")
    return word in _TRUE


def _action(value: Any) -> Action:
    """TradingView's placeholder comes in lower case (contract 2.12.1)."""
    return choice(Action, value.upper() if isinstance(value, str) else value)


# What each parser takes, as JSON Schema says it. Never narrower: what a document does not allow must be refused.
_NUMERIC_TEXT = {"type": "string", "pattern": rf"^\s*{_NUMBER.pattern}\s*$"}


def number_schema(kind: str, least: int, most: Decimal | int, example: str) -> WithJsonSchema:
    """The JSON form of a number that may be text: ``kind`` is integer or number."""
    number = {"type": kind, "minimum": least, "maximum": int(most)}
    return WithJsonSchema({"anyOf": [number, _NUMERIC_TEXT], "examples": [example]})


_SYMBOL_SCHEMA = {"type": "string", "pattern": rf"^\s*{_SYMBOL.pattern}\s*$", "examples": ["RELIANCE"]}
_STRATEGY_SCHEMA = {"type": "string", "maxLength": _LONGEST_STRATEGY, "pattern": r"\S", "examples": ["first"]}
_LABEL_SCHEMA = {"description": "Your name for the program, only noted.", "examples": ["first"]}
_ORDER_ID_SCHEMA = {
    "anyOf": [{"type": "string", "maxLength": _LONGEST_ID, "pattern": r"\S"}, {"type": "integer"}],
    "examples": ["26112100000001"],
}
_DAY_SCHEMA = {"type": "string", "pattern": rf"^\s*{_DAY.pattern}\s*$", "examples": ["2026-11-20"]}
_SWITCH_SCHEMA = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "integer", "enum": [0, 1]},
        {"type": "string", "pattern": rf"^\s*(?i:{'|'.join(sorted(_TRUE | _FALSE))})\s*$"},
    ],
    "examples": ["true"],
}
_MOMENT_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "minLength": 10}],
    "examples": ["2026-11-21T10:30:00+05:30"],
}

Quantity = Annotated[int, BeforeValidator(_quantity), number_schema("integer", 1, _MAX_QUANTITY, "1")]
WANTED_SCHEMA = number_schema("integer", 0, _MAX_QUANTITY, "1")
WantedQuantity = Annotated[int, BeforeValidator(_wanted), WANTED_SCHEMA]
Size = Annotated[int, BeforeValidator(_size), number_schema("integer", -_MAX_QUANTITY, _MAX_QUANTITY, "10")]
SplitSize = Annotated[int, BeforeValidator(_split_size), number_schema("integer", 1, _MAX_QUANTITY, "100")]
DisclosedQuantity = Annotated[int, BeforeValidator(_disclosed), number_schema("integer", 0, _MAX_QUANTITY, "0")]
PRICE_SCHEMA = number_schema("number", 0, _MAX_PRICE, "0")

Price = Annotated[Decimal, BeforeValidator(as_price), PRICE_SCHEMA]
OrderPrice = Annotated[Decimal, BeforeValidator(partial(as_price, name="Price")), PRICE_SCHEMA]
TriggerPrice = Annotated[Decimal, BeforeValidator(partial(as_price, name="Trigger price")), PRICE_SCHEMA]
Symbol = Annotated[str, BeforeValidator(_symbol), WithJsonSchema(_SYMBOL_SCHEMA)]
Strategy = Annotated[str, BeforeValidator(_strategy), WithJsonSchema(_STRATEGY_SCHEMA)]
Label = Annotated[str, BeforeValidator(_label), WithJsonSchema(_LABEL_SCHEMA)]
OrderId = Annotated[str, BeforeValidator(_order_id), WithJsonSchema(_ORDER_ID_SCHEMA)]
Switch = Annotated[bool, BeforeValidator(_switch), WithJsonSchema(_SWITCH_SCHEMA)]
Day = Annotated[date, BeforeValidator(day), WithJsonSchema(_DAY_SCHEMA)]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)]
ActionField = Annotated[Action, BeforeValidator(_action), Field(examples=["BUY"])]
ExchangeField = Annotated[Exchange, BeforeValidator(lambda value: choice(Exchange, value)), Field(examples=["NSE"])]
PriceTypeField = Annotated[
    PriceType, BeforeValidator(lambda value: choice(PriceType, value)), Field(examples=["MARKET"])
]
ProductField = Annotated[Product, BeforeValidator(lambda value: choice(Product, value)), Field(examples=["MIS"])]
DerivativeExchangeField = Annotated[
    Exchange,
    BeforeValidator(lambda value: choice(DERIVATIVE_EXCHANGES, value)),
    WithJsonSchema({"type": "string", "enum": list(DERIVATIVE_EXCHANGES), "examples": ["NFO"]}),
]
IntervalField = Annotated[Interval, BeforeValidator(lambda value: choice(Interval, value)), Field(examples=["D"])]
