"""A market that never closes and needs nobody: every price is a function of seed, instrument and second.

So quotes, depth, bars of every interval, futures and options agree with each other and with yesterday, because they
all ask the same :class:`~openalgo_bridge.market.path.Path`. It runs around the clock, weekends and holidays too: a
day begins when the exchange opens and lasts until the next one does. How bars treat nights: ``market/bars.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from openalgo_bridge.market.activity import Activity
from openalgo_bridge.market.bars import IST_EPOCH, BarSeries
from openalgo_bridge.market.listing import Listing
from openalgo_bridge.market.pricing import Premium, Records, Straight
from openalgo_bridge.market.stretches import reach
from openalgo_bridge.market.tape import Moment, Tape, remember
from openalgo_bridge.model.books import Bar, Depth, Extremes, Level, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval

_SECOND = timedelta(seconds=1)
_LEVELS = 5

# The spread is about 0.02 % of the price, of an option ten times that, at least one tick.
_SPREAD_PARTS, _OPTION_SPREAD_PARTS = 5_000, 500

# What the hashed bits are for; each has its own.
_FOR_SIDE, _FOR_LAST, _FOR_BID_TOTAL, _FOR_ASK_TOTAL = range(110, 114)
_FOR_BIDS, _FOR_ASKS = 120, 130

_Name = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Today:
    """One instrument on one trading day. Prices are in rupees."""

    begins: int
    listing: Listing
    prices: Straight | Premium
    open: Decimal
    prev_close: Decimal
    activity: Activity


class _Over(NamedTuple):
    """The lowest and the highest price of a day before the second ``until``, in ticks."""

    today: _Today
    until: int
    low: int
    high: int


class SimulatedMarket:
    """Prices for every instrument whose ``reference_price`` is above 0; of others ValueError. Thread-safe."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tape = Tape()
        self._listings: dict[_Name, Listing] = {}
        self._days: dict[_Name, _Today] = {}
        self._days_over: dict[_Name, _Over] = {}
        self._latest: dict[_Name, tuple[int, Instrument, Quote]] = {}

    def price(self, instrument: Instrument, at: datetime) -> Decimal:
        """The last traded price in rupees at the second of ``at``, a multiple of the tick and above 0."""
        return self.quote(instrument, at).ltp

    def quote(self, instrument: Instrument, at: datetime) -> Quote:
        """The whole market of one instrument at the second of ``at``. What has expired stands where it settled."""
        second = _ist_second(at)
        name = (instrument.exchange, instrument.symbol)
        known = self._latest.get(name)
        if known is not None and known[:2] == (second, instrument):
            return known[2]
        listing = self._listing(instrument)
        quote = self._settled(listing, second) if listing.has_expired(second) else self._quote(listing, second)
        # Within a second nothing moves, so whoever asks again gets the same object.
        remember(self._latest, name, (second, instrument, quote))
        return quote

    def extremes(self, instrument: Instrument, since: datetime, until: datetime) -> Extremes:
        """The lowest and the highest price from the second of ``since`` to that of ``until``, both included."""
        low, high = reach(self._listing(instrument), _ist_second(since), _ist_second(until))
        return Extremes(low=low * instrument.tick, high=high * instrument.tick)

    def depth(self, instrument: Instrument, at: datetime) -> Depth:
        """Five prices a side, of which the best are those of :meth:`quote`. Nothing is bid for what has expired."""
        second, quote, listing = _ist_second(at), self.quote(instrument, at), self._listing(instrument)
        if listing.has_expired(second):
            nothing = (_NOTHING,) * _LEVELS
            return Depth(
                quote=quote, bids=nothing, asks=nothing, last_quantity=0, total_bid_quantity=0, total_ask_quantity=0
            )
        book = _Book(listing=listing, second=second)
        bids = book.side(_FOR_BIDS, quote.bid, -instrument.tick)
        asks = book.side(_FOR_ASKS, quote.ask, instrument.tick)
        return Depth(
            quote=quote,
            bids=bids,
            asks=asks,
            last_quantity=book.quantity(_FOR_LAST),
            total_bid_quantity=book.total(_FOR_BID_TOTAL, bids),
            total_ask_quantity=book.total(_FOR_ASK_TOTAL, asks),
        )

    def bars(self, instrument: Instrument, interval: Interval, first: date, last: date, at: datetime) -> Iterator[Bar]:
        """The bars of the trading days ``first`` to ``last`` (India's, both included) up to the second of ``at``.

        Ascending, and made as they are read; the last one may be unfinished. Of weeks and longer, all that any of these
        days is in, and whole.
        """
        return BarSeries.of(self._listing(instrument), _ist_second(at)).bars(interval, first, last)

    def _listing(self, instrument: Instrument) -> Listing:
        name = (instrument.exchange, instrument.symbol)
        known = self._listings.get(name)
        if known is not None and known.instrument == instrument:
            return known
        listing = Listing.of(self._seed, instrument)
        remember(self._listings, name, listing)
        return listing

    def _quote(self, listing: Listing, second: int) -> Quote:
        now = self._tape.at(listing, second)
        today, tick = self._today(listing, now), listing.instrument.tick
        low, high = self._range(today, now)
        last, book = today.prices.ticks(now.value, second), _Book(listing=listing, second=second)
        below, above = book.spread(last, is_option=listing.is_option)
        return Quote(
            ltp=last * tick,
            bid=(last - below) * tick,
            ask=(last + above) * tick,
            open=today.open,
            high=high * tick,
            low=low * tick,
            prev_close=today.prev_close,
            volume=today.activity.volume(second + 1),
            oi=today.activity.open_interest(second + 1),
            bid_quantity=book.quantity(_FOR_BIDS),
            ask_quantity=book.quantity(_FOR_ASKS),
        )

    def _settled(self, listing: Listing, second: int) -> Quote:
        """Of a contract that has expired: at what it settled, for the rest of its last day with what was that day's."""
        settled = listing.until(second)
        if listing.path.day_of(second) > listing.path.day_of(settled):
            return _standing_at(listing.settlement * listing.instrument.tick)
        quote = self._quote(listing, settled)
        return replace(quote, bid=quote.ltp, ask=quote.ltp, bid_quantity=0, ask_quantity=0)

    def _range(self, today: _Today, now: Moment) -> tuple[int, int]:
        """The lowest and the highest price of the day so far, in ticks."""
        prices = today.prices
        if isinstance(prices, Straight):
            return prices.ticks(now.low, now.second), prices.ticks(now.high, now.second)
        running = self._tape.running(today.listing, now.day, prices.closes, now.second)
        low, high = prices.extremes(running.cell)
        if running.before is None:
            return low, high
        over = self._over(today, prices, running.before, running.cell.start)
        return min(low, over.low), max(high, over.high)

    def _over(self, today: _Today, prices: Premium, records: Records, until: int) -> _Over:
        """The extremes of the day before ``until``, of which these are the records. What is over stays as it is, and
        to price all of it took most of the time of a chain that is asked for every second.
        """
        name = (today.listing.instrument.exchange, today.listing.instrument.symbol)
        known = self._days_over.get(name)
        if known is None or known.until != until or known.today is not today:
            known = _Over(today, until, *prices.reach(records))
            remember(self._days_over, name, known)
        return known

    def _today(self, listing: Listing, now: Moment) -> _Today:
        """What does not change before the next day opens."""
        name = (listing.instrument.exchange, listing.instrument.symbol)
        known = self._days.get(name)
        if known is not None and known.begins == now.day.start and known.listing is listing:
            return known
        tick, prices = listing.instrument.tick, listing.prices(now.day)
        last_close = listing.prices(now.yesterday).ticks(now.yesterday.close, now.day.start - 1)
        known = _Today(
            begins=now.day.start,
            listing=listing,
            prices=prices,
            open=prices.ticks(now.day.open, now.day.start) * tick,
            prev_close=last_close * tick,
            activity=listing.activity(now.day),
        )
        remember(self._days, name, known)
        return known


