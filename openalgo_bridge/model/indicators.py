"""What deserves a look in the traffic: the kinds of indicators, when each is raised, and what is kept of it.

An indicator is raised for a subject, such as an address or a program. While it is open, more of the same adds to it.
The trader says "this was me", and it is known: quiet until it is something else, or much more of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

RATE_WINDOW = timedelta(minutes=15)
"""Over how long the share of errors is looked at: long enough for a program that calls once a minute."""

FEWEST_CALLS = 20
"""A share of fewer calls says nothing: a program that is being written fails ten times in a row."""

MOST_ERRORS_PERCENT = 50
"""From here on a program does nothing useful. One that asks about symbols it does not hold stays below."""

ATTEMPTS_WINDOW = timedelta(hours=1)
"""Over how long wrong keys, and what comes through a tunnel, are counted. A script that is started by a timer tries
every few minutes."""

FEWEST_WRONG_KEYS = 3
"""Two are a slip of the hand and its correction."""

VOLUME_WINDOW = timedelta(minutes=5)
"""Over how long calls are counted. A sheet that opens asks for a hundred prices at once, and then waits."""

VOLUME_TIMES = 3
"""As many times the most that it ever did: a livelier day, or a second chart, is no alarm."""

VOLUME_FLOOR = 600
"""Two calls a second are a small dashboard, however little was called before."""

VOLUME_FLOOR_OF_NEW = 1500
"""Of a program without a history of its own, five calls a second: it may be a dashboard that was set up just now."""

VOLUME_DAYS = 3
"""Before a program has called on so many days, nobody knows what is much for it."""

LOOP_WINDOW = timedelta(minutes=1)
LOOP_CALLS = 20
"""One order every three seconds for the same thing, a minute long: no strategy does so, a loop without a pause does.
Reading again and again is what dashboards are for, and a smart order that finds nothing to do may be repeated."""

HISTORY_DAYS = 28
"""The weeks that hours and volumes are compared with: long enough for an expiry, short enough to forget a habit."""

HOURS_DAYS = 5
"""Before so many days with calls there are no usual hours. It is a week of trading."""

AGAIN_TIMES = 2
"""What is known stays quiet up to this many times of it."""

AGAIN_AT_LEAST = 10
"""And up to so many in any case: twice of one is not "more"."""

MOST_OPEN = 50
"""Of a kind. A program that takes a new name for each call must not fill the page; the others share one indicator."""

OTHERS = "*"
"""The subject for all that is beyond :data:`MOST_OPEN`."""

_MOST_NAMED = 20


class IndicatorKind(StrEnum):
    """What was noticed. The value is stored, and stands in the audit list. The most urgent kinds come first.

    The subject is an address for ``UNKNOWN_ADDRESS`` and ``WRONG_KEY``, a key's fingerprint for ``RETIRED_KEY``, a
    listener for ``TUNNEL``, and a program for all others.
    """

    UNKNOWN_ADDRESS = "unknown address"
    RETIRED_KEY = "retired key used"
    WRONG_KEY = "wrong key attempts"
    NOT_ALLOWED = "permission refusals"
    TUNNEL = "calls through a tunnel"
    UNUSUAL_HOURS = "unusual hours"
    SCRIPT_LOOP = "script loop"
    HIGH_VOLUME = "high volume"
    ERROR_RATE = "high error rate"


class IndicatorState(StrEnum):
    """``KNOWN``: the trader said that it was him. ``PAST``: dealt with; the same is raised anew when it comes again."""

    OPEN = "open"
    KNOWN = "known"
    PAST = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One call that bears an indicator out.

    ``detail`` is what is told apart within the subject, such as the endpoint that was refused; to know one is not to
    know another. ``level`` is how much of it there was in the time that is looked at, this call included, which began
    at ``since``; 1 for what counts whenever it happens.
    """

    kind: IndicatorKind
    subject: str
    detail: str = ""
    level: int = 1
    at: datetime
    since: datetime
    program: str
    address: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The calls behind an indicator: how many, between when, and by whom. ``level`` is the highest.

    Of programs (as they name themselves), addresses, endpoints and details the first twenty are named.
    """

    calls: int
    level: int
    first_at: datetime
    last_at: datetime
    programs: tuple[str, ...]
    addresses: tuple[str, ...]
    endpoints: tuple[str, ...]
    details: tuple[str, ...]

    @classmethod
    def of(cls, sighting: Sighting) -> Evidence:
        """That of one call."""
        return cls(
            calls=1,
            level=sighting.level,
            first_at=sighting.at,
            last_at=sighting.at,
            programs=_named((sighting.program,)),
            addresses=_named((sighting.address,)),
            endpoints=_named((sighting.endpoint,)),
            details=_named((sighting.detail,)),
        )

    def plus(self, more: Evidence) -> Evidence:
        """Both together. A clock that was set back makes the time between longer, never negative."""
        return Evidence(
            calls=self.calls + more.calls,
            level=max(self.level, more.level),
            first_at=min(self.first_at, more.first_at),
            last_at=max(self.last_at, more.last_at),
            programs=_named((*self.programs, *more.programs)),
            addresses=_named((*self.addresses, *more.addresses)),
            endpoints=_named((*self.endpoints, *more.endpoints)),
            details=_named((*self.details, *more.details)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """Sightings of the same detail. What led to the first of them is part of an indicator that begins with it:
    ``before`` calls, from ``since`` on."""

    kind: IndicatorKind
    subject: str
    detail: str
    before: int
    since: datetime
    evidence: Evidence

    @classmethod
    def of(cls, sighting: Sighting) -> Sighted:
        """The first one."""
        return cls(
            kind=sighting.kind,
            subject=sighting.subject,
            detail=sighting.detail,
            before=sighting.level - 1,
            since=sighting.since,
            evidence=Evidence.of(sighting),
        )

    def plus(self, sighting: Sighting) -> Sighted:
        """And one more."""
        return replace(self, evidence=self.evidence.plus(Evidence.of(sighting)))

    @property
    def whole(self) -> Evidence:
        """With what led to it."""
        evidence = self.evidence
        first_at = min(self.since, evidence.first_at)
        return replace(evidence, calls=evidence.calls + self.before, first_at=first_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One as it is kept. ``known_level`` is how much of it the trader has said to be his, None unless it is known.

    ``ended_at`` is when it stopped being open, None while it is.
    """

    id: int
    kind: IndicatorKind
    subject: str
    state: IndicatorState
    evidence: Evidence
    known_level: int | None
    raised_at: datetime
    ended_at: datetime | None

    @property
    def shown(self) -> str:
        """What a person who looks at a page decides on, for :func:`level_shown`. More calls alone do not change it."""
        return f"{self.evidence.level}-{_digest(self.evidence)}"

    def covers(self, sighted: Sighted) -> bool:
        """Whether this known one makes those calls no news."""
        is_same = (self.kind, self.subject) == (sighted.kind, sighted.subject)
        if not is_same or (sighted.detail and sighted.detail not in self.evidence.details):
            return False
        return sighted.evidence.level <= quiet_up_to(self.known_level or 0)


