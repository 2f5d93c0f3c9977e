"""How much is traded, and how many contracts are open: both only ever asked up to a second, both in whole lots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from openalgo_bridge.market.cells import DAY, MINUTE
from openalgo_bridge.market.chance import Chance, octets

_FOR_DAY_VOLUME, _FOR_MINUTES, _FOR_OPEN_INTEREST = 100, 101, 102

_BITS = 32
_BLOCK = 64
# Of a day's volume, one part in this many is traded at night.
_NIGHT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One trading day of one instrument. Seconds are the path's; ``lots`` are what the whole day will have traded.

    ``open_lots`` are the open contracts in lots before and after the session.
    """

    chance: Chance
    lot: int
    begins: int
    closes: int
    lots: int
    open_lots: tuple[int, int]

    @classmethod
    def of(
        cls, chance: Chance, *, lot: int, begins: int, closes: int, lots: int, open_lots: tuple[int, int]
    ) -> Activity:
        """``lots`` are those of a usual day, ``open_lots`` the usual ones before this day and before the next."""
        number = begins // DAY
        return cls(
            chance=chance,
            lot=lot,
            begins=begins,
            closes=closes,
            lots=lots * (50 + chance.bits(_FOR_DAY_VOLUME, number) % 101) // 100,
            open_lots=(_open_lots(chance, open_lots[0], number), _open_lots(chance, open_lots[1], number + 1)),
        )

    def volume(self, until: int) -> int:
        """Units traded before the second ``until``. It never shrinks."""
        if not self.lots or until <= self.begins:
            return 0
        if until >= self.closes:
            session = self._session_lots
            night = (until - self.closes) * (self.lots - session) // max(1, self.begins + DAY - self.closes)
            return (session + night) * self.lot
        minute, offset = divmod(until - self.begins, MINUTE)
        before, after = self._mark(minute), self._mark(minute + 1)
        return (before + (after - before) * offset // MINUTE) * self.lot

    def volumes(self) -> list[int]:
        """Units traded before each minute of the session, and in all of it."""
        if not self.lots:
            return [0] * (self._minutes + 1)
        lots, lot = self.lots, self.lot
        chances = b"".join(map(self._chances, range(self._minutes // _BLOCK + 1)))
        between = [
            (lots * (mark + (step * chance >> 8)) >> _BITS) * lot
            for (mark, step), chance in zip(_steps(self._minutes), chances[1:], strict=False)
        ]
        return [0, *between, self._session_lots * lot]

    def volumes_before(self, elapsed: Sequence[int]) -> list[int]:
        """Units traded in the first so many seconds of the day, up to those of the session."""
        known, lot = self.volumes(), self.lot
        totals = []
        for seconds in elapsed:
            minute, offset = divmod(seconds, MINUTE)
            lots = (known[minute + 1] - known[minute]) // lot * offset // MINUTE if offset else 0
            totals.append(known[minute] + lots * lot)
        return totals

    def open_interest(self, until: int) -> int:
        """Units of contracts open before the second ``until``. It changes while the session lasts."""
        before, after = self.open_lots
        if before == after:
            return before * self.lot
        elapsed = min(until, self.closes) - self.begins
        return (before + (after - before) * elapsed // (self.closes - self.begins)) * self.lot

    def open_interests(self, elapsed: Sequence[int]) -> list[int]:
        """:meth:`open_interest` so many seconds after the day began, of each."""
        (before, after), session = self.open_lots, self.closes - self.begins
        if before == after:
            return [before * self.lot] * len(elapsed)
        change, lot = after - before, self.lot
        return [(before + change * min(seconds, session) // session) * lot for seconds in elapsed]

    @property
    def _minutes(self) -> int:
        return (self.closes - self.begins) // MINUTE

    @property
    def _session_lots(self) -> int:
        return self.lots * _curve(self._minutes)[-1] >> _BITS

    def _mark(self, minute: int) -> int:
        """Lots before a minute: anywhere between what is usual then and a minute later, so the sum never shrinks."""
        curve = _curve(self._minutes)
        if minute == 0:
            return 0
        if minute >= self._minutes:
            return self._session_lots
        mark, after = curve[minute], curve[minute + 1]
        chance = self._chances(minute // _BLOCK)[minute % _BLOCK]
        return self.lots * (mark + ((after - mark) * chance >> 8)) >> _BITS

    def _chances(self, number: int) -> bytes:
        """What is left to chance about the minutes of one block."""
        return octets(self.chance.label(_FOR_MINUTES), self.begins + number)


@cache
def _curve(minutes: int) -> tuple[int, ...]:
    """What part of a day's lots, of 2**32, is usually traded before each minute: most at the open and the close."""
    whole = (1 << _BITS) * (_NIGHT - 1) // _NIGHT
    return tuple(
        whole * (22 * at * minutes**2 + 9 * ((2 * at - minutes) ** 3 + minutes**3)) // (40 * minutes**3)
        for at in range(minutes + 1)
    )


@cache
def _steps(minutes: int) -> tuple[tuple[int, int], ...]:
    """The curve from the second minute on, and how far it rises in each."""
    return tuple((mark, after - mark) for mark, after in pairwise(_curve(minutes)[1:]))


def _open_lots(chance: Chance, usual: int, number: int) -> int:
    return usual * (90 + chance.bits(_FOR_OPEN_INTEREST, number) % 21) // 100
