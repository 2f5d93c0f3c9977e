"""The arithmetic of the exchange: at what price an order fills, what it blocks, what a fill does. Pure.

All money is in units (``model/paper.py``). Rounding: a margin is rounded up to the next unit; the share of
cost and margin that leaves with a part of a position is rounded down, and the rest stays with what is left.
So nothing is lost: realised profit minus the cost of what is open is always the exact flow of cash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, OrderRequest, Product
from openalgo_bridge.model.paper import PaperOrder, PaperPosition, to_units
from openalgo_bridge.model.symbol import parse

# Of the value of an order for shares, one part in this many is blocked (behaviour 2.3).
_LEVERAGE = {Product.CNC: 1, Product.MIS: 5}
# The same of futures, and of what an option is sold on.
_CONTRACT_LEVERAGE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What fills do: the position afterwards and the profit they book.

    ``margin`` is what the opening part blocks, 0 for a pure reduction; ``released`` what the closing part
    sets free.
    """

    position: PaperPosition
    gain: int
    margin: int
    released: int


def market_price(action: Action, quote: Quote) -> int:
    """What an order that cannot wait gets: the ask for BUY, the bid for SELL."""
    return to_units(quote.ask if action is Action.BUY else quote.bid)


def satisfies(request: OrderRequest, quote: Quote) -> bool:
    """Whether the market has reached the limit of an order."""
    market, limit = market_price(request.action, quote), to_units(request.price)
    return market <= limit if request.action is Action.BUY else market >= limit


def is_triggered(request: OrderRequest, quote: Quote) -> bool:
    """Whether the last price has reached the trigger of a stop: from below for BUY, from above for SELL."""
    distance = to_units(quote.ltp) - to_units(request.trigger_price)
    return request.action.sign * distance >= 0


def margin(request: OrderRequest, fill: Fill, multiplier: int) -> int:
    """What opening a quantity at a price blocks, by the kind of what is traded.

    A bought option its premium, a future a tenth of its value. A sold option its premium and a tenth of what it is
    sold on, valued at the strike: the premium alone (behaviour W5.12) would let an account risk a hundred times itself.
    """
    contract = parse(request.symbol, request.exchange)
    units = fill.quantity * multiplier
    value = units * fill.price
    if contract.kind is Kind.FUT:
        return _part(value, _CONTRACT_LEVERAGE)
    if not contract.kind.is_option:
        return _part(value, _LEVERAGE[request.product])
    sold_on = units * to_units(contract.strike) if request.action is Action.SELL else 0
    return value + _part(sold_on, _CONTRACT_LEVERAGE)


def _part(value: int, of: int) -> int:
    return -(-value // of)


def reducing_quantity(position: PaperPosition, action: Action, quantity: int) -> int:
    """How much of ``quantity`` only closes what is open."""
    return min(quantity, max(0, -action.sign * position.quantity))


def only_closes(order: PaperOrder, held: int) -> bool:
    """Whether all that is to fill of an order makes a position smaller, of which ``held`` units are open, signed."""
    return order.remaining <= max(0, -order.request.action.sign * held)


def resting_margin(position: PaperPosition, request: OrderRequest, rest: Fill, ahead: int) -> int:
    """What ``rest``, a quantity still to fill and the price it counts at, blocks behind ``ahead`` units on its side,
    which close the position first.
    """
    closing = max(0, reducing_quantity(position, request.action, rest.quantity + ahead) - ahead)
    return margin(request, Fill(rest.price, rest.quantity - closing), position.multiplier)


def effects(position: PaperPosition, request: OrderRequest, fills: Iterable[Fill], today: date) -> Effect:
    """What several fills of one order do, one after the other."""
    total = Effect(position=position, gain=0, margin=0, released=0)
    for fill in fills:
        one = effect(total.position, request, fill, today)
        total = Effect(
            position=one.position,
            gain=total.gain + one.gain,
            margin=total.margin + one.margin,
            released=total.released + one.released,
        )
    return total


def effect(position: PaperPosition, request: OrderRequest, fill: Fill, today: date) -> Effect:
    """What one fill of an order does to its position."""
    sign, price = request.action.sign, fill.price * position.multiplier
    closing = reducing_quantity(position, request.action, fill.quantity)
    opening = fill.quantity - closing
    cost_out = share(position.cost, closing, abs(position.quantity))
    released = share(position.blocked, closing, abs(position.quantity))
    blocked = margin(request, Fill(fill.price, opening), position.multiplier)
    gain = -sign * closing * price - cost_out
    after = replace(
        position,
        quantity=position.quantity + sign * fill.quantity,
        cost=position.cost - cost_out + sign * opening * price,
        blocked=position.blocked - released + blocked,
    )
    return Effect(
        position=booked(after, gain, today) if closing else after, gain=gain, margin=blocked, released=released
    )


def share(whole: int, part: int, of: int) -> int:
    """``part`` of ``of`` of an amount, rounded towards 0."""
    if not part:
        return 0
    return whole * part // of if whole >= 0 else -(-whole * part // of)


def booked(position: PaperPosition, gain: int, today: date) -> PaperPosition:
    """The day's profit starts anew with the first close of a day: no timer has to reset it."""
    before = position.realised if position.realised_on == today else 0
    return replace(position, realised=before + gain, realised_on=today)
