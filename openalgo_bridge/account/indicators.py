"""What deserves a look in the traffic: noticed in the calls that are over, answered by the trader.

Nothing of it stands in the way of a call: the calls come from the thread that sums them up, seconds later.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence

from openalgo_bridge.account.call_rules import CallRules, caller_program, volume_sighting, was_let_in
from openalgo_bridge.clock import IST, day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotFound, StorageError
from openalgo_bridge.model.address import THIS_PC, AddressRule, Reach
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.calls import CallKind
from openalgo_bridge.model.indicators import (
    NO_HISTORY,
    Habit,
    Indicator,
    IndicatorKind,
    IndicatorState,
    Sighted,
    Sighting,
)
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.traffic import Call

CHANGED = "It has become more, or something else, since this page was shown. Nothing was noted: look at it again."
ANSWERED = "It has been answered already, and cannot be answered so any more."

_MOST_WAITING = 10_000
_log = logging.getLogger(__name__)

_HabitKey = tuple[int, int, str]
_SightedKey = tuple[IndicatorKind, str, str]


class CallWatch:
    """Looks at every call that is over, once. One thread works with it, and no fault of the database ends it: what
    cannot be looked at, or written, is kept for the next time.

    What was counted lately is forgotten at a restart, and begins anew; what is raised is not forgotten.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules = CallRules()
        self._has_begun = False
        self._day = 0
        self._history = NO_HISTORY
        self._waiting: deque[Call] = deque(maxlen=_MOST_WAITING)
        self._sighted: dict[_SightedKey, Sighted] = {}
        self._habits: dict[_HabitKey, Habit] = {}

    def __call__(self, calls: Sequence[Call]) -> None:
        """Look at these calls, which come in the order of their ids."""
        self._waiting.extend(calls)
        try:
            self._look_at_waiting()
            self._write()
        except StorageError as error:
            _log.error("What deserves a look in the traffic cannot be written down now: %s", error.message)

    def _look_at_waiting(self) -> None:
        if self._waiting and not self._has_begun:
            self._store.indicators.begin(self._waiting[0].at)
            self._has_begun = True
        listed = self._listed_addresses()
        while self._waiting:
            # Whatever must be read comes first: a call that is counted is never counted again.
            self._turn_to_day_of(self._waiting[0])
            for sighting in self._sightings(self._waiting.popleft(), listed):
                self._remember(sighting)

    def _sightings(self, call: Call, listed: AddressRule) -> Iterator[Sighting]:
        yield from self._rules.of_any(call)
        if call.kind not in {CallKind.API, CallKind.HOOK} or not was_let_in(call):
            return
        yield from self._rules.of_caller(call, self._history, listed)
        lately = self._rules.volume(call)
        is_much = self._history.is_much(caller_program(call.program), lately.count)
        if is_much:
            yield volume_sighting(call, lately)
        if self._history.is_learnt(call.at.astimezone(IST).hour):
            # What is out of the ordinary must not become a habit by itself: it is known once the trader says so.
            self._learn(call, None if is_much else lately.count)

    def _turn_to_day_of(self, call: Call) -> None:
        """Also back: after a clock was set back, the days to come are no history."""
        day = day_in_india(call.at).toordinal()
        if day != self._day:
            self._history = self._store.indicators.history(day)
            self._day = day

    def _learn(self, call: Call, most: int | None) -> None:
        program, hour = caller_program(call.program), call.at.astimezone(IST).hour
        key = (self._day, hour, program)
        former = self._habits.get(key, Habit(day=self._day, hour=hour, program=program, calls=0, most=0))
        self._habits[key] = former.plus(most)

    def _remember(self, sighting: Sighting) -> None:
        key = (sighting.kind, sighting.subject, sighting.detail)
        former = self._sighted.get(key)
        if former is not None:
            self._sighted[key] = former.plus(sighting)
        elif len(self._sighted) < _MOST_WAITING:
            self._sighted[key] = Sighted.of(sighting)

    def _write(self) -> None:
        indicators = self._store.indicators
        if self._sighted:
            for raised in indicators.note(tuple(self._sighted.values())):
                _log.warning("Worth a look in the traffic: %s (%s)", raised.kind, raised.subject)
            self._sighted.clear()
        if self._habits:
            indicators.learn(tuple(self._habits.values()))
            self._habits.clear()

    def _listed_addresses(self) -> AddressRule:
        """What the trader typed himself as where his key may be used from is no address he does not know."""
        active = self._store.api_keys.active()
        is_list = active is not None and active.rules.addresses.reach is Reach.LISTED
        return active.rules.addresses if active is not None and is_list else THIS_PC


def acknowledge(desk: Desk, indicator_id: int, shown: str, *, by: Actor) -> Indicator:
    """ "This was me": what was shown is quiet from now on. A second time is as good as once.

    Raises NotFound, StorageError, and Conflict where it is not as it was shown any more.
    """
    return _answered(desk, indicator_id, IndicatorState.KNOWN, shown, by=by)


def put_past(desk: Desk, indicator_id: int, shown: str, *, by: Actor) -> Indicator:
    """It is dealt with; when the same comes again it is raised anew. The errors of :func:`acknowledge`."""
    return _answered(desk, indicator_id, IndicatorState.PAST, shown, by=by)


def _answered(desk: Desk, indicator_id: int, state: IndicatorState, shown: str, *, by: Actor) -> Indicator:
    store = desk.store.indicators
    end = store.acknowledge if state is IndicatorState.KNOWN else store.put_past
    ended = end(indicator_id, shown, by=by)
    if ended is not None:
        return ended
    found = store.one(indicator_id)
    if found is None:
        raise NotFound("There is no such indicator.")
    if found.state is state:
        return found
    raise Conflict(ANSWERED if found.state is IndicatorState.PAST else CHANGED)
