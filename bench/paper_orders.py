"""Fills the book of a paper exchange that does not run: ``python bench/paper_orders.py FOLDER COUNT [SYMBOL]``.

All are limit orders of today that have ended, as after a busy day; with a symbol, all wait in it, below its price.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Ref
from openalgo_bridge.model.paper import PaperOrder
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.store.embedded_list import shares_and_indices
from openalgo_bridge.store.store import Store


def fill(folder: Path, count: int) -> None:
    """All in one transaction."""
    store = Store.open(folder, Clock())
    now = Clock().now()
    symbols = [each.symbol for each in shares_and_indices() if each.exchange is Exchange.NSE]
    with store.paperbook.transaction() as book:
        for number in range(count):
            request = OrderRequest(
                symbol=symbols[number % len(symbols)],
                exchange=Exchange.NSE,
                action=Action.SELL if number % 3 else Action.BUY,
                quantity=1 + number % 50,
                price_type=PriceType.LIMIT,
                price=Decimal(100 + number % 2000),
            )
            status = OrderStatus.CANCELLED if number % 5 else OrderStatus.REJECTED
            book.add(PaperOrder(tag=new_ref(now), request=request, status=status, placed_at=now))
    store.close()


def let_wait(folder: Path, count: int, symbol: str) -> None:
    """At prices that no day comes near. Nothing is set aside for them."""
    store = Store.open(folder, Clock())
    now = Clock().now()
    asked = OrderRequest(
        symbol=symbol, exchange=Exchange.NSE, action=Action.BUY, quantity=1, price_type=PriceType.LIMIT
    )
    with store.paperbook.transaction() as book:
        for number in range(count):
            request = replace(asked, price=Decimal(1 + number % 100))
            # As if the exchange had sent them itself: no ticket of the journal is looked for.
            book.add(PaperOrder(tag=Ref(""), cause="bench", request=request, placed_at=now))
    store.close()


if __name__ == "__main__":
    if sys.argv[3:]:
        let_wait(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    else:
        fill(Path(sys.argv[1]), int(sys.argv[2]))
