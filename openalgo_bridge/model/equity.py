"""What an account was worth from minute to minute. Money is in units (``model/paper.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from openalgo_bridge.model.paper import to_rupees


@dataclass(frozen=True, slots=True, kw_only=True)
class EquitySample:
    """Profit of the trading day at one moment: what was booked on it, and what is open."""

    at: datetime
    realised: int
    unrealised: int

    @property
    def profit(self) -> int:
        """Both together."""
        return self.realised + self.unrealised

    @property
    def rupees(self) -> Decimal:
        """The same in rupees."""
        return to_rupees(self.profit)
