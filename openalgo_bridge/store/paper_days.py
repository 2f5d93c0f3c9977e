"""Up to when the paper exchange has done everything that time does. The only writer of its table.

One row, and none before something was done. It is moved in the transaction of what was done, from where it was found:
so each thing is done once, whoever else tries, and a kill leaves it done or not done.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.store.database import Database

_FIRST = (
    "SELECT min(placed_at) FROM (SELECT min(placed_at) AS placed_at FROM paper_order"
    " UNION ALL SELECT min(placed_at) FROM paper_gtt)"
)
_DONE_UNTIL = f"SELECT coalesce((SELECT done_until FROM paper_clock), ({_FIRST})) AS moment"
_ADVANCE = "INSERT INTO paper_clock VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET done_until = ?1 WHERE done_until = ?2"
_LEAVE_BEHIND = (
    "INSERT INTO paper_clock VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET done_until = ?1 WHERE done_until < ?1"
)


def done_until(db: Database) -> datetime | None:
    """Up to when everything was done: at first, when the first order or GTT came. None before that. Raises
    StorageError.
    """
    row = db.read_one(_DONE_UNTIL)
    return None if row is None or row["moment"] is None else from_ms(row["moment"])


def advance(db: sqlite3.Connection, was: datetime, until: datetime) -> bool:
    """Move it on from ``was``; False where it stands elsewhere by now. May raise sqlite3.Error."""
    return db.execute(_ADVANCE, (to_ms(until), to_ms(was))).rowcount == 1


def leave_behind(db: sqlite3.Connection, moment: datetime) -> None:
    """Let nobody look at the time before ``moment`` any more. May raise sqlite3.Error."""
    db.execute(_LEAVE_BEHIND, (to_ms(moment),))
