"""What the paper account was worth from minute to minute, for thirty days. The only writer of its table."""

from __future__ import annotations

from datetime import datetime, timedelta

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.equity import EquitySample
from openalgo_bridge.store.database import Database

KEPT = timedelta(days=30)

_MINUTE = 60_000


class PaperEquity:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, sample: EquitySample) -> None:
        """Keep a sample as that of its minute, in place of a former one, and drop what is too old to be asked for.

        It does not wait for the disk: a power cut may cost the last dots of a picture, and no money.
        """
        with self._db.transaction(is_synced=False) as db:
            db.execute(
                "INSERT OR REPLACE INTO paper_equity VALUES (?, ?, ?)",
                (_minute(sample.at), sample.realised, sample.unrealised),
            )
            db.execute("DELETE FROM paper_equity WHERE minute < ?", (_minute(sample.at - KEPT),))

    def since(self, moment: datetime) -> list[EquitySample]:
        """Those of ``moment`` and later, in the order of time; each at the beginning of its minute."""
        first = -(-to_ms(moment) // _MINUTE)
        rows = self._db.read("SELECT * FROM paper_equity WHERE minute >= ? ORDER BY minute", (first,))
        return [
            EquitySample(at=from_ms(row["minute"] * _MINUTE), realised=row["realised"], unrealised=row["unrealised"])
            for row in rows
        ]


def _minute(moment: datetime) -> int:
    return to_ms(moment) // _MINUTE
