"""The paper exchange: decides inside one transaction of its book, writes, and only then answers.

It has no thread. Orders that rest are matched whenever somebody looks: when a book is read, or a price of
their instrument is asked for; what time alone does, and what prices reached unseen, is caught up then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Capabilities
from openalgo_bridge.brokers.paper import (
    decisions,
    delivery,
    execution,
    history_limits,
    hours,
    offers,
    rules,
    statements,
)
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, OpenBook, PaperBookProtocol, priced
from openalgo_bridge.brokers.paper.catching_up import CatchingUp
from openalgo_bridge.brokers.paper.day_book import DayBook
from openalgo_bridge.brokers.paper.days import Schedule
from openalgo_bridge.brokers.paper.decisions import Decision
from openalgo_bridge.brokers.paper.gtts import GttDesk, KeepsGtts
from openalgo_bridge.brokers.paper.in_time import in_time, standing
from openalgo_bridge.brokers.paper.offers import MarketMoment
from openalgo_bridge.brokers.paper.price_hours import PriceHours
from openalgo_bridge.brokers.paper.resting import RestingOrders
from openalgo_bridge.clock import Clock, day_in_india
from openalgo_bridge.errors import NotFound, Rejected, StorageError
from openalgo_bridge.model.books import Bar, BrokerOrder, Depth, Funds, Holding, Position, Quote, Trade
from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import BrokerOrderId, CancelRequest, ModifyRequest, OrderRequest, Ref
from openalgo_bridge.model.paper import PaperHolding, PaperOrder, PaperPosition, to_rupees
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.trading_hours import day_begin, trading_day

# Its book is its own: a read is always complete and fresh, so absence needs no waiting.
_CAPABILITIES = Capabilities(
    reread_after=0.0,
    rehearsed_per_second=8.0,
    positions_lag=0.0,
    intervals=tuple(Interval),
    has_depth=True,
    keeps_gtt_orders=True,
)
_A_DAY = timedelta(days=1)
_PATIENCE_OF_A_CANCEL_S = 1.0


class PaperExchange(KeepsGtts):
    """A :class:`~openalgo_bridge.brokers.base.Broker`. One order is one transaction, so one commit."""

    def __init__(
        self,
        *,
        book: PaperBookProtocol,
        market: Market,
        instruments: InstrumentList,
        clock: Clock,
        calendar: Callable[[], Calendar],
        settings: Callable[[], PaperSettings] = PaperSettings,
    ) -> None:
        self._book = book
        self._day_book = DayBook(book)
        self._market = market
        self._instruments = instruments
        self._clock = clock
        self._calendar = calendar
        self._settings = settings
        price_hours = PriceHours(calendar=calendar, settings=settings, instruments=instruments)
        self._gtts = GttDesk(
            book=book,
            market=market,
            instruments=instruments,
            clock=clock,
            moment_of=self._moment,
            hours=price_hours,
        )
        self._resting = RestingOrders(book=book, instruments=instruments, moment_of=self._moment, hours=price_hours)
        self._days = CatchingUp(
            book=book,
            market=market,
            instruments=instruments,
            clock=clock,
            schedule=self._schedule,
            moment_of=self._moment,
            # A power cut may undo what prices of the past did: they do it again.
            settle=partial(self._resting.settle, is_synced=False),
            gtts=self._gtts,
            hours=price_hours,
        )

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
        """What the rules of the exchange refuse wherever the market is, with the books of now. Raises Rejected."""
        self._met(order, self._accepted(order), self._clock.now())

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        """Fill, rest or refuse an order. Raises Rejected.

        A refused order stands in the book as ``rejected``, unless it is for something not listed, could not be
        held by any book, or carries a reference that an earlier order carries.
        """
        instrument = self._accepted(permit.request)
        return in_time(self._clock, partial(self._place, permit, instrument))

    def _place(
        self, permit: SendPermit[OrderRequest], instrument: Instrument, now: datetime, known: datetime | None
    ) -> BrokerOrderId:
        order = PaperOrder(tag=permit.ref, request=permit.request, placed_at=now)
        self._match_in(instrument, now)
        moment = self._asked_in(instrument, now, order)
        # The journal, in the same file, writes down next how this ended, and waits for the disk once for both. After a
        # power cut in between neither knows of a fill: the order is looked up by its tag, and found absent.
        with self._book.transaction(is_synced=False) as book:
            met = standing(book, order, now, known, self._is_eventful)
            decision = decisions.enter(book, met, order, instrument, moment, now)
            number = book.add(decision.order)
            if number is None:
                raise Rejected(f"Reference {order.tag} was already used by an earlier order.")
            execution.carry_out(book, number, decision, now)
        if decision.refusal:
            raise Rejected(decision.refusal)
        return statements.order_id(number, now)

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        """Change quantity, prices or price type of a working order, which may then fill at once.

        Raises NotFound, and Rejected, which leaves the order as it was.
        """
        instrument = self._accepted(permit.request.order)
        in_time(self._clock, partial(self._modify, permit, instrument))

    def _modify(
        self, permit: SendPermit[ModifyRequest], instrument: Instrument, now: datetime, known: datetime | None
    ) -> None:
        wanted = permit.request.order
        self._days.catch_up(now)
        self._match_in(instrument, now)
        moment = self._asked_in(instrument, now, PaperOrder(tag=Ref(""), request=wanted, placed_at=now))
        with self._book.transaction() as book:
            order = _named(book, permit.request.broker_order_id)
            refusal = decisions.why_not_changed(order, wanted)
            if refusal:
                raise Rejected(refusal)
            met = standing(book, order, now, known, self._is_eventful)
            decision = decisions.enter(book, met, decisions.changed(order, wanted), instrument, moment, now)
            if decision.refusal:
                raise Rejected(decision.refusal)
            if execution.amend(book, order, decision, now):
                # Until now all orders were matched as they stood; the new terms count from here on.
                book.leave_behind(now)

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        """Withdraw a working order; what it blocked is free again. Raises NotFound and Rejected."""
        self._match_before_a_cancel(self._clock.now())
        with self._book.transaction() as book:
            order = _named(book, permit.request.broker_order_id)
            if not execution.amend(book, order, Decision(order=order.cancelled()), self._clock.now()):
                raise Rejected(f"Cannot cancel order in {order.status} status")

    def tend(self) -> Sequence[str]:
        """Square-offs, lapses, expiries and deliveries that are due, and what prices reached meanwhile."""
        now = self._clock.now()
        self._days.catch_up(now)
        # Where a clock was set back there is no stretch of time to go through, but there is a market.
        self._resting.match_all(now)
        return self._days.news()

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
        return self._day_book.orders(day_begin(trading_day(now)))

    def trade_book(self) -> Sequence[Trade]:
        """Fills since 03:00 IST, newest first."""
        now = self._clock.now()
        self._match_all(now)
        return self._trades_on(trading_day(now))

    def trades_of(self, day: date) -> Sequence[Trade]:
        """Fills of any day, from 03:00 IST to 03:00 of the next."""
        return self._trades_on(day)

    def positions(self) -> Sequence[Position]:
        """Open positions, and those that were closed since 03:00 IST."""
        now = self._clock.now()
        self._match_all(now)
        today = trading_day(now)
        return [statements.position(row, self._price(row, now), today) for row in self._book.positions(today)]

    def holdings(self) -> Sequence[Holding]:
        """Shares that were delivered."""
        now = self._clock.now()
        self._match_all(now)
        return [statements.holding(row, self._price(row, now)) for row in self._book.holdings()]

    def funds(self) -> Funds:
        """Available is capital plus all booked profit minus what is blocked; open profit is not in it."""
        now = self._clock.now()
        self._match_all(now)
        today = trading_day(now)
        account = self._book.account(today)
        valued = [(row, self._price(row, now)) for row in account.positions]
        return statements.funds(account, valued, today)

    def quote(self, instrument: Instrument) -> Quote:
        """The market now. Raises Rejected for an instrument without a price."""
        now = self._clock.now()
        quote = self._quote(instrument, now)
        if quote is None:
            raise _no_price(instrument)
        self._match_in(instrument, now)
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
        if not instrument.is_priced:
            raise _no_price(instrument)
        self._match_in(instrument, now)
        return self._market.depth(instrument, now)

    def history(self, instrument: Instrument, interval: Interval, first: date, last: date) -> Iterator[Bar]:
        """Bars of the market up to now. Raises Rejected for too many days, and as :meth:`quote`."""
        now = self._clock.now()
        if not instrument.is_priced:
            raise _no_price(instrument)
        most = history_limits.most_days(instrument, interval, day_in_india(now))
        if most is not None and (min(last, day_in_india(now)) - first).days >= most:
            raise Rejected(f"Bars of {interval} of {instrument.symbol} are given for at most {most} days at once.")
        return self._market.bars(instrument, interval, first, last, now)

    def margin(self, order: OrderRequest) -> Decimal:
        """By the rules of :meth:`place`, from the books of this moment. Raises Rejected as that does."""
        instrument, now = self._accepted(order), self._clock.now()
        self._match_in(instrument, now)
        position, moment = self._met(order, instrument, now)
        if moment is None:
            raise _no_price(instrument)
        return to_rupees(decisions.margin(order, position, self._book.resting_quantity(order), moment))

    # -- matching ------------------------------------------------------------------------------------

    def _match_all(self, now: datetime) -> None:
        if self._days.before_a_look(now):
            self._resting.match_all(now)

    def _match_in(self, instrument: Instrument, now: datetime) -> None:
        if self._days.before_a_look(now):
            self._resting.match_in(instrument, now)

    def _match_before_a_change(self, now: datetime) -> None:
        self._days.catch_up(now)

    def _match_before_a_cancel(self, now: datetime) -> None:
        with suppress(StorageError):  # a cancel is never refused because something else cannot be read
            self._days.before_a_look(now, patience_s=_PATIENCE_OF_A_CANCEL_S)

    # -- look-ups ------------------------------------------------------------------------------------

    def _trades_on(self, day: date) -> Sequence[Trade]:
        begin = day_begin(day)
        return [statements.trade(fill) for fill in self._book.trades(begin, begin + _A_DAY)]

    def _accepted(self, request: OrderRequest) -> Instrument:
        instrument = self._instruments.find(request.exchange, request.symbol)
        if instrument is None:
            raise Rejected(f"Symbol {request.symbol} not found on {request.exchange}")
        if rules.is_beyond_any_book(request, instrument.multiplier):
            raise Rejected("Quantity or price is out of range.")
        return instrument

    def _met(
        self, order: OrderRequest, instrument: Instrument, now: datetime
    ) -> tuple[PaperPosition, MarketMoment | None]:
        """The position and the market that a new order would meet. Raises Rejected for what the rules refuse of it."""
        new = PaperOrder(tag=Ref(""), request=order, placed_at=now)
        position, moment = self._position(order, instrument, now), self._asked_in(instrument, now, new)
        refusal = decisions.why_refused(new, instrument, moment, position.quantity + self._delivered(order), now)
        if refusal:
            raise Rejected(refusal)
        return position, moment

    def _quote(self, instrument: Instrument, now: datetime) -> Quote | None:
        return self._market.quote(instrument, now) if instrument.is_priced else None

    def _moment(self, instrument: Instrument, now: datetime, order: PaperOrder | None = None) -> MarketMoment | None:
        """The market for a decision, with its depth where ``order`` may need it; None where there is no price."""
        quote = self._quote(instrument, now)
        if quote is None:
            return None
        is_protected = order is not None and offers.may_be_protected(order) and self._settings().protects_market_orders
        needs_depth = is_protected or (order is not None and order.bound is not None)
        depth = self._market.depth(instrument, now) if needs_depth else None
        return MarketMoment(instrument=instrument, quote=quote, depth=depth, now=now, is_protected=is_protected)

    def _asked_in(self, instrument: Instrument, now: datetime, order: PaperOrder) -> MarketMoment | None:
        """The moment in which somebody asks for a new or changed order: outside of hours, where the trader has some."""
        moment = self._moment(instrument, now, order)
        if moment is None or self._settings().hours is PaperHours.ALWAYS:
            return moment
        schedule, has_derivatives = self._schedule(), self._instruments.has_derivatives(instrument)
        return replace(
            moment,
            why_closed=hours.why_closed(schedule.calendar, instrument.exchange, now, has_derivatives=has_derivatives),
            why_not_opened=hours.why_not_opened(schedule, order.request, now),
        )

    def _position(self, order: OrderRequest, instrument: Instrument, now: datetime) -> PaperPosition:
        return decisions.opened_anew(self._book.position(order), order, instrument, now)

    def _delivered(self, order: OrderRequest) -> int:
        """How many delivered shares an order may sell."""
        if not delivery.is_sale(order):
            return 0
        named = (order.symbol, order.exchange)
        return sum(each.quantity for each in self._book.holdings() if (each.symbol, each.exchange) == named)

    def _price(self, row: PaperPosition | PaperHolding, now: datetime) -> Decimal:
        """The last price in rupees; the average cost when the instrument is gone from the list."""
        instrument = priced(self._instruments, row.exchange, row.symbol)
        return statements.average_price(row) if instrument is None else self._market.price(instrument, now)

    def _is_eventful(self, since: datetime, until: datetime) -> bool:
        return any(True for _ in self._schedule().due(since, until))

    def _schedule(self) -> Schedule:
        return Schedule(calendar=self._calendar(), square_off=self._settings().square_off_times)


def _no_price(instrument: Instrument) -> Rejected:
    return Rejected(f"There is no price for {instrument.symbol} on {instrument.exchange}.")


def _named(book: OpenBook, wanted: BrokerOrderId) -> PaperOrder:
    order = book.order(statements.order_number(wanted))
    if order is None or statements.order_id(order.number, order.placed_at) != wanted:
        raise NotFound(f"Order {wanted} not found")
    return order
