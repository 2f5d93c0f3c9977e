"""How far a price went in a stretch of time, without a look at each of its seconds."""

from __future__ import annotations

from collections.abc import Iterator

from openalgo_bridge.market.cells import DAY, FIVE_MINUTES, Cell
from openalgo_bridge.market.listing import Listing
from openalgo_bridge.market.pricing import Premium


def reach(listing: Listing, first: int, last: int) -> tuple[int, int]:
    """The lowest and the highest price, in ticks, of the seconds from ``first`` to ``last``, both included.

    After a contract has settled, what it settled at.
    """
    first, last = listing.until(first), listing.until(last)
    days = range(listing.path.day_of(first), listing.path.day_of(last) + 1)
    lows, highs = zip(*(extremes for day in days for extremes in _of_day(listing, day, first, last)), strict=True)
    return min(lows), max(highs)


def _of_day(listing: Listing, number: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Of one trading day, those of its parts in which a higher value of the path never is a lower price."""
    day = listing.path.day(number)
    begin, end = max(first, day.start), min(last, day.start + DAY - 1)
    prices = listing.prices(day)
    ends = _parts(prices, begin, end) if isinstance(prices, Premium) else iter((end,))
    for part_end in ends:
        yield prices.extremes(_stretch(listing, day, begin, part_end))
        begin = part_end + 1


def _parts(prices: Premium, begin: int, end: int) -> Iterator[int]:
    """The last seconds of the five minutes of a session, and of the night: in each the time left stands still."""
    while begin < min(prices.closes, end + 1):
        next_begin = begin + FIVE_MINUTES - (begin - prices.begins) % FIVE_MINUTES
        yield min(next_begin, prices.closes, end + 1) - 1
        begin = min(next_begin, prices.closes)
    if begin <= end:
        yield end


def _stretch(listing: Listing, day: Cell, first: int, last: int) -> Cell:
    return listing.path.stretch(day, DAY, last, first=first)
