"""A trading floor for tests: real books in a folder, and the shortest words to trade with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelRequest,
    Exchange,
    ModifyRequest,
    OrderRequest,
    PriceType,
    Product,
    Ref,
)
from openalgo_bridge.model.paper_settings import PaperSettings
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.instrument_lists import InstrumentLists
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.store.paperbook import PaperBook
from tests.brokers.standing import StandingMarket
from tests.conftest import FixedClock

SBIN = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=10, product=Product.MIS)


@dataclass
class Floor:
    """An exchange, its market and clock, and the person who trades there."""

    exchange: Broker
    market: StandingMarket
    clock: FixedClock
    book: PaperBook
    db: Database
    instruments: Instruments
    settings: PaperSettings = field(default_factory=PaperSettings)
    calendar: Calendar = SHIPPED
    refs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start_anew(
        self, settings: Callable[[], PaperSettings] | None = None, calendar: Callable[[], Calendar] | None = None
    ) -> None:
        """Another exchange over the same books, as after a start: what was only in its memory is gone."""
        self.book = PaperBook(self.db)
        self.exchange = PaperExchange(
            book=self.book,
            market=self.market,
            instruments=self.instruments,
            clock=self.clock,
            calendar=calendar or (lambda: self.calendar),
            settings=settings or (lambda: self.settings),
        )

    def change_settings(self, wanted: PaperSettings) -> None:
        """As the page does it (``trading/paper_terms.py``)."""
        now = self.clock.now()
        self.exchange.tend()
        with self.book.transaction() as book:
            book.leave_behind(now)
        self.settings = wanted
        self.exchange.tend()

    def ref(self) -> Ref:
        return Ref(f"REF{next(self.refs)}")

    def send(self, request: OrderRequest, ref: Ref | None = None) -> BrokerOrderId:
        return self.exchange.place(SendPermit(order_id=1, ref=ref or self.ref(), request=request))

    def buy(self, quantity: int = 10, product: Product = Product.MIS, limit: str | None = None) -> BrokerOrderId:
        return self.send(order(Action.BUY, quantity, product, limit))

    def sell(self, quantity: int = 10, product: Product = Product.MIS, limit: str | None = None) -> BrokerOrderId:
        return self.send(order(Action.SELL, quantity, product, limit))

    def cancel(self, order_id: BrokerOrderId) -> None:
        request = CancelRequest(broker_order_id=order_id)
        self.exchange.cancel(SendPermit(order_id=1, ref=self.ref(), request=request))

    def modify(self, order_id: BrokerOrderId, wanted: OrderRequest) -> None:
        request = ModifyRequest(broker_order_id=order_id, order=wanted)
        self.exchange.modify(SendPermit(order_id=1, ref=self.ref(), request=request))

    def order(self, order_id: BrokerOrderId) -> BrokerOrder:
        found = self.exchange.order(order_id)
        assert found is not None
        return found

    def position(self, product: Product = Product.MIS) -> Position:
        (found,) = [each for each in self.exchange.positions() if each.product is product]
        return found

    def rows(self, table: str) -> int:
        row = self.db.read_one(f"SELECT count(*) AS n FROM {table}")
        assert row is not None
        return int(row["n"])


def order(action: Action, quantity: int = 10, product: Product = Product.MIS, limit: str | None = None) -> OrderRequest:
    request = replace(SBIN, action=action, quantity=quantity, product=product)
    return request if limit is None else replace(request, price_type=PriceType.LIMIT, price=Decimal(limit))


@contextmanager
def opened(folder: Path, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> Iterator[Floor]:
    """A floor whose market stands at 1000.00 (SBIN: bid 999.95, ask 1000.05)."""
    db = Database(folder / "bridge.db", synchronous=synchronous)
    listed = Database(folder / "instruments.db", synchronous="NORMAL")
    try:
        db.migrate(schema.bridge)
        listed.migrate(schema.instruments)
        instruments = Instruments(listed)
        clock, book = FixedClock(), PaperBook(db)
        market = StandingMarket("1000", clock)
        InstrumentLists(listed, clock, instruments=instruments, calendar=lambda: SHIPPED, in_use=tuple).ensure()
        exchange = PaperExchange(
            book=book,
            market=market,
            instruments=instruments,
            clock=clock,
            calendar=lambda: floor.calendar,
            settings=lambda: floor.settings,
        )
        floor = Floor(exchange=exchange, market=market, clock=clock, book=book, db=db, instruments=instruments)
        yield floor
    finally:
        db.close()
        listed.close()
