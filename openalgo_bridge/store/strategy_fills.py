"""Which strategy each fill of the paper account is of, since it was begun anew. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from openalgo_bridge.model.order import Action, Exchange, PositionKey, Product
from openalgo_bridge.model.refs import REF_LENGTH
from openalgo_bridge.model.strategy_profit import StrategyFill
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.paper_ledger import BEGUN

# Sought from the newest back, so that nothing of before the account was begun anew is read.
_LAST_OF_BEFORE = (
    f"(SELECT id FROM paper_trade WHERE +order_id <= (SELECT begun_after FROM ({BEGUN})) ORDER BY id DESC LIMIT 1)"
)
# Our reference leads from an order of the exchange to its ticket, as in model/refs.py: ticket_ref. What the exchange
# sent itself carries none, but what a GTT fired is of the ticket that placed the GTT.
_FILLS = f"""
    SELECT paper_trade.quantity, paper_trade.price * multiplier AS price, paper_order.action, paper_order.symbol,
        paper_order.exchange, paper_order.product, coalesce(ticket.strategy, '') AS strategy
    FROM paper_trade
    JOIN paper_order ON paper_order.id = paper_trade.order_id
    LEFT JOIN paper_gtt_leg ON paper_gtt_leg.fired_order_id = paper_order.id
    LEFT JOIN paper_gtt ON paper_gtt.id = paper_gtt_leg.gtt_id
    LEFT JOIN ticket ON ticket.ref = substr(coalesce(paper_gtt.tag, paper_order.tag), 1, {REF_LENGTH})
    WHERE paper_trade.id > coalesce({_LAST_OF_BEFORE}, 0)
    ORDER BY paper_trade.id
"""
_BOOKED = f"""
    SELECT exchange, symbol, product, sum(realised) AS realised FROM paper_ledger
    WHERE symbol IS NOT NULL AND id > (SELECT line FROM ({BEGUN}))
    GROUP BY exchange, symbol, product
"""


class StrategyFills:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> list[StrategyFill]:
        """Every fill since the account was begun anew, in the order in which they happened."""
        return [
            StrategyFill(
                strategy=row["strategy"],
                position=_key(row),
                quantity=Action(row["action"]).sign * row["quantity"],
                price=row["price"],
            )
            for row in self._db.read(_FILLS)
        ]

    def booked(self) -> Mapping[PositionKey, int]:
        """What the account has booked of each position since then, in units. Reads all of its ledger since."""
        return {_key(row): row["realised"] for row in self._db.read(_BOOKED)}


def _key(row: Row) -> PositionKey:
    return Exchange(row["exchange"]), row["symbol"], Product(row["product"])
