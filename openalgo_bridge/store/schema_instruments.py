"""Numbered migrations of the instrument list's file. Append only, as ``store/schema.py``."""

from __future__ import annotations

import sqlite_utils
from sqlite_utils import Migrations

instruments = Migrations("instruments")


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
