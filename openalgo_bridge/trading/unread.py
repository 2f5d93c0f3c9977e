"""Held orders of which nobody could tell, when they came, what they do to their positions, or what the price was: read
when they are approved.

A stop may have closed the position meanwhile, and the price may be another one. What is no exit now is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import Effect, effect
from openalgo_bridge.model.legs import Arrival, side_of, sides
from openalgo_bridge.model.order import LegsRequest, ModifyRequest, OrderRequest, SmartOrderRequest, TicketRequest
from openalgo_bridge.model.ticket import Ticket, named_order
from openalgo_bridge.trading import exits
from openalgo_bridge.trading.arrival import Prices, known_prices
from openalgo_bridge.trading.whole import arrivals_of

_AT_MOST = 5
"""How many positions a question names, and how many prices."""

_NOT_TOLD = "That could not be told when it came. Approve it if you mean that."

_Effects = Sequence[tuple[OrderRequest, Effect]]


def read_again(desk: Desk, held: Ticket, shown: str, *, by: Actor) -> Ticket:
    """``held`` as it counts now: as exits, where a fresh reading says so of all of it.

    Raises Conflict where it does not: the question is put before the person, and only the page that tells it can
    approve the ticket. Where still nothing can be read, its page has told that too, and the person's word counts.
    What depends on the positions of the moment anyhow is asked about its price alone.
    """
    if not held.is_unread or held.operation.is_of_the_moment:
        _tell_prices(desk, held, shown, by)
        return held
    desk.doors.admit(held.operation)
    broker = desk.broker(held.trading_mode)
    try:
        with desk.budget.slot(is_exit=True):
            found = _effects(broker, held.request)
    except BridgeError:
        return held
    if all(each.is_exit for _, each in found):
        return _as_exit(held)
    opening = [(order, each) for order, each in found if not each.is_exit]
    prices = known_prices(desk, broker, [order for order, _ in opening])
    raise _asked(desk, _noted(held, prices, found), shown, [*_named(opening), *_told(prices)], by)


def _tell_prices(desk: Desk, held: Ticket, shown: str, by: Actor) -> None:
    """Entries that came while no price was known. Raises Conflict with the prices, once there are any."""
    unpriced = _unpriced(held)
    if not unpriced:
        return
    prices = known_prices(desk, desk.broker(held.trading_mode), unpriced)
    if prices:
        raise _asked(desk, _noted(held, prices), shown, _told(prices), by)


def _asked(desk: Desk, read: Ticket, shown: str, told: Sequence[str], by: Actor) -> Conflict:
    """The question, once it is put before the person."""
    question = " ".join([*told, _NOT_TOLD])
    desk.store.journal.ask(read, shown, question, by=by)
    return Conflict(question)


def _unpriced(held: Ticket) -> list[OrderRequest]:
    match held.request:
        case LegsRequest(orders=orders) if held.arrivals:
            came = zip(orders, held.arrivals, strict=True)
            return [order for order, then in came if then.price is None and not then.is_exit]
        case OrderRequest() | SmartOrderRequest() | ModifyRequest():
            order = named_order(held.request)
            return [] if order is None or held.is_exit or held.price_then is not None else [order]
    return []


def _noted(held: Ticket, prices: Prices, found: _Effects = ()) -> Ticket:
    """The ticket with what it came without: from here on that is compared."""
    if not isinstance(held.request, LegsRequest):
        order = named_order(held.request)
        price = None if order is None else prices.get((order.exchange, order.symbol))
        return replace(held, price_then=price if held.price_then is None else held.price_then)
    closing = {side_of(side) for side, each in found if each.is_exit}
    came = zip(held.request.orders, arrivals_of(held, held.request), strict=True)
    noted = [
        Arrival(
            price=prices.get((order.exchange, order.symbol)) if then.price is None else then.price,
            is_exit=then.is_exit or side_of(order) in closing,
        )
        for order, then in came
    ]
    return replace(held, arrivals=tuple(noted))


def _effects(broker: Broker, request: TicketRequest) -> _Effects:
    """On each side of each position; of what is worked out anew when it is let go there is none."""
    match request:
        case LegsRequest(orders=orders):
            positions = exits.holds(broker, orders)
            return [(side, effect(side, positions)) for side in sides(orders)]
        case OrderRequest():
            return [(request, exits.effect(broker, request))]
        case ModifyRequest(order=order):
            return [(order, exits.effect(broker, request))]
    return []


def _as_exit(held: Ticket) -> Ticket:
    if isinstance(held.request, LegsRequest):
        closing = [replace(each, is_exit=True) for each in arrivals_of(held, held.request)]
        return replace(held, arrivals=tuple(closing))
    return replace(held, is_exit=held.order is not None)


def _named(opening: _Effects) -> list[str]:
    named = [
        f"The account holds {each.before} {order.symbol} now; with this it would hold {each.after}."
        for order, each in opening[:_AT_MOST]
    ]
    return [*named, *_more(len(opening), "positions")]


def _told(prices: Prices) -> list[str]:
    if len(prices) == 1:
        return [f"The last price is {price}." for price in prices.values()]
    told = [f"The last price of {symbol} is {price}." for (_, symbol), price in prices.items()]
    return [*told[:_AT_MOST], *_more(len(told), "prices")]


def _more(number: int, what: str) -> list[str]:
    return [f"And {number - _AT_MOST} more {what}."] if number > _AT_MOST else []
