"""A market whose prices move only when a test moves them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Instrument


class StandingMarket:
    """Every instrument stands at ``last``, bid one tick below it and ask one tick above."""

    def __init__(self, last: str) -> None:
        self.last = Decimal(last)

    def price(self, instrument: Instrument, at: datetime) -> Decimal:
        return self.last

    def quote(self, instrument: Instrument, at: datetime) -> Quote:
        return Quote(
            ltp=self.last,
            bid=self.last - instrument.tick,
            ask=self.last + instrument.tick,
            open=self.last,
            high=self.last,
            low=self.last,
            prev_close=self.last,
            volume=0,
            oi=0,
        )
