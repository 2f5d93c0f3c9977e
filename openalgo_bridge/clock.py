"""Time, in one replaceable place: aware UTC inside, IST only where a person or the dialect reads it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_WITHOUT_OFFSET = len("YYYY-MM-DD HH:MM:SS")


class Clock:
    """The wall clock. Tests pass a subclass that stands still."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        return datetime.now(UTC)

    def now_ms(self) -> int:
        """The current instant as epoch milliseconds."""
        return to_ms(self.now())

    def monotonic(self) -> float:
        """Seconds for measuring durations; never goes back."""
        return time.perf_counter()


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware moment."""
    return (moment - _EPOCH) // _MS


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC moment of epoch milliseconds."""
    return _EPOCH + milliseconds * _MS


def day_in_india(moment: datetime) -> date:
    """The day that it is in India at an aware moment."""
    return moment.astimezone(IST).date()


def midnight(day: date) -> datetime:
    """The aware moment at which a day begins in India."""
    return datetime.combine(day, time_of_day.min, tzinfo=IST)


def ist_text(moment: datetime) -> str:
    """The dialect's time text, ``YYYY-MM-DD HH:MM:SS`` in IST (contract 1.10)."""
    return moment.astimezone(IST).isoformat(" ", "seconds")[:_WITHOUT_OFFSET]
