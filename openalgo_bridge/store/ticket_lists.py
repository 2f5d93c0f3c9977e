"""Lists of tickets for the Action Center: filtered and counted in SQL, paged by key. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.order import Action, Exchange
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal_reads import STILL_OPEN, ticket_of

# What expired a moment ago and was not swept yet waits for nobody any more.
_EXPIRED = f"(state = 'expired' OR (state = 'held' AND NOT {STILL_OPEN}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFilter:
    """What a list is narrowed to; None leaves a field alone."""

    strategy: str | None = None
    symbol: str | None = None
    exchange: Exchange | None = None
    action: Action | None = None
    source: str | None = None
    state: TicketState | None = None


class TicketLists:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def page(
        self, wanted: TicketFilter, *, after: int | None = None, newest_first: bool = True, limit: int = 50
    ) -> list[Ticket]:
        """In the order of arrival or its reverse, paged by key: pass the last id of the page before as ``after``."""
        where, values = self._where(wanted)
        if after is not None:
            where.append("id < :after" if newest_first else "id > :after")
        order = "DESC" if newest_first else "ASC"
        rows = self._db.read(
            f"SELECT * FROM ticket WHERE {' AND '.join(where)} ORDER BY id {order} LIMIT :limit",
            {**values, "after": after, "limit": limit},
        )
        return [ticket_of(row) for row in rows]

    def held(self, wanted: TicketFilter, *, limit: int = 200) -> list[Ticket]:
        """What may still be decided, in the order it arrived: what an "approve filtered" is about."""
        where, values = self._where(wanted)
        rows = self._db.read(
            f"SELECT * FROM ticket WHERE state = 'held' AND {STILL_OPEN} AND {' AND '.join(where)}"
            " ORDER BY id LIMIT :limit",
            {**values, "limit": limit},
        )
        return [ticket_of(row) for row in rows]

    def counts(self, wanted: TicketFilter) -> dict[TicketState, int]:
        """How many tickets are in each state, in one read. The filter's own state is left aside: these are the tabs."""
        where, values = self._where(wanted, but="state")
        narrowed = " AND ".join(where)
        rows = self._db.read(
            f"SELECT state, count(*) AS n FROM ticket WHERE {narrowed} GROUP BY state UNION ALL"
            f" SELECT 'overdue', count(*) FROM ticket WHERE state = 'held' AND NOT {STILL_OPEN} AND {narrowed}",
            values,
        )
        found = {row["state"]: int(row["n"]) for row in rows}
        overdue = found["overdue"]
        counts = {state: found.get(state, 0) for state in TicketState}
        counts[TicketState.HELD] -= overdue
        counts[TicketState.EXPIRED] += overdue
        return counts

    def strategies(self, limit: int = 100) -> list[str]:
        """The strategies there are, for the filter's list."""
        rows = self._db.read("SELECT DISTINCT strategy FROM ticket ORDER BY strategy LIMIT ?", (limit,))
        return [row["strategy"] for row in rows]

    def _where(self, wanted: TicketFilter, *, but: str = "") -> tuple[list[str], Mapping[str, object]]:
        """The conditions, from the fixed names of the filter's own fields, and the values to bind."""
        values: dict[str, object] = {"now": self._clock.now_ms()}
        where = ["id > 0"]
        for field in fields(wanted):
            value = getattr(wanted, field.name)
            if value is None or field.name == but:
                continue
            where.append(_state_is(value) if field.name == "state" else f"{field.name} = :{field.name}")
            values[field.name] = value
        return where, values


def _state_is(state: TicketState) -> str:
    """Held and expired depend on the time; every other state is what the row says, which an index can follow."""
    match state:
        case TicketState.HELD:
            return f"state = :state AND {STILL_OPEN}"
        case TicketState.EXPIRED:
            return _EXPIRED
        case _:
            return "state = :state"
