"""A market whose prices move only when a test moves them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from openalgo_bridge.model.books import Bar, Depth, Level, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval


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

    def depth(self, instrument: Instrument, at: datetime) -> Depth:
        quote = self.quote(instrument, at)
        bid, ask = (Level(price=price, quantity=instrument.lot) for price in (quote.bid, quote.ask))
        nothing = (Level(price=Decimal(0), quantity=0),) * 4
        return Depth(
            quote=quote,
            bids=(bid, *nothing),
            asks=(ask, *nothing),
            last_quantity=instrument.lot,
            total_bid_quantity=instrument.lot,
            total_ask_quantity=instrument.lot,
        )

    def bars(self, instrument: Instrument, interval: Interval, first: date, last: date, at: datetime) -> list[Bar]:
        return [Bar(at, self.last, self.last, self.last, self.last, 0, 0)]
