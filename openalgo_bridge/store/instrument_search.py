"""Search by words: ``nifty 24000 ce nov``, ``tata steel``, a symbol, the broker's name or token of one.

The rows of the list stand in the order in which they are shown (``store/instrument_lists.py``): indices, shares,
futures, options, and of these the nearest expiry first. So each question below takes its first rows and sorts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import compact_date, dashed_date, strike_text
from openalgo_bridge.store.database import Database, Row

_WORD = re.compile(r"[A-Z0-9&][A-Z0-9&._-]*")
_LONGEST_QUERY = 100
_SHORTEST_PART = 3
_KIND_WORDS = {Kind.CE: "CE CALL", Kind.PE: "PE PUT", Kind.FUT: "FUT FUTURE", Kind.EQ: "EQ", Kind.INDEX: "INDEX"}
_LAST = chr(0x10FFFF)


def words_of(instrument: Instrument) -> tuple[str, str]:
    """What an instrument is found by: its words, and parts of them."""
    if instrument.expiry is None:
        found = [instrument.symbol, *_words(instrument.name)]
        parts = " ".join(_parts(instrument.symbol))
    else:
        found = [instrument.name, _expiry_words(instrument.expiry)]
        found += [strike_text(instrument.strike)] if instrument.kind.is_option else []
        parts = ""
    return f"{' '.join(found)} {_KIND_WORDS[instrument.kind]}", parts


@lru_cache(maxsize=256)
def _expiry_words(day: date) -> str:
    """``24NOV26 24NOV NOV26 NOV 24-NOV-26``."""
    text = compact_date(day)
    return f"{text} {text[:5]} {text[2:]} {text[2:5]} {dashed_date(day)}"


def search(db: Database, columns: str, query: str, exchange: Exchange | None, limit: int) -> list[Row]:
    """Rows of ``columns`` for the instruments that have every word of ``query``, the best first. Raises StorageError.

    The best is the symbol itself; then what has the words as they are; then what has words that begin so; then shares
    with the words inside their symbols; then symbols, and the broker's, that begin with the whole query; then tokens.
    """
    words = list(dict.fromkeys(_words(query[:_LONGEST_QUERY])))
    if not words:
        return []
    found: dict[tuple[str, str], Row] = {}
    for source, values in _questions(words, exchange):
        text = f"SELECT {columns} FROM {source} LIMIT ?"
        for row in db.read(text, (*values, limit)):
            found.setdefault((row["exchange"], row["symbol"]), row)
        if len(found) >= limit:
            break
    return list(found.values())[:limit]


def _questions(words: list[str], exchange: Exchange | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    place = () if exchange is None else (exchange,)
    here = "" if exchange is None else " AND exchange = ?"
    by_words = (
        "instrument_words JOIN instrument ON instrument.id = instrument_words.rowid WHERE instrument_words MATCH ?"
    )
    joined = "".join(words)
    yield f"instrument WHERE symbol = ?{here} ORDER BY id", (joined, *place)
    yield f"{by_words} ORDER BY instrument_words.rowid", (_match("words", words, exchange, ""),)
    yield f"{by_words} ORDER BY instrument_words.rowid", (_match("words", words, exchange, "*"),)
    yield f"{by_words} ORDER BY instrument_words.rowid", (_match("words inside", words, exchange, "*"),)
    for column in ("symbol", "broker_symbol"):
        listed = " AND broker_symbol <> ''" if column == "broker_symbol" else ""
        yield f"instrument WHERE {column} >= ? AND {column} < ?{listed}{here}", (joined, joined + _LAST, *place)
    yield f"instrument WHERE token = ?{here}", (joined, *place)


def _match(columns: str, words: Iterable[str], exchange: Exchange | None, star: str) -> str:
    asked = [f'{{{columns}}} : "{word}"{star}' for word in words]
    asked += [] if exchange is None else [f'{{place}} : "{exchange}"']
    return " AND ".join(asked)


def _words(text: str) -> list[str]:
    """In capitals; a point or dash at an end is punctuation, inside it belongs to the word. Never a quote."""
    return [stripped for word in _WORD.findall(text.upper()) if (stripped := word.rstrip("._-"))]


def _parts(symbol: str) -> Iterator[str]:
    """Every ending of a symbol: what begins one is inside the symbol."""
    return (symbol[start:] for start in range(1, len(symbol) - _SHORTEST_PART + 1))
