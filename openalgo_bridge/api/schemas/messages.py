"""What asks to send the trader a message (contract 2.11.3, 2.11.5): requests, then the answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import Switch
from openalgo_bridge.errors import Invalid

_LONGEST_MESSAGE = 4096
_LONGEST_NAME = 256
_MOST_PHONES = 100
_USUAL_PRIORITY = 5
_HIGHEST_PRIORITY = 10
_NOBODY = "One of self, username, phone, phones is required."
_NOTHING = "One of message, image_path, document_path is required."


def _text(most: int) -> Any:
    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("Not a valid string.")
        if not value.strip() or len(value) > most:
            raise ValueError(f"Length must be between 1 and {most}.")
        return value

    return BeforeValidator(parse)


def _priority(value: Any) -> int:
    """1 to 10; anything else is 5 (contract 2.11.3)."""
    text = str(value).strip()
    known = {str(number) for number in range(1, _HIGHEST_PRIORITY + 1)}
    return int(text) if text in known else _USUAL_PRIORITY


def _text_schema(most: int, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": r"\S", "maxLength": most, "examples": [example]})


Message = Annotated[str, _text(_LONGEST_MESSAGE), _text_schema(_LONGEST_MESSAGE, "RELIANCE is at its target.")]
Name = Annotated[str, _text(_LONGEST_NAME), _text_schema(_LONGEST_NAME, "trader")]


class TelegramMessage(ApiModel):
    """``POST /telegram/notify``."""

    username: Name = Field(description="Who shall read it.")
    message: Message
    priority: Annotated[int, BeforeValidator(_priority), WithJsonSchema({"examples": [5]})] = Field(
        default=_USUAL_PRIORITY, description="1 to 10."
    )
    wait_for_delivery: Switch = False


class WhatsAppMessage(ApiModel):
    """``POST /whatsapp/notify``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"self": "true", "message": "RELIANCE is at its target."}]}
    )

    to_self: Switch = Field(default=False, alias="self", description="To the trader's own number.")
    username: Name | None = None
    phone: Name | None = None
    phones: list[Name] | None = Field(default=None, max_length=_MOST_PHONES)
    message: Message | None = None
    image_path: Name | None = None
    document_path: Name | None = None
    caption: Message | None = None
    filename: Name | None = None
    wait_for_delivery: Switch = True

    def check(self) -> None:
        """What no field can say alone. Raises Invalid."""
        if not (self.to_self or self.username or self.phone or self.phones):
            raise Invalid.of({"username": [_NOBODY]})
        if not (self.message or self.image_path or self.document_path):
            raise Invalid.of({"message": [_NOTHING]})


class NotifiedAnswer(TypedDict):
    """The messenger took it."""

    status: Literal["success"]
    message: str
