"""Migrations of the order path in ``bridge.db``: what ``store/schema.py`` registers. A released one never changes."""

from __future__ import annotations

import sqlite_utils

# Literal on purpose: a released migration does not follow later changes of model/states.py. A test compares the two.
# The empty word is birth: a row may also be born where its first moves, in the same commit, would have brought it.
_TICKET_MOVES = (
    ("", "accepted"),
    ("", "held"),
    ("", "released"),
    ("", "denied"),
    ("accepted", "held"),
    ("accepted", "released"),
    ("accepted", "denied"),
    ("held", "approved"),
    ("held", "rejected"),
    ("held", "expired"),
    ("approved", "released"),
    ("approved", "held"),
)
_ORDER_MOVES = (
    ("", "planned"),
    ("", "sending"),
    ("planned", "sending"),
    ("planned", "dropped"),
    ("sending", "sent"),
    ("sending", "rejected"),
    ("sending", "unknown"),
    ("unknown", "sent"),
    ("unknown", "not_placed"),
    ("unknown", "parked"),
    ("parked", "sent"),
    ("parked", "not_placed"),
)


def m010_journal_rules(db: sqlite_utils.Database) -> None:
    """The legal moves, kept by the database too, and what lists of tickets are filtered by.

    A fault in the program can then neither skip a state nor rewrite what was written down (security 4.9).
    """
    db.execute(
        """CREATE TABLE legal_move (
            kind TEXT NOT NULL CHECK (kind IN ('ticket', 'orders')),
            was TEXT NOT NULL,
            becomes TEXT NOT NULL,
            PRIMARY KEY (kind, was, becomes)
        ) STRICT, WITHOUT ROWID"""
    )
    for kind, moves in (("ticket", _TICKET_MOVES), ("orders", _ORDER_MOVES)):
        for was, becomes in moves:
            db.execute("INSERT INTO legal_move VALUES (?, ?, ?)", (kind, was, becomes))
        db.execute(
            f"""CREATE TRIGGER {kind}_moves BEFORE UPDATE OF state ON {kind}
                WHEN NOT EXISTS (SELECT 1 FROM legal_move
                    WHERE kind = '{kind}' AND was = old.state AND becomes = new.state)
                BEGIN SELECT RAISE(ABORT, '{kind}: not a legal move'); END"""
        )
        db.execute(
            f"""CREATE TRIGGER {kind}_births BEFORE INSERT ON {kind}
                WHEN NOT EXISTS (SELECT 1 FROM legal_move
                    WHERE kind = '{kind}' AND was = '' AND becomes = new.state)
                BEGIN SELECT RAISE(ABORT, '{kind}: not born in such a state'); END"""
        )
    db.execute("ALTER TABLE order_event ADD COLUMN was TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE order_event ADD COLUMN by_whom TEXT NOT NULL DEFAULT ''")
    for change in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER order_event_no_{change.lower()} BEFORE {change} ON order_event"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )
    # Decimal text, empty where no price was known when it arrived.
    db.execute("ALTER TABLE ticket ADD COLUMN price_then TEXT NOT NULL DEFAULT ''")
    # What lists and limits ask for. Not generated columns: json_extract is no trusted function in a schema.
    for table in ("ticket", "orders"):
        for name in ("symbol", "exchange", "action", "product"):
            _read_out(db, table, name, "TEXT", "''")
    _read_out(db, "orders", "quantity", "INTEGER", "0")
    db.execute(
        """CREATE TRIGGER ticket_kept BEFORE UPDATE OF request ON ticket
            WHEN new.state <> 'held' OR old.state <> 'held'
            BEGIN SELECT RAISE(ABORT, 'only a held ticket may be revised'); END"""
    )
    db.execute(
        """CREATE TRIGGER ticket_stamped BEFORE UPDATE OF ref, operation, order_mode, trading_mode, source ON ticket
            BEGIN SELECT RAISE(ABORT, 'what a ticket was accepted as never changes'); END"""
    )
    db.execute(
        """CREATE TRIGGER orders_kept BEFORE UPDATE OF ticket_id, ref, operation, request ON orders
            BEGIN SELECT RAISE(ABORT, 'what is sent never changes'); END"""
    )
    # A page by key of the Action Center reads its own rows only.
    db.execute("CREATE INDEX ticket_by_strategy ON ticket (strategy, id)")
    db.execute("CREATE INDEX ticket_by_symbol ON ticket (symbol, id)")


