"""What becomes of an order, given the open book and the market. Reads the book, never writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from openalgo_bridge.brokers.paper import matching, rules
from openalgo_bridge.brokers.paper.book import OpenBook
from openalgo_bridge.brokers.paper.matching import Effect
from openalgo_bridge.model.books import OrderStatus, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, OrderRequest, Product
from openalgo_bridge.model.paper import PaperOrder, PaperPosition, to_rupees, to_units

LAPSED = "Not filled on its trading day: the order lapsed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An order as it shall stand, and what its fill does; ``effect`` is None where it does not fill."""

    order: PaperOrder
    effect: Effect | None = None

    @property
    def refusal(self) -> str:
        """Why the exchange said no; empty where it did not."""
        return self.order.rejection_reason if self.order.status is OrderStatus.REJECTED else ""


def enter(book: OpenBook, order: PaperOrder, instrument: Instrument, quote: Quote | None, now: datetime) -> Decision:
    """A new or changed order: filled at once, resting, or refused. ``quote`` is None where there is no price."""
    position = _position(book, order.request, now)
    refusal = rules.refusal(order.request, instrument, position.quantity, now)
    if refusal is not None:
        return _refused(order, refusal)
    if quote is None:
        return _refused(order, f"There is no price for {order.request.symbol} on {order.request.exchange}.")
    price = matching.immediate_price(order.request, quote)
    return _rest(book, order, position) if price is None else _fill(book, order, position, price, now)


def match(book: OpenBook, order: PaperOrder, instrument: Instrument, quote: Quote, now: datetime) -> Decision | None:
    """A resting order: filled at its limit, lapsed, cancelled because the account cannot carry it; or None."""
    if has_lapsed(order, instrument, now):
        return Decision(order=_cancelled(order, LAPSED))
    if not matching.satisfies(order.request, quote):
        return None
    position = _position(book, order.request, now)
    decision = _fill(book, order, position, to_units(order.request.price), now)
    return Decision(order=_cancelled(order, decision.refusal)) if decision.refusal else decision


def has_lapsed(order: PaperOrder, instrument: Instrument, now: datetime) -> bool:
    """True once the trading day of an open order is over, or what it is for has expired: every order here is good for
    its day.
    """
    return instrument.has_expired(now) or order.placed_at < matching.day_begin(matching.trading_day(now))


def margin(request: OrderRequest, position: PaperPosition, ahead: int, quote: Quote, now: datetime) -> int:
    """What a new order would block, filled at once or resting behind ``ahead`` units on its side."""
    price = matching.immediate_price(request, quote)
    if price is None:
        return matching.resting_margin(position, request, ahead)
    return matching.effect(position, request, price, matching.trading_day(now)).margin


def no_position(request: OrderRequest, now: datetime) -> PaperPosition:
    """The position of an order before its first fill."""
    return PaperPosition(
        symbol=request.symbol,
        exchange=request.exchange,
        product=request.product,
        realised_on=matching.trading_day(now),
    )


def _fill(book: OpenBook, order: PaperOrder, position: PaperPosition, price: int, now: datetime) -> Decision:
    """All of ``order`` at ``price``."""
    missing = _missing_shares(book, order, position)
    if missing:
        return _refused(order, missing)
    effect = matching.effect(position, order.request, price, matching.trading_day(now))
    # A pure reduction needs no money: a loss must never lock somebody in.
    if effect.margin:
        available = book.money().available + order.blocked + effect.released + effect.gain
        if effect.margin > available:
            return _refused(order, _insufficient(effect.margin, available))
    filled = replace(
        order,
        status=OrderStatus.COMPLETE,
        filled_quantity=order.request.quantity,
        average_price=price,
        blocked=0,
    )
    return Decision(order=filled, effect=effect)


def _rest(book: OpenBook, order: PaperOrder, position: PaperPosition) -> Decision:
    """``order`` open, with the money for what it opens set aside.

    What rests on the same side already has the first claim on the position: two orders to close it would
    otherwise both be free, and the second would open a new one.
    """
    request = order.request
    missing = _missing_shares(book, order, position)
    if missing:
        return _refused(order, missing)
    ahead = book.resting_quantity(request, besides=order.number)
    needed = matching.resting_margin(position, request, ahead)
    available = book.money().available + order.blocked
    if needed > max(0, available):
        return _refused(order, _insufficient(needed, available))
    return Decision(order=replace(order, blocked=needed))


def _position(book: OpenBook, request: OrderRequest, now: datetime) -> PaperPosition:
    return book.position(request.symbol, request.exchange, request.product) or no_position(request, now)


def _missing_shares(book: OpenBook, order: PaperOrder, position: PaperPosition) -> str:
    """Why a delivery order cannot sell, or nothing. Shares promised to another open order are not sold twice."""
    request = order.request
    if request.product is not Product.CNC or request.action is not Action.SELL:
        return ""
    promised = book.resting_quantity(request, besides=order.number)
    free = max(0, position.quantity - promised)
    if request.quantity <= free:
        return ""
    return f"Insufficient shares for a CNC SELL of {request.quantity} {request.symbol}: {free} are free to sell."


def _refused(order: PaperOrder, sentence: str) -> Decision:
    return Decision(order=replace(order, status=OrderStatus.REJECTED, blocked=0, rejection_reason=sentence))


def _cancelled(order: PaperOrder, sentence: str) -> PaperOrder:
    return replace(order, status=OrderStatus.CANCELLED, blocked=0, rejection_reason=sentence)


def _insufficient(needed: int, available: int) -> str:
    return f"Insufficient funds. Needed: {to_rupees(needed):.2f} rupees, available: {to_rupees(available):.2f} rupees."
