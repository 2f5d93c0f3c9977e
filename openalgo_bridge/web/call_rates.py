"""Calls over time as bars: where everything in the picture stands, and the same in figures.

As wide as the page lets it be, and without styles, which the page's policy does not allow: see ``equity_curve``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openalgo_bridge.store.traffic_summary import Minute
from openalgo_bridge.web.axis import round_step, whole_times

# Of the plot: in pixels, and the units of a bar's place, which are stretched to the width that there is.
_HEIGHT = 160
_BAR = 10
_GAP = 2
_MOST_MARKS = 7
# So near to an edge, in parts of the width, a text would be cut.
_EDGE = 0.03
_DAY = timedelta(days=1)
_MARK_STEPS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 180, 360, 720, 1440))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The calls of one stretch of time; ``at`` is its beginning."""

    at: datetime
    answered: int
    refused: int
    failed: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.answered + self.refused + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level line, ``y`` pixels below the top."""

    y: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A time at the foot, ``x`` such as ``12.5%`` from the left."""

    x: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRates:
    """Everything in the picture. Each path has the parts of all bars that ended in one way, one above the other."""

    height: int
    width: int
    step: timedelta
    bars: tuple[Bar, ...]
    answered: str
    refused: str
    failed: str
    levels: tuple[Level, ...]
    marks: tuple[Mark, ...]

    @property
    def told(self) -> tuple[Bar, ...]:
        """The bars in which anything was called, the latest first: as figures, for who cannot see the picture."""
        return tuple(bar for bar in reversed(self.bars) if bar.calls)


def call_rates(minutes: Iterable[Minute], since: datetime, until: datetime, step: timedelta) -> CallRates:
    """Bars of ``step`` from ``since`` to ``until``. Minutes outside are left out."""
    bars = tuple(_bars(minutes, since, until, step))
    most = max(1, *(bar.calls for bar in bars))
    unit = round_step(most, smallest=1)
    top = unit * -(-most // unit)
    return CallRates(
        height=_HEIGHT,
        width=len(bars) * _BAR,
        step=step,
        bars=bars,
        answered=_path([(0, bar.answered) for bar in bars], top),
        refused=_path([(bar.answered, bar.refused) for bar in bars], top),
        failed=_path([(bar.answered + bar.refused, bar.failed) for bar in bars], top),
        levels=tuple(Level(y=_HEIGHT - _pixels(calls, top), calls=calls) for calls in range(0, top + 1, unit)),
        marks=tuple(_marks(bars, step)),
    )


def _bars(minutes: Iterable[Minute], since: datetime, until: datetime, step: timedelta) -> Iterator[Bar]:
    number = max(1, -(-(until - since) // step))
    sums = [[0, 0, 0] for _ in range(number)]
    for minute in minutes:
        place = (minute.at - since) // step
        if 0 <= place < number:
            answered = minute.calls - minute.refused - minute.failed
            for kind, calls in enumerate((answered, minute.refused, minute.failed)):
                sums[place][kind] += calls
    for place, (answered, refused, failed) in enumerate(sums):
        yield Bar(at=since + place * step, answered=answered, refused=refused, failed=failed)


def _path(parts: Sequence[tuple[int, int]], top: int) -> str:
    """One box for each part: how many calls are below it, and how many it stands for."""
    return " ".join(_box(place, below, calls, top) for place, (below, calls) in enumerate(parts) if calls)


def _box(place: int, below: int, calls: int, top: int) -> str:
    """At least a pixel high: one refused call among thousands must be seen, too."""
    height = max(1, _pixels(below + calls, top) - _pixels(below, top))
    return f"M{place * _BAR + _GAP // 2} {_HEIGHT - _pixels(below, top)}v-{height}h{_BAR - _GAP}v{height}z"


def _pixels(calls: int, top: int) -> int:
    return round(calls * _HEIGHT / top)


def _marks(bars: Sequence[Bar], step: timedelta) -> Iterator[Mark]:
    begins, span = bars[0].at, len(bars) * step
    every = next((each for each in _MARK_STEPS if span / each <= _MOST_MARKS), _MARK_STEPS[-1])
    for at in whole_times(begins, begins + span, every):
        part = (at - begins) / span
        if _EDGE < part < 1 - _EDGE:
            yield Mark(x=f"{part * 100:.2f}%", label=f"{at:%d %b}" if every >= _DAY else f"{at:%H:%M}")
