"""Everything that time did since the last look, once and in its order.

There is no scheduler. A watermark in the books says up to when all is done; who looks, in whatever thread and however
late, goes on from there. The events of one moment are one transaction, which moves the watermark from where it was
found: so they happen once, and a kill leaves all of them done or none. What rests until an event is matched by the
prices until then, at the second in which they reached it: whether anybody looked meanwhile makes no difference.

Where that is much, it is done share by share, and nobody waits for more than one: a look goes through the next share
and shows the books as they are then, and the timer goes on until all is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from openalgo_bridge.brokers.paper import decisions
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, OpenBook, PaperBookProtocol, priced
from openalgo_bridge.brokers.paper.clearing import Clearing, Concerned, concerned
from openalgo_bridge.brokers.paper.days import Event, Schedule
from openalgo_bridge.brokers.paper.decisions import Decision
from openalgo_bridge.brokers.paper.gtts import GttDesk, GttTouch
from openalgo_bridge.brokers.paper.price_hours import PriceHours
from openalgo_bridge.brokers.paper.reached import SECOND, Reach, first_moment
from openalgo_bridge.brokers.paper.resting import MomentOf
from openalgo_bridge.brokers.paper.turns import Turns
from openalgo_bridge.clock import IST, Clock
from openalgo_bridge.model.books import Extremes, OrderStatus
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.paper import PaperOrder, PriceRange, to_units
from openalgo_bridge.model.trading_hours import trading_day

Decide = Callable[[OpenBook, PaperOrder], Decision | None]
Settle = Callable[[int, Decide, datetime], None]
"""Decide about a working order, by its number, inside one transaction, and carry that out."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_UNSEEN = timedelta(seconds=10)
"""For how long prices may go by unseen before a look at the books goes through them: longer than between two rounds of
the timer, which does so without being asked for a book.
"""

_OVERLAP = timedelta(seconds=2)
"""Looked at again the next time: an order that is just being written counts from its time on."""

_MOST_MATCHES = 1_000
"""Of one order in one stretch: one that could never fill whole must not take the turn of another."""

_SHARE = 250
"""So many matches are done before another thread has its turn: well under a second."""

_CLOCK_RAN_AHEAD = timedelta(minutes=5)
"""By so much the watermark is never after the clock, unless that was set back: threads wait for less."""


class _Touch(NamedTuple):
    """When the price reached a resting order or a GTT. Of one second what rests comes first, because it was in the
    market when the trade was that a GTT only sees, and then the older one.
    """

    at: datetime
    is_gtt: bool
    number: int
    gtt: GttTouch | None = None


