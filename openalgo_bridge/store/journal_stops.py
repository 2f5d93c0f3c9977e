"""What the journal says of stops that were carried out: what they kept from being sent, and what they left behind."""

from __future__ import annotations

from datetime import datetime

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store.journal_reads import LAST, ORDERS, JournalOrder, JournalReads, journal_order_of

_TRIED = (
    "stop AS (SELECT max(id) AS id, trading_mode FROM ticket WHERE strategy = :strategy AND source = :source"
    " AND operation = 'cancelallorder' AND created_at >= :since GROUP BY trading_mode), tried AS"
    " (SELECT stop.trading_mode, json_extract(orders.request, '$.broker_order_id') AS number,"
    " orders.ticket_id = stop.id AND orders.state IN ('rejected', 'not_placed', 'dropped') AS is_in_vain"
    " FROM stop CROSS JOIN orders ON orders.ticket_id >= stop.id CROSS JOIN ticket ON ticket.id = orders.ticket_id"
    " AND ticket.trading_mode = stop.trading_mode WHERE orders.operation = 'cancelorder'"
    " OR (orders.operation = 'modifyorder' AND ticket.source = :source))"
)
"""Of each account the newest ticket that cancels everything, and the orders that somebody tried to withdraw, or its
``source`` to change, from it on. ``is_in_vain``: that ticket itself did, and nothing of it reached the broker, or the
broker refused it.
"""


class JournalStops(JournalReads):
    """See the module. Every method may raise StorageError."""

    def given_up(self, by: Actor) -> list[JournalOrder]:
        """Which of the last orders were dropped by this one, oldest first."""
        sql = (
            f"{ORDERS} WHERE orders.id > (SELECT max(id) FROM orders) - ? AND orders.state = 'dropped'"
            " AND EXISTS (SELECT 1 FROM order_event AS event WHERE event.ticket_id = orders.ticket_id"
            " AND event.order_id = orders.id AND event.by_whom = ?) ORDER BY orders.id"
        )
        return [journal_order_of(row) for row in self._db.read(sql, (LAST, by.name))]

    def left_by_cancel_all(self, *, source: str, strategy: str, since: datetime) -> list[JournalOrder]:
        """Orders accepted before the newest ticket of ``source`` and ``strategy`` that cancels everything, which became
        known to be at the broker after ``since``, or which that ticket tried to withdraw in vain. What anything else
        tried to withdraw from that ticket on, or ``source`` to change, is left to the trader.
        """
        sql = (
            f"WITH {_TRIED} {ORDERS} JOIN stop ON stop.trading_mode = ticket.trading_mode"
            " WHERE orders.id > (SELECT max(id) FROM orders) - :last AND orders.operation = 'placeorder'"
            " AND orders.ticket_id < stop.id AND orders.state = 'sent' AND (orders.changed_at >= :since OR"
            " (stop.trading_mode, orders.broker_order_id) IN (SELECT trading_mode, number FROM tried WHERE is_in_vain))"
            " AND (stop.trading_mode, orders.broker_order_id)"
            " NOT IN (SELECT trading_mode, number FROM tried WHERE NOT is_in_vain) ORDER BY orders.id"
        )
        named = {"source": source, "strategy": strategy, "since": to_ms(since), "last": LAST}
        return [journal_order_of(row) for row in self._db.read(sql, named)]
