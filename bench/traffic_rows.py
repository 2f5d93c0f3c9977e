"""Fills the traffic log of a bridge that does not run: ``python bench/traffic_rows.py FOLDER CALLS [DAYS_AGO]``.

Calls of a trader's programs over thirty days, which ended so many days ago, and everything that is written from them:
words, sums, blocks. One call in ten has its bodies, so that ten million fit on a disk. Prints what it did as JSON.
With ``--first`` instead of a number it changes nothing, and prints the number of the oldest call.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from openalgo_bridge.clock import Clock
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic_digest import DAY_MS, Digest
from openalgo_bridge.store.traffic_index import CallIndex

DAYS = 30
"""Over so many days the calls are spread."""

EVEN, ODD = "Even", "Odd"
"""Two strategies of every other call each, so that calls of the one with a symbol of the other hardly meet."""

MEET_EVERY = 1_000_003
RARE_EVERY = 99_991
RARE_STRATEGY = "once in a while"

_AT_ONCE = 20_000
_DIGESTED_AT_ONCE = 5000
_ENDPOINTS = ("quotes", "placeorder", "orderbook", "positionbook", "funds", "history", "cancelorder", "depth")
_PROGRAMS = ("AmiBroker", "python-requests/2.32.3", "Excel", "node-fetch/1.0", "TradingView webhook")
_SYMBOLS = ("SBIN", "INFY", "TCS", "RELIANCE", "NIFTY24NOV2624000CE", "BANKNIFTY24NOV26FUT", "HDFCBANK", "ITC")
_REQUEST = '{"apikey": "[key]", "strategy": "%s", "symbol": "%s", "action": "BUY", "exchange": "NSE", "quantity": "25"}'
_ANSWER = '{"status": "success", "orderid": "%s", "message": "The order was taken and sent to the paper exchange."}'
_INSERT = (
    "INSERT INTO call (request_id, at, listener, kind, method, endpoint, address, program, status, duration_us,"
    " broker_us, key_fingerprint, source, strategy, symbol, ticket_id, order_ref, trading_mode, outcome, message)"
    f" VALUES ({', '.join('?' * 20)})"
)


def fill(path: Path, calls: int, days_ago: int) -> dict[str, float]:
    """Make the file with so many calls, and work them up. Seconds of both, and bytes a call."""
    db = Database(path, synchronous="NORMAL")
    db.migrate(schema.traffic)
    began = time.perf_counter()
    _record(db, calls, Clock().now_ms() - days_ago * DAY_MS)
    # A bridge that starts long after its newest call prunes nothing for an hour: its clock may be wrong.
    db.write("UPDATE call SET at = ? WHERE id = (SELECT max(id) FROM call)", (Clock().now_ms(),))
    recorded = time.perf_counter()
    rows_only = _bytes(db)
    _work_up(db)
    done = time.perf_counter()
    whole = _bytes(db)
    db.read("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return {
        "recorded_s": recorded - began,
        "worked_up_s": done - recorded,
        "row_bytes": rows_only / calls,
        "found_by_bytes": (whole - rows_only) / calls,
    }


def _record(db: Database, calls: int, end: int) -> None:
    chance, apart = random.Random(1), DAYS * DAY_MS / calls
    for first in range(0, calls, _AT_ONCE):
        upto = min(first + _AT_ONCE, calls)
        with db.transaction() as connection:
            rows = [_row(chance, number, int(end - (calls - number) * apart)) for number in range(first, upto)]
            connection.executemany(_INSERT, rows)
            connection.executemany("INSERT INTO call_body VALUES (?, ?, ?, ?, ?)", _bodies(rows, first))


def _row(chance: random.Random, number: int, at: int) -> tuple[object, ...]:
    endpoint = chance.choice(_ENDPOINTS)
    is_page = number % 20 == 0
    status = 200 if chance.random() > 0.03 else chance.choice((400, 403, 429, 500, 503))
    is_order = endpoint in {"placeorder", "cancelorder"}
    is_even = (number % 2 == 0) != (number % MEET_EVERY == 1)
    strategy = RARE_STRATEGY if number % RARE_EVERY == 5 else (EVEN if is_even else ODD)
    return (
        f"{chance.getrandbits(64):016x}",
        at,
        "main",
        "page" if is_page else "api",
        "GET" if is_page else "POST",
        "/traffic" if is_page else f"/api/v1/{endpoint}",
        "127.0.0.1" if number % 997 else f"103.21.{number % 251}.9",
        "Mozilla/5.0" if is_page else chance.choice(_PROGRAMS[number % 2 :: 2]),
        status,
        int(chance.lognormvariate(8, 1)),
        None,
        "k-4f2a91",
        "api",
        strategy,
        chance.choice(_SYMBOLS),
        number if is_order else None,
        f"{chance.getrandbits(60):015x}" if is_order else None,
        "analyze",
        ("sent" if is_order else "ok") if status == 200 else "denied",
        "The order was taken." if is_order else ("" if status == 200 else f"Refused: limit {number % 40} is reached."),
    )


def _bodies(rows: list[tuple[object, ...]], first: int) -> Iterator[tuple[object, ...]]:
    for number, row in enumerate(rows, first + 1):
        if number % 10 == 0:
            request, answer = _REQUEST % (row[13], row[14]), _ANSWER % row[0]
            yield number, request, len(request), answer, len(answer)


def _work_up(db: Database) -> None:
    digest, index = Digest(db), CallIndex(db)
    while digest.take(_DIGESTED_AT_ONCE):
        pass
    while list(index.build()):
        pass


def _bytes(db: Database) -> int:
    (row,) = db.read("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
    return int(row["bytes"])


def _first(path: Path) -> int:
    db = Database(path, synchronous="NORMAL")
    (row,) = db.read("SELECT min(id) AS id FROM call")
    db.close()
    return int(row["id"])


if __name__ == "__main__":
    file = Path(sys.argv[1]) / "traffic.db"
    if sys.argv[2] == "--first":
        print(_first(file))
    else:
        print(json.dumps(fill(file, int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)))
