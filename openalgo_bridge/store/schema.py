"""Numbered migrations of the three files. Append only: a released migration never changes.

Times are epoch milliseconds. Prices of the journal are decimal text, exactly as asked; money of the paper
exchange is whole ten-thousandths of a rupee, because currency ticks are 0.0025.
"""

from __future__ import annotations

import sqlite_utils
from sqlite_utils import Migrations

from openalgo_bridge.store import (
    schema_calendar,
    schema_charts,
    schema_guards,
    schema_indicators,
    schema_orders,
    schema_paper,
)
from openalgo_bridge.store.side_schemas import instruments, traffic

__all__ = ["bridge", "instruments", "traffic"]

bridge = Migrations("bridge")


@bridge()
def m001_account(db: sqlite_utils.Database) -> None:
    """The one user, the one key and its retired forms, browser sessions, failed logins, switches."""
    db.execute(
        """CREATE TABLE user (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            username TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            risk_accepted_at INTEGER,
            created_at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE api_key (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            fingerprint TEXT NOT NULL,
            machine_mark BLOB NOT NULL,
            sealed BLOB,
            wrapped_key BLOB,
            salt BLOB,
            cost TEXT,
            created_at INTEGER NOT NULL,
            retired_at INTEGER,
            CHECK ((sealed IS NULL) = (wrapped_key IS NULL)
                AND (sealed IS NULL) = (salt IS NULL)
                AND (sealed IS NULL) = (cost IS NULL))
        ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX one_active_key ON api_key ((1)) WHERE retired_at IS NULL")
    db.execute(
        """CREATE TABLE session (
            id INTEGER PRIMARY KEY,
            id_hash BLOB NOT NULL UNIQUE,
            content TEXT NOT NULL,
            address TEXT NOT NULL,
            program TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            seen_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT"""
    )
    # AUTOINCREMENT: a try that is taken back late must not take back another one that got its number.
    db.execute(
        """CREATE TABLE failed_login (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            bucket TEXT NOT NULL,
            at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX failed_login_by_bucket ON failed_login (bucket, at)")
    db.execute("CREATE TABLE preference (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
    db.execute("INSERT INTO preference VALUES ('order_mode', 'auto'), ('trading_mode', 'analyze')")


@bridge()
def m002_journal(db: sqlite_utils.Database) -> None:
    """Tickets, the orders made of them, and every move of either. Written by ``store/journal.py`` alone."""
    db.execute(
        """CREATE TABLE ticket (
            id INTEGER PRIMARY KEY,
            ref TEXT NOT NULL UNIQUE,
            operation TEXT NOT NULL,
            request TEXT NOT NULL,
            order_mode TEXT NOT NULL,
            trading_mode TEXT NOT NULL,
            source TEXT NOT NULL,
            strategy TEXT NOT NULL,
            request_id TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN
                ('accepted', 'held', 'approved', 'released', 'denied', 'rejected', 'expired')),
            reason TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            expires_at INTEGER,
            decided_at INTEGER
        ) STRICT"""
    )
    db.execute("CREATE INDEX ticket_by_state ON ticket (state, id)")
    db.execute(
        """CREATE TABLE orders (
            id INTEGER PRIMARY KEY,
            ticket_id INTEGER NOT NULL REFERENCES ticket (id),
            ref TEXT NOT NULL,
            operation TEXT NOT NULL,
            request TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN
                ('planned', 'sending', 'sent', 'rejected', 'unknown', 'not_placed', 'parked', 'dropped')),
            broker_order_id TEXT,
            message TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            changed_at INTEGER NOT NULL,
            UNIQUE (ticket_id, ref)
        ) STRICT"""
    )
    db.execute("CREATE INDEX orders_by_broker_id ON orders (broker_order_id) WHERE broker_order_id IS NOT NULL")
    db.execute("CREATE INDEX orders_open ON orders (state) WHERE state IN ('planned', 'sending', 'unknown', 'parked')")
    db.execute(
        """CREATE TABLE order_event (
            ticket_id INTEGER NOT NULL REFERENCES ticket (id),
            number INTEGER NOT NULL,
            order_id INTEGER REFERENCES orders (id),
            state TEXT NOT NULL,
            reason TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (ticket_id, number)
        ) STRICT, WITHOUT ROWID"""
    )


@bridge()
def m003_paper_orders(db: sqlite_utils.Database) -> None:
    """The order book of the paper exchange. Written by ``store/paperbook.py`` alone.

    Money is whole ten-thousandths of a rupee. One trade per order, so that no order can fill twice.
    """
    db.execute(
        """CREATE TABLE paper_order (
            id INTEGER PRIMARY KEY,
            tag TEXT NOT NULL UNIQUE,
            symbol TEXT NOT NULL,
            exchange TEXT NOT NULL,
            action TEXT NOT NULL,
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            price_type TEXT NOT NULL,
            product TEXT NOT NULL,
            price INTEGER NOT NULL,
            trigger_price INTEGER NOT NULL,
            disclosed_quantity INTEGER NOT NULL,
            status TEXT NOT NULL CHECK (status IN
                ('open', 'trigger pending', 'complete', 'rejected', 'cancelled')),
            filled_quantity INTEGER NOT NULL CHECK (filled_quantity BETWEEN 0 AND quantity),
            average_price INTEGER NOT NULL,
            blocked INTEGER NOT NULL CHECK (blocked >= 0),
            rejection_reason TEXT NOT NULL,
            placed_at INTEGER NOT NULL,
            CHECK (blocked = 0 OR status IN ('open', 'trigger pending'))
        ) STRICT"""
    )
    db.execute("CREATE INDEX paper_order_resting ON paper_order (exchange, symbol) WHERE status = 'open'")
    db.execute("CREATE INDEX paper_order_blocked ON paper_order (blocked) WHERE blocked > 0")
    db.execute("CREATE INDEX paper_order_by_time ON paper_order (placed_at)")
    db.execute(
        """CREATE TABLE paper_trade (
            id INTEGER PRIMARY KEY,
            order_id INTEGER NOT NULL UNIQUE REFERENCES paper_order (id),
            quantity INTEGER NOT NULL CHECK (quantity > 0),
            price INTEGER NOT NULL CHECK (price > 0),
            traded_at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX paper_trade_by_time ON paper_trade (traded_at)")


@bridge()
def m004_paper_account(db: sqlite_utils.Database) -> None:
    """Positions and money of the paper exchange. Written by ``store/paperbook.py`` alone.

    ``paper_position.cost`` is the exact sum that was paid for the open quantity, negative for a short one.
    """
    db.execute(
        """CREATE TABLE paper_position (
            symbol TEXT NOT NULL,
            exchange TEXT NOT NULL,
            product TEXT NOT NULL,
            quantity INTEGER NOT NULL,
            cost INTEGER NOT NULL,
            blocked INTEGER NOT NULL CHECK (blocked >= 0),
            realised INTEGER NOT NULL,
            realised_on TEXT NOT NULL,
            PRIMARY KEY (symbol, exchange, product),
            CHECK (quantity <> 0 OR (cost = 0 AND blocked = 0))
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX paper_position_blocked ON paper_position (blocked) WHERE blocked > 0")
    db.execute(
        """CREATE TABLE paper_account (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            capital INTEGER NOT NULL,
            realised INTEGER NOT NULL
        ) STRICT"""
    )
    # One crore.
    db.execute("INSERT INTO paper_account VALUES (1, 100000000000, 0)")


@bridge()
def m005_vault(db: sqlite_utils.Database) -> None:
    """The key that opens the stored copy of the API key, wrapped under the password and under each recovery code.

    Until now every API key had a wrapped key of its own; the active one's becomes the vault's, so that the copy
    made before can still be shown. ``place`` is what the wrapping is bound to.
    """
    db.execute(
        """CREATE TABLE vault (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            wrapped_key BLOB NOT NULL,
            salt BLOB NOT NULL,
            cost TEXT NOT NULL,
            place TEXT NOT NULL
        ) STRICT"""
    )
    db.execute(
        """INSERT INTO vault SELECT 1, wrapped_key, salt, cost, 'api_key|wrapped_key|' || lower(hex(lookup)) || '|1'
            FROM api_key WHERE retired_at IS NULL AND sealed IS NOT NULL"""
    )


@bridge()
def m006_key_rules(db: sqlite_utils.Database) -> None:
    """What the key may do and from where, how a key ended, and which text of the risk warning was accepted."""
    db.execute(
        """CREATE TABLE api_key_next (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            fingerprint TEXT NOT NULL,
            machine_mark BLOB NOT NULL,
            name TEXT NOT NULL,
            permissions TEXT NOT NULL,
            addresses TEXT NOT NULL,
            sealed BLOB,
            created_at INTEGER NOT NULL,
            retired_at INTEGER,
            ending TEXT CHECK (ending IN ('regenerated', 'revoked', 'machine_key_replaced')),
            CHECK ((retired_at IS NULL) = (ending IS NULL)),
            CHECK (retired_at IS NULL OR sealed IS NULL)
        ) STRICT"""
    )
    # 'anywhere' and every grant of the time: what these keys could do before.
    db.execute(
        """INSERT INTO api_key_next SELECT id, lookup, fingerprint, machine_mark, 'My key',
                'place_orders,modify_orders,cancel_orders,view_positions,view_holdings,view_orders,view_trades,'
                    || 'view_funds,quotes,depth,history,instruments,webhooks',
                'anywhere', sealed, created_at, retired_at,
                CASE WHEN retired_at IS NULL THEN NULL ELSE 'regenerated' END
            FROM api_key"""
    )
    db.execute("DROP TABLE api_key")
    db.execute("ALTER TABLE api_key_next RENAME TO api_key")
    db.execute("CREATE UNIQUE INDEX one_active_key ON api_key ((1)) WHERE retired_at IS NULL")
    db.execute("ALTER TABLE user ADD COLUMN risk_version TEXT NOT NULL DEFAULT ''")
    db.execute("INSERT INTO preference VALUES ('key_copy', 'kept')")


@bridge()
def m007_two_factor(db: sqlite_utils.Database) -> None:
    """The authenticator app and its recovery codes. Written by ``store/two_factor.py`` alone.

    ``pending`` is a secret that was shown and not yet confirmed by a code.
    """
    db.execute(
        """CREATE TABLE two_factor (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            secret BLOB,
            pending BLOB,
            last_step INTEGER NOT NULL,
            at_login INTEGER NOT NULL CHECK (at_login IN (0, 1)),
            for_credentials INTEGER NOT NULL CHECK (for_credentials IN (0, 1)),
            set_up_at INTEGER,
            CHECK ((secret IS NULL) = (set_up_at IS NULL)),
            CHECK (secret IS NOT NULL OR (at_login = 0 AND for_credentials = 0))
        ) STRICT"""
    )
    db.execute("INSERT INTO two_factor VALUES (1, NULL, NULL, 0, 0, 0, NULL)")
    db.execute(
        """CREATE TABLE recovery_code (
            id TEXT PRIMARY KEY,
            wrapped_key BLOB NOT NULL,
            salt BLOB NOT NULL,
            cost TEXT NOT NULL,
            made_at INTEGER NOT NULL,
            used_at INTEGER
        ) STRICT, WITHOUT ROWID"""
    )


@bridge()
def m008_audit(db: sqlite_utils.Database) -> None:
    """Every change, chained by hashes. Written by ``store/audit.py`` alone; nobody may change or delete a line.

    AUTOINCREMENT: the highest number ever given is known, so that lines cut from the end are missed.
    """
    db.execute(
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            actor TEXT NOT NULL,
            address TEXT NOT NULL,
            program TEXT NOT NULL,
            event TEXT NOT NULL,
            before TEXT NOT NULL,
            after TEXT NOT NULL,
            digest BLOB NOT NULL
        ) STRICT"""
    )
    # INSERT OR REPLACE deletes a line without asking the trigger on DELETE.
    replaces = " WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"
    for change, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", replaces)):
        db.execute(
            f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit{when}"
            " BEGIN SELECT RAISE(ABORT, 'the audit list is append-only'); END"
        )


@bridge()
def m009_integration(db: sqlite_utils.Database) -> None:
    """Which programs must be given a regenerated key. Written by ``store/integrations.py`` alone."""
    db.execute(
        """CREATE TABLE integration (
            id INTEGER PRIMARY KEY,
            fingerprint TEXT NOT NULL,
            name TEXT NOT NULL,
            last_seen_at INTEGER,
            updated_at INTEGER,
            UNIQUE (fingerprint, name)
        ) STRICT"""
    )


# The order path from here on: its text is in schema_orders.py, the order in which it is applied is here.
bridge()(schema_orders.m010_journal_rules)
bridge()(schema_orders.m011_idempotency)
bridge()(schema_orders.m012_kill_switch)
bridge()(schema_guards.m013_guards)
bridge()(schema_orders.m014_asked)
bridge()(schema_orders.m015_arrival)
bridge()(schema_orders.m016_idempotency_by_key)
bridge()(schema_orders.m017_reconciliation)
bridge()(schema_calendar.m018_calendar)
bridge()(schema_charts.m019_chart_preferences)
bridge()(schema_orders.m020_tickets_of_several)
bridge()(schema_orders.m021_arrivals)
bridge()(schema_orders.m022_unread)
bridge()(schema_orders.m023_arrivals_read_later)
bridge()(schema_paper.m024_paper_exchange)
bridge()(schema_paper.m025_paper_indexes)
bridge()(schema_paper.m026_multiplier_of_trades)
bridge()(schema_indicators.m027_indicators)
