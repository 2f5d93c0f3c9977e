"""Which calls have a word or a tag: an inverted index in blocks of 4096 calls. The only writer of its tables.

A block is written once, when its calls are over, and is taken away in one piece: nothing in it is ever changed, so a
busy log does not write pages again and again, and what a search reads of a block does not depend on how many there
are. SQLite's own full text search merges what it wrote for as long as 75 ms, which every call would wait for; and it
takes fifteen times as long to find that two common words do not meet.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence

from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic import call_of
from openalgo_bridge.store.traffic_words import BLOCK, SHORTEST_BEGINNING, tags_of, words_of

_GRACE = 512
"""A block waits for so many later calls, so that hardly one of its own is still open."""

_READ_AT_ONCE = 256
_WRITTEN_AT_ONCE = 500
_DROPPED_AT_ONCE = 1000
_BITMAP_BYTES = BLOCK // 8
_SPARSE = 32
_LAST = chr(0x10FFFF)


class CallIndex:
    """One thread writes it. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def end(self) -> int:
        """The calls below this id are found through the index, but for the late ones."""
        row = self._db.read_one("SELECT max(block) AS newest FROM call_block")
        return 0 if row is None or row["newest"] is None else (row["newest"] + 1) * BLOCK

    def build(self) -> Iterator[None]:
        """Write the next block in short steps, each of which may be followed by a pause; no step where none is full.

        What a crash leaves of a block counts for nothing, and is written over.
        """
        block = self._next_full()
        if block is None:
            return
        found: dict[str, list[int]] = defaultdict(list)
        for first in range(block * BLOCK, (block + 1) * BLOCK, _READ_AT_ONCE):
            self._collect(first, found)
            yield
        rows = [(block, word, _packed(found[word])) for word in sorted(found)]
        for start in range(0, len(rows), _WRITTEN_AT_ONCE):
            with self._db.transaction() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO call_word VALUES (?, ?, ?)", rows[start : start + _WRITTEN_AT_ONCE]
                )
            yield
        self._db.write("INSERT INTO call_block VALUES (?)", (block,))

    def drop_before(self, call_id: int) -> bool:
        """Take away a part of the oldest block that has only calls below this id; False where there is none."""
        row = self._db.read_one("SELECT min(block) AS oldest FROM call_word")
        if row is None or row["oldest"] is None or (row["oldest"] + 1) * BLOCK > call_id:
            return False
        block = row["oldest"]
        upto = self._db.read_one(
            "SELECT word FROM call_word WHERE block = ? ORDER BY word LIMIT 1 OFFSET ?", (block, _DROPPED_AT_ONCE)
        )
        with self._db.transaction() as db:
            # First of all: what is not whole any more must not be asked.
            db.execute("DELETE FROM call_block WHERE block = ?", (block,))
            last = _LAST if upto is None else upto["word"]
            db.execute("DELETE FROM call_word WHERE block = ? AND word < ?", (block, last))
        return True

    def having(
        self, tags: Sequence[str], words: Sequence[str], *, low: int, high: int, newest_first: bool
    ) -> Iterator[int]:
        """Ids from ``low`` to below ``high`` of calls that may have all tags and words, and of all that have them."""
        exact, beginnings = _sought(tags, words)
        sql, values = _question(exact, beginnings, newest_first=newest_first)
        if high <= low:
            return
        for row in self._db.stream(sql, (*values, low // BLOCK, (high - 1) // BLOCK)):
            block = row["block"]
            bits = _between(low - block * BLOCK, high - block * BLOCK)
            for number in range(len(exact)):
                bits &= _unpacked(row[number + 1])
            for beginning in beginnings:
                bits = bits and bits & self._beginning(block, beginning)
            yield from (block * BLOCK + place for place in _places(bits, newest_first=newest_first))

    def _next_full(self) -> int | None:
        block = self.end() // BLOCK
        if block == 0:
            # The oldest calls may be gone already, such as in a log that was there before its index.
            oldest = self._db.read_one("SELECT min(id) AS id FROM call")
            block = 0 if oldest is None or oldest["id"] is None else oldest["id"] // BLOCK
        digested = self._db.read_one("SELECT last_call_id AS id FROM call_digest")
        is_full = digested is not None and digested["id"] >= (block + 1) * BLOCK + _GRACE
        return block if is_full else None

    def _collect(self, first: int, found: dict[str, list[int]]) -> None:
        rows = self._db.read(
            "SELECT * FROM call WHERE id >= ? AND id < ? AND id NOT IN (SELECT call_id FROM call_late) ORDER BY id",
            (first, first + _READ_AT_ONCE),
        )
        for call in map(call_of, rows):
            place = call.id % BLOCK
            # Whole, however long: were they cut, whoever looks for one would look at all calls with its beginning.
            for word in words_of(call).union(tags_of(call)):
                found[word].append(place)

    def _beginning(self, block: int, beginning: str) -> int:
        """The calls of a block that have a word which begins so."""
        rows = self._db.read(
            "SELECT calls FROM call_word WHERE block = ? AND word >= ? AND word < ?",
            (block, beginning, beginning + _LAST),
        )
        bits = 0
        for row in rows:
            bits |= _unpacked(row["calls"])
        return bits


def _sought(tags: Sequence[str], words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What must stand in a block as it is, and what must begin a word in it."""
    exact = [word for word in words if len(word) < SHORTEST_BEGINNING]
    beginnings = [word for word in words if len(word) >= SHORTEST_BEGINNING]
    return [*exact, *tags], beginnings


def _question(exact: Sequence[str], beginnings: Sequence[str], *, newest_first: bool) -> tuple[str, list[str]]:
    """The blocks in which everything is, with the calls of each exact word."""
    joins = [f" CROSS JOIN call_word AS w{n} ON w{n}.block = b.block AND w{n}.word = ?" for n in range(len(exact))]
    columns = "".join(f", w{n}.calls" for n in range(len(exact)))
    begins = " EXISTS (SELECT 1 FROM call_word AS w WHERE w.block = b.block AND w.word >= ? AND w.word < ?) AND"
    sql = (
        f"SELECT b.block{columns} FROM call_block AS b{''.join(joins)}"
        f" WHERE{begins * len(beginnings)} b.block BETWEEN ? AND ?"
        f" ORDER BY b.block {'DESC' if newest_first else 'ASC'}"
    )
    ranges = [bound for beginning in beginnings for bound in (beginning, beginning + _LAST)]
    return sql, [*exact, *ranges]


def _packed(places: Sequence[int]) -> bytes:
    """Few places as a list, many as a bitmap: the length tells which."""
    if len(places) < _SPARSE:
        return struct.pack(f"<{len(places)}H", *places)
    return _bits_of(places).to_bytes(_BITMAP_BYTES, "little")


def _unpacked(calls: bytes) -> int:
    if len(calls) == _BITMAP_BYTES:
        return int.from_bytes(calls, "little")
    return _bits_of(struct.unpack(f"<{len(calls) // 2}H", calls))


def _bits_of(places: Sequence[int]) -> int:
    bitmap = bytearray(_BITMAP_BYTES)
    for place in places:
        bitmap[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bitmap, "little")


def _between(low: int, high: int) -> int:
    """The places of a block from ``low`` to below ``high``, both of which may lie outside it."""
    first, end = max(low, 0), min(high, BLOCK)
    return (1 << end) - (1 << first)


def _places(bits: int, *, newest_first: bool) -> Iterator[int]:
    while bits:
        place = bits.bit_length() - 1 if newest_first else (bits & -bits).bit_length() - 1
        yield place
        bits ^= 1 << place
