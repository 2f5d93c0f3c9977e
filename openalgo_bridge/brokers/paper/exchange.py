"""The paper exchange: decides inside one transaction of its book, writes, and only then answers.

It has no thread. Orders that rest are matched whenever somebody looks: when a book is read, or a price of
their instrument is asked for. An order that was not filled on its trading day lapses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openalgo_bridge.brokers.base import Capabilities
from openalgo_bridge.brokers.paper import matching, rules, statements
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, OpenBook, PaperBookProtocol
from openalgo_bridge.brokers.paper.matching import Effect
from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import NotFound, Rejected
from openalgo_bridge.model.books import BrokerOrder, Funds, Holding, OrderStatus, Position, Quote, Trade
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelRequest,
    Exchange,
    ModifyRequest,
    OrderRequest,
    PriceType,
    Product,
    Ref,
)
from openalgo_bridge.model.paper import PaperOrder, PaperPosition, to_rupees
from openalgo_bridge.model.permit import SendPermit

_LAPSED = "Not filled on its trading day: the order lapsed."
_CAPABILITIES = Capabilities(reread_after=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """An order as it shall stand, and what its fill does; ``effect`` is None where it does not fill."""

    order: PaperOrder
    effect: Effect | None = None


class PaperExchange:
    """A :class:`~openalgo_bridge.brokers.base.Broker`. One order is one transaction, so one commit."""

    name = "paper"

    def __init__(
        self, *, book: PaperBookProtocol, market: Market, instruments: InstrumentList, clock: Clock
    ) -> None:
        self._book = book
        self._market = market
        self._instruments = instruments
        self._clock = clock

    @property
    def capabilities(self) -> Capabilities:
        """Its book is its own: always complete, always fresh."""
        return _CAPABILITIES

    # -- orders --------------------------------------------------------------------------------------

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        """Fill or rest an order. A refusal is an order too: it stands in the book as ``rejected``.

        Raises Rejected. Only an order for something that is not listed, one that no book could hold and one
        whose reference was used before leave no row.
        """
        request = permit.request
        instrument = self._listed(request.exchange, request.symbol)
        if rules.cannot_be_recorded(request):
            raise Rejected("Quantity or price is out of range.")
        now = self._clock.now()
        self._match(self._book.resting_in(request.symbol, request.exchange), now)
        placed = PaperOrder(tag=permit.ref, request=request, placed_at=now)
        refused: Rejected | None = None
        with self._book.transaction() as book:
            if book.is_used(permit.ref):
                raise Rejected(f"Reference {permit.ref} was used by an earlier order.")
            try:
                decision = self._decide(book, placed, instrument, now)
            except Rejected as refusal:
                refused = refusal
                row = replace(placed, status=OrderStatus.REJECTED, rejection_reason=refusal.message)
                decision = _Decision(order=row)
            number = book.add(decision.order)
            _record(book, replace(decision.order, number=number), decision.effect, now)
        if refused is not None:
            raise refused
        return statements.order_id(number, now)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        """Change quantity, price or price type of an open order, which may then fill at once.

        Raises NotFound, or Rejected, which leaves the order as it was.
        """
        target, wanted = permit.request.broker_order_id, permit.request.order
        if rules.cannot_be_recorded(wanted):
            raise Rejected("Quantity or price is out of range.")
        instrument = self._listed(wanted.exchange, wanted.symbol)
        now = self._clock.now()
        with self._book.transaction() as book:
            order = self._named(book.order(_number(target)), target)
            if order.status is not OrderStatus.OPEN:
                raise Rejected(f"Cannot modify order in {order.status} status")
            if _identity(order.request) != _identity(wanted):
                raise Rejected(f"Order {target} is {_words(order.request)}: only quantity and price can be changed.")
            decision = self._decide(book, replace(order, request=wanted), instrument, now)
            book.change(decision.order)
            _record(book, decision.order, decision.effect, now)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        """Withdraw an open order; what it blocked is free again. Raises NotFound or Rejected."""
        target = permit.request.broker_order_id
        with self._book.transaction() as book:
            order = self._named(book.order(_number(target)), target)
            # The condition in change() decides between a cancel and a fill, whoever read what before.
            if not book.change(replace(order, status=OrderStatus.CANCELLED, blocked=0)):
                raise Rejected(f"Cannot cancel order in {order.status} status")

    # -- books ---------------------------------------------------------------------------------------

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        """One order of any day."""
        self._match(self._book.resting(), self._clock.now())
        order = self._book.order(_number(order_id))
        return None if order is None or statements.id_of(order) != order_id else statements.broker_order(order)

    def find(self, tag: Ref) -> BrokerOrder | None:
        """The order of any day that carries ``tag``."""
        self._match(self._book.resting(), self._clock.now())
        order = self._book.find(tag)
        return None if order is None else statements.broker_order(order)

    def order_book(self) -> Sequence[BrokerOrder]:
        """Orders since 03:00 IST, newest first."""
        now = self._clock.now()
        self._match(self._book.resting(), now)
        return [statements.broker_order(order) for order in self._book.orders(_day_begin(now))]

    def trade_book(self) -> Sequence[Trade]:
        """Fills since 03:00 IST, newest first."""
        now = self._clock.now()
        self._match(self._book.resting(), now)
        return [statements.trade(trade) for trade in self._book.trades(_day_begin(now))]

    def positions(self) -> Sequence[Position]:
        """Open positions, and those that were closed since 03:00 IST."""
        now = self._clock.now()
        self._match(self._book.resting(), now)
        today = matching.trading_day(now)
        rows = self._book.positions(today)
        return [statements.position(row, self._price(row, now), today) for row in rows]

    def holdings(self) -> Sequence[Holding]:
        """Nothing: delivery after T+1 comes with a later version; bought shares stay positions."""
        return []

    def funds(self) -> Funds:
        """Capital plus all booked profit minus what is blocked; open profit is told apart."""
        now = self._clock.now()
        self._match(self._book.resting(), now)
        today = matching.trading_day(now)
        rows = self._book.positions(today)
        return statements.funds(self._book.money(), [(row, self._price(row, now)) for row in rows], today)

    def quote(self, instrument: Instrument) -> Quote:
        """The market now. Raises Rejected for an instrument without a price."""
        if instrument.reference_price <= 0:
            raise Rejected(f"There is no price for {instrument.symbol} on {instrument.exchange}.")
        now = self._clock.now()
        self._match(self._book.resting_in(instrument.symbol, instrument.exchange), now)
        return self._market.quote(instrument, now)

    # -- decisions: they read, they never write ------------------------------------------------------

    def _decide(self, book: OpenBook, order: PaperOrder, instrument: Instrument, now: datetime) -> _Decision:
        """Fill at once or rest. Raises Rejected."""
        request = order.request
        refusal = rules.refusal(request, instrument)
        if refusal is not None:
            raise Rejected(refusal)
        price = matching.immediate_price(request, self._market.quote(instrument, now))
        return _filled(book, order, price, now) if price is not None else _rested(book, order, now)

    def _match(self, resting: Sequence[PaperOrder], now: datetime) -> None:
        """Fill what the market has reached, end what is of an earlier day. Free when nothing rests."""
        for order in resting:
            instrument = self._instruments.find(order.request.exchange, order.request.symbol)
            if instrument is None or instrument.reference_price <= 0:
                continue
            quote = self._market.quote(instrument, now)
            if _has_lapsed(order, now) or matching.satisfies(order.request, quote):
                self._settle(order.number, quote, now)

    def _settle(self, number: int, quote: Quote, now: datetime) -> None:
        """Read again inside the transaction: another thread may have filled, changed or cancelled it."""
        with self._book.transaction() as book:
            order = book.order(number)
            if order is None or order.status is not OrderStatus.OPEN:
                return
            decision = _matched(book, order, quote, now)
            if decision is not None and book.change(decision.order):
                _record(book, decision.order, decision.effect, now)

    # -- look-ups ------------------------------------------------------------------------------------

    def _listed(self, exchange: Exchange, symbol: str) -> Instrument:
        instrument = self._instruments.find(exchange, symbol)
        if instrument is None:
            raise Rejected(f"Symbol {symbol} not found on {exchange}")
        return instrument

    def _named(self, order: PaperOrder | None, order_id: BrokerOrderId) -> PaperOrder:
        if order is None or statements.id_of(order) != order_id:
            raise NotFound(f"Order {order_id} not found")
        return order

    def _price(self, position: PaperPosition, now: datetime) -> int:
        """The last price in units; the average cost of a position whose instrument is gone from the list."""
        instrument = self._instruments.find(position.exchange, position.symbol)
        if instrument is None or instrument.reference_price <= 0:
            return statements.average(position)
        return matching.to_units(self._market.price(instrument, now))


def _filled(book: OpenBook, order: PaperOrder, price: int, now: datetime) -> _Decision:
    """All of ``order`` at ``price``. Raises Rejected when the account does not carry it."""
    request = order.request
    today = matching.trading_day(now)
    position = _position(book, request, now)
    if request.product is Product.CNC:
        resting_elsewhere = 0 if order.number else _resting_quantity(book, request)
        _require_shares(position, request, resting_elsewhere)
    effect = matching.effect(position, request, price, today)
    # A pure reduction needs no money: a loss must never lock somebody in.
    if effect.margin:
        available = book.money().available + order.blocked + effect.released + effect.gain
        _require_money(effect.margin, available)
    full = replace(
        order,
        status=OrderStatus.COMPLETE,
        filled_quantity=request.quantity,
        average_price=price,
        blocked=0,
    )
    return _Decision(order=full, effect=effect)


def _rested(book: OpenBook, order: PaperOrder, now: datetime) -> _Decision:
    """``order`` open, with the money for what it opens set aside. Raises Rejected."""
    request = order.request
    position = _position(book, request, now)
    # What already rests on this side has the first claim on the position.
    ahead = _resting_quantity(book, request) - (_own_quantity(book, order) if order.number else 0)
    if request.product is Product.CNC:
        _require_shares(position, request, ahead)
    both = matching.reducing_quantity(position, request.action, request.quantity + ahead)
    opening = request.quantity - max(0, both - ahead)
    needed = matching.margin(request.product, opening * matching.to_units(request.price))
    if needed:
        _require_money(needed, book.money().available + _own_blocked(order))
    return _Decision(order=replace(order, blocked=needed))
