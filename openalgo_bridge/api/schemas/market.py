"""Requests for prices (contract 2.4)."""

from __future__ import annotations

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import ExchangeField, Symbol


class NamedInstrument(ApiModel):
    """``POST /quotes``."""

    symbol: Symbol
    exchange: ExchangeField
