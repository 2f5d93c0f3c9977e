"""The profit of a day as a line: where everything in the picture stands, and the same in words.

The page's policy allows no styles, so the picture has attributes only, and colours by classes. It is as wide as the
page lets it be: places from left to right are parts of the width, so that texts keep their size on a phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from openalgo_bridge.model.equity import EquitySample
from openalgo_bridge.model.paper import UNITS_PER_RUPEE, to_rupees
from openalgo_bridge.web.axis import round_step, whole_times
from openalgo_bridge.web.formats import rupees

# Of the plot: in pixels, and in the units of its path, which are stretched to the width that there is.
_HEIGHT = 200
_WIDTH = 1000
_TIMES = 5
_SMALLEST_STEP = UNITS_PER_RUPEE // 100
_SHORTEST = timedelta(hours=1)
# While the bridge was off nobody knows what the account was worth.
_GAP = timedelta(minutes=5)
_TIME_STEPS = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 120, 180, 240, 360))
# So near to an edge, in parts of the width, a text in the middle of its place would be cut.
_EDGE = Decimal("0.05")


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountLine:
    """A level line, ``y`` pixels below the top."""

    y: int
    label: str
    is_zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMark:
    """A time at the foot, ``x`` such as ``12.5%`` from the left."""

    x: str
    label: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityCurve:
    """Everything in the picture, and what it shows for who cannot see it. ``end_x``, ``end_y`` is the newest point."""

    height: ClassVar[int] = _HEIGHT
    width: ClassVar[int] = _WIDTH

    path: str
    amounts: tuple[AmountLine, ...]
    times: tuple[TimeMark, ...]
    end_x: str
    end_y: int
    first: EquitySample
    last: EquitySample
    highest: EquitySample
    lowest: EquitySample


def equity_curve(samples: Sequence[EquitySample]) -> EquityCurve | None:
    """The picture of ``samples``, which are in the order of time; None where there are none."""
    if not samples:
        return None
    first, last = samples[0], samples[-1]
    lowest, highest = min(samples, key=_profit), max(samples, key=_profit)
    plot = _Plot.of(lowest.profit, highest.profit, first.at, last.at)
    return EquityCurve(
        path=" ".join(_strokes(plot, samples)),
        amounts=tuple(plot.amount_lines()),
        times=tuple(plot.time_marks()),
        end_x=_percent(plot.part(last.at)),
        end_y=plot.y(last.profit),
        first=first,
        last=last,
        highest=highest,
        lowest=lowest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    """The ends of both axes. ``step`` is from one level line to the next."""

    bottom: int
    top: int
    step: int
    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, lowest: int, highest: int, begins: datetime, ends: datetime) -> _Plot:
        """Wide enough for these. Zero is always in it, so that a gain can be told from a loss at a glance."""
        lowest, highest = min(lowest, 0), max(highest, 0)
        if lowest == highest:
            lowest, highest = -UNITS_PER_RUPEE, UNITS_PER_RUPEE
        step = round_step(highest - lowest, smallest=_SMALLEST_STEP)
        return cls(
            bottom=lowest // step * step,
            top=-(-highest // step) * step,
            step=step,
            begins=begins,
            ends=max(ends, begins + _SHORTEST),
        )

    def part(self, moment: datetime) -> Decimal:
        """How much of the width is left of a moment, 0 to 1."""
        return Decimal((moment - self.begins) / (self.ends - self.begins))

    def y(self, amount: int) -> int:
        """Pixels below the top."""
        return round((self.top - amount) * _HEIGHT / (self.top - self.bottom))

    def amount_lines(self) -> Iterator[AmountLine]:
        for amount in range(self.bottom, self.top + 1, self.step):
            yield AmountLine(y=self.y(amount), label=_amount(amount), is_zero=not amount)

    def time_marks(self) -> Iterator[TimeMark]:
        span = self.ends - self.begins
        step = next((step for step in _TIME_STEPS if span / step <= _TIMES), _TIME_STEPS[-1])
        for moment in whole_times(self.begins, self.ends, step):
            part = self.part(moment)
            yield TimeMark(x=_percent(part), label=f"{moment:%H:%M}", anchor=_anchor(part))


def _strokes(plot: _Plot, samples: Sequence[EquitySample]) -> Iterator[str]:
    """The commands of the path: a new stroke after each gap. A sample that stands alone is a dot."""
    before: datetime | None = None
    for number, sample in enumerate(samples):
        place = f"{round(plot.part(sample.at) * _WIDTH)} {plot.y(sample.profit)}"
        if before is not None and sample.at - before <= _GAP:
            yield f"L{place}"
        else:
            is_alone = number + 1 == len(samples) or samples[number + 1].at - sample.at > _GAP
            yield f"M{place}h0" if is_alone else f"M{place}"
        before = sample.at


def _anchor(part: Decimal) -> str:
    if part < _EDGE:
        return "start"
    return "end" if part > 1 - _EDGE else "middle"


def _percent(part: Decimal) -> str:
    return f"{part * 100:.2f}%"


def _amount(units: int) -> str:
    return rupees(to_rupees(units)).removesuffix(".00")


def _profit(sample: EquitySample) -> int:
    return sample.profit
