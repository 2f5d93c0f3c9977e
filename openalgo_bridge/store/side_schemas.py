"""Numbered migrations of the two files beside ``bridge.db``; for :mod:`~openalgo_bridge.store.schema`. Append only."""

from __future__ import annotations

import sqlite_utils
from sqlite_utils import Migrations

traffic = Migrations("traffic")
instruments = Migrations("instruments")


@traffic()
def t001_call(db: sqlite_utils.Database) -> None:
    """One row per API call. Written by ``store/traffic.py`` alone."""
    db.execute(
        """CREATE TABLE call (
            id INTEGER PRIMARY KEY,
            request_id TEXT NOT NULL,
            at INTEGER NOT NULL,
            method TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            address TEXT NOT NULL,
            program TEXT NOT NULL,
            status INTEGER,
            duration_us INTEGER,
            key_fingerprint TEXT,
            outcome TEXT,
            message TEXT,
            ticket_id INTEGER
        ) STRICT"""
    )
    db.execute("CREATE INDEX call_by_endpoint ON call (endpoint, id)")
    db.execute("CREATE INDEX call_by_status ON call (status, id) WHERE status IS NOT NULL")


@traffic()
def t002_key_use(db: sqlite_utils.Database) -> None:
    """Which programs used which key, from where, and when last. Written by ``store/key_uses.py`` alone."""
    db.execute(
        """CREATE TABLE key_use (
            fingerprint TEXT NOT NULL,
            program TEXT NOT NULL,
            address TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            first_at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            PRIMARY KEY (fingerprint, program, address)
        ) STRICT, WITHOUT ROWID"""
    )


@traffic()
def t003_whole_row(db: sqlite_utils.Database) -> None:
    """What else is told of a call, and what was said in it. Written by ``store/traffic.py`` alone.

    Filters go through the words of ``call_word``, so that a row costs no index for each of them.
    """
    for column in (
        "listener TEXT NOT NULL DEFAULT 'main'",
        "kind TEXT NOT NULL DEFAULT 'api'",
        "forwarded_for TEXT",
        "broker_us INTEGER",
        "source TEXT",
        "strategy TEXT",
        "symbol TEXT",
        "order_ref TEXT",
        "trading_mode TEXT",
    ):
        db.execute(f"ALTER TABLE call ADD COLUMN {column}")
    db.execute("DROP INDEX call_by_endpoint")
    db.execute("DROP INDEX call_by_status")
    db.execute("CREATE INDEX call_of_program ON call (id) WHERE kind <> 'page'")
    db.execute("CREATE INDEX call_by_ticket ON call (ticket_id) WHERE ticket_id IS NOT NULL")
    # The sizes are those of the whole bodies; what is kept of them is cut.
    db.execute(
        """CREATE TABLE call_body (
            call_id INTEGER PRIMARY KEY,
            request TEXT NOT NULL,
            request_bytes INTEGER NOT NULL,
            answer TEXT NOT NULL,
            answer_bytes INTEGER NOT NULL
        ) STRICT"""
    )


