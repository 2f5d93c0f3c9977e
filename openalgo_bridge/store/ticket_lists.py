"""Lists of tickets for the Action Center: filtered and counted in SQL, paged by key. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, Ref, TradingMode
from openalgo_bridge.model.refs import ticket_ref
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.journal_reads import STILL_OPEN, ticket_of

# What expired a moment ago and was not swept yet waits for nobody any more.
_EXPIRED = f"(state = 'expired' OR (state = 'held' AND NOT {STILL_OPEN}))"


# The distinct strategies, each found by one step in its index: SQLite's own DISTINCT would read every row of it.
_STRATEGIES = """
    WITH RECURSIVE each(strategy) AS (
        SELECT min(strategy) FROM ticket
        UNION ALL
        SELECT (SELECT min(strategy) FROM ticket WHERE strategy > each.strategy) FROM each
        WHERE each.strategy IS NOT NULL
    )
    SELECT strategy FROM each WHERE strategy IS NOT NULL LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFilter:
    """What a list is narrowed to; None leaves a field alone. ``is_decided`` leaves out what waits, or all else."""

    strategy: str | None = None
    symbol: str | None = None
    exchange: Exchange | None = None
    action: Action | None = None
    source: str | None = None
    state: TicketState | None = None
    is_decided: bool | None = None


# CROSS JOIN: from the names outwards, so that each is one step in the index and no table is read whole.
BEHIND = """
    SELECT orders.broker_order_id, ticket.id, ticket.source, ticket.strategy
    FROM json_each(:numbers) AS wanted
    CROSS JOIN orders ON orders.broker_order_id = wanted.value AND orders.operation = :placed_by
    CROSS JOIN ticket ON ticket.id = orders.ticket_id AND ticket.trading_mode = :mode
    ORDER BY orders.id
"""


_BY_REF = """
    SELECT wanted.value AS ref, ticket.id, ticket.source, ticket.strategy
    FROM json_each(:refs) AS wanted CROSS JOIN ticket ON ticket.ref = wanted.value
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """The ticket that an order at a broker came from, and who asked for it."""

    ticket_id: int
    source: str
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for the person: how many tickets, the id of the one that arrived last (0: none), and how many of them
    came to take a position down: until the person decides it may stay open.
    """

    count: int
    latest: int
    exits: int


