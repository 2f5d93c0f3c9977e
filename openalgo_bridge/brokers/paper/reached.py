"""When the price first reached what an order waits for, found without a look at each second. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from openalgo_bridge.model.books import Extremes, OrderStatus
from openalgo_bridge.model.order import Action
from openalgo_bridge.model.paper import PaperOrder, to_units

SECOND = timedelta(seconds=1)
"""Prices change with it, not within it."""

Reach = Callable[[datetime, datetime], Extremes]
"""The lowest and the highest price between two moments, both included."""


def reaches(order: PaperOrder, extremes: Extremes) -> bool:
    """Whether a trade at the lowest or the highest of these prices is what a resting order waits for.

    A limit is reached by a trade at it: whoever traded would have traded with this order.
    """
    request = order.request
    if order.status is OrderStatus.TRIGGER_PENDING:
        is_above, price = request.action is Action.BUY, to_units(request.trigger_price)
    else:
        limit = to_units(request.price) if order.bound is None else order.bound
        is_above, price = request.action is Action.SELL, limit
    return to_units(extremes.high) >= price if is_above else to_units(extremes.low) <= price


def first_moment(order: PaperOrder, reach: Reach, since: datetime, until: datetime) -> datetime | None:
    """The first whole second from ``since`` to ``until`` in which the price reached it; None where it never did."""
    return first_second(lambda begin, end: reaches(order, reach(begin, end)), since, until)


def first_second(is_reached: Callable[[datetime, datetime], bool], since: datetime, until: datetime) -> datetime | None:
    """The first whole second from ``since`` to ``until`` for which that holds, which holds of every stretch that has
    this second in it; None where there is none.
    """
    first, last = since.replace(microsecond=0), until.replace(microsecond=0)
    if first < since:
        first += SECOND
    if first > last or not is_reached(first, last):
        return None
    while first < last:
        middle = first + (last - first) // SECOND // 2 * SECOND
        if is_reached(first, middle):
            last = middle
        else:
            first = middle + SECOND
    return first
