"""A tradable thing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from openalgo_bridge.model.order import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One row of the instrument list.

    ``tick`` is in rupees, ``lot`` and ``freeze_quantity`` in units. ``reference_price`` is the level the
    simulated market moves around; a broker's list leaves it 0.
    """

    symbol: str
    exchange: Exchange
    name: str
    kind: str
    lot: int
    tick: Decimal
    freeze_quantity: int
    token: str
    reference_price: Decimal
    expiry: str = ""
    strike: Decimal = Decimal(0)

    @property
    def is_index(self) -> bool:
        """True where it can be quoted but not traded."""
        return self.exchange.endswith("_INDEX")