def m011_idempotency(db: sqlite_utils.Database) -> None:
    """What was asked under an Idempotency-Key, and what was answered. Written by ``store/idempotency.py`` alone.

    ``request_id`` is the call's, and the ticket's that it made: after a crash it leads from a call without an
    answer to what became of it. ``after_ticket`` is the newest ticket of the moment, where that search begins.
    """
    db.execute(
        """CREATE TABLE idempotency (
            id INTEGER PRIMARY KEY,
            fingerprint TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            key TEXT NOT NULL,
            body_digest BLOB NOT NULL,
            request_id TEXT NOT NULL,
            after_ticket INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('running', 'done')),
            status INTEGER,
            answer TEXT,
            created_at INTEGER NOT NULL,
            UNIQUE (fingerprint, endpoint, key),
            CHECK ((state = 'done') = (status IS NOT NULL)),
            CHECK ((state = 'done') = (answer IS NOT NULL))
        ) STRICT"""
    )
    db.execute("CREATE INDEX idempotency_by_time ON idempotency (created_at)")


def m012_kill_switch(db: sqlite_utils.Database) -> None:
    """One row that the claim of every order reads. Written by ``store/kill_switch.py`` alone."""
    db.execute(
        """CREATE TABLE kill_switch (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            is_on INTEGER NOT NULL CHECK (is_on IN (0, 1)),
            reason TEXT NOT NULL,
            by_whom TEXT NOT NULL,
            since INTEGER,
            CHECK ((is_on = 1) = (since IS NOT NULL))
        ) STRICT"""
    )
    db.execute("INSERT INTO kill_switch VALUES (1, 0, '', '', NULL)")


def m014_asked(db: sqlite_utils.Database) -> None:
    """The request of a ticket as it came: JSON text without keys and secrets, empty where a page asked."""
    db.execute("ALTER TABLE ticket ADD COLUMN asked TEXT NOT NULL DEFAULT ''")
    db.execute(
        """CREATE TRIGGER ticket_asked BEFORE UPDATE OF asked ON ticket
            BEGIN SELECT RAISE(ABORT, 'what a ticket was asked as never changes'); END"""
    )


def m016_idempotency_by_key(db: sqlite_utils.Database) -> None:
    """A call is told by its endpoint and its key alone: one account, whose API key may be regenerated between a call
    and the same call again. Of rows that become one the newest is kept.
    """
    db.execute("ALTER TABLE idempotency RENAME TO idempotency_former")
    db.execute("DROP INDEX idempotency_by_time")
    db.execute(
        """CREATE TABLE idempotency (
            id INTEGER PRIMARY KEY,
            endpoint TEXT NOT NULL,
            key TEXT NOT NULL,
            body_digest BLOB NOT NULL,
            request_id TEXT NOT NULL,
            after_ticket INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('running', 'done')),
            status INTEGER,
            answer TEXT,
            created_at INTEGER NOT NULL,
            UNIQUE (endpoint, key),
            CHECK ((state = 'done') = (status IS NOT NULL)),
            CHECK ((state = 'done') = (answer IS NOT NULL))
        ) STRICT"""
    )
    db.execute(
        """INSERT INTO idempotency
            SELECT id, endpoint, key, body_digest, request_id, after_ticket, state, status, answer, created_at
            FROM idempotency_former WHERE id IN (SELECT max(id) FROM idempotency_former GROUP BY endpoint, key)"""
    )
    db.execute("DROP TABLE idempotency_former")
    db.execute("CREATE INDEX idempotency_by_time ON idempotency (created_at)")


def m015_arrival(db: sqlite_utils.Database) -> None:
    """What a ticket was when it arrived, whatever the person changes while it waits.

    ``is_exit``: it went against a position and not past it. ``signal`` is a digest of what it asked for, by which the
    same signal is known again; empty for what is no new order, and for what was written before.
    """
    db.execute("ALTER TABLE ticket ADD COLUMN is_exit INTEGER NOT NULL DEFAULT 0 CHECK (is_exit IN (0, 1))")
    db.execute("ALTER TABLE ticket ADD COLUMN signal TEXT NOT NULL DEFAULT ''")
    db.execute(
        """CREATE TRIGGER ticket_arrived BEFORE UPDATE OF is_exit, signal ON ticket
            BEGIN SELECT RAISE(ABORT, 'what a ticket arrived as never changes'); END"""
    )


