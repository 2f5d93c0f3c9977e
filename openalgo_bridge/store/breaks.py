"""Reconciliation breaks, and what the journal says of the orders of a broker's book. The only writer of its table.

An open break keeps new entries of its symbol waiting: a claim reads it with the orders in doubt (``store/claims.py``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.breaks import Break, BreakKind, BreakState, Finding, Placement
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, Ref, TradingMode
from openalgo_bridge.model.refs import ticket_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store import audit
from openalgo_bridge.store import journal_rows as rows
from openalgo_bridge.store.database import Database, Row

RECONCILIATION = Actor(name="reconciliation")

_LAST = 20_000
"""How many of the last orders are looked at for a reference that its ticket does not lead to."""

_PLACEMENT = (
    "SELECT orders.id, orders.ticket_id, orders.ref, orders.state, orders.broker_order_id, orders.action,"
    " orders.quantity, orders.symbol, orders.exchange"
)

# Each shown order as [reference of its ticket, tag, number]; those that the journal has just so are left out.
_DISPUTED = (
    f"{_PLACEMENT}, json_extract(shown.value, '$[1]') AS tag, json_extract(shown.value, '$[2]') AS number"
    " FROM json_each(:shown) AS shown"
    " LEFT JOIN ticket ON ticket.ref = json_extract(shown.value, '$[0]') AND ticket.trading_mode = :mode"
    " LEFT JOIN orders ON orders.ticket_id = ticket.id AND orders.ref = json_extract(shown.value, '$[1]')"
    " AND orders.operation = 'placeorder'"
    " WHERE orders.id IS NULL OR orders.state <> 'sent' OR orders.broker_order_id <> json_extract(shown.value, '$[2]')"
)
_BY_TAG = (
    f"{_PLACEMENT} FROM orders CROSS JOIN ticket ON ticket.id = orders.ticket_id AND ticket.trading_mode = :mode"
    " WHERE orders.id > (SELECT max(id) FROM orders) - :last AND orders.operation = 'placeorder'"
    " AND orders.ref IN (SELECT value FROM json_each(:tags))"
)
# Orders are in the order they arrived: from the newest back to the first that is older, and no further.
_NOT_SHOWN = (
    f"{_PLACEMENT} FROM orders CROSS JOIN ticket ON ticket.id = orders.ticket_id AND ticket.trading_mode = :mode"
    " WHERE orders.id > coalesce((SELECT id FROM orders WHERE created_at < :since ORDER BY id DESC LIMIT 1), 0)"
    " AND orders.operation = 'placeorder' AND orders.state = 'sent'"
    " AND orders.broker_order_id NOT IN (SELECT value FROM json_each(:numbers))"
    " AND orders.ref NOT IN (SELECT value FROM json_each(:tags)) ORDER BY orders.id"
)
_BREAKS = (
    "SELECT reconciliation_break.*, orders.ticket_id FROM reconciliation_break"
    " LEFT JOIN orders ON orders.id = reconciliation_break.order_id"
)


class Breaks:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    # -- what the journal says ---------------------------------------------------------------------------------

    def disputed(self, mode: TradingMode, shown: Mapping[BrokerOrderId, Ref]) -> dict[BrokerOrderId, Placement | None]:
        """Of the orders that a broker shows, by number and tag, those that the journal does not have as sent under that
        number, with what it has instead; None where it has no order of that tag. In the order they are handed in.
        """
        listed = json.dumps([(ticket_ref(tag), tag, number) for number, tag in shown.items()])
        found = self._db.read(_DISPUTED, {"mode": mode, "shown": listed})
        others = self._by_tag(mode, {row["tag"] for row in found if row["id"] is None})
        return {
            BrokerOrderId(row["number"]): others.get(row["tag"]) if row["id"] is None else _placement(row)
            for row in found
            if not _is_as_sent(others.get(row["tag"]), row["number"])
        }

    def not_shown(
        self, mode: TradingMode, since: datetime, numbers: Collection[BrokerOrderId], tags: Collection[Ref]
    ) -> dict[BrokerOrderId, Placement]:
        """The orders that were made since then and that the broker took, by the number it gave, but for those of these
        numbers or tags; oldest first. Costs as much as there are orders since then.
        """
        values = {"numbers": json.dumps([*numbers]), "tags": json.dumps([*tags])}
        found = self._db.read(_NOT_SHOWN, {**values, "mode": mode, "since": to_ms(since)})
        return {BrokerOrderId(row["broker_order_id"]): _placement(row) for row in found}

    # -- the breaks --------------------------------------------------------------------------------------------

    def record(self, found: Sequence[Finding], over: Sequence[Break]) -> list[Finding]:
        """Write down what was found, and that the breaks ``over`` have cleared, in one commit; returns what is new.

        What is open, or was acknowledged, is not written a second time.
        """
        if not found and not over:
            return []
        now = self._clock.now()
        with self._db.transaction() as db:
            for each in over:
                _end(db, each.id, BreakState.CLEARED, now, RECONCILIATION)
            return [each for each in found if _insert(db, each, now)]

    def acknowledge(self, ids: Iterable[int], *, by: Actor) -> list[Break]:
        """The trader has seen them: new entries in their symbols go again. Returns those that were open till now."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ended = [_end(db, each, BreakState.ACKNOWLEDGED, now, by) for each in sorted(set(ids))]
            seen = [each for each in ended if each is not None]
            for each in seen:
                audit.append(db, to_ms(now), by, AuditEvent.BREAK_ACKNOWLEDGED, before="open", after=each.told)
        return seen

    def open(self, *, limit: int = 50) -> list[Break]:
        """Those that keep entries waiting, oldest first."""
        found = self._db.read(f"{_BREAKS} WHERE reconciliation_break.state = 'open' ORDER BY id LIMIT ?", (limit,))
        return [_break(row) for row in found]

    def open_of(self, mode: TradingMode) -> list[Break]:
        """All of one account."""
        where = "reconciliation_break.state = 'open' AND reconciliation_break.trading_mode = ?"
        return [_break(row) for row in self._db.read(f"{_BREAKS} WHERE {where}", (mode,))]

    def open_count(self) -> int:
        """How many keep entries waiting."""
        row = self._db.read_one("SELECT count(*) AS n FROM reconciliation_break WHERE state = 'open'")
        return 0 if row is None else int(row["n"])

    def of_orders(self, order_ids: Iterable[int]) -> list[Break]:
        """Those of these orders that did not clear, oldest first."""
        where = "order_id IN (SELECT value FROM json_each(?)) AND reconciliation_break.state <> 'cleared'"
        found = self._db.read(f"{_BREAKS} WHERE {where} ORDER BY reconciliation_break.id", (json.dumps([*order_ids]),))
        return [_break(row) for row in found]

    def number_at_broker(self, order_id: int) -> BrokerOrderId | None:
        """Under which number the broker has an order that the journal has as not there; None where it has none."""
        shown = (each for each in self.of_orders([order_id]) if each.kind is BreakKind.UNEXPECTED)
        return next((each.broker_order_id for each in shown), None)

    def is_told(self, mode: TradingMode, kind: BreakKind, number: BrokerOrderId) -> bool:
        """Whether it is open, or was acknowledged."""
        sql = (
            "SELECT 1 FROM reconciliation_break WHERE broker_order_id = ? AND trading_mode = ? AND kind = ?"
            " AND state <> 'cleared' LIMIT 1"
        )
        return self._db.read_one(sql, (number, mode, kind)) is not None

    def _by_tag(self, mode: TradingMode, tags: Collection[Ref]) -> dict[Ref, Placement]:
        """What a restore carried over may stand in a ticket of another reference, to which no index leads."""
        if not tags:
            return {}
        found = self._db.read(_BY_TAG, {"mode": mode, "tags": json.dumps([*tags]), "last": _LAST})
        return {Ref(row["ref"]): _placement(row) for row in found}


