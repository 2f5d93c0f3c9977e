"""What the market offers an order at one moment, and what a stop or a protected order is then. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from openalgo_bridge.brokers.paper import fills, matching
from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.model import protection
from openalgo_bridge.model.books import Depth, OrderStatus, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, PriceType
from openalgo_bridge.model.paper import PaperOrder, to_units

_WITHOUT_LIMIT = frozenset({PriceType.MARKET, PriceType.SL_M})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketMoment:
    """The market of one instrument as a decision sees it, the same from its begin to its end.

    ``is_protected``: what has no limit fills inside the band of :mod:`~openalgo_bridge.model.protection`, as far as
    ``depth`` goes, and the rest stays open. ``depth`` is None where nothing that is decided needs it. ``why_closed``:
    why no order can be placed or changed now; ``why_not_opened``: why one may only make a position smaller.
    """

    instrument: Instrument
    quote: Quote
    depth: Depth | None
    now: datetime
    is_protected: bool
    why_closed: str = ""
    why_not_opened: str = ""


def may_be_protected(order: PaperOrder) -> bool:
    """Whether the setting means it: it has no limit, and none was drawn for it before."""
    return order.request.price_type in _WITHOUT_LIMIT and order.bound is None


def armed(order: PaperOrder, moment: MarketMoment) -> PaperOrder:
    """A new or changed order as it works from now on: a stop waits for its trigger, what has no limit gets its band."""
    request = order.request
    if request.price_type.is_stop and order.triggered_at is None:
        if not matching.is_triggered(request, moment.quote):
            return replace(order, status=OrderStatus.TRIGGER_PENDING, bound=None)
        order = replace(order, triggered_at=moment.now)
    bound = _bound(order, moment)
    is_so = order.status is OrderStatus.OPEN and order.bound == bound
    return order if is_so else replace(order, status=OrderStatus.OPEN, bound=bound)


def at_once(order: PaperOrder, moment: MarketMoment) -> list[Fill]:
    """What an order fills that comes to the market now: a LIMIT that it already satisfies gets the better market price,
    as on any exchange.
    """
    request = order.request
    if order.status is OrderStatus.TRIGGER_PENDING:
        return []
    if order.bound is not None:
        return _inside_its_band(order, order.bound, moment)
    if request.price_type in _WITHOUT_LIMIT or matching.satisfies(request, moment.quote):
        return [Fill(matching.market_price(request.action, moment.quote), order.remaining)]
    return []


def while_it_rests(order: PaperOrder, moment: MarketMoment) -> list[Fill]:
    """What an order fills that was in the market before: a limit fills at itself, all of it."""
    if order.bound is not None:
        return _inside_its_band(order, order.bound, moment)
    if matching.satisfies(order.request, moment.quote):
        return [Fill(to_units(order.request.price), order.remaining)]
    return []


def counted_price(order: PaperOrder, instrument: Instrument) -> int:
    """The price at which the part of an order that rests counts: its limit, or how far it may go."""
    request = order.request
    if order.bound is not None:
        return order.bound
    if request.price_type is not PriceType.SL_M:
        return to_units(request.price)
    if request.action is Action.SELL:
        return to_units(request.trigger_price)
    return to_units(protection.bound(instrument.kind, request.action, request.trigger_price, instrument.tick))


def _bound(order: PaperOrder, moment: MarketMoment) -> int | None:
    request, instrument = order.request, moment.instrument
    if not moment.is_protected or request.price_type not in _WITHOUT_LIMIT:
        return None
    price = moment.quote.ltp if request.price_type is PriceType.MARKET else request.trigger_price
    return to_units(protection.bound(instrument.kind, request.action, price, instrument.tick))


def _inside_its_band(order: PaperOrder, bound: int, moment: MarketMoment) -> list[Fill]:
    """One helping of what the market shows in each second: within it nothing new is shown to who looks again."""
    if moment.depth is None or _is_same_second(order.filled_at, moment.now):
        return []
    return fills.fills(moment.depth, order.request.action, order.remaining, bound)


def _is_same_second(one: datetime | None, other: datetime) -> bool:
    return one is not None and one.replace(microsecond=0) == other.replace(microsecond=0)