def m017_reconciliation(db: sqlite_utils.Database) -> None:
    """Orders of which a broker's book and the journal say different things. Written by ``store/breaks.py`` alone.

    ``told`` is the sentence as it was found, ``order_id`` empty where the journal has no such order. The claim of an
    entry reads the open ones of its symbol.
    """
    db.execute(
        """CREATE TABLE reconciliation_break (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('unexpected', 'missing', 'duplicate')),
            state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'cleared')),
            trading_mode TEXT NOT NULL,
            broker_order_id TEXT NOT NULL,
            ref TEXT NOT NULL,
            exchange TEXT NOT NULL,
            symbol TEXT NOT NULL,
            told TEXT NOT NULL,
            order_id INTEGER REFERENCES orders (id),
            found_at INTEGER NOT NULL,
            ended_at INTEGER,
            ended_by TEXT NOT NULL DEFAULT '',
            CHECK ((state = 'open') = (ended_at IS NULL))
        ) STRICT"""
    )
    db.execute("CREATE INDEX breaks_open ON reconciliation_break (symbol, exchange) WHERE state = 'open'")
    db.execute("CREATE INDEX breaks_by_order ON reconciliation_break (order_id) WHERE order_id IS NOT NULL")
    # What the trader has seen is not told again; what cleared may break anew.
    db.execute(
        "CREATE UNIQUE INDEX one_break ON reconciliation_break (broker_order_id, trading_mode, kind, ref)"
        " WHERE state <> 'cleared'"
    )
    db.execute(
        """CREATE TRIGGER break_ends_once BEFORE UPDATE ON reconciliation_break
            WHEN old.state <> 'open' OR new.state = 'open'
            BEGIN SELECT RAISE(ABORT, 'a break ends once'); END"""
    )
    db.execute(
        """CREATE TRIGGER break_kept BEFORE UPDATE OF id, kind, trading_mode, broker_order_id, ref, exchange, symbol,
            told, order_id, found_at ON reconciliation_break
            BEGIN SELECT RAISE(ABORT, 'what was found never changes'); END"""
    )
    db.execute(
        """CREATE TRIGGER break_no_delete BEFORE DELETE ON reconciliation_break
            BEGIN SELECT RAISE(ABORT, 'breaks are append-only'); END"""
    )


def m020_tickets_of_several(db: sqlite_utils.Database) -> None:
    """Those whose orders are counted one by one: few beside the others, which pay nothing for it."""
    db.execute(
        "CREATE INDEX ticket_of_several ON ticket (created_at) WHERE operation IN"
        " ('placesmartorder', 'basketorder', 'splitorder', 'optionsorder', 'optionsmultiorder')"
    )


def m021_arrivals(db: sqlite_utils.Database) -> None:
    """What each order of a held ticket of several was when it came: JSON of prices and whether it closes."""
    db.execute("ALTER TABLE ticket ADD COLUMN arrivals TEXT NOT NULL DEFAULT ''")
    db.execute(
        """CREATE TRIGGER ticket_arrivals BEFORE UPDATE OF arrivals ON ticket
            BEGIN SELECT RAISE(ABORT, 'what a ticket arrived as never changes'); END"""
    )


def m022_unread(db: sqlite_utils.Database) -> None:
    """Whether nobody could tell, when a held order came, what it does to its position. It ends once, when the person is
    asked.
    """
    db.execute("ALTER TABLE ticket ADD COLUMN is_unread INTEGER NOT NULL DEFAULT 0 CHECK (is_unread IN (0, 1))")
    db.execute(
        """CREATE TRIGGER ticket_unread BEFORE UPDATE OF is_unread ON ticket
            WHEN new.is_unread > old.is_unread OR old.state <> 'held'
            BEGIN SELECT RAISE(ABORT, 'what was read stays read'); END"""
    )


def m023_arrivals_read_later(db: sqlite_utils.Database) -> None:
    """What could not be read of a ticket of several when it came is noted when the person is asked about it."""
    db.execute("DROP TRIGGER ticket_arrivals")
    db.execute(
        """CREATE TRIGGER ticket_arrivals BEFORE UPDATE OF arrivals ON ticket
            WHEN old.state <> 'held' OR new.state <> 'held'
            BEGIN SELECT RAISE(ABORT, 'what a ticket arrived as never changes once it is decided'); END"""
    )


def _read_out(db: sqlite_utils.Database, table: str, name: str, kind: str, otherwise: str) -> None:
    """A column with a field of the request: of the order itself, or of the order that a change shall lead to."""
    db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind} NOT NULL DEFAULT {otherwise}")
    db.execute(
        f"UPDATE {table} SET {name} = coalesce(json_extract(request, '$.{name}'),"
        f" json_extract(request, '$.order.{name}'), {otherwise})"
    )
