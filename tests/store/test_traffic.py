"""The rows of the traffic log and what was said in the calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.calls import CallKind, Listener
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic import Arrival, Bodies, Call, Ending, Sent, TrafficLog
from openalgo_bridge.store.traffic_text import BODY_KEPT

AT = 1_795_000_000_123
ARRIVAL = Arrival(
    request_id="r1",
    at=AT,
    listener=Listener.HOOKS,
    kind=CallKind.HOOK,
    method="POST",
    endpoint="/api/v1/placeorder",
    address="127.0.0.1",
    forwarded_for="203.0.113.9",
    program="loop.py",
)
BODY = Bodies(request='{"symbol":"SBIN"}', request_bytes=17, answer='{"status":"success"}', answer_bytes=20)
ENDING = Ending(
    status=200,
    duration_us=1500,
    broker_us=700,
    key_fingerprint="abcdef",
    source="api",
    strategy="mine",
    symbol="SBIN",
    ticket_id=7,
    order_ref="261121001",
    trading_mode=TradingMode.ANALYZE,
    outcome="sent",
    message="A sentence.",
    body=BODY,
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "traffic.db", synchronous="NORMAL")
    opened.migrate(schema.traffic)
    yield opened
    opened.close()


@pytest.fixture
def log(db: Database) -> TrafficLog:
    return TrafficLog(db)


def test_a_call_is_read_as_it_was_written(log: TrafficLog) -> None:
    number = log.open(ARRIVAL)
    log.close(number, ENDING)
    assert log.call(number) == Call(
        id=number,
        request_id="r1",
        at=datetime.fromtimestamp(AT / 1000, UTC),
        listener=Listener.HOOKS,
        kind=CallKind.HOOK,
        method="POST",
        endpoint="/api/v1/placeorder",
        address="127.0.0.1",
        forwarded_for="203.0.113.9",
        program="loop.py",
        status=200,
        duration_ms=1.5,
        broker_ms=0.7,
        key_fingerprint="abcdef",
        source="api",
        strategy="mine",
        symbol="SBIN",
        ticket_id=7,
        order_ref="261121001",
        trading_mode=TradingMode.ANALYZE,
        outcome="sent",
        message="A sentence.",
    )
    assert log.bodies(number) == BODY


def test_a_call_that_runs_has_no_end_yet(log: TrafficLog) -> None:
    call = log.call(log.open(ARRIVAL))
    assert call is not None
    assert (call.status, call.duration_ms, call.outcome, log.bodies(call.id)) == (None, None, None, None)
    assert log.call(call.id + 1) is None


def ended(log: TrafficLog, number: int) -> tuple[int | None, int | None, Bodies | None]:
    """The status of a call, the ticket it made, and what was said in it."""
    call = log.call(number)
    assert call is not None
    return call.status, call.ticket_id, log.bodies(number)


def refuse(db: Database, statement: str, table: str) -> None:
    db.write(f"CREATE TRIGGER full BEFORE {statement} ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END")


def test_a_row_is_closed_also_where_there_is_no_room_for_its_bodies(log: TrafficLog, db: Database) -> None:
    number = log.open(ARRIVAL)
    refuse(db, "INSERT", "call_body")
    log.close(number, ENDING)
    assert ended(log, number) == (200, 7, None)


def test_a_row_that_could_not_be_closed_is_closed_later(log: TrafficLog, db: Database) -> None:
    numbers = [log.open(ARRIVAL) for _ in range(3)]
    refuse(db, "UPDATE", "call")
    for number in numbers:
        with pytest.raises(StorageError):
            log.close(number, ENDING)
        log.count(has_row=False)
    with pytest.raises(StorageError):
        log.close_late()
    assert ended(log, numbers[0]) == (None, None, None)
    assert log.completeness().missing == 3
    db.write("DROP TRIGGER full")
    assert (log.close_late(), log.close_late()) == (3, 0)
    assert [ended(log, number) for number in numbers] == [(200, 7, BODY)] * 3
    assert log.completeness().missing == 0


def test_of_endings_that_cannot_be_written_the_newest_are_remembered(log: TrafficLog, db: Database) -> None:
    numbers = [log.open(ARRIVAL) for _ in range(600)]
    refuse(db, "UPDATE", "call")
    for number in numbers:
        with pytest.raises(StorageError):
            log.close(number, ENDING)
    db.write("DROP TRIGGER full")
    assert log.close_late() == 500
    assert ended(log, numbers[99])[0] is None
    assert ended(log, numbers[100])[0] == 200


def test_an_address_that_names_its_host_too_keeps_no_token(log: TrafficLog) -> None:
    call = log.call(log.open(replace(ARRIVAL, endpoint="http://127.0.0.1:5001/hook/abc123")))
    assert call is not None
    assert call.endpoint == "http://127.0.0.1:5001/hook/[token]"


def test_a_kind_that_turned_out_to_be_another_is_told(log: TrafficLog) -> None:
    number = log.open(ARRIVAL)
    log.close(number, Ending(status=403, duration_us=1, kind=CallKind.STRAY))
    call = log.call(number)
    assert call is not None
    assert call.kind is CallKind.STRAY


def test_the_calls_of_a_ticket_are_told_in_their_order(log: TrafficLog) -> None:
    numbers = [log.open(ARRIVAL) for _ in range(4)]
    for number, ticket in zip(numbers, (7, 8, None, 7), strict=True):
        log.close(number, Ending(status=200, duration_us=1, ticket_id=ticket))
    assert [call.id for call in log.of_ticket(7)] == [numbers[0], numbers[3]]
    assert log.of_ticket(9) == []


@pytest.mark.parametrize("text", ["x" * 5000, "a\x00b", "a\x1b[31mb", "a\u202eb", "a\nb", "\ud800", "=1+1", "<script>"])
def test_every_field_takes_any_text_and_keeps_what_can_be_seen(log: TrafficLog, text: str) -> None:
    arrival = Arrival(request_id="r", at=AT, method=text, endpoint=text, address=text, forwarded_for=text, program=text)
    said = Ending(
        status=200, duration_us=1, source=text, strategy=text, symbol=text, order_ref=text, message=text, body=BODY
    )
    number = log.open(arrival)
    log.close(number, said)
    call = log.call(number)
    assert call is not None
    shown = {getattr(call, field.name) for field in fields(call) if field.name in TEXTS}
    assert len(shown) == 1
    (kept,) = shown
    assert kept.isprintable()
    assert (
        kept == "".join(character if character.isprintable() else "�" for character in text)[:300] or "x" * 40 in text
    )


TEXTS = {
    "method",
    "endpoint",
    "address",
    "forwarded_for",
    "program",
    "source",
    "strategy",
    "symbol",
    "order_ref",
    "message",
}


def test_of_a_body_no_more_is_kept_than_may_be(log: TrafficLog) -> None:
    number = log.open(ARRIVAL)
    long = "word \n" * 5000
    body = Bodies(request=long, request_bytes=len(long), answer=long, answer_bytes=len(long))
    log.close(number, Ending(status=200, duration_us=1, body=body))
    said = log.bodies(number)
    assert said is not None
    assert said.request == said.answer == long[:BODY_KEPT]
    assert said.request_bytes == 30_000


def test_how_an_answer_was_sent_may_be_told_later(log: TrafficLog) -> None:
    number = log.open(ARRIVAL)
    log.close(number, ENDING)
    log.note_sent(number, Sent(answer_bytes=5_000_000, duration_us=900_000))
    call, said = log.call(number), log.bodies(number)
    assert said is not None
    assert call is not None
    assert (said.answer_bytes, call.duration_ms) == (5_000_000, 900)
    assert (call.outcome, call.message) == ("sent", "A sentence.")


@pytest.mark.parametrize(("message", "told"), [("A sentence.", "A sentence. It broke."), (None, "It broke.")])
def test_an_answer_that_broke_off_says_so_beside_what_was_said_before(
    log: TrafficLog, message: str | None, told: str
) -> None:
    number = log.open(ARRIVAL)
    log.close(number, replace(ENDING, message=message))
    log.note_sent(number, Sent(answer_bytes=7, duration_us=1, broke_off="It broke.", outcome="failed"))
    call = log.call(number)
    assert call is not None
    assert (call.outcome, call.message) == ("failed", told)


def test_answers_and_rows_are_counted(log: TrafficLog) -> None:
    for has_row in (True, False, True):
        log.count(has_row=has_row)
    count = log.completeness()
    assert (count.answers, count.rows, count.missing) == (3, 2, 1)
