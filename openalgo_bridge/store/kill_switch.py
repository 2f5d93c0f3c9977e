"""The kill switch: one row, read in the transaction that claims an order. The only writer of its table."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, ist_text, to_ms
from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.store import audit
from openalgo_bridge.store.database import Database, Row

_SELECT = "SELECT is_on, reason, by_whom, since FROM kill_switch"


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
        why = f": {self.reason}" if self.reason else "."
        return f"The kill switch is on since {ist_text(self.since)} IST{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement:
    """The switch, which is on, and whether its line of the audit list could be written."""

    state: SwitchState
    is_recorded: bool


class KillSwitch:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def state(self) -> SwitchState:
        """Read from disk every time."""
        return _state(self._db.read_one(_SELECT))

    def engage(self, reason: str, *, by: Actor) -> Engagement:
        """From this commit on no entry is claimed. Engaging again keeps the first reason and time.

        It goes on whether or not its line of the audit list can be written: an unwritten line must not be why orders
        go on being sent. Raises StorageError when the switch itself cannot be written: then it is not on.
        """
        try:
            with self._db.transaction() as db:
                # Also when it was on: that somebody pulled it again is worth knowing.
                before = "off" if self._pull(db, reason, by) else "on"
                audit.append(db, self._clock.now_ms(), by, AuditEvent.KILL_SWITCH_ON, before=before, after=reason)
                return Engagement(state=_state(db.execute(_SELECT).fetchone()), is_recorded=True)
        except StorageError:
            with self._db.transaction() as db:
                self._pull(db, reason, by)
                return Engagement(state=_state(db.execute(_SELECT).fetchone()), is_recorded=False)

    def keep(self, state: SwitchState, *, by: Actor) -> None:
        """Be on as in another file, with its reason and its time; nothing where it is on here."""
        with self._db.transaction() as db:
            kept = db.execute(
                "UPDATE kill_switch SET is_on = 1, reason = ?, by_whom = ?, since = ? WHERE is_on = 0",
                (state.reason, state.by, self._clock.now_ms() if state.since is None else to_ms(state.since)),
            )
            if kept.rowcount:
                now, event = self._clock.now_ms(), AuditEvent.KILL_SWITCH_ON
                audit.append(db, now, by, event, before="off", after=state.reason)

    def release(self, *, by: Actor, since: datetime | None = None) -> None:
        """Entries may be made again. Nothing is written when it was off.

        Raises Conflict when it was released and engaged anew after ``since``: whoever did that has another reason.
        """
        with self._db.transaction() as db:
            row = db.execute("SELECT reason, since FROM kill_switch WHERE is_on = 1").fetchone()
            if row is None:
                return
            if since is not None and row["since"] != to_ms(since):
                raise Conflict(CHANGED_MEANWHILE)
            db.execute("UPDATE kill_switch SET is_on = 0, reason = '', by_whom = '', since = NULL")
            audit.append(db, self._clock.now_ms(), by, AuditEvent.KILL_SWITCH_OFF, before=row["reason"], after="off")

    def _pull(self, db: sqlite3.Connection, reason: str, by: Actor) -> bool:
        """Whether it was off."""
        changed = db.execute(
            "UPDATE kill_switch SET is_on = 1, reason = ?, by_whom = ?, since = ? WHERE is_on = 0",
            (reason, by.name, self._clock.now_ms()),
        )
        return changed.rowcount == 1


def _state(row: Row | None) -> SwitchState:
    if row is None:
        raise StorageError("The kill switch cannot be read.")
    since = None if row["since"] is None else from_ms(row["since"])
    return SwitchState(is_on=bool(row["is_on"]), reason=row["reason"], by=row["by_whom"], since=since)
