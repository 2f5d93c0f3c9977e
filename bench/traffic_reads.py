"""What is asked of a traffic log, timed without the web: ``python bench/traffic_reads.py FOLDER --times N``.

Prints milliseconds as JSON. The bridge of that folder does not run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import traffic_rows

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.calls import CallFilter, StatusClass
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic import Arrival, Bodies, Ending, TrafficLog
from openalgo_bridge.store.traffic_search import TrafficSearch
from openalgo_bridge.store.traffic_summary import TrafficSummary

PAGE = 51
_CALLS_WRITTEN = 400
_NOW = Clock().now()

FILTERS = {
    "page": CallFilter(),
    "common filter": CallFilter(endpoint="/api/v1/placeorder"),
    "three common filters": CallFilter(endpoint="/api/v1/quotes", program="AmiBroker", status=StatusClass.REFUSED),
    "rare filter": CallFilter(strategy=traffic_rows.RARE_STRATEGY),
    # Every other call has the one, nearly every other one the other.
    "filters that hardly meet": CallFilter(strategy=traffic_rows.EVEN, program="Excel"),
    "nothing has it": CallFilter(symbol="NOSUCH"),
    "a day three weeks ago": CallFilter(
        since=_NOW - timedelta(days=21), until=_NOW - timedelta(days=20), status=StatusClass.FAILED
    ),
    "search, common word": CallFilter(words="placeorder taken"),
    "search, rare word": CallFilter(words="once while"),
    "search, beginning of a word": CallFilter(words="refu lim reac"),
    "search, no such word": CallFilter(words="nosuchword"),
}
SPANS = {
    "summary, 15 minutes": timedelta(minutes=15),
    "summary, a day": timedelta(days=1),
    "summary, 7 days": timedelta(days=7),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    db = Database(options.folder / "traffic.db", synchronous="NORMAL")
    print(json.dumps(_reads(db, options.times) | _writes(TrafficLog(db))))
    db.close()


def _reads(db: Database, times: int) -> dict[str, float]:
    search, summary = TrafficSearch(db), TrafficSummary(db)
    asked: dict[str, Callable[[], object]] = {
        name: lambda wanted=wanted: search.page(wanted, before=None, limit=PAGE) for name, wanted in FILTERS.items()
    }
    asked |= {name: lambda span=span: summary.of(_NOW - span, _NOW) for name, span in SPANS.items()}
    return {name: _median_ms(ask, times) for name, ask in asked.items()}


def _writes(log: TrafficLog) -> dict[str, float]:
    """A row with its end, and the same with what was said in the call."""
    said = Bodies(request="quantity 25 " * 30, request_bytes=360, answer="order taken " * 20, answer_bytes=240)
    return {
        "row": statistics.median(_row_ms(log, None) for _ in range(_CALLS_WRITTEN)),
        "row with bodies": statistics.median(_row_ms(log, said) for _ in range(_CALLS_WRITTEN)),
    }


def _row_ms(log: TrafficLog, said: Bodies | None) -> float:
    began = time.perf_counter()
    call_id = log.open(
        Arrival(
            request_id="0123456789abcdef",
            at=Clock().now_ms(),
            method="POST",
            endpoint="/api/v1/placeorder",
            address="127.0.0.1",
            program="bench",
        )
    )
    log.close(call_id, Ending(status=200, duration_us=900, body=said))
    return (time.perf_counter() - began) * 1000


def _median_ms(ask: Callable[[], object], times: int) -> float:
    """The first time does not count: what it reads comes from the disk."""
    seen = []
    for _ in range(times + 1):
        began = time.perf_counter()
        ask()
        seen.append((time.perf_counter() - began) * 1000)
    return statistics.median(seen[1:])


if __name__ == "__main__":
    main()
