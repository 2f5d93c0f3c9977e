"""What positions and orders are in, that a new instrument list should not be without."""

from __future__ import annotations

from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.database import Database

InstrumentName = tuple[Exchange, str]

# A ticket of one order names its instrument in its columns, one of several in its request.
_IN_USE = """
    SELECT exchange, symbol FROM paper_position WHERE quantity <> 0
    UNION SELECT exchange, symbol FROM paper_holding WHERE quantity <> 0
    UNION SELECT exchange, symbol FROM paper_order WHERE status IN ('open', 'trigger pending')
    UNION SELECT exchange, symbol FROM paper_gtt WHERE state = 'active'
    UNION SELECT exchange, symbol FROM ticket WHERE state = 'held' AND symbol <> ''
    UNION SELECT json_extract(leg.value, '$.exchange'), json_extract(leg.value, '$.symbol')
        FROM ticket, json_each(ticket.request, '$.orders') AS leg WHERE ticket.state = 'held'"""


class InstrumentsInUse:
    """Of the paper books and of the tickets that wait. What is open at a live broker, only that broker knows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def names(self) -> set[InstrumentName]:
        """Raises StorageError."""
        return {(Exchange(row["exchange"]), row["symbol"]) for row in self._db.read(_IN_USE)}
