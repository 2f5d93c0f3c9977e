"""Many programs at once on a real socket: as many rows as answers, each program's in the order in which it called."""

from __future__ import annotations

import json
import threading
from collections import defaultdict

import pytest

from openalgo_bridge.account.setup import create_account
from tests.conftest import PASSWORD, Live
from tests.traffic_rows import rows
from tests.wire import Wire


def call_often(live: Live, key: str, program: int, calls: int) -> None:
    body = json.dumps({"apikey": key, "strategy": f"strategy {program}"})
    with Wire(live.port) as wire:
        for call in range(calls):
            request = (
                f"POST /api/v1/ping HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nUser-Agent: {program} {call}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
            assert wire.ask(request.encode()).status == 200


def check(live: Live, *, programs: int, calls: int) -> None:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    before = len(rows(live.desk))
    threads = [threading.Thread(target=call_often, args=(live, key, program, calls)) for program in range(programs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = rows(live.desk)[before:]
    assert len(kept) == programs * calls
    assert {(row.status, row.outcome) for row in kept} == {(200, "ok")}
    assert [row.id for row in kept] == list(range(kept[0].id, kept[0].id + len(kept)))
    order: dict[str, list[int]] = defaultdict(list)
    for row in kept:
        program, call = row.program.split()
        order[program].append(int(call))
        said = live.desk.store.traffic.bodies(row.id)
        assert said is not None
        # No row has got what another call said.
        assert f'"strategy": "strategy {program}"' in said.request
        assert row.strategy == f"strategy {program}"
    assert set(map(tuple, order.values())) == {tuple(range(calls))}
    count = live.desk.store.traffic.completeness()
    assert (count.answers, count.missing) == (len(rows(live.desk)), 0)


def test_five_hundred_calls_over_sixteen_connections_are_five_hundred_rows(live: Live) -> None:
    check(live, programs=16, calls=32)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_calls_over_sixty_four_connections_are_ten_thousand_rows(live: Live) -> None:
    check(live, programs=64, calls=157)


def test_the_time_at_the_broker_is_a_part_of_the_time_of_a_call(live: Live) -> None:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    body = json.dumps({"apikey": key, "symbol": "RELIANCE", "exchange": "NSE"})
    request = (
        f"POST /api/v1/quotes HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with Wire(live.port) as wire:
        assert wire.ask(request.encode()).status == 200
    row = rows(live.desk)[-1]
    assert row.broker_ms is not None
    assert row.duration_ms is not None
    assert 0 < row.broker_ms <= row.duration_ms


@pytest.mark.parametrize(
    ("sent", "status", "endpoint", "kind"),
    [
        (b"\x16\x03\x01 no HTTP\r\n\r\n", 400, "(not readable)", "stray"),
        (b"POST /api/v1/ping HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, "/api/v1/ping", "api"),
        (b"POST /api/v1/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", 413, "/api/v1/ping", "api"),
        (b"GET /login HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431, "/login", "stray"),
    ],
    ids=["nonsense", "length", "large", "headers"],
)
def test_what_never_reaches_the_app_is_a_row_too(
    live: Live, sent: bytes, status: int, endpoint: str, kind: str
) -> None:
    with Wire(live.port) as wire:
        assert wire.ask(sent).status == status
    (row,) = rows(live.desk)
    assert (row.status, row.endpoint, row.kind, row.outcome) == (status, endpoint, kind, "refused")
    assert (row.listener, row.address) == ("main", "127.0.0.1")
    count = live.desk.store.traffic.completeness()
    assert (count.answers, count.missing) == (1, 0)