class TicketLists:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def page(
        self, wanted: TicketFilter, *, after: int | None = None, newest_first: bool = True, limit: int = 50
    ) -> list[Ticket]:
        """In the order of arrival or its reverse, paged by key: pass the last id of the page before as ``after``.

        What was left too long is expired here, whether or not it was swept.
        """
        where, values = self._where(wanted)
        if after is not None:
            where.append("id < :after" if newest_first else "id > :after")
        order = "DESC" if newest_first else "ASC"
        rows = self._db.read(
            f"SELECT * FROM ticket WHERE {' AND '.join(where)} ORDER BY id {order} LIMIT :limit",
            {**values, "after": after, "limit": limit},
        )
        return self._as_of_now(rows)

    def held(self, wanted: TicketFilter, *, limit: int = 200) -> list[Ticket]:
        """What may still be decided, in the order it arrived: what an "approve filtered" is about."""
        where, values = self._where(wanted)
        rows = self._db.read(
            f"SELECT * FROM ticket WHERE state = 'held' AND {STILL_OPEN} AND {' AND '.join(where)}"
            " ORDER BY id LIMIT :limit",
            {**values, "limit": limit},
        )
        return [ticket_of(row) for row in rows]

    def named(self, ticket_ids: Collection[int]) -> list[Ticket]:
        """Those of these tickets that there are, in the order they arrived."""
        marks = ", ".join("?" * len(ticket_ids))
        rows = self._db.read(f"SELECT * FROM ticket WHERE id IN ({marks}) ORDER BY id", tuple(ticket_ids))
        return self._as_of_now(rows)

    def queue(self) -> Queue:
        """In one read, for every page and every few seconds. Expires nothing: it only does not count it."""
        row = self._db.read_one(
            "SELECT count(*) AS n, coalesce(max(id), 0) AS latest, coalesce(sum(is_exit), 0) AS exits FROM ticket"
            f" WHERE state = 'held' AND {STILL_OPEN}",
            {"now": self._clock.now_ms()},
        )
        if row is None:
            return Queue(count=0, latest=0, exits=0)
        return Queue(count=row["n"], latest=row["latest"], exits=row["exits"])

    def waiting_for(self, mode: TradingMode) -> int:
        """How many of what waits goes to this account once it is approved. Expires nothing, too."""
        row = self._db.read_one(
            f"SELECT count(*) AS n FROM ticket WHERE state = 'held' AND {STILL_OPEN} AND trading_mode = :mode",
            {"now": self._clock.now_ms(), "mode": mode},
        )
        return 0 if row is None else int(row["n"])

    def counts(self, wanted: TicketFilter) -> dict[TicketState, int]:
        """How many tickets are in each state, in one read. State and tab of the filter are left aside."""
        where, values = self._where(replace(wanted, state=None, is_decided=None))
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

    def behind(
        self, mode: TradingMode, numbers: Collection[BrokerOrderId], placed_by: Operation = Operation.PLACE
    ) -> dict[BrokerOrderId, Behind]:
        """The tickets behind these orders, or GTTs, of one account, in one read. What was not placed through us is
        not in it.

        A broker may give a number again on another day: the newest ticket counts.
        """
        named = {"numbers": json.dumps(sorted(set(numbers))), "mode": mode, "placed_by": placed_by}
        return {BrokerOrderId(row["broker_order_id"]): _behind(row) for row in self._db.read(BEHIND, named)}

    def behind_tags(self, tags: Collection[Ref]) -> dict[Ref, Behind]:
        """The same by the references that orders carry, so of refused ones too, of which we know no number."""
        refs = json.dumps(sorted({ticket_ref(tag) for tag in tags}))
        found = {row["ref"]: _behind(row) for row in self._db.read(_BY_REF, {"refs": refs})}
        return {tag: found[ticket_ref(tag)] for tag in tags if ticket_ref(tag) in found}

    def strategies(self, limit: int = 100) -> list[str]:
        """The strategies there are, for the filter's list."""
        return [row["strategy"] for row in self._db.read(_STRATEGIES, (limit,))]

    def sources(self, newest: int = 1000) -> list[str]:
        """Who asked for the ``newest`` tickets, for the filter's list."""
        sql = "SELECT DISTINCT source FROM (SELECT source FROM ticket ORDER BY id DESC LIMIT ?) ORDER BY source"
        return [row["source"] for row in self._db.read(sql, (newest,))]

    def _as_of_now(self, rows: Iterable[Row]) -> list[Ticket]:
        now = self._clock.now()
        return [ticket_of(row).as_of(now) for row in rows]

    def _where(self, wanted: TicketFilter) -> tuple[list[str], Mapping[str, object]]:
        """The conditions, from the fixed names of the filter's own fields, and the values to bind."""
        values: dict[str, object] = {"now": self._clock.now_ms()}
        where = ["id > 0"]
        for field in fields(wanted):
            value = getattr(wanted, field.name)
            if value is not None:
                where.append(_condition(field.name, value))
                values[field.name] = value
        return where, values


def _condition(name: str, value: object) -> str:
    if isinstance(value, TicketState):
        return _state_is(value)
    if name == "is_decided":
        return f"{'NOT ' if value else ''}(state = 'held' AND {STILL_OPEN})"
    return f"{name} = :{name}"


def _state_is(state: TicketState) -> str:
    """Held and expired depend on the time; every other state is what the row says, which an index can follow."""
    match state:
        case TicketState.HELD:
            return f"state = :state AND {STILL_OPEN}"
        case TicketState.EXPIRED:
            return _EXPIRED
        case _:
            return "state = :state"


def _behind(row: Row) -> Behind:
    return Behind(ticket_id=row["id"], source=row["source"], strategy=row["strategy"])
