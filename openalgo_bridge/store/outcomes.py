"""What became of the tickets of one day: counted and listed by outcome, in SQL. Writes nothing.

Only the broker knows what became of an order that it took, so its word is handed in with every question. A ticket's
kind is its state and the set of what is known of its messages; ``model/outcome.py`` names the outcome of each kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import Clock, to_ms
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import BrokerOrderId, TradingMode
from openalgo_bridge.model.outcome import Outcome, outcome_of_order, outcome_of_ticket
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal_reads import NOT_TAKEN_BACK, STILL_OPEN, ticket_of

OrderName = tuple[TradingMode, BrokerOrderId]
"""An account and its broker's own id of an order."""

Seen = Mapping[OrderName, BrokerOrder]
"""What the brokers say of the orders they took."""

_NO_LIMIT = 1 << 62
_FILLED = "+"

# What expired a moment ago and was not swept yet waits for nobody any more.
_STATE = f"CASE WHEN ticket.state = 'held' AND NOT {STILL_OPEN} THEN 'expired' ELSE ticket.state END"
# MATERIALIZED: SQLite then looks the orders up by an index of its own making, not by reading the list for each.
_BOOK = """
    WITH book (name, word) AS MATERIALIZED (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:book)
    )
"""
_WITH_KIND = f"""
    {_BOOK}
    SELECT ticket.*, {_STATE} || '|' || coalesce(group_concat(
        DISTINCT orders.operation || '/' || orders.state || '/' || coalesce(book.word, '')), '') AS kind
    FROM ticket
    LEFT JOIN orders ON orders.ticket_id = ticket.id AND {NOT_TAKEN_BACK}
    LEFT JOIN book ON book.name = ticket.trading_mode || ' ' || orders.broker_order_id
    WHERE ticket.id >= :first AND ticket.id < :end
"""
_UNTOLD = f"""
    {_BOOK}
    SELECT ticket.trading_mode, orders.broker_order_id
    FROM ticket
    JOIN orders ON orders.ticket_id = ticket.id AND orders.operation = 'placeorder' AND orders.state = 'sent'
    LEFT JOIN book ON book.name = ticket.trading_mode || ' ' || orders.broker_order_id
    WHERE book.name IS NULL AND ticket.id >= :first AND ticket.id < :end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFilter:
    """The tickets that arrived from ``since`` on and before ``until``; None leaves the other fields alone."""

    since: datetime
    until: datetime
    symbol: str | None = None
    strategy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many tickets there are of each outcome, and the kinds that have it. The counts add up to ``received``."""

    counts: Mapping[Outcome, int]
    kinds: Mapping[Outcome, tuple[str, ...]]

    @property
    def received(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def has_untold(self) -> bool:
        """Whether an order that a broker took is not in what the brokers said."""
        return any(_is_untold(kind) for kinds in self.kinds.values() for kind in kinds)


class Outcomes:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def accounts(self, wanted: DayFilter) -> set[TradingMode]:
        """The accounts of these tickets: whose brokers have a word to say."""
        where, values = self._where(wanted)
        rows = self._db.read(
            f"SELECT DISTINCT trading_mode FROM ticket WHERE id >= :first AND id < :end{where}", values
        )
        return {TradingMode(row["trading_mode"]) for row in rows}

    def tally(self, wanted: DayFilter, seen: Seen) -> Tally:
        """Every ticket counts once, under the outcome it has now."""
        where, values = self._where(wanted)
        rows = self._db.read(
            f"SELECT kind, count(*) AS n FROM ({_WITH_KIND}{where} GROUP BY ticket.id) GROUP BY kind",
            {**values, "book": _book(seen)},
        )
        counts: Counter[Outcome] = Counter()
        kinds: dict[Outcome, tuple[str, ...]] = {}
        for row in rows:
            outcome = _outcome(row["kind"])
            counts[outcome] += int(row["n"])
            kinds[outcome] = (*kinds.get(outcome, ()), row["kind"])
        return Tally(counts=counts, kinds=kinds)

    def untold(self, wanted: DayFilter, seen: Seen, *, limit: int) -> list[OrderName]:
        """The orders that a broker took and that are not in what the brokers said, the newest first."""
        where, values = self._where(wanted)
        sql = f"{_UNTOLD}{where} ORDER BY orders.id DESC LIMIT :limit"
        rows = self._db.read(sql, {**values, "book": _book(seen), "limit": limit})
        return [(TradingMode(row["trading_mode"]), BrokerOrderId(row["broker_order_id"])) for row in rows]

    def page(self, wanted: DayFilter, *, before: int | None = None, limit: int = 50) -> list[Ticket]:
        """Newest first, paged by key: pass the last id as ``before``."""
        where, values = self._where(wanted, before)
        sql = f"SELECT * FROM ticket WHERE id >= :first AND id < :end{where} ORDER BY id DESC LIMIT :limit"
        return [ticket_of(row) for row in self._db.read(sql, {**values, "limit": limit})]

    def page_of(
        self, wanted: DayFilter, outcome: Outcome, tally: Tally, seen: Seen, *, before: int | None, limit: int
    ) -> list[Ticket]:
        """As :meth:`page`, of one outcome. ``tally`` is of the same filter and the same word of the brokers."""
        where, values = self._where(wanted, before)
        kinds = json.dumps(tally.kinds.get(outcome, ()))
        rows = self._db.read(
            f"{_WITH_KIND}{where} GROUP BY ticket.id HAVING kind IN (SELECT value FROM json_each(:kinds))"
            " ORDER BY ticket.id DESC LIMIT :limit",
            {**values, "book": _book(seen), "kinds": kinds, "limit": limit},
        )
        return [ticket_of(row) for row in rows]

    def _where(self, wanted: DayFilter, before: int | None = None) -> tuple[str, dict[str, object]]:
        """Conditions beside the range of ids, and the values to bind."""
        end = self._first_since(wanted.until)
        values: dict[str, object] = {
            "now": self._clock.now_ms(),
            "first": self._first_since(wanted.since),
            "end": end if before is None else min(end, before),
        }
        where = ""
        for name in ("symbol", "strategy"):
            value = getattr(wanted, name)
            if value is not None:
                where += f" AND ticket.{name} = :{name}"
                values[name] = value
        return where, values

    def _first_since(self, moment: datetime) -> int:
        """The id of the first ticket that arrived at ``moment`` or later, found by halving: an index on the time would
        cost every order one more page. Tickets stand in the order they arrived; one that came while the clock was
        set back stands under the day of its neighbours.
        """
        newest = self._newest()
        low, high = 0, newest
        while low < high:
            middle = (low + high) // 2
            row = self._db.read_one("SELECT id, created_at FROM ticket WHERE id > ? ORDER BY id LIMIT 1", (middle,))
            if row is None or row["created_at"] >= to_ms(moment):
                high = middle
            else:
                low = int(row["id"])
        return low + 1 if low < newest else _NO_LIMIT

    def _newest(self) -> int:
        row = self._db.read_one("SELECT max(id) AS id FROM ticket")
        return 0 if row is None or row["id"] is None else int(row["id"])


def _book(seen: Seen) -> str:
    """The brokers' word as JSON, as the query reads it."""
    return json.dumps([(f"{mode} {number}", _word(order)) for (mode, number), order in seen.items()])


def _word(order: BrokerOrder) -> str:
    return f"{order.status}{_FILLED if order.filled_quantity else ''}"


def _outcome(kind: str) -> Outcome:
    state, _, messages = kind.partition("|")
    return outcome_of_ticket(TicketState(state), [_of_message(each) for each in messages.split(",") if each])


def _is_untold(kind: str) -> bool:
    return f"{Operation.PLACE}/{OrderState.SENT}/" in kind.partition("|")[2].split(",")


def _of_message(told: str) -> Outcome:
    operation, state, word = told.split("/")
    status = OrderStatus(word.removesuffix(_FILLED)) if word else None
    return outcome_of_order(Operation(operation), OrderState(state), status, int(word.endswith(_FILLED)))
