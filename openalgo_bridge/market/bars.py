"""Bars of one instrument, from its path.

A day's bars begin when its exchange opens and each is as long as its interval, the last one of the session shorter
where that does not divide it. What is traded at night, from the end of the session until the next one opens, is one
more bar of that day, however short the interval is: it begins at the close. So bars and quotes always agree, a year
of minutes stays small, and a script still finds the opening bar first.

A bar is over when the next one begins, and never changes after. Bars of days begin when the day opens, those of
weeks, months, quarters and years with the first day of theirs, and are made of days.

A contract has bars for as long as exchanges list one. Its last one ends with the second at which it settles, and so
closes where its quote stands from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import chain, groupby
from math import gcd
from operator import sub

from openalgo_bridge.market.activity import Activity
from openalgo_bridge.market.cells import DAY, FIVE_MINUTES, MINUTE, QUARTER, Cell, Cells
from openalgo_bridge.market.listing import EPOCH_ORDINAL, Listing
from openalgo_bridge.market.pricing import Premium, Prices, Records, Straight
from openalgo_bridge.market.tape import session_cells
from openalgo_bridge.model.books import Bar
from openalgo_bridge.model.interval import Interval

# India has had one offset and no summer time since 1945.
IST_EPOCH = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(hours=5, minutes=30)

MARKET_BEGINS = date(1990, 1, 1)
"""There are no bars of earlier days."""

MOST_DAYS_LISTED = 5 * 366
"""A contract has no bars of days longer before its expiry: nothing is listed earlier than NSE's index options, five
years ahead, and a day of an option takes ten times as long to make as one of a share.
"""

_SECOND = timedelta(seconds=1)


class _Rupees(dict[int, Decimal]):
    """Prices by their ticks: a year has few thousand different ones."""

    def __init__(self, tick: Decimal) -> None:
        super().__init__()
        self._tick = tick

    def __missing__(self, ticks: int) -> Decimal:
        price = self[ticks] = ticks * self._tick
        return price


class _Lengths(dict[tuple[int, ...], list[timedelta]]):
    """Times by their seconds: nearly all days have the same ones."""

    def __missing__(self, seconds: tuple[int, ...]) -> list[timedelta]:
        lengths = self[seconds] = [each * _SECOND for each in seconds]
        return lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSeries:
    """The bars of one instrument up to the second ``until``, which is included."""

    listing: Listing
    until: int
    rupees: _Rupees
    lengths: _Lengths

    @classmethod
    def of(cls, listing: Listing, now: int) -> BarSeries:
        """Up to the second ``now``, or until the instrument settled."""
        return cls(
            listing=listing, until=listing.until(now), rupees=_Rupees(listing.instrument.tick), lengths=_Lengths()
        )

    def bars(self, interval: Interval, first: date, last: date) -> Iterator[Bar]:
        """Those of the trading days ``first`` to ``last``, both included, made day by day as they are read.

        A week, month, quarter or year that any of these days is in is whole.
        """
        days = map(self._day, self._numbers(interval.period(first), interval.period_end(last)))
        if interval is Interval.DAY:
            return (day.whole() for day in days)
        if interval.is_calendar:
            periods = groupby(days, key=lambda day: interval.period(day.date))
            return (_joined([day.whole() for day in members]) for _, members in periods)
        return chain.from_iterable(day.parts(interval.seconds) for day in days)

    def _numbers(self, first: date, last: date) -> range:
        begin, end = (day.toordinal() - EPOCH_ORDINAL for day in (max(first, MARKET_BEGINS), last))
        if self.listing.expires is not None:
            begin = max(begin, self.listing.expires // DAY - MOST_DAYS_LISTED)
        return range(begin, 1 + min(end, self.listing.path.day_of(self.until)))

    def _day(self, number: int) -> _Day:
        listing, cell = self.listing, self.listing.path.day(number)
        return _Day(
            listing=listing,
            cell=cell,
            last=min(self.until, cell.start + DAY - 1),
            closes=listing.closes(number),
            prices=listing.prices(cell),
            activity=listing.activity(cell),
            rupees=self.rupees,
            lengths=self.lengths,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """One trading day up to the second ``last``."""

    listing: Listing
    cell: Cell
    last: int
    closes: int
    prices: Straight | Premium
    activity: Activity
    rupees: _Rupees
    lengths: _Lengths

    @property
    def date(self) -> date:
        return date.fromordinal(EPOCH_ORDINAL + self.cell.start // DAY)

    @property
    def has_night(self) -> bool:
        return self.last >= self.closes

    @property
    def opening(self) -> datetime:
        return IST_EPOCH + self.cell.start * _SECOND

    def whole(self) -> Bar:
        """The bar of the day."""
        cell, prices, rupees, activity = self.cell, self.prices, self.rupees, self.activity
        so_far = cell if self.last == cell.start + DAY - 1 else self.listing.path.stretch(cell, DAY, self.last)
        if isinstance(prices, Premium):
            low, high = prices.reach(Records.of(session_cells(self.listing, cell, FIVE_MINUTES, self.last)))
        else:
            low, high = prices.extremes(so_far)
        return Bar(
            start=self.opening,
            open=rupees[prices.ticks(cell.open, cell.start)],
            high=rupees[high],
            low=rupees[low],
            close=rupees[prices.ticks(so_far.close, self.last)],
            volume=activity.volume(self.last + 1),
            oi=activity.open_interest(self.last + 1),
        )

    def parts(self, seconds: int) -> list[Bar]:
        """The bars of the session, each so many seconds long, and that of the night."""
        return self._of_minutes(seconds) if seconds >= MINUTE else self._of_seconds(seconds)

    def _of_minutes(self, seconds: int) -> list[Bar]:
        coarsest = FIVE_MINUTES if isinstance(self.prices, Premium) else QUARTER
        fitting = gcd(seconds, self.closes - self.cell.start)
        step = next(step for step in (QUARTER, FIVE_MINUTES, MINUTE) if step <= coarsest and not fitting % step)
        prices = self.prices.of(session_cells(self.listing, self.cell, step, self.last))
        starts, volumes = self._starts(seconds), self.activity.volumes()
        totals = [volumes[start // MINUTE] for start in starts]
        return self._bars(starts, self._grouped(prices, seconds // step), totals)

    def _of_seconds(self, seconds: int) -> list[Bar]:
        path, begin = self.listing.path, self.cell.start
        end = min(self.closes, self.last + 1)
        minutes = path.cells(self.cell, MINUTE, begin + -(-(end - begin) // MINUTE) * MINUTE - 1)
        values = [value for minute in minutes for value in path.seconds(minute)][: end - begin]
        ticks = [self.prices.ticks(value, begin + at) for at, value in enumerate(values)]
        prices = Prices(ticks, ticks, ticks, ticks)
        if self.has_night:
            night = self.prices.of(Cells.of(path.stretch(self.cell, DAY, self.last, first=self.closes)))
            prices = Prices(*(day + after for day, after in zip(prices, night, strict=True)))
        starts = self._starts(seconds)
        return self._bars(starts, self._grouped(prices, seconds), self.activity.volumes_before(starts))

    def _starts(self, seconds: int) -> tuple[int, ...]:
        """How many seconds after the opening each bar begins."""
        begin, closes = self.cell.start, self.closes
        session = range(0, min(closes, self.last + 1) - begin, seconds)
        return (*session, closes - begin) if self.has_night else tuple(session)

    def _grouped(self, prices: Prices, count: int) -> Prices:
        """``count`` cells of the session as one, and the night's, which is the last, by itself."""
        if count == 1:
            return prices
        session = len(prices.opens) - self.has_night
        spans = [slice(at, min(at + count, session)) for at in range(0, session, count)]
        spans += [slice(session, session + 1)] if self.has_night else []
        return Prices(
            [prices.opens[span.start] for span in spans],
            [max(prices.highs[span]) for span in spans],
            [min(prices.lows[span]) for span in spans],
            [prices.closes[span.stop - 1] for span in spans],
        )

    def _bars(self, starts: tuple[int, ...], prices: Prices, totals: list[int]) -> list[Bar]:
        """A bar for each start, counted in seconds after the opening; ``totals`` are the units traded before it."""
        opening = self.opening
        moments = [opening + length for length in self.lengths[starts]]
        columns = (map(self.rupees.__getitem__, column) for column in prices)
        ended = self.last + 1
        after = [*totals[1:], self.activity.volume(ended)]
        interest = self.activity.open_interests((*starts[1:], ended - self.cell.start))
        return list(map(Bar, moments, *columns, map(sub, after, totals), interest))


def _joined(days: Sequence[Bar]) -> Bar:
    """Days as one bar."""
    return Bar(
        start=days[0].start,
        open=days[0].open,
        high=max(day.high for day in days),
        low=min(day.low for day in days),
        close=days[-1].close,
        volume=sum(day.volume for day in days),
        oi=days[-1].oi,
    )
