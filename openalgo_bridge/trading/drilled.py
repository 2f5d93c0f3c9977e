"""The paper account while a drill runs: which drill that is, and a broker that acts it out.

A drill is kept in memory, so that a restart ends it. Only the paper exchange is ever wrapped (``app.open_desk``): what
stands here cannot touch an order with real money.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Generic, TypeVar

from openalgo_bridge.brokers.base import Broker, Capabilities
from openalgo_bridge.clock import IST, Clock
from openalgo_bridge.errors import BrokerError, Conflict, NotFound, NotSent, OutcomeUnknown, SessionExpired
from openalgo_bridge.model.books import Bar, Depth, Quote
from openalgo_bridge.model.drill import Drill, DrillKind, DrillLength
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    CancelRequest,
    Exchange,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.trading.budget import WrappedBroker

AnswerT = TypeVar("AnswerT")
SeenT = TypeVar("SeenT", Quote, Depth)

_MOST_HITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """What a caller gets instead of the broker's answer, as an adapter would raise it."""

    error: type[BrokerError]
    message: str

    def raised(self) -> BrokerError:
        # Said in every message: it is kept in the journal, and read when the drill is long over.
        return self.error(f"Drill: {self.message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """How the broker behaves: the faults of messages, of reads, and of prices among them; None where it is as ever.

    ``takes_messages``: a message arrives although its answer is a fault.
    """

    messages: _Fault | None = None
    takes_messages: bool = False
    reads: _Fault | None = None
    prices: _Fault | None = None
    proves_absence: bool = True
    prices_stand_still: bool = False


_SILENCE = _Fault(error=OutcomeUnknown, message="the broker did not answer in time.")
_NOTHING = _Fault(error=OutcomeUnknown, message="the broker's answer was empty.")
_TOO_MANY = _Fault(error=NotSent, message="the broker took no more requests (429 Too Many Requests).")
_NO_SESSION = _Fault(error=SessionExpired, message="the broker's session is over. Log in to the broker again.")
_NO_PRICE = _Fault(error=NotSent, message="the broker gives no prices.")

_AS_EVER = _Act()
_ACTS: Mapping[DrillKind, _Act] = {
    DrillKind.TIME_OUT_TAKEN: _Act(messages=_SILENCE, takes_messages=True),
    DrillKind.TIME_OUT_LOST: _Act(messages=_SILENCE),
    DrillKind.TIME_OUT_UNTOLD: _Act(messages=_SILENCE, proves_absence=False),
    DrillKind.EMPTY_ANSWER: _Act(messages=_NOTHING, takes_messages=True, reads=_NOTHING, prices=_NOTHING),
    DrillKind.TOO_MANY_REQUESTS: _Act(messages=_TOO_MANY, reads=_TOO_MANY, prices=_TOO_MANY),
    DrillKind.SESSION_OVER: _Act(messages=_NO_SESSION, reads=_NO_SESSION, prices=_NO_SESSION),
    DrillKind.NO_LOGIN_AT_START: _Act(messages=_NO_SESSION, reads=_NO_SESSION, prices=_NO_SESSION),
    DrillKind.PRICES_STAND_STILL: _Act(prices_stand_still=True),
    DrillKind.NO_PRICES: _Act(prices=_NO_PRICE),
}


def _already(running: Drill) -> str:
    until = f"{running.ends_at.astimezone(IST):%H:%M:%S} IST at the latest"
    return f"A drill runs already: {running.kind.label}, until {until}. Nothing was changed: stop it first."


class Drills:
    """The drill that runs, and the last one. One at a time: two faults at once teach nothing. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running: Drill | None = None
        self._until = 0.0
        self._last: Drill | None = None
        self._untold: list[Drill] = []

    def running(self) -> Drill | None:
        """The one that runs now."""
        # Every price and every order asks: the lock is for those moments in which one runs.
        return self._locked_running() if self._running is not None else None

    def last(self) -> Drill | None:
        """The one that runs, or the one that ended last since the start of the bridge."""
        return self.running() or self._last

    def start(self, kind: DrillKind, length: DrillLength) -> Drill:
        """From now on. Raises Conflict while another one runs."""
        with self._lock:
            self._end_if_due()
            if self._running is not None:
                raise Conflict(_already(self._running))
            now = self._clock.now()
            drill = Drill(
                id=secrets.token_hex(8), kind=kind, length=length, started_at=now, ends_at=now + length.longest
            )
            self._until = self._clock.monotonic() + length.longest.total_seconds()
            self._running = drill
            return drill

    def stop(self, drill_id: str) -> Drill | None:
        """End it now; None where it does not run any more."""
        with self._lock:
            self._end_if_due()
            if self._running is None or self._running.id != drill_id:
                return None
            return self._end(self._running, self._clock.now())

    def claim(self, order_id: int) -> Drill | None:
        """The drill that this message to the broker meets. Of what is for the next order, one message gets it."""
        if self._running is None:
            return None
        with self._lock:
            self._end_if_due()
            met = self._running
            if met is None or _ACTS[met.kind].messages is None:
                return None
            self._running = hit = replace(met, hits=(*met.hits, order_id)[-_MOST_HITS:], hit_count=met.hit_count + 1)
            if hit.length is DrillLength.NEXT_ORDER:
                self._untold.append(self._end(hit, self._clock.now()))
            return hit

    def untold_ends(self) -> list[Drill]:
        """Those that ended by themselves and are not in the audit list yet, oldest first."""
        with self._lock:
            self._end_if_due()
            return list(self._untold)

    def told(self, drill: Drill) -> None:
        """The end of ``drill`` is in the audit list."""
        with self._lock:
            self._untold.remove(drill)

    def _locked_running(self) -> Drill | None:
        with self._lock:
            self._end_if_due()
            return self._running

    def _end_if_due(self) -> None:
        """To be called with the lock."""
        if self._running is not None and self._clock.monotonic() >= self._until:
            self._untold.append(self._end(self._running, self._running.ends_at))

    def _end(self, running: Drill, at: datetime) -> Drill:
        """To be called with the lock."""
        self._running, self._last = None, replace(running, ended_at=at)
        return self._last


class DrilledBroker(WrappedBroker):
    """The paper exchange, behind whatever drill runs. Never around a broker with real money."""

    def __init__(self, inner: Broker, drills: Drills) -> None:
        super().__init__(inner)
        self._drills = drills
        self._first_quotes: _FirstSeen[Quote] = _FirstSeen()
        self._first_depths: _FirstSeen[Depth] = _FirstSeen()

    @property
    def capabilities(self) -> Capabilities:
        """Its own; in a drill that takes the proof of absence away, without it."""
        able = self._inner.capabilities
        return able if self._act().proves_absence else replace(able, reread_after=None)

    def check(self, order: OrderRequest) -> None:
        """As ever: no broker is asked for it."""
        self._inner.check(order)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        return self._sent(permit.order_id, lambda: self._inner.place(permit))

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        self._sent(permit.order_id, lambda: self._inner.modify(permit))

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self._sent(permit.order_id, lambda: self._inner.cancel(permit))

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        return self._sent(permit.order_id, lambda: self._inner.place_gtt(permit))

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        self._sent(permit.order_id, lambda: self._inner.modify_gtt(permit))

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        self._sent(permit.order_id, lambda: self._inner.cancel_gtt(permit))

    def quote(self, instrument: Instrument) -> Quote:
        return self._still(self._first_quotes, instrument, self._priced(lambda: self._inner.quote(instrument)))

    def quotes(self, instruments: Sequence[Instrument]) -> Sequence[Quote | None]:
        found = self._priced(lambda: self._inner.quotes(instruments))
        return [
            None if quote is None else self._still(self._first_quotes, instrument, quote)
            for instrument, quote in zip(instruments, found, strict=True)
        ]

    def depth(self, instrument: Instrument) -> Depth:
        return self._still(self._first_depths, instrument, self._priced(lambda: self._inner.depth(instrument)))

    def history(self, instrument: Instrument, interval: Interval, first: date, last: date) -> Iterable[Bar]:
        return self._priced(lambda: self._inner.history(instrument, interval, first, last))

    def _asked(self, read: Callable[[], AnswerT]) -> AnswerT:
        return _unless(self._act().reads, read)

    def _priced(self, read: Callable[[], AnswerT]) -> AnswerT:
        return _unless(self._act().prices, read)

    def _sent(self, order_id: int, send: Callable[[], AnswerT]) -> AnswerT:
        met = self._drills.claim(order_id)
        act = _AS_EVER if met is None else _ACTS[met.kind]
        if act.messages is not None and act.takes_messages:
            # Whether the broker takes or refuses it, nobody hears of it.
            with suppress(BrokerError, NotFound):
                send()
        return _unless(act.messages, send)

    def _still(self, first: _FirstSeen[SeenT], instrument: Instrument, now: SeenT) -> SeenT:
        drill = self._drills.running()
        return now if drill is None or not self._act().prices_stand_still else first.of(drill.id, instrument, now)

    def _act(self) -> _Act:
        """How it answers what only reads. A drill for the next order leaves that alone: it would keep the order from
        being sent at all.
        """
        drill = self._drills.running()
        is_over_all = drill is not None and drill.length is not DrillLength.NEXT_ORDER
        return _ACTS[drill.kind] if drill is not None and is_over_all else _AS_EVER


class _FirstSeen(Generic[SeenT]):
    """The first answer about each instrument in one drill."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drill_id = ""
        self._seen: dict[tuple[Exchange, str], SeenT] = {}

    def of(self, drill_id: str, instrument: Instrument, now: SeenT) -> SeenT:
        """``now`` is kept where it is the first."""
        with self._lock:
            if self._drill_id != drill_id:
                self._drill_id, self._seen = drill_id, {}
            return self._seen.setdefault((instrument.exchange, instrument.symbol), now)


def _unless(fault: _Fault | None, act: Callable[[], AnswerT]) -> AnswerT:
    if fault is not None:
        raise fault.raised()
    return act()
