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
