"""Working orders and the market: whoever looks triggers and fills what it has reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from openalgo_bridge.brokers.paper import decisions, execution
from openalgo_bridge.brokers.paper.book import InstrumentList, OpenBook, PaperBookProtocol
from openalgo_bridge.brokers.paper.decisions import Decision
from openalgo_bridge.brokers.paper.offers import MarketMoment
from openalgo_bridge.brokers.paper.price_hours import PriceHours
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.paper import PaperOrder, PriceRange, to_units

MomentOf = Callable[[Instrument, datetime, PaperOrder | None], MarketMoment | None]
"""The market for a decision about an order; None where there is no price."""


class RestingOrders:
    """Thread-safe: what becomes of an order is decided again, and written, inside one transaction of the book.

    The book is asked for what a price reaches, so a look costs what it fills, and not what rests.
    """

    def __init__(
        self, *, book: PaperBookProtocol, instruments: InstrumentList, moment_of: MomentOf, hours: PriceHours
    ) -> None:
        self._book = book
        self._instruments = instruments
        self._moment_of = moment_of
        self._hours = hours

    def match_all(self, now: datetime) -> None:
        """With the markets of all that orders rest in, the oldest order first. Free when nothing rests."""
        places = self._book.instruments_in_use()
        due = [order for exchange, symbol in places for order in self._due(exchange, symbol, now)]
        self._match(due, now)

    def match_in(self, instrument: Instrument, now: datetime) -> None:
        """With the market of one instrument."""
        self._match(self._due(instrument.exchange, instrument.symbol, now), now)

    def settle(
        self,
        number: int,
        decide: Callable[[OpenBook, PaperOrder], Decision | None],
        now: datetime,
        *,
        is_synced: bool = True,
    ) -> None:
        """Decide inside the transaction: meanwhile another thread may have filled, changed or cancelled it.
        ``is_synced`` as of the book.
        """
        with self._book.transaction(is_synced=is_synced) as book:
            order = book.order(number)
            if order is None or not order.status.is_working:
                return
            decision = decide(book, order)
            if decision is not None:
                execution.amend(book, order, decision, now)

    def _due(self, exchange: Exchange, symbol: str, now: datetime) -> Sequence[PaperOrder]:
        instrument = self._instruments.find(exchange, symbol)
        if instrument is None or (instrument.last_close is not None and now >= instrument.last_close):
            return []
        moment = self._moment_of(instrument, now, None)
        reached = [] if moment is None else self._book.reached(symbol, exchange, _range(moment.quote))
        # Asked last, because it reads the settings, and hardly ever is anything reached.
        return reached if reached and self._hours.count_at(instrument, now) else []

    def _match(self, due: Sequence[PaperOrder], now: datetime) -> None:
        for order in sorted(due, key=lambda each: each.number):
            instrument = self._instruments.find(order.request.exchange, order.request.symbol)
            moment = None if instrument is None else self._moment_of(instrument, now, order)
            if moment is not None and decisions.is_due(order, moment):
                self.settle(order.number, partial(decisions.match, moment=moment), now)


def _range(quote: Quote) -> PriceRange:
    last = to_units(quote.ltp)
    return PriceRange(ask=to_units(quote.ask), bid=to_units(quote.bid), lowest=last, highest=last)
