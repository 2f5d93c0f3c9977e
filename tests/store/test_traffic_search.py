"""Finding calls: any filters together give what a plain look at every row gives."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.calls import SLOW_MS, CallFilter, CallKind, StatusClass
from openalgo_bridge.store.database import Database, Parameters, Row
from openalgo_bridge.store.traffic_index import CallIndex
from openalgo_bridge.store.traffic_search import TrafficSearch
from openalgo_bridge.store.traffic_words import BLOCK
from tests.store.traffic_calls import BLOCK_IS_WRITTEN_AT, Recorded

ENDPOINTS = ("/api/v1/placeorder", "/api/v1/quotes", "/api/v1/orderbook", "/traffic")
PROGRAMS = ("AmiBroker", "python-requests/2.32", "Käsekästchen 1.0")
ADDRESSES = ("127.0.0.1", "103.21.58.9", "::1")
STRATEGIES = ("", "ORB 15m", "mean_reversion", "ÉTÉ")
SYMBOLS = ("", "SBIN", "NIFTY24NOV2624000CE", "M&M")
OUTCOMES = ("ok", "denied", "wrong key")
MESSAGES = ("", "The order was taken.", "Insufficient funds: 12.50 short", "ﬁnite STRASSE ſ K", '100% _sure_ "yes"')
STATUSES = (200, 302, 400, 403, 404, 429, 500, 503)
WORDS = (
    "",
    "sb",
    "SBIN",
    "nifty24nov26",
    "NIFTY24NOV2624000",
    "insuff",
    "12",
    "strasse",
    "été",
    "kase",
    "ok den",
    "zzz",
    "fin s",
)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Calls of all kinds: in the index, newer than it, late for it, and still running."""
    recorded = Recorded(tmp_path_factory.mktemp("many"))
    chance = random.Random(7)
    late = [_open(recorded, chance) for _ in range(6)]
    _record(recorded, chance, 700)
    recorded.fill(BLOCK_IS_WRITTEN_AT - 900)
    _record(recorded, chance, 1000)
    recorded.work_up()
    for call_id in late[:4]:
        _close(recorded, chance, call_id)
    recorded.work_up()
    _record(recorded, chance, 100)
    _open(recorded, chance)
    yield recorded
    recorded.db.close()


def _record(recorded: Recorded, chance: random.Random, many: int) -> None:
    for _ in range(many):
        _close(recorded, chance, _open(recorded, chance))


def _open(recorded: Recorded, chance: random.Random) -> int:
    endpoint = chance.choice(ENDPOINTS)
    return recorded.open(
        endpoint,
        kind=CallKind.PAGE if endpoint == "/traffic" else chance.choice((CallKind.API, CallKind.HOOK)),
        # Now and then the clock is set: the ids are in order, the times are not.
        at=recorded.clock.now() + timedelta(seconds=recorded.count + chance.choice((0, 0, 0, 0, 3600, -7200))),
        address=chance.choice(ADDRESSES),
        forwarded_for=chance.choice((None, None, "49.36.1.2", "103.21.58.9")),
        program=chance.choice(PROGRAMS),
    )


def _close(recorded: Recorded, chance: random.Random, call_id: int) -> None:
    recorded.close(
        call_id,
        status=chance.choice(STATUSES),
        ms=chance.choice((1.5, 40.0, 1000.0, 2500.0)),
        strategy=chance.choice(STRATEGIES) or None,
        symbol=chance.choice(SYMBOLS) or None,
        outcome=chance.choice(OUTCOMES),
        message=chance.choice(MESSAGES) or None,
    )


def plainly(recorded: Recorded, wanted: CallFilter) -> list[int]:
    """The ids that a look at every row gives, the newest first."""
    typed = re.findall(r"[^\W_]+", wanted.words.casefold())
    return [row["id"] for row, words in _all_rows(recorded) if all(_checks(row, words, wanted, typed))]


@cache
def _all_rows(recorded: Recorded) -> list[tuple[Row, set[str]]]:
    rows = recorded.db.read("SELECT * FROM call ORDER BY id DESC")
    return [(row, {word for name in _SEARCHED for word in _words(row[name])}) for row in rows]


def _words(value: object) -> list[str]:
    return re.findall(r"[^\W_]+", "" if value is None else str(value).casefold())


def _checks(row: Row, words: set[str], wanted: CallFilter, typed: list[str]) -> Iterator[bool]:
    yield wanted.with_pages or row["kind"] != "page" if wanted.kind is None else row["kind"] == wanted.kind
    yield wanted.since is None or row["at"] >= to_ms(wanted.since)
    yield wanted.until is None or row["at"] < to_ms(wanted.until)
    yield wanted.status is None or StatusClass.of(row["status"]) is wanted.status
    yield not wanted.is_slow or (row["duration_us"] or 0) >= SLOW_MS * 1000
    yield not wanted.address or wanted.address in {row["address"], row["forwarded_for"]}
    for column in ("endpoint", "program", "strategy", "symbol", "outcome"):
        yield not getattr(wanted, column) or row[column] == getattr(wanted, column)
    for word in typed:
        yield word in words if len(word) < 3 else any(each.startswith(word) for each in words)


