"""A market whose prices move only when a test moves them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.books import Bar, Depth, Extremes, Level, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval

_EVER = datetime.min.replace(tzinfo=UTC)


class StandingMarket:
    """Every instrument stands at ``last``, bid one tick below it and ask one tick above, and did so since that was set.

    ``shown`` is how far from ``last`` how much is bid and asked; empty for one lot at the best price.
    """

    def __init__(self, last: str, clock: Clock) -> None:
        self._clock = clock
        self._steps = [(_EVER, Decimal(last))]
        self.shown: tuple[tuple[Decimal, int], ...] = ()

    @property
    def last(self) -> Decimal:
        return self._steps[-1][1]

    @last.setter
    def last(self, price: Decimal) -> None:
        self._steps.append((self._clock.now(), price))

    def forget_after(self, moment: datetime) -> None:
        """It did not move since."""
        self._steps = [step for step in self._steps if step[0] <= moment]

    def price(self, instrument: Instrument, at: datetime) -> Decimal:
        return [price for moment, price in self._steps if moment <= at][-1]

    def quote(self, instrument: Instrument, at: datetime) -> Quote:
        last = self.price(instrument, at)
        return Quote(
            ltp=last,
            bid=last - instrument.tick,
            ask=last + instrument.tick,
            open=last,
            high=last,
            low=last,
            prev_close=last,
            volume=0,
            oi=0,
        )

    def depth(self, instrument: Instrument, at: datetime) -> Depth:
        quote = self.quote(instrument, at)
        shown = self.shown or ((instrument.tick, instrument.lot),)
        nothing = (Level(price=Decimal(0), quantity=0),) * (5 - len(shown))
        return Depth(
            quote=quote,
            bids=(*(Level(price=quote.ltp - distance, quantity=quantity) for distance, quantity in shown), *nothing),
            asks=(*(Level(price=quote.ltp + distance, quantity=quantity) for distance, quantity in shown), *nothing),
            last_quantity=instrument.lot,
            total_bid_quantity=instrument.lot,
            total_ask_quantity=instrument.lot,
        )

    def extremes(self, instrument: Instrument, since: datetime, until: datetime) -> Extremes:
        during = [price for moment, price in self._steps if since < moment <= until]
        prices = [self.price(instrument, since), *during]
        return Extremes(low=min(prices), high=max(prices))

    def bars(self, instrument: Instrument, interval: Interval, first: date, last: date, at: datetime) -> list[Bar]:
        return [Bar(at, self.last, self.last, self.last, self.last, 0, 0)]