@traffic()
def t004_digest(db: sqlite_utils.Database) -> None:
    """Closed calls, worked up a few seconds later: sums (``store/traffic_digest.py``) and words to find them by
    (``store/traffic_index.py``). ``minute`` and ``slot`` are epoch milliseconds of their beginning, ``span`` is the
    length of a slot.
    """
    db.execute("CREATE TABLE call_digest (id INTEGER PRIMARY KEY CHECK (id = 1), last_call_id INTEGER NOT NULL) STRICT")
    # Calls that were still open when it came by.
    db.execute("CREATE TABLE call_late (call_id INTEGER PRIMARY KEY, is_summed INTEGER NOT NULL) STRICT")
    db.execute(
        """CREATE TABLE call_minute (
            minute INTEGER PRIMARY KEY,
            first_call_id INTEGER NOT NULL,
            last_call_id INTEGER NOT NULL,
            calls INTEGER NOT NULL,
            refused INTEGER NOT NULL,
            failed INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE call_share (
            span INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            kind TEXT NOT NULL,
            value TEXT NOT NULL,
            calls INTEGER NOT NULL,
            errors INTEGER NOT NULL,
            PRIMARY KEY (span, slot, kind, value)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE call_latency (
            span INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            endpoint TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            calls INTEGER NOT NULL,
            PRIMARY KEY (span, slot, endpoint, bucket)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE TABLE call_block (block INTEGER PRIMARY KEY) STRICT")
    db.execute(
        """CREATE TABLE call_word (
            block INTEGER NOT NULL,
            word TEXT NOT NULL,
            calls BLOB NOT NULL,
            PRIMARY KEY (block, word)
        ) STRICT, WITHOUT ROWID"""
    )


@traffic()
def t005_fault(db: sqlite_utils.Database) -> None:
    """What went wrong inside the bridge, without secrets. Written by ``store/faults.py`` alone."""
    db.execute(
        """CREATE TABLE fault (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            level TEXT NOT NULL,
            logger TEXT NOT NULL,
            message TEXT NOT NULL,
            traceback TEXT NOT NULL,
            request_id TEXT NOT NULL
        ) STRICT"""
    )


@instruments()
def i001_instrument(db: sqlite_utils.Database) -> None:
    """The instrument list and where it came from. Written by ``store/instruments.py`` alone.

    The file may be deleted and is then rebuilt.
    """
    db.execute(
        """CREATE TABLE instrument (
            symbol TEXT NOT NULL,
            exchange TEXT NOT NULL,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            lot INTEGER NOT NULL,
            tick TEXT NOT NULL,
            freeze_quantity INTEGER NOT NULL,
            token TEXT NOT NULL,
            reference_price TEXT NOT NULL,
            expiry TEXT NOT NULL,
            strike TEXT NOT NULL,
            PRIMARY KEY (exchange, symbol)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE instrument_list (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            source TEXT NOT NULL,
            edition TEXT NOT NULL
        ) STRICT"""
    )


@instruments()
def i002_contracts(db: sqlite_utils.Database) -> None:
    """Contracts that come and go, names for whoever searches, and what each new list changed.

    The rows of ``instrument`` stand in the order in which a search shows them, so a search needs no sorting.
    Written by ``store/instrument_lists.py`` alone.
    """
    db.execute("DROP TABLE instrument")
    db.execute("DROP TABLE instrument_list")
    terms = """
            exchange TEXT NOT NULL,
            symbol TEXT NOT NULL,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            lot INTEGER NOT NULL,
            tick TEXT NOT NULL,
            freeze_quantity INTEGER NOT NULL,
            token TEXT NOT NULL,
            reference_price TEXT NOT NULL,
            expiry TEXT NOT NULL,
            strike TEXT NOT NULL,
            broker_symbol TEXT NOT NULL,
            broker_exchange TEXT NOT NULL"""
    db.execute(f"CREATE TABLE instrument (id INTEGER PRIMARY KEY, {terms}, UNIQUE (exchange, symbol)) STRICT")
    db.execute("CREATE INDEX instrument_by_symbol ON instrument (symbol)")
    db.execute("CREATE INDEX instrument_by_broker_symbol ON instrument (broker_symbol) WHERE broker_symbol <> ''")
    db.execute("CREATE INDEX instrument_by_token ON instrument (token)")
    db.execute("CREATE INDEX contract ON instrument (exchange, name, expiry, kind) WHERE expiry <> ''")
    db.execute(
        f"""CREATE TABLE former_instrument (
            {terms},
            left_on TEXT NOT NULL,
            PRIMARY KEY (exchange, symbol)
        ) STRICT, WITHOUT ROWID"""
    )
    _make_search_and_lists(db)


@instruments()
def i003_multiplier(db: sqlite_utils.Database) -> None:
    """What one unit of quantity is worth at a price of one rupee. No list until now said it."""
    for table in ("instrument", "former_instrument"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN multiplier INTEGER NOT NULL DEFAULT 1 CHECK (multiplier > 0)")


def _make_search_and_lists(db: sqlite_utils.Database) -> None:
    # Only the index of the words; what they stand for is the row of the same number.
    db.execute(
        """CREATE VIRTUAL TABLE instrument_words USING fts5 (
            words, inside, place,
            content='', columnsize=0, detail=column, prefix='1 2 3', tokenize="unicode61 tokenchars '&-._'"
        )"""
    )
    db.execute(
        """CREATE TABLE name_conflict (
            exchange TEXT NOT NULL,
            symbol TEXT NOT NULL,
            claimed_by TEXT NOT NULL,
            PRIMARY KEY (exchange, symbol)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE instrument_list (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL,
            edition TEXT NOT NULL,
            day TEXT NOT NULL,
            loaded_at INTEGER NOT NULL,
            size INTEGER NOT NULL,
            appeared INTEGER NOT NULL,
            vanished INTEGER NOT NULL,
            expired INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            conflicts INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE instrument_change (
            id INTEGER PRIMARY KEY,
            list_id INTEGER NOT NULL REFERENCES instrument_list (id) ON DELETE CASCADE,
            exchange TEXT NOT NULL,
            symbol TEXT NOT NULL,
            what TEXT NOT NULL,
            before TEXT NOT NULL,
            after TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX instrument_change_by_list ON instrument_change (list_id, id)")
