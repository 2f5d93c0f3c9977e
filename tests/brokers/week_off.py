"""A Friday's trading, and the PC being off until the Wednesday of the week after next. Run as a program, it looks at
the books then and dies at a statement: ``python -m tests.brokers.week_off FOLDER STATEMENT``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Literal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.clock import IST
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, Product
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.store.paperbook import PaperBook
from tests.brokers.desk import Floor, opened
from tests.brokers.standing import StandingMarket
from tests.conftest import FixedClock
from tests.faults import WatchedDatabase
from tests.store import listing
from tests.store.listing import contract

FRIDAY, EXPIRY, BACK = date(2026, 11, 20), date(2026, 12, 1), date(2026, 12, 2)
FUTURE = OrderRequest(
    symbol="NIFTY01DEC26FUT", exchange=Exchange.NFO, action=Action.BUY, quantity=65, product=Product.NRML
)
CALL = replace(FUTURE, symbol="NIFTY01DEC2626000CE")
LISTED = (
    contract("NIFTY", Kind.FUT, EXPIRY),
    contract("NIFTY", Kind.CE, EXPIRY, 26_000),
    contract("WHEAT", Kind.FUT, EXPIRY),
)

DIED = 77
_WRITES = ("INSERT", "UPDATE", "COMMIT")


def at(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute, second), IST)


@contextmanager
def floor_on_friday(folder: Path, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> Iterator[Floor]:
    """At 09:30, with the contracts of ``LISTED``."""
    with opened(folder, synchronous) as floor, listing.opened(folder) as listed:
        listed.take(*LISTED, *floor.instruments.stream(Exchange.NSE), accept_fewer=True)
        floor.instruments.forget()
        floor.clock.moment = at(FRIDAY, 9, 30)
        floor.market.last = Decimal(1000)
        yield floor


def trade_on_friday(floor: Floor) -> None:
    """Intraday, delivery, a contract, and two orders that rest: one is reached before the square-off."""
    floor.buy()
    floor.buy(20, Product.CNC)
    floor.send(FUTURE)
    floor.buy(limit="990.00")
    floor.buy(5, Product.CNC, limit="950.00")


def let_the_week_pass(market: StandingMarket, clock: FixedClock) -> None:
    """Prices go on, and it is Wednesday, 10:00."""
    for moment, last in ((at(FRIDAY, 14), 985), (at(FRIDAY, 16), 940), (at(EXPIRY, 15, 30), 1050)):
        clock.moment = moment
        market.last = Decimal(last)
    clock.moment = at(BACK, 10)


def exchange_on_wednesday(folder: Path, database: Callable[[Path], Database]) -> tuple[Broker, list[Database]]:
    """Over the books in ``folder``, as after a start; and the files to close."""
    db, listed = database(folder / "bridge.db"), Database(folder / "instruments.db", synchronous="NORMAL")
    clock = FixedClock()
    clock.moment = at(FRIDAY, 9, 30)
    market = StandingMarket("1000", clock)
    let_the_week_pass(market, clock)
    exchange = PaperExchange(
        book=PaperBook(db), market=market, instruments=Instruments(listed), clock=clock, calendar=lambda: SHIPPED
    )
    return exchange, [db, listed]


class Fuse:
    """Counts what is written; does ``blow`` before the ``n``-th."""

    def __init__(self, n: int, blow: Callable[[], None]) -> None:
        self.count = 0
        self._n = n
        self._blow = blow

    def __call__(self, sql: str) -> None:
        if sql.startswith(_WRITES):
            self.count += 1
            if self.count == self._n:
                self._blow()


def _die(folder: Path, statement: int) -> None:
    """As the power switch does it: no handler runs, nothing is flushed."""
    fuse = Fuse(statement, lambda: os._exit(DIED))
    exchange, _ = exchange_on_wednesday(folder, lambda path: WatchedDatabase(path, before=fuse))
    exchange.order_book()


if __name__ == "__main__":
    _die(Path(sys.argv[1]), int(sys.argv[2]))
