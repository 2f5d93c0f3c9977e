"""Fills the databases of a bridge that does not run: ``python bench/tickets.py FOLDER DECIDED HELD``.

Half of what was decided went to a broker on an earlier day, the other half was denied by a guard.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    OrderMode,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin, TicketDraft
from openalgo_bridge.store import journal_rows as rows
from openalgo_bridge.store.embedded_list import shares_and_indices
from openalgo_bridge.store.journal_rows import Settlement
from openalgo_bridge.store.store import Store

_APART = timedelta(minutes=2)


def fill(folder: Path, decided: int, held: int) -> None:
    """All in one transaction, with the journal's own statements."""
    clock = Clock()
    store = Store.open(folder, clock)
    now = clock.now()
    symbols = [each.symbol for each in shares_and_indices() if each.exchange is Exchange.NSE]
    with store.files[0].transaction() as db:
        for number in range(decided):
            draft, at = _draft(symbols, number, now), now - (decided - number + 720) * _APART
            if number % 2:
                rows.accept(db, draft, TicketState.DENIED, at, "guard order_value", "It is worth too much.")
                continue
            ticket_id = rows.accept(db, draft, TicketState.RELEASED, at, draft.origin.source)
            order_id = rows.insert_order(db, ticket_id, draft.ref, draft.request, OrderState.SENDING, at)
            sent = Settlement(state=OrderState.SENT, broker_order_id=BrokerOrderId(f"B{number}"))
            rows.move_order(db, order_id, OrderState.SENDING, sent, at, "broker")
        for number in range(held):
            draft, until = _draft(symbols, number, now), now + timedelta(hours=1)
            rows.accept(db, draft, TicketState.HELD, now, draft.origin.source, expires_at=until)
    store.close()


def _draft(symbols: list[str], number: int, now: datetime) -> TicketDraft:
    order = OrderRequest(
        symbol=symbols[number % len(symbols)],
        exchange=Exchange.NSE,
        action=Action.SELL if number % 3 else Action.BUY,
        quantity=1 + number % 50,
    )
    return TicketDraft(
        ref=new_ref(now),
        operation=Operation.PLACE,
        request=order,
        order_mode=OrderMode.SEMI_AUTO,
        trading_mode=TradingMode.ANALYZE,
        origin=Origin(source="api", strategy=f"strategy {number % 20}", request_id="bench"),
        price_then=Decimal(1000),
    )


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
