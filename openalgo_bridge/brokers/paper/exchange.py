"""The paper exchange: decides inside one transaction of its book, writes, and only then answers.

It has no thread. Orders that rest are matched whenever somebody looks: when a book is read, or a price of
their instrument is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from openalgo_bridge.brokers.base import Capabilities
from openalgo_bridge.brokers.paper import decisions, history_limits, matching, rules, statements
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, OpenBook, PaperBookProtocol
from openalgo_bridge.brokers.paper.day_book import DayBook
from openalgo_bridge.brokers.paper.decisions import Decision
from openalgo_bridge.clock import Clock, day_in_india
from openalgo_bridge.errors import NotFound, Rejected
from openalgo_bridge.model.books import Bar, BrokerOrder, Depth, Funds, Holding, OrderStatus, Position, Quote, Trade
from openalgo_bridge.model.exits import is_on_same_side
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import BrokerOrderId, CancelRequest, ModifyRequest, OrderRequest, Ref
from openalgo_bridge.model.paper import PaperOrder, PaperPosition, to_rupees
from openalgo_bridge.model.permit import SendPermit

# Its book is its own: a read is always complete and fresh, so absence needs no waiting.
_CAPABILITIES = Capabilities(
    reread_after=0.0, rehearsed_per_second=8.0, positions_lag=0.0, intervals=tuple(Interval), has_depth=True
)
_A_DAY = timedelta(days=1)


class PaperExchange:
    """A :class:`~openalgo_bridge.brokers.base.Broker`. One order is one transaction, so one commit."""

    def __init__(self, *, book: PaperBookProtocol, market: Market, instruments: InstrumentList, clock: Clock) -> None:
        self._book = book
        self._day_book = DayBook(book)
        self._market = market
        self._instruments = instruments
        self._clock = clock

    @property
    def name(self) -> str:
        """As clients see it."""
        return "paper"

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return _CAPABILITIES

    # -- orders --------------------------------------------------------------------------------------

    def check(self, order: OrderRequest) -> None:
        """What the rules of the exchange refuse, with the books of this moment. Raises Rejected."""
        instrument, now = self._accepted(order), self._clock.now()
        refusal = rules.refusal(order, instrument, self._position(order, now).quantity, now)
        if refusal is not None:
            raise Rejected(refusal)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        """Fill, rest or refuse an order. Raises Rejected.

        A refused order stands in the book as ``rejected``, unless it is for something not listed, could not be
        held by any book, or carries a reference that an earlier order carries.
        """
        instrument = self._accepted(permit.request)
        now = self._clock.now()
        order = PaperOrder(tag=permit.ref, request=permit.request, placed_at=now)
        self._match(self._book.resting_in(instrument.symbol, instrument.exchange), now)
        quote = self._quote(instrument, now)
        # The journal, in the same file, writes down next how this ended, and waits for the disk once for both. After a
        # power cut in between neither knows of a fill: the order is looked up by its tag, and found absent.
        with self._book.transaction(is_synced=False) as book:
            decision = decisions.enter(book, order, instrument, quote, now)
            number = book.add(decision.order)
            if number is None:
                raise Rejected(f"Reference {order.tag} was already used by an earlier order.")
            _carry_out(book, number, decision, now)
        if decision.refusal:
            raise Rejected(decision.refusal)
        return statements.order_id(number, now)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        """Change quantity, price or price type of an open order, which may then fill at once.

        Raises NotFound, and Rejected, which leaves the order as it was.
        """
        wanted, target = permit.request.order, permit.request.broker_order_id
        instrument = self._accepted(wanted)
        now = self._clock.now()
        self._match(self._book.resting_in(instrument.symbol, instrument.exchange), now)
        quote = self._quote(instrument, now)
        with self._book.transaction() as book:
            order = _named(book, target)
            changed = replace(order, request=wanted)
            if order.status is not OrderStatus.OPEN:
                raise Rejected(f"Cannot modify order in {order.status} status")
            if _identity(order) != _identity(changed):
                raise Rejected(f"Order {target} is {' '.join(_identity(order))}. That part of it cannot be changed.")
            decision = decisions.enter(book, changed, instrument, quote, now)
            if decision.refusal:
                raise Rejected(decision.refusal)
            if book.change(decision.order):
                _carry_out(book, order.number, decision, now)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        """Withdraw an open order; what it blocked is free again. Raises NotFound and Rejected."""
        with self._book.transaction() as book:
            order = _named(book, permit.request.broker_order_id)
            if not book.change(replace(order, status=OrderStatus.CANCELLED, blocked=0)):
                raise Rejected(f"Cannot cancel order in {order.status} status")

    # -- books ---------------------------------------------------------------------------------------

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        """One order of any day."""
        self._match_all(self._clock.now())
        order = self._book.order(statements.order_number(order_id))
        found = None if order is None else statements.broker_order(order)
        return found if found is not None and found.id == order_id else None

    def find(self, tag: Ref) -> BrokerOrder | None:
        """The order of any day that carries ``tag``."""
        self._match_all(self._clock.now())
        order = self._book.find(tag)
        return None if order is None else statements.broker_order(order)

    def order_book(self) -> Sequence[BrokerOrder]:
        """Orders since 03:00 IST, newest first."""
        now = self._clock.now()
        self._match_all(now)
        return self._day_book.orders(_day_begin(now))

    def trade_book(self) -> Sequence[Trade]:
        """Fills since 03:00 IST, newest first."""
        now = self._clock.now()
        self._match_all(now)
        return self._trades_on(matching.trading_day(now))

    def trades_of(self, day: date) -> Sequence[Trade]:
        """Fills of any day, from 03:00 IST to 03:00 of the next."""
        return self._trades_on(day)

    def positions(self) -> Sequence[Position]:
        """Open positions, and those that were closed since 03:00 IST."""
        now = self._clock.now()
        self._match_all(now)
        today = matching.trading_day(now)
        return [statements.position(row, self._price(row, now), today) for row in self._book.positions(today)]

    def holdings(self) -> Sequence[Holding]:
        """Nothing yet: shares bought for delivery stay positions until T+1 settlement is built."""
        return []

    def funds(self) -> Funds:
        """Available is capital plus all booked profit minus what is blocked; open profit is not in it."""
        now = self._clock.now()
        self._match_all(now)
        today = matching.trading_day(now)
        account = self._book.account(today)
        valued = [(row, self._price(row, now)) for row in account.positions]
        return statements.funds(account.money, valued, today)

    def quote(self, instrument: Instrument) -> Quote:
        """The market now. Raises Rejected for an instrument without a price."""
        now = self._clock.now()
        quote = self._quote(instrument, now)
        if quote is None:
            raise _no_price(instrument)
        self._match(self._book.resting_in(instrument.symbol, instrument.exchange), now)
        return quote

    def quotes(self, instruments: Sequence[Instrument]) -> Sequence[Quote | None]:
        """The market now; None for instruments without a price."""
        now = self._clock.now()
        found = [self._quote(instrument, now) for instrument in instruments]
        self._match_all(now)
        return found

    def depth(self, instrument: Instrument) -> Depth:
        """The five best prices of both sides. Raises Rejected for an instrument without a price."""
        now = self._clock.now()
        if self._quote(instrument, now) is None:
            raise _no_price(instrument)
        self._match(self._book.resting_in(instrument.symbol, instrument.exchange), now)
        return self._market.depth(instrument, now)

    def history(self, instrument: Instrument, interval: Interval, first: date, last: date) -> Iterator[Bar]:
        """Bars of the market up to now. Raises Rejected for too many days, and as :meth:`quote`."""
        now = self._clock.now()
        if self._quote(instrument, now) is None:
            raise _no_price(instrument)
        most = history_limits.most_days(instrument, interval, day_in_india(now))
        if most is not None and (min(last, day_in_india(now)) - first).days >= most:
            raise Rejected(f"Bars of {interval} of {instrument.symbol} are given for at most {most} days at once.")
        return self._market.bars(instrument, interval, first, last, now)

    def margin(self, order: OrderRequest) -> Decimal:
        """By the rules of :meth:`place`, from the books of this moment. Raises Rejected as that does."""
        self.check(order)
        quote = self.quote(self._accepted(order))
        now = self._clock.now()
        resting = self._book.resting_in(order.symbol, order.exchange)
        ahead = sum(each.request.quantity for each in resting if is_on_same_side(each.request, order))
        return to_rupees(decisions.margin(order, self._position(order, now), ahead, quote, now))

    # -- matching ------------------------------------------------------------------------------------

    def _match_all(self, now: datetime) -> None:
        self._match(self._book.resting(), now)

    def _match(self, resting: Sequence[PaperOrder], now: datetime) -> None:
        """Fill what the market has reached and end what is of an earlier day. Free when nothing rests."""
        for order in resting:
            instrument = self._instruments.find(order.request.exchange, order.request.symbol)
            quote = None if instrument is None else self._quote(instrument, now)
            if instrument is None or quote is None:
                continue
            if decisions.has_lapsed(order, instrument, now) or matching.satisfies(order.request, quote):
                self._settle(order.number, instrument, quote, now)

    def _settle(self, number: int, instrument: Instrument, quote: Quote, now: datetime) -> None:
        """Decide again inside the transaction: meanwhile another thread may have filled, changed or cancelled it."""
        with self._book.transaction() as book:
            order = book.order(number)
            if order is None or order.status is not OrderStatus.OPEN:
                return
            decision = decisions.match(book, order, instrument, quote, now)
            if decision is not None and book.change(decision.order):
                _carry_out(book, number, decision, now)

    # -- look-ups ------------------------------------------------------------------------------------

    def _trades_on(self, day: date) -> Sequence[Trade]:
        begin = matching.day_begin(day)
        return [statements.trade(fill) for fill in self._book.trades(begin, begin + _A_DAY)]

    def _accepted(self, request: OrderRequest) -> Instrument:
        instrument = self._instruments.find(request.exchange, request.symbol)
        if instrument is None:
            raise Rejected(f"Symbol {request.symbol} not found on {request.exchange}")
        if rules.is_beyond_any_book(request):
            raise Rejected("Quantity or price is out of range.")
        return instrument

    def _quote(self, instrument: Instrument, now: datetime) -> Quote | None:
        return self._market.quote(instrument, now) if instrument.reference_price > 0 else None

    def _position(self, order: OrderRequest, now: datetime) -> PaperPosition:
        held = self._book.positions(matching.trading_day(now))
        return next((each for each in held if _is_of(each, order)), None) or decisions.no_position(order, now)

    def _price(self, position: PaperPosition, now: datetime) -> Decimal:
        """The last price in rupees; the average cost when the instrument is gone from the list."""
        instrument = self._instruments.find(position.exchange, position.symbol)
        if instrument is None or instrument.reference_price <= 0:
            return statements.average_price(position)
        return self._market.price(instrument, now)


def _carry_out(book: OpenBook, number: int, decision: Decision, now: datetime) -> None:
    """Write what a fill does; the order itself is written already."""
    if decision.effect is None:
        return
    book.add_trade(number, decision.order.filled_quantity, decision.order.average_price, now)
    book.save(decision.effect.position, decision.effect.gain)


def _no_price(instrument: Instrument) -> Rejected:
    return Rejected(f"There is no price for {instrument.symbol} on {instrument.exchange}.")


def _is_of(position: PaperPosition, order: OrderRequest) -> bool:
    named = (order.symbol, order.exchange, order.product)
    return (position.symbol, position.exchange, position.product) == named


def _named(book: OpenBook, wanted: BrokerOrderId) -> PaperOrder:
    order = book.order(statements.order_number(wanted))
    if order is None or statements.order_id(order.number, order.placed_at) != wanted:
        raise NotFound(f"Order {wanted} not found")
    return order


def _identity(order: PaperOrder) -> tuple[str, ...]:
    request = order.request
    return request.action, request.symbol, request.exchange, request.product


def _day_begin(now: datetime) -> datetime:
    return matching.day_begin(matching.trading_day(now))