_NOTHING = Level(price=Decimal(0), quantity=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """The orders that rest at one second, and the trade that was made in it. Quantities are in units."""

    listing: Listing
    second: int

    def quantity(self, purpose: int) -> int:
        """Units at one price, or of one trade: at least a lot."""
        chance = self._chance(purpose) % 1_000
        return (1 + self.listing.lots_at_a_price * chance * chance // 300_000) * self.listing.instrument.lot

    def side(self, purpose: int, best: Decimal, step: Decimal) -> tuple[Level, ...]:
        """Five prices from the best one on, as far as they are above 0."""
        prices = [best + number * step for number in range(_LEVELS)]
        quantities = [self.quantity(purpose + number) for number in range(_LEVELS)]
        levels = zip(prices, quantities, strict=True)
        return tuple(Level(price=price, quantity=units) if price > 0 else _NOTHING for price, units in levels)

    def total(self, purpose: int, side: Sequence[Level]) -> int:
        """Units on a side of the whole book: many times what is seen."""
        return sum(level.quantity for level in side) * (20 + self._chance(purpose) % 30)

    def spread(self, last: int, *, is_option: bool) -> tuple[int, int]:
        """How many ticks bid and ask are away from the last price, which was struck at one of the two."""
        spread = max(1, last // (_OPTION_SPREAD_PARTS if is_option else _SPREAD_PARTS))
        at_ask = self._chance(_FOR_SIDE) & 1 and last > spread
        return (spread, 0) if at_ask else (0, spread)

    def _chance(self, purpose: int) -> int:
        return self.listing.chance.bits(purpose, self.second)


def _standing_at(price: Decimal) -> Quote:
    """Nothing was traded, and nothing will be."""
    return Quote(ltp=price, bid=price, ask=price, open=price, high=price, low=price, prev_close=price, volume=0, oi=0)


def _ist_second(at: datetime) -> int:
    return (at - IST_EPOCH) // _SECOND