def _insert(db: sqlite3.Connection, found: Finding, now: datetime) -> bool:
    """Whether it is new: the database has one of each that did not clear."""
    placement = found.placement
    added = db.execute(
        "INSERT INTO reconciliation_break (kind, state, trading_mode, broker_order_id, ref, exchange, symbol, told,"
        f" order_id, found_at) VALUES ({', '.join('?' * 10)}) ON CONFLICT DO NOTHING",
        (
            found.kind,
            BreakState.OPEN,
            found.trading_mode,
            found.broker_order_id,
            found.ref,
            found.exchange,
            found.symbol,
            found.told,
            None if placement is None else placement.order_id,
            to_ms(now),
        ),
    )
    if added.rowcount and placement is not None:
        event = (placement.state, BreakState.OPEN.event, found.told)
        rows.record(db, placement.ticket_id, now, RECONCILIATION.name, event, order_id=placement.order_id)
    return added.rowcount == 1


def _end(db: sqlite3.Connection, break_id: int, state: BreakState, now: datetime, by: Actor) -> Break | None:
    """As it then is; None where it had ended before."""
    ended = db.execute(
        "UPDATE reconciliation_break SET state = ?, ended_at = ?, ended_by = ? WHERE id = ? AND state = 'open'",
        (state, to_ms(now), by.name, break_id),
    )
    if ended.rowcount != 1:
        return None
    found = _break(db.execute(f"{_BREAKS} WHERE reconciliation_break.id = ?", (break_id,)).fetchone())
    if found.ticket_id is not None:
        event = (BreakState.OPEN.event, state.event, "")
        rows.record(db, found.ticket_id, now, by.name, event, order_id=found.order_id)
    return found


def _is_as_sent(placement: Placement | None, number: str) -> bool:
    return placement is not None and placement.state is OrderState.SENT and placement.broker_order_id == number


def _placement(row: Row) -> Placement:
    number = row["broker_order_id"]
    return Placement(
        order_id=row["id"],
        ticket_id=row["ticket_id"],
        ref=Ref(row["ref"]),
        state=OrderState(row["state"]),
        broker_order_id=None if number is None else BrokerOrderId(number),
        action=Action(row["action"]),
        quantity=row["quantity"],
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
    )


def _break(row: Row) -> Break:
    return Break(
        id=row["id"],
        kind=BreakKind(row["kind"]),
        state=BreakState(row["state"]),
        trading_mode=TradingMode(row["trading_mode"]),
        broker_order_id=BrokerOrderId(row["broker_order_id"]),
        ref=Ref(row["ref"]),
        exchange=Exchange(row["exchange"]),
        symbol=row["symbol"],
        told=row["told"],
        order_id=row["order_id"],
        ticket_id=row["ticket_id"],
        found_at=from_ms(row["found_at"]),
        ended_at=None if row["ended_at"] is None else from_ms(row["ended_at"]),
    )
