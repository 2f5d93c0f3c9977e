"""What charting programs keep with the bridge (contract 2.11.2): the request, then the answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Literal

from pydantic import ConfigDict, model_validator
from typing_extensions import TypedDict

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.store.chart_preferences import LONGEST_NAME, MOST_NAMES


class KeepPreferences(ApiModel):
    """``POST /chart``: any fields, each of them a preference."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        json_schema_extra={"minProperties": 1, "maxProperties": MOST_NAMES, "examples": [{"tv_theme": "dark"}]},
    )

    @model_validator(mode="before")
    @classmethod
    def _has_names(cls, fields: Any) -> Any:
        if not fields:
            raise ValueError("At least one preference is needed.")
        if len(fields) > MOST_NAMES:
            raise ValueError(f"At most {MOST_NAMES} preferences at once.")
        for name in fields:
            if not 1 <= len(name) <= LONGEST_NAME:
                raise ValueError(f"The name of a preference has 1 to {LONGEST_NAME} characters.")
        return fields

    def texts(self) -> dict[str, str]:
        """Each as it is kept: a text as it is, anything else as JSON."""
        return {name: _text(value) for name, value in (self.model_extra or {}).items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=_number, ensure_ascii=False, separators=(",", ":"))


def _number(value: Any) -> float:
    """A fraction was read as a Decimal; nothing else comes here."""
    return float(Decimal(value))


class PreferencesAnswer(TypedDict):
    """Every preference as the text that is kept."""

    status: Literal["success"]
    data: dict[str, str]


class KeptAnswer(TypedDict):
    """They are kept."""

    status: Literal["success"]
    message: str
