"""Calls as the lines of a file. SQLite spells them, many at a time, so a million of them cost seconds and no memory.

They are read in slices, each a short read of its own: one that lasted for minutes would keep the log's WAL from being
written into the file. So what arrives meanwhile is not in the file, and neither is what is pruned before its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from openalgo_bridge.model.calls import CallFilter
from openalgo_bridge.model.masked_address import masked, masked_within
from openalgo_bridge.model.spreadsheet import TRIGGERS
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic_conditions import Conditions, as_meant, conditions_of
from openalgo_bridge.store.traffic_search import TrafficSearch

_IDS_AT_ONCE = 2000
_FOUND_AT_ONCE = 500

# A condition that few rows meet, with its values.
_Slice = tuple[str, tuple[object, ...]]

_IST = "at / 1000 + 19800, 'unixepoch'"

# A range of characters has its ends on both sides of the hyphen, so that stands last. Texts of the log have no NUL,
# which would end the pattern.
_FORMULA = f"[{TRIGGERS.replace('-', '').replace(chr(0), '')}-]*".replace("'", "''")

_MASKS: Mapping[str, Callable[[str], str]] = {"masked": lru_cache(maxsize=1024)(masked), "masked_within": masked_within}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One of the file. ``sql`` is what it is in the table, ``masked_by`` what hides public addresses in it.

    A ``is_plain`` one is a number or a word of ours, in which nothing needs a quote.
    """

    name: str
    sql: str
    is_plain: bool = False
    masked_by: str = ""

    def of(self, *, is_masked: bool) -> str:
        """Its value in SQL."""
        if not is_masked or not self.masked_by:
            return self.sql
        return f"iif({self.sql} IS NULL, NULL, {self.masked_by}({self.sql}))"


COLUMNS = (
    Column(name="id", sql="id", is_plain=True),
    Column(name="endpoint", sql="endpoint"),
    Column(name="status", sql="status", is_plain=True),
    Column(name="address", sql="address", masked_by="masked"),
    Column(name="response_ms", sql="duration_us / 1000.0", is_plain=True),
    Column(name="broker_ms", sql="broker_us / 1000.0", is_plain=True),
    Column(name="method", sql="method"),
    Column(name="outcome", sql="outcome", is_plain=True),
    Column(name="message", sql="message", masked_by="masked_within"),
    Column(name="program", sql="program"),
    Column(name="strategy", sql="strategy"),
    Column(name="symbol", sql="symbol"),
    Column(name="source", sql="source"),
    Column(name="trading_mode", sql="trading_mode", is_plain=True),
    Column(name="ticket", sql="ticket_id", is_plain=True),
    Column(name="order_id", sql="order_ref"),
    Column(name="key_fingerprint", sql="key_fingerprint", is_plain=True),
    Column(name="request_id", sql="request_id", is_plain=True),
    Column(name="listener", sql="listener", is_plain=True),
    Column(name="kind", sql="kind", is_plain=True),
    Column(name="forwarded_for", sql="forwarded_for", masked_by="masked"),
)
"""What follows the time. A status of 0: cut off by a stop; none: still running."""

CSV_HEADER = ",".join(["time_ist", *(column.name for column in COLUMNS)]) + "\r\n"


class TrafficExport:
    """The calls that pass a filter, the newest first. Every part of a file may raise StorageError."""

    def __init__(self, db: Database, search: TrafficSearch) -> None:
        self._db = db
        self._search = search

    def csv(self, wanted: CallFilter, *, is_masked: bool = False) -> Iterator[str]:
        """A file as RFC 4180 has it, header first, in which no text is a formula. Its parts are whole lines."""
        yield CSV_HEADER
        yield from self._parts(_csv_line(is_masked=is_masked), wanted, is_masked=is_masked)

    def jsonl(self, wanted: CallFilter, *, is_masked: bool = False) -> Iterator[str]:
        """One JSON object on each line. Its parts are whole lines."""
        yield from self._parts(_json_line(is_masked=is_masked), wanted, is_masked=is_masked)

    def _parts(self, line: str, wanted: CallFilter, *, is_masked: bool) -> Iterator[str]:
        conditions = conditions_of(as_meant(wanted))
        slices = self._found(wanted) if conditions.words else self._passing(wanted, conditions)
        for condition, values in slices:
            # The rows of a slice lie side by side; an index would look for each of them. They are joined in SQLite,
            # which keeps their order (its ticket 2942): Python would wait for its lock behind every row.
            rows = f"SELECT {line} AS line FROM call NOT INDEXED WHERE {condition} ORDER BY id DESC"
            sql = f"SELECT group_concat(line, '') FROM ({rows})"
            if part := self._read(sql, values, is_masked=is_masked):
                yield part

    def _passing(self, wanted: CallFilter, conditions: Conditions) -> Iterator[_Slice]:
        """What is asked of the rows is cheap to ask of them all; the search knows where the first and the last are."""
        newest = self._search.page(wanted, before=None, limit=1)
        oldest = self._search.newer(wanted, after=0, limit=1)
        if not newest or not oldest:
            return
        first = oldest[0].id
        for high in range(newest[0].id + 1, first, -_IDS_AT_ONCE):
            low = max(first, high - _IDS_AT_ONCE)
            yield f"id >= ? AND id < ? AND {conditions.sql}", (low, high, *conditions.values)

    def _found(self, wanted: CallFilter) -> Iterator[_Slice]:
        """What begins a word of a call, the search alone knows."""
        calls = self._search.page(wanted, before=None, limit=_FOUND_AT_ONCE)
        while calls:
            yield f"id IN ({','.join('?' * len(calls))})", tuple(call.id for call in calls)
            calls = self._search.page(wanted, before=calls[-1].id, limit=_FOUND_AT_ONCE)

    def _read(self, sql: str, values: tuple[object, ...], *, is_masked: bool) -> str:
        with self._db.snapshot() as db:
            if is_masked:
                for name, mask in _MASKS.items():
                    db.create_function(name, 1, mask, deterministic=True)
            (joined,) = db.execute(sql, values).fetchone()
        return joined or ""


def _csv_line(*, is_masked: bool) -> str:
    """What others said stands in quotes, behind an apostrophe wherever ``model/spreadsheet.py`` puts one."""
    form, values = ["%s.%03d"], [f"datetime({_IST})", "at % 1000"]
    for column in COLUMNS:
        value = column.of(is_masked=is_masked)
        if column.is_plain:
            form.append("%s")
            values.append(value)
        else:
            form.append('"%s%w"')
            values += [f"iif({value} GLOB '{_FORMULA}', '''', '')", f"ifnull({value}, '')"]
    return f"printf('{','.join(form)}\r\n', {', '.join(values)})"


def _json_line(*, is_masked: bool) -> str:
    moment = f"printf('%s.%03d+05:30', strftime('%Y-%m-%dT%H:%M:%S', {_IST}), at % 1000)"
    pairs = [f"'time', {moment}", *(f"'{column.name}', {column.of(is_masked=is_masked)}" for column in COLUMNS)]
    return f"json_object({', '.join(pairs)}) || char(10)"
