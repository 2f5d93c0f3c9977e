"""Which program used the key, from where and when last: right to a minute, and never much work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.key_uses import KeyUse, KeyUses
from tests.conftest import FixedClock
from tests.fakes import in_threads

KEY = "0123456789ab"


@pytest.fixture
def traffic(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "traffic.db", synchronous="NORMAL")
    opened.migrate(schema.traffic)
    yield opened
    opened.close()


@pytest.fixture
def uses(traffic: Database, clock: FixedClock) -> KeyUses:
    return KeyUses(traffic, clock)


def note(uses: KeyUses, program: str = "python-httpx", *, address: str = "127.0.0.1", endpoint: str = "/ping") -> None:
    uses.note(fingerprint=KEY, program=program, address=address, endpoint=endpoint)


def test_a_key_that_was_never_used_has_no_uses(uses: KeyUses) -> None:
    assert uses.of(KEY) == []
    assert uses.latest(KEY) is None


def test_the_first_use_is_there_at_once(uses: KeyUses, clock: FixedClock) -> None:
    note(uses)
    now = clock.now()
    assert uses.latest(KEY) == KeyUse(
        fingerprint=KEY, program="python-httpx", address="127.0.0.1", endpoint="/ping", first_at=now, last_at=now
    )
    assert uses.latest("another key") is None


def test_a_program_is_written_again_after_a_minute_only(uses: KeyUses, traffic: Database, clock: FixedClock) -> None:
    first = clock.now()
    note(uses)
    traffic.write("CREATE TRIGGER watch BEFORE UPDATE ON key_use BEGIN SELECT RAISE(ABORT, 'written'); END")
    clock.move(seconds=59)
    note(uses, endpoint="/funds")
    traffic.write("DROP TRIGGER watch")
    clock.move(seconds=1)
    note(uses, endpoint="/orderbook")
    use = uses.latest(KEY)
    assert use is not None
    assert (use.endpoint, use.first_at, use.last_at) == ("/orderbook", first, clock.now())


def test_each_program_and_each_address_is_a_row_the_latest_first(uses: KeyUses, clock: FixedClock) -> None:
    for program, address in (("AmiBroker", "127.0.0.1"), ("AmiBroker", "::1"), ("axios", "127.0.0.1")):
        note(uses, program, address=address)
        clock.move(seconds=1)
    told = [(use.program, use.address) for use in uses.of(KEY)]
    assert told == [("axios", "127.0.0.1"), ("AmiBroker", "::1"), ("AmiBroker", "127.0.0.1")]


def test_a_clock_that_is_set_back_does_not_silence_a_program(uses: KeyUses, clock: FixedClock) -> None:
    note(uses)
    clock.move(days=-1)
    note(uses, endpoint="/funds")
    use = uses.latest(KEY)
    assert use is not None
    assert (use.endpoint, use.last_at) == ("/funds", clock.now())


def test_a_key_in_the_name_of_a_program_is_not_kept(uses: KeyUses) -> None:
    key = new_key()
    note(uses, f"bot {key}\n\ud800")
    use = uses.latest(KEY)
    assert use is not None
    assert key not in use.program
    assert use.program.isprintable()


def test_a_program_that_changes_its_name_at_every_call_fills_neither_disk_nor_memory(
    uses: KeyUses, traffic: Database, clock: FixedClock
) -> None:
    with traffic.transaction() as db:
        db.executemany(
            "INSERT INTO key_use (fingerprint, program, address, endpoint, first_at, last_at)"
            " VALUES ('old', ?, '', '', 1, ?)",
            [(f"bot {number}", number) for number in range(1000)],
        )
    for number in range(3):
        note(uses, f"{number} " + "bot " * 2000)
        clock.move(seconds=1)
    kept = traffic.read("SELECT program, fingerprint FROM key_use ORDER BY last_at")
    assert len(kept) == 1000
    assert kept[0]["program"] == "bot 3", "the oldest make room"
    assert max(len(row["program"]) for row in kept) == 300
    for number in range(600):
        uses._written_at[KEY, str(number), ""] = 0
    note(uses, "one more")
    assert len(uses._written_at) <= 500


def test_threads_that_use_the_key_for_the_first_time_make_one_row(uses: KeyUses) -> None:
    in_threads(8, lambda: note(uses))
    assert len(uses.of(KEY)) == 1


def test_a_use_that_could_not_be_written_is_tried_again_a_minute_later(
    uses: KeyUses, traffic: Database, clock: FixedClock
) -> None:
    traffic.write("CREATE TRIGGER full BEFORE INSERT ON key_use BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StorageError):
        note(uses)
    note(uses)
    traffic.write("DROP TRIGGER full")
    clock.move(minutes=1)
    note(uses)
    assert len(uses.of(KEY)) == 1