def quiet_up_to(level: int) -> int:
    """How much of what is known is no news."""
    return max(AGAIN_AT_LEAST, AGAIN_TIMES * level)


def level_shown(indicator: Indicator, shown: str) -> int | None:
    """The level on the page that the person decided on; None where it has become something else since, or more."""
    level, _, digest = shown.partition("-")
    if not level.isdecimal() or len(level) > 18 or digest != _digest(indicator.evidence):
        return None
    return int(level) if indicator.evidence.level <= quiet_up_to(int(level)) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What a program did in one hour of a day in India. ``day`` is its proleptic ordinal; ``most`` are the most calls
    within :data:`VOLUME_WINDOW`, None where they were far more than ever: then the hour is no measure."""

    day: int
    hour: int
    program: str
    calls: int
    most: int | None

    def plus(self, most: int | None) -> Habit:
        """With one call more."""
        both = None if most is None or self.most is None else max(most, self.most)
        return replace(self, calls=self.calls + 1, most=both)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramHistory:
    """On how many days a program called, and the most calls within :data:`VOLUME_WINDOW`."""

    program: str
    days: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The weeks before a day: on how many of them there were calls, at which hours, and what each program did."""

    days: int
    hours: frozenset[int]
    programs: tuple[ProgramHistory, ...]

    def is_usual(self, hour: int) -> bool:
        """Whether there were calls at this hour or beside it; also where there is too little to compare with."""
        return self.days < HOURS_DAYS or any((hour + step) % 24 in self.hours for step in (-1, 0, 1))

    def is_learnt(self, hour: int) -> bool:
        """Whether calls at this hour go on to make it usual. One beside the usual ones does not become one of them:
        else whoever comes an hour earlier each day is at the night within a week, and nobody was told."""
        return self.days < HOURS_DAYS or hour in self.hours

    def is_much(self, program: str, calls: int) -> bool:
        """Whether so many calls within :data:`VOLUME_WINDOW` are far more than ever."""
        own = next((each for each in self.programs if each.program == program), None)
        if own is not None and own.days >= VOLUME_DAYS:
            return calls >= max(VOLUME_FLOOR, VOLUME_TIMES * own.most)
        if self.days < HOURS_DAYS:
            return False
        most = max((each.most for each in self.programs), default=0)
        return calls >= max(VOLUME_FLOOR_OF_NEW, VOLUME_TIMES * most)


NO_HISTORY = History(days=0, hours=frozenset(), programs=())


def _named(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))[:_MOST_NAMED]


def _digest(evidence: Evidence) -> str:
    """Of all that the page names."""
    named = (evidence.details, evidence.programs, evidence.addresses, evidence.endpoints)
    return hashlib.sha256(json.dumps([sorted(each) for each in named]).encode()).hexdigest()[:16]
