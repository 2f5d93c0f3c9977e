"""What the pages switch while the bridge runs. Read from disk every time: no cache in front of the mode."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store import api_keys, audit
from openalgo_bridge.store.database import Database

_Choice = TypeVar("_Choice", bound=StrEnum)


class KeyCopy(StrEnum):
    """Whether the API key can be shown again with the password, or never (behaviour X1)."""

    KEPT = "kept"
    NEVER = "never"


class Preferences:
    """The one writer of the preference table."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def order_mode(self) -> OrderMode:
        """Auto or Semi-Auto. Raises StorageError when it cannot be read or means nothing."""
        return self._read("order_mode", OrderMode)

    def trading_mode(self) -> TradingMode:
        """Analyze or live. Raises StorageError when it cannot be read or means nothing."""
        return self._read("trading_mode", TradingMode)

    def key_copy(self) -> KeyCopy:
        """Whether a copy of the API key is kept under the password. Raises StorageError as above."""
        return self._read("key_copy", KeyCopy)

    def traffic_log_opened(self) -> datetime | None:
        """When the trader first opened the traffic log after the newest key was made; None before that."""
        row = self._db.read_one("SELECT value FROM preference WHERE name = 'traffic_log_opened'")
        return None if row is None else from_ms(int(row["value"]))

    def is_key_stored(self) -> bool:
        """Whether the trader ticked that the key is where it belongs."""
        return self._db.read_one("SELECT 1 FROM preference WHERE name = 'key_stored'") is not None

    def set_order_mode(self, mode: OrderMode, *, by: Actor) -> None:
        """Effective for the next request. Raises StorageError."""
        self._change("order_mode", mode, AuditEvent.ORDER_MODE, by)

    def set_trading_mode(self, mode: TradingMode, *, by: Actor) -> None:
        """Effective for the next order. Raises StorageError."""
        self._change("trading_mode", mode, AuditEvent.TRADING_MODE, by)

    def set_key_copy(self, wanted: KeyCopy, *, by: Actor) -> None:
        """``NEVER`` also deletes the copy that is there: it can never be shown again. Raises StorageError."""
        with self._db.transaction() as db:
            former = _put(db, "key_copy", wanted)
            lost = wanted is KeyCopy.NEVER and api_keys.forget_copies(db)
            told = f"{wanted}, the copy was deleted" if lost else wanted
            if former != wanted or lost:
                audit.append(db, self._clock.now_ms(), by, AuditEvent.KEY_COPY, before=former, after=told)

    def note_traffic_log_opened(self) -> None:
        """Raises StorageError."""
        with self._db.transaction() as db:
            _put(db, "traffic_log_opened", str(self._clock.now_ms()))

    def note_key_stored(self) -> None:
        """Raises StorageError."""
        with self._db.transaction() as db:
            _put(db, "key_stored", "yes")

    def _change(self, name: str, value: str, event: AuditEvent, by: Actor) -> None:
        with self._db.transaction() as db:
            former = _put(db, name, value)
            # Also when nothing changed: that somebody chose the mode again is worth knowing.
            audit.append(db, self._clock.now_ms(), by, event, before=former, after=value)

    def _read(self, name: str, choice: type[_Choice]) -> _Choice:
        row = self._db.read_one("SELECT value FROM preference WHERE name = ?", (name,))
        try:
            return choice(row["value"] if row is not None else "")
        except ValueError as error:
            raise StorageError(f"The setting {name} cannot be read.") from error


def _put(db: sqlite3.Connection, name: str, value: str) -> str:
    """Write one preference; returns what it was."""
    former = db.execute("SELECT value FROM preference WHERE name = ?", (name,)).fetchone()
    db.execute("INSERT OR REPLACE INTO preference VALUES (?, ?)", (name, value))
    return "" if former is None else str(former["value"])
