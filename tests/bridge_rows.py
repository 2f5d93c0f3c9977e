"""All that bridge.db holds, and how long the traffic log is, for tests which say that nothing was changed.

What the bridge notes of strangers by itself, seconds later, is no change: every refused call may be worth a look.
"""

from __future__ import annotations

import hashlib
import json

from openalgo_bridge.desk import Desk
from openalgo_bridge.store.indicators import WATCH

# Looking at a page moves this one: it says that the person is at the keyboard.
NOT_COUNTED = {("session", "seen_at")}

OF_THE_WATCH = {"indicator", "call_habit", "call_watch"}


def rows_of_every_table(desk: Desk) -> dict[str, str]:
    """Each table with a hash over all of its rows, so that a difference says where it is."""
    database = desk.store.files[0]
    assert database.path.name == "bridge.db"
    tables = [row["name"] for row in database.read("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert {"user", "api_key", "session", "failed_login", "preference", "ticket", "orders"} <= set(tables)
    return {table: _hash_of(desk, table) for table in tables if table not in OF_THE_WATCH}


def calls_logged(desk: Desk) -> int:
    """The number of the newest request in the traffic log, pages included; 0 when there is none."""
    (row,) = desk.store.files[1].read("SELECT max(id) AS newest FROM call")
    return row["newest"] or 0


def _hash_of(desk: Desk, table: str) -> str:
    rows = [dict(row) for row in desk.store.files[0].read(f'SELECT * FROM "{table}"')]
    if table == "session":
        rows = [{**row, "content": _without_flashes(row["content"])} for row in rows]
    rows = [row for row in rows if not _is_of_the_watch(table, row)]
    counted = [[cell for cell in row.items() if (table, cell[0]) not in NOT_COUNTED] for row in rows]
    return hashlib.sha256("\n".join(sorted(map(repr, counted))).encode("utf-8", "surrogatepass")).hexdigest()


def _without_flashes(content: str) -> list[tuple[str, object]]:
    """A sentence for the next page, such as "there is nothing here any more", changes nothing."""
    return sorted((name, value) for name, value in json.loads(content).items() if name != "_flashes")


def _is_of_the_watch(table: str, row: dict[str, object]) -> bool:
    """Its lines of the audit list, and the numbers that were given to them; other lines are counted themselves."""
    if table == "sqlite_sequence":
        return row["name"] in {"audit", *OF_THE_WATCH}
    return table == "audit" and row["actor"] == WATCH.name
