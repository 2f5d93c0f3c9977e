"""What the trader set as limits, and what the journal knows that a limit counts. The only writer of its table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import takewhile

from openalgo_bridge.clock import Clock, to_ms
from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, Invalid, StorageError
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.guard_form import changes, parse, texts
from openalgo_bridge.model.guards import GuardSettings, PositionKey
from openalgo_bridge.model.order import Exchange, OrderRequest, Product, Ref, TradingMode
from openalgo_bridge.model.ticket import Origin, TicketDraft
from openalgo_bridge.store import audit
from openalgo_bridge.store.claims import OPEN_ORDERS
from openalgo_bridge.store.database import Database, Parameters, Row

_UNREADABLE, _DEFAULTS = "not readable", "as after a fresh start"

# A ticket that was sent or may still be.
_COUNTED = "operation = 'placeorder' AND trading_mode = :mode AND state IN ('held', 'approved', 'released')"

# NOT INDEXED: by the index of states SQLite would first sort every ticket there ever was.
_NEWEST_FIRST = (
    "SELECT id, created_at, source, strategy, request FROM ticket NOT INDEXED"
    f" WHERE {_COUNTED} AND NOT EXISTS (SELECT 1 FROM orders WHERE ticket_id = ticket.id"
    " AND orders.state IN ('rejected', 'not_placed', 'dropped')) ORDER BY id DESC"
)


class Guards:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def load(self) -> GuardSettings:
        """Read from disk at every order. Raises StorageError also where a value means nothing."""
        return _settings(self._db.read("SELECT name, value FROM guard"))

    def held_for(self, source: str) -> timedelta:
        """How long a ticket of ``source`` may wait for the trader; the default where what he set cannot be read."""
        try:
            return timedelta(seconds=self.load().held_for_of(source))
        except StorageError:
            return timedelta(seconds=GuardSettings().held_for)

    def rehearses_rate(self) -> bool:
        """Whether a broker that does not count orders shall do as if. A rehearsal that cannot be read is none."""
        try:
            return self.load().rehearse_rate
        except StorageError:
            return False

    def save(self, settings: GuardSettings, *, by: Actor, expected: GuardSettings | None = None) -> None:
        """Effective for the next order. The change and its line in the audit list are one commit.

        Settings that cannot be read are written over. Raises Invalid for what no form could say, an empty list of
        symbols for one: it could not be read again; Conflict where ``expected`` is not in force any more: who gave no
        password for a narrower limit must not undo one that is narrower still.
        """
        if parse(texts(settings)) != settings:
            raise Invalid("These limits cannot be kept as they are.")
        with self._db.transaction() as db:
            former = _if_readable(db.execute("SELECT name, value FROM guard").fetchall())
            if expected is not None and former != expected:
                raise Conflict(CHANGED_MEANWHILE)
            before, after = changes(former or GuardSettings(), settings)
            if former is not None and before == after:
                return
            db.execute("DELETE FROM guard")
            db.executemany("INSERT INTO guard VALUES (?, ?)", texts(settings).items())
            before = before if former is not None else _UNREADABLE
            audit.append(db, self._clock.now_ms(), by, AuditEvent.GUARDS, before=before, after=after or _DEFAULTS)

    def has_orders_since(self, moment: datetime, mode: TradingMode, number: int, *, but: int | None = None) -> bool:
        """Whether at least ``number`` orders arrived since ``moment``, the ticket ``but`` not counted."""
        return _has_orders_since(self._db.read_one, moment, mode, number, but)

    def has_equal_signal(
        self, order: OrderRequest, origin: Origin, mode: TradingMode, since: datetime, *, but: int | None = None
    ) -> bool:
        """Whether the same source and strategy asked for the same order since then, the ticket ``but`` not counted.

        What was turned down, or provably never reached the broker, may be asked for again. Costs as much as there
        are tickets since then.
        """
        return _has_equal_signal(self._db.stream(_NEWEST_FIRST, {"mode": mode}), order, origin, since, but)

    def exposures(self, mode: TradingMode) -> set[PositionKey]:
        """The positions that messages in flight may open."""
        rows = self._db.read(
            "SELECT orders.exchange, orders.symbol, orders.product FROM orders"
            f" JOIN ticket ON ticket.id = orders.ticket_id WHERE {OPEN_ORDERS} AND orders.state <> 'planned'"
            " AND orders.operation = 'placeorder' AND ticket.trading_mode = ?",
            (mode,),
        )
        return {(Exchange(row["exchange"]), row["symbol"], Product(row["product"])) for row in rows}

    def in_doubt(self, order: OrderRequest, mode: TradingMode) -> Ref | None:
        """The reference of an order in the same symbol of which nobody knows whether the broker has it, or None."""
        row = self._db.read_one(
            "SELECT orders.ref FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
            f" WHERE {OPEN_ORDERS} AND orders.state IN ('unknown', 'parked')"
            " AND orders.symbol = ? AND orders.exchange = ? AND ticket.trading_mode = ? LIMIT 1",
            (order.symbol, order.exchange, mode),
        )
        return None if row is None else Ref(row["ref"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unspent:
    """What the journal must still allow at the moment of the claim: between the look and the claim others may have
    been sent. ``most`` orders since ``day_begin``, and none that is equal since ``equal_since``, if that is a limit.
    """

    day_begin: datetime
    most: int
    equal_since: datetime | None


def check_unspent(db: sqlite3.Connection, draft: TicketDraft, unspent: Unspent | None) -> None:
    """Inside the claiming transaction. Raises Conflict: it is then to be decided again."""
    order = draft.request
    if unspent is None or not isinstance(order, OrderRequest):
        return
    mode, since = draft.trading_mode, unspent.equal_since

    def read_one(sql: str, parameters: Parameters) -> Row | None:
        row: Row | None = db.execute(sql, parameters).fetchone()
        return row

    if _has_orders_since(read_one, unspent.day_begin, mode, unspent.most, None):
        raise Conflict("The orders of the day were used up meanwhile.")
    if since is None:
        return
    newest_first = db.execute(_NEWEST_FIRST, {"mode": mode})
    if _has_equal_signal(newest_first, order, draft.origin, since, None):
        raise Conflict("The same signal came a second time meanwhile.")


def _has_orders_since(
    read_one: Callable[[str, Parameters], Row | None], moment: datetime, mode: TradingMode, number: int, but: int | None
) -> bool:
    """As a rule one look at one row decides: tickets are in the order they arrived, so when the ticket ``number``
    places back is older, there cannot be as many. Counting all of them would cost more with every order.
    """
    row = read_one("SELECT created_at FROM ticket WHERE id = (SELECT max(id) FROM ticket) - ?", (number - 1,))
    if row is None or row["created_at"] < to_ms(moment):
        return False
    counted = read_one(
        f"SELECT count(*) AS n FROM ticket WHERE {_COUNTED} AND created_at >= :since AND id IS NOT :but",
        {"mode": mode, "since": to_ms(moment), "but": but},
    )
    return counted is not None and counted["n"] >= number


def _has_equal_signal(
    newest_first: Iterable[Row], order: OrderRequest, origin: Origin, since: datetime, but: int | None
) -> bool:
    wanted = (origin.source, origin.strategy, tickets.to_json(order))
    return any(
        row["id"] != but and (row["source"], row["strategy"], row["request"]) == wanted
        for row in takewhile(lambda row: row["created_at"] >= to_ms(since), newest_first)
    )


def _if_readable(rows: Iterable[Row]) -> GuardSettings | None:
    try:
        return _settings(rows)
    except StorageError:
        return None


def _settings(rows: Iterable[Row]) -> GuardSettings:
    return _meaning(tuple((row["name"], row["value"]) for row in rows))


@lru_cache(maxsize=4)
def _meaning(rows: tuple[tuple[str, str], ...]) -> GuardSettings:
    """Remembered by its texts, which are read from disk every time: parsing them costs more than reading them."""
    try:
        return parse(dict(rows))
    except Invalid as fault:
        raise StorageError(f"The guards cannot be read: {fault.message}") from fault
