"""Held orders of which nobody could tell, when they came, what they do to their positions, or what the price was: read
when they are approved.

A stop may have closed the position meanwhile, and the price may be another one. What is no exit now is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import Effect, effect
from openalgo_bridge.model.legs import Arrival, sides
from openalgo_bridge.model.order import LegsRequest, ModifyRequest, OrderRequest, TicketRequest
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import exits
from openalgo_bridge.trading.arrival import known_prices

_AT_MOST = 5
"""How many positions a question names."""

_NOT_TOLD = "That could not be told when it came. Approve it if you mean that."

_Effects = Sequence[tuple[OrderRequest, Effect]]


def read_again(desk: Desk, held: Ticket, shown: str, *, by: Actor) -> Ticket:
    """``held`` as it counts now: as exits, where a fresh reading says so of all of it.

    Raises Conflict where it does not: the question is put before the person, and only the page that tells it can
    approve the ticket. Where still nothing can be read, its page has told that too, and the person's word counts.
    """
    if not held.is_unread:
        _tell_price(desk, held, shown, by)
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
    price = _price(desk, broker, held)
    question = _question(found, price)
    desk.store.journal.ask(held.id, shown, question, price=price, by=by)
    raise Conflict(question)


def _tell_price(desk: Desk, held: Ticket, shown: str, by: Actor) -> None:
    """An entry that came while no price was known. Raises Conflict with the price, once there is one."""
    if held.price_then is not None or held.order is None or held.is_exit:
        return
    price = _price(desk, desk.broker(held.trading_mode), held)
    if price is None:
        return
    question = f"The last price is {price}. {_NOT_TOLD}"
    desk.store.journal.ask(held.id, shown, question, price=price, by=by)
    raise Conflict(question)


def _effects(broker: Broker, request: TicketRequest) -> _Effects:
    """On each side of each position; of what is worked out anew when it is let go there is none."""
    match request:
        case LegsRequest(orders=orders):
            positions = broker.positions()
            return [(side, effect(side, positions)) for side in sides(orders)]
        case OrderRequest():
            return [(request, exits.effect(broker, request))]
        case ModifyRequest(order=order):
            return [(order, exits.effect(broker, request))]
    return []


def _as_exit(held: Ticket) -> Ticket:
    if isinstance(held.request, LegsRequest):
        return replace(held, arrivals=(Arrival(is_exit=True),) * len(held.request.orders))
    return replace(held, is_exit=held.order is not None)


def _price(desk: Desk, broker: Broker, held: Ticket) -> Decimal | None:
    """Of a single order, for the limit on how far it may drift from here on."""
    order = held.order
    return None if order is None else known_prices(desk, broker, [order]).get((order.exchange, order.symbol))


def _question(found: _Effects, price: Decimal | None) -> str:
    opening = [(order, each) for order, each in found if not each.is_exit]
    named = [
        f"The account holds {each.before} {order.symbol} now; with this it would hold {each.after}."
        for order, each in opening[:_AT_MOST]
    ]
    if len(opening) > _AT_MOST:
        named.append(f"And {len(opening) - _AT_MOST} more positions.")
    if price is not None:
        named.append(f"The last price is {price}.")
    return " ".join([*named, _NOT_TOLD])
