"""The kill switch: one row, read in the transaction that claims an order. The only writer of its table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, ist_text
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState:
    """Whether entries are stopped; ``since`` is None while they are not."""

    is_on: bool
    reason: str
    by: str
    since: datetime | None

    def __str__(self) -> str:
        """The sentence a caller reads."""
        if self.since is None:
            return "The kill switch is off."
        return f"The kill switch is on since {ist_text(self.since)} IST: {self.reason}"


class KillSwitch:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def state(self) -> SwitchState:
        """Read from disk every time."""
        row = self._db.read_one("SELECT is_on, reason, by_whom, since FROM kill_switch")
        if row is None:
            raise StorageError("The kill switch cannot be read.")
        since = None if row["since"] is None else from_ms(row["since"])
        return SwitchState(is_on=bool(row["is_on"]), reason=row["reason"], by=row["by_whom"], since=since)

    def engage(self, reason: str, *, by: Actor) -> SwitchState:
        """From this commit on no entry is claimed. Engaging again keeps the first reason and time."""
        with self._db.transaction() as db:
            changed = db.execute(
                "UPDATE kill_switch SET is_on = 1, reason = ?, by_whom = ?, since = ? WHERE is_on = 0",
                (reason, by.name, self._clock.now_ms()),
            )
            # Also when it was on: that somebody pulled it again is worth knowing.
            before = "off" if changed.rowcount else "on"
            audit.append(db, self._clock.now_ms(), by, AuditEvent.KILL_SWITCH_ON, before=before, after=reason)
        return self.state()

    def release(self, *, by: Actor) -> None:
        """Entries may be made again. Nothing is written when it was off."""
        with self._db.transaction() as db:
            row = db.execute("SELECT reason FROM kill_switch WHERE is_on = 1").fetchone()
            if row is None:
                return
            db.execute("UPDATE kill_switch SET is_on = 0, reason = '', by_whom = '', since = NULL")
            audit.append(db, self._clock.now_ms(), by, AuditEvent.KILL_SWITCH_OFF, before=row["reason"], after="off")