class CatchingUp:
    """Thread-safe. One thread at a time goes through what happened; who has nothing to wait for goes on."""

    def __init__(
        self,
        *,
        book: PaperBookProtocol,
        market: Market,
        instruments: InstrumentList,
        clock: Clock,
        schedule: Callable[[], Schedule],
        moment_of: MomentOf,
        settle: Settle,
        gtts: GttDesk,
        hours: PriceHours,
    ) -> None:
        self._book = book
        self._market = market
        self._instruments = instruments
        self._clock = clock
        self._schedule = schedule
        self._moment_of = moment_of
        self._settle = settle
        self._gtts = gtts
        self._hours = hours
        self._clearing = Clearing(market=market, instruments=instruments)
        self._turns = Turns()
        self._left = 0
        self._matches: Counter[int] = Counter()
        self._next_due = _LONG_AGO
        self._seen_until = _LONG_AGO
        self._untold: list[str] = []

    def before_a_look(self, now: datetime, *, patience_s: float | None = None) -> bool:
        """For whoever reads or changes the books: free where nothing is due and the timer goes round. False where more
        is due than one share, or another thread had its turn for longer than ``patience_s``: then what rests is not to
        be matched with the prices of now, because those of before come first.

        A GTT that was reached waits for no round, and fires after all that was reached before it. Raises StorageError.
        """
        if now >= self._next_due or now - self._seen_until >= _UNSEEN or self._gtts.is_due(now):
            return self._do_share(now, patience_s)
        return True

    def catch_up(self, now: datetime) -> None:
        """Do all that is due at ``now``. Raises StorageError; what was done before stays done."""
        while not self._do_share(now):
            pass

    def news(self) -> list[str]:
        """What the trader should know, each told once: positions that could not be closed, a clock that went back."""
        with self._turns.taken():
            told, self._untold = self._untold, []
        return told

    def _do_share(self, now: datetime, patience_s: float | None = None) -> bool:
        """Whether it was the last one."""
        with self._turns.taken(patience_s) as is_taken:
            if not is_taken:
                return False
            self._left = _SHARE
            self._follow_the_clock()
            schedule = self._schedule()
            while self._step(schedule, now):
                pass
            if not self._left:
                return False
            self._seen_until = now - _OVERLAP
            self._next_due = schedule.next_after(now)
            return True

    def _follow_the_clock(self) -> None:
        """A watermark that the clock left when it ran ahead would end nothing until it is as late again."""
        was, now = self._book.done_until(), self._clock.now()
        if was is None or was - now <= _CLOCK_RAN_AHEAD:
            return
        with self._book.transaction() as book:
            if not book.advance(was, now):
                return
        self._seen_until = min(self._seen_until, now)
        self._tell(
            f"The clock of this PC went back from {was.astimezone(IST):%d %b %Y %H:%M} to"
            f" {now.astimezone(IST):%d %b %Y %H:%M} IST. Paper trading goes by the new time from now on."
        )

    def _tell(self, sentence: str) -> None:
        if sentence not in self._untold:
            self._untold.append(sentence)

    def _step(self, schedule: Schedule, now: datetime) -> bool:
        """The next moment whose events find something to end; False where there is none until ``now``, or the share is
        used up.
        """
        was = self._book.done_until()
        if was is None:
            return False
        for at, group in groupby(schedule.due(was, now, self._exchanges_in_use(now)), key=attrgetter("at")):
            events = tuple(group)
            # A price of the very second is of after it: the first of a day fills nothing of the day before.
            self._match(was, at - SECOND)
            if not self._left:
                return False
            if any(map(self._concerned, events)):
                self._happen(at, events, was)
                return True
        self._match(was, now)
        if not self._left:
            return False
        # Past those of all exchanges: what is opened from now on is none of their business.
        passed = schedule.last_until(now)
        if passed > was:
            with self._book.transaction() as book:
                book.advance(was, passed)
        return False

    def _happen(self, at: datetime, events: Iterable[Event], was: datetime) -> None:
        """All that is due at one moment, unless somebody else was first. What each is about is looked up again, because
        now nobody else writes: what an earlier one closed is no business of a later one.
        """
        with self._book.transaction() as book:
            if not book.advance(was, at):
                return
            for event in events:
                for sentence in self._clearing.carry_out(event, self._concerned(event), book):
                    self._tell(sentence)

    def _concerned(self, event: Event) -> Concerned:
        """What was traded in later is none of its business either: an event may become due late, where the trader
        changes a time or the calendar.
        """
        found = concerned(event, self._book.resting(), self._book.positions(trading_day(event.at)))
        if not found.positions:
            return found
        if event.is_for_the_last_second:
            found = found.only(self._book.traded_after(event.at - SECOND))
        return found.without(self._book.traded_after(event.at))

    def _exchanges_in_use(self, now: datetime) -> list[Exchange]:
        """The sessions of all others end nothing."""
        held = {each.exchange for each in self._book.positions(trading_day(now)) if each.quantity}
        waiting = {each.request.exchange for each in self._book.gtts.active()}
        return sorted(held | waiting | {exchange for exchange, _ in self._book.instruments_in_use()})

    # -- the prices of the past ------------------------------------------------------------------------

    def _match(self, was: datetime, until: datetime) -> None:
        """What rests or waits, with the prices from ``was``, or from where they were seen last, to ``until``, in the
        order in which they reached it, until the share is used up: the next one begins at the second where this ends.
        """
        since = max(was, self._seen_until)
        prices = _Prices(self._market)
        resting = self._reached(prices, since, until)
        touches = [touch for order in resting for touch in self._touch(order, prices, since, until)]
        touches += [_Touch(each.at, is_gtt=True, number=each.gtt.number, gtt=each) for each in self._gtts.due(until)]
        heapify(touches)
        while touches:
            if not self._left:
                self._seen_until = max(self._seen_until, touches[0].at)
                return
            for each in self._carried_out(heappop(touches), prices, until):
                heappush(touches, each)
        self._matches.clear()
        self._seen_until = max(self._seen_until, until)

    def _carried_out(self, touch: _Touch, prices: _Prices, until: datetime) -> Iterator[_Touch]:
        """Match one order, or fire one GTT; what is reached next by that."""
        if touch.gtt is not None:
            self._left -= 1
            yield from self._fired(touch.gtt, prices, until)
        elif self._matches[touch.number] < _MOST_MATCHES:
            self._left -= 1
            self._matches[touch.number] += 1
            yield from self._matched(touch, prices, until)

    def _fired(self, touch: GttTouch, prices: _Prices, until: datetime) -> Iterator[_Touch]:
        """Let a GTT fire or end; when the order that it placed is reached next, where that works."""
        number = self._gtts.fire(touch)
        order = None if number is None else self._book.order(number)
        if order is not None and order.status.is_working:
            yield from self._touch(order, prices, touch.at, until)

    def _reached(self, prices: _Prices, since: datetime, until: datetime) -> Iterator[PaperOrder]:
        """Those that any price of the stretch reaches; each is then asked when."""
        if since > until:
            return
        for exchange, symbol in self._book.instruments_in_use():
            instrument = priced(self._instruments, exchange, symbol)
            if instrument is not None:
                seen = prices.of(instrument)(since, until)
                low, high = to_units(seen.low), to_units(seen.high)
                yield from self._book.reached(symbol, exchange, PriceRange(ask=low, bid=high, lowest=low, highest=high))

    def _touch(self, order: PaperOrder, prices: _Prices, since: datetime, until: datetime) -> Iterator[_Touch]:
        """When the prices first reached an order since it came, or filled, or was triggered; nothing where never."""
        instrument = self._priced(order)
        if instrument is None:
            return
        own = max(each for each in (order.placed_at, order.triggered_at, order.filled_at) if each is not None)
        begin = max(since, own.replace(microsecond=0) + SECOND)
        last_close = instrument.last_close
        end = until if last_close is None else min(until, last_close - SECOND)
        reach = prices.of(instrument)
        stretches = self._hours.stretches(instrument, begin, end)
        found = (first_moment(order, reach, first, last) for first, last in stretches)
        at = next((each for each in found if each is not None), None)
        if at is not None:
            yield _Touch(at, is_gtt=False, number=order.number)

    def _matched(self, touch: _Touch, prices: _Prices, until: datetime) -> Iterator[_Touch]:
        """Match one order with the market of the second that reached it; when it is reached next, where it still works.

        The trade that reached a limit was at that price, so on its side nothing was nearer.
        """
        before = self._book.order(touch.number)
        instrument = None if before is None else self._priced(before)
        if before is None or instrument is None or not before.status.is_working:
            return
        moment = self._moment_of(instrument, touch.at, before)
        if moment is None:
            return
        if before.status is OrderStatus.OPEN:
            moment = replace(moment, quote=replace(moment.quote, bid=moment.quote.ltp, ask=moment.quote.ltp))
        self._settle(touch.number, partial(decisions.match, moment=moment), touch.at)
        after = self._book.order(touch.number)
        if after is not None and after.status.is_working:
            yield from self._touch(after, prices, touch.at + SECOND, until)

    def _priced(self, order: PaperOrder) -> Instrument | None:
        return priced(self._instruments, order.request.exchange, order.request.symbol)


class _Prices:
    """The extremes of stretches, each worked out once: many orders may rest in one instrument."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[tuple[Exchange, str, datetime, datetime], Extremes] = {}

    def of(self, instrument: Instrument) -> Reach:
        def reach(since: datetime, until: datetime) -> Extremes:
            name = (instrument.exchange, instrument.symbol, since, until)
            if name not in self._known:
                self._known[name] = self._market.extremes(instrument, since, until)
            return self._known[name]

        return reach
