"""Requests about the account (contract 2.2.2, 2.3, 2.8)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import ExchangeField, ProductField, Symbol

_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}


def _switch(value: Any) -> bool:
    word = str(value).strip().lower()
    if value is None or word not in _TRUE | _FALSE:
        raise ValueError("Not a valid boolean.")
    return word in _TRUE


class Nothing(ApiModel):
    """A call that needs the key only."""


class OpenPosition(ApiModel):
    """``POST /openposition``."""

    symbol: Symbol
    exchange: ExchangeField
    product: ProductField


class ToggleAnalyzer(ApiModel):
    """``POST /analyzer/toggle``: true asks for analyze, false for live."""

    mode: Annotated[bool, BeforeValidator(_switch)]
