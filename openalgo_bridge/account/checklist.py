"""The list before going live (behaviour L10): each line is checked by the program, where it can check it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.store.api_keys import ActiveKey


class What(StrEnum):
    """A line of the list. The value is what the trader reads."""

    KEY_MADE = "An API key was generated"
    KEY_STORED = "The key is stored safely"
    PROGRAM_CALLED = "A program called with this key"
    MODE_CHOSEN = "The order mode was chosen"
    TEST_ORDER = "A test order was sent in Analyzer mode"
    LOG_OPENED = "The traffic log was looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line. ``how`` is what to do about it."""

    what: What
    is_done: bool
    how: str


def checklist(desk: Desk) -> list[Item]:
    """Every line, in the order it is done. A new key begins anew, but for the order mode. Raises StorageError."""
    key = desk.store.api_keys.active()
    return [Item(what=what, is_done=_is_done(desk, what, key), how=_HOW[what]) for what in What]


_HOW = {
    What.KEY_MADE: "Generate a key on this page.",
    What.KEY_STORED: "Put it into a password manager or an environment variable, and tick this line.",
    What.PROGRAM_CALLED: "Put the key into your program and let it call ping or funds.",
    What.MODE_CHOSEN: "Choose Auto or Semi-Auto and save it, also when it already stands right.",
    What.TEST_ORDER: "Let your program send one order while the bridge is in Analyzer mode.",
    What.LOG_OPENED: "Open the traffic log: every call should be yours.",
}


def _is_done(desk: Desk, what: What, key: ActiveKey | None) -> bool:
    if what is What.MODE_CHOSEN:
        return desk.store.audit.has(AuditEvent.ORDER_MODE)
    if key is None:
        return False
    match what:
        case What.KEY_MADE:
            return True
        case What.KEY_STORED:
            return _since(key, desk.store.preferences.key_stored())
        case What.PROGRAM_CALLED:
            return desk.store.key_uses.latest(key.key.fingerprint) is not None
        case What.TEST_ORDER:
            return desk.store.journal.program_placed_since(key.created_at, TradingMode.ANALYZE)
        case What.LOG_OPENED:
            return _since(key, desk.store.preferences.traffic_log_opened())


def _since(key: ActiveKey, moment: datetime | None) -> bool:
    return moment is not None and moment >= key.created_at
