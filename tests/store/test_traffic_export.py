"""Calls as a file: every reader finds the same cells in it, no spreadsheet finds a formula, and nobody waits for it."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openalgo_bridge.clock import from_ms, ist_text
from openalgo_bridge.model.calls import CallFilter, CallKind, CallOutcome, Listener, StatusClass
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.spreadsheet import TRIGGERS, as_text
from openalgo_bridge.store.traffic import drop_calls_through
from openalgo_bridge.store.traffic_export import COLUMNS, TrafficExport
from openalgo_bridge.store.traffic_search import TrafficSearch
from tests.store.traffic_calls import Recorded

EVERYTHING = CallFilter(with_pages=True)
TEXTS = [column for column in COLUMNS if not column.is_plain]
HOSTILE = f"{TRIGGERS}\"',;|\\ \x01\x1b\x7f\x85\u202e\u2028\u2066\ufeff\ud800\U0010ffff={{}}<>%éA0"
START = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    opened = Recorded(tmp_path)
    yield opened
    opened.db.close()


def export_of(recorded: Recorded) -> TrafficExport:
    return TrafficExport(recorded.db, TrafficSearch(recorded.db))


def read_csv(parts: Iterator[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(parts), newline=""), strict=True))


def read_jsonl(parts: Iterator[str]) -> list[dict[str, object]]:
    text = "".join(parts)
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def write_rows(recorded: Recorded, rows: list[dict[str, object]]) -> None:
    """As they are, past everything that cleans them."""
    whole = {"at": 1, "request_id": "", "method": "", "endpoint": "", "address": "", "program": ""}
    with recorded.db.transaction() as db:
        for row in rows:
            named = whole | row
            columns, marks = ", ".join(named), ", ".join("?" * len(named))
            db.execute(f"INSERT INTO call ({columns}) VALUES ({marks})", tuple(named.values()))


def hostile_texts(count: int) -> list[str]:
    """Of any characters there are, mostly of those that mean something to somebody; but for NUL and halves of one."""
    chance = random.Random(13)
    usual = [c for c in HOSTILE if c not in "\0\ud800"]
    anywhere = [chr(code) for code in (*range(1, 0xD800, 7), *range(0xE000, 0x11000, 11))]
    alphabets = (usual, anywhere, [*usual, *anywhere[:40]])
    return ["".join(chance.choices(chance.choice(alphabets), k=chance.randint(0, 12))) for _ in range(count)]


def test_of_10000_texts_none_begins_as_a_formula_and_the_sql_agrees_with_the_rule(recorded: Recorded) -> None:
    texts = [*TRIGGERS.replace("\0", ""), *hostile_texts(10_000)]
    columns = [column.sql for column in TEXTS]
    chunks = [texts[start : start + len(columns)] for start in range(0, len(texts), len(columns))]
    write_rows(recorded, [dict(zip(columns, chunk, strict=False)) for chunk in chunks])
    rows = read_csv(export_of(recorded).csv(EVERYTHING))[::-1]
    for row, chunk in zip(rows, chunks, strict=True):
        cells = [row[column.name] for column in TEXTS][: len(chunk)]
        assert cells == [as_text(text) for text in chunk]
        assert not any(cell.startswith(tuple(set(TRIGGERS) - {"'"})) for cell in row.values())


@pytest.mark.parametrize("word", [*CallOutcome, *CallKind, *Listener, *TradingMode])
def test_a_word_of_ours_needs_no_quote(word: str) -> None:
    assert as_text(word) == word
    assert not set(word) & set('",\r\n')


def test_what_others_say_is_never_written_plainly() -> None:
    ours = {"request_id", "outcome", "key_fingerprint", "listener", "kind", "trading_mode"}
    numbers = {"id", "status", "response_ms", "broker_ms", "ticket"}
    assert {column.name for column in COLUMNS if column.is_plain} == ours | numbers


def test_10000_hostile_texts_make_whole_lines_of_json_without_a_control_character(recorded: Recorded) -> None:
    chance = random.Random(3)
    texts = hostile_texts(9_000) + ["".join(chance.choices(HOSTILE, k=30)) for _ in range(1000)]
    for endpoint, program, strategy, symbol, message in zip(*[iter(texts)] * 5, strict=True):
        call_id = recorded.open(endpoint, program=program)
        recorded.close(call_id, strategy=strategy, symbol=symbol, message=message)
    text = "".join(export_of(recorded).jsonl(EVERYTHING))
    assert not any(character < " " for character in text.replace("\n", ""))
    assert not any(character in text for character in "\x7f\x85\u202e\u2028\u2066")
    assert [json.loads(line)["id"] for line in text.split("\n")[:-1]] == list(range(2000, 0, -1))


def test_a_line_has_the_time_in_india_and_every_fact_of_the_call(recorded: Recorded) -> None:
    call_id = recorded.open("/api/v1/placeorder", at=datetime(2026, 11, 21, 18, 40, 0, 7000, tzinfo=UTC))
    recorded.close(call_id, status=403, ms=12.345, strategy="ORB", symbol="SBIN", outcome="denied", message='Too "big"')
    (row,) = read_csv(export_of(recorded).csv(EVERYTHING))
    told = {name: cell for name, cell in row.items() if cell}
    assert told == {
        "time_ist": "2026-11-22 00:10:00.007",
        "id": "1",
        "endpoint": "/api/v1/placeorder",
        "status": "403",
        "address": "127.0.0.1",
        "response_ms": "12.345",
        "method": "POST",
        "outcome": "denied",
        "message": 'Too "big"',
        "program": "python-requests/2.32",
        "strategy": "ORB",
        "symbol": "SBIN",
        "request_id": "0000000000000001",
        "listener": "main",
        "kind": "api",
    }
    (line,) = read_jsonl(export_of(recorded).jsonl(EVERYTHING))
    assert line["time"] == "2026-11-22T00:10:00.007+05:30"
    assert (line["status"], line["response_ms"], line["message"]) == (403, 12.345, 'Too "big"')
    assert (line["ticket"], line["order_id"]) == (None, None)


def test_the_time_is_that_of_the_pages(recorded: Recorded) -> None:
    chance = random.Random(11)
    moments = [0, 999, *(chance.randrange(4_000_000_000_000) for _ in range(300))]
    write_rows(recorded, [{"at": moment} for moment in moments])
    rows = read_csv(export_of(recorded).csv(EVERYTHING))[::-1]
    lines = read_jsonl(export_of(recorded).jsonl(EVERYTHING))[::-1]
    for moment, row, line in zip(moments, rows, lines, strict=True):
        assert row["time_ist"] == f"{ist_text(from_ms(moment))}.{moment % 1000:03d}"
        assert datetime.fromisoformat(str(line["time"])) == from_ms(moment)


FILTERS = [
    CallFilter(),
    EVERYTHING,
    CallFilter(kind=CallKind.PAGE),
    CallFilter(kind=CallKind.HOOK, status=StatusClass.REFUSED),
    CallFilter(status=StatusClass.ANSWERED, program="AmiBroker"),
    CallFilter(status=StatusClass.CUT_OFF),
    CallFilter(status=StatusClass.FAILED, is_slow=True),
    CallFilter(endpoint="/api/v1/quotes", symbol="SBIN"),
    CallFilter(address="103.21.58.9"),
    CallFilter(address="49.36.1.2", with_pages=True),
    CallFilter(strategy="mean_reversion", outcome="denied"),
    CallFilter(since=START + timedelta(minutes=20), until=START + timedelta(minutes=35)),
    CallFilter(since=START + timedelta(days=300)),
    CallFilter(words="insuff fun", with_pages=True),
    CallFilter(words="sbin", program="AmiBroker"),
    CallFilter(words="no such word"),
    CallFilter(words="' OR 1=1 --", with_pages=True),
    CallFilter(endpoint="'; DROP TABLE call; --"),
]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """More than two slices of calls of all kinds, the last of them still running, with gaps where some are gone."""
    log = Recorded(tmp_path_factory.mktemp("many"))
    chance = random.Random(5)
    for _ in range(4500):
        record_any(log, chance)
    log.work_up()
    log.open()
    with log.db.transaction() as db:
        db.execute("DELETE FROM call WHERE id IN (4, 5, 6, 4000) OR id BETWEEN 2100 AND 2500")
    yield log
    log.db.close()


def record_any(log: Recorded, chance: random.Random) -> None:
    call_id = log.open(
        chance.choice(("/api/v1/placeorder", "/api/v1/quotes", "/traffic")),
        kind=chance.choice(list(CallKind)),
        address=chance.choice(("127.0.0.1", "103.21.58.9", "::1")),
        forwarded_for=chance.choice((None, "49.36.1.2", "103.21.58.9")),
        program=chance.choice(("AmiBroker", "python-requests/2.32")),
    )
    log.close(
        call_id,
        status=chance.choice((0, 200, 302, 400, 403, 500)),
        ms=chance.choice((1.5, 999.9, 1000.0, 2500.0)),
        strategy=chance.choice((None, "ORB 15m", "mean_reversion")),
        symbol=chance.choice((None, "SBIN", "M&M")),
        outcome=chance.choice(("ok", "denied")),
        message=chance.choice((None, "Insufficient funds: 12.50 short")),
    )


@pytest.mark.parametrize("wanted", FILTERS)
def test_a_file_has_the_calls_that_the_page_shows_newest_first(many: Recorded, wanted: CallFilter) -> None:
    expected = [call.id for call in TrafficSearch(many.db).each(wanted)]
    assert [row["id"] for row in read_jsonl(export_of(many).jsonl(wanted))] == expected
    assert [int(row["id"]) for row in read_csv(export_of(many).csv(wanted))] == expected


def test_the_filters_above_leave_something_out_and_something_in(many: Recorded) -> None:
    sizes = [len(read_jsonl(export_of(many).jsonl(wanted))) for wanted in FILTERS]
    assert max(sizes) == 4500 - 405 + 1
    assert sizes.count(0) == 4
    assert len(set(sizes)) >= 12


def test_public_addresses_are_masked_where_they_stand_and_no_others(recorded: Recorded) -> None:
    call_id = recorded.open(address="103.21.58.9", forwarded_for="2405:201:abcd:12::1", program="Chrome/120.0.0.1")
    recorded.close(call_id, message="The key may not be used from 103.21.58.9. Ask 192.168.1.7.")
    recorded.call()
    wanted = CallFilter(with_pages=True)
    mine, theirs = read_csv(export_of(recorded).csv(wanted, is_masked=True))
    assert (mine["address"], mine["forwarded_for"], mine["message"]) == ("127.0.0.1", "", "")
    assert theirs["address"] == "103.21.x.x"
    assert theirs["forwarded_for"] == "2405:0201:abcd:0012:x:x:x:x"
    assert theirs["message"] == "The key may not be used from 103.21.x.x. Ask 192.168.1.7."
    assert theirs["program"] == "Chrome/120.0.0.1"
    (line,) = [each for each in read_jsonl(export_of(recorded).jsonl(wanted, is_masked=True)) if each["id"] == 1]
    assert (line["address"], line["message"]) == (theirs["address"], theirs["message"])
    plain = read_csv(export_of(recorded).csv(wanted))[1]
    assert plain["address"] == "103.21.58.9"


def test_a_log_without_calls_is_a_header_and_nothing_else(recorded: Recorded) -> None:
    assert list(export_of(recorded).csv(EVERYTHING)) == [f"time_ist,{','.join(each.name for each in COLUMNS)}\r\n"]
    assert list(export_of(recorded).jsonl(EVERYTHING)) == []


def test_what_comes_meanwhile_is_left_out_and_so_is_what_is_pruned(recorded: Recorded) -> None:
    recorded.fill(5000)
    parts = export_of(recorded).jsonl(EVERYTHING)
    read = read_jsonl(iter([next(parts)]))
    recorded.fill(5100)
    with recorded.db.transaction() as db:
        drop_calls_through(db, 900)
    read += read_jsonl(parts)
    assert [row["id"] for row in read] == list(range(5000, 900, -1))


def test_between_two_parts_the_log_can_be_written_and_its_wal_be_emptied(recorded: Recorded) -> None:
    recorded.fill(5000)
    parts = export_of(recorded).csv(EVERYTHING)
    next(parts)
    next(parts)
    recorded.call()
    (state,) = recorded.db.read("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (state["busy"], (recorded.folder / "traffic.db-wal").stat().st_size) == (0, 0)
    assert sum(part.count("\r\n") for part in parts) == 3000


def test_a_range_whose_end_comes_first_is_meant_the_other_way_round(many: Recorded) -> None:
    there = CallFilter(since=START + timedelta(minutes=20), until=START + timedelta(minutes=35))
    back = replace(there, since=there.until, until=there.since)
    assert list(export_of(many).csv(back)) == list(export_of(many).csv(there))
