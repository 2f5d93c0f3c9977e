"""How often a password or a code may be tried: the two policies, and counting a try before it is looked at."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from openalgo_bridge.errors import RateLimited, StorageError
from openalgo_bridge.store.failed_logins import FailedLogins

_PER = re.compile(r"(\d+)\s*(?:per|/)\s*(\d*)\s*(second|minute|hour|day)")
_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_NOTHING = timedelta(0)
_BACK_OFF_DOUBLINGS = 5


class Policy(Protocol):
    """Decides from the earlier tries (oldest first) how long the next one must wait."""

    @property
    def horizon(self) -> timedelta:
        """How far back it looks."""

    def wait(self, earlier: Sequence[datetime], now: datetime) -> timedelta:
        """How long to wait; zero to go ahead."""


@dataclass(frozen=True, slots=True)
class Windows:
    """At most so many tries in each moving window, such as 5 in a minute and 25 in an hour."""

    windows: tuple[tuple[int, timedelta], ...]

    @classmethod
    def parse(cls, text: str) -> Windows:
        """From a setting such as ``5 per minute;25 per hour``, whose form ``settings`` has checked."""
        found = [_PER.search(part) for part in text.split(";")]
        return cls(tuple((int(each[1]), int(each[2] or 1) * _UNITS[each[3]]) for each in found if each))

    @property
    def horizon(self) -> timedelta:
        """The longest window."""
        return max((span for _, span in self.windows), default=_NOTHING)

    def wait(self, earlier: Sequence[datetime], now: datetime) -> timedelta:
        """Until enough earlier tries have left every window."""
        return max((_until_free(most, span, earlier, now) for most, span in self.windows), default=_NOTHING)


@dataclass(frozen=True, slots=True)
class BackOff:
    """1, 2, 4, 8, 16, then 30 seconds after each wrong try, and never a longer lock (security 4.5)."""

    longest: timedelta = timedelta(seconds=30)
    horizon: timedelta = timedelta(hours=1)

    def wait(self, earlier: Sequence[datetime], now: datetime) -> timedelta:
        """Counted from the last try."""
        if not earlier:
            return _NOTHING
        doubled = timedelta(seconds=2 ** min(len(earlier) - 1, _BACK_OFF_DOUBLINGS))
        delay = min(doubled, self.longest)
        return min(max(earlier[-1] + delay - now, _NOTHING), delay)


@contextmanager
def counted(failed_logins: FailedLogins, bucket: str, policy: Policy, *, of: str = "passwords") -> Iterator[None]:
    """Count the try that the block makes. Its end without an error means that it was right: all is forgotten.

    Counted first, so that parallel tries cannot outrun the limit. RateLimited or StorageError out of the block means
    that the bridge could not look at it; that is nobody's wrong try. ``of`` is for the sentence. Raises RateLimited,
    and StorageError when the counters cannot be read or written: then the block is not entered.
    """
    number = _count(failed_logins, bucket, policy, of)
    try:
        yield
    except (RateLimited, StorageError):
        failed_logins.forget(number)
        raise
    failed_logins.clear(bucket)


def _count(failed_logins: FailedLogins, bucket: str, policy: Policy, of: str) -> int:
    admission = failed_logins.admit(bucket, horizon=policy.horizon, wait=policy.wait)
    if admission.wait > _NOTHING:
        seconds = math.ceil(admission.wait.total_seconds())
        raise RateLimited(f"Too many wrong {of}. Try again in {_spoken(seconds)}.", retry_after=seconds)
    return admission.number


def _spoken(seconds: int) -> str:
    """Rounded up, so that who waits that long does not come too early."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds > 2 * size:
            return f"{math.ceil(seconds / size)} {unit}s"
    return f"{seconds} {'second' if seconds == 1 else 'seconds'}"


def _until_free(most: int, span: timedelta, earlier: Sequence[datetime], now: datetime) -> timedelta:
    inside = [moment for moment in earlier if moment > now - span]
    if len(inside) < most:
        return _NOTHING
    oldest_to_leave = inside[-most] if most else now
    return min(oldest_to_leave + span - now, span)
