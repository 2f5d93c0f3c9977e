"""Durations in buckets that grow by a tenth, so that a percentile of millions is a short sum, right to 5 %."""

from __future__ import annotations

import math
from collections.abc import Mapping

_GROWTH = math.log(1.1)


def bucket_of(duration_ms: float) -> int:
    """Everything below a microsecond is in the first bucket."""
    return max(0, math.floor(math.log(max(duration_ms * 1000, 1.0)) / _GROWTH))


def middle_ms(bucket: int) -> float:
    """The duration that is no further than 5 % from any in the bucket."""
    return math.exp((bucket + 0.5) * _GROWTH) / 1000


def percentile_ms(calls_by_bucket: Mapping[int, int], share: float) -> float:
    """The duration that ``share`` of the calls do not pass (the nearest rank), to 5 %. There must be calls."""
    rank = max(1, math.ceil(share * sum(calls_by_bucket.values())))
    for bucket in sorted(calls_by_bucket):
        rank -= calls_by_bucket[bucket]
        if rank <= 0:
            return middle_ms(bucket)
    raise ValueError("no calls")
