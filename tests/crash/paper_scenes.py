"""What moves money at the paper exchange, each as a scene: what was before, and the look or the wish that does it.

The books, the journal and the clock are those of the product; only the prices stand where a scene puts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.app import open_desk
from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.gtt import GttRequest
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    GttLeg,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    Ref,
    TradingMode,
    TriggerSide,
)
from openalgo_bridge.model.paper import to_units
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_capital import PaperCapital
from openalgo_bridge.store.paperbook import PaperBook
from openalgo_bridge.trading import orders
from tests.brokers.standing import StandingMarket
from tests.brokers.week_off import FRIDAY, at
from tests.conftest import FixedClock
from tests.faults import WatchedDatabase

TRADER = Actor(name="trader")
ORIGIN = Origin(source="api", strategy="crash", request_id="r1")
BUY = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=10, product=Product.MIS)
LIMIT = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(990))
TARGET = replace(LIMIT, action=Action.SELL, price=Decimal(1010))
GTT = GttRequest(
    symbol="SBIN",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    legs=(GttLeg(side=TriggerSide.STOPLOSS, trigger_price=Decimal(900), price=Decimal(890)),),
)
LAKH = to_units(Decimal(100_000))

_NAME = re.compile(r"(?:INSERT(?: OR REPLACE)? INTO|UPDATE|DELETE FROM) \w+|\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A desk whose paper exchange has its own handle of the file, which can be watched."""

    desk: Desk
    db: Database
    book: PaperBook

    @property
    def exchange(self) -> Broker:
        return self.desk.broker(TradingMode.ANALYZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """``moment`` and ``last`` are when it is played, and at what price SBIN then stands: 1000 before."""

    before: tuple[OrderRequest, ...] = ()
    waits: bool = False
    moment: datetime
    last: str = "1000"
    act: Callable[[Stage], object]
    writes: frozenset[str]
    """What its transaction must write for it to be what it is called."""


def _sent(stage: Stage) -> object:
    return orders.place(stage.desk, BUY, ORIGIN)


def _looked_at(stage: Stage) -> object:
    return stage.exchange.order_book()


def _reset(stage: Stage) -> object:
    return PaperCapital(stage.db, stage.book, stage.desk.clock).reset(LAKH, by=TRADER)


_FILL = frozenset({"INSERT INTO paper_trade", "INSERT OR REPLACE INTO paper_position", "INSERT INTO paper_ledger"})

SCENES = {
    "market fill": Scene(moment=at(FRIDAY, 10), act=_sent, writes=_FILL | {"INSERT INTO paper_order"}),
    "resting fill": Scene(
        before=(BUY, TARGET), moment=at(FRIDAY, 10), last="1015", act=_looked_at, writes=_FILL | {"UPDATE paper_order"}
    ),
    "square-off": Scene(
        before=(BUY, LIMIT),
        moment=at(FRIDAY, 15, 12),
        act=_looked_at,
        writes=_FILL | {"INSERT INTO paper_order", "UPDATE paper_order", "INSERT INTO paper_clock"},
    ),
    "reset": Scene(
        before=(BUY, replace(BUY, product=Product.CNC), LIMIT),
        waits=True,
        moment=at(FRIDAY, 10),
        act=_reset,
        writes=frozenset(
            {
                "UPDATE paper_gtt",
                "UPDATE paper_order",
                "INSERT OR REPLACE INTO paper_position",
                "INSERT INTO paper_ledger",
                "INSERT INTO audit",
            }
        ),
    ),
}


class Statements:
    """Tells ``step`` of the moment before and the moment after each statement inside a transaction."""

    def __init__(self, step: Callable[[str], None]) -> None:
        self._step = step
        self._is_inside = False

    def before(self, sql: str) -> None:
        self._is_inside = self._is_inside or sql.startswith("BEGIN")
        self._tell("before", sql)

    def after(self, sql: str) -> None:
        self._tell("after", sql)
        self._is_inside = self._is_inside and sql != "COMMIT"

    def _tell(self, when: str, sql: str) -> None:
        named = _NAME.match(sql)
        if self._is_inside and named is not None:
            self._step(f"{when} {named[0]}")


def prepare(folder: Path, scene: Scene) -> None:
    """Everything up to the scene, in a folder that exists."""
    with opened(folder, at(FRIDAY, 9, 30), "1000") as stage:
        stage.desk.store.instrument_lists.roll()
        stage.desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
        for request in scene.before:
            orders.place(stage.desk, request, ORIGIN)
        if scene.waits:
            stage.exchange.place_gtt(SendPermit(order_id=1, ref=Ref("WAITS"), request=GTT))


def play(folder: Path, name: str, step: Callable[[str], None]) -> None:
    """Play the scene, to its end or to the one that ``step`` makes."""
    scene = SCENES[name]
    with opened(folder, scene.moment, scene.last, Statements(step)) as stage:
        scene.act(stage)


@contextmanager
def opened(folder: Path, moment: datetime, last: str, watch: Statements | None = None) -> Iterator[Stage]:
    """A bridge that was just started at that moment; SBIN stood at 1000 until then."""
    clock = FixedClock()
    clock.moment = at(FRIDAY, 9, 30)
    market = StandingMarket("1000", clock)
    clock.moment = moment
    market.last = Decimal(last)
    desk = open_desk(Settings(db_dir=folder), clock, Argon2Cost(memory_kib=64, iterations=1, lanes=1))
    path = desk.store.files[0].path
    db = WatchedDatabase(path) if watch is None else WatchedDatabase(path, before=watch.before, after=watch.after)
    book = PaperBook(db)
    exchange = PaperExchange(
        book=book, market=market, instruments=desk.store.instruments, clock=clock, calendar=desk.store.calendar.load
    )
    desk = replace(desk, brokers={TradingMode.ANALYZE: exchange})
    desk.doors.open()
    try:
        yield Stage(desk=desk, db=db, book=book)
    finally:
        db.close()
        desk.close()
