"""What the trader has switched: modes, kill switch and limits, of one moment and in one read.

Every order asks for all of them twice: to be judged, and once more inside the transaction that claims it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from functools import lru_cache

from openalgo_bridge.clock import from_ms
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.guard_form import parse
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.kill_switch import SwitchState

# Without its row the kill switch is unreadable, not absent: the other columns are there all the same.
_SELECT = (
    "SELECT (SELECT value FROM preference WHERE name = 'order_mode') AS order_mode,"
    " (SELECT value FROM preference WHERE name = 'trading_mode') AS trading_mode,"
    " (SELECT json_group_object(name, value) FROM guard) AS limits,"
    " is_on, reason, by_whom, since FROM (SELECT 1) LEFT JOIN kill_switch ON id = 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The switches as they stand. None is what means nothing, or is not there: nothing may go by it."""

    order_mode: OrderMode | None
    trading_mode: TradingMode | None
    limits: GuardSettings | None
    kill_switch: SwitchState | None


class StandingReads:
    """Reads three tables that others write."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def read(self) -> Standing:
        """From disk at every order. Raises StorageError."""
        return _standing(self._db.read_one(_SELECT))


def read(db: sqlite3.Connection) -> Standing:
    """The same inside a transaction."""
    return _standing(db.execute(_SELECT).fetchone())


def _standing(row: Row | None) -> Standing:
    return _meaning(*(() if row is None else row))


@lru_cache(maxsize=4)
def _meaning(
    order_mode: str | None = None,
    trading_mode: str | None = None,
    limits: str = "",
    is_on: int | None = None,
    reason: str = "",
    by: str = "",
    since: int | None = None,
) -> Standing:
    """Remembered by its texts, which are read from disk every time: parsing them costs more than reading them."""
    switch = None
    if is_on is not None:
        switch = SwitchState(is_on=bool(is_on), reason=reason, by=by, since=None if since is None else from_ms(since))
    return Standing(
        order_mode=next((mode for mode in OrderMode if mode == order_mode), None),
        trading_mode=next((mode for mode in TradingMode if mode == trading_mode), None),
        limits=_limits(limits),
        kill_switch=switch,
    )


def _limits(text: str) -> GuardSettings | None:
    try:
        return parse(json.loads(text))
    except (ValueError, Invalid):
        return None
