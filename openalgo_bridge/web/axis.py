"""Where the lines and the times of a picture stand: at round numbers, and at whole times in India."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from openalgo_bridge.clock import IST

_LINES = 4


def round_step(span: int, *, smallest: int) -> int:
    """The first of 1, 2, 5, 10, 20 ... times ``smallest`` that divides ``span`` into few parts."""
    step = smallest
    while True:
        for times in (1, 2, 5):
            if span <= step * times * _LINES:
                return step * times
        step *= 10


def whole_times(begins: datetime, ends: datetime, step: timedelta) -> Iterator[datetime]:
    """The multiples of ``step`` since midnight in IST, from ``begins`` to ``ends``."""
    local = begins.astimezone(IST)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight - (midnight - local) // step * step
    while moment <= ends:
        yield moment
        moment += step