_SEARCHED = {
    *("request_id", "endpoint", "program", "message", "strategy", "symbol", "outcome", "source", "address", "method"),
    *("forwarded_for", "trading_mode", "key_fingerprint", "order_ref", "ticket_id", "status"),
}


def _or_nothing(*values: str) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), st.just(""), st.sampled_from(values))


FILTERS = st.builds(
    CallFilter,
    kind=st.one_of(st.none(), st.sampled_from(CallKind)),
    with_pages=st.booleans(),
    endpoint=_or_nothing(*ENDPOINTS, "/api/v1/ping", "/api/v1/nothing"),
    status=st.one_of(st.none(), st.none(), st.sampled_from(StatusClass)),
    address=_or_nothing(*ADDRESSES, "49.36.1.2"),
    program=_or_nothing(*PROGRAMS, "curl/8"),
    strategy=_or_nothing(*STRATEGIES),
    symbol=_or_nothing(*SYMBOLS),
    outcome=_or_nothing(*OUTCOMES),
    is_slow=st.booleans(),
    words=st.sampled_from(WORDS),
)
SECONDS = st.one_of(st.none(), st.integers(-8000, 8000))


@given(wanted=FILTERS, since=SECONDS, length=st.one_of(st.none(), st.integers(0, 8000)), cut=st.integers(0, 6500))
@settings(max_examples=150, deadline=None)
def test_a_search_finds_what_a_look_at_every_row_finds(
    many: Recorded, wanted: CallFilter, since: int | None, length: int | None, cut: int
) -> None:
    begin = None if since is None else many.clock.now() + timedelta(seconds=since)
    end = None if begin is None or length is None else begin + timedelta(seconds=length)
    wanted = replace(wanted, since=begin, until=end)
    right = plainly(many, wanted)
    search = TrafficSearch(many.db)
    assert [call.id for call in search.page(wanted, before=None, limit=100_000)] == right
    assert [call.id for call in search.page(wanted, before=cut, limit=7)] == [each for each in right if each < cut][:7]
    newer = [call.id for call in search.newer(wanted, after=cut, limit=7)]
    assert newer == [each for each in reversed(right) if each > cut][:7]


def test_the_log_of_these_tests_has_calls_in_all_places(many: Recorded) -> None:
    places = many.db.read_one(
        "SELECT (SELECT count(*) FROM call_block) AS blocks, (SELECT count(*) FROM call_late) AS late,"
        " (SELECT count(*) FROM call_late WHERE is_summed) AS summed,"
        " (SELECT count(*) FROM call WHERE status IS NULL) AS running"
    )
    assert places is not None
    assert tuple(places) == (1, 6, 4, 3)


def test_pages_follow_each_other_without_a_gap(many: Recorded) -> None:
    wanted = CallFilter(endpoint="/api/v1/quotes", status=StatusClass.REFUSED)
    search, found, before = TrafficSearch(many.db), [], None
    while page := search.page(wanted, before=before, limit=13):
        found += [call.id for call in page]
        before = page[-1].id
    assert found == plainly(many, wanted)


def test_a_range_whose_end_comes_first_is_meant_the_other_way_round(many: Recorded) -> None:
    first, last = many.clock.now() + timedelta(seconds=100), many.clock.now() + timedelta(seconds=200)
    search = TrafficSearch(many.db)
    turned = search.page(CallFilter(since=last, until=first), before=None, limit=1000)
    assert turned
    assert turned == search.page(CallFilter(since=first, until=last), before=None, limit=1000)


