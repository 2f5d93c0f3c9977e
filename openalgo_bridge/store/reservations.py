"""What the journal knows of one side of a position. Reads only; a claim completes a reservation with it."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict

from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.exits import Glimpse, InFlight, Reservation, Side
from openalgo_bridge.model.order import Exchange, Ref, TradingMode
from openalgo_bridge.store.database import Database, Row

_ORDERS = "FROM orders JOIN ticket ON ticket.id = orders.ticket_id"
_ON_SIDE = (
    f"SELECT orders.id, orders.ref, orders.quantity {_ORDERS} WHERE ticket.trading_mode = :trading_mode"
    " AND orders.symbol = :symbol AND orders.exchange = :exchange AND orders.product = :product"
    " AND orders.action = :action"
)
# A plain list of states, so that the index of unfinished orders is used. What is planned counts from its claim on.
_IN_FLIGHT = f"{_ON_SIDE} AND orders.state IN ('sending', 'unknown', 'parked')"
_SINCE = f"{_ON_SIDE} AND orders.id > :newest AND orders.state NOT IN ('planned', 'rejected', 'not_placed', 'dropped')"
_ARRIVED = f"{_ON_SIDE} AND orders.id = :order_id AND orders.state NOT IN ('rejected', 'not_placed', 'dropped')"


class Reservations:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def glimpse(self, side: Side) -> Glimpse:
        """What is in flight on ``side``. To be taken before the broker is read."""
        newest = self._db.read_one("SELECT coalesce(max(id), 0) AS id FROM orders")
        rows = self._db.read(_IN_FLIGHT, asdict(side))
        return Glimpse(newest=newest["id"] if newest else 0, in_flight=tuple(_in_flight(row) for row in rows))

    def in_doubt(self, trading_mode: TradingMode, exchange: Exchange, symbol: str) -> Ref | None:
        """The reference of an order in this symbol of which nobody knows whether the broker has it, or None."""
        row = self._db.read_one(
            f"SELECT orders.ref {_ORDERS} WHERE orders.state IN ('unknown', 'parked') AND ticket.trading_mode = ?"
            " AND orders.exchange = ? AND orders.symbol = ? LIMIT 1",
            (trading_mode, exchange, symbol),
        )
        return None if row is None else Ref(row["ref"])


def check(db: sqlite3.Connection, reservation: Reservation) -> None:
    """Inside the claiming transaction, before the claim: raises Conflict when the order is no exit any more.

    Counted is what is in flight now, what was in flight before the broker was read, and what was claimed since,
    however it ended: the position that was read may not show it yet. What provably never arrived is not counted.
    """
    side, glimpse = asdict(reservation.side), reservation.glimpse
    counted = {row["id"]: row["quantity"] for row in db.execute(_IN_FLIGHT, side)}
    counted |= {row["id"]: row["quantity"] for row in db.execute(_SINCE, {**side, "newest": glimpse.newest})}
    for each in glimpse.in_flight:
        counted |= {row["id"]: row["quantity"] for row in db.execute(_ARRIVED, {**side, "order_id": each.order_id})}
    if not reservation.fits(sum(counted.values())):
        raise Conflict("The position changed meanwhile: this order would take it past flat.")


def _in_flight(row: Row) -> InFlight:
    return InFlight(order_id=row["id"], ref=Ref(row["ref"]), quantity=row["quantity"])
