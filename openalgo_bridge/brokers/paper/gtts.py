"""Orders that wait at the exchange for their price over days, and how one is fired: once, in one transaction.

There is no thread: who looks at the market finds what it has reached since it was looked at last. That is fired in the
order of time, with what rests, at the second in which it was reached and with the market of that second.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from openalgo_bridge.brokers.paper import decisions, execution, gtt_statements, matching, rules
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, OpenBook, PaperBookProtocol, priced
from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.brokers.paper.price_hours import PriceHours
from openalgo_bridge.brokers.paper.reached import SECOND, first_second
from openalgo_bridge.brokers.paper.resting import MomentOf
from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import NotFound, Rejected
from openalgo_bridge.model import figures
from openalgo_bridge.model import gtt as gtts
from openalgo_bridge.model.books import Extremes
from openalgo_bridge.model.gtt import LONGEST_LIFE, NO_PRICE, BrokerGtt, GttState
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelGttRequest,
    GttLeg,
    GttRequest,
    ModifyGttRequest,
    PriceType,
    Product,
    Ref,
)
from openalgo_bridge.model.paper import PaperOrder, to_units
from openalgo_bridge.model.paper_gtt import FiredOrder, PaperGtt
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.trading_hours import expires

_LIFE_IS_OVER = "Its price did not come in time."
_CONTRACT_IS_OVER = "Its price did not come before the contract expired."


class GttTouch(NamedTuple):
    """When the price reached a GTT, which stands as it was then read, or when its time was over."""

    at: datetime
    gtt: PaperGtt
    over: str
    """Why it ends unused; empty where it fires."""


class GttDesk:
    """Takes, changes, withdraws, tells and fires them.

    Thread-safe: what is fired is claimed in the book. What was seen of the market is kept in memory, and seen again
    where two threads note it at once or the bridge was started anew: that changes nothing.
    """

    def __init__(
        self,
        *,
        book: PaperBookProtocol,
        market: Market,
        instruments: InstrumentList,
        clock: Clock,
        moment_of: MomentOf,
        hours: PriceHours,
    ) -> None:
        self._book = book
        self._market = market
        self._instruments = instruments
        self._clock = clock
        self._moment_of = moment_of
        self._hours = hours
        # Of each as it stands: with new terms it is another, for which nothing was seen yet.
        self._seen_until: dict[PaperGtt, datetime] = {}
        self._looked_at: datetime | None = None

    # -- what is asked for -----------------------------------------------------------------------------

    def check(self, asked: GttRequest) -> None:
        """What is refused whatever the account holds. Raises Rejected."""
        self._check_triggers(asked, self._listed(asked), self._clock.now())

    def place(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        """Let an order wait. Raises Rejected."""
        asked, now = permit.request, self._clock.now()
        instrument = self._listed(asked)
        self._check_triggers(asked, instrument, now)
        with self._book.transaction(is_synced=False) as book:
            blocked = _set_aside(book, asked, instrument, now, blocked_before=0)
            gtt = PaperGtt(
                tag=permit.ref,
                request=asked,
                blocked=blocked,
                placed_at=now,
                changed_at=now,
                expires_at=asked.expires_at or now + LONGEST_LIFE,
            )
            number = book.gtts.add(gtt)
        if number is None:
            raise Rejected(f"Reference {permit.ref} was already used by an earlier GTT order.")
        return gtt_statements.gtt_id(number, now)

    def modify(self, permit: SendPermit[ModifyGttRequest]) -> None:
        """Change one that waits. Raises NotFound, and Rejected, which leaves it as it was."""
        target, wanted, now = permit.request.trigger_id, permit.request.gtt, self._clock.now()
        instrument = self._listed(wanted)
        self._check_triggers(wanted, instrument, now)
        with self._book.transaction() as book:
            before = _named(book, target)
            if gtts.identity(before.request) != gtts.identity(wanted):
                told = " ".join(gtts.identity(before.request))
                raise Rejected(f"GTT {target} is {told}. That part of it cannot be changed.")
            blocked = _set_aside(book, wanted, instrument, now, blocked_before=before.blocked)
            if not book.gtts.change(before, replace(before, request=wanted, blocked=blocked, changed_at=now)):
                raise _not_active(target)

    def cancel(self, permit: SendPermit[CancelGttRequest]) -> None:
        """Withdraw one that waits; what it blocked is free again. Raises NotFound."""
        with self._book.transaction() as book:
            before = _named(book, permit.request.trigger_id)
            if not book.gtts.end(before, GttState.CANCELLED, self._clock.now()):
                raise _not_active(permit.request.trigger_id)

    def gtt(self, trigger_id: BrokerOrderId) -> BrokerGtt | None:
        """One, whatever became of it."""
        found = self._book.gtts.find(gtt_statements.number_in(trigger_id))
        return None if found is None or gtt_statements.id_of(found) != trigger_id else self._told(found)

    def find(self, tag: Ref) -> BrokerGtt | None:
        """The one that carries ``tag``."""
        found = self._book.gtts.by_tag(tag)
        return None if found is None else self._told(found)

    def waiting(self) -> Sequence[BrokerGtt]:
        """Those that wait, newest first."""
        return [self._told(each) for each in self._book.gtts.active()]

    def ended(self, since: datetime) -> Sequence[BrokerGtt]:
        """Those that wait no more since then, the last one first."""
        return [self._told(each) for each in self._book.gtts.ended(since)]

    # -- what the market does --------------------------------------------------------------------------

    def is_due(self, until: datetime) -> bool:
        """Whether the market has reached one until then, or the time of one is over. Free where nothing waits, and
        nearly so within a second: prices change with it. Raises StorageError.
        """
        return until.replace(microsecond=0) != self._looked_at and bool(self.due(until))

    def due(self, until: datetime) -> list[GttTouch]:
        """Each that is, in no order. Raises StorageError."""
        second, active = until.replace(microsecond=0), self._book.gtts.active()
        seen = self._seen_until
        if len(seen) > len(active):
            self._seen_until = {each: seen[each] for each in active if each in seen}
        since = self._book.done_until() if active else None
        touches = [touch for each in active if (touch := self._touch(each, since, second)) is not None]
        if not touches:
            self._looked_at = second
        return touches

    def fire(self, touch: GttTouch) -> int | None:
        """Let it place its order, whose number is returned, or end; None also where somebody was first. Raises
        StorageError.
        """
        at, gtt, over = touch
        instrument = self._instruments.find(gtt.request.exchange, gtt.request.symbol)
        fired = None
        if over or instrument is None:
            self._end(gtt.number, at, over)
        else:
            fired = self._fire(gtt, instrument, at)
        # Last of all: what could not be written is due again at the next look.
        self._seen_until[gtt] = at.replace(microsecond=0) + SECOND
        return fired

    def _touch(self, gtt: PaperGtt, since: datetime | None, until: datetime) -> GttTouch | None:
        """``since``: up to when the books are done with prices, by what counted then."""
        instrument = self._instruments.find(gtt.request.exchange, gtt.request.symbol)
        over_at, why = _end_of(gtt, instrument)
        begin = self._begin(gtt, since, until)
        at = self._first_reached(gtt, instrument, begin, min(until, over_at - SECOND))
        if at is not None:
            return GttTouch(at, gtt, over="")
        if until >= over_at:
            return GttTouch(over_at, gtt, over=why)
        self._seen_until[gtt] = until + SECOND
        return None

    def _begin(self, gtt: PaperGtt, since: datetime | None, until: datetime) -> datetime:
        """From the second after it was placed or changed: what a trigger was then at was judged when it came.

        Where the clock was set back that is yet to come, and the price of the moment counts alone. The clock is asked,
        because a look that had to wait is late, and what came meanwhile is none of its business.
        """
        begin = gtt.changed_at.replace(microsecond=0) + SECOND
        now, seen = self._clock.now(), self._seen_until.get(gtt)
        if since is not None and (seen is None or since <= now):
            begin = max(begin, since)
        if seen is not None:
            begin = max(begin, seen)
        return until if now + SECOND < begin else begin

    def _first_reached(
        self, gtt: PaperGtt, instrument: Instrument | None, begin: datetime, until: datetime
    ) -> datetime | None:
        """The first second in which the price came to one of its triggers; None where it did not, or has no price."""
        if instrument is None or not instrument.is_priced or begin > until:
            return None

        def is_reached(since: datetime, end: datetime) -> bool:
            return _reached(gtt.request, self._extremes(instrument, since, end)) is not None

        stretches = self._hours.stretches(instrument, begin, until)
        found = (first_second(is_reached, since, end) for since, end in stretches)
        return next((at for at in found if at is not None), None)

    def _extremes(self, instrument: Instrument, since: datetime, until: datetime) -> Extremes:
        """Of one second, which is what a look as a rule is about, its price tells as much and costs a tenth."""
        if since < until:
            return self._market.extremes(instrument, since, until)
        price = self._market.price(instrument, since)
        return Extremes(low=price, high=price)

    def _fire(self, read: PaperGtt, instrument: Instrument, at: datetime) -> int | None:
        """Claim it and enter its order, both or neither. Its money is free before the order asks for some."""
        with self._book.transaction() as book:
            gtt = book.gtts.find(read.number)
            leg = _reached(read.request, self._extremes(instrument, at, at))
            # Changed meanwhile it waits for another price, and what was before the change says nothing.
            if gtt != read or leg is None or not book.gtts.end(read, GttState.TRIGGERED, at):
                return None
            order = PaperOrder(
                tag=Ref(""),
                cause=f"GTT {gtt_statements.id_of(read)}",
                request=read.request.order(leg),
                placed_at=at,
            )
            moment = self._moment_of(instrument, at, order)
            decision = decisions.enter(book, book.standing(order.request), order, instrument, moment, at)
            fired = execution.send(book, decision, at)
            book.gtts.note_fired(read, leg.side, FiredOrder(number=fired, at=at), decision.refusal)
            return fired

    def _end(self, number: int, at: datetime, why: str) -> None:
        with self._book.transaction() as book:
            gtt = book.gtts.find(number)
            if gtt is not None:
                book.gtts.end(gtt, GttState.EXPIRED, at, why)

    # -- look-ups --------------------------------------------------------------------------------------

    def _listed(self, asked: GttRequest) -> Instrument:
        instrument = self._instruments.find(asked.exchange, asked.symbol)
        if instrument is None:
            raise Rejected(f"Symbol {asked.symbol} not found on {asked.exchange}")
        return instrument

    def _check_triggers(self, asked: GttRequest, instrument: Instrument, now: datetime) -> None:
        """What no account could place. How far a limit may be from the market is asked on the day of its order."""
        position = self._book.position(asked)
        held = 0 if position is None else position.quantity
        for leg, order in zip(asked.legs, gtts.orders_of(asked), strict=True):
            beyond = rules.is_beyond_any_book(replace(order, trigger_price=leg.trigger_price), instrument.multiplier)
            refusal = "Quantity or price is out of range." if beyond else rules.refusal(order, instrument, held, now)
            if refusal:
                raise Rejected(refusal)
            if leg.trigger_price % instrument.tick:
                raise Rejected(rules.off_tick("Price", leg.trigger_price, instrument))
        if not instrument.is_priced:
            raise Rejected(f"There is no price for {asked.symbol} on {asked.exchange}.")
        market = self._extremes(instrument, now, now)
        met = _reached(asked, market)
        if met is not None:
            last, trigger = figures.rupees(market.low), figures.rupees(met.trigger_price)
            told = f"{asked.symbol} is at {last}: the trigger {trigger} is reached already."
            raise Rejected(f"{told} Place an order instead.")

    def _told(self, gtt: PaperGtt) -> BrokerGtt:
        instrument = priced(self._instruments, gtt.request.exchange, gtt.request.symbol)
        price = NO_PRICE if instrument is None else self._market.price(instrument, self._clock.now())
        return gtt_statements.broker_gtt(gtt, price)


class KeepsGtts(ABC):
    """The part of a broker that keeps them. Who asks for one finds the market looked at first."""

    _gtts: GttDesk
    _clock: Clock

    @abstractmethod
    def _match_all(self, now: datetime) -> None:
        """Do what the market has reached, of orders too; where that is much, a part of it."""

    @abstractmethod
    def _match_before_a_change(self, now: datetime) -> None:
        """All of it: new terms are no judge of the prices of before."""

    @abstractmethod
    def _match_before_a_cancel(self, now: datetime) -> None:
        """As much as can be done without keeping a cancel waiting, and nothing where something cannot be read."""

    def check_gtt(self, gtt: GttRequest) -> None:
        """What is refused whatever the account holds. Raises Rejected."""
        self._gtts.check(gtt)

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        """Let an order wait. Raises Rejected, which leaves no row."""
        return self._gtts.place(permit)

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        """Change one that waits. Raises NotFound, and Rejected, which leaves it as it was."""
        self._match_before_a_change(self._clock.now())
        self._gtts.modify(permit)

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        """Withdraw one that waits; what it blocked is free again. Raises NotFound."""
        self._match_before_a_cancel(self._clock.now())
        self._gtts.cancel(permit)

    def gtt(self, trigger_id: BrokerOrderId) -> BrokerGtt | None:
        """One, whatever became of it."""
        self._match_all(self._clock.now())
        return self._gtts.gtt(trigger_id)

    def find_gtt(self, tag: Ref) -> BrokerGtt | None:
        """The one that carries ``tag``, whatever became of it."""
        self._match_all(self._clock.now())
        return self._gtts.find(tag)

    def gtt_book(self) -> Sequence[BrokerGtt]:
        """Those that wait, newest first."""
        self._match_all(self._clock.now())
        return self._gtts.waiting()

    def ended_gtts(self, since: datetime) -> Sequence[BrokerGtt]:
        """Those that fired or ended since then, the last one first."""
        self._match_all(self._clock.now())
        return self._gtts.ended(since)


def _reached(asked: GttRequest, extremes: Extremes) -> GttLeg | None:
    return next((leg for leg in asked.legs if gtts.is_reached(leg, extremes.low, extremes.high)), None)


def _end_of(gtt: PaperGtt, instrument: Instrument | None) -> tuple[datetime, str]:
    """When it is over unused, and why."""
    if instrument is None or instrument.expiry is None:
        return gtt.expires_at, _LIFE_IS_OVER
    expiry = expires(instrument.exchange, instrument.expiry)
    return (expiry, _CONTRACT_IS_OVER) if expiry < gtt.expires_at else (gtt.expires_at, _LIFE_IS_OVER)


def _set_aside(book: OpenBook, asked: GttRequest, instrument: Instrument, now: datetime, *, blocked_before: int) -> int:
    """What the larger of its orders would block: at most one is ever placed. Raises Rejected where that is not there.

    Shares that are sold need no money, and whether they are there is asked on the day on which they are sold.
    """
    if asked.product is Product.CNC and asked.action is Action.SELL:
        return 0
    standing = book.standing(asked)
    orders = gtts.orders_of(asked)
    position = decisions.opened_anew(standing.position, orders[0], instrument, now)
    ahead = book.resting_quantity(orders[0], besides=0)
    needed = max(
        matching.resting_margin(position, order, Fill(to_units(_counted(leg, asked)), asked.quantity), ahead)
        for leg, order in zip(asked.legs, orders, strict=True)
    )
    available = standing.money.available + blocked_before
    if needed and needed > available:
        raise Rejected(decisions.insufficient(needed, available))
    return needed


def _counted(leg: GttLeg, asked: GttRequest) -> Decimal:
    return leg.price if asked.price_type is PriceType.LIMIT else leg.trigger_price


def _named(book: OpenBook, wanted: BrokerOrderId) -> PaperGtt:
    found = book.gtts.find(gtt_statements.number_in(wanted))
    if found is None or gtt_statements.id_of(found) != wanted or found.state is not GttState.ACTIVE:
        raise _not_active(wanted)
    return found


def _not_active(wanted: BrokerOrderId) -> NotFound:
    return NotFound(f"No active GTT with trigger_id '{wanted}'")