def test_a_range_has_the_last_call_of_its_last_minute(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    at = recorded.clock.now()
    ids = [recorded.close(recorded.open(at=at + timedelta(seconds=second))) for second in (0, 30, 59, 60)]
    recorded.work_up()
    found = TrafficSearch(recorded.db).page(CallFilter(since=at, until=at + timedelta(minutes=1)), before=None, limit=9)
    assert [call.id for call in found] == [ids[2], ids[1], ids[0]]
    recorded.db.close()


HOSTILE = (
    *(
        '"',
        "'",
        "*",
        "a*",
        "AND",
        "OR",
        "NOT",
        "NEAR(a b)",
        "a AND",
        "(",
        ")",
        "a:b",
        "{a}:b",
        "^a",
        "-a",
        "+",
        "%",
        "_",
    ),
    *(
        "_slow",
        "_programs",
        "%%%%",
        "\x00",
        "a\x00b",
        "\ud800",
        "\udfff x",
        "' OR 1=1 --",
        "'; DROP TABLE call; --",
        "\\",
    ),
    *(
        "\u202e",
        "e\u0301",
        "ﬀ",
        "ß",
        "İ",
        "\U0001f4a9",
        "０",
        "a" * 5000,
        "x " * 3000,
        "\t\r\n",
        "=1+1",
        "[a-z]*",
        "?",
        "?1",
    ),
)


def hostile_strings() -> list[str]:
    chance = random.Random(3)
    made = ["".join(chance.choices([*HOSTILE, "sbin", " "], k=chance.randint(1, 6))) for _ in range(300 - len(HOSTILE))]
    return [*HOSTILE, *made]


def test_whatever_is_typed_is_words_and_nothing_else(many: Recorded) -> None:
    search = TrafficSearch(many.db)
    for text in hostile_strings():
        found = search.page(CallFilter(words=text[:100]), before=None, limit=20)
        assert [call.id for call in found] == plainly(many, CallFilter(words=text[:100]))[:20], repr(text)


def test_a_word_that_goes_on_otherwise_has_no_call_looked_at(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.fill(BLOCK_IS_WRITTEN_AT)
    recorded.db.write("UPDATE call SET endpoint = '/api/v1/placesmartorder', program = ?", ("y" * 150,))
    recorded.work_up()
    index = CallIndex(recorded.db)
    for typed, looked_at in (
        ("placesmartorders", 0),
        ("placesmartorder", BLOCK - 1),
        ("placesmarto", BLOCK - 1),
        ("y" * 149 + "z", 0),
        ("y" * 149, BLOCK - 1),
    ):
        assert len(list(index.having([], [typed], low=0, high=BLOCK, newest_first=True))) == looked_at
    recorded.db.close()


class Interrupted(Database):
    """A file in which somebody else writes once, just before a read whose SQL has ``before`` in it."""

    before = ""

    def __init__(self, path: Path, write: Callable[[], object]) -> None:
        super().__init__(path, synchronous="NORMAL")
        self._write_once: Callable[[], object] | None = write

    def read_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        self._interrupt(sql)
        return super().read_one(sql, parameters)

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        self._interrupt(sql)
        yield from super().stream(sql, parameters)

    @property
    def has_been_interrupted(self) -> bool:
        return self._write_once is None

    def _interrupt(self, sql: str) -> None:
        if self._write_once is not None and self.before in sql:
            write, self._write_once = self._write_once, None
            write()


def test_a_call_that_ends_while_a_page_is_read_stands_on_it_once(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    ids = [recorded.call()]
    late = recorded.open()
    ids += [late, *(recorded.call() for _ in range(3))]
    recorded.work_up()
    recorded.close(late)
    db = Interrupted(recorded.folder / "traffic.db", recorded.work_up)
    db.before = "NOT IN (SELECT call_id FROM call_late)"
    wanted = CallFilter(since=recorded.clock.now())
    search = TrafficSearch(db)
    assert [call.id for call in search.page(wanted, before=None, limit=9)] == ids[::-1]
    assert db.has_been_interrupted
    assert [call.id for call in search.newer(wanted, after=0, limit=9)] == ids
    db.close()
    recorded.db.close()


def test_a_call_that_ends_while_a_page_is_read_is_not_missed(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.call()
    late = recorded.open()
    recorded.close(recorded.open(at=recorded.clock.now() - timedelta(hours=9)))
    recorded.work_up()
    recorded.close(late)
    # Between the minutes of the range, in which it is not yet, and the late ones, to which it does not belong any more.
    db = Interrupted(recorded.folder / "traffic.db", recorded.work_up)
    db.before = "FROM call_late CROSS"
    wanted = CallFilter(since=recorded.clock.now())
    assert [call.id for call in TrafficSearch(db).page(wanted, before=None, limit=9)] == [late, 1]
    assert db.has_been_interrupted
    db.close()
    recorded.db.close()


def test_a_very_long_text_is_read_as_far_as_somebody_could_mean_it(many: Recorded) -> None:
    found = TrafficSearch(many.db).page(CallFilter(words="sbin " * 5000), before=None, limit=20)
    assert [call.id for call in found] == plainly(many, CallFilter(words="sbin"))[:20]


@pytest.mark.parametrize("field", ["address", "program", "symbol"])
def test_a_value_that_no_call_has_finds_nothing(many: Recorded, field: str) -> None:
    search = TrafficSearch(many.db)
    for text in hostile_strings():
        assert search.page(CallFilter(**{field: text}), before=None, limit=20) == [], repr(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "   ", "***", "%", "_"])
def test_a_text_without_a_word_says_nothing(many: Recorded, text: str) -> None:
    search = TrafficSearch(many.db)
    assert search.page(CallFilter(words=text), before=None, limit=5) == search.page(CallFilter(), before=None, limit=5)


@pytest.mark.parametrize("before", [-1, 0, 1, 1 << 62, 1 << 80])
def test_a_page_may_begin_anywhere(many: Recorded, before: int) -> None:
    search = TrafficSearch(many.db)
    for wanted in (CallFilter(), CallFilter(symbol="SBIN")):
        found = search.page(wanted, before=before, limit=3)
        assert [call.id for call in found] == [each for each in plainly(many, wanted) if each < before][:3]


def test_without_a_filter_a_page_reads_the_index_of_program_calls_alone(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.call()
    # What the page would need for anything else is not there any more.
    for table in ("call_word", "call_block", "call_minute", "call_late"):
        recorded.db.write(f"DROP TABLE {table}")
    assert len(TrafficSearch(recorded.db).page(CallFilter(), before=None, limit=5)) == 1
    recorded.db.close()
