"""Market protection: how far from its price an order without a limit may fill.

Exchanges turn away market orders that come through an API, so brokers send them as limit orders a band away from the
price: the last price for MARKET, the trigger for SL-M. What the band does not reach stays open. The widths are those
that brokers' bridges publish and OpenAlgo uses (``mpp_slab``): shares and futures below 100 rupees 2 %, up to 500 1 %,
above 0.5 %; options below 10 rupees 5 %, below 100 3 %, up to 500 2 %, above 1 %.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action


class _Slab(NamedTuple):
    """``width`` is the part of a price that counts; the slab holds for prices below ``below``."""

    below: Decimal
    width: Decimal


# "Up to 500" is below the first price above it: ticks are never finer than a unit of the books.
_ABOVE_500 = Decimal("500.0001")
_ANY = Decimal("Infinity")
_SHARES_AND_FUTURES = (
    _Slab(Decimal(100), Decimal("0.02")),
    _Slab(_ABOVE_500, Decimal("0.01")),
    _Slab(_ANY, Decimal("0.005")),
)
_OPTIONS = (
    _Slab(Decimal(10), Decimal("0.05")),
    _Slab(Decimal(100), Decimal("0.03")),
    _Slab(_ABOVE_500, Decimal("0.02")),
    _Slab(_ANY, Decimal("0.01")),
)


def protection(kind: Kind, price: Decimal) -> Decimal:
    """The width of the band around ``price``, as a part of it: 0.01 is 1 %."""
    slabs = _OPTIONS if kind.is_option else _SHARES_AND_FUTURES
    return next(slab.width for slab in slabs if price < slab.below)


def bound(kind: Kind, action: Action, price: Decimal, tick: Decimal) -> Decimal:
    """The worst price in rupees at which an order at ``price`` may fill: the limit that is sent in its place.

    A whole number of ticks inside the band, because a limit must be one. A band narrower than a tick leaves no room
    to trade at all, so it is one tick wide at least; nothing is sold below one tick.
    """
    band = price * protection(kind, price)
    if action is Action.BUY:
        return max(_ticks(price + band, tick, ROUND_FLOOR), _ticks(price, tick, ROUND_FLOOR) + tick)
    return max(tick, min(_ticks(price - band, tick, ROUND_CEILING), _ticks(price, tick, ROUND_CEILING) - tick))


def _ticks(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding) * tick
