"""What waits for the person, with what is needed to decide: prices, value, an order in doubt in the same symbol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Invalid
from openalgo_bridge.model.gtt import orders_of
from openalgo_bridge.model.guards import worth
from openalgo_bridge.model.order import (
    Exchange,
    GttRequest,
    LegsRequest,
    ModifyGttRequest,
    OrderRequest,
    PriceType,
    Ref,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Operation, Ticket, gtt_of, named_order
from openalgo_bridge.trading import market
from openalgo_bridge.trading.guards import listed

_PLACES_ONE = {Operation.PLACE, Operation.PLACE_GTT}
_GTTS = {Operation.PLACE_GTT, Operation.MODIFY_GTT}

_PATIENCE_S = 1.0
"""How long a page may ask for prices altogether: a person who cannot see the list cannot reject either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An order that a ticket would place, and what it is worth in rupees; None where its price is not known."""

    order: OrderRequest
    value: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ticket with what is known about it now. Prices and value in rupees, ``drift`` in percent since it arrived.

    ``value`` is that of all ``entries``, what is bought and what is sold; a change of an order places none. ``doubt``
    is the reference of an order in the same symbol of which nobody knows whether the broker has it.
    """

    ticket: Ticket
    entries: tuple[Entry, ...] = ()
    price: Decimal | None = None
    value: Decimal | None = None
    drift: Decimal | None = None
    doubt: Ref | None = None


def rows_of(desk: Desk, tickets: Iterable[Ticket]) -> list[Waiting]:
    """The tickets in their order. What cannot be read is left out: the person can decide without it."""
    prices, doubts = _Prices(desk), _Doubts(desk)
    return [_row(ticket, prices, doubts) for ticket in tickets]


def _row(ticket: Ticket, prices: _Prices, doubts: _Doubts) -> Waiting:
    if isinstance(ticket.request, LegsRequest):
        entries = tuple(Entry(order=each, value=prices.value_of(each)) for each in ticket.request.orders)
        return Waiting(ticket=ticket, entries=entries, value=_worth(entries))
    order = named_order(ticket.request) if ticket.operation in _GTTS else ticket.order
    if order is None:
        return Waiting(ticket=ticket)
    price = prices.of(order)
    value = _gtt_value(ticket.request, prices) if ticket.operation in _GTTS else prices.value_of(order)
    return Waiting(
        ticket=ticket,
        entries=(Entry(order=order, value=value),) if ticket.operation in _PLACES_ONE else (),
        price=price,
        value=value,
        drift=_drift(ticket.price_then, price),
        # A change is of an order that is known to be there.
        doubt=doubts.of(order, ticket.trading_mode) if ticket.operation in _PLACES_ONE else None,
    )


def _gtt_value(request: TicketRequest, prices: _Prices) -> Decimal | None:
    """The most that it may place, at the prices of its triggers; None of what is no GTT."""
    if not isinstance(request, GttRequest | ModifyGttRequest):
        return None
    gtt = gtt_of(request)
    values = [prices.value_at(order, leg.trigger_price) for leg, order in zip(gtt.legs, orders_of(gtt), strict=True)]
    return max((each for each in values if each is not None), default=None)


def _worth(entries: Sequence[Entry]) -> Decimal | None:
    """None where one is not known: the sum of the others would pass for all of it."""
    known = [each.value for each in entries if each.value is not None]
    return sum(known, Decimal(0)) if len(known) == len(entries) else None


def _drift(then: Decimal | None, now: Decimal | None) -> Decimal | None:
    return round((now - then) * 100 / then, 2) if then and now is not None else None


class _Prices:
    """The last prices of one page, and what orders are worth at them.

    Each instrument is asked for once, and no other after the broker failed to answer or all of them took too long:
    fifty waits for a time-out would make a page that nobody sees.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[tuple[Exchange, str], Decimal | None] = {}
        self._until = desk.clock.monotonic() + _PATIENCE_S

    def of(self, order: OrderRequest) -> Decimal | None:
        key = (order.exchange, order.symbol)
        if key not in self._known:
            self._known[key] = self._asked(*key)
        return self._known[key]

    def value_of(self, order: OrderRequest) -> Decimal | None:
        """What the limit on the value of an order counts, in rupees; where the price of now is not known, by the
        order's own, if it has one.
        """
        price = self.of(order)
        own = order.price if order.price_type in {PriceType.LIMIT, PriceType.SL} else None
        return self.value_at(order, own if price is None else price)

    def value_at(self, order: OrderRequest, price: Decimal | None) -> Decimal | None:
        """The same while the market stands at ``price``. None, too, of what the list does not know: it has no
        multiplier.
        """
        if price is None:
            return None
        try:
            return worth(order, listed(self._desk, order), lambda: price)
        except BridgeError:
            return None

    def _asked(self, exchange: Exchange, symbol: str) -> Decimal | None:
        if self._desk.clock.monotonic() > self._until:
            return None
        try:
            return market.quote(self._desk, exchange, symbol).ltp
        except Invalid:
            return None
        except BridgeError:
            self._until = 0.0
            return None


class _Doubts:
    """The orders in doubt, each symbol looked up once."""

    def __init__(self, desk: Desk) -> None:
        self._guards = desk.store.guards
        self._known: dict[tuple[Exchange, str, TradingMode], Ref | None] = {}

    def of(self, order: OrderRequest, mode: TradingMode) -> Ref | None:
        key = (order.exchange, order.symbol, mode)
        if key not in self._known:
            doubtful = self._guards.in_doubt(order, mode)
            self._known[key] = None if doubtful is None else doubtful.ref
        return self._known[key]
