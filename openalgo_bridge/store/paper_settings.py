"""What the trader set for the paper exchange. The only writer of its table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import Invalid, StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.paper_settings import PaperSettings, changes, parse, texts
from openalgo_bridge.store import audit, paper_days
from openalgo_bridge.store.database import Database, Row

_ALL = "SELECT name, value FROM paper_setting ORDER BY name"


class SavedPaperSettings:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def load(self) -> PaperSettings:
        """What is in force now. Raises StorageError also where a value means nothing."""
        return _settings(self._db.read(_ALL))

    def save(self, settings: PaperSettings, *, by: Actor, since: datetime | None = None) -> None:
        """Effective for the next order. The change and its line in the audit list are one commit.

        With it goes that nothing of before ``since`` is judged by it: up to when the exchange did all by what counted
        before. None is now. Settings that cannot be read are written over.
        """
        with self._db.transaction() as db:
            former = _if_readable(db.execute(_ALL).fetchall())
            if former == settings:
                return
            before, after = changes(former or PaperSettings(), settings)
            db.execute("DELETE FROM paper_setting")
            db.executemany("INSERT INTO paper_setting VALUES (?, ?)", texts(settings).items())
            before = before if former is not None else "not readable"
            after = after or "as after a fresh start"
            paper_days.leave_behind(db, since or self._clock.now())
            audit.append(db, self._clock.now_ms(), by, AuditEvent.PAPER_SETTINGS, before=before, after=after)


def _if_readable(rows: Iterable[Row]) -> PaperSettings | None:
    try:
        return _settings(rows)
    except StorageError:
        return None


def _settings(rows: Iterable[Row]) -> PaperSettings:
    return _meaning(tuple((row["name"], row["value"]) for row in rows))


@lru_cache(maxsize=4)
def _meaning(rows: tuple[tuple[str, str], ...]) -> PaperSettings:
    """Remembered by its texts, which are read from disk every time: every order of the exchange asks for them."""
    try:
        return parse(dict(rows))
    except Invalid as fault:
        raise StorageError(f"The settings of the paper exchange cannot be read: {fault.message}") from fault
