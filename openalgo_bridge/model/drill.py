"""Drills: for a while the paper account behaves as brokers do on a bad day. What there is to see, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class DrillKind(StrEnum):
    """What goes wrong."""

    TIME_OUT_TAKEN = "time_out_taken"
    TIME_OUT_LOST = "time_out_lost"
    TIME_OUT_UNTOLD = "time_out_untold"
    EMPTY_ANSWER = "empty_answer"
    TOO_MANY_REQUESTS = "too_many_requests"
    SESSION_OVER = "session_over"
    NO_LOGIN_AT_START = "no_login_at_start"
    PRICES_STAND_STILL = "prices_stand_still"
    NO_PRICES = "no_prices"

    @property
    def label(self) -> str:
        """Its name, for pages and the audit list."""
        return _TITLES[self]

    @property
    def lengths(self) -> tuple[DrillLength, ...]:
        """How long it can last. One order can show nothing of what is about reading, or about looking an order up."""
        return tuple(DrillLength) if self in _OF_ONE_ORDER else _IN_MINUTES


class DrillLength(StrEnum):
    """How long a drill lasts unless somebody stops it."""

    NEXT_ORDER = "next_order"
    ONE_MINUTE = "1"
    FIVE_MINUTES = "5"
    FIFTEEN_MINUTES = "15"

    @property
    def longest(self) -> timedelta:
        """After this it is over in any case: what waits for an order must not surprise anybody hours later."""
        return _LONGEST if self is DrillLength.NEXT_ORDER else timedelta(minutes=int(self))

    @property
    def label(self) -> str:
        """As a choice on a page."""
        return "The next order" if self is DrillLength.NEXT_ORDER else self.sentence.removeprefix("for ")

    @property
    def sentence(self) -> str:
        """Such as ``for 5 minutes``."""
        if self is DrillLength.NEXT_ORDER:
            return f"for the next order, change or cancel within {_LONGEST // timedelta(minutes=1)} minutes"
        return "for 1 minute" if self is DrillLength.ONE_MINUTE else f"for {int(self)} minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill. ``id`` is given once; it is over at ``ends_at`` at the latest, and was at ``ended_at``.

    ``hits`` are the messages of the journal that it has hit, oldest first and the last few of them; ``hit_count`` is
    how many there were.
    """

    id: str
    kind: DrillKind
    length: DrillLength
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    hits: tuple[int, ...] = ()
    hit_count: int = 0

    def __str__(self) -> str:
        """As the audit list tells it."""
        return f"{self.kind.label}, {self.length.sentence}"


_LONGEST = timedelta(minutes=15)

_TITLES = {
    DrillKind.TIME_OUT_TAKEN: "Time-out, and the order arrived",
    DrillKind.TIME_OUT_LOST: "Time-out, and the order was lost",
    DrillKind.TIME_OUT_UNTOLD: "Time-out, and the broker cannot prove anything",
    DrillKind.EMPTY_ANSWER: "Empty answers",
    DrillKind.TOO_MANY_REQUESTS: "Too many requests (429)",
    DrillKind.SESSION_OVER: "The broker's session ends",
    DrillKind.NO_LOGIN_AT_START: "No broker session at the start",
    DrillKind.PRICES_STAND_STILL: "Prices stand still",
    DrillKind.NO_PRICES: "No prices",
}

_OF_ONE_ORDER = {
    DrillKind.TIME_OUT_TAKEN,
    DrillKind.TIME_OUT_LOST,
    DrillKind.EMPTY_ANSWER,
    DrillKind.TOO_MANY_REQUESTS,
    DrillKind.SESSION_OVER,
}
_IN_MINUTES = (DrillLength.ONE_MINUTE, DrillLength.FIVE_MINUTES, DrillLength.FIFTEEN_MINUTES)
