"""What the journal knows that a limit counts: the orders of a day, and the positions that these may open.

``with_planned``: what is planned counts as sent, for what goes whole or not at all beside it. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.order import Exchange, PositionKey, Product, TradingMode
from openalgo_bridge.store.claims import OPEN_ORDERS
from openalgo_bridge.store.database import Parameters, Row

Read = Callable[[str, Parameters], Iterable[Row]]

# A ticket that was sent or may still be.
_COUNTED = (
    "operation IN ('placeorder', 'placegttorder') AND trading_mode = :mode"
    " AND state IN ('held', 'approved', 'released')"
)

# As the partial index spells it. A ticket of several orders counts once for each that was sent.
_OF_SEVERAL = "operation IN ('placesmartorder', 'basketorder', 'splitorder', 'optionsorder', 'optionsmultiorder')"
_LEGS_SENT = (
    f"SELECT count(*) AS n FROM (SELECT 1 FROM (SELECT id FROM ticket WHERE {_OF_SEVERAL} AND created_at >= :since"
    " AND trading_mode = :mode) AS several JOIN orders ON orders.ticket_id = several.id"
    " WHERE orders.operation = 'placeorder' AND orders.state NOT IN ('dropped', :uncounted) LIMIT :most)"
)

# Rows are in the order they arrived: there are so many since then if the one so many places back is not older.
_SO_MANY = tuple(
    f"SELECT 1 FROM {table} WHERE id = (SELECT max(id) FROM {table}) - :back AND created_at >= :since"
    for table in ("ticket", "orders")
)

_PLACED = (
    "SELECT orders.exchange, orders.symbol, orders.product FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
    " WHERE orders.operation = 'placeorder' AND ticket.trading_mode = :mode"
)


def has_orders_since(
    read: Read,
    moment: datetime,
    mode: TradingMode,
    number: int,
    approved: int | None,
    *,
    with_planned: bool = False,
) -> bool:
    """See :meth:`~openalgo_bridge.store.guards.Guards.has_orders_since`.

    As a rule one look at one row decides: tickets are in the order they arrived, so when the ticket ``number``
    places back is older, there cannot be as many. Counting all of them would cost more with every order. What tickets
    of several orders sent is counted by itself, never beyond the limit, and only on a day with so many tickets or
    orders that it could be reached: while each is fewer than half of it, both are fewer than all.
    """
    if number <= 0:
        return True
    half = {"back": (number + 1) // 2 - 1, "since": to_ms(moment)}
    if not any(_one(read, sql, half) for sql in _SO_MANY):
        return False
    several = {"mode": mode, "since": to_ms(moment), "most": number, "uncounted": _uncounted(with_planned)}
    legs = _one(read, _LEGS_SENT, several)
    number -= 0 if legs is None else legs["n"]
    if number <= 0:
        return True
    row = _one(read, "SELECT created_at FROM ticket WHERE id = (SELECT max(id) FROM ticket) - ?", (number - 1,))
    if row is None or row["created_at"] < to_ms(moment):
        return False
    which = _COUNTED if approved is None else f"{_COUNTED} AND state <> 'held' AND id <> :approved"
    counted = _one(
        read,
        f"SELECT count(*) AS n FROM ticket WHERE {which} AND created_at >= :since",
        {"mode": mode, "since": to_ms(moment), "approved": approved},
    )
    return counted is not None and counted["n"] >= number


def in_flight(read: Read, mode: TradingMode, *, with_planned: bool) -> set[PositionKey]:
    """The positions that messages may open which are on their way to the broker."""
    sql = f"{_PLACED} AND {OPEN_ORDERS} AND orders.state <> :uncounted"
    return _keys(read(sql, {"mode": mode, "uncounted": _uncounted(with_planned)}))


def sent_after(read: Read, order_id: int, mode: TradingMode, *, with_planned: bool) -> set[PositionKey]:
    """The positions for which the orders went that were written after ``order_id``."""
    never = "('dropped', 'rejected', 'not_placed', :uncounted)"
    sql = f"{_PLACED} AND orders.id > :since AND orders.state NOT IN {never}"
    return _keys(read(sql, {"mode": mode, "since": order_id, "uncounted": _uncounted(with_planned)}))


def _one(read: Read, sql: str, parameters: Parameters) -> Row | None:
    return next(iter(read(sql, parameters)), None)


def _uncounted(with_planned: bool) -> str:
    """A state beside those of what never went; the empty word is none."""
    return "" if with_planned else "planned"


def _keys(rows: Iterable[Row]) -> set[PositionKey]:
    return {(Exchange(row["exchange"]), row["symbol"], Product(row["product"])) for row in rows}
