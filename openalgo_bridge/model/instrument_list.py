"""What a new instrument list changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from openalgo_bridge.model.order import Exchange

EMBEDDED = "embedded"
"""The source of the list that comes with the bridge."""


class Difference(StrEnum):
    """How an instrument differs from the former list."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    """Not listed any more, although it has not expired."""
    TOKEN = "token"  # noqa: S105 - the broker's number of an instrument
    LOT = "lot"
    TICK = "tick"
    FREEZE_QUANTITY = "freeze quantity"
    CONFLICT = "two of one name"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedList:
    """A list that was taken over. ``day`` is the day in India it is for.

    ``changed`` counts instruments whose token, lot, tick or freeze quantity is another one, ``conflicts`` names that
    two instruments of the broker would have: neither is listed.
    """

    id: int
    source: str
    edition: str
    day: date
    loaded_at: datetime
    size: int
    appeared: int
    vanished: int
    expired: int
    changed: int
    conflicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentChange:
    """One line of what a list changed; ``before`` and ``after`` are empty where there is nothing to compare."""

    id: int
    exchange: Exchange
    symbol: str
    what: Difference
    before: str
    after: str
