"""How many there were lately, for many things at once, in memory that does not grow."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = 15
_MOST_KEYS = 500


@dataclass(frozen=True, slots=True)
class Lately:
    """``count`` of them since ``since``."""

    count: int
    since: datetime


@dataclass(slots=True)
class _Step:
    number: int
    count: int
    first_at: datetime


class _Window:
    """Counts by a fifteenth of the length, so that the oldest fall out a step at a time."""

    __slots__ = ("_count", "_step", "_steps")

    def __init__(self, length: timedelta) -> None:
        self._step = length / _STEPS
        self._steps: deque[_Step] = deque()
        self._count = 0

    def add(self, at: datetime) -> Lately:
        number = (at - _BEGINNING) // self._step
        newest = self._steps[-1].number if self._steps else number
        if number < newest - _STEPS:
            # The clock was set back: what was counted lies in a time that is still to come.
            self._steps.clear()
            self._count, newest = 0, number
        number = max(number, newest)
        while self._steps and self._steps[0].number <= number - _STEPS:
            self._count -= self._steps.popleft().count
        if not self._steps or self._steps[-1].number != number:
            self._steps.append(_Step(number, 0, at))
        self._steps[-1].count += 1
        self._count += 1
        return Lately(self._count, min(self._steps[0].first_at, at))


class SlidingWindows(Generic[KeyT]):
    """One window for each key. The keys that were used last are kept: a stranger may invent as many as he likes."""

    def __init__(self, length: timedelta, *, most_keys: int = _MOST_KEYS) -> None:
        self._length = length
        self._most_keys = most_keys
        self._windows: OrderedDict[KeyT, _Window] = OrderedDict()

    def add(self, key: KeyT, at: datetime) -> Lately:
        """Count one at this moment; how many there were lately, with it."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._most_keys:
                self._windows.popitem(last=False)
            window = self._windows[key] = _Window(self._length)
        self._windows.move_to_end(key)
        return window.add(at)
