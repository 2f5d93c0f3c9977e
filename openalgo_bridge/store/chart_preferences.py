"""What charting programs keep here: texts by name, which mean nothing to the bridge. The only writer of its table."""

from __future__ import annotations

from collections.abc import Mapping

from openalgo_bridge.errors import Invalid
from openalgo_bridge.store.database import Database

MOST_NAMES = 50
LONGEST_NAME = 50
MOST_BYTES = 1024 * 1024
"""Of all values together, in UTF-8."""


class ChartPreferences:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> dict[str, str]:
        """Every value by its name."""
        return {row["name"]: row["value"] for row in self._db.read("SELECT name, value FROM chart_preference")}

    def put(self, values: Mapping[str, str]) -> None:
        """Keep these, in place of former ones of the same names. Raises Invalid where it would be too much."""
        with self._db.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO chart_preference VALUES (?, ?)", list(values.items()))
            # Counted as they would stand; the refusal takes them back.
            count, size = db.execute(
                "SELECT count(*), coalesce(sum(length(CAST(value AS BLOB))), 0) FROM chart_preference"
            ).fetchone()
            if count > MOST_NAMES:
                raise Invalid(f"At most {MOST_NAMES} preferences are kept. This would make {count}.")
            if size > MOST_BYTES:
                raise Invalid(f"At most {MOST_BYTES} bytes of preferences are kept. This would make {size}.")
