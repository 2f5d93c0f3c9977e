"""What the pages switch while the bridge runs. Read from disk every time: no cache in front of the mode."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from openalgo_bridge.clock import Clock, from_ms
from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.going_live import LiveTerms
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store import api_keys, audit, guards
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal_reads import live_order_open_or_since

_Choice = TypeVar("_Choice", bound=StrEnum)


class KeyCopy(StrEnum):
    """Whether the API key can be shown again with the password, or never (behaviour X1)."""

    KEPT = "kept"
    NEVER = "never"


class _Switch(StrEnum):
    ON = "yes"
    OFF = "no"

    @classmethod
    def of(cls, is_on: bool) -> _Switch:
        return cls.ON if is_on else cls.OFF


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

    def smart_orders(self) -> SmartOrderSettings:
        """How smart orders are worked out. Raises StorageError as above."""
        return SmartOrderSettings(
            counts_working=self._read("smart_counts_working", _Switch) is _Switch.ON,
            opens_while_flat=self._read("smart_opens_while_flat", _Switch) is _Switch.ON,
        )

    def set_smart_orders(
        self, settings: SmartOrderSettings, *, by: Actor, expected: SmartOrderSettings | None = None
    ) -> None:
        """Effective for the next smart order. Raises StorageError, and Conflict where ``expected`` is not in force any
        more: who gave no password may narrow them, and must not undo what somebody else narrowed meanwhile.
        """
        wanted = _smart_orders_kept(settings)
        with self._db.transaction() as db:
            former = {name: _put(db, name, value) for name, value in wanted.items()}
            if expected is not None and former != _smart_orders_kept(expected):
                raise Conflict(CHANGED_MEANWHILE)
            if former != wanted:
                before, after = (_smart_orders_told(each) for each in (former, wanted))
                audit.append(db, self._clock.now_ms(), by, AuditEvent.SMART_ORDERS, before=before, after=after)

    def traffic_log_opened(self) -> datetime | None:
        """When :meth:`note_traffic_log_opened` was called last; None before that. Raises StorageError as above."""
        return self._moment("traffic_log_opened")

    def key_stored(self) -> datetime | None:
        """When the trader ticked that the key is where it belongs. A key made later is not stored yet.

        None when it never was, or the tick was taken back. Raises StorageError as above.
        """
        return self._moment("key_stored")

    def set_order_mode(self, mode: OrderMode, *, by: Actor, expected: OrderMode | None = None) -> None:
        """Effective for the next request. Raises StorageError, and Conflict where ``expected`` is not in force any
        more: who gave no password may repeat Auto, and must not undo a Semi-Auto of the same moment."""
        with self._db.transaction() as db:
            former = _put(db, "order_mode", mode)
            if expected is not None and former != expected:
                raise Conflict(CHANGED_MEANWHILE)
            # Also when nothing changed: that somebody chose the mode again is worth knowing.
            audit.append(db, self._clock.now_ms(), by, AuditEvent.ORDER_MODE, before=former, after=mode)

    def hold_orders(self, *, by: Actor) -> bool:
        """Semi-Auto, whether or not its line of the audit list can be written; True when it was. Raises StorageError.

        The one change that may go unrecorded: an unwritten line must not be why orders go on being sent.
        """
        try:
            self.set_order_mode(OrderMode.SEMI_AUTO, by=by)
        except StorageError:
            with self._db.transaction() as db:
                _put(db, "order_mode", OrderMode.SEMI_AUTO)
            return False
        return True

    def set_trading_mode(self, mode: TradingMode, *, by: Actor) -> None:
        """Effective for the next order. Raises StorageError."""
        with self._db.transaction() as db:
            former = _put(db, "trading_mode", mode)
            audit.append(db, self._clock.now_ms(), by, AuditEvent.TRADING_MODE, before=former, after=mode)

    def go_live(self, terms: LiveTerms, *, expected: GuardSettings, by: Actor) -> None:
        """From analyze to live, with the order mode and the guards of ``terms``, all of it in one commit.

        Whoever calls this has asked for the password. Raises Conflict where analyze, or ``expected`` as the guards, is
        not in force any more: on these the terms were decided; StorageError.
        """
        with self._db.transaction() as db:
            now = self._clock.now_ms()
            trading_mode = _put(db, "trading_mode", TradingMode.LIVE)
            if trading_mode != TradingMode.ANALYZE:
                raise Conflict(CHANGED_MEANWHILE)
            guards.put(db, now, terms.guards, by=by, expected=expected)
            order_mode = _put(db, "order_mode", terms.order_mode)
            audit.append(db, now, by, AuditEvent.ORDER_MODE, before=order_mode, after=terms.order_mode)
            if terms.declined:
                told = ", ".join(name.replace("_", " ") for name in terms.declined)
                audit.append(db, now, by, AuditEvent.LIMITS_DECLINED, after=told)
            audit.append(db, now, by, AuditEvent.TRADING_MODE, before=trading_mode, after=TradingMode.LIVE)

    def leave_live(self, flat_since: datetime | None = None, *, by: Actor) -> bool:
        """To analyze, also from a mode that means nothing; False where it was in force already.

        ``flat_since`` is when the live account was seen without positions and orders: then Conflict is raised when an
        order of ours is on its way there, in doubt, or went out since. None leaves it as it is, whatever is there.
        Raises StorageError. No order can slip in between: a live one is released only while the mode still is live.
        """
        with self._db.transaction() as db:
            if flat_since is not None and live_order_open_or_since(db, flat_since):
                raise Conflict("An order is on its way to the live account, or its outcome is not known yet.")
            former = _put(db, "trading_mode", TradingMode.ANALYZE)
            if former == TradingMode.ANALYZE:
                return False
            audit.append(
                db, self._clock.now_ms(), by, AuditEvent.TRADING_MODE, before=former, after=TradingMode.ANALYZE
            )
            return True

    def set_key_copy(self, wanted: KeyCopy, *, by: Actor) -> None:
        """``NEVER`` also deletes the copy that is there: it can never be shown again. Raises StorageError."""
        with self._db.transaction() as db:
            former = _put(db, "key_copy", wanted)
            lost = wanted is KeyCopy.NEVER and api_keys.forget_copies(db)
            told = f"{wanted}, the copy was deleted" if lost else wanted
            if former != wanted or lost:
                audit.append(db, self._clock.now_ms(), by, AuditEvent.KEY_COPY, before=former, after=told)

    def note_traffic_log_opened(self) -> None:
        """The trader looks at the traffic log. Raises StorageError."""
        with self._db.transaction() as db:
            _put(db, "traffic_log_opened", str(self._clock.now_ms()))

    def note_key_stored(self, *, is_stored: bool = True) -> None:
        """The trader ticks that the key is where it belongs, or takes the tick back. Raises StorageError."""
        with self._db.transaction() as db:
            _put(db, "key_stored", str(self._clock.now_ms()) if is_stored else "")

    def _moment(self, name: str) -> datetime | None:
        row = self._db.read_one("SELECT value FROM preference WHERE name = ?", (name,))
        try:
            return from_ms(int(row["value"])) if row is not None and row["value"] else None
        except (ValueError, OverflowError) as error:
            raise StorageError(f"The setting {name} cannot be read.") from error

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


def _smart_orders_kept(settings: SmartOrderSettings) -> dict[str, str]:
    return {
        "smart_counts_working": _Switch.of(settings.counts_working),
        "smart_opens_while_flat": _Switch.of(settings.opens_while_flat),
    }


def _smart_orders_told(values: Mapping[str, str]) -> str:
    counted, opens = values["smart_counts_working"], values["smart_opens_while_flat"]
    return f"count working orders: {counted}; open a trade while flat: {opens}"
