"""What the clock brings at the paper exchange, as a list in the order of time. Pure.

Intraday positions are closed before an exchange closes, what rests lapses as it closes, contracts are settled after
their last close, and shares that were bought for delivery are delivered on the next day on which that is done. When
the day of the books ends, at 03:00, all that no session has ended is ended: what was traded on a Sunday, too. That is
done in its last second, so that it stands in the books of its day; what came in that second ends with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum, auto

from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import day_begin, expires, last_close, trading_day

ALL = tuple(Exchange)
"""Of an event that is about every exchange."""

_SHARES = (Exchange.NSE, Exchange.BSE)
_WITH_CONTRACTS = frozenset(
    {Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD, Exchange.MCX, Exchange.NCO, Exchange.NCDEX}
)
_A_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

# How long before the close brokers close intraday positions (callers 5.2).
_USUAL_LEAD = timedelta(minutes=5)
_LEADS = {
    Exchange.CDS: timedelta(minutes=15),
    Exchange.BCD: timedelta(minutes=15),
    Exchange.MCX: timedelta(minutes=25),
    Exchange.NCO: timedelta(minutes=25),
}


class EventKind(IntEnum):
    """What happens. Of one moment they happen in this order."""

    LAPSE = auto()
    SQUARE_OFF = auto()
    EXPIRY = auto()
    SETTLEMENT = auto()


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """What happens at an aware moment, on these exchanges."""

    at: datetime
    kind: EventKind
    exchanges: tuple[Exchange, ...]

    @property
    def is_for_the_last_second(self) -> bool:
        """Whether it closes what was traded in the last second of the day of the books, and nothing else."""
        return self.kind is EventKind.SQUARE_OFF and self.at == day_begin(trading_day(self.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """By what the days of the exchange go: the calendar, and at what time in India the trader has intraday positions
    closed, by exchange, where he wants another time than the usual one.

    Where the calendar does not know a year, the weekday decides (:meth:`Calendar.knows`).
    """

    calendar: Calendar
    square_off: Mapping[Exchange, time]

    def due(self, since: datetime, until: datetime, exchanges: Collection[Exchange] = ALL) -> Iterator[Event]:
        """Everything after ``since`` and not after ``until`` on these exchanges, in order, made as it is read."""
        day, last = trading_day(since), trading_day(until)
        while day <= last:
            for event in sorted(self._of_day(day, exchanges)):
                if since < event.at <= until:
                    yield event
            day += _A_DAY

    def next_after(self, moment: datetime) -> datetime:
        """When the next of them is due: at the end of the books' next day at the latest."""
        return next(self.due(moment, moment + 2 * _A_DAY)).at

    def last_until(self, moment: datetime) -> datetime:
        """When the last of them was: at the end of the books' last day at the earliest."""
        return max(event.at for event in self.due(moment - 2 * _A_DAY, moment))

    def squares_off_at(self, exchange: Exchange, day: date) -> datetime | None:
        """When intraday positions are closed on that trading day; None where the exchange does not trade.

        A time of the trader's that lies outside of the session does not count on that day.
        """
        sessions = self.calendar.sessions(exchange, day, has_derivatives=True)
        if not sessions:
            return None
        session = sessions[-1]
        wanted = self.square_off.get(exchange)
        if wanted is not None:
            moment = datetime.combine(day, wanted, tzinfo=session.closes.tzinfo)
            if session.opens < moment < session.closes:
                return moment
        return max(session.opens, session.closes - _LEADS.get(exchange, _USUAL_LEAD))

    def _of_day(self, day: date, exchanges: Collection[Exchange]) -> Iterator[Event]:
        for exchange in exchanges:
            yield from self._of_session(day, exchange)
        end = day_begin(day + _A_DAY)
        for kind in (EventKind.LAPSE, EventKind.SQUARE_OFF, EventKind.EXPIRY):
            yield Event(end - _SECOND, kind, ALL)
        for kind in (EventKind.LAPSE, EventKind.SQUARE_OFF):
            yield Event(end, kind, ALL)
        settling = tuple(each for each in _SHARES if self.calendar.settles_on(each, day + _A_DAY))
        if settling:
            yield Event(end, EventKind.SETTLEMENT, settling)

    def _of_session(self, day: date, exchange: Exchange) -> Iterator[Event]:
        squares_off_at = self.squares_off_at(exchange, day)
        if squares_off_at is None:
            return
        yield Event(squares_off_at, EventKind.SQUARE_OFF, (exchange,))
        closes = self.calendar.sessions(exchange, day)[-1].closes
        yield Event(closes, EventKind.LAPSE, (exchange,))
        if exchange in _WITH_CONTRACTS:
            closes_at = {last_close(exchange, day, is_on_index=on_index) for on_index in (True, False)}
            for moment in sorted({expires(exchange, day), *closes_at}):
                yield Event(moment, EventKind.EXPIRY, (exchange,))
