"""What the calls of a time amount to, from the sums alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.latency import percentile_ms
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic_digest import MINUTE_MS, SPANS_MS, ShareKind

_SMALLEST_MS = SPANS_MS[0]
_SHARES = (
    "SELECT value, sum(calls) AS calls, sum(errors) AS errors FROM call_share"
    " WHERE span = ? AND slot >= ? AND slot < ? AND kind = ? GROUP BY value"
)
_DURATIONS = (
    "SELECT endpoint, bucket, sum(calls) AS calls FROM call_latency"
    " WHERE span = ? AND slot >= ? AND slot < ? GROUP BY endpoint, bucket"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """The calls that came in one minute; ``at`` is its beginning. ``failed`` has those that were cut off too."""

    at: datetime
    calls: int
    refused: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSum:
    """Of one endpoint; "" stands for those that have no room of their own. Durations are right to 5 %, and None where
    no call has one."""

    endpoint: str
    calls: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of one program or address; "" stands for those that have no room of their own, or that gave no name."""

    value: str
    calls: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Without pages. Minutes without a call are left out; endpoints, programs and addresses are told busiest first."""

    calls: int
    errors: int
    minutes: tuple[Minute, ...]
    endpoints: tuple[EndpointSum, ...]
    programs: tuple[Share, ...]
    addresses: tuple[Share, ...]


class TrafficSummary:
    """Reads the sums. What was called in the last seconds is not in them yet."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, since: datetime, until: datetime) -> Summary:
        """The calls and minutes from ``since`` to before ``until``, each of which counts with its whole minute; what
        they are divided by, with its whole five minutes. The later one may come first. Raises StorageError.
        """
        first, end = sorted((to_ms(since), to_ms(until)))
        minutes = tuple(self._minutes(first, end))
        slots = list(stretches(first, end))
        shares = {kind: self._shares(kind, slots) for kind in ShareKind}
        return Summary(
            calls=sum(minute.calls for minute in minutes),
            errors=sum(minute.refused + minute.failed for minute in minutes),
            minutes=minutes,
            endpoints=self._endpoints(shares[ShareKind.ENDPOINT], slots),
            programs=shares[ShareKind.PROGRAM],
            addresses=shares[ShareKind.ADDRESS],
        )

    def _minutes(self, first: int, end: int) -> Iterator[Minute]:
        rows = self._db.read(
            "SELECT minute, calls, refused, failed FROM call_minute"
            " WHERE minute >= ? AND minute < ? AND calls > 0 ORDER BY minute",
            (first - first % MINUTE_MS, end),
        )
        for row in rows:
            yield Minute(at=from_ms(row["minute"]), calls=row["calls"], refused=row["refused"], failed=row["failed"])

    def _shares(self, kind: ShareKind, slots: list[tuple[int, int, int]]) -> tuple[Share, ...]:
        calls: dict[str, int] = defaultdict(int)
        errors: dict[str, int] = defaultdict(int)
        for slot in slots:
            for row in self._db.read(_SHARES, (*slot, kind)):
                calls[row["value"]] += row["calls"]
                errors[row["value"]] += row["errors"]
        busiest = sorted(calls, key=lambda value: (-calls[value], value))
        return tuple(Share(value=value, calls=calls[value], errors=errors[value]) for value in busiest)

    def _endpoints(self, shares: tuple[Share, ...], slots: list[tuple[int, int, int]]) -> tuple[EndpointSum, ...]:
        durations: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for slot in slots:
            for row in self._db.read(_DURATIONS, slot):
                durations[row["endpoint"]][row["bucket"]] += row["calls"]
        return tuple(_endpoint_sum(share, durations[share.value]) for share in shares)


def _endpoint_sum(share: Share, durations: dict[int, int]) -> EndpointSum:
    p50, p95, p99 = (percentile_ms(durations, part) if durations else None for part in (0.5, 0.95, 0.99))
    return EndpointSum(endpoint=share.value, calls=share.calls, errors=share.errors, p50_ms=p50, p95_ms=p95, p99_ms=p99)


def stretches(first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The range as stretches of slots of one length, the longest that fit: the length, beginning and end of each."""
    if end <= first:
        return
    at, end = first - first % _SMALLEST_MS, end + -end % _SMALLEST_MS
    while at < end:
        span = max(span for span in SPANS_MS if span == _SMALLEST_MS or (at % span == 0 and at + span <= end))
        # As far as this length goes: to where a longer one begins, or to the last that fits.
        longer = [each for each in SPANS_MS if each > span and at + -at % each + each <= end]
        upto = min((at + -at % each for each in longer), default=end - (end - at) % span)
        yield span, at, upto
        at = upto
